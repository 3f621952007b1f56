/* What the entries of the test kernels have in common, in assembly language. The names end in the width that they are
 * for; without one, a macro serves both. */
#include "lib/multiboot.h"
#include "lib/x86.h"

	/* Multiboot 1: page-aligned modules, and memory information. */
	.macro	multiboot_header
	.section .multiboot, "ax"
	.balign	4
	.long	MULTIBOOT_HEADER_MAGIC, MULTIBOOT_ALIGN_MODULES | MULTIBOOT_MEMORY
	.long	-(MULTIBOOT_HEADER_MAGIC + (MULTIBOOT_ALIGN_MODULES | MULTIBOOT_MEMORY))
	.endm

	/* From the loader, with 32 bits. What it promised is kept, for the tests that look at it. */
	.macro	boot_begin
	cli
	movl	%eax, boot_magic
	movl	%ebx, boot_info
	movl	%cr0, %eax
	movl	%eax, boot_cr0
	movl	$stack_top, %esp
	lgdt	gdtr
	.endm

	/* All segments but those of code and stack get the selector in AX. */
	.macro	load_data_segments
	movw	%ax, %ds
	movw	%ax, %es
	movw	%ax, %fs
	movw	%ax, %gs
	.endm

	/* What a function must leave as it is. */
	.macro	save_preserved32
	pushl	%ebp
	pushl	%ebx
	pushl	%esi
	pushl	%edi
	.endm
	.macro	restore_preserved32
	popl	%edi
	popl	%esi
	popl	%ebx
	popl	%ebp
	.endm
	.macro	save_preserved64
	pushq	%rbp
	pushq	%rbx
	pushq	%r12
	pushq	%r13
	pushq	%r14
	pushq	%r15
	.endm
	.macro	restore_preserved64
	popq	%r15
	popq	%r14
	popq	%r13
	popq	%r12
	popq	%rbx
	popq	%rbp
	.endm

	/* All registers but RSP, in the order of the frames in C: r15 lowest. (With 32 bits that is PUSHA.) */
	.macro	push_registers64
	pushq	%rax
	pushq	%rcx
	pushq	%rdx
	pushq	%rbx
	pushq	%rbp
	pushq	%rsi
	pushq	%rdi
	pushq	%r8
	pushq	%r9
	pushq	%r10
	pushq	%r11
	pushq	%r12
	pushq	%r13
	pushq	%r14
	pushq	%r15
	.endm
	.macro	pop_registers64
	popq	%r15
	popq	%r14
	popq	%r13
	popq	%r12
	popq	%r11
	popq	%r10
	popq	%r9
	popq	%r8
	popq	%rdi
	popq	%rsi
	popq	%rbp
	popq	%rbx
	popq	%rdx
	popq	%rcx
	popq	%rax
	.endm

	/* One stub per vector, 16 bytes apart: it pushes the vector behind an error code, 0 where the CPU pushes none,
	 * and goes on at handler. With nmi, that vector goes there at once. */
	.macro	stub handler
	.if	(vector < VECTOR_VC) && (VECTORS_WITH_ERROR & BIT(vector & 31))	/* not those of AMD's CPUs */
	.else
	push	$0
	.endif
	push	$vector
	jmp	\handler
	.endm
	.macro	stubs name, handler, nmi
	.balign	16
	.globl	\name
\name:
	.set	vector, 0
	.rept	256
	.balign	16
	.ifb	\nmi
	stub	\handler
	.else
	.if	vector == VECTOR_NMI
	jmp	\nmi
	.else
	stub	\handler
	.endif
	.endif
	.set	vector, vector + 1
	.endr
	.endm

	/* The GDT's beginning; a test may have more behind it. */
	.macro	common_descriptors
	.quad	0
	.quad	DESCRIPTOR_FLAT_CODE32	/* 0x08 code, 32 bits */
	.quad	DESCRIPTOR_FLAT_DATA	/* 0x10 data */
	.quad	DESCRIPTOR_FLAT_CODE64	/* 0x18 code, 64 bits */
	.quad	DESCRIPTOR_FLAT_DATA | DESCRIPTOR_DPL3	/* 0x20 data, level 3 */
	.quad	DESCRIPTOR_FLAT_CODE32 | DESCRIPTOR_DPL3	/* 0x28 code, 32 bits, level 3 */
	.quad	DESCRIPTOR_FLAT_CODE64 | DESCRIPTOR_DPL3	/* 0x30 code, 64 bits, level 3 */
	.quad	0, 0			/* 0x38 the TSS */
	.endm

	/* The selector of the TSS is 0x38 in both. */
	.macro	define_gdt_load_tr
	.globl	gdt_load_tr
gdt_load_tr:
	movw	$0x38, %ax
	ltr	%ax
	ret
	.endm
