/* vm/exit/length.h - the length of the instruction that has exited. */
#ifndef VELLUM_VM_EXIT_LENGTH_H
#define VELLUM_VM_EXIT_LENGTH_H

#include "vm/vm.h"

/* By its bytes. 0: they are gone, because another virtual CPU has changed them or what maps them; the guest comes to
 * the same place again. */
unsigned exit_length_by_bytes(struct vcpu *v);

/* While RIP is where the guest was left. */
static ALWAYS_INLINE uint64_t exit_length(struct vcpu *v)
{
	if (hvm_exit_lacks_length(&v->hvm))
		hvm_set_exit_length(&v->hvm, exit_length_by_bytes(v));
	return hvm_exit_length(&v->hvm);
}

#endif
