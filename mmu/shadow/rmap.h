/* mmu/shadow/rmap.h - reverse maps: for each guest frame, the leaves that map it and the shadow pages that stand for
 * it.
 *
 * A *reference* names one entry of one shadow page: (page's number << 9) | index; 0 names none. A *list* of references
 * is a ring: each page has two links for each of its entries, the next and the previous reference on the ring, and the
 * list itself is one 32-bit word, its first reference. So an entry is put on a list and taken off in a few
 * instructions, however long the list is, and neither can fail.
 *
 * RM1  A reference is on at most one list, and its links are those of that list.
 * RM2  Of a frame's leaves the writable ones come first, so that those who look for them need not pass by the
 *      others. */
#ifndef VELLUM_MMU_RMAP_H
#define VELLUM_MMU_RMAP_H

#include "mmu/table/seam.h"
#include "mmu/table/slab.h"

struct rmap_link {
	uint32_t next, previous;
};
_Static_assert(512 * sizeof(struct rmap_link) == PAGE_SIZE, "a page's links fill a frame");

/* What the objects of the slab that references name begin with. */
struct rmap_owner {
	struct rmap_link *link; /* 512 */
};

/* What is known of one guest frame. */
struct gframe {
	uint32_t leaves;  /* list: 4-KByte leaves of this frame */
	uint32_t large;   /* list: 2-MByte leaves that begin at this frame */
	uint32_t pages;   /* number of the first shadow page whose gfn is this frame */
	uint16_t tracked; /* how many of those are shadows of a guest table here */
	uint16_t block;   /* in the first frame of each 2 MBytes: frames of the block that are tracked */
};
_Static_assert(sizeof(struct gframe) == 16, "gframes fill frames");

#define GFRAME_BITS 8 /* per frame of gframes */

/* Few where steps are interleaved, so that what a test's guests have is enough to share a place. */
#define RMAP_RECENT (SEAM_WOVEN ? 2 : 32)

struct rmap {
	struct mmu_vm *vm;
	hfn_t root;            /* a radix tree over gfn; HFN_NONE: empty. Entries are frame numbers plus one */
	unsigned levels;       /* of 512 entries, above the gframes; grows with the highest gfn */
	/* What was looked up last, by the low bits of the number of its frame of gframes. They stay where they are, so
	 * that nothing of it is ever wrong. It changes alone only (BE6). */
	struct {
		uint64_t number;       /* gfn >> GFRAME_BITS */
		struct gframe *frames; /* NULL: nothing here yet */
	} recent[RMAP_RECENT];
};

/* Nothing is known, nothing allocated; rmap_destroy() frees the tree. */
void rmap_init(struct rmap *map, struct mmu_vm *vm);
void rmap_destroy(struct rmap *map);
/* NULL: nothing is known of it; or with make: no memory, or no such guest frame. Stays where it is until
 * rmap_destroy. */
struct gframe *rmap_look_up(struct rmap *map, gfn_t gfn, bool make);

/* The same without a note of what was looked up, for those who look beside each other (mmu/lock.h). NULL: nothing is
 * known of it. */
struct gframe *rmap_peek(const struct rmap *map, gfn_t gfn);

static inline struct gframe *rmap_gframe(struct rmap *map, gfn_t gfn, bool make)
{
	uint64_t number = gfn.v >> GFRAME_BITS;
	unsigned place = number % RMAP_RECENT;

	if (likely(map->recent[place].number == number && map->recent[place].frames))
		return &map->recent[place].frames[gfn.v & (BIT(GFRAME_BITS) - 1)];
	return rmap_look_up(map, gfn, make);
}

/* The first frame at or after *gfn, and before end, that might have something known, into *gfn. NULL: none. */
struct gframe *rmap_next(struct rmap *map, gfn_t *gfn, gfn_t end);

/* ---- lists ---- */

static inline struct rmap_link *rmap_link(const struct slab *owners, uint32_t ref)
{
	const struct rmap_owner *owner = slab_ptr(owners, ref >> 9);

	return &owner->link[ref & 511];
}

/* For rmap_add(): onto a ring that there is. */
void rmap_join(struct slab *owners, uint32_t list, uint32_t ref, struct rmap_link *own);

/* Puts ref, which is on no list, before the others or behind them; own: its links. */
static inline void rmap_add(struct slab *owners, uint32_t *list, uint32_t ref, struct rmap_link *own, bool first)
{
	if (likely(!*list)) {
		*own = (struct rmap_link){ ref, ref };
		*list = ref;
		return;
	}
	rmap_join(owners, *list, ref, own);
	if (first)
		*list = ref;
}

/* For rmap_remove(): from a ring with others on it. */
void rmap_part(struct slab *owners, uint32_t *list, uint32_t ref, const struct rmap_link *own);

static inline void rmap_remove(struct slab *owners, uint32_t *list, uint32_t ref, const struct rmap_link *own)
{
	if (likely(own->next == ref)) {
		BUG_ON(*list != ref);
		*list = 0;
		return;
	}
	rmap_part(owners, list, ref, own);
}

/* The reference behind ref; 0: ref is the last. */
static inline uint32_t rmap_behind(const struct slab *owners, uint32_t list, uint32_t ref)
{
	uint32_t next = rmap_link(owners, ref)->next;

	return next == list ? 0 : next;
}

/* The last one; 0: the list is empty. */
static inline uint32_t rmap_last(const struct slab *owners, uint32_t list)
{
	return list ? rmap_link(owners, list)->previous : 0;
}

/* Slow, for audits. */
bool rmap_holds(const struct slab *owners, uint32_t list, uint32_t ref);

#endif
