/* The steps of the guests. */

#include "test/oracle/oracle.h"

static void do_access(struct vcpu *v, const struct step *s)
{
	struct x_access a = { .write = (s->a & 7) < 3,
			      .fetch = (s->a & 7) == 7,
			      .user = s->a >> 3 & 1,
			      .implicit = (s->a >> 4 & 15) == 0 };
	uint64_t va = layout_va(&v->regs, s->b, s->v), gpa, value = layout_entry(v->vm->world, 0, 8, 0, mix(s->v));

	if (a.implicit)
		a.user = a.fetch = false;
	v->regs.ac = s->a >> 9 & 1;
	v->regs.pkru = s->a >> 10 & 3 ? 0 : (uint32_t)mix(s->b);
	guest_access(v, va, a, 8, a.write ? &value : NULL, &gpa);
}

static void do_repeat(struct vcpu *v, const struct step *s)
{
	struct x_access a = v->last_access;
	uint64_t gpa, value = layout_entry(v->vm->world, 0, 8, 0, mix(s->v)), va = v->last_va & ~7ull;

	if (s->a & 1 && !a.fetch && !a.implicit)
		a.write = !a.write;
	if (s->a & 2 && !a.implicit)
		a.user = !a.user;
	if (s->a & 4)
		va ^= (s->b & 1 ? 0x1000 : 0x200000);
	guest_access(v, va, a, 8, a.write ? &value : NULL, &gpa);
}

static void do_table_read(struct vcpu *v, const struct step *s)
{
	uint64_t gpa = layout_table(x_mode(&v->regs), s->a) * 4096 + layout_index(8, s->b) * 8;

	guest_access(v, layout_direct(x_mode(&v->regs), gpa), (struct x_access){ 0 }, 8, NULL, &gpa);
}

void guest_edit(struct vcpu *v, uint64_t at, unsigned size, uint64_t value, bool by_device)
{
	enum x_mode mode = x_mode(&v->regs);
	uint64_t va = layout_direct(mode, at), gpa;
	struct x_access a = { .write = true };
	struct outcome x = spec_walk(v->vm, &v->regs, va, a);

	cover_edit(v, at, size, value);
	if (by_device)
		cover(v->vm->world, COVER_EDIT_DEVICE);
	v->regs.pkru = 0;
	if (!by_device && !x.fault && x.gpa == at)
		guest_access(v, va, a, size, &value, &gpa);
	else
		guest_store(v, at, size, value, true);
}

static uint64_t do_edit(struct vcpu *v, const struct step *s, bool by_device)
{
	enum x_mode mode = x_mode(&v->regs);
	unsigned size = mode == X_NONE ? 8 : x_entry_size(mode), index = layout_index(size, s->b);
	uint64_t gfn = layout_table(mode == X_NONE ? X_4LEVEL : mode, s->a), at, value;

	if ((s->b >> 3 & 7) == 0)
		index = (s->b >> 6) % (4096 / size);
	if (layout_is_pdpt(gfn))
		index &= 7;
	at = gfn * 4096 + index * size;
	value = layout_entry(v->vm->world, gfn, size, gm_read(v->vm, at, size), s->v);
	if (layout_is_pdpt(gfn) && s->b >> 20 & 7)
		value &= MASK(35, 12) | X_P;
	guest_edit(v, at, size, value, by_device);
	return at;
}

/* An entry that the last access used, the last one mostly. false: none, or it is not in RAM. */
static bool entry_of_path(struct vcpu *v, const struct step *s, uint64_t *at)
{
	struct outcome x = spec_walk(v->vm, &v->regs, v->last_va, v->last_access);
	struct ram *r;

	if (!x.levels)
		return false;
	*at = x.level[s->a % 3 ? x.levels - 1 : s->a / 3 % x.levels].gpa;
	r = ram_find(v->vm, *at >> PAGE_SHIFT);
	return r && r->kind == SLOT_RAM && r->base != IDENTITY_GFN;
}

