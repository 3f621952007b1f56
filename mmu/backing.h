/* mmu/backing.h - the plain kind of backing: host memory in a few contiguous runs, present from the start and never
 * taken away. */
#ifndef VELLUM_MMU_BACKING_H
#define VELLUM_MMU_BACKING_H

#include "mmu/slots.h"

/* pages host frames from hfn on back the slot's pages from index first on. */
struct extent {
	uint64_t first;
	uint64_t pages;
	hfn_t hfn;
};

struct backing_extents {
	struct backing backing; /* what the slot points to */
	const struct extent *extent;
	unsigned count;
	unsigned last;          /* where the previous look-up hit */
	gfn_t base;             /* of the slot */
};

/* extent[0 .. count) is sorted by first, without holes from index 0 on, and stays the caller's, alive as long as the
 * backing is. */
void backing_extents_init(struct backing_extents *b, gfn_t base, const struct extent *extent, unsigned count);

/* The order that struct backing_page describes, for guest frame gfn inside a run of pages from guest frame first on,
 * backed from host frame hfn on; not above max. For those who write other kinds of backing. */
FOR_TESTS uint8_t backing_order(gfn_t gfn, gfn_t first, uint64_t pages, hfn_t hfn, uint8_t max);

#endif
