/* What the steps really did, counted: a step that no longer happens is a test that no longer tests. */
#include <stdio.h>

#include "test/oracle/oracle.h"

#include "mmu/mechanisms.h"

/* ---- counting ---- */

static void cover_kind(struct world *w, struct x_access a, bool ac)
{
	if (a.implicit)
		cover(w, a.write ? COVER_IMPLICIT_WRITE : COVER_IMPLICIT_READ);
	else
		cover(w, (a.user ? COVER_USER_READ : COVER_READ) + (a.write ? 1 : a.fetch ? 2 : 0));
	if (ac)
		cover(w, COVER_AC);
}

static void cover_path(struct world *w, const struct x_regs *r, const struct outcome *x)
{
	uint64_t leaf = x->level[x->levels - 1].value;

	cover(w, x->shift == 12	  ? COVER_PAGE_4K
		 : x->shift == 21 ? COVER_PAGE_2M
		 : x->shift == 22 ? COVER_PAGE_4M
				  : COVER_PAGE_1G);
	if (leaf & X_G && r->cr4 & X_CR4_PGE)
		cover(w, COVER_GLOBAL);
	for (unsigned i = 1; i < x->levels; i++)
		if (x->level[i].gpa >> PAGE_SHIFT == x->level[i - 1].gpa >> PAGE_SHIFT) {
			cover(w, COVER_SELF_MAPPED);
			break;
		}
}

static void cover_fault(struct world *w, struct x_access a, uint32_t error)
{
	if (a.implicit)
		cover(w, COVER_FAULT_IMPLICIT);
	if (!(error & X_PF_P))
		cover(w, COVER_FAULT_ABSENT);
	else if (error & X_PF_RSVD)
		cover(w, COVER_FAULT_RSVD);
	else
		cover(w, a.fetch ? COVER_FAULT_FETCH : a.write ? COVER_FAULT_WRITE : COVER_FAULT_USER);
}

void cover_access(struct vcpu *v, const struct outcome *x, struct x_access a, const struct observed *o)
{
	struct world *w = v->vm->world;
	struct ram *r = ram_find(v->vm, x->gpa >> PAGE_SHIFT);

	cover_kind(w, a, v->regs.ac);
	for (unsigned i = 0; mmu_mechanisms[i]; i++)
		if (mmu_mechanisms[i] == v->vm->mmu.ops)
			w->account.by_mechanism[i][x_mode(&v->regs)]++;
	if (o->how == SEEN_FAULT) {
		cover_fault(w, a, o->error);
		return;
	}
	if (x->fault)
		return;
	if (x->complete && x->levels)
		cover_path(w, &v->regs, x);
	if (o->ept && (v->mmu.root.nested >> X_EPTP_LENGTH_SHIFT & 7) == 4)
		cover(w, COVER_EPT_5);
	else if (o->ept && x->gpa >> 48)
		cover(w, COVER_BEYOND);
	if (r && x->gpa >> 48)
		cover(w, COVER_TO_WIDE);
	if (!r || r->kind >= SLOT_MMIO)
		cover(w, COVER_TO_MMIO);
	else if (r->kind == SLOT_ROM && a.write)
		cover(w, COVER_TO_ROM);
	else if (x->gpa >> PAGE_SHIFT < 64)
		cover(w, COVER_TO_TABLE);
}

void cover_edit(struct vcpu *v, uint64_t at, unsigned size, uint64_t value)
{
	struct world *w = v->vm->world;
	uint64_t old = gm_read(v->vm, at, size);
	unsigned level = layout_level(at >> PAGE_SHIFT);

	if (level)
		cover(w, COVER_EDIT_1 + level - 1);
	if (old & ~value & X_A)
		cover(w, COVER_CLEAR_A);
	if (old & ~value & X_D)
		cover(w, COVER_CLEAR_D);
	if (level > 1 && old & value & X_P && (old ^ value) & X_PS)
		cover(w, old & X_PS ? COVER_SPLIT : COVER_JOIN);
}

void cover_registers(struct vcpu *v, const struct x_regs *old)
{
	struct world *w = v->vm->world;
	uint64_t cr0 = old->cr0 ^ v->regs.cr0, cr4 = old->cr4 ^ v->regs.cr4, efer = old->efer ^ v->regs.efer;
	static const struct { uint64_t bit; enum coverage what;
	} in_cr4[] = {
		{ X_CR4_PGE, COVER_CR4_PGE },	{ X_CR4_PSE, COVER_CR4_PSE },	{ X_CR4_PAE, COVER_CR4_PAE },
		{ X_CR4_SMEP, COVER_CR4_SMEP }, { X_CR4_SMAP, COVER_CR4_SMAP }, { X_CR4_LA57, COVER_CR4_LA57 },
	};

	if (cr0 & X_CR0_WP)
		cover(w, COVER_CR0_WP);
	if (cr0 & X_CR0_PG)
		cover(w, COVER_CR0_PG);
	for (unsigned i = 0; i < ARRAY_SIZE(in_cr4); i++)
		if (cr4 & in_cr4[i].bit)
			cover(w, in_cr4[i].what);
	if (efer & X_EFER_NXE)
		cover(w, COVER_EFER_NXE);
	if (efer & X_EFER_LMA)
		cover(w, COVER_EFER_LMA);
}

/* ---- telling ---- */

static bool line(const struct mmu_ops *ops, const char *what, uint64_t count, bool needed, bool all)
{
	if (all)
		printf("%-7s %12llu  %s\n", ops->name, (unsigned long long)count, what);
	else if (!count && needed)
		printf("FAILED: in the sequences of %s this never happened: %s\n", ops->name, what);
	return count || !needed;
}

/* What the mechanism cannot do: PCIDs, and so INVPCID in the guest, are for EPT alone, as are EPT's own tables. */
static bool needed(unsigned what, const struct mmu_ops *ops)
{
	bool levels = what == COVER_EPT_5 || what == COVER_BEYOND || what == COVER_LOG_FULL;

	return (what != COVER_INVPCID && !levels) || (ops->nested && !(levels && ops == &mmu_npt));
}

bool coverage_print(const struct account *a, const struct mmu_ops *ops, bool all)
{
	static const char *const what[] = {
#define C(name, text) text,
		COVERAGE(C)
#undef C
	};
	static const char *const modes[] = { "none", "32-bit", "PAE", "4-level", "5-level" };
	bool ok = true;

	for (unsigned i = 0; i < OP_COUNT; i++)
		ok &= line(ops, op_name(i), a->op[i], true, all);
	for (unsigned i = 0; i < COVER_COUNT; i++)
		ok &= line(ops, what[i], a->cover[i], needed(i, ops), all);
	for (unsigned i = 0; mmu_mechanisms[i]; i++)
		for (unsigned mode = 0; mode < 5; mode++) {
			/* of the two nested ones a CPU has one */
			bool may = mmu_mechanisms[i] == ops || !mmu_mechanisms[i]->nested ||
				   (mmu_mechanisms[i] == &mmu_ept && ops != &mmu_npt);
			char text[60];

			snprintf(text, sizeof(text), "accesses under %s, paging: %s", mmu_mechanisms[i]->name,
				 modes[mode]);
			ok &= line(ops, text, a->by_mechanism[i][mode], may, all);
		}
	return ok;
}
