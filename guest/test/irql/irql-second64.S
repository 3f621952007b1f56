/* The second CPU from its start-up IPI to C, and its interrupts, with 64 bits: irql-second.c. */
#include "guest/test/irql/irql-second-entry.h"

	second_from_real_mode
	movl	$MSR_EFER, %ecx
	rdmsr
	orl	$EFER_LME, %eax
	wrmsr
	movl	second_cr0, %eax
	movl	%eax, %cr0
	ljmp	$0x18, $1f
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
