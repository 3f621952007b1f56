/* vm/memory/swap.h - the area on a disk of the machine's where guests' pages are that have left the memory: a whole
 * disk, in places of a page each, from its first sector on. What is in it means nothing when the machine ends.
 *
 * WA1  The disk is alone at its channel, or its neighbour is nobody's: its commands are waited for, and nobody else's
 *      may come in between.
 * WA2  Commands, the channel's buffer, and what is done with what was read or written: with swap_lock() held. Who holds
 *      it waits for the disk and for nothing else.
 * WA3  A place is taken by one page at a time. An area that fails to be written takes no more; what is in it can still
 *      be read. */
#ifndef VELLUM_VM_MEMORY_SWAP_H
#define VELLUM_VM_MEMORY_SWAP_H

#include "lib/base.h"

#define SWAP_MOST 64 /* pages in one command */

/* Makes the disk at a place of the machine's (config_disk_place()) the area; disks have been looked for. NULL, or one
 * clause: why not. */
const char *swap_begin(const char *place);
/* There is none from now on, and no page is in it. */
void swap_end(void);
/* Places that are free, 0 if it is not to be written to any more; and all that there are, 0: there is no area. Any CPU,
 * with any lock held. */
uint64_t swap_room(void);
uint64_t swap_places(void);
bool swap_failed(void);

void swap_lock(void);
void swap_unlock(void);

/* What follows, but for swap_release(), with the lock held. Takes up to n places in one row, from *first on: how many,
 * 0 if there is none. */
unsigned swap_take(unsigned n, uint64_t *first);
/* The channel's buffer, of SWAP_MOST pages, to and from places. false: the disk has failed. */
void *swap_buffer(void);
bool swap_write(uint64_t first, unsigned n);
bool swap_read(uint64_t first, unsigned n);
/* The place is nobody's again. */
void swap_release(uint64_t place);

#endif
