/* mmu/shadow/rmap.c - lists of references, and the tree of what is known of guest frames. */
#include "mmu/mutate.h"
#include "mmu/shadow/rmap.h"
#include "mmu/table/seam.h"

/* ---- lists ---- */

/* Between the last and the first. */
void rmap_join(struct slab *owners, uint32_t list, uint32_t ref, struct rmap_link *own)
{
	struct rmap_link *first = rmap_link(owners, list), *last = rmap_link(owners, first->previous);

	*own = (struct rmap_link){ list, first->previous };
	last->next = ref;
	seam_beside();
	first->previous = ref;
}

void rmap_part(struct slab *owners, uint32_t *list, uint32_t ref, const struct rmap_link *own)
{
	rmap_link(owners, own->previous)->next = own->next;
	rmap_link(owners, own->next)->previous = own->previous;
	if (*list == ref)
		*list = own->next;
}

bool rmap_holds(const struct slab *owners, uint32_t list, uint32_t ref)
{
	for (uint32_t r = list; r; r = rmap_behind(owners, list, r))
		if (r == ref)
			return true;
	return false;
}

/* ---- the tree: levels of 512 frame numbers (plus one), then 256 gframes ---- */

#define TREE_LEVELS 3 /* at first: gfns of 35 bits */
#define TREE_LEVELS_MAX 4 /* 44 bits: more than guest-physical addresses have */

void rmap_init(struct rmap *map, struct mmu_vm *vm)
{
	*map = (struct rmap){ .vm = vm, .root = HFN_NONE, .levels = TREE_LEVELS };
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

/* Where several vCPUs run, and there is more in reserve than an operation wants, so many of the frames that follow in
 * the same slot as well: who touches fresh memory comes to them next, and need not be alone for it then. entries: of
 * the tree's lowest level. */
#define FRAMES_AHEAD 8

static void make_ahead(struct rmap *map, uint64_t *entries, gfn_t gfn)
{
	struct mmu_vm *vm = map->vm;
	const struct slot *slot = vm->several ? slots_find(&vm->slots, gfn) : NULL;
	uint64_t number = gfn.v >> GFRAME_BITS;

	for (unsigned n = 1; slot && slot->kind == SLOT_RAM && n < FRAMES_AHEAD; n++) {
		uint64_t *e = &entries[(number + n) & 511];

		if (((number + n) & 511) < n || ((number + n) << GFRAME_BITS) - slot->base.v >= slot->pages ||
		    reserve_count(&vm->reserve) <= 2u * vm->ops->need)
			return;
		if (!*e)
			*e = mmu_table_alloc(vm).v + 1;
	}
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
			if (level == 1)
				make_ahead(map, entries, gfn);
		}
		frame = HFN(*e - 1);
	}
	frames = mmu_table_ptr(map->vm, frame);
	map->recent[number % RMAP_RECENT].number = number;
	MUTANT_INSTEAD(FLAGS_BESIDE, seam_beside());
	map->recent[number % RMAP_RECENT].frames = frames;
	return &frames[gfn.v & (BIT(GFRAME_BITS) - 1)];
}

struct gframe *rmap_peek(const struct rmap *map, gfn_t gfn)
{
	uint64_t number = gfn.v >> GFRAME_BITS;
	unsigned place = number % RMAP_RECENT;
	struct gframe *frames = map->recent[place].frames;
	hfn_t frame = map->root;

	if (likely(map->recent[place].number == number && frames))
		return &frames[gfn.v & (BIT(GFRAME_BITS) - 1)];
	if (hfn_is_none(frame) || !within(map, gfn))
		return NULL;
	for (unsigned level = map->levels; level > 0; level--) {
		const uint64_t *entries = mmu_table_ptr(map->vm, frame);
		uint64_t e = entries[gfn.v >> tree_shift(level) & 511];

		if (!e)
			return NULL;
		frame = HFN(e - 1);
	}
	frames = mmu_table_ptr(map->vm, frame);
	return &frames[gfn.v & (BIT(GFRAME_BITS) - 1)];
}

/* How far the emptiness at gfn reaches: past the end of the missing subtrees of one table that are in a row. */
static gfn_t skip_hole(struct rmap *map, gfn_t gfn)
{
	hfn_t frame = map->root;

	for (unsigned level = map->levels; level > 0; level--) {
		const uint64_t *entries = mmu_table_ptr(map->vm, frame);
		uint64_t index = gfn.v >> tree_shift(level) & 511, next = index;

		while (next < 512 && !entries[next])
			next++;
		if (next != index)
			return GFN(align_down(gfn.v, BIT(tree_shift(level + 1))) + (next << tree_shift(level)));
		frame = HFN(entries[index] - 1);
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
