/* 32 bits: the instructions that write and read the TPR. A way that writes has the value in EAX, the linear address of
 * the APIC's page in EDX, and what the register holds in ECX; one that reads has what it should find in EAX, the page
 * in EDX, and leaves what it found in EAX. */
#define WORD 4
#define TPR_USUAL 0xfee00080
#define TPR_ALIAS 0xfffe0080
	.macro	word_of value
	.long	\value
	.endm
	/* The arguments are where they are wanted (regparm). */
	.macro	way_begin
	save_preserved32
	.endm
	.macro	way_end
	restore_preserved32
	ret
	.endm
#include "guest/test/irql/irql-ways.h"

	/* The low byte of a stack pointer is the value; below it is room for interrupts. */
	.macro	way_by_esp kind, write:req
	list_entry (\kind)|WAY_ALONE, "\write"
	way_begin
	movl	%esp, kept_stack
	leal	spare_stack(%eax), %esp
	\write
	incl	mark
	movl	kept_stack, %esp
	way_end
	.endm
	/* One place of 32 bytes for each class. */
	.macro	way_by_immediate kind, at
	list_entry \kind, "movl $imm, \at"
	way_begin
	leal	8f(%eax,%eax), %eax
	jmp	*%eax
	write_classes \at
9:	way_end
	.endm

	.macro	write_absolute kind, at
	way	\kind, ".byte 0xa3; .long \at"
	way	\kind, ".byte 0x89, 0x05; .long \at"
	.irp	r, ecx, edx, ebx, ebp, esi, edi
	way	\kind, "movl %\r, \at", "movl %eax, %\r"
	.endr
	way_by_esp \kind, "movl %esp, \at"
	way_by_immediate (\kind)|WAY_CLASS, \at
	way	\kind, "movl %eax, %fs:\at"
	way	\kind, "popl \at", "pushl %eax"
	way	\kind, "stosl", "movl $\at, %edi"
	way	(\kind)|WAY_ALONE, "movsl", "movl $\at, %edi; movl %eax, kept_value; movl $kept_value, %esi"
	way	\kind, "rep stosl", "movl $\at, %edi; movl $1, %ecx"
	write_changes \kind, \at
	.endm

	.macro	write_relative
	way	WAY_MMIO, "movl %eax, tpr_offset(%edx)"
	way	WAY_MMIO, "movl %ecx, (%edx)", "movl %eax, %ecx; addl $tpr_offset, %edx"
	way	WAY_MMIO, "movl %eax, 0x40(%edx)", "addl $0x40, %edx"
	way	WAY_MMIO, "movl %esi, (%edx,%ecx,4)", "movl %eax, %esi; movl $0x20, %ecx"
	way	WAY_MMIO, "movl %eax, -8(%ebx,%ecx,8)", "leal 0x48(%edx), %ebx; movl $8, %ecx"
	way_by_esp WAY_MMIO, "movl %esp, tpr_offset(%edx)"
	way_by_immediate WAY_MMIO|WAY_CLASS, "tpr_offset(%edx)"
	way	WAY_MMIO, "popl tpr_offset(%edx)", "push %eax"
	write_changes WAY_MMIO, "tpr_offset(%edx)"
	.endm

	list	ways
	write_absolute WAY_MMIO|WAY_FIXED, TPR_USUAL
	write_absolute WAY_MMIO|WAY_ALIAS, TPR_ALIAS
	write_relative
	way	WAY_MSR, "wrmsr", "movl $x2apic_tpr, %ecx; xorl %edx, %edx"
	list_end

	.macro	read_absolute kind, at
	look	\kind, ".byte 0xa1; .long \at"
	look	\kind, ".byte 0x8b, 0x05; .long \at"
	.irp	r, ecx, edx, ebx, ebp, esi, edi
	look	\kind, "movl \at, %\r", "", "movl %\r, %eax"
	.endr
	look	\kind, "movl %fs:\at, %eax"
	look	\kind, "pushl \at", "", "popl %eax"
	look	\kind, "lodsl", "movl $\at, %esi"
	look	\kind, "movsl", "pushl %eax; movl $\at, %esi; movl %esp, %edi", "popl %eax"
	look	\kind, "scasl", "movl $\at, %edi", "equal_or_not"
	look	\kind, "imull $1, \at, %eax"
	read_values \kind, \at
	.endm

	list	looks
	read_absolute WAY_MMIO|WAY_FIXED, TPR_USUAL
	read_absolute WAY_MMIO|WAY_ALIAS, TPR_ALIAS
	look	WAY_MMIO, "movl tpr_offset(%edx), %eax"
	look	WAY_MMIO, "pushl tpr_offset(%edx)", "", "popl %eax"
	look	WAY_MMIO, "movl (%edx,%ecx,4), %esi", "movl $0x20, %ecx", "movl %esi, %eax"
	read_values WAY_MMIO, "tpr_offset(%edx)"
	look	WAY_MSR, "rdmsr", "movl $x2apic_tpr, %ecx; orl $-1, %edx", "orl %edx, %eax"
	list_end

	.bss
	.balign	4096
	.skip	16384
spare_stack:
	.skip	256
kept_stack:
	.skip	4
kept_value:
	.skip	4
	.section .note.GNU-stack, "", @progbits
