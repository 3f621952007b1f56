/* vm/memory/share.h - what one virtual machine may take of the machine's memory beside others (RA4 in
 * vm/memory/ram.h). */
#ifndef VELLUM_VM_MEMORY_SHARE_H
#define VELLUM_VM_MEMORY_SHARE_H

#include "vm/memory/ram.h"

/* RAM begins, and is over. */
void share_join(struct ram *r);
void share_leave(struct ram *r);
/* So many pages more of somebody's RAM are not in memory. */
void share_note(int64_t pages);
/* May the VM take so many frames now? */
bool share_allows(const struct vm *vm, uint64_t frames);

#endif
