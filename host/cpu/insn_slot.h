/* host/cpu/insn_slot.h - one instruction that is made at run time, on this CPU: how the instruction emulator has the
 * guest's FPU and vector instructions carried out (emulate/native.h).
 *
 * Each CPU has a slot in the hypervisor's code. Code is never mapped writable: the slot is filled with CR0.WP clear,
 * which lets this CPU, and it alone, write to it for the length of a copy; interrupts are off.
 *
 * IS1  What is in a slot is one instruction and a return; no other CPU executes or writes it.
 * IS2  An exception of the instruction ends insn_run(), not the hypervisor. */
#ifndef VELLUM_HOST_INSN_SLOT_H
#define VELLUM_HOST_INSN_SLOT_H

#include "host/trap/interrupt.h"

#define INSN_LENGTH_MAX 16

/* Registers before and after; insn_slot_entry.S knows the layout. */
struct insn_registers {
	uint64_t rax, rcx, rdx, rbx;
	uint64_t rflags; /* the status flags */
	uint64_t rdi;    /* before only */
	uint64_t rip;    /* after: where the instruction was */
};

/* Runs the instruction code[0..length), which may change the FPU and vector registers, the registers above, and memory
 * at (%rdi). Returns 0, or the vector of the exception that it raised: then *s holds nothing new. */
unsigned insn_run(const uint8_t *code, unsigned length, struct insn_registers *s);

/* The interrupt dispatcher's: was it a slot's instruction that faulted? Then the frame now leads out of insn_run(). */
bool insn_faulted(struct interrupt_frame *f);

#endif
