/* lab/os/file.c - the page cache: which frame holds which page of which file. Shared anonymous memory is a file without
 * a name. Nothing is ever dropped from it. */
#include <stdlib.h>

#include "lab/os/inside.h"

static uint64_t slot_of(const struct page_cache *c, uint32_t file, uint64_t page)
{
	uint64_t i = ((page + ((uint64_t)file << 32)) * 0x9e3779b97f4a7c15ull >> 16) & (c->room - 1);

	while (c->e[i].file && (c->e[i].file != file || c->e[i].page != page))
		i = (i + 1) & (c->room - 1);
	return i;
}

uint64_t *cache_find(struct page_cache *c, uint32_t file, uint64_t page)
{
	uint64_t i = c->room ? slot_of(c, file, page) : 0;

	return c->room && c->e[i].file ? &c->e[i].frame : NULL;
}

static bool grow(struct page_cache *c)
{
	struct page_cache old = *c;

	c->room = old.room ? 2 * old.room : 1024;
	c->e = calloc(c->room, sizeof(*c->e));
	if (!c->e) {
		*c = old;
		return false;
	}
	for (uint64_t i = 0; i < old.room; i++)
		if (old.e[i].file)
			c->e[slot_of(c, old.e[i].file, old.e[i].page)] = old.e[i];
	free(old.e);
	return true;
}

bool cache_add(struct page_cache *c, uint32_t file, uint64_t page, uint64_t frame)
{
	if (2 * c->used >= c->room && !grow(c))
		return false;
	c->e[slot_of(c, file, page)] = (struct cache_entry){ .page = page, .file = file, .frame = frame };
	c->used++;
	return true;
}
