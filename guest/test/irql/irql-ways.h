/* guest/test/irql/irql-ways.h - what the lists of ways to access the TPR have in common; for assembly. Each way is one
 * instruction that accesses the register, between a prologue and what follows at once: a write is followed by the
 * instruction that counts `mark`, which an interrupt let in by the write must still see as it was.
 *
 * A way that writes has the value in EAX, the linear address of the APIC's page in EDX or RDX, and what the register
 * holds in ECX; one that reads has what it should find in EAX, the page in EDX or RDX, and leaves what it found in EAX.
 * way_begin, which the includer defines, is a function's beginning, and puts the arguments there; MORE_REGISTERS are
 * those that the mode has besides, and x, where a macro wants it, is WIDE. */
#include "guest/test/base/entry.h"
#include "guest/test/base/word.h"
#include "guest/test/irql/irql-kinds.h"
#include "lib/apic.h"
#include "lib/x86_msr.h"

	.macro	way_end
	restore_preserved
	ret
	.endm

	.set	x2apic_tpr, MSR_X2APIC_TPR
	.set	tpr_offset, APIC_TPR
	/* Where it is after reset; a number, for it becomes a part of a way's name. */
#define TPR_USUAL 0xfee00080
	.if	TPR_USUAL - LAPIC_DEFAULT_BASE - APIC_TPR
	.error	"TPR_USUAL is another register"
	.endif

	/* Puts a way into its list, WAYS or READS, and begins its code. */
	.macro	list_entry kind:req, name:req
	.pushsection .rodata
1:	.asciz	"\name"
	.popsection
	.pushsection .data
	.balign	WORD
	word_of	1b
	word_of	2f
	word_of	\kind
	.popsection
	.text
	.balign	16
2:
	.endm

	/* Begins and ends a list. */
	.macro	list name
	.data
	.balign	WORD
	.globl	\name
\name:
	.endm
	.macro	list_end
	.data
	.balign	WORD
	word_of	0
	word_of	0
	word_of	0
	.endm

	/* kind; the write; what prepares it. */
	.macro	way kind, write:req, prepare
	list_entry \kind, "\write"
	way_begin
	\prepare
	\write
	incl	mark
	way_end
	.endm
	/* kind; the read; what prepares it; what brings the result to EAX. */
	.macro	look kind, read:req, prepare, result
	list_entry \kind, "\read"
	way_begin
	\prepare
	\read
	\result
	way_end
	.endm

	/* Behind a way's beginning: the place of 32 bytes of each class, which end at 9 ahead. */
	.macro	write_classes at
	.balign	32
8:	.set	class, 0
	.rept	16
	.balign	32
	movl	$(class << 4), \at
	incl	mark
	jmp	9f
	.set	class, class + 1
	.endr
	.endm

	/* Those that read it and write it. */
	.macro	write_changes kind, at
	way	\kind, "xchgl %eax, \at"
	way	\kind, "xchgl %esi, \at", "movl %eax, %esi"
	way	\kind, "addl %eax, \at", "subl %ecx, %eax"
	way	\kind, "subl %ecx, \at", "subl %eax, %ecx"
	way	\kind, "xorl %eax, \at", "xorl %ecx, %eax"
	way	\kind, "adcl %eax, \at", "subl %ecx, %eax; clc"
	way	\kind, "sbbl %ecx, \at", "subl %eax, %ecx; clc"
	way	\kind, "xaddl %eax, \at", "subl %ecx, %eax"
	way	\kind, "lock addl %eax, \at", "subl %ecx, %eax"
	way	\kind, "lock cmpxchgl %ebx, \at", "movl %eax, %ebx; movl %ecx, %eax"
	way	(\kind)|WAY_AND, "andl %eax, \at"
	way	(\kind)|WAY_OR, "orl %eax, \at"
	way	(\kind)|WAY_INC, "incl \at"
	way	(\kind)|WAY_DEC, "decl \at"
	way	(\kind)|WAY_NOT, "notl \at"
	way	(\kind)|WAY_NEG, "negl \at"
	way	(\kind)|WAY_SHL, "shll $1, \at"
	way	(\kind)|WAY_SHR, "shrl $1, \at"
	.endm

	/* The low byte of a stack pointer is the value; below it is room for interrupts. */
	.macro	way_by_esp kind, write:req
	list_entry (\kind)|WAY_ALONE, "\write"
	way_begin
	mov	XSP, kept_stack
	lea	spare_stack(XAX), XSP
	\write
	incl	mark
	mov	kept_stack, XSP
	way_end
	.endm
	/* One place of 32 bytes for each class. */
	.macro	way_by_immediate kind, at
	list_entry \kind, "movl $imm, \at"
	way_begin
	lea	8f(XAX,XAX), XAX
	jmp	*XAX
	write_classes \at
