/* guest/test/hostile/hostile64-entry.S - into the experiment and out of it (64 bits). */
#include "guest/test/hostile/hostile-entry.h"

	.text
	.globl hostile_run
hostile_run:
	save_preserved
	movq	%rsp, supervisor_sp
	movw	hostile_data_selector, %ax
	load_data_segments
	movq	frame, %rsp
	movb	$1, running
	/* From here on the watchdog's NMI comes back; it may have come before. */
	cmpb	$0, nmi_seen
	jne	hostile_leave
	rdtsc
	movl	%eax, hostile_begin
	pop_registers
	addq	$16, %rsp
	iretq

	/* All on the stack that begins at the end of frame, but for the NMI's. */
	stubs	hostile_stubs, hostile_trap, nmi

hostile_trap:
	push_registers
	rdtsc
	movl	%eax, hostile_end
	supervisors_tables
	cld
	movq	%rsp, %rsi
	movq	frame, %rdi
	cmpq	%rdi, %rsi
	je	hostile_leave
	leaq	8(%rdi), %rax
	cmpq	%rax, %rsi
	jne	1f
	/* INT n pushes no error code, whatever n is. */
	movl	$(FRAME_REGISTERS + 1), %ecx
	rep movsq
	movq	$0, (%rdi)
	jmp	hostile_leave
	/* On a stack that a program's TSS or gate has chosen. */
1:	movl	$(FRAME_REGISTERS + 7), %ecx /* vector, error code, and what IRET takes */
	rep movsq
hostile_leave:
	/* DR7.GD would make this the next exception; that one clears it. */
	movl	$DR7_RESET, %eax
	movq	%rax, %dr7
	cld
	movw	$SELECTOR_DATA, %ax
	movw	%ax, %ss
	load_data_segments
	cmpb	$0, running
	je	2f
	movb	$0, running
	movq	supervisor_sp, %rsp
	restore_preserved
	ret
2:	movq	%rsp, %rdi
	andq	$-16, %rsp
	call	hostile_unexpected

	/* The watchdog. In the supervisor it is noted; in an experiment, it is the end of it. IRET, so that the next
	 * NMI can come. */
nmi:	movb	$1, nmi_seen
	cmpb	$0, running
	jne	3f
	iretq
3:	supervisors_tables
	movq	frame, %rax
	movq	$VECTOR_NMI, FRAME_REGISTERS * 8(%rax)
	movq	%rsp, %rcx
	pushq	$SELECTOR_DATA
	pushq	%rcx
	pushq	$RFLAGS_FIXED
	pushq	$SELECTOR_CODE64
	pushq	$hostile_leave
	iretq

	/* The descriptor of the handlers' code has another level now, where nothing can be loaded: without gates the
	 * next exception is the end. */
no_way_back:
	movq	hostile_idtr + 2, %rdi
	movl	$PAGE_TABLE_ENTRIES, %ecx
	xorl	%eax, %eax
	cld
	rep stosq
	movq	system_memory, %rdi
	movl	$PAGE_TABLE_ENTRIES, %ecx
	rep stosq
	ud2

	define_ud2

	experiment_data
	.section .note.GNU-stack, "", @progbits
