/* host/boot/trampoline.S - where an application processor starts: real mode, at a page below 1 MiB that host/cpu/smp.c
 * copied this to. In protected mode it goes on in the image, so that paging never has to let that page execute. */
#include "host/cpu/asm.h"
#include "host/boot/long_mode.h"
#include "lib/x86.h"

	.section .rodata
	.globl trampoline_start, trampoline_end
	.balign 16
	.code16
trampoline_start:
	cli
	cld
	movw %cs, %ax
	movw %ax, %ds
	lgdtl trampoline_gdt_pointer - trampoline_start
	movl %cr0, %eax
	orl $CR0_PE, %eax
	movl %eax, %cr0
	ljmpl $SEL_CODE32, $ap32

	.balign 8
trampoline_gdt_pointer:
	.short 31
	.long boot_gdt
trampoline_end:

	.section .boot, "ax"
	.code32
ap32:
	movw $SEL_DATA, %ax
	movw %ax, %ds
	movw %ax, %es
	movw %ax, %ss
	enter_long_mode ap64

	.code64
ap64:
	load_segments64
	movq ap_stack, %rsp
	movq ap_percpu, %rdi
	xorl %ebp, %ebp
	call ap_main
1:	hlt
	jmp 1b

	.data
	.globl ap_stack, ap_percpu
	.balign 8
ap_stack:	.quad 0
ap_percpu:	.quad 0
