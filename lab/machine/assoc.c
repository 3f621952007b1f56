/* lab/machine/assoc.c - see lab/machine/assoc.h. */
#include "lab/machine/assoc.h"

#include <stdlib.h>

enum { WAYS_IN_A_WORD = 16 };

bool assoc_init(struct assoc *c, struct lab_geometry g, bool with_b, uint64_t *stamps)
{
	*c = (struct assoc){ 0 };
	if (!g.entries)
		return true;
	c->ways = g.ways;
	c->sets = g.entries / g.ways;
	c->power = (c->sets & (c->sets - 1)) == 0;
	c->mask = c->sets - 1;
	c->last = 4 * (c->ways - 1);
	c->tag = calloc(g.entries, sizeof(*c->tag));
	c->a = calloc(g.entries, sizeof(*c->a));
	c->b = with_b ? calloc(g.entries, sizeof(*c->b)) : NULL;
	if (stamps || c->ways > WAYS_IN_A_WORD) {
		c->clock = stamps ? stamps : &c->own_clock;
		c->stamp = calloc(g.entries, sizeof(*c->stamp));
	} else {
		c->order = calloc(c->sets, sizeof(*c->order));
		for (uint32_t i = 0; c->order && i < c->sets; i++)
			c->order[i] = 0xfedcba9876543210ull & ((BIT(c->last) - 1) << 4 | 15);
	}
	return c->tag && c->a && (!with_b || c->b) && (c->order || c->stamp);
}

void assoc_fini(struct assoc *c)
{
	free(c->tag);
	free(c->a);
	free(c->b);
	free(c->narrow);
	free(c->order);
	free(c->stamp);
}

void assoc_drop(struct assoc *c, size_t set, unsigned way)
{
	size_t at = set * c->ways + way;
	uint64_t order;
	unsigned shift;

	c->live--;
	c->live_of[tag_size(c->tag[at])]--;
	c->globals -= is_global(c->tag[at]);
	c->tag[at] = 0;
	if (!c->order) {
		c->stamp[at] = 0;
		return;
	}
	/* It goes behind all others. */
	order = c->order[set];
	shift = order_find(order, way);
	c->order[set] = (order & (BIT(shift) - 1)) | (order >> shift >> 4) << shift | (uint64_t)way << c->last;
}
