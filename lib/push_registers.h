/* lib/push_registers.h - for assembly: all registers but RSP on the stack, in the order of the frames in C: R15 lowest.
 * (With 32 bits that is PUSHA.) */
#ifndef VELLUM_LIB_PUSH_REGISTERS_H
#define VELLUM_LIB_PUSH_REGISTERS_H

	.macro	push_registers64
	pushq	%rax
	pushq	%rcx
	pushq	%rdx
	pushq	%rbx
	pushq	%rbp
	pushq	%rsi
	pushq	%rdi
	pushq	%r8
	pushq	%r9
	pushq	%r10
	pushq	%r11
	pushq	%r12
	pushq	%r13
	pushq	%r14
	pushq	%r15
	.endm
	.macro	pop_registers64
	popq	%r15
	popq	%r14
	popq	%r13
	popq	%r12
	popq	%r11
	popq	%r10
	popq	%r9
	popq	%r8
	popq	%rdi
	popq	%rsi
	popq	%rbp
	popq	%rbx
	popq	%rdx
	popq	%rcx
	popq	%rax
	.endm

#endif