9:	way_end
	.endm

	/* At an address that the instruction holds, behind the ways that have it without ModRM; and relative to the
	 * page. With 32 bits there is POP too: 64 of them would not be the register's. */
	.macro	write_absolute x, kind, at
	.irp	r, ecx, edx, ebx, ebp, esi, edi MORE_REGISTERS
	way	\kind, "movl %\r, \at", "movl %eax, %\r"
	.endr
	way_by_esp \kind, "movl %esp, \at"
	way_by_immediate (\kind)|WAY_CLASS, \at
	way	\kind, "movl %eax, %fs:\at"
	.ifc	\x, e
	way	\kind, "popl \at", "pushl %eax"
	.endif
	way	\kind, "stosl", "mov $\at, %\x\()di"
	way	(\kind)|WAY_ALONE, "movsl", "mov $\at, %\x\()di; movl %eax, kept_value; mov $kept_value, %\x\()si"
	way	\kind, "rep stosl", "mov $\at, %\x\()di; movl $1, %ecx"
	write_changes \kind, \at
	.endm
	.macro	write_relative x
	way	WAY_MMIO, "movl %eax, tpr_offset(%\x\()dx)"
	way	WAY_MMIO, "movl %ecx, (%\x\()dx)", "movl %eax, %ecx; add $tpr_offset, %\x\()dx"
	way	WAY_MMIO, "movl %eax, 0x40(%\x\()dx)", "add $0x40, %\x\()dx"
	way	WAY_MMIO, "movl %esi, (%\x\()dx,%\x\()cx,4)", "movl %eax, %esi; movl $0x20, %ecx"
	way	WAY_MMIO, "movl %eax, -8(%\x\()bx,%\x\()cx,8)", "lea 0x48(%\x\()dx), %\x\()bx; movl $8, %ecx"
	way_by_esp WAY_MMIO, "movl %esp, tpr_offset(%\x\()dx)"
	way_by_immediate WAY_MMIO|WAY_CLASS, "tpr_offset(%\x\()dx)"
	.ifc	\x, e
	way	WAY_MMIO, "popl tpr_offset(%\x\()dx)", "push %eax"
	.endif
	write_changes WAY_MMIO, "tpr_offset(%\x\()dx)"
	.endm

	/* EAX stays what it is if the flags say equal; else it becomes what it cannot be. */
	.macro	equal_or_not
	je	9f
	notl	%eax
9:
	.endm
	.macro	read_values kind, at
	look	\kind, "movzbl \at, %eax"
	look	\kind, "movzwl \at, %ecx", "", "movl %ecx, %eax"
	look	\kind, "movb \at, %cl", "xorl %ecx, %ecx", "movl %ecx, %eax"
	look	\kind, "movw \at, %cx", "xorl %ecx, %ecx", "movl %ecx, %eax"
	look	\kind, "cmpl %eax, \at", "", "equal_or_not"
	look	\kind, "cmpl \at, %eax", "", "equal_or_not"
	look	\kind, "cmpb %al, \at", "", "equal_or_not"
	look	\kind, "testl %ecx, \at", "movl %eax, %ecx; notl %ecx", "equal_or_not"
	look	\kind, "andl \at, %ecx", "orl $-1, %ecx", "movl %ecx, %eax"
	look	\kind, "orl \at, %ecx", "xorl %ecx, %ecx", "movl %ecx, %eax"
	look	\kind, "addl \at, %ecx", "movl $0x1000, %ecx", "leal -0x1000(%ecx), %eax"
	look	\kind, "subl \at, %ecx", "xorl %ecx, %ecx", "movl %ecx, %eax; negl %eax"
	look	\kind, "xorl \at, %ecx", "movl $0x1000, %ecx", "leal -0x1000(%ecx), %eax"
	.endm

	.macro	read_absolute x, kind, at
	.irp	r, ecx, edx, ebx, ebp, esi, edi MORE_REGISTERS
	look	\kind, "movl \at, %\r", "", "movl %\r, %eax"
	.endr
	look	\kind, "movl %fs:\at, %eax"
	.ifc	\x, e
	look	\kind, "pushl \at", "", "popl %eax"
	.endif
	look	\kind, "lodsl", "mov $\at, %\x\()si"
	look	\kind, "movsl", "push %\x\()ax; mov $\at, %\x\()si; mov %\x\()sp, %\x\()di", "pop %\x\()ax"
	look	\kind, "scasl", "mov $\at, %\x\()di", "equal_or_not"
	look	\kind, "imull $1, \at, %eax"
	read_values \kind, \at
	.endm
	.macro	read_relative x
	look	WAY_MMIO, "movl tpr_offset(%\x\()dx), %eax"
	.ifc	\x, e
	look	WAY_MMIO, "pushl tpr_offset(%\x\()dx)", "", "popl %eax"
	.endif
	look	WAY_MMIO, "movl (%\x\()dx,%\x\()cx,4), %esi", "movl $0x20, %ecx", "movl %esi, %eax"
	read_values WAY_MMIO, "tpr_offset(%\x\()dx)"
	.endm

	/* By the MSR of x2APIC mode. */
	.macro	write_msr
	way	WAY_MSR, "wrmsr", "movl $x2apic_tpr, %ecx; xorl %edx, %edx"
	.endm
	.macro	read_msr
	look	WAY_MSR, "rdmsr", "movl $x2apic_tpr, %ecx; orl $-1, %edx", "orl %edx, %eax"
	.endm

	/* What the ways keep, and the stack of those that use their own. */
	.macro	ways_data
	.bss
	.balign	4096
	.skip	16384
spare_stack:
	.skip	256
kept_stack:
	.skip	WORD
kept_value:
	.skip	4
	.section .note.GNU-stack, "", @progbits
	.endm
