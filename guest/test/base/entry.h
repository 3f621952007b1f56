/* What the entries of the test kernels have in common, in assembly language, with 32 bits and with 64. */
#include "guest/test/base/selectors.h"
#include "guest/test/base/word.h"
#include "lib/multiboot.h"
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

	/* Behind the mode's own beginning: into C, which does not come back; then traps that a test can catch. Three
	 * macros say what depends on the mode. trap_arguments: a function and its argument from where C has them, the
	 * function into XAX. trap_pass: the argument to where C wants it. trap_segments: what a handler wants besides.
	 * trap_align is the stack's alignment, at a function of ours. */
	.macro	define_traps
	push	$0
	popf
	call	rt_start
1:	cli
	hlt
	jmp	1b

	.macro	trap_enter
	trap_arguments
	save_preserved
	pushf
	push	trap_sp
	mov	XSP, trap_sp
	.endm

	/* unsigned trap_call(void (*fn)(void *), void *arg): 0, or 1 + the vector of the exception that ended fn. */
	.globl trap_call
trap_call:
	trap_enter
	trap_align
	trap_pass
	call	*XAX
	xorl	%eax, %eax
trap_leave:
	mov	trap_sp, XSP
	pop	trap_sp
	popf
	restore_preserved
	ret

	/* As trap_call, at privilege level 3; code and stack are reached at user_alias above their addresses. */
	.globl trap_call_user
trap_call_user:
	trap_enter
	mov	XSP, tss + 4
	mov	user_alias, XCX
	add	XCX, XAX
	lea	user_stack_top(XCX), XSI
	push	$SELECTOR_USER_DATA
	push	XSI
	push	$RFLAGS_FIXED
	push	$USER_CODE_SELECTOR
	lea	user_stub(XCX), XSI
	push	XSI
	iret_word
user_stub:
	trap_pass
	call	*XAX
	int	$VECTOR_BACK

	/* _Noreturn void trap_unwind(unsigned result): its argument lies where a function's would. */
	.globl trap_unwind
trap_unwind:
	trap_arguments
	jmp	trap_leave

	stubs	trap_stubs, trap_common
trap_common:
	push_registers
	cld
	trap_segments
	call_with rt_trap, XSP
	pop_registers
	add	$(2 * WORD), XSP
	iret_word

	define_gdt_load_tr
	.endm

	/* The GDT, with room for others behind its beginning; the variables of rt.h; the stacks. */
	.macro	boot_data others
	.data
	.balign 16
	.globl gdt
gdt:	common_descriptors
	.skip	\others * 8
gdtr:	.word	. - gdt - 1
	word_of	gdt
	.globl trap_sp, user_alias, boot_magic, boot_info, boot_cr0, boot_idt
	.balign WORD
trap_sp:	word_of	0
user_alias:	word_of	0
boot_magic:	word_of	0
boot_info:	word_of	0
boot_cr0:	word_of	0
boot_idt:	.word	0
	.long	0

	.bss
	.balign 4096
	.skip	16384
stack_top:
	.skip	4096
	.globl user_stack_top
user_stack_top:
	.section .note.GNU-stack, "", @progbits
	.endm
