/* Entry of the 64-bit test kernels: maps the first 16 GiB to themselves, switches to long mode, then test_main(). */
#include "guest/test/base/entry.h"

	/* fn in RAX, arg in RDI. */
	.macro	trap_arguments
	movq	%rdi, %rax
	movq	%rsi, %rdi
	.endm
	.macro	trap_align
	subq	$8, %rsp
	.endm
	.macro	trap_pass
	.endm
	.macro	trap_segments
	.endm

	multiboot_header

	.text
	.code32
	.globl start
start:
	boot_begin
	/* Page directories: of 16 GiB in large pages, present and writable. */
	movl	$boot_pd, %edi
	movl	$(PTE_P | PTE_W | PTE_PS), %eax
	xorl	%edx, %edx
	movl	$(16 * PAGE_TABLE_ENTRIES), %ecx
1:	movl	%eax, (%edi)
	movl	%edx, 4(%edi)
	addl	$(1 << PAGING_SHIFT(2)), %eax
	adcl	$0, %edx
	addl	$8, %edi
	loop	1b
	movl	$boot_pdpt, %edi
	movl	$(boot_pd + (PTE_P | PTE_W)), %eax
	movl	$16, %ecx
2:	movl	%eax, (%edi)
	addl	$(1 << PAGING_SHIFT(1)), %eax
	addl	$8, %edi
	loop	2b
	movl	$(boot_pdpt + (PTE_P | PTE_W)), boot_pml4
	movl	$boot_pml4, %eax
	movl	%eax, %cr3
	movl	%cr4, %eax
	orl	$CR4_PAE, %eax
	movl	%eax, %cr4
	set_lme
	movl	%cr0, %eax
	orl	$(CR0_PG | CR0_PE), %eax
	movl	%eax, %cr0
	ljmp	$SELECTOR_CODE64, $3f
	.code64
3:	movw	$SELECTOR_DATA, %ax
	movw	%ax, %ss
	load_data_segments
	movq	$stack_top, %rsp
	define_traps

	boot_data 0

	.bss
	.balign 4096
	.globl boot_pml4, boot_pdpt, boot_pd
boot_pml4:	.skip	4096
boot_pdpt:	.skip	4096
boot_pd:	.skip	16 * 4096
