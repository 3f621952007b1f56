/* mmu/backing.c - memory in contiguous runs. */
#include "mmu/backing.h"

#define ORDER_1G 18

uint8_t backing_order(gfn_t gfn, gfn_t first, uint64_t pages, hfn_t hfn, uint8_t max)
{
	/* The bits in which guest and host frame numbers of the run differ limit the alignment that they share. */
	uint64_t skew = first.v ^ hfn.v;
	uint8_t order = skew ? __builtin_ctzll(skew) : max;

	if (order > max)
		order = max;
	for (; order > 0; order--) {
		uint64_t block = align_down(gfn.v, BIT(order));

		if (block >= first.v && block + BIT(order) <= first.v + pages)
			break;
	}
	return order;
}

static const struct extent *find(struct backing_extents *b, uint64_t index)
{
	unsigned last = __atomic_load_n(&b->last, __ATOMIC_RELAXED);

	if (likely(index - b->extent[last].first < b->extent[last].pages))
		return &b->extent[last];
	for (unsigned i = 0; i < b->count; i++) {
		if (index - b->extent[i].first < b->extent[i].pages) {
			__atomic_store_n(&b->last, i, __ATOMIC_RELAXED);
			return &b->extent[i];
		}
	}
	return NULL;
}

static bool page(struct backing *backing, uint64_t index, struct backing_page *out)
{
	struct backing_extents *b = container_of(backing, struct backing_extents, backing);
	const struct extent *e = find(b, index);

	if (!e)
		return false;
	out->hfn = HFN(e->hfn.v + (index - e->first));
	out->order = backing_order(GFN(b->base.v + index), GFN(b->base.v + e->first), e->pages, e->hfn, ORDER_1G);
	out->writable = true;
	return true;
}

void backing_extents_init(struct backing_extents *b, gfn_t base, const struct extent *extent, unsigned count)
{
	*b = (struct backing_extents){ .backing = { .page = page }, .extent = extent, .count = count, .base = base };
}
