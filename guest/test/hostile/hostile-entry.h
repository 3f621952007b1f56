/* guest/test/hostile/hostile-entry.h - what the ways into an experiment and out of it have in common, in assembly
 * language. */
#include "guest/test/base/entry.h"

	/* Where a program may have loaded them: GDTR, IDTR and TR again. XAX is lost, and DS where a prefix says that
	 * it may be the program's. */
	.macro	supervisors_tables prefix
	cmpb	$0, \prefix\()hostile_loads_tables
	je	9f
	movl	%cs, %eax
	testb	$SELECTOR_RPL, %al
	jnz	no_way_back
	lgdt	\prefix\()hostile_gdtr
	lidt	\prefix\()hostile_idtr
	.ifnb	\prefix
	movw	$SELECTOR_DATA, %ax
	movw	%ax, %ds
	.endif
	andb	$~TYPE_BUSY, gdt_page + SELECTOR_TSS + DESCRIPTOR_ACCESS_SHIFT / 8
	movw	$SELECTOR_TSS, %ax
	ltr	%ax
9:
	.endm

	/* Code that nobody survives: where SYSCALL and SYSENTER lead, with whatever stack there is. */
	.macro	define_ud2
	.globl hostile_ud2
hostile_ud2:
	ud2
	.endm

	.macro	experiment_data
	.data
	.balign 8
supervisor_sp:	word_of	0
	.globl hostile_data_selector, hostile_begin, hostile_end, nmi_seen
hostile_data_selector:	.word	SELECTOR_USER_DATA
	.balign 8
hostile_begin:	.long	0
hostile_end:	.long	0
running:	.byte	0
nmi_seen:	.byte	0
	.endm
