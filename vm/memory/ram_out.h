/* vm/memory/ram_out.h - pages of a guest's RAM that leave the memory for a while: nothing is kept of those that are all
 * zero, the others go to the area on a disk (swap.h). And how they come back.
 *
 * RO1  A page that is to go is first said to be going, then unmapped: nobody reaches its frame from then on. Only then
 *      is it read.
 * RO2  It keeps its frame until its content is in the area. Who asks for it meanwhile has it back at once, as it was,
 *      and what was written to the area counts for nothing: whoever takes a page looks again, with the lock held,
 *      whether it is still going.
 * RO3  What is in the area is looked for, and begun to be read, in one hold of swap_lock(), and nothing else is read or
 *      written until that has ended (WA4). Then, with the lock held, only what is in the same place still is put in
 *      its own: so two that want the same page bring it in once, and nobody gets what has become another's.
 * RO4  A page is aged by a mark, and where its mechanism and CPU have accessed flags by clearing those of its leaves
 *      (mmu_age(), S23), else by unmapping it. Whoever maps it again, or accesses it for the guest, takes the mark
 *      away, and so does who finds the flag set. One that still has the mark then has not been used since.
 * RO5  A page in a shared frame goes by itself, to a place of its own, and the frame has counted it until it is there:
 *      so the frame stays as it is, and is free when the last that share it have left. A page that is protected and
 *      lies in its own frame is about to be merged, and stays. */
#ifndef VELLUM_VM_MEMORY_RAM_OUT_H
#define VELLUM_VM_MEMORY_RAM_OUT_H

#include "vm/memory/ram.h"

#define RAM_GROUP 32 /* pages that the clock looks at together, aligned */
#define RAM_AHEAD 32 /* pages that come back with the one that is asked for, at most */

struct ram_going {
	gfn_t gfn;
	hfn_t frame;
};

/* These ask for what RA2 says. */

/* The pages from gfn on, up to the end of their group, or of their block where that is in one piece, are aged; with
 * shared, those too that lie in one frame with others (RO5). How many that are, in memory or not. */
unsigned ram_age(struct ram *r, gfn_t gfn, bool shared);
/* Of the same pages, those that are still aged are going from now on: up to most of them, *n in all, are in list. */
unsigned ram_take(struct ram *r, gfn_t gfn, bool shared, struct ram_going *list, unsigned *n, unsigned most);

/* Of the pages from gfn on, which lie in one block, those that were used since they were aged lose their marks. At any
 * time; the VM need not be frozen. */
void ram_note_used(struct ram *r, gfn_t gfn, unsigned pages);

/* Begins to write pages that are going, when what was under way has ended. At its end their frames are free, if nobody
 * shares them; those that the area does not take stay. With no lock held; the VM is not given back meanwhile. Returns
 * how many have gone, for they were all zero, or are on their way. */
unsigned ram_put_out(struct ram *r, const struct ram_going *list, unsigned n);
/* Nothing of this RAM is on its way from or to the area when it returns, until somebody begins that. */
void ram_settle(const struct ram *r);

enum ram_back {
	RAM_NOT_OUT, /* it is in memory, or nothing */
	RAM_BACK,    /* it has come, or has gone on to be something else */
	RAM_COMES,   /* later, and the fault in whose middle the VM's vCPU is may come again then (reclaim_await()) */
	RAM_SHORT,   /* there is no frame for it */
	RAM_LOST,    /* it cannot be read */
};
enum ram_back ram_bring_back(struct ram *r, gfn_t gfn);
/* Is gfn nothing, and so all zero, as far as this RAM goes? By one look: it may go and come meanwhile. */
bool ram_is_nothing(struct vm *vm, gfn_t gfn);
/* gfn, if it is in the area, is nothing from now on. */
void ram_forget_out(struct ram *r, gfn_t gfn);

#endif
