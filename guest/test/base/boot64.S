/* Entry of the 64-bit test kernels: maps the first 16 GiB to themselves, switches to long mode, then test_main(). */
#include "guest/test/base/entry.h"

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
	addl	$0x200000, %eax
	adcl	$0, %edx
	addl	$8, %edi
	loop	1b
	movl	$boot_pdpt, %edi
	movl	$(boot_pd + (PTE_P | PTE_W)), %eax
	movl	$16, %ecx
2:	movl	%eax, (%edi)
	addl	$4096, %eax
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
	pushq	$0
	popfq
	call	rt_start
4:	cli
	hlt
	jmp	4b

	.macro	trap_save
	save_preserved64
	pushfq
	pushq	trap_sp
	movq	%rsp, trap_sp
	.endm

/* unsigned trap_call(void (*fn)(void *), void *arg): 0, or 1 + the vector of the exception that ended fn. */
	.globl trap_call
trap_call:
	trap_save
	movq	%rdi, %rax
	movq	%rsi, %rdi
	subq	$8, %rsp
	call	*%rax
	xorl	%eax, %eax
trap_leave:
	movq	trap_sp, %rsp
	popq	trap_sp
	popfq
	restore_preserved64
	ret

/* As trap_call, at privilege level 3; code and stack are reached at user_alias above their addresses. */
	.globl trap_call_user
trap_call_user:
	trap_save
	movq	%rsp, tss + 4
	movq	%rdi, %rax
	movq	%rsi, %rdi
	movq	user_alias, %rdx
	addq	%rdx, %rax
	leaq	user_stack_top(%rdx), %rcx
	pushq	$SELECTOR_USER_DATA
	pushq	%rcx
	pushq	$RFLAGS_FIXED
	pushq	$SELECTOR_USER_CODE64
	leaq	user_stub(%rdx), %rcx
	pushq	%rcx
	iretq
user_stub:
	call	*%rax
	int	$0x80

	.globl trap_unwind
trap_unwind:
	movl	%edi, %eax
	jmp	trap_leave

	stubs	trap_stubs, trap_common
trap_common:
	push_registers64
	cld
	movq	%rsp, %rdi
	movq	%rsp, %rbp
	andq	$-16, %rsp
	call	rt_trap
	movq	%rbp, %rsp
	pop_registers64
	addq	$16, %rsp
	iretq

	define_gdt_load_tr

	.data
	.balign 16
	.globl gdt
gdt:	common_descriptors
gdtr:	.word	. - gdt - 1
	.quad	gdt
	.globl trap_sp, user_alias, boot_magic, boot_info, boot_cr0, boot_idt
	.balign 8
trap_sp:	.quad	0
user_alias:	.quad	0
boot_magic:	.quad	0
boot_info:	.quad	0
boot_cr0:	.quad	0
boot_idt:	.word	0
	.long	0

	.bss
	.balign 4096
	.globl boot_pml4, boot_pdpt, boot_pd
boot_pml4:	.skip	4096
boot_pdpt:	.skip	4096
boot_pd:	.skip	16 * 4096
	.skip	16384
stack_top:
	.skip	4096
	.globl user_stack_top
user_stack_top:
	.section .note.GNU-stack, "", @progbits
