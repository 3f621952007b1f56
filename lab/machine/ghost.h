/* lab/machine/ghost.h - translations that a flush dropped, so that the walk that brings one back can be put on that
 * flush's account.
 *
 * A ghost fades when as many translations have come into the TLBs as they hold: by then it would have gone anyway. */
#ifndef VELLUM_LAB_GHOST_H
#define VELLUM_LAB_GHOST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct lab_ghosts {
	struct lab_ghost {
		uint64_t key;   /* 0: free */
		uint64_t fills; /* when it was dropped; the highest number: no ghost any more */
		uint8_t cause;
	} *slot;
	size_t room, used;
	uint64_t fills;         /* translations that have come in */
	uint64_t capacity;      /* of the TLBs, entries */
	uint64_t until;         /* the count of fills with which the last of them fades; 0: there was none */
};

bool lab_ghosts_init(struct lab_ghosts *g, uint64_t capacity);
void lab_ghosts_fini(struct lab_ghosts *g);
/* The translation with this tag was dropped. root: what tells apart the address spaces that tags do not. */
void lab_ghosts_add(struct lab_ghosts *g, uint64_t tag, uint64_t root, unsigned cause);
/* Is there none? */
static inline bool lab_ghosts_none(const struct lab_ghosts *g) { return !g->until || g->fills > g->until; }
/* A walk has brought in this translation: the cause of the flush that had dropped it, or -1. Forgets it. */
int lab_ghosts_take(struct lab_ghosts *g, uint64_t tag, uint64_t root);

#endif
