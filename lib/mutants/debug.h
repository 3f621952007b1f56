/* lib/mutants/debug.h - the mutants of vm/debug/ and of a debugger's requests (lib/mutants/mutate.h). */
#ifndef VELLUM_LIB_MUTANTS_DEBUG_H
#define VELLUM_LIB_MUTANTS_DEBUG_H

#define VM_MUTANTS_DEBUG(M) \
	M(DEBUG_HOLDS, "holding the other virtual CPUs while one steps alone") \
	M(DEBUG_CLEARS_TF, "taking back the single-step flag that a step has set") \
	M(DEBUG_DR_READ, "the guest's own value of a debug register that the debugger has") \
	M(DEBUG_DR_WRITE, "keeping what the guest writes to it") \
	M(DEBUG_GUEST_FIRST, "leaving debug registers alone that the guest uses") \
	M(DEBUG_WRITTEN, "that what the guest has written over a breakpoint stays") \
	M(DEBUG_RESTORES, "the guest's byte in place of a breakpoint that is removed") \
	M(DEBUG_HIDES, "the guest's byte where a debugger reads a breakpoint's place") \
	M(DEBUG_STAYS, "a breakpoint where a debugger has written") \
	M(DEBUG_NO_INTERRUPT, "holding interrupts back for a step") \
	M(DEBUG_RIP, "the end of a step that the hypervisor has made for the guest") \
	M(DEBUG_INT3, "that INT3 is the guest's where the debugger has put none") \
	M(DEBUG_LEAVES, "the guest's part of a debug exception") \
	M(DEBUG_RIP_CHECK, "refusing an RIP that VM entry would refuse") \
	M(DEBUG_FLAGS_EXTERNAL, "IF of who gets an interrupt") \
	M(DEBUG_FLAGS_STI, "that nothing is blocked by STI with IF 0") \
	M(DEBUG_FX_CHECK, "refusing what is no register of x87 or SSE") \
	M(DEBUG_YMM_UNUSED, "zeroes for what the guest has not used of AVX") \
	M(DEBUG_YMM_CHECK, "refusing what is no register of AVX") \
	M(DEBUG_YMM_REST, "zeroes in the other registers where one of AVX is first set") \
	M(DEBUG_YMM_USED, "that a register of AVX that was set is in use") \
	M(DEBUG_MXCSR, "the reserved bits of MXCSR") \
	M(DEBUG_ATTACHED, "that who has not attached may not debug") \
	M(DEBUG_STOPPED, "refusing what needs a virtual machine that stands still") \
	M(REQUEST_BYTES, "the number of bytes in a request") \
	M(REQUEST_DEBUG_COUNT, "the number of words behind a debugger's word")

#endif
