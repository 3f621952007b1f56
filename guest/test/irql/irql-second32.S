/* The second CPU from its start-up IPI to C, and its interrupts, with 32 bits: irql-second.c. */
#include "guest/test/irql/irql-second-entry.h"

	second_from_real_mode
	movl	second_cr0, %eax
	movl	%eax, %cr0
	movl	$second_stack_top, %esp
	second_goes_on

	each_class second_stub
second_common:
	pushal
	cld
	pushl	32(%esp)
	call	second_interrupt
	addl	$4, %esp
	popal
	addl	$4, %esp
	iretl

	second_data .long
