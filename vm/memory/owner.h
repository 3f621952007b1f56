/* vm/memory/owner.h - whose the machine's frames are that hold guests' memory: the reverse map, from a frame to the
 * virtual machine and the guest frame that lies in it.
 *
 * OW1  A frame in which a guest's page lies is that page's alone, or it is shared by as many as are counted. One that
 *      is free, or the hypervisor's own, is nobody's.
 * OW2  A frame is made somebody's before a table can name it, and nobody's after the last flush (S11), before it is
 *      freed.
 *
 * A block of 2 MBytes that is all one guest's has one word here; others have a frame with a word for each of theirs.
 * Any CPU calls, with any lock held; the lock here is a leaf, but for that of the frames. */
#ifndef VELLUM_VM_MEMORY_OWNER_H
#define VELLUM_VM_MEMORY_OWNER_H

#include "host/memory/frames.h"

enum owner_kind {
	OWNER_NOBODY,
	OWNER_PAGE,   /* .vm, .gfn */
	OWNER_SHARED, /* .users pages lie in it, and nobody writes to it */
};

struct frame_owner {
	enum owner_kind kind;
	unsigned vm; /* the number of its place */
	gfn_t gfn;
	uint64_t users;
};

/* Once, before any virtual machine is made. false: there is no memory for it. */
bool owners_init(void);

struct frame_owner owner_of(hfn_t frame);

/* The frame, which was nobody's, is gfn's. false: there is no memory to say so. */
bool owner_set(hfn_t frame, unsigned vm, gfn_t gfn);
/* The same of the FRAMES_BLOCK frames that begin at a multiple of as many, for as many guest frames from gfn on; takes
 * no memory. */
void owner_set_block(hfn_t first, unsigned vm, gfn_t gfn);
/* The block is told of frame by frame from now on. true where it is already. false: there is no memory for that. */
bool owner_split(hfn_t first);
/* It is nobody's again; a block as a whole, whether it was split or not. */
void owner_clear(hfn_t frame);
void owner_clear_block(hfn_t first);

/* A frame that was one page's, of a block that has been split, is shared by users pages from now on. */
void owner_share(hfn_t frame, uint64_t users);
/* One more page lies in the frame. false: it is not shared any more, and nothing has changed. */
bool owner_join(hfn_t frame);
/* gfn, which is one of those that share the frame, leaves it. true: it was the last, and the frame is now its own. */
bool owner_leave(hfn_t frame, unsigned vm, gfn_t gfn);

/* How many frames are shared, and how many pages lie in them. */
struct owner_sums {
	uint64_t frames, pages;
};
struct owner_sums owner_shared(void);

/* How many frames are owned by that virtual machine's pages alone: looks through all of them, for audits. */
uint64_t owner_count(unsigned vm);

#endif
