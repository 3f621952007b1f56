/* mmu/rmap.c - lists of references, and the tree of what is known of guest frames.
 *
 * V1  A node on a list is never empty, and only the first node of a list may be partly full. */
#include "mmu/rmap.h"

/* ---- lists ---- */

static struct rmap_node *node_of(const struct pool *nodes, uint32_t list)
{
	return pool_ptr(nodes, list & ~RMAP_CHAIN);
}

static bool push_node(struct pool *nodes, uint32_t *list, uint32_t next, uint32_t a, uint32_t b)
{
	uint32_t id = pool_alloc(nodes);
	struct rmap_node *n;

	if (!id)
		return false;
	n = pool_ptr(nodes, id);
	n->next = next;
	n->ref[n->count++] = a;
	if (b)
		n->ref[n->count++] = b;
	*list = id | RMAP_CHAIN;
	return true;
}

bool rmap_add_more(struct pool *nodes, uint32_t *list, uint32_t ref)
{
	struct rmap_node *n;

	if (!(*list & RMAP_CHAIN))
		return push_node(nodes, list, 0, *list, ref);
	n = node_of(nodes, *list);
	if (n->count == RMAP_NODE_REFS)
		return push_node(nodes, list, *list, ref, 0);
	n->ref[n->count++] = ref;
	return true;
}

/* Takes one reference off the first node. */
static uint32_t pop(struct pool *nodes, uint32_t *list)
{
	struct rmap_node *n = node_of(nodes, *list);
	uint32_t ref = n->ref[--n->count];

	if (n->count == 0) {
		uint32_t next = n->next;

		pool_free(nodes, *list & ~RMAP_CHAIN);
		*list = next;
	} else if (n->count == 1 && !n->next) {
		uint32_t last = n->ref[0];

		pool_free(nodes, *list & ~RMAP_CHAIN);
		*list = last;
	}
	return ref;
}

void rmap_remove(struct pool *nodes, uint32_t *list, uint32_t ref)
{
	if (!(*list & RMAP_CHAIN)) {
		BUG_ON(*list != ref);
		*list = 0;
		return;
	}
	for (uint32_t at = *list; at; at = node_of(nodes, at)->next) {
		struct rmap_node *n = node_of(nodes, at);

		for (uint32_t i = 0; i < n->count; i++) {
			uint32_t other;

			if (n->ref[i] != ref)
				continue;
			/* The last one of the first node fills the place, unless it was itself the one. */
			other = node_of(nodes, *list)->ref[node_of(nodes, *list)->count - 1];
			n->ref[i] = other;
			pop(nodes, list);
			return;
		}
	}
	BUG_ON(true);
}

uint32_t rmap_any(const struct pool *nodes, uint32_t list)
{
	return list & RMAP_CHAIN ? node_of(nodes, list)->ref[0] : list;
}

uint32_t rmap_walk_next(const struct pool *nodes, struct rmap_walk *w)
{
	struct rmap_node *n;
	uint32_t ref;

	if (!w->at)
		return 0;
	if (!(w->at & RMAP_CHAIN)) {
		ref = w->at;
		w->at = 0;
		return ref;
	}
	n = node_of(nodes, w->at);
	ref = n->ref[w->index++];
	if (w->index == n->count) {
		w->at = n->next;
		w->index = 0;
	}
	return ref;
}

bool rmap_holds(const struct pool *nodes, uint32_t list, uint32_t ref)
{
	struct rmap_walk w = { list, 0 };
	uint32_t r;

	while ((r = rmap_walk_next(nodes, &w)))
		if (r == ref)
			return true;
	return false;
}

/* ---- the tree: levels of 512 frame numbers (plus one), then 256 gframes ---- */

#define TREE_LEVELS 3 /* at first: gfns of 35 bits */
#define TREE_LEVELS_MAX 4 /* 44 bits: more than guest-physical addresses have */

void rmap_init(struct rmap *map, struct mmu_vm *vm, struct pool *nodes)
{
	*map = (struct rmap){ .vm = vm, .nodes = nodes, .root = HFN_NONE, .levels = TREE_LEVELS };
}

static void free_tree(struct rmap *map, hfn_t frame, unsigned level)
{
	uint64_t *entries = mmu_table_ptr(map->vm, frame);

	for (unsigned i = 0; level > 0 && i < 512; i++)
		if (entries[i])
			free_tree(map, HFN(entries[i] - 1), level - 1);
	mmu_table_free(map->vm, frame);
}

void rmap_destroy(struct rmap *map)
{
	if (!hfn_is_none(map->root))
		free_tree(map, map->root, map->levels);
	map->root = HFN_NONE;
	memset(map->recent, 0, sizeof(map->recent));
}

static unsigned tree_shift(unsigned level)
{
	return GFRAME_BITS + 9 * (level - 1);
}

static bool within(const struct rmap *map, gfn_t gfn)
{
	return !(gfn.v >> tree_shift(map->levels + 1));
}

/* Makes the tree high enough for gfn. false: no memory, or no such guest frame. */
static bool grow(struct rmap *map, gfn_t gfn)
{
	while (hfn_is_none(map->root) || !within(map, gfn)) {
		hfn_t frame = map->levels < TREE_LEVELS_MAX || within(map, gfn) ? mmu_table_alloc(map->vm) : HFN_NONE;

		if (hfn_is_none(frame))
			return false;
		if (!hfn_is_none(map->root)) {
			*(uint64_t *)mmu_table_ptr(map->vm, frame) = map->root.v + 1;
			map->levels++;
		}
		map->root = frame;
	}
	return true;
}

struct gframe *rmap_look_up(struct rmap *map, gfn_t gfn, bool make)
{
	uint64_t number = gfn.v >> GFRAME_BITS;
	hfn_t frame;
	struct gframe *frames;

	if (make ? !grow(map, gfn) : hfn_is_none(map->root) || !within(map, gfn))
		return NULL;
	frame = map->root;
	for (unsigned level = map->levels; level > 0; level--) {
		uint64_t *entries = mmu_table_ptr(map->vm, frame), *e = &entries[gfn.v >> tree_shift(level) & 511];

		if (!*e) {
			frame = make ? mmu_table_alloc(map->vm) : HFN_NONE;
			if (hfn_is_none(frame))
				return NULL;
			*e = frame.v + 1;
		}
		frame = HFN(*e - 1);
	}
	frames = mmu_table_ptr(map->vm, frame);
	map->recent[number % RMAP_RECENT].number = number;
	map->recent[number % RMAP_RECENT].frames = frames;
	return &frames[gfn.v & (BIT(GFRAME_BITS) - 1)];
}

/* How far the emptiness at gfn reaches: past the end of the smallest missing subtree. */
static gfn_t skip_hole(struct rmap *map, gfn_t gfn)
{
	hfn_t frame = map->root;

	for (unsigned level = map->levels; level > 0; level--) {
		uint64_t *entries = mmu_table_ptr(map->vm, frame), e = entries[gfn.v >> tree_shift(level) & 511];

		if (!e)
			return GFN(align_down(gfn.v, BIT(tree_shift(level))) + BIT(tree_shift(level)));
		frame = HFN(e - 1);
	}
	return gfn;
}

struct gframe *rmap_next(struct rmap *map, gfn_t *gfn, gfn_t end)
{
	if (hfn_is_none(map->root))
		return NULL;
	while (gfn->v < end.v && within(map, *gfn)) {
		struct gframe *g = rmap_gframe(map, *gfn, false);

		if (g)
			return g;
		*gfn = skip_hole(map, *gfn);
	}
	return NULL;
}
