/* lab/machine/assoc.c - see lab/machine/assoc.h. */
#include "lab/machine/assoc.h"

#include <stdlib.h>

bool assoc_init(struct assoc *c, struct lab_geometry g)
{
	*c = (struct assoc){ 0 };
	if (!g.entries)
		return true;
	LAB_SETS(c, g);
	c->entry = calloc(g.entries, sizeof(*c->entry));
	return c->entry != NULL;
}

void assoc_fini(struct assoc *c)
{
	free(c->entry);
}

void assoc_recount(struct assoc *c, uint64_t old, uint64_t new)
{
	if (old)
		c->live_of[is_global(old)][tag_size(old)]--;
	else
		c->live++;
	c->live_of[is_global(new)][tag_size(new)]++;
}

void assoc_drop(struct assoc *c, struct assoc_entry *e)
{
	c->live--;
	c->live_of[is_global(e->tag)][tag_size(e->tag)]--;
	e->tag = e->stamp = 0;
}
