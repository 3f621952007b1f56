/* The second CPU of irql, in assembly language: what its beginning and its interrupts have in common with 32 and with
 * 64 bits. */
#include "guest/test/base/entry.h"
#include "guest/test/irql/irql-second.h"

	/* From the start-up IPI, which begins a copy of this, to 32 bits, with the first CPU's CR4 and CR3. */
	.macro	second_from_real_mode
	from_real_mode second
	movl	second_cr4, %eax
	movl	%eax, %cr4
	movl	second_cr3, %eax
	movl	%eax, %cr3
	.endm

	/* On a stack of its own; it does not return. */
	.macro	second_goes_on
	lidt	second_idtr
	call	second_main
9:	cli
	hlt
	jmp	9b
	.endm

	/* One for each priority class that it is sent: it pushes the vector, and goes on at second_common. */
	.macro	second_stub class
second_stub_\class:
	push	$(\class << 4 | SECOND_KIND)
	jmp	second_common
	.endm
	.macro	each_class what
	.irp	class, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15
	\what	\class
	.endr
	.endm

	/* What all of them go on at; and where they are, as C knows pointers, and the stack. */
	.macro	second_interrupts
	each_class second_stub
second_common:
	push_registers
	cld
	call_with second_interrupt, (FRAME_REGISTERS * WORD)(XSP)
	pop_registers
	add	$WORD, XSP
	iret_word

	.macro	second_stub_at class
	word_of	second_stub_\class
	.endm
	.data
	.balign 8
	.globl	second_stubs
second_stubs:
	each_class second_stub_at
	.bss
	.balign	16
	.skip	16384
second_stack_top:
	.section .note.GNU-stack, "", @progbits
	.endm
