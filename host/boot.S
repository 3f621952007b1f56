/* host/boot.S - from the Multiboot2 loader's 32-bit protected mode to C in 64-bit mode, on the first CPU.
 * Virtual address = physical address; the first 4 GiB are mapped here, the rest by host/paging.c. */
#include "host/asm.h"

	.section .multiboot2, "a"
	.align 8
mb2_header:
	.long 0xe85250d6		/* magic */
	.long 0				/* architecture: i386 */
	.long mb2_header_end - mb2_header
	.long -(0xe85250d6 + (mb2_header_end - mb2_header))
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

	/* Four page directories of 2-MByte pages, one PDPT, one PML4. */
	movl $boot_pd, %edi
	movl $0x83, %eax		/* present, writable, large */
1:	movl %eax, (%edi)
	movl $0, 4(%edi)
	addl $8, %edi
	addl $0x200000, %eax
	jnc 1b
	movl $boot_pdpt, %edi
	movl $boot_pd + 3, %eax
	movl $4, %ecx
2:	movl %eax, (%edi)
	addl $8, %edi
	addl $4096, %eax
	loop 2b
	movl $boot_pdpt + 3, boot_pml4

	call enter_long_mode
	ljmp $SEL_CODE64, $boot64

/* Turns on PAE, long mode and paging with boot_pml4 and loads the boot GDT. Clobbers EAX, ECX, EDX. Also used by the APs. */
	.globl enter_long_mode
enter_long_mode:
	movl %cr4, %eax
	orl $0x20, %eax
	movl %eax, %cr4
	movl $boot_pml4, %eax
	movl %eax, %cr3
	movl $0xc0000080, %ecx
	rdmsr
	orl $0x100, %eax
	wrmsr
	movl %cr0, %eax
	andl $0x9fffffff, %eax		/* caches on */
	orl $0x80000021, %eax		/* PG, NE, PE */
	movl %eax, %cr0
	lgdt boot_gdt_pointer
	ret

	.code64
boot64:
	movw $SEL_DATA, %ax
	movw %ax, %ds
	movw %ax, %es
	movw %ax, %ss
	xorl %eax, %eax
	movw %ax, %fs
	movw %ax, %gs
	movl $boot_stack_end, %esp
	movl %ebp, %edi
	movl %ebx, %esi
	xorl %ebp, %ebp
	call vellum_main
3:	hlt
	jmp 3b

	.section .rodata
	.align 16
boot_gdt:
	.quad 0
	.quad 0x00af9b000000ffff	/* SEL_CODE64 */
	.quad 0x00cf93000000ffff	/* SEL_DATA */
	.quad 0x00cf9b000000ffff	/* SEL_CODE32 */
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
	.globl boot_stack_end
boot_stack:	.skip 16384
boot_stack_end:
