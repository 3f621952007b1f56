/* mmu/shadow_leaf.c - leaves: put on and taken off their frame's list in the same move (S7), made in advance, and protected
 * through the list. */
#include "mmu/mutate.h"
#include "mmu/shadow.h"

bool leaf_set(struct shadow *s, struct spage *sp, unsigned index, uint64_t guest, gfn_t gfn, uint64_t leaf)
{
	bool large = role_level(sp->role) > 1;
	uint64_t old = sp->table[index];
	struct gframe *g;

	s->edits++;
	/* The same frame with other rights stays on the same list. */
	if (old && !pt_special(&hw_format_4level, old) && entry_is_leaf(sp, index) && entry_gfn(sp, index).v == gfn.v) {
		if (sp->guest)
			sp->guest[index] = guest;
		if ((old & ~leaf & (PTE_W | PTE_U)) || (~old & leaf & PTE_NX) || ((old ^ leaf) & hw_format_4level.address))
			s->stale = true;
		pt_set(&sp->table[index], leaf);
		return true;
	}
	entry_drop(s, sp, index);
	g = rmap_gframe(&s->rmap, gfn, true);
	if (!g || !rmap_add(&s->nodes, large ? &g->large : &g->leaves, spage_ref(sp, index)))
		return false;
	if (sp->guest)
		sp->guest[index] = guest;
	pt_set(&sp->table[index], leaf);
	sp->present++;
	if (large)
		s->vm->counters.mapped_2m++;
	else
		s->vm->counters.mapped_4k++;
	return true;
}

/* ---- tracked frames ---- */

bool leaf_allowed(struct shadow *s, gfn_t gfn)
{
	struct gframe *g;

	if (!s->policy->track_reads)
		return true;
	g = rmap_gframe(&s->rmap, gfn, false);
	return !g || !g->tracked;
}

bool leaf_may_write(struct shadow *s, gfn_t gfn)
{
	struct gframe *g = rmap_gframe(&s->rmap, gfn, false);

	if (!g || !g->tracked)
		return true;
	for (struct spage *sp = spage_at(s, g->pages); sp; sp = spage_at(s, sp->next_of_gfn))
		if (!(sp->role & ROLE_DIRECT) && !sp->unsync)
			return false;
	return true;
}

/* ---- in advance ---- */

/* The rights of a guest entry of the last level under the page's own; 0: it maps nothing that could be used without a fault. */
static unsigned guest_rights(const struct shadow *s, const struct spage *sp, uint64_t guest)
{
	unsigned acc = 0;

	if (!(guest & PTE_P) || !(guest & PTE_A))
		return 0;
	if (!(sp->role & ROLE_NARROW)) {
		uint64_t reserved = s->maxphyaddr < 52 ? MASK(51, s->maxphyaddr) : 0;

		reserved |= sp->role & ROLE_NXE ? 0 : PTE_NX;
		reserved |= sp->role & ROLE_LONG ? 0 : MASK(62, 52);
		if (guest & reserved)
			return 0;
	}
	if (guest & PTE_U)
		acc |= ACC_U;
	if ((guest & PTE_W) && (guest & PTE_D))
		acc |= ACC_W;
	if ((sp->role & ROLE_NARROW) || !(guest & PTE_NX))
		acc |= ACC_X;
	/* Bit 3 tells "maps something without rights" from "maps nothing". */
	return (acc & role_acc(sp->role)) | 8;
}

static void prefetch_leaf(struct shadow *s, struct spage *sp, unsigned index, uint64_t guest, gfn_t gfn, unsigned acc,
			  unsigned pat, bool global)
{
	struct mmu_page page = mmu_peek(s->vm, gfn);

	if (page.kind != MMU_MEMORY || !leaf_allowed(s, gfn))
		return;
	if ((acc & ACC_W) && (!page.writable || !leaf_may_write(s, gfn)))
		acc &= ~ACC_W;
	if (leaf_set(s, sp, index, guest, gfn, hw_leaf(s->vm->caps, gfn, page.hfn, PAGE_SHIFT, acc & ACC_ALL, pat, global)))
		s->vm->counters.prefetched++;
}

void leaf_prefetch(struct shadow *s, struct spage *sp, unsigned index)
{
	uint64_t guest;
	unsigned acc;

	if (sp->role & ROLE_DIRECT) {
		prefetch_leaf(s, sp, index, 0, entry_gfn(sp, index), role_acc(sp->role), role_pat(sp->role), false);
		return;
	}
	guest = mmu_guest_entry(s->vm, entry_gpa(sp, index), entry_size(sp));
	acc = guest_rights(s, sp, guest);
	if (acc)
		prefetch_leaf(s, sp, index, guest, gpa_gfn(GPA(guest & (sp->role & ROLE_NARROW ? MASK(31, 12) : MASK(51, 12)))), acc,
			      (guest & HW_PAT_4K ? 4 : 0) | (guest & PTE_PCD ? 2 : 0) | (guest & PTE_PWT ? 1 : 0), guest & PTE_G);
}

void leaf_prefetch_around(struct shadow *s, struct spage *sp, unsigned index)
{
	unsigned window = s->policy->prefetch, first;

	if (!window || role_level(sp->role) != 1)
		return;
	first = index & ~(window - 1);
	for (unsigned i = first; i < first + window; i++)
		if (!sp->table[i])
			leaf_prefetch(s, sp, i);
}

/* ---- through the list ---- */

/* Large leaves that contain gfn cannot keep it: they go, and what is still wanted comes back in smaller ones by faults. */
static bool drop_large(struct shadow *s, gfn_t gfn)
{
	struct gframe *g = rmap_gframe(&s->rmap, GFN(align_down(gfn.v, 512)), false);
	uint32_t ref;

	if (!g || !g->large)
		return false;
	while ((ref = rmap_any(&s->nodes, g->large))) {
		entry_drop(s, spage_at(s, ref >> 9), ref & 511);
		s->vm->counters.leaves_split++;
	}
	return true;
}

bool rmap_protect(struct shadow *s, gfn_t gfn)
{
	bool lost = drop_large(s, gfn);
	struct gframe *g = rmap_gframe(&s->rmap, gfn, false);
	struct rmap_walk w = { g ? g->leaves : 0, 0 };
	uint32_t ref;

	while ((ref = rmap_walk_next(&s->nodes, &w))) {
		uint64_t *entry = &spage_at(s, ref >> 9)->table[ref & 511];

		if (!(*entry & PTE_W))
			continue;
		MUTANT(RMAP_PROTECT, pt_set(entry, *entry & ~(PTE_W | PTE_D)));
		s->edits++;
		s->vm->counters.write_protected++;
		lost = s->stale = true;
	}
	return lost;
}

bool rmap_zap(struct shadow *s, gfn_t gfn)
{
	bool lost = drop_large(s, gfn);
	struct gframe *g = rmap_gframe(&s->rmap, gfn, false);
	uint32_t ref;

	while (g && (ref = rmap_any(&s->nodes, g->leaves))) {
		entry_drop(s, spage_at(s, ref >> 9), ref & 511);
		lost = true;
	}
	return lost;
}
