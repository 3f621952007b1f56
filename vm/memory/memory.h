/* vm/memory/memory.h - a virtual machine's RAM, as it is made and given back. */
#ifndef VELLUM_VM_MEMORY_MEMORY_H
#define VELLUM_VM_MEMORY_MEMORY_H

#include "vm/vm.h"

/* Is it all taken when the VM is made, to stay where it is (prealloc)? */
static inline bool memory_at_once(const struct vm *vm) { return vm->config->prealloc == CONFIG_ON; }
/* Adds the VM's RAM to its slots. false: the VM has ended, with a sentence. */
bool memory_create(struct vm *vm);
/* OW1, of a run that was taken at once: its first page is e->first pages behind guest frame base. false: no memory. */
bool memory_own(struct vm *vm, const struct extent *e, gfn_t base);
/* All that it had of frames for RAM, ROM and the like goes back; nothing is mapped any more. */
void memory_release(struct vm *vm);

#endif
