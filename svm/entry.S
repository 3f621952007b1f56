/* svm/entry.S - into the guest and back: void svm_run(struct svm_vcpu *v). RAX is in the VMCB; FS, GS, TR, LDTR and the
 * MSRs of SYSCALL and SYSENTER go to and fro by VMLOAD and VMSAVE.
 *
 * The global interrupt flag is clear until the host's GS and TR are back: no interrupt and no NMI finds the guest's
 * (APM, "Global Interrupt Flag, STGI and CLGI Instructions"). The host's IF is set at VMRUN, without which nothing
 * physical would end the guest ("Virtualizing APIC.TPR": V_INTR_MASKING), and clear when the flag is set again, so that
 * what ended it waits for irq_window(). */
#include "host/cpu/asm.h"
#include "hvm/entry.h"
#include "hvm/guards.h"
#include "svm/entry.h"

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
	load_guest_registers
	vmrun %rax
	vmsave %rax
	save_guest_registers 0
	movq SVM_OFFSET_HOST(%rdi), %rax
	vmload %rax
	cli
	stgi
	/* No RET before the predictor of returns is the host's again. */
	testb $GUARD_RSB, OFFSET_GUARDS(%rdi)
	jz 3f
	fill_return_predictions
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
