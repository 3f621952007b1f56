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

	each_class second_stub
second_common:
	push_registers64
	cld
	movq	120(%rsp), %rdi
	movq	%rsp, %rbp
	andq	$-16, %rsp
	call	second_interrupt
	movq	%rbp, %rsp
	pop_registers64
	addq	$8, %rsp
	iretq

	second_data .quad
