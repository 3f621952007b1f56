/* 64 bits: the instructions that write and read the TPR: by the APIC's page, by CR8, by the MSR. */
#define TPR_ALIAS 0xfffffffffffe0080
#define MORE_REGISTERS , r8d, r10d, r15d
	/* The arguments are where a way in 32 bits has them. */
	.macro	way_begin
	save_preserved
	movl	%edi, %eax
	movl	%edx, %ecx
	movq	%rsi, %rdx
	.endm
#include "guest/test/irql/irql-ways.h"

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

	.macro	write_at kind, at
	way	\kind, "movabs %eax, \at"
	.endm
	list	ways
	write_at WAY_MMIO|WAY_ALIAS, TPR_ALIAS
	write_absolute WIDE, WAY_MMIO|WAY_ALIAS, TPR_ALIAS
	write_at WAY_MMIO|WAY_FIXED, TPR_USUAL
	write_relative WIDE
	way	WAY_MMIO, "movl %r9d, (%r13)", "movl %eax, %r9d; leaq tpr_offset(%rdx), %r13"
	write_cr8
	write_msr
	list_end

	.macro	read_at kind, at
	look	\kind, "movabs \at, %eax"
	.endm
	list	looks
	read_at WAY_MMIO|WAY_ALIAS, TPR_ALIAS
	read_absolute WIDE, WAY_MMIO|WAY_ALIAS, TPR_ALIAS
	read_at WAY_MMIO|WAY_FIXED, TPR_USUAL
	read_relative WIDE
	read_cr8
	read_msr
	list_end

	ways_data
