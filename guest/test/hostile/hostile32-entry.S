/* guest/test/hostile/hostile32-entry.S - into the experiment and out of it (32 bits). */
#include "guest/test/hostile/hostile-entry.h"
#include "guest/test/hostile/hostile32-real.h"

	/* In hostile_frame, behind its registers. */
	.set	FRAME_VECTOR, FRAME_REGISTERS * 4
	.set	FRAME_CS, FRAME_VECTOR + 12
	.set	FRAME_FLAGS, FRAME_VECTOR + 16

	.text
	.globl hostile_run
hostile_run:
	save_preserved
	movl	%esp, supervisor_sp
	movb	$1, running
	/* From here on the watchdog's NMI comes back; it may have come before. */
	cmpb	$0, nmi_seen
	jne	hostile_leave
	cmpb	$0, hostile_is_real
	jne	real_enter
	rdtsc
	movl	%eax, hostile_begin
	movw	hostile_data_selector, %ax
	movl	$hostile_frame, %esp
	load_data_segments
	popal
	/* To the words that IRET takes: in the frame, or on the experiment's own stack where the privilege level is the
	 * same. */
	lssl	%cs:hostile_stack, %esp
	iretl

	/* On the supervisor's stack or on the experiment's. */
	stubs	hostile_stubs, hostile_trap

	/* The descriptor of the handlers' code has another level now, where nothing can be loaded. The NMI's task is
	 * the end. */
no_way_back:
	jmp	no_way_back
hostile_trap:
	pushal
	supervisors_tables %cs:
	movw	$SELECTOR_DATA, %ax
	movw	%ax, %ds
	movw	%ax, %es
	rdtsc
	movl	%eax, hostile_end
	cld
	/* A stack segment of 16 bits: only SP counts. */
	movl	%ss, %ebx
	movl	%esp, %esi
	larl	%ebx, %eax
	testl	$(SEGMENT_DB << 8), %eax
	jnz	1f
	movzwl	%si, %esi
1:	movl	$hostile_frame, %edi
	movl	$(FRAME_REGISTERS + 5), %ecx /* vector, error code, and what IRET takes */
	rep movsl %ss:(%esi), %es:(%edi)
	movl	%esi, 0(%edi)
	movl	%ebx, 4(%edi)
	xorl	%eax, %eax
	movl	%eax, 8(%edi)
	movl	%eax, 12(%edi)
	movl	%eax, 16(%edi)
	movl	%eax, 20(%edi)
	/* From level 3 the stack pointer was pushed too; from virtual-8086 mode all segments. */
	movl	$6, %ecx
	testl	$RFLAGS_VM, hostile_frame + FRAME_FLAGS
	jnz	2f
	movl	$2, %ecx
	testb	$SELECTOR_RPL, hostile_frame + FRAME_CS
	jz	hostile_leave
2:	rep movsl %ss:(%esi), %es:(%edi)
hostile_leave:
	/* DR7.GD would make this the next exception; that one clears it. */
	movl	$DR7_RESET, %eax
	movl	%eax, %dr7
	movw	$SELECTOR_DATA, %ax
	movw	%ax, %ss
	movl	supervisor_sp, %esp
	movw	$SELECTOR_USER_DATA, %ax
	load_data_segments
	/* In a task of an exception NT is set: the next IRET would switch. */
	pushl	$RFLAGS_FIXED
	popfl
	cmpb	$0, running
	je	3f
	movb	$0, running
	restore_preserved
	ret
3:	pushl	$hostile_frame
	call	hostile_unexpected

	/* The tasks of the double fault and of the NMI: what the stack is does not matter to them. */
	.globl hostile_double_fault, hostile_nmi
hostile_double_fault:
	rdtsc
	movl	%eax, hostile_end
	supervisors_tables %cs:
	movl	$VECTOR_DF, hostile_frame + FRAME_VECTOR
	jmp	hostile_leave
hostile_nmi:
	movb	$1, nmi_seen
	cmpb	$0, running
	jne	4f
	iretl
	jmp	hostile_nmi
	/* IRET, so that the next NMI can come. */
4:	supervisors_tables %cs:
	movl	$VECTOR_NMI, hostile_frame + FRAME_VECTOR
	pushl	$RFLAGS_FIXED
	popfl
	pushl	$RFLAGS_FIXED
	pushl	$SELECTOR_CODE32
	pushl	$hostile_leave
	iretl

	define_ud2

	/* ---- real mode ---- */

	/* Its vectors lead below 1 MiB: what lies between real_low and real_low_end is copied there (REAL_LOW). */
	.globl real_low, real_low_end
real_enter:
	lidtl	real_idtr
	movl	$hostile_frame, %esp
	ljmp	$SELECTOR_REAL_CODE, $real_off - real_low

	.code16
	.balign 16
real_low:
	.rept	256
	.balign	4
	call	real_trap
	.endr
	.balign	16
real_off:
	/* Segments of 64 KiB, then CR0.PE = 0. */
	movw	$SELECTOR_REAL_DATA, %ax
	load_data_segments
	movl	%cr0, %eax
	andb	$~CR0_PE, %al
	movl	%eax, %cr0
	ljmp	$REAL_LOW / 16, $real_go - real_low
real_go:
	/* The frame was copied behind this code. */
	movw	%cs, %ax
	movw	%ax, %ss
	movl	$real_frame - real_low, %esp
	movw	$(REGION_LOW / 16), %ax
	load_data_segments
	popal
	lssl	%cs:real_stack - real_low, %esp
	iretw
	.balign	4
	/* On the experiment's stack: where it was called from, IP, CS, flags. */
real_trap:
	pushal
	pushw	%ds
	pushw	%es
	pushw	%ss
	movw	%ss, %ax
	movw	%ax, %ds
	movw	%cs, %ax
	movw	%ax, %es
	movzwl	%sp, %esi
	movl	$real_seen - real_low, %edi
	movl	$23, %ecx
	cld
	rep movsw
	cli
	lgdtl	%cs:real_gdtr - real_low
	movl	%cr0, %eax
	orb	$CR0_PE, %al
	movl	%eax, %cr0
	ljmpl	$SELECTOR_CODE32, $real_back
	.balign	16
real_frame:
	.skip	32
real_stack:
	.long	0, 0
real_seen:
	.skip	64
real_gdtr:
	.word	0
	.long	0
	.balign	16
real_low_end:
	.globl	real_frame, real_stack, real_seen, real_gdtr
	.code32
real_back:
	movw	$SELECTOR_DATA, %ax
	movw	%ax, %ds
	movw	%ax, %es
	lidtl	hostile_idtr
	rdtsc
	movl	%eax, hostile_end
	jmp	hostile_leave

	experiment_data
	.globl hostile_stack, hostile_is_real, real_idtr, hostile_idtr
hostile_is_real:	.byte	0
	.balign 4
hostile_stack:	.long	0, 0
hostile_idtr:	.word	0
	.long	0
	.balign 4
real_idtr:	.word	0
	.long	0
	.bss
	.balign 16
	.globl hostile_frame
hostile_frame:	.skip	19 * 4
	.section .note.GNU-stack, "", @progbits
