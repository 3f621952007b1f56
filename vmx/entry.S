/* vmx/entry.S - into the guest and back, by the shortest way. Called from vmx_enter() (vmx/vcpu.h), whose list of clobbered registers
 * makes the compiler save what it still needs, and no more.
 * In: RDI = struct vmx_vcpu, SIL = launched. Out: RDI as before, EAX = 0 after a VM exit, 1 when VMLAUNCH or VMRESUME failed; all other
 * registers are lost. */
#define HOST_RSP_FIELD 0x6c14
#define OFFSET_HOST_RSP 128

	.text
	.globl vmx_enter_asm, vmx_exit_entry
	.balign 16
vmx_enter_asm:
	pushq %rdi
	cmpq %rsp, OFFSET_HOST_RSP(%rdi)
	jne 4f
1:	testb %sil, %sil
	movq 0x00(%rdi), %rax
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
	jz 2f
	vmresume
	jmp 3f
2:	vmlaunch
3:	movl $1, %eax
	popq %rdi
	ret
4:	movq %rsp, OFFSET_HOST_RSP(%rdi)
	movl $HOST_RSP_FIELD, %eax
	vmwrite %rsp, %rax
	jmp 1b

	.balign 16
vmx_exit_entry:
	xchgq %rdi, (%rsp)
	movq %rax, 0x00(%rdi)
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
	xorl %eax, %eax
	ret
