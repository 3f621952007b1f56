/* The second CPU from its start-up IPI to C, and its interrupts, with 64 bits: irql-second.c. */
#include "../../lib/x86_msr.h"
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
	movl	$MSR_EFER, %ecx
	rdmsr
	orl	$EFER_LME, %eax
	wrmsr
	movl	second_cr0, %eax
	movl	%eax, %cr0
	ljmp	$0x18, $1f
	.code64
1:	movq	$second_stack_top, %rsp
	lidt	second_idtr
	call	second_main
2:	cli
	hlt
	jmp	2b

	.macro	second_stub class
second_stub_\class:
	pushq	$(\class << 4 | SECOND_KIND)
	jmp	second_common
	.endm
	.irp	class, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15
	second_stub \class
	.endr
second_common:
	push_registers64
	cld
	movq	120(%rsp), %rdi
	movq	%rsp, %rbp
	andq	$-16, %rsp
	call	second_interrupt
	movq	%rbp, %rsp
	pop_registers64
	addq	$8, %rsp
	iretq

	.data
	.balign 8
	.globl	second_stubs
second_stubs:
	.irp	class, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15
	.quad	second_stub_\class
	.endr
	.bss
	.balign	16
	.skip	16384
second_stack_top:
	.section .note.GNU-stack, "", @progbits
