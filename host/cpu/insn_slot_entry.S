/* host/cpu/insn_slot_entry.S - into a slot and out of it (host/cpu/insn_slot.h). */
#include "lib/x86.h"

#define STATE_RAX 0
#define STATE_RCX 8
#define STATE_RDX 16
#define STATE_RBX 24
#define STATE_RFLAGS 32
#define STATE_RDI 40

/* unsigned insn_enter(struct insn_registers *s, const void *slot) */
	.text
	.code64
	.globl insn_enter
insn_enter:
	pushq %rbx
	pushq %rdi
	pushfq
	popq %rax
	andq $~RFLAGS_STATUS, %rax
	movq STATE_RFLAGS(%rdi), %rcx
	andq $RFLAGS_STATUS, %rcx
	orq %rcx, %rax
	pushq %rax
	movq STATE_RAX(%rdi), %rax
	movq STATE_RCX(%rdi), %rcx
	movq STATE_RDX(%rdi), %rdx
	movq STATE_RBX(%rdi), %rbx
	movq STATE_RDI(%rdi), %rdi
	popfq
	call *%rsi
	movq (%rsp), %rdi
	movq %rax, STATE_RAX(%rdi)
	movq %rcx, STATE_RCX(%rdi)
	movq %rdx, STATE_RDX(%rdi)
	movq %rbx, STATE_RBX(%rdi)
	pushfq
	popq STATE_RFLAGS(%rdi)
	xorl %eax, %eax
	popq %rdi
	popq %rbx
	ret

/* insn_faulted() leads here, with the vector in EAX and the slot's return address on the stack. */
	.globl insn_fault
insn_fault:
	addq $8, %rsp
	popq %rdi
	popq %rbx
	ret

/* One slot of 64 bytes for each of 256 CPUs, on pages of their own; INT3 where there is nothing. */
	.section .text.insn_slots, "ax", @progbits
	.balign 4096
	.globl insn_slots
insn_slots:
	.fill 4 * 4096, 1, 0xcc
