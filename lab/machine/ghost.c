/* lab/machine/ghost.c - see lab/machine/ghost.h. A hash table with open addressing; what has faded goes when it is half
 * full. */
#include "lab/machine/ghost.h"

#include <stdlib.h>
#include <string.h>

#include "lib/base.h"

#define GONE UINT64_MAX

static uint64_t key_of(uint64_t tag, uint64_t root)
{
	uint64_t k = (tag ^ root * 0x9e3779b97f4a7c15ull) * 0xbf58476d1ce4e5b9ull;

	k ^= k >> 29;
	return k ? k : 1;
}

bool lab_ghosts_init(struct lab_ghosts *g, uint64_t capacity)
{
	*g = (struct lab_ghosts){ .capacity = capacity, .room = 1024 };
	while (g->room < 16 * capacity)
		g->room *= 2;
	g->slot = calloc(g->room, sizeof(*g->slot));
	return g->slot != NULL;
}

void lab_ghosts_fini(struct lab_ghosts *g)
{
	free(g->slot);
}

static bool faded(const struct lab_ghosts *g, const struct lab_ghost *s)
{
	return s->fills == GONE || g->fills - s->fills > g->capacity;
}

static struct lab_ghost *find(struct lab_ghosts *g, uint64_t key)
{
	size_t at = key & (g->room - 1);

	while (g->slot[at].key && g->slot[at].key != key)
		at = (at + 1) & (g->room - 1);
	return &g->slot[at];
}

/* Between two flushes at most `capacity` translations come in, so what has not faded is never more than twice that. */
static void sweep(struct lab_ghosts *g)
{
	struct lab_ghost *old = g->slot, *fresh = calloc(g->room, sizeof(*fresh));

	BUG_ON(!fresh);
	g->slot = fresh;
	g->used = 0;
	for (size_t i = 0; i < g->room; i++) {
		if (!old[i].key || faded(g, &old[i]))
			continue;
		*find(g, old[i].key) = old[i];
		g->used++;
	}
	BUG_ON(g->used > g->room / 2);
	free(old);
}

void lab_ghosts_add(struct lab_ghosts *g, uint64_t tag, uint64_t root, unsigned cause)
{
	uint64_t key = key_of(tag, root);
	struct lab_ghost *s;

	if (g->used > g->room / 2)
		sweep(g);
	s = find(g, key);
	if (!s->key)
		g->used++;
	*s = (struct lab_ghost){ .key = key, .fills = g->fills, .cause = (uint8_t)cause };
	g->until = g->fills + g->capacity;
}

int lab_ghosts_take(struct lab_ghosts *g, uint64_t tag, uint64_t root)
{
	struct lab_ghost *s;
	int cause;

	if (lab_ghosts_none(g))
		return -1;
	s = find(g, key_of(tag, root));
	if (!s->key || faded(g, s))
		return -1;
	cause = s->cause;
	s->fills = GONE;
	return cause;
}
