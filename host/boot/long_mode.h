/* host/boot/long_mode.h - the assembly by which every CPU comes from protected mode, without paging, to 64-bit code.
 * Included by boot.S and trampoline.S after host/cpu/asm.h.
 *
 * Turns on PAE, NX where the CPU has it, long mode, and paging with the tables that boot_cr3 names, in the SDM's order
 * ("Initializing IA-32e Mode"), and jumps to \target. Needs no stack: a CPU's own may lie above what 32 bits reach.
 * Clobbers EAX, ECX, EDX, ESI. Runs where it is linked, in the image. */
#include "lib/x86.h"
#include "lib/x86_cpuid.h"
#include "lib/x86_msr.h"

	.macro enter_long_mode target
	movl %cr4, %eax
	orl $CR4_PAE, %eax
	movl %eax, %cr4
	movl boot_cr3, %eax
	movl %eax, %cr3
	movl %ebx, %esi
	movl $CPUID_LEAF_EXTENDED_FEATURES, %eax
	cpuid
	movl %esi, %ebx
	andl $CPUID_80000001_EDX_NX, %edx
	shrl $20 - 11, %edx		/* where EFER_NXE is */
	movl %edx, %esi
	movl $MSR_EFER, %ecx
	rdmsr
	orl $EFER_LME, %eax
	orl %esi, %eax
	wrmsr
	movl %cr0, %eax
	andl $~(CR0_CD | CR0_NW | CR0_EM | CR0_TS), %eax	/* caches on; the FPU is there, and nobody traps it */
	orl $(CR0_PG | CR0_WP | CR0_NE | CR0_PE), %eax
	movl %eax, %cr0
	lgdt boot_gdt_pointer
	ljmp $SEL_CODE64, $\target
	.endm

	/* What its first 64-bit code loads; FS and GS get their bases elsewhere. Clobbers EAX. */
	.macro load_segments64
	movw $SEL_DATA, %ax
	movw %ax, %ds
	movw %ax, %es
	movw %ax, %ss
	xorl %eax, %eax
	movw %ax, %fs
	movw %ax, %gs
	.endm