static void do_edit_path(struct vcpu *v, const struct step *s)
{
	enum x_mode mode = x_mode(&v->regs);
	uint64_t at;

	if (!entry_of_path(v, s, &at))
		return;
	guest_edit(v, at, x_entry_size(mode),
		   layout_entry(v->vm->world, at >> PAGE_SHIFT, x_entry_size(mode),
				gm_read(v->vm, at, x_entry_size(mode)), s->v),
		   false);
	if (!v->vm->world->failed && s->b & 1)
		guest_invlpg(v, v->last_va);
}

/* Another vCPU edits what this one uses; then this one invalidates it and looks again. */
static void do_edit_other(struct vcpu *v, const struct step *s)
{
	struct vcpu *other = &v->vm->vcpu[(v - v->vm->vcpu + 1) % v->vm->world->c.vcpus];
	unsigned size = x_entry_size(x_mode(&v->regs));
	uint64_t at, gpa, value = layout_entry(v->vm->world, 0, 8, 0, mix(s->v));

	if (!entry_of_path(v, s, &at))
		return;
	guest_edit(other, at, size, layout_entry(v->vm->world, at >> PAGE_SHIFT, size, gm_read(v->vm, at, size), s->v),
		   false);
	if (v->vm->world->failed)
		return;
	if (s->b & 3)
		guest_invlpg(v, v->last_va);
	if (!v->vm->world->failed)
		guest_access(v, v->last_va & ~7ull, v->last_access, 8, v->last_access.write ? &value : NULL, &gpa);
}

/* The last-level entry that the last access used, where another vCPU can write it; 0: none. */
static uint64_t shared_entry(struct vcpu *v)
{
	struct outcome x = spec_walk(v->vm, &v->regs, v->last_va, v->last_access);
	struct ram *r;
	uint64_t at;

	if (!x.complete)
		return 0;
	at = x.level[x.levels - 1].gpa;
	r = ram_find(v->vm, at >> PAGE_SHIFT);
	return r && r->kind == SLOT_RAM && r->base != IDENTITY_GFN ? at : 0;
}

static void edit_shared(struct vcpu *v, struct vcpu *by, uint64_t at, uint64_t how)
{
	unsigned size = x_entry_size(x_mode(&v->regs));

	if (!v->vm->world->failed)
		guest_edit(by, at, size,
			   layout_entry(v->vm->world, at >> PAGE_SHIFT, size, gm_read(v->vm, at, size), how), false);
}

static void invalidate_and_look(struct vcpu *v)
{
	if (!v->vm->world->failed)
		guest_invlpg(v, v->last_va);
	if (!v->vm->world->failed)
		guest_look_again(v);
}

/* A table is edited, is at rest for some loads of CR3, and is edited again, by the other vCPU if there is one. */
static void do_rest(struct vcpu *v, const struct step *s)
{
	struct vcpu *other = &v->vm->vcpu[(v - v->vm->vcpu + 1) % v->vm->world->c.vcpus];
	uint64_t at = shared_entry(v), va = v->last_va;

	if (!at)
		return;
	edit_shared(v, other, at, s->v);
	for (unsigned i = 0; i < 11 && !v->vm->world->failed; i++)
		guest_cr3(v, v->regs.cr3);
	edit_shared(v, other, at, mix(s->v));
	v->last_va = va;
	invalidate_and_look(v);
}

/* What the last access used is out of sync, and the tables' shadows must be found or made anew (CR0.WP says something
 * else now), while the other vCPU writes to it until it is stopped. */
static void do_retrack(struct vcpu *v, const struct step *s)
{
	struct world *w = v->vm->world;
	struct vcpu *other = &v->vm->vcpu[(v - v->vm->vcpu + 1) % w->c.vcpus];
	uint64_t at = shared_entry(v), va = v->last_va;

	if (!at)
		return;
	edit_shared(v, other, at, s->v | 1ull << 24 | 31ull << 20);
	if (w->failed || !guest_cr0(v, v->regs.cr0 ^ X_CR0_WP))
		return;
	v->last_va = va;
	/* It must be in the guest to be stopped. */
	if (other != v && enter(other) && w->c.races)
		w->last_store = (mix(s->v) | 1) | 1ull << 8;
	guest_look_again(v);
	w->last_store = 0;
	v->last_va = va;
	invalidate_and_look(v);
}

