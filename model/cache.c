/* Tagged, set-associative storage of translations. */
#include "model/cache.h"

#include <stdlib.h>

bool m_cache_init(struct m_cache *c, unsigned sets, unsigned ways)
{
	*c = (struct m_cache){ .sets = sets, .ways = ways, .words = (sets * ways + 63) / 64 };
	if (!sets || !ways)
		return true;
	BUG_ON(ways > M_WAYS_MAX);
	c->e = calloc((size_t)sets * ways, sizeof(*c->e));
	c->used = calloc(c->words + 1, sizeof(*c->used));
	return c->e != NULL && c->used != NULL;
}

void m_cache_fini(struct m_cache *c)
{
	free(c->e);
	free(c->used);
}

static bool same_content(const struct m_entry *a, const struct m_entry *b)
{
	return a->addr == b->addr && a->gaddr == b->gaddr && a->flags == b->flags && a->gshift == b->gshift &&
	       a->pkey == b->pkey && a->pat == b->pat && a->ept_type == b->ept_type && a->pcid == b->pcid;
}

/* The one that is written over where all hold something: at random, or the oldest. */
static struct m_entry *victim(const struct m_cache *c, struct m_entry *set, bool many, uint64_t chance)
{
	struct m_entry *oldest = &set[0];

	if (many)
		return &set[chance % c->ways];
	for (unsigned i = 1; i < c->ways; i++)
		if (set[i].stamp < oldest->stamp)
			oldest = &set[i];
	return oldest;
}

void m_cache_insert(struct m_cache *c, const struct m_entry *e, bool many, uint64_t chance)
{
	unsigned first, way;
	uint64_t used;

	if (!c->e)
		return;
	first = m_cache_set(c, e->page);
	used = m_cache_used(c, first);
	for (uint64_t left = used; left; left &= left - 1) {
		struct m_entry *w = &c->e[first + (unsigned)__builtin_ctzll(left)];

		if (m_same_key(w, e) && (!many || same_content(w, e))) {
			*w = *e;
			return;
		}
	}
	if (used == BIT(c->ways) - 1) {
		*victim(c, &c->e[first], many, chance) = *e;
		return;
	}
	way = first + (unsigned)__builtin_ctzll(~used);
	c->e[way] = *e;
	c->used[way / 64] |= BIT(way % 64);
	c->live++;
}
