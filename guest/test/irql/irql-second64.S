/* The second CPU from its start-up IPI to C, and its interrupts, with 64 bits: irql-second.c. */
#include "guest/test/irql/irql-second-entry.h"

	second_from_real_mode
	set_lme
	movl	second_cr0, %eax
	movl	%eax, %cr0
	ljmp	$SELECTOR_CODE64, $1f
	.code64
1:	movq	$second_stack_top, %rsp
	second_goes_on

	second_interrupts
