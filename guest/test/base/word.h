/* guest/test/base/word.h - for assembly of both modes: a word, the registers that hold one, and what must be said
 * otherwise with 32 and with 64 bits. An instruction without a suffix is as wide as its register; PUSH, POP, PUSHF and
 * POPF without one are as wide as the mode. */
#ifndef VELLUM_GUEST_TEST_WORD_H
#define VELLUM_GUEST_TEST_WORD_H

#include "lib/push_registers.h"

#ifdef __x86_64__

#define WORD 8
#define WIDE r /* the letter that the registers' names begin with */
#define XAX %rax
#define XCX %rcx
#define XSI %rsi
#define XSP %rsp
#define FRAME_REGISTERS 15 /* words of push_registers */
	.macro	word_of value
	.quad	\value
	.endm
	.macro	iret_word
	iretq
	.endm
	.macro	push_registers
	push_registers64
	.endm
	.macro	pop_registers
	pop_registers64
	.endm
	/* What a function must leave as it is. */
	.macro	save_preserved
	pushq	%rbp
	pushq	%rbx
	pushq	%r12
	pushq	%r13
	pushq	%r14
	pushq	%r15
	.endm
	.macro	restore_preserved
	popq	%r15
	popq	%r14
	popq	%r13
	popq	%r12
	popq	%rbx
	popq	%rbp
	.endm
	/* A function in C, of one argument, on a stack that may be anyhow aligned. RBP is lost. */
	.macro	call_with function, argument
	movq	\argument, %rdi
	movq	%rsp, %rbp
	andq	$-16, %rsp
	call	\function
	movq	%rbp, %rsp
	.endm

#else

#define WORD 4
#define WIDE e
#define XAX %eax
#define XCX %ecx
#define XSI %esi
#define XSP %esp
#define FRAME_REGISTERS 8
	.macro	word_of value
	.long	\value
	.endm
	.macro	iret_word
	iretl
	.endm
	.macro	push_registers
	pushal
	.endm
	.macro	pop_registers
	popal
	.endm
	.macro	save_preserved
	pushl	%ebp
	pushl	%ebx
	pushl	%esi
	pushl	%edi
	.endm
	.macro	restore_preserved
	popl	%edi
	popl	%esi
	popl	%ebx
	popl	%ebp
	.endm
	.macro	call_with function, argument
	pushl	\argument
	call	\function
	addl	$4, %esp
	.endm

#endif

#endif
