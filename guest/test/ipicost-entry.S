/* guest/test/ipicost-entry.S - the processor that gets the interrupts: from real mode to protected mode without paging,
 * then round and round, or asleep, as ap_share says. Copied to AP_AT (ipicost.h), and runs there. */
#include "guest/test/ipicost.h"

#define HERE(label) (AP_AT + label - ap_begin)

	.globl ap_begin, ap_end, ap_handler
	.code16
ap_begin:
	cli
	xor %ax, %ax
	mov %ax, %ds
	lgdtl HERE(gdtr)
	lidtl HERE(idtr)
	mov %cr0, %eax
	or $1, %eax
	mov %eax, %cr0
	ljmpl $0x08, $HERE(flat)
	.code32
flat:
	mov $0x10, %eax
	mov %eax, %ds
	mov %eax, %es
	mov %eax, %ss
	mov $AP_STACK, %esp
	mov $0x1b, %ecx /* IA32_APIC_BASE: x2APIC mode */
	rdmsr
	or $0xc00, %eax
	wrmsr
	mov $0x80f, %ecx /* its SVR: enabled */
	mov $0x1ff, %eax
	xor %edx, %edx
	wrmsr
	sti
	incl AP_SHARE + SHARE_READY
around:
	rdtsc
	mov %eax, AP_SHARE + SHARE_LAST
	incl AP_SHARE + SHARE_ROUNDS
	cmpl $0, AP_SHARE + SHARE_SLEEP
	je around
	hlt
	jmp around
ap_handler:
	push %eax
	push %ecx
	push %edx
	rdtsc
	mov %eax, AP_SHARE + SHARE_GOT
	mov AP_SHARE + SHARE_LAST, %eax
	mov %eax, AP_SHARE + SHARE_BEFORE
	mov $0x80b, %ecx /* EOI */
	xor %eax, %eax
	xor %edx, %edx
	wrmsr
	incl AP_SHARE + SHARE_COUNT
	pop %edx
	pop %ecx
	pop %eax
	iret
	.balign 8
gdt:
	.quad 0, 0x00cf9b000000ffff, 0x00cf93000000ffff
gdtr:
	.word gdtr - gdt - 1
	.long HERE(gdt)
idtr:
	.word 256 * 8 - 1
	.long AP_IDT
ap_end:
	.section .note.GNU-stack, "", @progbits
