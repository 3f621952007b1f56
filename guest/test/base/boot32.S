/* Entry of the 32-bit test kernels: a stack, own segments, then test_main() with paging off. */
#include "guest/test/base/entry.h"

	multiboot_header

	.text
	.globl start
start:
	boot_begin
	ljmp	$SELECTOR_CODE32, $1f
1:	movw	$SELECTOR_DATA, %ax
	movw	%ax, %ss
	/* The user's data segments everywhere: both privilege levels may use them. */
	movw	$SELECTOR_USER_DATA, %ax
	load_data_segments
	pushl	$0
	popfl
	call	rt_start
2:	cli
	hlt
	jmp	2b

	/* fn in EAX, arg in EDX, and what trap_leave wants. */
	.macro	trap_enter
	movl	4(%esp), %eax
	movl	8(%esp), %edx
	save_preserved32
	pushfl
	pushl	trap_sp
	movl	%esp, trap_sp
	.endm

/* unsigned trap_call(void (*fn)(void *), void *arg): 0, or 1 + the vector of the exception that ended fn. */
	.globl trap_call
trap_call:
	trap_enter
	pushl	%edx
	call	*%eax
	xorl	%eax, %eax
trap_leave:
	movl	trap_sp, %esp
	popl	trap_sp
	popfl
	restore_preserved32
	ret

/* As trap_call, at privilege level 3; code and stack are reached at user_alias above their addresses. */
	.globl trap_call_user
trap_call_user:
	trap_enter
	movl	%esp, tss + 4
	addl	user_alias, %eax
	movl	$user_stack_top, %ecx
	addl	user_alias, %ecx
	pushl	$SELECTOR_USER_DATA
	pushl	%ecx
	pushl	$RFLAGS_FIXED
	pushl	$SELECTOR_USER_CODE32
	movl	$user_stub, %ecx
	addl	user_alias, %ecx
	pushl	%ecx
	iretl
user_stub:
	pushl	%edx
	call	*%eax
	int	$0x80

	.globl trap_unwind
trap_unwind:
	movl	4(%esp), %eax
	jmp	trap_leave

	stubs	trap_stubs, trap_common
trap_common:
	pushal
	cld
	/* Out of virtual-8086 mode they come as null. */
	movw	$SELECTOR_USER_DATA, %ax
	movw	%ax, %ds
	movw	%ax, %es
	pushl	%esp
	call	rt_trap
	addl	$4, %esp
	popal
	addl	$8, %esp
	iretl

	define_gdt_load_tr

	.data
	.balign 16
	.globl gdt
gdt:	common_descriptors
	.skip	8 * 8			/* 0x48 and up: the test's */
gdtr:	.word	. - gdt - 1
	.long	gdt
	.globl trap_sp, user_alias, boot_magic, boot_info, boot_cr0, boot_idt
trap_sp:	.long	0
user_alias:	.long	0
boot_magic:	.long	0
boot_info:	.long	0
boot_cr0:	.long	0
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
