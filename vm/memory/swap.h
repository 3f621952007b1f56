/* vm/memory/swap.h - the area on a disk of the machine's where guests' pages are that have left the memory: a whole
 * disk, in places of a page each, from its first sector on. What is in it means nothing when the machine ends.
 *
 * WA1  The disk is alone at its channel, or its neighbour is nobody's: nobody else's command may come in between.
 * WA2  Commands are begun, their ends are noticed, the channel's buffer is touched, and what is done with what was read
 *      or written is done, with swap_lock() held. Who holds it waits for the disk and for nothing else.
 * WA3  A place is taken by one page at a time. An area that fails to be written takes no more; what is in it can still
 *      be read.
 * WA4  One command is under way at a time. Its end is noticed once: by the interrupt's handler, or by who waits with
 *      the lock held; and what follows from it is done before anybody who waited for that has his turn. */
#ifndef VELLUM_VM_MEMORY_SWAP_H
#define VELLUM_VM_MEMORY_SWAP_H

#include "lib/base.h"

#define SWAP_MOST 64 /* pages in one command */

/* Makes the disk at a place of the machine's (config_disk_place()) the area; disks have been looked for. Up to so many
 * frames are for pages of it that are packed (packed.h). NULL, or one clause: why not. */
const char *swap_begin(const char *place, uint64_t packed_frames);
/* There is none from now on, and no page is in it. */
void swap_end(void);
/* Places that are free, 0 if it is not to be written to any more; and all that there are, 0: there is no area. Any CPU,
 * with any lock held. */
uint64_t swap_room(void);
uint64_t swap_places(void);
bool swap_failed(void);

void swap_lock(void);
void swap_unlock(void);

/* Is a command under way? Any CPU, with any lock held; this and the next. */
bool swap_is_busy(void);
/* How many have been begun: a vCPU that has this as .swap_awaited has its next turn when as many have ended. */
uint64_t swap_await(void);
/* The disk says that the command which was under way has ended (disk_event); is it the channel of the area? */
void swap_event(bool good);
bool swap_has_channel(unsigned channel);

/* What follows, but for swap_release(), with the lock held. Takes up to n places in one row, from *first on: how many,
 * 0 if there is none. */
unsigned swap_take(unsigned n, uint64_t *first);
/* The channel's buffer, of SWAP_MOST pages. */
void *swap_buffer(void);
/* Begins to write it to places, or to read it from there, while nothing is under way; done(), with the lock held, is
 * told the end, also before these return; it may begin another. Until then the buffer is the disk's. */
void swap_write(uint64_t first, unsigned n, void (*done)(bool good));
void swap_read(uint64_t first, unsigned n, void (*done)(bool good));
/* Waits until nothing is under way. */
void swap_finish(void);
/* Where there is no room to pack so many pages, and nothing is under way, the oldest that are packed begin to be
 * written to their places. Without the lock. */
void swap_make_room(unsigned pages);
/* The place is nobody's again. */
void swap_release(uint64_t place);

#endif
