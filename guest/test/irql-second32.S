/* The second CPU from its start-up IPI to C, and its interrupts, with 32 bits: irql-second.c. */
#include "entry.h"
#include "irql-second.h"

	.data
	.globl	second_begin, second_end
	.code16
second_begin:
	cli
	movw	%cs, %ax
	movw	%ax, %ds
	lgdtl	second_gdtr - second_begin
	movl	%cr0, %eax
	andl	$~(CR0_CD | CR0_NW), %eax
	orl	$CR0_PE, %eax
	movl	%eax, %cr0
	ljmpl	$0x08, $second_protected
second_gdtr:
	.word	0x3f
	.long	gdt
second_end:

	.text
	.code32
second_protected:
	movw	$0x10, %ax
	movw	%ax, %ss
	load_data_segments
	movl	second_cr4, %eax
	movl	%eax, %cr4
	movl	second_cr3, %eax
	movl	%eax, %cr3
	movl	second_cr0, %eax
	movl	%eax, %cr0
	movl	$second_stack_top, %esp
	lidt	second_idtr
	call	second_main
1:	cli
	hlt
	jmp	1b

	.macro	second_stub class
second_stub_\class:
	pushl	$(\class << 4 | SECOND_KIND)
	jmp	second_common
	.endm
	.irp	class, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15
	second_stub \class
	.endr
second_common:
	pushal
	cld
	pushl	32(%esp)
	call	second_interrupt
	addl	$4, %esp
	popal
	addl	$4, %esp
	iretl

	.data
	.balign 4
	.globl	second_stubs
second_stubs:
	.irp	class, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15
	.long	second_stub_\class
	.endr
	.bss
	.balign	16
	.skip	16384
second_stack_top:
	.section .note.GNU-stack, "", @progbits
