/* guest/test/realmode-entry.S - into real mode and back, and what is done there: the code between low and low_end is
 * copied to segment LOW_SEGMENT, from where everything is addressed by DS, or by CS where DS is the test's. A service
 * gets what realmode.c puts into the words at its end, and leaves its results there. */
#include "guest/test/base/selectors.h"
#include "guest/test/realmode.h"
#include "lib/pic.h"
#include "lib/pit.h"
#include "lib/ports.h"

	.text
	.code32
	/* void real_call(unsigned service, unsigned data, unsigned stack): service is the offset of a near function;
	 * data the selector that ES and FS are loaded with while that means a limit; stack what SS becomes. */
	.globl	real_call
real_call:
	pushal
	movl	36(%esp), %ebx
	movl	40(%esp), %ecx
	movl	44(%esp), %edx
	movl	%esp, real_saved_sp
	sidt	real_saved_idt
	lidt	real_idt
	ljmp	$REAL_CODE16, $(enter16 - low)
	.globl	back32
back32:
	movw	$SELECTOR_USER_DATA, %ax
	movw	%ax, %ds
	movw	%ax, %es
	movw	%ax, %fs
	movw	%ax, %gs
	movw	$SELECTOR_DATA, %ax
	movw	%ax, %ss
	movl	real_saved_sp, %esp
	lidt	real_saved_idt
	popal
	ret

	/* void real_call32(void): CS keeps its 32 bits, and the other segments all that they had. */
	.globl	real_call32
real_call32:
	pushal
	movl	%esp, real_saved_sp
	sidt	real_saved_idt
	movl	%cr0, %eax
	andl	$~CR0_PE, %eax
	movl	%eax, %cr0
	ljmp	$LOW_SEGMENT, $(low32 - low)

	.globl	low, low_end
	.data
	.balign	16
low:
low32:	incl	real_count32
	movl	%cr0, %eax
	orl	$CR0_PE, %eax
	movl	%eax, %cr0
	ljmp	$SELECTOR_CODE32, $back32

	.code16
enter16:
	movw	$REAL_DATA16, %ax
	movw	%ax, %ds
	movw	%ax, %ss
	movw	%ax, %gs
	movw	%cx, %es
	movw	%cx, %fs
	movl	%cr0, %eax
	andb	$~CR0_PE & 0xff, %al
	movl	%eax, %cr0
	ljmp	$LOW_SEGMENT, $(1f - low)
1:	movw	$LOW_SEGMENT, %ax
	movw	%ax, %ds
	movw	%dx, %ss
	movl	$REAL_SP, %esp
	xorw	%ax, %ax
	movw	%ax, %es
	movw	%ax, %fs
	movw	%ax, %gs
	call	*%bx
	cli
	movl	%cr0, %eax
	orb	$CR0_PE, %al
	movl	%eax, %cr0
	nop
	pushw	%bx		/* with the segments that real mode has left */
	popw	%cx
	ljmpl	$SELECTOR_CODE32, $back32

/* ---- what the vector table leads to ---- */

	/* Exceptions: what came, where, with which flags; on to resume, if that is not 0. */
	.globl	real_stubs
real_stubs:
	.set	n, 0
	.rept	32
	pushw	$n
	.byte	0xe9
	.word	common16 - . - 2
	.set	n, n + 1
	.endr
common16:
	pushw	%bp
	movw	%sp, %bp
	pushw	%ax
	movw	2(%bp), %ax
	movw	%ax, %cs:real_vector - low
	movw	4(%bp), %ax
	movw	%ax, %cs:real_ip - low
	movw	8(%bp), %ax
	movw	%ax, %cs:real_flags - low
	pushfw
	popw	%cs:real_inside - low
	incw	%cs:real_count - low
	movw	%cs:real_resume - low, %ax
	testw	%ax, %ax
	jz	1f
	movw	%ax, 4(%bp)
1:	popw	%ax
	popw	%bp
	addw	$2, %sp
	iretw

	.globl	real_irq0
real_irq0:
	pushw	%ax
	incw	%cs:real_ticks - low
	movb	$OCW2_EOI, %al
	outb	%al, $PIC1_COMMAND
	popw	%ax
	iretw

/* ---- services ---- */

	.globl	real_nothing
