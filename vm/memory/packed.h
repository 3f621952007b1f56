/* vm/memory/packed.h - pages of the swap area that are kept in memory, compressed (compress.h), instead of on its disk:
 * as many as find room in a bounded share of the machine's frames. They have a place of the area each (swap.h) all the
 * same, where the oldest of them go when there is no more room.
 *
 * PK1  Where a place is packed, what is here is what it holds, and nothing else is looked at. A place that is given
 *      back is packed no more.
 * PK2  No more frames than were asked for are taken, and none that would leave less than RAM_KEPT.
 * PK3  A page that does not become smaller than half of one is not kept here.
 * PK4  What is written to the disk stays here until it is there. */
#ifndef VELLUM_VM_MEMORY_PACKED_H
#define VELLUM_VM_MEMORY_PACKED_H

#include "lib/base.h"

struct vm;

struct packed_account {
	uint64_t pages, frames; /* now: packed, and where they lie */
	/* Ever: that came here; that did not become small enough; that went on to the disk. */
	uint64_t taken, refused, written;
};

/* Up to `frames` frames may be taken for pages of an area of so many places; 0: nothing is packed. false: there is no
 * memory to tell what is where. */
bool packed_begin(uint64_t places, uint64_t frames);
/* No place is packed. */
void packed_end(void);
/* Is anything packed at all? */
bool packed_takes(void);
/* Packs a page of the VM's that is to be at a place, which is taken; false: it stays what it is, for the disk. With
 * swap_lock(). */
bool packed_put(const struct vm *vm, uint64_t place, const void *page);
/* Is the place packed? And what it holds, to page. false: it is not. With any lock held, where nobody gives the place
 * back meanwhile. */
bool packed_has(uint64_t place);
bool packed_get(uint64_t place, void *page);
/* The place is packed no more; nothing if it is not. */
void packed_drop(uint64_t place);
/* The same, for it is on the disk now. */
void packed_written(uint64_t place);
/* Is there no room for so many pages, as far as one can tell? */
bool packed_is_full(unsigned pages);
/* The place that has been packed for longest, and those behind it that are packed as well: how many, up to most; 0:
 * none is. With swap_lock(). */
unsigned packed_oldest(uint64_t *first, unsigned most);
struct packed_account packed_account(void);

#endif
