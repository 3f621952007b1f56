/* vm/memory/ram_join.h - blocks of 2 MBytes that were opened, or came page by page, are put together again when all of
 * their pages are in memory and used.
 *
 * JN1  A block is put together when each of its pages is in a frame of its own, may be written, and has no mark of the
 *      clock's (RO4). Its VM is frozen (RA2), nobody takes pages (RC3), and nothing is on its way from or to the area.
 * JN2  Where its frames do not lie one behind the other, its pages are protected on all CPUs and then copied. Whether a
 *      device has written to one since is looked at with the RAM's lock held, as the block comes to lie in the copy
 *      (RA5).
 * JN3  All of it is unmapped before the frames that it had are free.
 * JN4  One block at a time, by an alarm of the VM's clock, and in no more than one part in JOIN_SHARE of the time; only
 *      where the machine has a block in one piece to spare, and as many frames as nobody has to give back for. Not of a
 *      VM whose pages are merged, or whose writes are logged: for these it would be opened again. */
#ifndef VELLUM_VM_MEMORY_RAM_JOIN_H
#define VELLUM_VM_MEMORY_RAM_JOIN_H

#include "vm/memory/reclaim.h"

#define REQUEST_JOIN BIT(12) /* look for blocks to put together; beside those of vm/vm.h */
#define JOIN_SHARE 20u

/* A block of the RAM is told of page by page from now on. With any lock held. */
void ram_join_note(struct ram *r);
/* Serves REQUEST_JOIN if it is among these, on the CPU of the VM's boot processor, with no lock held. */
void ram_join_serve(struct vm *vm, uint64_t requests);
/* Puts the block of gfn together if it can be now; as RA2 says, with the reclaimer's lock. */
FOR_TESTS bool ram_join(struct ram *r, gfn_t gfn);

#endif