real_nothing:
	incw	real_count - low
	ret

	/* INT n and IRET: the frame, and what becomes of IF and TF. */
	.globl	real_int
real_int:
	movw	$0, real_resume - low
	pushw	$0x7ad6		/* CF to OF, and IF */
	popfw
	int	$0x1e
	pushfw
	popw	real_results - low
	cli
	ret

	/* Each instruction faults; what comes is noted behind it. */
	.macro	faults	insn:vararg
	movw	$(8f - low), real_resume - low
	movw	$0xffff, real_vector - low
	\insn
8:	movw	real_vector - low, %ax
	movw	%ax, real_results - low(%di)
	addw	$2, %di
	.endm

	.globl	real_faults
real_faults:
	xorw	%di, %di
	xorw	%cx, %cx
	movw	$0xffff, %si
	faults	divb	%cl
	faults	ud2
	faults	int3
	movb	$0x7f, %al
	addb	%al, %al
	faults	into
	movw	$5, %dx
	faults	bound	%dx, real_bounds - low
	faults	movw	(%si), %ax		/* across the limit */
	faults	movw	%ss:(%si), %ax
	faults	addr32 movb (%esi, %esi), %al	/* beyond it */
	faults	.byte 0x0f, 0x00, 0xd0		/* lldt %ax */
	faults	.byte 0x8e, 0xc8		/* movw %ax, %cs */
	faults	.byte 0xf0, 0x90		/* lock nop */
	faults	.byte 0x63, 0xc0		/* arpl %ax, %ax */
	faults	.byte 0x0f, 0x22, 0xe8		/* movl %eax, %cr5 */
	faults	.byte 0xc4, 0xc0		/* les %ax, %ax */
	movl	$0x80000000, %eax
	faults	movl	%eax, %cr0		/* PG without PE */
	movl	$0x12345678, %eax
	faults	jmpl	*%eax
	movl	$0x10002, %ebp
	faults	addr32 movw (%ebp), %ax
	ret

	/* Traps of single steps: they do not come behind a load of SS, and one comes behind the POPF that ends them. */
	.globl	real_steps
real_steps:
	movw	$0, real_resume - low
	movw	$0, real_count - low
	pushfw
	popw	%ax
	movw	%ax, %bx
	orw	$RFLAGS_TF, %ax
	pushw	%ax
	pushw	%bx
	movw	%sp, %bp
	pushw	2(%bp)
	popfw
	nop
	movw	%ss, %ax
	movw	%ax, %ss
	nop
	cld
	int	$0x1e			/* its handler runs without, and is one step; and one for the handler itself */
	popfw
	addw	$2, %sp
	movw	real_count - low, %ax
	movw	%ax, real_results - low
	ret

	/* Beyond 1 MiB, by the limit that FS and ES still have. */
	.globl	real_big
real_big:
	movw	$(1f - low), real_resume - low
	movw	$0xffff, real_vector - low
	movl	$REAL_FROM, %esi
	movl	$REAL_TO, %edi
	movl	$REAL_BYTES / 4, %ecx
	cld
	rep movsl %fs:(%esi), %es:(%edi)
	movl	$REAL_TO, %edi
	movl	$REAL_BYTES / 2, %ecx
	xorl	%eax, %eax
	notw	%ax
	repne scasw %es:(%edi), %ax
	addr32 movb %fs:REAL_FROM + 1, %al
	addr32 movb %al, %es:REAL_TO + REAL_BYTES
1:	movl	%edi, real_results - low
	movl	%ecx, real_results + 4 - low
	ret

	/* Out by a MOV to CR0 that turns paging on as well: what follows is read through the tables, by segments of
	 * real mode. It does not come back here. */
	.globl	real_paging
real_paging:
	movw	$LOW_SEGMENT + 3, %ax	/* no stack that VM entry would take */
	movw	%ax, %ss
	movl	%cr0, %eax
	orl	$CR0_PG | CR0_PE, %eax
	movl	%eax, %cr0
	addr32 movl %fs:REAL_MAPPED, %eax
	movl	%eax, real_results - low
	movl	%cr3, %eax
	movl	%eax, real_results + 4 - low
	ljmpl	$SELECTOR_CODE32, $back32

	/* IRQ 0, asleep and awake. */
	.globl	real_sleeps
real_sleeps:
	movw	$0, real_ticks - low
