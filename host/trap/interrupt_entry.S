/* host/trap/interrupt_entry.S - 256 entry points that save the registers as struct interrupt_frame and call
 * interrupt_dispatch(); and a shorter one for kicks. */
#include "lib/push_registers.h"
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

/* A kick has done its work by arriving: what is left is its end. The call changes no register. */
	.globl interrupt_kick
interrupt_kick:
	cld
	call lapic_host_kicked
	iretq

common:
	push_registers64
	cld
	movq %rsp, %rdi
	call interrupt_dispatch
	pop_registers64
	addq $16, %rsp
	iretq
