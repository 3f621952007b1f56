/* vm/snapshot/exchange.h - the machine's own disk, by which the memory of a virtual machine leaves for a snapshot: page
 * n of its RAM is at byte n * 4096, its display's memory behind that, and what was never written there is zero
 * (docs/snapshot.md).
 *
 *   EX1  One virtual machine has it at a time, from when it begins until it ends or is over.
 *   EX2  What was begun goes on by itself, on the CPU that the disk's interrupts come to; with the device lock held it
 *        finds the next pages, and no more than a request's. A page is off the list before it is read (SN1). */
#ifndef VELLUM_VM_EXCHANGE_H
#define VELLUM_VM_EXCHANGE_H

#include "lib/base.h"

#define EXCHANGE_PAGES 64u /* of a request: a buffer of the controller's */

struct vm;

/* Before any VM is made: the disk at this place (CONFIG_DISK_PLACES), NULL: there is to be none. NULL, or one
 * sentence. */
const char *exchange_begin(const char *place);
/* Is there one, and has the VM it (EX1)? */
bool exchange_is(void);
bool exchange_taken(const struct vm *vm);
/* The VM has it from now on. NULL, or one clause that says why not. */
const char *exchange_take(struct vm *vm);
/* All pages that are to leave do so. */
void exchange_send(struct vm *vm);
/* Is that over? *failed: the disk could not take some. */
bool exchange_sent(struct vm *vm, bool *failed);
/* Whatever is under way is taken back. With no lock held. */
void exchange_drop(struct vm *vm);

#endif
