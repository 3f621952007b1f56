/* dev/block/snapshot.h - what was written over a medium that is not to change: sectors in memory.
 *
 * A tree of pages over pages of eight sectors; an entry of the last level has a bit for each sector that was written.
 * Memory comes from the owner, a page at a time, and is bounded by him. */
#ifndef VELLUM_DEV_SNAPSHOT_H
#define VELLUM_DEV_SNAPSHOT_H

#include "lib/base.h"

#define SNAPSHOT_LEVELS 5 /* 2^45 pages: more than 48-bit sector numbers need */

struct snapshot {
	void *(*alloc)(void *ctx); /* a zeroed, aligned page; NULL: there is none */
	void (*free)(void *ctx, void *page);
	void *ctx;
	uintptr_t root; /* as an entry of a table: a page */
	uint64_t pages; /* of data */
};

/* Are all of the sectors there? */
bool snapshot_has(const struct snapshot *o, uint64_t sector, unsigned sectors);
/* Puts those that are there over the data. */
void snapshot_read(const struct snapshot *o, uint64_t sector, unsigned sectors, uint8_t *data);
/* false: no memory; some of it may have been written. */
bool snapshot_write(struct snapshot *o, uint64_t sector, unsigned sectors, const uint8_t *data);
/* Gives everything back. */
void snapshot_clear(struct snapshot *o);

#endif
