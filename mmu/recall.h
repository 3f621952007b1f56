/* mmu/recall.h - walks that are remembered (S18 in mmu/translate.c), for who asks for the same few again and again and
 * counts each instruction.
 *
 * The owner of a vCPU may number the states that its regs are in, PDPTEs apart, and never give a number to two: then a
 * look at the number spares the look at the registers. */
#ifndef VELLUM_MMU_RECALL_H
#define VELLUM_MMU_RECALL_H

#include "lib/atomic.h"
#include "mmu/mmu.h"
#include "mmu/mutate.h"

static ALWAYS_INLINE struct walk_memo *memo_of_fetch(struct mmu_vcpu *vcpu, uint64_t page)
{
	return &vcpu->memo[mmu_slot_of(page, MEMO_FETCH_BITS)];
}

static ALWAYS_INLINE struct walk_memo *memo_of_data(struct mmu_vcpu *vcpu, uint64_t page, bool write)
{
	return &vcpu->memo[MEMO_FETCHES + 2 * mmu_slot_of(page, MEMO_DATA_BITS) + write];
}

static ALWAYS_INLINE bool memo_same_entries(const struct walk_memo *m, const struct walk_regs *r)
{
	const struct walk_memo_entry *e = m->entry;

	if (unlikely(m->entry_size == 4)) {
		for (; e->at; e++)
			if (load_entry(e->at, 4) != e->value)
				return false;
		return true;
	}
	for (; e->at; e++)
		if (load_entry(e->at, 8) != e->value)
			return false;
	return !m->pdpte || r->pdpte[m->page >> (30 - PAGE_SHIFT) & 3] == m->pdpte;
}

/* Would a walk find the same, in the state that m is of? */
static ALWAYS_INLINE bool memo_stands(const struct mmu_vcpu *vcpu, const struct walk_memo *m)
{
	return MUTANT_OR(MEMO_SLOTS, m->generation == vcpu->vm->slots.generation) &&
	       MUTANT_OR(MEMO_ENTRIES, memo_same_entries(m, &vcpu->regs));
}

/* Is it of this access? */
static ALWAYS_INLINE bool memo_is(const struct walk_memo *m, uint64_t page, struct access a)
{
	return m->page == page && MUTANT_OR(MEMO_ACCESS, !memcmp(&m->access, &a, sizeof(a)));
}

/* mmu_translate() of what is remembered, and was found to hold in the state of that number, which is not 0. The gpa;
 * MEMO_NONE: ask mmu_translate(). */
static ALWAYS_INLINE uint64_t mmu_recall(struct mmu_vcpu *vcpu, gva_t gva, struct access access, uint64_t number)
{
	uint64_t page = gva.v >> PAGE_SHIFT;
	const struct walk_memo *m = access.fetch ? memo_of_fetch(vcpu, page) : memo_of_data(vcpu, page, access.write);

	__asm__("" : "+r"(m)); /* the compiler would compute it twice */
	if (unlikely(!memo_is(m, page, access) || !MUTANT_OR(MEMO_NUMBER, m->number == number) ||
		     !memo_stands(vcpu, m)))
		return MEMO_NONE;
	return m->gpa | (gva.v & (PAGE_SIZE - 1));
}

/* What was recalled of a fetch: as long as it is the same, the memo of that page is, but for what memo_stands() looks
 * at. It is never 0. */
static ALWAYS_INLINE uint64_t mmu_fetch_noted(struct mmu_vcpu *vcpu, gva_t gva)
{
	return memo_of_fetch(vcpu, gva.v >> PAGE_SHIFT)->noted;
}

#endif
