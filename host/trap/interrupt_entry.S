/* host/trap/interrupt_entry.S - 256 entry points that save the registers as struct interrupt_frame and call
 * interrupt_dispatch(). */
#include "lib/x86.h"

	.text
	.code64

	.macro stub vector
	.balign 16
	.if (\vector < VECTOR_FIRST_INTERRUPT) && (VECTORS_WITH_ERROR & BIT(\vector & 31))
	.else
	pushq $0
	.endif
	pushq $\vector
	jmp common
	.endm

	.balign 16
	.globl interrupt_stubs
interrupt_stubs:
	.set v, 0
	.rept 256
	stub v
	.set v, v + 1
	.endr

common:
	pushq %rax
	pushq %rcx
	pushq %rdx
	pushq %rbx
	pushq %rbp
	pushq %rsi
	pushq %rdi
	pushq %r8
	pushq %r9
	pushq %r10
	pushq %r11
	pushq %r12
	pushq %r13
	pushq %r14
	pushq %r15
	cld
	movq %rsp, %rdi
	call interrupt_dispatch
	popq %r15
	popq %r14
	popq %r13
	popq %r12
	popq %r11
	popq %r10
	popq %r9
	popq %r8
	popq %rdi
	popq %rsi
	popq %rbp
	popq %rbx
	popq %rdx
	popq %rcx
	popq %rax
	addq $16, %rsp
	iretq