1:	sti
	hlt
	cli
	cmpw	$5, real_ticks - low
	jb	1b
	ret

	.globl	real_spins
real_spins:
	movw	$0, real_ticks - low
	sti
1:	cmpw	$2, real_ticks - low
	jb	1b
	cli
	ret

	/* What the system's instructions say and do. */
	.globl	real_system
real_system:
	smsw	%eax
	movl	%eax, real_results - low
	movl	%cr0, %eax
	movl	%eax, real_results + 4 - low
	movl	$0x1234567, %eax
	movl	%eax, %cr2
	xorl	%eax, %eax
	movl	%cr2, %eax
	movl	%eax, real_results + 8 - low
	movl	%cr3, %eax
	movl	%eax, real_results + 12 - low
	movl	%cr4, %eax
	movl	%eax, real_results + 16 - low
	xorl	%eax, %eax
	cpuid
	movl	%ebx, real_results + 20 - low
	movl	$MSR_APIC_BASE, %ecx
	rdmsr
	movl	%eax, real_results + 24 - low
	movl	$MSR_SYSENTER_EIP, %ecx
	movl	$0x7654321, %eax
	xorl	%edx, %edx
	wrmsr
	xorl	%eax, %eax
	rdmsr
	movl	%eax, real_results + 28 - low
	sidt	real_results + 32 - low
	sgdtl	real_results + 40 - low
	lgdtl	real_results + 40 - low
	rdtsc
	movl	%eax, real_results + 48 - low
	rdtsc
	subl	real_results + 48 - low, %eax
	movl	%eax, real_results + 48 - low
	wbinvd
	invlpg	(0)
	movw	$TS, %ax
	lmsw	%ax			/* does not clear PE, which is not set; sets TS */
	smsw	%ax
	movw	%ax, real_results + 52 - low
	movw	$(1f - low), real_resume - low
	movw	$0xffff, real_vector - low
	fnstsw	%ax
1:	movw	real_vector - low, %ax
	movw	%ax, real_results + 54 - low
	clts
	fninit
	fildl	real_results + 8 - low
	fadd	%st(0), %st(0)
	fistpl	real_results + 56 - low
	movl	$0xabcdef, %eax
	movl	%eax, %dr1
	xorl	%eax, %eax
	movl	%dr1, %eax
	movl	%eax, real_results + 60 - low
	ret

	/* Stack operations of both sizes, far calls, strings and ports. */
	.globl	real_mixture
real_mixture:
	pushaw
	pushal
	popal
	popaw
	movl	$0x11223344, %eax
	pushl	%eax
	pushw	%ax
	popl	real_results - low
	popw	real_results + 4 - low
	lcall	$LOW_SEGMENT, $(1f - low)
	pushfl
	popl	real_results + 8 - low
	enterw	$8, $1
	leavew
	movw	$real_results + 12 - low, %di
	movw	%ds, %ax
	movw	%ax, %es
	movw	$PORT_B, %dx
	movw	$2, %cx
	cld
	rep insb
	movw	$real_results + 12 - low, %si
	movw	$PORT_POST, %dx
	movw	$2, %cx
	rep outsb
	movw	%si, real_results + 14 - low
	inb	$PORT_B, %al
	movw	$0x1234, %bx
	movb	$7, %bl
	xlatb
	ldsw	real_far - low, %bx
	movw	%cs:real_far - low, %bx
	movw	$LOW_SEGMENT, %ax
	movw	%ax, %ds
	ret
1:	incw	real_count - low
	lretw

/* ---- data ---- */

	.balign	4
	.globl	real_vector, real_ip, real_flags, real_inside, real_count, real_resume, real_ticks, real_results
real_vector:	.word	0
real_ip:	.word	0
real_flags:	.word	0
real_inside:	.word	0
real_count:	.word	0
real_resume:	.word	0
real_ticks:	.word	0
real_bounds:	.word	1, 4
real_far:	.word	0x4321, LOW_SEGMENT
	.balign	8
real_results:	.skip	64
low_end:

	.globl	real_saved_idt, real_idt, real_count32
	.balign	4
real_saved_sp:	.long	0
real_count32:	.long	0
real_saved_idt:	.word	0
	.long	0
real_idt:	.word	0x3ff
	.long	0
	.section .note.GNU-stack, "", @progbits
