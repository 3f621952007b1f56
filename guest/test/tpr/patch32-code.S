/* A page of instructions that access the TPR, as a kernel has them: the value in ECX and EAX, the result in EAX; and
 * copies of it behind each other, with the same offsets. */
#include "lib/apic.h"

#define TPR (LAPIC_DEFAULT_BASE + APIC_TPR)
	.text
	.balign	4096
	.globl	patch_code, code_read, code_read_ecx, code_push, code_write_eax, code_write_ecx, code_write_imm
	.globl	code_and, code_or, code_sti, code_behind_sti, code_relative, code_end
	.globl	code_push_odd, code_push_odd_relative, code_push_across
	.macro	page n
code_read\n:
	.byte	0xa1
	.long	TPR
	ret
code_read_ecx\n:
	pushl	%ecx
	movl	TPR, %ecx
	movl	%ecx, %eax
	popl	%ecx
	ret
code_push\n:
	pushl	TPR
	popl	%eax
	ret
code_write_eax\n:
	.byte	0xa3
	.long	TPR
	ret
code_write_ecx\n:
	movl	%ecx, TPR
	ret
code_write_imm\n:
	movl	$0x50, TPR
	ret
code_and\n:
	andl	$0x70, TPR
	ret
code_or\n:
	orl	%ecx, TPR
	ret
	/* behind an STI, or not */
code_sti\n:
	sti
code_behind_sti\n:
	movl	%ecx, TPR
	cli
	ret
	/* not in the set: always by another way */
code_relative\n:
	movl	$LAPIC_DEFAULT_BASE, %eax
	movl	APIC_TPR(%eax), %eax
	ret
	/* to a stack that is not aligned, and to one whose next element begins in the page before */
code_push_odd\n:
	decl	%esp
	pushl	TPR
	popl	%eax
	incl	%esp
	ret
code_push_odd_relative\n:
	movl	$LAPIC_DEFAULT_BASE, %eax
	subl	$3, %esp
	pushl	APIC_TPR(%eax)
	popl	%eax
	addl	$3, %esp
	ret
code_push_across\n:
	pushl	%ecx
	movl	%esp, %ecx
	movl	$LAPIC_DEFAULT_BASE, %eax
	movl	$across + 4096 + 2, %esp
	pushl	APIC_TPR(%eax)
	popl	%eax
	movl	%ecx, %esp
	popl	%ecx
	ret
	.endm
patch_code:
	page
code_end:
	.irp	n, _1, _2, _3, _4, _5, _6
	.balign	4096
	page \n
	.endr
	.balign	4096
	.section .note.GNU-stack, "", @progbits
