/* vm/memory/ram.h - a guest's RAM: taken from the machine when it is touched, 2 MBytes at a time where there are as
 * many in one piece, else a page; and given back page by page.
 *
 * RA1  A page of RAM is nothing (it was never touched, or was all zero), or it is in a frame that is its own or shared
 *      (OW1), as the reverse map says (owner.h), or in the area (swap.h). What its word says: ram_inside.h.
 * RA2  A page comes at any time, by touch() and populate(). It goes, moves, or becomes read-only, only while the VM
 *      is frozen (vm_freeze()), by the CPU of its boot processor, where control's requests are answered, too: so no
 *      handler has a pointer to it. Devices' accesses go on: those by a block's address are waited for
 *      (mmu_block_gone()), the others hold the heart's lock.
 *      One that only goes (ram_out.h) may be taken by any CPU, which holds the reclaimer's lock.
 * RA3  Who takes a page away makes the backing say so, then unmaps, and then frees its frame (S11, S12).
 * RA4  Who takes memory leaves the others what they are entitled to and have not: of all that there is for guests a
 *      share by weight, but no more than their RAM. So who is short has had its share. A shared frame is nobody's: who
 *      shares it may need one of its own at any time, and is entitled to it still.
 * RA5  Devices write, and get a protected page a frame of its own, while the VM is frozen, too. Who has compared a page
 *      looks again whether it is protected, with the lock held, as it changes where it lies.
 * RA6  A page that is held stays in the frame that it has: somebody writes to it by its address. */
#ifndef VELLUM_VM_MEMORY_RAM_H
#define VELLUM_VM_MEMORY_RAM_H

#include "dev/dev.h"
#include "host/cpu/spinlock.h"
#include "mmu/mmu.h"

/* Guests take no memory when less frames than this are left: the hypervisor's own needs (tables, disks) have them. */
#define RAM_KEPT 256u

struct vm;

struct ram {
	struct backing backing; /* what the slot points to */
	struct vm *vm;          /* NULL: there is no such RAM */
	gfn_t base;
	uint64_t pages;
	struct spinlock lock;      /* for who changes what follows; a leaf but for owners' and frames' */
	struct slot_block *block;  /* by gfn / SLOT_BLOCK_PAGES, from base's on: where what is in one piece lies */
	uint64_t **part;           /* the same: words for the pages of what is not; NULL: nothing of it is in memory */
	uint8_t *piece;            /* the same: is it in one piece? enum ram_piece (ram_inside.h) */
	uint64_t resident;         /* pages in memory */
	uint64_t shared;           /* of them, in shared frames */
	gfn_t held;                /* RA6: so many pages from there on */
	uint64_t held_pages;
	uint64_t swapped;          /* pages in the area (swap.h) */
	struct ram_count {
		uint64_t went, zeroes, came; /* pages: to the area; of zeroes, to nowhere; from the area */
		uint64_t packed, unpacked;   /* of those that went and came, the ones that the disk had no part in */
		uint64_t pack_ticks, unpack_ticks;
		uint64_t joined, join_ticks; /* blocks (ram_join.h) */
	} count;
	uint64_t hand, lead;       /* of the clock (reclaim.h): the next page; how many from there on are aged */
	uint64_t stuck;            /* the pass in which it had none to give */
	uint64_t parts;            /* whole blocks with words, and not in one piece */
	struct ram_joining {       /* ram_join.h; of a VM's first RAM, but for .next: */
		struct timer timer;
		enum { JOIN_IDLE, JOIN_ARMED, JOIN_DUE } state; /* of its alarm */
		uint64_t pause; /* ticks to the next turn */
		uint64_t next;  /* block to be looked at */
	} joining;
	struct ram_coming {        /* ram_elsewhere.h */
		struct spinlock lock; /* above both RAMs' own */
		struct ram *from;     /* NULL: nothing is elsewhere */
		bool left;            /* its guest has left it for this one */
		uint64_t next;        /* page that is brought next */
		uint64_t faults, pushed, kept; /* pages that came because they were wanted, or were brought; of them,
						* those that kept their frames */
	} coming;
	hfn_t room;                /* where .block, .part and .piece are */
	struct ram *next;          /* of another VM: a list of the first ones (RA4) */
};

