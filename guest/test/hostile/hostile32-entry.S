/* guest/test/hostile/hostile32-entry.S - into the experiment and out of it (32 bits). */
#include "guest/test/base/entry.h"

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

	/* Where a program may have loaded them: GDTR, IDTR and TR again. EAX and DS are lost. */
	.macro	supervisors_tables
	cmpb	$0, %cs:hostile_loads_tables
	je	9f
	movl	%cs, %eax
	testb	$3, %al
	jnz	no_way_back
	lgdtl	%cs:hostile_gdtr
	lidtl	%cs:hostile_idtr
	movw	$SELECTOR_DATA, %ax
	movw	%ax, %ds
	andb	$~2, gdt_page + 0x38 + 5
	movw	$SELECTOR_TSS, %ax
	ltr	%ax
9:
	.endm
	/* The descriptor of the handlers' code has another level now, where nothing can be loaded. The NMI's task is
	 * the end. */
no_way_back:
	jmp	no_way_back
hostile_trap:
	pushal
	supervisors_tables
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
	testl	$0x400000, %eax
	jnz	1f
	movzwl	%si, %esi
1:	movl	$hostile_frame, %edi
	movl	$13, %ecx
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
	testl	$RFLAGS_VM, hostile_frame + 48
	jnz	2f
	movl	$2, %ecx
	testb	$3, hostile_frame + 44
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
	pushl	$2
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
	supervisors_tables
	movl	$8, hostile_frame + 32
	jmp	hostile_leave
hostile_nmi:
	movb	$1, nmi_seen
	cmpb	$0, running
	jne	4f
	iretl
	jmp	hostile_nmi
	/* IRET, so that the next NMI can come. */
4:	supervisors_tables
	movl	$2, hostile_frame + 32
	pushl	$2
	popfl
	pushl	$2
	pushl	$SELECTOR_CODE32
	pushl	$hostile_leave
	iretl

	/* Where SYSENTER leads, with whatever stack there is. */
	.globl hostile_ud2
hostile_ud2:
	ud2

	/* ---- real mode ---- */

	/* Its vectors lead below 1 MiB: what lies between real_low and real_low_end is copied there (REAL_LOW). */
	.set	REAL_LOW, 0x9e000
	.globl real_low, real_low_end
real_enter:
	lidtl	real_idtr
	movl	$hostile_frame, %esp
	ljmp	$0x70, $real_off - real_low

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
	movw	$0x78, %ax
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
	movw	$0x1000, %ax
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

	.data
	.balign 8
supervisor_sp:	.long	0
	.globl hostile_data_selector, hostile_begin, hostile_end, nmi_seen
	.globl hostile_stack, hostile_is_real, real_idtr, hostile_idtr
hostile_data_selector:	.word	SELECTOR_USER_DATA
	.balign 4
hostile_stack:	.long	0, 0
hostile_begin:	.long	0
hostile_end:	.long	0
running:	.byte	0
nmi_seen:	.byte	0
hostile_is_real:	.byte	0
	.balign 4
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
