/* Steps about translations that are one for the guest and many for the CPU, or none at all. */
#include "test/oracle/oracle.h"

/* Where the guest's entry of level 2 for va is; 0: the walk does not come to it, or nothing can be written there. */
static uint64_t level_2(struct vm *vm, const struct x_regs *r, uint64_t va)
{
	unsigned i = x_top(x_mode(r)) - 2;
	struct outcome x = spec_walk(vm, r, va, (struct x_access){ 0 });
	struct ram *ram;

	if (x.levels <= i)
		return 0;
	ram = ram_find(vm, x.level[i].gpa >> PAGE_SHIFT);
	return ram && ram->kind == SLOT_RAM && ram->base != IDENTITY_GFN ? x.level[i].gpa : 0;
}

/* The registers with another root; false: the guest could not load it. */
static bool with_root(struct vcpu *v, uint64_t cr3, struct x_regs *r)
{
	*r = v->regs;
	r->cr3 = cr3;
	for (unsigned i = 0; i < 4 && x_mode(r) == X_PAE; i++) {
		r->pdpte[i] = gm_read(v->vm, x_pdpt(cr3) + 8 * i, 8);
		if (!x_pdpte_ok(r, r->pdpte[i]))
			return false;
	}
	return true;
}

static bool prepare(struct vcpu *v)
{
	uint64_t cr4 = v->regs.cr4 | X_CR4_PGE | X_CR4_PSE;

	if (x_mode(&v->regs) == X_NONE || v->regs.cr4 & X_CR4_PCIDE)
		return false;
	return cr4 == v->regs.cr4 || guest_cr4(v, cr4);
}

static void look(struct vcpu *v, uint64_t va)
{
	uint64_t gpa;

	if (!v->vm->world->failed)
		guest_access(v, va, (struct x_access){ 0 }, 8, NULL, &gpa);
}

/* A large global page of one root is used in two parts; then another root is loaded, under which the address is
 * something else, one of the parts is invalidated, and the other is used: with it went all of the page (SDM,
 * "Operations that Invalidate TLBs and Paging-Structure Caches"). */
void guest_parts(struct vcpu *v, const struct step *s)
{
	static const uint32_t large[] = { 0x800000, 0, 0x800000, 0xa00000 };
	uint64_t here, there, va, frame, other = layout_root(x_mode(&v->regs), s->a);
	struct world *w = v->vm->world;
	struct x_regs r;

	if (!prepare(v) || w->failed || !with_root(v, other, &r))
		return;
	va = align_down(layout_va(&v->regs, s->b | 1u << 24, s->v), 1ull << 21);
	here = level_2(v->vm, &v->regs, va);
	there = level_2(v->vm, &r, va);
	if (!here || here == there)
		return;
	frame = large[s->a >> 4 & 3] & (x_mode(&r) == X_32BIT ? 0xffc00000u : ~0u);
	guest_edit(v, here, x_entry_size(x_mode(&r)), frame | X_P | X_W | X_U | X_A | X_D | X_PS | X_G, false);
	if (!w->failed)
		guest_invlpg(v, va);
	look(v, va | 0x1000);
	look(v, va | 0x5008);
	if (w->failed || !guest_cr3(v, other))
		return;
	guest_invlpg(v, va | 0x1000);
	look(v, va | 0x5008);
	cover(w, COVER_PARTS);
}

void guest_table_in(struct vcpu *v, uint64_t gfn)
{
	enum x_mode mode = x_mode(&v->regs);
	unsigned size = x_entry_size(mode);
	uint64_t at = level_2(v->vm, &v->regs, v->last_va), flags = X_P | X_W | X_U | X_A | X_D;

	if (mode == X_NONE || !at || at >> PAGE_SHIFT == gfn)
		return;
	guest_edit(v, gfn * 4096 + (uint64_t)x_index(mode, 1, v->last_va) * size, size, 0x10000 | flags, false);
	if (v->vm->world->failed)
		return;
	guest_edit(v, at, size, gfn * 4096 | (flags & ~X_D), false);
	if (v->vm->world->failed)
		return;
	guest_invlpg(v, v->last_va);
	guest_look_again(v);
}

void guest_table_nowhere(struct vcpu *v, uint64_t gfn)
{
	uint64_t at;

	if (x_mode(&v->regs) != X_32BIT)
		return;
	at = level_2(v->vm, &v->regs, v->last_va);
	if (!at || at >> PAGE_SHIFT == gfn)
		return;
	guest_edit(v, at, 4, gfn * 4096 | X_P | X_W | X_U | X_A, false);
	if (v->vm->world->failed)
		return;
	guest_invlpg(v, v->last_va);
	guest_look_again(v);
	if (page_find(v->vm, TOP_GFN))
		cover(v->vm->world, COVER_TABLE_NOWHERE);
}
