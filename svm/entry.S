/* svm/entry.S - into the guest and back: void svm_run(struct svm_vcpu *v). RAX is in the VMCB; FS, GS, TR, LDTR and the
 * MSRs of SYSCALL and SYSENTER go to and fro by VMLOAD and VMSAVE.
 *
 * The global interrupt flag is clear until the host's GS and TR are back: no interrupt and no NMI finds the guest's
 * (APM, "Global Interrupt Flag, STGI and CLGI Instructions"). The host's IF is set at VMRUN, without which nothing
 * physical would end the guest ("Virtualizing APIC.TPR": V_INTR_MASKING), and clear when the flag is set again, so that
 * what ended it waits for irq_window(). */
#include "host/cpu/asm.h"
#include "svm/entry.h"
#include "hvm/guards.h"

#define RSB_ENTRIES 32

	.text
	.globl svm_run
	.balign 16
svm_run:
	pushq %rbx
	pushq %rbp
	pushq %r12
	pushq %r13
	pushq %r14
	pushq %r15
	pushq %rdi
	clgi
	sti
	movq SVM_OFFSET_VMCB(%rdi), %rax
	vmload %rax
	movq 0x08(%rdi), %rcx
	movq 0x10(%rdi), %rdx
	movq 0x18(%rdi), %rbx
	movq 0x28(%rdi), %rbp
	movq 0x30(%rdi), %rsi
	movq 0x40(%rdi), %r8
	movq 0x48(%rdi), %r9
	movq 0x50(%rdi), %r10
	movq 0x58(%rdi), %r11
	movq 0x60(%rdi), %r12
	movq 0x68(%rdi), %r13
	movq 0x70(%rdi), %r14
	movq 0x78(%rdi), %r15
	movq 0x38(%rdi), %rdi
	vmrun %rax
	vmsave %rax
	xchgq %rdi, (%rsp)
	movq %rcx, 0x08(%rdi)
	movq %rdx, 0x10(%rdi)
	movq %rbx, 0x18(%rdi)
	movq %rbp, 0x28(%rdi)
	movq %rsi, 0x30(%rdi)
	popq 0x38(%rdi)
	movq %r8, 0x40(%rdi)
	movq %r9, 0x48(%rdi)
	movq %r10, 0x50(%rdi)
	movq %r11, 0x58(%rdi)
	movq %r12, 0x60(%rdi)
	movq %r13, 0x68(%rdi)
	movq %r14, 0x70(%rdi)
	movq %r15, 0x78(%rdi)
	movq SVM_OFFSET_HOST(%rdi), %rax
	vmload %rax
	cli
	stgi
	/* No RET before the predictor of returns is the host's again. What an INT3 follows never returns. */
	testb $GUARD_RSB, SVM_OFFSET_GUARDS(%rdi)
	jz 3f
	movl $RSB_ENTRIES / 2, %eax
1:	call 2f
	int3
2:	call 4f
	int3
4:	addq $16, %rsp
	decl %eax
	jnz 1b
	lfence
3:	/* No instruction that is executed speculatively finds a value of the guest's choice in a register: those below
	 * are the host's again. */
	xorl %ecx, %ecx
	xorl %edx, %edx
	xorl %esi, %esi
	xorl %r8d, %r8d
	xorl %r9d, %r9d
	xorl %r10d, %r10d
	xorl %r11d, %r11d
	popq %r15
	popq %r14
	popq %r13
	popq %r12
	popq %rbp
	popq %rbx
	ret
