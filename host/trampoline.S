/* host/trampoline.S - where an application processor starts: real mode, at a page below 1 MiB that host/smp.c copied this to.
 * Position-independent until it reaches long mode; then it takes the stack that smp.c left for it. */
#include "host/asm.h"

	.section .rodata
	.globl trampoline_start, trampoline_end, trampoline_stack, trampoline_arg
	.balign 16
	.code16
trampoline_start:
	cli
	cld
	movw %cs, %ax
	movw %ax, %ds
	movzwl %ax, %ebx
	shll $4, %ebx			/* where we are */
	leal (trampoline_protected - trampoline_start)(%ebx), %eax
	movl %eax, trampoline_far - trampoline_start
	leal (trampoline_gdt - trampoline_start)(%ebx), %eax
	movl %eax, trampoline_gdt_pointer + 2 - trampoline_start
	lgdtl trampoline_gdt_pointer - trampoline_start
	movl %cr0, %eax
	orl $1, %eax
	movl %eax, %cr0
	ljmpl *(trampoline_far - trampoline_start)

	.code32
trampoline_protected:
	movw $SEL_DATA, %ax
	movw %ax, %ds
	movw %ax, %es
	movw %ax, %ss
	movl (trampoline_stack - trampoline_start)(%ebx), %esp
	movl (trampoline_arg - trampoline_start)(%ebx), %edi
	movl $enter_long_mode, %eax
	call *%eax
	ljmp $SEL_CODE64, $ap64

	.balign 8
trampoline_gdt:
	.quad 0
	.quad 0x00af9b000000ffff
	.quad 0x00cf93000000ffff
	.quad 0x00cf9b000000ffff
trampoline_gdt_pointer:
	.short 31
	.long 0
trampoline_far:
	.long 0
	.short SEL_CODE32
	.balign 8
trampoline_stack:
	.quad 0
trampoline_arg:
	.quad 0
trampoline_end:

	.text
	.code64
ap64:
	movw $SEL_DATA, %ax
	movw %ax, %ds
	movw %ax, %es
	movw %ax, %ss
	xorl %eax, %eax
	movw %ax, %fs
	movw %ax, %gs
	xorl %ebp, %ebp
	call ap_main
1:	hlt
	jmp 1b
