/* The steps: what the guests and the host do. */
#include <string.h>

#include "test/oracle/oracle.h"

const char *op_name(unsigned op)
{
	static const char *const names[] = {
#define O(name, weight) #name,
		OPS(O)
#undef O
	};
	return op < OP_COUNT ? names[op] : "?";
}

struct step step_random(uint64_t *random)
{
	static const uint16_t weights[] = {
#define O(name, weight) weight,
		OPS(O)
#undef O
	};
	unsigned total = 0, pick, op = 0;
	uint64_t r = next_random(random);

	for (unsigned i = 0; i < OP_COUNT; i++)
		total += weights[i];
	pick = (r & 0xffffffff) % total;
	while (pick >= weights[op])
		pick -= weights[op++];
	return (struct step){ .op = op, .who = r >> 32, .a = r >> 40, .b = next_random(random), .v = next_random(random) };
}

/* ---- the guest's ---- */

static void do_access(struct vcpu *v, const struct step *s)
{
	struct x_access a = { .write = (s->a & 7) < 3, .fetch = (s->a & 7) == 7, .user = s->a >> 3 & 1, .implicit = (s->a >> 4 & 31) == 0 };
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

/* The guest's kernel writes an entry where it maps it; where it no longer can, a device does. */
static void write_entry(struct vcpu *v, uint64_t at, unsigned size, uint64_t value, bool by_device)
{
	enum x_mode mode = x_mode(&v->regs);
	uint64_t va = layout_direct(mode, at), gpa;
	struct x_access a = { .write = true };
	struct outcome x = spec_walk(v->vm, &v->regs, va, a);

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
	write_entry(v, at, size, value, by_device);
	return at;
}

/* An entry that the last access used. */
static void do_edit_path(struct vcpu *v, const struct step *s)
{
	enum x_mode mode = x_mode(&v->regs);
	struct outcome x = spec_walk(v->vm, &v->regs, v->last_va, v->last_access);
	struct ram *r;
	uint64_t at;

	if (!x.levels)
		return;
	at = x.level[s->a % 3 ? x.levels - 1 : s->a / 3 % x.levels].gpa;
	r = ram_find(v->vm, at >> PAGE_SHIFT);
	if (!r || r->kind != SLOT_RAM || r->base == IDENTITY_GFN)
		return;
	write_entry(v, at, x_entry_size(mode), layout_entry(v->vm->world, at >> PAGE_SHIFT, x_entry_size(mode), gm_read(v->vm, at, x_entry_size(mode)),
		    s->v), false);
	if (!v->vm->world->failed && s->b & 1)
		guest_invlpg(v, v->last_va);
}

/* Another vCPU edits what this one uses; then this one invalidates it and looks again. */
static void do_edit_other(struct vcpu *v, const struct step *s)
{
	struct vcpu *other = &v->vm->vcpu[(v - v->vm->vcpu + 1) % v->vm->world->c.vcpus];
	struct outcome x = spec_walk(v->vm, &v->regs, v->last_va, v->last_access);
	unsigned size = x_entry_size(x_mode(&v->regs));
	struct ram *r;
	uint64_t at, gpa, value = layout_entry(v->vm->world, 0, 8, 0, mix(s->v));

	if (!x.levels)
		return;
	at = x.level[s->a % 3 ? x.levels - 1 : s->a / 3 % x.levels].gpa;
	r = ram_find(v->vm, at >> PAGE_SHIFT);
	if (!r || r->kind != SLOT_RAM || r->base == IDENTITY_GFN)
		return;
	write_entry(other, at, size, layout_entry(v->vm->world, at >> PAGE_SHIFT, size, gm_read(v->vm, at, size), s->v), false);
	if (v->vm->world->failed)
		return;
	if (s->b & 3)
		guest_invlpg(v, v->last_va);
	if (!v->vm->world->failed)
		guest_access(v, v->last_va & ~7ull, v->last_access, 8, v->last_access.write ? &value : NULL, &gpa);
}

static void do_heal(struct vcpu *v, const struct step *s)
{
	enum x_mode mode = x_mode(&v->regs);
	unsigned size = mode == X_NONE ? 8 : x_entry_size(mode);
	uint64_t gfn = layout_table(mode == X_NONE ? X_4LEVEL : mode, s->a | 0x3f00);

	write_entry(v, gfn * 4096 + (layout_is_pdpt(gfn) ? s->b & 7 : layout_index(size, s->b)) * size, size, layout_good(v->vm->world, gfn, size, s->v),
		    false);
}

static void do_edit_flush(struct vcpu *v, const struct step *s)
{
	do_edit(v, s, false);
	if (!v->vm->world->failed)
		guest_invlpg(v, s->a >> 12 & 3 ? layout_va(&v->regs, s->b, mix(s->v)) : v->last_va);
}

/* A table is copied whole, as fork does: many writes to one table. */
static void do_copy_table(struct vcpu *v, const struct step *s)
{
	enum x_mode mode = x_mode(&v->regs);
	unsigned size = mode == X_32BIT ? 4 : 8;
	uint64_t to = layout_table(mode == X_NONE ? X_4LEVEL : mode, s->a & 0xff), from = layout_table(mode == X_NONE ? X_4LEVEL : mode, s->b & 0xff);

	if (to == from || layout_is_pdpt(to) || layout_is_pdpt(from))
		return;
	to = to * 4096;
	from = from * 4096;
	for (unsigned i = 0; i < 12 && !v->vm->world->failed; i++) {
		unsigned index = i < 4 ? layout_index(size, i) : i;

		write_entry(v, to + index * size, size, gm_read(v->vm, from + index * size, size), false);
	}
}

static void do_cr3(struct vcpu *v, const struct step *s)
{
	enum x_mode mode = x_mode(&v->regs);
	uint64_t cr3 = s->a & 1 ? v->regs.cr3 : layout_root(mode == X_NONE ? v->vm->world->c.mode : mode, s->b);

	if (v->regs.cr4 & X_CR4_PCIDE)
		cr3 = (cr3 & ~0xfffull) | (s->b >> 8 & 3) | (s->b & 0x400 ? X_CR3_KEEP : 0);
	else if (mode >= X_4LEVEL && !(s->b >> 12 & 31))
		cr3 |= X_PCD;
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
	uint64_t bit[] = { X_CR4_PGE, X_CR4_PGE, X_CR4_PSE, c->caps.smep ? X_CR4_SMEP : 0, c->caps.smap ? X_CR4_SMAP : 0,
			   c->caps.pku ? X_CR4_PKE : X_CR4_PGE, c->guest_pcid ? X_CR4_PCIDE : 0, c->mode_fixed ? 0 : X_CR4_PAE };
	uint64_t flip = bit[s->a & 7];

	if (flip == X_CR4_PCIDE && !(v->regs.cr4 & flip) && x_mode(&v->regs) >= X_4LEVEL)
		guest_cr3(v, v->regs.cr3 & ~0xfffull);
	if (!v->vm->world->failed)
		guest_cr4(v, v->regs.cr4 ^ flip);
}

/* ---- the host's ---- */

static void all_leave(struct vm *vm)
{
	for (unsigned i = 0; i < vm->world->c.vcpus; i++)
		leave(&vm->vcpu[i]);
}

static uint64_t host_gfn(struct world *w, const struct step *s)
{
	return s->b & 1 ? layout_gfn(w, s->v & 0xfffff) : s->b & 2 ? layout_table(s->b & 4 ? X_32BIT : X_5LEVEL, s->v & 0xfff) : s->v % 3072;
}

static void do_merge(struct vm *vm, const struct step *s)
{
	uint64_t a = host_gfn(vm->world, s), b = layout_gfn(vm->world, s->v >> 20 & 0xfffff);
	struct page *p = page_find(vm, a), *q = page_find(vm, b);

	if (!p || !q || p == q || ram_find(vm, a)->kind != SLOT_RAM || ram_find(vm, b)->kind != SLOT_RAM || a == IDENTITY_GFN || b == IDENTITY_GFN)
		return;
	if (s->a & 1) {
		/* A device makes them equal. */
		static uint8_t bytes[PAGE_SIZE];

		memset(bytes, 0, sizeof(bytes));
		if (p->bytes)
			memcpy(bytes, p->bytes, PAGE_SIZE);
		if (vm->changes + 600 > HISTORY || mmu_guest_write(&vm->mmu, GPA(b * 4096), bytes, PAGE_SIZE) != PAGE_SIZE)
			return;
		for (unsigned i = 0; i < PAGE_SIZE; i += 8) {
			uint64_t word;

			memcpy(&word, bytes + i, 8);
			gm_write(vm, b * 4096 + i, 8, word);
		}
	}
	pages_merge(vm, a, b);
}

static struct ram *loggable(struct vm *vm, const struct step *s)
{
	struct ram *r = &vm->ram[s->b % 3 == 2 ? 4 : s->b % 2];

	return r->present && r->kind == SLOT_RAM ? r : NULL;
}

static void log_start(struct vm *vm, struct ram *r)
{
	if (!r || r->logging)
		return;
	memset(r->log, 0, (r->pages + 63) / 64 * 8);
	for (uint64_t i = 0; i < r->pages; i++)
		r->page[i].written = false;
	if (!mmu_log_start(&vm->mmu, GFN(r->base), r->log))
		fail(vm->world, "mmu_log_start refuses");
	r->logging = true;
}

static void log_collect(struct vm *vm, struct ram *r)
{
	if (!r || !r->logging)
		return;
	if (!mmu_log_collect(&vm->mmu, GFN(r->base), r->log_out))
		fail(vm->world, "mmu_log_collect refuses");
	for (uint64_t i = 0; i < r->pages; i++) {
		if (r->page[i].written && !(r->log_out[i / 64] >> (i & 63) & 1))
			fail(vm->world, "page %llx was written, and the log does not say so (S13)", (unsigned long long)(r->base + i));
		r->page[i].written = false;
	}
}

static void log_stop(struct vm *vm, struct ram *r)
{
	if (!r || !r->logging)
		return;
	if (!mmu_log_stop(&vm->mmu, GFN(r->base)))
		fail(vm->world, "mmu_log_stop refuses");
	r->logging = false;
}

/* A slot goes or comes back. Guests flush, since their tables may have been in it. */
static void do_slot(struct vm *vm, const struct step *s)
{
	struct ram *r = &vm->ram[s->a & 1 ? 1 : s->a & 2 ? 3 : 2];

	/* Where the devices are there may be memory for a while. */
	if (r == &vm->ram[3] && (vm->ram[5].present || (!r->present && s->a & 4)))
		r = &vm->ram[5];

	all_leave(vm);
	if (r->present) {
		log_stop(vm, r);
		if (!mmu_slot_remove(&vm->mmu, GFN(r->base)))
			fail(vm->world, "mmu_slot_remove refuses");
	} else {
		struct slot slot = ram_slot(r);

		if (!mmu_slot_add(&vm->mmu, &slot))
			fail(vm->world, "mmu_slot_add refuses");
	}
	r->present = !r->present;
	for (unsigned i = 0; i < vm->world->c.vcpus && !vm->world->failed; i++)
		guest_flush_all(&vm->vcpu[i]);
}

static void do_migrate(struct vcpu *v, const struct step *s)
{
	leave(v);
	v->cpu = s->a % v->vm->world->c.cpus;
}

static void do_reboot(struct vcpu *v)
{
	leave(v);
	mmu_vcpu_destroy(&v->mmu);
	if (!vcpu_boot(v))
		fail(v->vm->world, "mmu_vcpu_init refuses");
}

static void do_switch(struct vm *vm, const struct step *s)
{
	const struct mmu_ops *to = NULL;
	unsigned n = 0;

	for (unsigned i = 0; mmu_mechanisms[i]; i++)
		n++;
	to = mmu_mechanisms[s->a % n];
	if (!vm->world->c.switching || to == vm->mmu.ops || to->unsupported(&vm->world->c.caps))
		return;
	all_leave(vm);
	for (unsigned i = 0; i < vm->world->c.vcpus; i++)
		tell_registers(&vm->vcpu[i]);
	if (!mmu_switch(&vm->mmu, to))
		fail(vm->world, "mmu_switch refuses");
}

/* A 2-MByte block leaves memory at once; or all of it comes back together, to where it was contiguous. */
static void do_block(struct vm *vm, const struct step *s)
{
	struct ram *r = &vm->ram[s->b & 1];
	uint64_t first = (s->b >> 1 & 1) * 512;

	if (!r->present || first + 512 > r->pages)
		return;
	block_out(r, first);
	if (s->a & 1)
		block_home(r, first);
}

static void host_step(struct vm *vm, const struct step *s)
{
	uint64_t gfn = host_gfn(vm->world, s);

	if (gfn == IDENTITY_GFN)
		return;
	switch (s->op) {
	case OP_SWAP_OUT:
		page_out(vm, gfn);
		break;
	case OP_MERGE:
		do_merge(vm, s);
		break;
	case OP_BLOCK:
		do_block(vm, s);
		break;
	case OP_DROP:
		/* As a balloon or a change of policy might, for no reason that the tables know. */
		mmu_unmap(&vm->mmu, GFN(align_down(gfn, BIT(s->a % 12))), BIT(s->a % 12));
		break;
	case OP_PROTECT:
		mmu_write_protect(&vm->mmu, GFN(gfn), 1 + (s->a & 3));
		break;
	case OP_LOG_START:
		log_start(vm, loggable(vm, s));
		break;
	case OP_LOG_COLLECT:
		log_collect(vm, loggable(vm, s));
		break;
	default:
		log_stop(vm, loggable(vm, s));
	}
}

/* A device writes to a table that the access under way uses. */
static void race_edit(struct vcpu *v, const struct step *s)
{
	struct outcome x = spec_walk(v->vm, &v->regs, v->last_va, v->last_access);
	unsigned size = x_entry_size(x_mode(&v->regs));
	uint64_t at;

	if (!x.levels)
		return;
	at = x.level[s->b % x.levels].gpa;
	guest_store(v, at, size, layout_entry(v->vm->world, at >> PAGE_SHIFT, size, gm_read(v->vm, at, size), s->v), true);
}

/* What the access under way has set in the guest's tables so far is right by itself. */
static void adopt_so_far(struct world *w)
{
	if (w->accessing && x_mode(&w->accessing->regs) != X_NONE)
		spec_adopt_all(w->accessing, w->accessing->last_va, w->accessing->last_access);
}

/* A vCPU that is being kicked is still in the guest until it stops: it writes, if it can do so without an exit, to a table that the step
 * under way uses. Whoever relies on having taken the permission away must have waited for that. */
void step_last_store(struct vcpu *v)
{
	struct world *w = v->vm->world;
	struct vcpu *s = w->stepping;
	struct x_access write = { .write = true };
	struct outcome x;
	unsigned size;
	uint64_t what = w->last_store, at, va;
	struct m_result r;
	struct ram *ram;

	w->last_store = 0;
	if (s->vm != v->vm || x_mode(&s->regs) == X_NONE)
		return;
	x = spec_walk(s->vm, &s->regs, s->last_va, s->last_access);
	if (!x.levels)
		return;
	at = x.level[what >> 8 & 1 ? x.levels - 1 : (what >> 9) % x.levels].gpa;
	ram = ram_find(v->vm, at >> PAGE_SHIFT);
	if (!ram || ram->kind != SLOT_RAM || ram->base == IDENTITY_GFN || layout_is_pdpt(at >> PAGE_SHIFT))
		return;
	va = layout_direct(x_mode(&v->regs), at);
	x = spec_walk(v->vm, &v->regs, va, write);
	if (x.fault || x.gpa != at)
		return;
	adopt_so_far(w);
	v->in->regs.pkru = 0;
	r = m_access(v->in, va, write);
	if (r.event == M_EXIT) {
		left(v); /* it will run again, if ever */
	} else if (r.event == M_PF) {
		spec_drop(v, DROP_FAULT, va, x_pcid(&v->regs));
	}
	if (x_mode(&v->regs) != X_NONE)
		spec_adopt_all(v, va, write);

	struct page *p = page_find(v->vm, at >> PAGE_SHIFT);

	size = x_entry_size(x_mode(&s->regs));
	if (r.event == M_OK && p->in && r.hpa == (p->hfn << PAGE_SHIFT | (at & (PAGE_SIZE - 1))))
		guest_store(v, at, size, layout_entry(w, at >> PAGE_SHIFT, size, gm_read(v->vm, at, size), mix(what)), false);
}

/* Another CPU got the VM's lock first. */
void step_race(struct world *w)
{
	static const uint8_t ops[] = { OP_SWAP_OUT, OP_SWAP_OUT, OP_SWAP_OUT, OP_PROTECT, OP_LOG_COLLECT, OP_LOG_START };
	struct step s = { .op = ops[(w->race >> 8) % ARRAY_SIZE(ops)], .a = w->race >> 16, .b = (uint32_t)(w->race >> 24), .v = mix(w->race) };

	w->race = 0;
	adopt_so_far(w);
	if (w->accessing && s.a & 1)
		race_edit(w->accessing, &s);
	else
		host_step(&w->vm[w->now % w->c.vms], &s);
}

/* Histories are finite: the guests flush before they are full. */
void flush_in_time(struct vm *vm)
{
	bool due = vm->changes + 1200 > HISTORY;

	for (unsigned i = 0; i < vm->world->c.vcpus; i++)
		due |= vm->vcpu[i].events + 80 > EVENTS || vm->vcpu[i].contexts + 40 > CONTEXTS;
	if (!due)
		return;
	for (unsigned i = 0; i < vm->world->c.vcpus && !vm->world->failed; i++)
		guest_flush_all(&vm->vcpu[i]);
	vm->changes = 0;
	memset(vm->bucket, 0, sizeof(vm->bucket));
}

static void guest_step(struct vcpu *v, const struct step *s)
{
	struct world *w = v->vm->world;

	/* A guest that lost its paging starts anew before long. */
	if (x_mode(&v->regs) == X_NONE && w->c.mode != X_NONE && s->b >> 29 == 0)
		guest_mode(v, w->c.mode, s->b);
	if (w->failed)
		return;

	switch (s->op) {
	case OP_ACCESS:
		do_access(v, s);
		break;
	case OP_REPEAT:
		do_repeat(v, s);
		break;
	case OP_TABLE_READ:
		do_table_read(v, s);
		break;
	case OP_EDIT:
		do_edit(v, s, false);
		break;
	case OP_EDIT_FLUSH:
		do_edit_flush(v, s);
		break;
	case OP_EDIT_PATH:
		do_edit_path(v, s);
		break;
	case OP_HEAL:
		do_heal(v, s);
		break;
	case OP_EDIT_OTHER:
		do_edit_other(v, s);
		break;
	case OP_DEVICE_WRITE:
		do_edit(v, s, true);
		break;
	case OP_COPY_TABLE:
		do_copy_table(v, s);
		break;
	case OP_INVLPG:
		guest_invlpg(v, s->a & 1 ? v->last_va : layout_va(&v->regs, s->b, s->v));
		break;
	case OP_CR3:
		do_cr3(v, s);
		break;
	case OP_CR0:
		do_cr0(v, s);
		break;
	case OP_CR4:
		do_cr4(v, s);
		break;
	case OP_EFER:
		guest_efer(v, v->regs.efer ^ X_EFER_NXE);
		break;
	case OP_MODE:
		guest_mode(v, w->c.mode_fixed ? w->c.mode : s->a % (w->c.caps.la57 ? 5 : 4), s->b);
		break;
	case OP_INVPCID:
		guest_invpcid(v, s->a & 3, v->regs.cr4 & X_CR4_PCIDE ? s->b & 3 : 0, layout_va(&v->regs, s->b >> 2, s->v));
		break;
	default: /* OP_SPECULATE */
		if (enter(v))
			for (unsigned i = 0; i < 4; i++)
				m_speculate(v->in, layout_va(&v->regs, mix(s->b + i), mix(s->v + i)));
	}
}

void step_do(struct world *w, const struct step *s)
{
	struct vm *vm = &w->vm[s->who % w->c.vms];
	struct vcpu *v = &vm->vcpu[(s->who >> 4) % w->c.vcpus];

	w->account.steps++;
	w->accessing = NULL;
	TRACE("%s, vm %u, vcpu %u\n", op_name(s->op), s->who % w->c.vms, (s->who >> 4) % w->c.vcpus);
	for (unsigned i = 0; i < CPUS; i++)
		m_cpu_seed(&w->cpu[i], mix(s->v ^ s->b) + i);
	flush_in_time(vm);
	if (w->failed)
		return;
	w->stepping = v;
	w->last_store = w->c.races && s->op <= OP_CR4 && (s->b >> 26 & 3) == 0 ? mix(s->v + 1) | 1 : 0;
	w->race = w->c.races && s->op <= OP_HEAL && (s->b >> 28) < 3 ? mix(s->v) | 1 : 0;
	if (s->op <= OP_SPECULATE || s->op == OP_COPY_TABLE)
		guest_step(v, s);
	else if (s->op == OP_MIGRATE)
		do_migrate(v, s);
	else if (s->op == OP_EXIT)
		leave(v);
	else if (s->op == OP_SLOT)
		do_slot(vm, s);
	else if (s->op == OP_REBOOT)
		do_reboot(v);
	else if (s->op == OP_SWITCH)
		do_switch(vm, s);
	else
		host_step(vm, s);
	w->race = w->last_store = 0;
}
