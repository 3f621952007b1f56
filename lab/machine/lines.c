/* lab/machine/lines.c - see lab/machine/lines.h. */
#include "lab/machine/lines.h"

#include <stdlib.h>
#include <string.h>

enum { WAYS_IN_A_WORD = 16 };

static void empty(struct lines *c)
{
	size_t n = (size_t)c->sets * c->ways;

	if (c->narrow)
		memset(c->narrow, 0, n * sizeof(*c->narrow));
	if (c->wide)
		memset(c->wide, 0, n * sizeof(*c->wide));
	if (c->stamp)
		memset(c->stamp, 0, n * sizeof(*c->stamp));
	for (uint32_t i = 0; c->order && i < c->sets; i++)
		c->order[i] = 0xfedcba9876543210ull & c->all;
}

bool lines_init(struct lines *c, struct lab_geometry g, bool narrow)
{
	*c = (struct lines){ 0 };
	if (!g.entries)
		return true;
	LAB_SETS(c, g);
	c->last = 4 * (c->ways - 1) & 63;
	c->all = (BIT(c->last) - 1) << 4 | 15;
	if (narrow)
		c->narrow = calloc(g.entries, sizeof(*c->narrow));
	else
		c->wide = calloc(g.entries, sizeof(*c->wide));
	if (c->ways > WAYS_IN_A_WORD)
		c->stamp = calloc(g.entries, sizeof(*c->stamp));
	else
		c->order = calloc(c->sets, sizeof(*c->order));
	empty(c);
	return (c->narrow || c->wide) && (c->order || c->stamp);
}

void lines_fini(struct lines *c)
{
	free(c->wide);
	free(c->narrow);
	free(c->order);
	free(c->stamp);
}

static uint64_t number_at(const struct lines *c, size_t at) { return c->narrow ? c->narrow[at] : c->wide[at]; }

static unsigned victim(struct lines *c, size_t set)
{
	const uint64_t *stamp;
	unsigned way = 0;

	if (c->order)
		return c->order[set] >> c->last & 15;
	stamp = c->stamp + set * c->ways;
	for (unsigned i = 1; i < c->ways; i++)
		way = stamp[i] < stamp[way] ? i : way;
	return way;
}

static void note_use(struct lines *c, size_t set, unsigned way)
{
	if (c->order)
		c->order[set] = order_front(c->order[set], way);
	else
		c->stamp[set * c->ways + way] = ++c->clock;
}

bool lines_touch_any(struct lines *c, size_t set, uint64_t number)
{
	size_t first = set * c->ways;
	unsigned way = 0;
	bool hit;

	while (way < c->ways && number_at(c, first + way) != number)
		way++;
	hit = way < c->ways;
	if (!hit) {
		way = victim(c, set);
		if (c->narrow)
			c->narrow[first + way] = (uint32_t)number;
		else
			c->wide[first + way] = number;
	}
	note_use(c, set, way);
	return hit;
}