/* RAM of pages from guest frame base on, none of which is in memory; *slot becomes one of it. false: no memory for
 * its bookkeeping. */
bool ram_init(struct ram *r, struct vm *vm, gfn_t base, uint64_t pages, struct slot *slot);
/* Gives everything back; nothing is mapped any more. */
void ram_release(struct ram *r);
/* The VM's RAM that has gfn; NULL: none, or it was taken at once (prealloc) and stays where it is. */
struct ram *ram_of(struct vm *vm, gfn_t gfn);

/* The pages are held from now on, for good; whatever else was held is not (RA6). They need not be in memory yet: they
 * stay once they are asked for. The VM is frozen, or has not run. */
void ram_hold(struct vm *vm, gfn_t gfn, uint64_t pages);

/* Pages of the VM's RAM that are in memory, what was taken at once among them. */
uint64_t ram_resident(const struct vm *vm);

/* Of these, those that lie in shared frames. */
uint64_t ram_shared(const struct vm *vm);

/* Those that are in the area, and what came of it all. */
uint64_t ram_swapped(const struct vm *vm);
struct ram_count ram_counts(const struct vm *vm);

/* For who merges, on the CPU of the VM's boot processor, where it stays so meanwhile, or with the VM frozen; none of
 * these counts as asking for the page (RO4). The frame of gfn, or HFN_NONE: it is not in memory. */
hfn_t ram_frame(struct ram *r, gfn_t gfn);
/* Is the block of gfn in memory, in one piece? */
bool ram_in_one_piece(const struct ram *r, gfn_t gfn);
/* Is gfn in memory, or on its way out of it, and protected: in a shared frame, where no merge is in its middle? */
bool ram_is_protected(const struct ram *r, gfn_t gfn);

/* What follows asks for RA2. gfn's block is told of page by page, and may be mapped so only: false, there is no memory
 * to do so. Nothing if it is already. */
bool ram_split(struct ram *r, gfn_t gfn);
/* Pages of one block that was split, from gfn on, become read-only (a write gets each a frame of its own, which is the
 * one that it has if nobody shares it): no CPU writes to them when it returns. What is not in memory, or on its way out
 * of it, stays as it is. */
void ram_protect_run(struct ram *r, gfn_t gfn, uint64_t pages);
/* The following are about a page that was protected and lies in a frame of its own. A device may have written to it
 * since: false then, and nothing has changed (RA5). After the first two the page is still mapped as it was: the
 * caller unmaps it (mmu_unmap()), and then the frame that it had is the caller's, to be said to be nobody's and
 * freed. */
/* It lies in frame from now on, which is shared and has counted it (owner_join()). */
bool ram_link(struct ram *r, gfn_t gfn, hfn_t frame);
/* It is nothing, for it was all zero. */
bool ram_forget(struct ram *r, gfn_t gfn);
/* Its frame is shared from now on, by it alone as yet. */
bool ram_offer(struct ram *r, gfn_t gfn);
/* It is as it was before it was protected. */
void ram_unprotect(struct ram *r, gfn_t gfn);
/* gfn, of a block that was split, is nothing any more. Its frame, which no CPU reaches, is the caller's, and nobody's;
 * HFN_NONE: it had none, or others share it still. */
hfn_t ram_drop(struct ram *r, gfn_t gfn);
/* The guest does without the pages from gfn on, which lie in one block of the VM's memory (vm/memory/ram_give.c). Those
 * that come when they are touched are nothing any more. Others stay as they are: of a device, of ROM, or taken at once;
 * and all of a block where there is no memory to tell of it page by page. Returns how many frames became free. With the
 * reclaimer's lock, so that none of them is on its way out (RC3). */
uint64_t ram_give(struct vm *vm, gfn_t gfn, uint64_t pages);

/* Is the reverse map right for all of the VM's RAM (OW1, RA1)? false, and what is not. Nothing runs. */
FOR_TESTS bool ram_audit(struct vm *vm, char *why, size_t size);

#endif