void guest_look_again(struct vcpu *v)
{
	struct x_access read = { 0 };
	uint64_t gpa;

	guest_access(v, v->last_va & ~7ull, read, 8, NULL, &gpa);
}

void guest_map_device(struct vcpu *v)
{
	struct outcome x = spec_walk(v->vm, &v->regs, v->last_va, v->last_access);
	enum x_mode mode = x_mode(&v->regs);
	struct ram *r;

	if (!x.complete || x.shift != 12)
		return;
	r = ram_find(v->vm, x.level[x.levels - 1].gpa >> PAGE_SHIFT);
	if (!r || r->kind != SLOT_RAM)
		return;
	guest_edit(v, x.level[x.levels - 1].gpa, x_entry_size(mode), DEVICE_GFN * 4096 | X_P | X_W | X_A | X_D, false);
	if (v->vm->world->failed)
		return;
	guest_invlpg(v, v->last_va);
	guest_look_again(v);
}

static void do_heal(struct vcpu *v, const struct step *s)
{
	enum x_mode mode = x_mode(&v->regs);
	unsigned size = mode == X_NONE ? 8 : x_entry_size(mode);
	uint64_t gfn = layout_table(mode == X_NONE ? X_4LEVEL : mode, s->a | 0x3f00);

	guest_edit(v, gfn * 4096 + (layout_is_pdpt(gfn) ? s->b & 7 : layout_index(size, s->b)) * size, size,
		    layout_good(v->vm->world, gfn, size, s->v), false);
}

static void do_edit_flush(struct vcpu *v, const struct step *s)
{
	do_edit(v, s, false);
	if (!v->vm->world->failed)
		guest_invlpg(v, s->a >> 12 & 3 ? layout_va(&v->regs, s->b, mix(s->v)) : v->last_va);
}

/* A root that is not in use is written to so often that it looks like no table any more; then it is used again. */
static void write_other_root(struct vcpu *v, const struct step *s)
{
	uint64_t root = layout_root(X_4LEVEL, s->b), other = layout_root(X_4LEVEL, s->b + 1), va = v->last_va;

	if (!guest_cr3(v, root) || !guest_cr3(v, other))
		return;
	for (unsigned i = 0; i < 6 && !v->vm->world->failed; i++)
		guest_edit(v, root + layout_index(8, i) * 8, 8,
			   gm_read(v->vm, root + layout_index(8, i) * 8, 8) ^ BIT(9), false);
	v->last_va = va;
	if (!v->vm->world->failed && guest_cr3(v, root))
		guest_look_again(v);
}

/* A table is copied whole, as fork does: many writes to one table. */
static void do_copy_table(struct vcpu *v, const struct step *s)
{
	enum x_mode mode = x_mode(&v->regs);
	unsigned size = mode == X_32BIT ? 4 : 8;
	uint64_t to = layout_table(mode == X_NONE ? X_4LEVEL : mode, s->a & 0xff),
		 from = layout_table(mode == X_NONE ? X_4LEVEL : mode, s->b & 0xff);

	if (mode == X_4LEVEL && !(v->regs.cr4 & X_CR4_PCIDE) && s->v & 1) {
		write_other_root(v, s);
		return;
	}
	if (to == from || layout_is_pdpt(to) || layout_is_pdpt(from))
		return;
	to = to * 4096;
	from = from * 4096;
	for (unsigned i = 0; i < 12 && !v->vm->world->failed; i++) {
		unsigned index = i < 4 ? layout_index(size, i) : i;

		guest_edit(v, to + index * size, size, gm_read(v->vm, from + index * size, size), false);
	}
}

