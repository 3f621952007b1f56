/* guest/test/irql/irql-ways.h - what the lists of ways to access the TPR have in common; for assembly. Each way is one
 * instruction that accesses the register, between a prologue and what follows at once: a write is followed by the
 * instruction that counts `mark`, which an interrupt let in by the write must still see as it was. */
#include "guest/test/base/entry.h"
#include "guest/test/irql/irql-kinds.h"
#include "lib/x86_msr.h"

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
