/* vm/memory/reclaim.h - who gives memory back when little is left, and which pages: those that have not been used for
 * longest.
 *
 * RC1  Below the low mark of free frames, guests' pages leave the memory (ram_out.h) until the high one; below the
 *      least mark nobody who has just taken one enters its guest before that has been tried, and, where pages are on
 *      their way, before these have gone. So who takes memory finds some, and the hypervisor's own reserve (RAM_KEPT)
 *      stays. Up to 64 pages are on their way at a time; their end begins the next, up to the high mark.
 * RC2  Whose pages go is decided anew for each few (share_victim()); which of them by a clock with two hands for each
 *      VM: the first one ages pages, the second one, a round behind it, takes those that are aged still. The first one
 *      begins at the watch mark, well above the low one: so that what is used has been used when pages are taken.
 * RC3  One CPU at a time does so, with no lock held but the reclaimer's; who waits for that has parked its vCPU (FZ3).
 *      A VM's RAM is given back with that lock, too.
 * RC4  Where nothing can go, and nothing is on its way, one VM ends, with a sentence: the one that is most above its
 *      share.
 * RC5  Pages that share a frame go only where no others can: each asks for a place, and the frame is free when all of
 *      them have gone. */
#ifndef VELLUM_VM_MEMORY_RECLAIM_H
#define VELLUM_VM_MEMORY_RECLAIM_H

#include "vm/memory/ram.h"

struct vcpu;

#define REQUEST_RECLAIM BIT(10) /* little memory is left, or was a moment ago; beside those of vm/vm.h */

/* Once, when there is an area to swap to (swap.h). */
void reclaim_init(void);
/* Are there so many frames to spare that nobody has to give back? true also where there is no area. */
bool reclaim_spares(uint64_t frames);
/* May so many be taken without anybody having to wait? */
bool reclaim_affords(uint64_t frames);
/* May the VM take 2 MBytes at once? */
bool reclaim_spares_block(const struct vm *vm);
/* A page of the VM's has been asked for: somebody looks after the marks before a guest is next entered. With any lock
 * held. */
void reclaim_note(struct vm *vm);
/* The VM has got no frame for a page, in the middle of a fault of the vCPU that this CPU runs. true: that fault may
 * come again, after somebody has given back. */
bool reclaim_can_wait(const struct vm *vm);
/* Is this CPU in the middle of a fault of a vCPU of the VM's, which may come again later? */
bool reclaim_may_await(const struct vm *vm);
/* That vCPU has its next turn when what is under way to or from the area has ended. */
void reclaim_await(void);
/* What was under way has ended, says the disk: who left off for that goes on. With no lock held. */
void reclaim_go_on(void);
/* Serves REQUEST_RECLAIM of a vCPU of this CPU. Returns what else is to be served: REQUEST_SWITCH where it has to wait
 * until some have gone. */
uint64_t reclaim_serve(struct vcpu *v);
/* The same where no vCPU need be: between two pieces of what is written to a VM's memory, with no lock held. */
void reclaim_look(void);
/* The same, but nobody ends for it. */
void reclaim_more(void);
/* RAM is given back: between these two nobody takes pages of anybody's. With no lock held. */
void reclaim_hold(void);
void reclaim_let_go(void);
/* Has somebody got that lock? */
bool reclaim_is_held(void);

#endif
