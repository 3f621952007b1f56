/* Entry of the 32-bit test kernels: a stack, own segments, then test_main() with paging off. */
#include "guest/test/base/entry.h"

	/* fn in EAX, arg in EDX. */
	.macro	trap_arguments
	movl	4(%esp), %eax
	movl	8(%esp), %edx
	.endm
	.macro	trap_align
	.endm
	.macro	trap_pass
	pushl	%edx
	.endm
	/* Out of virtual-8086 mode they come as null. */
	.macro	trap_segments
	movw	$SELECTOR_USER_DATA, %ax
	movw	%ax, %ds
	movw	%ax, %es
	.endm

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
	define_traps

	boot_data 8	/* SELECTOR_OTHERS and up */
