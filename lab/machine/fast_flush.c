/* lab/machine/fast_flush.c - the fast hardware's invalidations. One address is looked for where it can be; all else goes
 * through every set. */
#include "lab/machine/fast.h"

/* Drops what the cover takes from a set. */
static uint64_t sweep_set(struct lab_machine *m, struct assoc *c, size_t set, const struct lab_cover *cover,
			  enum lab_flush cause)
{
	const uint64_t *tag = c->tag + set * c->ways, *a = c->a + set * c->ways;
	uint64_t gone = 0;

	for (unsigned i = 0; i < c->ways; i++) {
		if (!tag[i] || !lab_covers(cover, tag[i], a[i]))
			continue;
		if (cause != LAB_FLUSH_BY_FAULT)
			lab_ghosts_add(&m->ghosts, tag[i], m->now.ghost_root, cause);
		assoc_drop(c, set, i);
		gone++;
	}
	return gone;
}

static uint64_t sweep_tlb(struct lab_machine *m, struct assoc *c, const struct lab_cover *cover, bool everywhere,
			  enum lab_flush cause)
{
	uint64_t gone = 0;

	if (everywhere) {
		for (size_t set = 0; c->live && set < c->sets; set++)
			gone += sweep_set(m, c, set, cover, cause);
		return gone;
	}
	for (unsigned size = 0; size < LAB_SIZES; size++)
		if (c->live_of[size])
			gone += sweep_set(m, c, assoc_set(c, cover->gva >> size_shift(size)), cover, cause);
	return gone;
}

static void sweep_psc_set(struct assoc *c, size_t set, const struct lab_cover *cover, unsigned level)
{
	for (unsigned i = 0; i < c->ways; i++)
		if (c->tag[set * c->ways + i] && lab_covers_psc(cover, c->tag[set * c->ways + i], level))
			assoc_drop(c, set, i);
}

static void sweep_psc(struct assoc *c, const struct lab_cover *cover, unsigned level)
{
	if (c->live && cover->one_address && !cover->psc_all)
		sweep_psc_set(c, assoc_set(c, cover->gva >> level_shift(level)), cover, level);
	else
		for (size_t set = 0; c->live && set < c->sets; set++)
			sweep_psc_set(c, set, cover, level);
}

static void sweep_nested_set(struct assoc *c, size_t set, const struct lab_cover *cover, unsigned shift)
{
	for (unsigned i = 0; i < c->ways; i++) {
		uint64_t tag = c->tag[set * c->ways + i];

		if (tag && lab_covers_nested(cover, tag, shift ? shift : size_shift(tag_size(tag))))
			assoc_drop(c, set, i);
	}
}

/* shift: of the entries' reach; 0: that of their size. */
static void sweep_nested(struct assoc *c, const struct lab_cover *cover, unsigned shift)
{
	if (!cover->one_gpa) {
		for (size_t set = 0; c->live && set < c->sets; set++)
			sweep_nested_set(c, set, cover, shift);
		return;
	}
	if (shift && c->live)
		sweep_nested_set(c, assoc_set(c, cover->gpa >> shift), cover, shift);
	for (unsigned size = 0; !shift && size < LAB_SIZES; size++)
		if (c->live_of[size])
			sweep_nested_set(c, assoc_set(c, cover->gpa >> size_shift(size)), cover, 0);
}

static uint64_t sweep_linear(struct lab_machine *m, const struct lab_cover *cover, enum lab_flush cause)
{
	struct fast *f = m->hw;
	bool everywhere = !cover->one_address || (cover->pieces && parts_at(f, cover->gva));
	uint64_t gone = 0, live = 0;

	if (everywhere)
		filter_clear(&f->filter);
	else
		filter_forget_address(&f->filter, cover->gva);
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
