/* The second CPU from its start-up IPI to C, and its interrupts, with 32 bits: irql-second.c. */
#include "guest/test/irql/irql-second-entry.h"

	second_from_real_mode
	movl	second_cr0, %eax
	movl	%eax, %cr0
	movl	$second_stack_top, %esp
	second_goes_on

	second_interrupts
