/* The processors of icr.c: from the start-up IPI to C, each on the stack of its initial APIC ID. */
#include "guest/test/base/entry.h"
#include "guest/test/smp/icr.h"
#include "lib/x86_cpuid.h"

	from_real_mode icr
	movl	$CPUID_LEAF_VERSION, %eax
	cpuid
	shrl	$24, %ebx
	leal	1(%ebx), %eax
	imull	$ICR_STACK, %eax
	leal	icr_stacks(%eax), %esp
	pushl	%ebx
	call	icr_cpu
	.section .note.GNU-stack, "", @progbits
