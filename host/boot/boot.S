/* host/boot/boot.S - from the Multiboot2 loader's 32-bit protected mode to C in 64-bit mode, on the first CPU.
 * The first 4 GiB are mapped here onto themselves, until host/memory/paging.c has made the address space that stays. */
#include "host/cpu/asm.h"
#include "host/boot/long_mode.h"
#include "lib/multiboot.h"
#include "lib/ports.h"
#include "lib/uart.h"

	.section .multiboot2, "a"
	.align 8
mb2_header:
	.long MULTIBOOT2_HEADER_MAGIC
	.long 0				/* architecture: i386 */
	.long mb2_header_end - mb2_header
	.long -(MULTIBOOT2_HEADER_MAGIC + (mb2_header_end - mb2_header))
	.short 6, 0			/* modules page-aligned */
	.long 8
	.short 0, 0
	.long 8
mb2_header_end:

	.section .boot, "ax"
	.code32
	.globl boot_entry
boot_entry:
	cli
	cld
	movl %eax, %ebp			/* Multiboot2 magic; EBX: information */
	movl $boot_stack_end, %esp

	/* A CPU without 64-bit mode cannot come far enough to say so in C. */
	movl $CPUID_LEAF_EXTENDED, %eax
	movl %ebx, %esi			/* CPUID takes EBX */
	cpuid
	cmpl $CPUID_LEAF_EXTENDED_FEATURES, %eax
	jb no_long_mode
	movl $CPUID_LEAF_EXTENDED_FEATURES, %eax
	cpuid
	testl $CPUID_80000001_EDX_LM, %edx
	jz no_long_mode
	movl %esi, %ebx

	/* Four page directories of 2-MByte pages, one PDPT, one PML4. */
	movl $boot_pd, %edi
	movl $(PTE_P | PTE_W | PTE_PS), %eax
1:	movl %eax, (%edi)
	movl $0, 4(%edi)
	addl $8, %edi
	addl $(1 << PAGING_SHIFT(2)), %eax
	jnc 1b
	movl $boot_pdpt, %edi
	movl $boot_pd + (PTE_P | PTE_W), %eax
	movl $4, %ecx
2:	movl %eax, (%edi)
	addl $8, %edi
	addl $(1 << PAGING_SHIFT(1)), %eax
	loop 2b
	movl $boot_pdpt + (PTE_P | PTE_W), boot_pml4

	enter_long_mode boot64

/* Says what is missing on the statistics port (docs/protocol.md), byte by byte, and powers off as power_off() begins
 * to. */
no_long_mode:
	movw $COM2_PORT + UART_LCR, %dx
	movb $LCR_DLAB, %al		/* the divisor's two bytes */
	outb %al, %dx
	movw $COM2_PORT + UART_DATA, %dx
	movb $1, %al			/* 115200 baud */
	outb %al, %dx
	movw $COM2_PORT + UART_IER, %dx
	xorb %al, %al
	outb %al, %dx
	movw $COM2_PORT + UART_LCR, %dx
	movb $LCR_8N1, %al
	outb %al, %dx
	movl $no_long_mode_text, %esi
1:	movw $COM2_PORT + UART_LSR, %dx
2:	inb %dx, %al
	testb $LSR_TEMT, %al		/* the transmitter is empty */
	jz 2b
	lodsb
	testb %al, %al
	jz 3f
	movw $COM2_PORT + UART_DATA, %dx
	outb %al, %dx
	jmp 1b
3:	movl $shutdown_text, %esi
	movw $PORT_SHUTDOWN, %dx
4:	lodsb
	testb %al, %al
	jz 5f
	outb %al, %dx
	jmp 4b
5:	cli
	hlt
	jmp 5b

	.code64
boot64:
	load_segments64
	movl $boot_stack_end, %esp
	movl %ebp, %edi
	movl %ebx, %esi
	xorl %ebp, %ebp
	call vellum_main
3:	hlt
	jmp 3b

	.section .rodata
no_long_mode_text:
	.ascii "vellum 1\n"
	.ascii "log this CPU has no 64-bit mode; Vellum needs a CPU of 2006 or later with VT-x or AMD-V\n"
	.asciz "end 67\n"
shutdown_text:
	.asciz "Shutdown"
	.align 16
	.globl boot_gdt
boot_gdt:
	.quad 0
	.quad DESCRIPTOR_FLAT_CODE64	/* SEL_CODE64 */
	.quad DESCRIPTOR_FLAT_DATA	/* SEL_DATA */
	.quad DESCRIPTOR_FLAT_CODE32	/* SEL_CODE32 */
boot_gdt_end:
	.globl boot_gdt_pointer
boot_gdt_pointer:
	.short boot_gdt_end - boot_gdt - 1
	.long boot_gdt
	.long 0

	.bss
	.align 4096
	.globl boot_pml4
boot_pml4:	.skip 4096
boot_pdpt:	.skip 4096
boot_pd:	.skip 4096 * 4
	.globl boot_stack_guard, boot_stack_end
boot_stack_guard: .skip 4096		/* not mapped, once the tables are paging.c's (H3) */
boot_stack:	.skip 16384
boot_stack_end:

	.data
	.globl boot_cr3
boot_cr3:	.long boot_pml4		/* what a CPU that comes into 64-bit mode loads */
