/* vm/exit/skip.h - past an instruction that has exited: the part that its handlers have inline. */
#ifndef VELLUM_VM_EXIT_SKIP_H
#define VELLUM_VM_EXIT_SKIP_H

#include "vm/vm.h"

#include "lib/mutants/mutate.h"

/* Outside 64-bit code EIP has 32 bits: behind the end of the 4 GiB comes their beginning, and VM entry refuses any
 * other value. In 64-bit code RIP may become non-canonical by its lowest sign bit alone, which VM entry allows and the
 * guest's next fetch answers (SDM, "Checks on Guest RIP, RFLAGS, and SSP"). RF is 0 already: the exit of an instruction
 * saves it so ("Saving RIP, RSP, RFLAGS, and SSP"). rip: of what is behind the instruction. */
static ALWAYS_INLINE void exit_skip_to(struct vcpu *v, uint64_t rip, uint64_t rflags)
{
	uint64_t blocking = hvm_blocking(&v->hvm);

	if (unlikely((uint32_t)rip < INSTRUCTION_LENGTH_MAX) && !hvm_in_64bit_code(&v->hvm))
		VM_MUTANT(SKIP_WRAP, rip = (uint32_t)rip);
	hvm_set_rip(&v->hvm, rip);
	/* Both last for one instruction. */
	if (VM_KEPT(SKIP_BLOCKING, unlikely(blocking & (BLOCKING_STI | BLOCKING_MOV_SS))))
		hvm_set_blocking(&v->hvm, blocking & ~(BLOCKING_STI | BLOCKING_MOV_SS));
	/* The single-step trap that the instruction would have caused; IA32_DEBUGCTL.BTF is never set. */
	if (VM_KEPT(SKIP_STEP, unlikely(rflags & RFLAGS_TF)))
		hvm_set_pending_debug(&v->hvm, hvm_pending_debug(&v->hvm) | PENDING_DEBUG_BS);
}

/* The same of one whose access of data exited as a fault does, and was made for it: its RFLAGS are saved with RF set
 * (SDM, "Saving RIP, RSP, RFLAGS, and SSP"). */
static ALWAYS_INLINE void exit_skip_access_to(struct vcpu *v, uint64_t rip, uint64_t rflags)
{
	if (VM_KEPT(SKIP_RF, rflags & RFLAGS_RF))
		hvm_set_rflags(&v->hvm, rflags & ~RFLAGS_RF);
	exit_skip_to(v, rip, rflags);
}

#endif