static void do_cr3(struct vcpu *v, const struct step *s)
{
	enum x_mode mode = x_mode(&v->regs);
	uint64_t cr3 = s->a & 1 ? v->regs.cr3 : layout_root(mode == X_NONE ? v->vm->world->c.mode : mode, s->b);

	/* A table in ROM, at a device, or where nothing is; where that is no #GP, the guest gets no further for a
	 * while. */
	if ((s->b >> 17 & (mode == X_PAE ? 7 : 63)) == 1)
		cr3 = layout_nowhere(s->b >> 23);
	/* OV6: who reads PDPTEs there, the CPU or the hypervisor, finds the device or what is below. */
	if (mode == X_PAE && overlay_covered(v->vm, x_pdpt(cr3) >> PAGE_SHIFT))
		return;
	if (v->regs.cr4 & X_CR4_PCIDE)
		cr3 = (cr3 & ~0xfffull) | (s->b >> 8 & 3) | (s->b & 0x400 ? X_CR3_KEEP : 0);
	else if (mode >= X_4LEVEL && !(s->b >> 12 & 31))
		cr3 |= X_PCD;
	if (!page_find(v->vm, cr3 >> PAGE_SHIFT & MASK(39, 0)))
		cover(v->vm->world, mode == X_PAE ? COVER_PDPT_NOWHERE : COVER_ROOT_NOWHERE);
	guest_cr3(v, cr3);
}

static void do_cr0(struct vcpu *v, const struct step *s)
{
	uint64_t cr0 = v->regs.cr0;

	if (s->a & 7)
		cr0 ^= X_CR0_WP;
	else if (s->a & 8)
		cr0 ^= X_CR0_CD;
	else if (s->a & 16)
		cr0 ^= X_CR0_CD | X_CR0_NW;
	else if (!v->vm->world->c.mode_fixed)
		cr0 ^= X_CR0_PG;
	guest_cr0(v, cr0);
}

static void do_cr4(struct vcpu *v, const struct step *s)
{
	const struct config *c = &v->vm->world->c;
	uint64_t bit[] = { X_CR4_PGE,
			   X_CR4_PGE,
			   X_CR4_PSE,
			   c->caps.smep ? X_CR4_SMEP : 0,
			   c->caps.smap ? X_CR4_SMAP : 0,
			   c->caps.pku ? X_CR4_PKE : X_CR4_PGE,
			   c->guest_pcid ? X_CR4_PCIDE : 0,
			   c->mode_fixed ? 0 : X_CR4_PAE };
	uint64_t flip = bit[s->a & 7];

	if (flip == X_CR4_PCIDE && !(v->regs.cr4 & flip) && x_mode(&v->regs) >= X_4LEVEL)
		guest_cr3(v, v->regs.cr3 & ~0xfffull);
	if (!v->vm->world->failed)
		guest_cr4(v, v->regs.cr4 ^ flip);
}

/* All entries of the table that the last access used name one frame, most of them are used, and then that frame is a
 * table: so lists get as long as a guest can make them. */
static void do_crowd(struct vcpu *v, const struct step *s)
{
	struct vm *vm = v->vm;
	struct outcome x = spec_walk(vm, &v->regs, v->last_va, v->last_access);
	unsigned size = x_entry_size(x_mode(&v->regs));
	uint64_t at = shared_entry(v), frame = 100 + (s->a >> 4 & 1), e = frame * 4096 | X_P | X_W | X_U | X_A | X_D,
		 word, gpa;
	uint64_t page[512];

	if (!at || x.shift != 12 || at >> PAGE_SHIFT == frame || vm->changes + 700 > HISTORY)
		return;
	word = size == 8 ? e : e | e << 32;
	at = align_down(at, PAGE_SIZE);
	for (unsigned i = 0; i < 512; i++)
		page[i] = word;
	if (mmu_guest_write(&vm->mmu, GPA(at), page, PAGE_SIZE) != PAGE_SIZE)
		return;
	for (unsigned i = 0; i < 512; i++)
		gm_write(vm, at + i * 8, 8, word);
	guest_cr3(v, v->regs.cr3);
	for (unsigned i = 0; i < 512 && !vm->world->failed; i += 32)
		guest_access(v, align_down(v->last_va, 512 * PAGE_SIZE) + i * PAGE_SIZE,
			     (struct x_access){ .write = s->a & 1 }, 8, s->a & 1 ? &s->v : NULL, &gpa);
	if (vm->world->failed || x.levels < 2 || !(s->a & 2))
		return;
	guest_edit(v, x.level[x.levels - 2].gpa, size, e, false);
	if (!vm->world->failed)
		invalidate_and_look(v);
}

