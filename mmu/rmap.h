/* mmu/rmap.h - reverse maps: for each guest frame, the leaves that map it and the shadow pages that stand for it.
 *
 * A *reference* names one entry of one shadow page: (page's number << 9) | index. A *list* of references is one 32-bit word:
 * 0, or one reference, or (with RMAP_CHAIN) the number of a node that holds several. */
#ifndef VELLUM_MMU_RMAP_H
#define VELLUM_MMU_RMAP_H

#include "mmu/pool.h"

#define RMAP_CHAIN (1u << 31)
#define RMAP_NODE_REFS 6

struct rmap_node {
	uint32_t next;
	uint32_t count;
	uint32_t ref[RMAP_NODE_REFS];
};
_Static_assert(sizeof(struct rmap_node) == 32, "nodes fill frames");

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

#define RMAP_RECENT 32

struct rmap {
	struct mmu_vm *vm;
	struct pool *nodes;
	hfn_t root;            /* a radix tree over gfn; HFN_NONE: empty. Entries are frame numbers plus one */
	unsigned levels;       /* of 512 entries, above the gframes; grows with the highest gfn */
	/* What was looked up last, by the low bits of the number of its frame of gframes. They stay where they are, so that nothing of
	 * it is ever wrong. */
	struct {
		uint64_t number;       /* gfn >> GFRAME_BITS */
		struct gframe *frames; /* NULL: nothing here yet */
	} recent[RMAP_RECENT];
};

void rmap_init(struct rmap *map, struct mmu_vm *vm, struct pool *nodes);
void rmap_destroy(struct rmap *map);
/* NULL: nothing is known of it; or with make: no memory, or no such guest frame. Stays where it is until rmap_destroy. */
struct gframe *rmap_look_up(struct rmap *map, gfn_t gfn, bool make);

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

/* false: no memory. */
bool rmap_add_more(struct pool *nodes, uint32_t *list, uint32_t ref);
static inline bool rmap_add(struct pool *nodes, uint32_t *list, uint32_t ref)
{
	nodes->vm->counters.rmap_entries++;
	if (*list)
		return rmap_add_more(nodes, list, ref);
	*list = ref;
	return true;
}
void rmap_remove(struct pool *nodes, uint32_t *list, uint32_t ref);
/* Any reference on the list; 0: none. */
uint32_t rmap_any(const struct pool *nodes, uint32_t list);
bool rmap_holds(const struct pool *nodes, uint32_t list, uint32_t ref);

/* for (struct rmap_walk w = { list }; (ref = rmap_walk_next(nodes, &w));) - the list must not change meanwhile. */
struct rmap_walk {
	uint32_t at;
	uint32_t index;
};
uint32_t rmap_walk_next(const struct pool *nodes, struct rmap_walk *w);

#endif
