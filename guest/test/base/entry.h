/* What the entries of the test kernels have in common, in assembly language. The names end in the width that they are
 * for; without one, a macro serves both. */
#include "guest/test/base/selectors.h"
#include "lib/multiboot.h"
#include "lib/push_registers.h"
#include "lib/x86.h"
#include "lib/x86_msr.h"

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
	sidt	boot_idt
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

	/* The bit that makes paging IA-32e's. */
	.macro	set_lme
	movl	$MSR_EFER, %ecx
	rdmsr
	orl	$EFER_LME, %eax
	wrmsr
	.endm

	/* Another processor, from its start-up IPI, which begins a copy of what is between \name_begin and \name_end,
	 * to \name_protected: 32 bits, with the first one's GDT, without paging. */
	.macro	from_real_mode name
	.data
	.globl	\name\()_begin, \name\()_end
	.code16
\name\()_begin:
	cli
	movw	%cs, %ax
	movw	%ax, %ds
	lgdtl	\name\()_gdtr - \name\()_begin
	movl	%cr0, %eax
	andl	$~(CR0_CD | CR0_NW), %eax
	orl	$CR0_PE, %eax
	movl	%eax, %cr0
	ljmpl	$SELECTOR_CODE32, $\name\()_protected
\name\()_gdtr:
	.word	SELECTOR_TSS + 7
	.long	gdt
\name\()_end:

	.text
	.code32
\name\()_protected:
	movw	$SELECTOR_DATA, %ax
	movw	%ax, %ss
	load_data_segments
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
	.quad	DESCRIPTOR_FLAT_CODE32	/* SELECTOR_CODE32, and so on */
	.quad	DESCRIPTOR_FLAT_DATA
	.quad	DESCRIPTOR_FLAT_CODE64
	.quad	DESCRIPTOR_FLAT_DATA | DESCRIPTOR_DPL3
	.quad	DESCRIPTOR_FLAT_CODE32 | DESCRIPTOR_DPL3
	.quad	DESCRIPTOR_FLAT_CODE64 | DESCRIPTOR_DPL3
	.quad	0, 0	/* SELECTOR_TSS */
	.endm

	.macro	define_gdt_load_tr
	.globl	gdt_load_tr
gdt_load_tr:
	movw	$SELECTOR_TSS, %ax
	ltr	%ax
	ret
	.endm
