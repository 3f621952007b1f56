/* Tagged, set-associative storage of translations. */
#include "model/cache.h"

#include <stdlib.h>

bool m_cache_init(struct m_cache *c, unsigned sets, unsigned ways)
{
	*c = (struct m_cache){ .sets = sets, .ways = ways };
	if (!sets || !ways)
		return true;
	c->e = calloc((size_t)sets * ways, sizeof(*c->e));
	return c->e != NULL;
}

void m_cache_fini(struct m_cache *c)
{
	free(c->e);
}

static bool same_content(const struct m_entry *a, const struct m_entry *b)
{
	return a->addr == b->addr && a->gaddr == b->gaddr && a->flags == b->flags && a->gshift == b->gshift &&
	       a->pkey == b->pkey && a->pat == b->pat && a->ept_type == b->ept_type && a->pcid == b->pcid;
}

void m_cache_insert(struct m_cache *c, const struct m_entry *e, bool many, uint64_t chance)
{
	if (!c->e)
		return;

	struct m_entry *set = m_cache_set(c, e->page), *to = NULL;

	for (unsigned i = 0; i < c->ways; i++) {
		struct m_entry *w = &set[i];

		if (!w->valid) {
			if (!to || to->valid)
				to = w;
		} else if (m_same_key(w, e) && (!many || same_content(w, e))) {
			to = w;
			break;
		} else if (!many && (!to || (to->valid && w->stamp < to->stamp))) {
			to = w;
		}
	}
	if (!to)
		to = &set[chance % c->ways];
	if (!to->valid)
		c->live++;
	*to = *e;
	to->valid = true;
}
