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

/* Whose turn it is to give memory back, of those whose pages may leave it and that have not been found stuck in this
 * pass (struct ram): one above its limit (*over), else the one that is most above what it is entitled to. With shared,
 * its pages in shared frames count too. NULL: nobody. It is given back only by share_leave(). */
struct vm *share_victim(uint64_t pass, bool shared, bool *over);
/* Who is most above that and has not ended, whether its pages may leave the memory or not; *ending: there is one that
 * has ended, and is about to give all back. */
struct vm *share_greatest(bool *ending);
/* Frames that are the VM's alone, and how many those may be: as many as its RAM has where its description has no
 * limit. */
uint64_t share_held(const struct vm *vm);
uint64_t share_limit(const struct vm *vm);

#endif
