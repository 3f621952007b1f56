/* hvm/entry.h - for assembly: what the ways into a guest and back do alike with either vendor (vmx/entry.S,
 * svm/entry.S). RDI is the vCPU, which begins with struct hvm_vcpu, in which these are offsets (ENTRY_KNOWS in
 * vmx/vcpu.c and svm/vcpu.c). */
#ifndef VELLUM_HVM_ENTRY_H
#define VELLUM_HVM_ENTRY_H

#define OFFSET_GPR 0
#define OFFSET_SPEC_GUEST 128
#define OFFSET_SPEC_HOST 136
#define OFFSET_GUARDS 144

#ifdef __ASSEMBLER__
#define RSB_ENTRIES 32

	/* All but RAX; RSP is not among them. */
	.macro load_guest_registers
	movq OFFSET_GPR + 0x08(%rdi), %rcx
	movq OFFSET_GPR + 0x10(%rdi), %rdx
	movq OFFSET_GPR + 0x18(%rdi), %rbx
	movq OFFSET_GPR + 0x28(%rdi), %rbp
	movq OFFSET_GPR + 0x30(%rdi), %rsi
	movq OFFSET_GPR + 0x40(%rdi), %r8
	movq OFFSET_GPR + 0x48(%rdi), %r9
	movq OFFSET_GPR + 0x50(%rdi), %r10
	movq OFFSET_GPR + 0x58(%rdi), %r11
	movq OFFSET_GPR + 0x60(%rdi), %r12
	movq OFFSET_GPR + 0x68(%rdi), %r13
	movq OFFSET_GPR + 0x70(%rdi), %r14
	movq OFFSET_GPR + 0x78(%rdi), %r15
	movq OFFSET_GPR + 0x38(%rdi), %rdi
	.endm

	/* RSP points to the vCPU, as the entry pushed it. rax: whether that is saved as well. */
	.macro save_guest_registers rax
	xchgq %rdi, (%rsp)
	.if \rax
	movq %rax, OFFSET_GPR + 0x00(%rdi)
	.endif
	movq %rcx, OFFSET_GPR + 0x08(%rdi)
	movq %rdx, OFFSET_GPR + 0x10(%rdi)
	movq %rbx, OFFSET_GPR + 0x18(%rdi)
	movq %rbp, OFFSET_GPR + 0x28(%rdi)
	movq %rsi, OFFSET_GPR + 0x30(%rdi)
	popq OFFSET_GPR + 0x38(%rdi)
	movq %r8, OFFSET_GPR + 0x40(%rdi)
	movq %r9, OFFSET_GPR + 0x48(%rdi)
	movq %r10, OFFSET_GPR + 0x50(%rdi)
	movq %r11, OFFSET_GPR + 0x58(%rdi)
	movq %r12, OFFSET_GPR + 0x60(%rdi)
	movq %r13, OFFSET_GPR + 0x68(%rdi)
	movq %r14, OFFSET_GPR + 0x70(%rdi)
	movq %r15, OFFSET_GPR + 0x78(%rdi)
	.endm

	/* The CPU's stack of predicted returns, with what leads nowhere: what an INT3 follows never returns, and where
	 * a prediction does, it goes no further than that. RAX is lost. */
	.macro fill_return_predictions
	movl $RSB_ENTRIES / 2, %eax
91:	call 92f
	int3
92:	call 93f
	int3
93:	addq $16, %rsp
	decl %eax
	jnz 91b
	lfence
	.endm
#endif

#endif
