/* vm/native/entry.S - moves a kernel down over the hypervisor and starts it. This code is copied to where it is out of
 * the way, and runs there: it refers to nothing but the plan (struct native_plan of vm/native/entry.h), whose address
 * is in RDI. */
#include "host/cpu/asm.h"
#include "lib/x86.h"
#include "lib/x86_msr.h"

#define CR3 0
#define STACK 8
#define LOW_FROM 16
#define LOW_TO 24
#define LOW_WORDS 32
#define HIGH_FROM 40
#define HIGH_TO 48
#define HIGH_WORDS 56
#define CODE32 64
#define LONG_MODE 72
#define START_CR3 80
#define START_RIP 88
#define START_RSP 96
#define START_RAX 104
#define START_RBX 112
#define START_RSI 120
#define START_CS 128
#define START_DS 136
#define OWN_GDT 176
#define START_GDT 192
#define START_IDT 208

	.macro load_start_segments plan
	movw START_DS(\plan), %ax
	movw %ax, %ds
	movw %ax, %es
	movw %ax, %ss
	movw %ax, %fs
	movw %ax, %gs
	.endm

	/* Registers in which a kernel looks for nothing; the plan is behind us. */
	.macro forget_others
	xorl %ecx, %ecx
	xorl %edx, %edx
	xorl %edi, %edi
	xorl %ebp, %ebp
	.endm

	.section .text.native, "ax"
	.code64
	.globl native_code, native_code32, native_code_end
native_code:
	cli
	cld
	movq %rdi, %rbp
	movq STACK(%rbp), %rsp
	movq CR3(%rbp), %rax
	movq %rax, %cr3
	lgdt OWN_GDT(%rbp)
	lidt START_IDT(%rbp)
	movq LOW_FROM(%rbp), %rsi
	movq LOW_TO(%rbp), %rdi
	movq LOW_WORDS(%rbp), %rcx
	rep movsq
	movq HIGH_FROM(%rbp), %rsi
	movq HIGH_TO(%rbp), %rdi
	movq HIGH_WORDS(%rbp), %rcx
	rep movsq
	cmpq $0, LONG_MODE(%rbp)
	je 1f

	lgdt START_GDT(%rbp)
	movq START_CR3(%rbp), %rax
	movq %rax, %cr3
	load_start_segments %rbp
	movq START_RSP(%rbp), %rsp
	pushq START_CS(%rbp)
	pushq START_RIP(%rbp)
	movq START_RAX(%rbp), %rax
	movq START_RBX(%rbp), %rbx
	movq START_RSI(%rbp), %rsi
	forget_others
	lretq

1:	pushq $SEL_CODE32
	pushq CODE32(%rbp)
	lretq

	.code32
native_code32:
	movl $SEL_DATA, %eax
	movw %ax, %ds
	movw %ax, %ss
	movl %cr0, %eax
	andl $~CR0_PG, %eax		/* long mode is left by it (SDM, "Switching Out of IA-32e Mode Operation") */
	movl %eax, %cr0
	movl $MSR_EFER, %ecx
	xorl %eax, %eax
	xorl %edx, %edx
	wrmsr
	movl %eax, %cr4
	lgdt START_GDT(%ebp)
	load_start_segments %ebp
	pushl START_CS(%ebp)
	pushl START_RIP(%ebp)
	movl START_RAX(%ebp), %eax
	movl START_RBX(%ebp), %ebx
	movl START_RSI(%ebp), %esi
	forget_others
	lretl
native_code_end:
	.code64
