/* host/long_mode.h - the assembly by which every CPU comes from protected mode, without paging, to 64-bit code. Included by
 * boot.S and trampoline.S after host/asm.h.
 *
 * Turns on PAE, NX where the CPU has it, long mode, and paging with the tables that boot_cr3 names, and jumps to \target.
 * Needs no stack: a CPU's own may lie above what 32 bits reach. Clobbers EAX, ECX, EDX, ESI. Runs where it is linked, in the
 * image. */
	.macro enter_long_mode target
	movl %cr4, %eax
	orl $0x20, %eax
	movl %eax, %cr4
	movl boot_cr3, %eax
	movl %eax, %cr3
	movl %ebx, %esi
	movl $0x80000001, %eax
	cpuid
	movl %esi, %ebx
	andl $1 << 20, %edx
	shrl $20 - 11, %edx		/* NXE stands in bit 11 */
	movl %edx, %esi
	movl $0xc0000080, %ecx
	rdmsr
	orl $0x100, %eax
	orl %esi, %eax
	wrmsr
	movl %cr0, %eax
	andl $0x9fffffff, %eax		/* caches on */
	orl $0x80010021, %eax		/* PG, WP, NE, PE */
	movl %eax, %cr0
	lgdt boot_gdt_pointer
	ljmp $SEL_CODE64, $\target
	.endm
