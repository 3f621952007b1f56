/* mmu/table/detached.h - subtrees of hardware tables that were unlinked and wait for the flush after which nothing
 * walks them any more (S11). Who unlinks asks for the flush; only then detached_free. */
#ifndef VELLUM_MMU_DETACHED_H
#define VELLUM_MMU_DETACHED_H

#include "mmu/table/ptformat.h"

#define DETACHED_MAX 64

struct detached {
	unsigned count;
	struct {
		hfn_t table;
		uint8_t level;
		uint64_t addr; /* the first that it translates, where the caller says so */
	} tree[DETACHED_MAX];
};

static inline bool detached_full(const struct detached *d) { return d->count == DETACHED_MAX; }

/* Takes the subtree that the entry named which was at this position; the caller has emptied the entry. Not full. */
static inline void detached_add(struct detached *d, const struct pt_format *format, const struct pt_position *at)
{
	ASSERT(!detached_full(d));
	d->tree[d->count].table = pt_frame(format, at->value);
	d->tree[d->count++].level = at->level - 1;
}

/* Frees all of them. Returns how many entries it looked at. */
static inline uint64_t detached_free(struct detached *d, const struct pt *pt)
{
	uint64_t looked_at = 0;

	for (unsigned i = 0; i < d->count; i++)
		looked_at += pt_free(pt, d->tree[i].table, d->tree[i].level);
	d->count = 0;
	return looked_at;
}

#endif
