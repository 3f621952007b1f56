/* 64 bits: the instructions that write and read the TPR: by the APIC's page, by CR8, by the MSR. A way that writes has
 * the value in EAX, the linear address of the APIC's page in RDX, and what the register holds in ECX; one that reads
 * has what it should find in EAX, the page in RDX, and leaves what it found in EAX. */
#define WORD 8
#define TPR_ALIAS 0xfffffffffffe0080
	.macro	word_of value
	.quad	\value
	.endm
	/* The arguments are where a way in 32 bits has them. */
	.macro	way_begin
	save_preserved64
	movl	%edi, %eax
	movl	%edx, %ecx
	movq	%rsi, %rdx
	.endm
	.macro	way_end
	restore_preserved64
	ret
	.endm
#include "guest/test/irql/irql-ways.h"

	/* The low byte of a stack pointer is the value; below it is room for interrupts. */
	.macro	way_by_esp kind, write:req
	list_entry (\kind)|WAY_ALONE, "\write"
	way_begin
	movq	%rsp, kept_stack
	leaq	spare_stack(%rax), %rsp
	\write
	incl	mark
	movq	kept_stack, %rsp
	way_end
	.endm
	/* One place of 32 bytes for each class. */
	.macro	way_by_immediate kind, at
	list_entry \kind, "movl $imm, \at"
	way_begin
	leaq	8f(%rax,%rax), %rax
	jmp	*%rax
	write_classes \at
9:	way_end
	.endm

	.macro	write_absolute kind, at
	way	\kind, "movabs %eax, \at"
	.irp	r, ecx, edx, ebx, ebp, esi, edi, r8d, r10d, r15d
	way	\kind, "movl %\r, \at", "movl %eax, %\r"
	.endr
	way_by_esp \kind, "movl %esp, \at"
	way_by_immediate (\kind)|WAY_CLASS, \at
	way	\kind, "movl %eax, %fs:\at"
	way	\kind, "stosl", "movq $\at, %rdi"
	way	(\kind)|WAY_ALONE, "movsl", "movq $\at, %rdi; movl %eax, kept_value; movq $kept_value, %rsi"
	way	\kind, "rep stosl", "movq $\at, %rdi; movl $1, %ecx"
	write_changes \kind, \at
	.endm

	.macro	write_relative
	way	WAY_MMIO, "movl %eax, tpr_offset(%rdx)"
	way	WAY_MMIO, "movl %ecx, (%rdx)", "movl %eax, %ecx; addq $tpr_offset, %rdx"
	way	WAY_MMIO, "movl %eax, 0x40(%rdx)", "addq $0x40, %rdx"
	way	WAY_MMIO, "movl %esi, (%rdx,%rcx,4)", "movl %eax, %esi; movl $0x20, %ecx"
	way	WAY_MMIO, "movl %eax, -8(%rbx,%rcx,8)", "leaq 0x48(%rdx), %rbx; movl $8, %ecx"
	way_by_esp WAY_MMIO, "movl %esp, tpr_offset(%rdx)"
	way_by_immediate WAY_MMIO|WAY_CLASS, "tpr_offset(%rdx)"
	write_changes WAY_MMIO, "tpr_offset(%rdx)"
	.endm

	.macro	write_cr8
	.irp	r, rax, rcx, rdx, rbx, rbp, rsi, rdi, r8, r9, r10, r11, r12, r13, r14, r15
	way	WAY_CR8|WAY_CLASS, "movq %\r, %cr8", "shrl $4, %eax; movq %rax, %\r"
	.endr
	.endm
	.macro	read_cr8
	.irp	r, rax, rcx, rdx, rbx, rbp, rsi, rdi, r8, r9, r10, r11, r12, r13, r14, r15
	look	WAY_CR8, "movq %cr8, %\r", "", "movq %\r, %rax; shll $4, %eax"
	.endr
	.endm

	list	ways
	write_absolute WAY_MMIO|WAY_ALIAS, TPR_ALIAS
	way	WAY_MMIO|WAY_FIXED, "movabs %eax, 0xfee00080"
	write_relative
	way	WAY_MMIO, "movl %r9d, (%r13)", "movl %eax, %r9d; leaq tpr_offset(%rdx), %r13"
	write_cr8
	way	WAY_MSR, "wrmsr", "movl $x2apic_tpr, %ecx; xorl %edx, %edx"
	list_end

	.macro	read_absolute kind, at
	look	\kind, "movabs \at, %eax"
	.irp	r, ecx, edx, ebx, ebp, esi, edi, r8d, r10d, r15d
	look	\kind, "movl \at, %\r", "", "movl %\r, %eax"
	.endr
	look	\kind, "movl %fs:\at, %eax"
	look	\kind, "lodsl", "movq $\at, %rsi"
	look	\kind, "movsl", "pushq %rax; movq $\at, %rsi; movq %rsp, %rdi", "popq %rax"
	look	\kind, "scasl", "movq $\at, %rdi", "equal_or_not"
	look	\kind, "imull $1, \at, %eax"
	read_values \kind, \at
	.endm

	list	looks
	read_absolute WAY_MMIO|WAY_ALIAS, TPR_ALIAS
	look	WAY_MMIO|WAY_FIXED, "movabs 0xfee00080, %eax"
	look	WAY_MMIO, "movl tpr_offset(%rdx), %eax"
	look	WAY_MMIO, "movl (%rdx,%rcx,4), %esi", "movl $0x20, %ecx", "movl %esi, %eax"
	read_values WAY_MMIO, "tpr_offset(%rdx)"
	read_cr8
	look	WAY_MSR, "rdmsr", "movl $x2apic_tpr, %ecx; orl $-1, %edx", "orl %edx, %eax"
	list_end

	.bss
	.balign	4096
	.skip	16384
spare_stack:
	.skip	256
kept_stack:
	.skip	8
kept_value:
	.skip	4
	.section .note.GNU-stack, "", @progbits