/* An event, to a stack anywhere: often in a table, by the kernel's map of low memory or by whatever leads there. */
static void do_deliver(struct vcpu *v, const struct step *s)
{
	enum x_mode mode = x_mode(&v->regs);
	uint64_t va = layout_va(&v->regs, s->b, s->v);

	if (s->a & 1)
		va = layout_direct(mode,
				   layout_table(mode == X_NONE ? X_4LEVEL : mode, s->a >> 4) * 4096 + (s->v & 0xff8));
	else if (s->a & 2)
		va = v->last_va;
	/* Across a page's beginning, now and then. */
	guest_deliver(v, s->a & 12 ? va : align_down(va, PAGE_SIZE) + 16, 3 + (s->a >> 14),
		      layout_entry(v->vm->world, 0, 8, 0, s->v));
	if (s->a >> 12 & 1 && !v->vm->world->failed)
		guest_look_again(v);
}

static void do_device_write(struct vcpu *v, const struct step *s) { do_edit(v, s, true); }
static void do_edit_one(struct vcpu *v, const struct step *s) { do_edit(v, s, false); }

static void do_invlpg(struct vcpu *v, const struct step *s)
{
	guest_invlpg(v, (s->a & 1 ? v->last_va : layout_va(&v->regs, s->b, s->v)) ^ layout_beyond(s->a >> 8));
}

static void do_efer(struct vcpu *v, const struct step *s)
{
	(void)s;
	guest_efer(v, v->regs.efer ^ X_EFER_NXE);
}

static void do_mode(struct vcpu *v, const struct step *s)
{
	const struct world *w = v->vm->world;

	guest_mode(v, w->c.mode_fixed ? w->c.mode : s->a % (w->c.caps.la57 ? 5 : 4), s->b);
}

static void do_invpcid(struct vcpu *v, const struct step *s)
{
	guest_invpcid(v, s->a & 3, v->regs.cr4 & X_CR4_PCIDE ? s->b & 3 : 0, layout_va(&v->regs, s->b >> 2, s->v));
}

static void do_speculate(struct vcpu *v, const struct step *s)
{
	if (!enter(v))
		return;
	for (unsigned i = 0; i < 4; i++)
		m_speculate(v->in, layout_va(&v->regs, mix(s->b + i), mix(s->v + i)));
}

void guest_step(struct vcpu *v, const struct step *s)
{
	static void (*const steps[])(struct vcpu *, const struct step *) = {
		[OP_ACCESS] = do_access,
		[OP_REPEAT] = do_repeat,
		[OP_TABLE_READ] = do_table_read,
		[OP_EDIT] = do_edit_one,
		[OP_EDIT_FLUSH] = do_edit_flush,
		[OP_EDIT_PATH] = do_edit_path,
		[OP_HEAL] = do_heal,
		[OP_EDIT_OTHER] = do_edit_other,
		[OP_DEVICE_WRITE] = do_device_write,
		[OP_REST] = do_rest,
		[OP_RETRACK] = do_retrack,
		[OP_CROWD] = do_crowd,
		[OP_DELIVER] = do_deliver,
		[OP_PARTS] = guest_parts,
		[OP_COPY_TABLE] = do_copy_table,
		[OP_INVLPG] = do_invlpg,
		[OP_CR3] = do_cr3,
		[OP_CR0] = do_cr0,
		[OP_CR4] = do_cr4,
		[OP_EFER] = do_efer,
		[OP_MODE] = do_mode,
		[OP_INVPCID] = do_invpcid,
		[OP_SPECULATE] = do_speculate,
	};
	const struct world *w = v->vm->world;

	/* A guest that lost its paging starts anew before long. */
	if (x_mode(&v->regs) == X_NONE && w->c.mode != X_NONE && s->b >> 29 == 0)
		guest_mode(v, w->c.mode, s->b);
	if (!w->failed)
		steps[s->op](v, s);
}
