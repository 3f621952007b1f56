/* guest/test/irql/irql-ways.h - what the lists of ways to access the TPR have in common; for assembly. Each way is one
 * instruction that accesses the register, between a prologue and what follows at once: a write is followed by the
 * instruction that counts `mark`, which an interrupt let in by the write must still see as it was. way_begin and
 * way_end, which the includer defines, are a function's beginning and end. */
#include "guest/test/base/entry.h"
#include "guest/test/irql/irql-kinds.h"
#include "lib/apic.h"
#include "lib/x86_msr.h"

	.set	x2apic_tpr, MSR_X2APIC_TPR
	.set	tpr_offset, APIC_TPR

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
