/* lab/machine/fast_flush.c - the fast hardware's invalidations. One address is looked for where it can be; all else
 * goes through every set. */
#include "lab/machine/fast.h"

/* The bits of a tag that say which page it is of, and its size. */
#define TAG_ADDRESS (~TAG_GLOBAL & ~TAG_ASID_MASK)

/* Drops what the cover takes from a set; page: if not 0, a tag of the one page that may be. */
static uint64_t sweep_set(struct lab_machine *m, struct assoc *c, struct assoc_entry *set,
			  const struct lab_cover *cover, uint64_t page, enum lab_flush cause)
{
	uint64_t gone = 0;

	for (struct assoc_entry *e = set; e < set + c->ways; e++) {
		if (!e->tag || (page && ((e->tag ^ page) & TAG_ADDRESS)) || !lab_covers(cover, e->tag, e->a))
			continue;
		if (cause != LAB_FLUSH_BY_FAULT)
			lab_ghosts_add(&m->ghosts, e->tag, m->now.ghost_root, cause);
		assoc_drop(c, e);
		gone++;
	}
	return gone;
}

/* Drops the one entry that may be there, without a look at the others of the set. */
static uint64_t drop_one(struct lab_machine *m, struct assoc *c, uint64_t key, uint64_t tag, enum lab_flush cause)
{
	struct assoc_entry *e = assoc_find(c, assoc_set(c, key), tag);

	if (!e)
		return 0;
	if (cause != LAB_FLUSH_BY_FAULT)
		lab_ghosts_add(&m->ghosts, e->tag, m->now.ghost_root, cause);
	assoc_drop(c, e);
	return 1;
}

/* Of one address, VPID and PCID. */
static uint64_t drop_from_tlb(struct lab_machine *m, struct assoc *c, const struct lab_cover *cover,
			      enum lab_flush cause)
{
	uint64_t asid = (uint64_t)cover->vpid << 12, gone = 0;

	for (unsigned size = 0; size < LAB_SIZES; size++) {
		uint64_t key = cover->gva >> size_shift(size), tag = tag_make(cover->gva, size_shift(size), size, asid);

		if (c->live_of[0][size])
			gone += drop_one(m, c, key, tag | cover->pcid, cause);
		if (cover->globals && c->live_of[1][size])
			gone += drop_one(m, c, key, tag | TAG_GLOBAL, cause);
	}
	return gone;
}

static uint64_t sweep_tlb(struct lab_machine *m, struct assoc *c, const struct lab_cover *cover, bool everywhere,
			  enum lab_flush cause)
{
	uint64_t gone = 0;

	if (everywhere) {
		for (size_t i = 0; c->live && i < c->sets; i++)
			gone += sweep_set(m, c, c->entry + i * c->ways, cover, 0, cause);
		return gone;
	}
	if (!cover->all_vpids && !cover->all_pcids)
		return drop_from_tlb(m, c, cover, cause);
	for (unsigned size = 0; size < LAB_SIZES; size++)
		if (assoc_holds(c, size))
			gone += sweep_set(m, c, assoc_set(c, cover->gva >> size_shift(size)), cover,
					  tag_make(cover->gva, size_shift(size), size, 0), cause);
	return gone;
}

static void sweep_psc_set(struct assoc *c, struct assoc_entry *set, const struct lab_cover *cover, uint64_t page,
			  unsigned level)
{
	for (struct assoc_entry *e = set; e < set + c->ways; e++)
		if (e->tag && !(page && ((e->tag ^ page) & TAG_ADDRESS)) && lab_covers_psc(cover, e->tag, level))
			assoc_drop(c, e);
}

static void sweep_psc(struct assoc *c, const struct lab_cover *cover, unsigned level)
{
	if (c->live && cover->one_address && !cover->psc_all)
		sweep_psc_set(c, assoc_set(c, cover->gva >> level_shift(level)), cover,
			      tag_make(cover->gva, level_shift(level), 0, 0), level);
	else
		for (size_t i = 0; c->live && i < c->sets; i++)
			sweep_psc_set(c, c->entry + i * c->ways, cover, 0, level);
}

static void sweep_nested_set(struct assoc *c, struct assoc_entry *set, const struct lab_cover *cover, uint64_t page,
			     unsigned shift)
{
	for (struct assoc_entry *e = set; e < set + c->ways; e++)
		if (e->tag && !(page && ((e->tag ^ page) & TAG_ADDRESS)) &&
		    lab_covers_nested(cover, e->tag, shift ? shift : size_shift(tag_size(e->tag))))
			assoc_drop(c, e);
}

/* shift: of the entries' reach; 0: that of their size. */
static void sweep_nested(struct assoc *c, const struct lab_cover *cover, unsigned shift)
{
	if (!cover->one_gpa) {
		for (size_t i = 0; c->live && i < c->sets; i++)
			sweep_nested_set(c, c->entry + i * c->ways, cover, 0, shift);
		return;
	}
	if (shift && c->live)
		sweep_nested_set(c, assoc_set(c, cover->gpa >> shift), cover, tag_make(cover->gpa, shift, 0, 0), shift);
	for (unsigned size = 0; !shift && size < LAB_SIZES; size++)
		if (assoc_holds(c, size))
			sweep_nested_set(c, assoc_set(c, cover->gpa >> size_shift(size)), cover,
					 tag_make(cover->gpa, size_shift(size), size, 0), 0);
}

static uint64_t sweep_linear(struct lab_machine *m, const struct lab_cover *cover, enum lab_flush cause)
{
	struct fast *f = m->hw;
	bool everywhere = !cover->one_address || (cover->pieces && parts_at(f, cover->gva));
	uint64_t gone = 0, live = 0;

	if (everywhere)
		filter_clear(&f->filter);
	else
		filter_forget_address(&f->filter, cover->gva, LAB_4K);
	for (unsigned i = 0; i < f->tlbs; i++) {
		gone += f->tlb[i].live ? sweep_tlb(m, &f->tlb[i], cover, everywhere, cause) : 0;
		live += f->tlb[i].live;
	}
	if (!live)
		memset(f->parts, 0, sizeof(f->parts));
	for (unsigned level = 2; level < ARRAY_SIZE(f->psc); level++)
		sweep_psc(&f->psc[level], cover, level);
	return gone;
}

uint64_t fast_invalidate(struct lab_machine *m, const struct lab_cover *cover, enum lab_flush cause)
{
	struct fast *f = m->hw;
	uint64_t gone = cover->linear ? sweep_linear(m, cover, cause) : 0;

	if (cover->guest_physical) {
		sweep_nested(&f->ntlb, cover, 0);
		for (unsigned level = 2; level < ARRAY_SIZE(f->npsc); level++)
			sweep_nested(&f->npsc[level], cover, level_shift(level));
	}
	return gone;
}
