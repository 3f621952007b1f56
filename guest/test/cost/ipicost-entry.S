/* guest/test/cost/ipicost-entry.S - the processor that gets the interrupts: from real mode to protected mode without
 * paging, then round and round, or asleep, as what lies at AP_SHARE says. Copied to AP_AT (ipicost.h), where it
 * runs. */
#include "guest/test/base/selectors.h"
#include "guest/test/cost/ipicost.h"
#include "lib/apic.h"
#include "lib/x86.h"
#include "lib/x86_msr.h"

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
	or $CR0_PE, %eax
	mov %eax, %cr0
	ljmpl $SELECTOR_CODE32, $HERE(flat)
	.code32
flat:
	mov $SELECTOR_DATA, %eax
	mov %eax, %ds
	mov %eax, %es
	mov %eax, %ss
	mov $AP_STACK, %esp
	mov $MSR_APIC_BASE, %ecx
	rdmsr
	or $(APIC_BASE_EN | APIC_BASE_EXTD), %eax
	wrmsr
	mov $MSR_X2APIC_SIVR, %ecx
	mov $(SVR_ENABLED | 0xff), %eax
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
	mov $MSR_X2APIC_EOI, %ecx
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
	.quad 0, DESCRIPTOR_FLAT_CODE32, DESCRIPTOR_FLAT_DATA
gdtr:
	.word gdtr - gdt - 1
	.long HERE(gdt)
idtr:
	.word 256 * 8 - 1
	.long AP_IDT
ap_end:
	.section .note.GNU-stack, "", @progbits
