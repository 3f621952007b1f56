/* vmx/entry.S - into the guest and back, by the shortest way. Called from vmx_enter() (vmx/vcpu.h) through v->enter;
 * that function's list of clobbered registers makes the compiler save what it still needs, and no more. In: RDI =
 * struct vmx_vcpu. Out, after a VM exit: RDI as before; all other registers are lost. Where VMLAUNCH or VMRESUME
 * failed, control goes to the place that vmx_enter() has noted for that in the section .vmx_failed, in the same state.
 *
 * There are three ways in: vmx_enter_first for the first entry of a turn, which looks at everything that later ones may
 * take for granted; vmx_enter_again; and vmx_enter_guarded. There are three ways out, one of which is the VMCS's host
 * RIP: vmx_exit_bare, vmx_exit_entry and vmx_exit_guarded. choose_way() (vmx/vcpu.c) chooses. */
#include "host/cpu/asm.h"
#include "hvm/entry.h"
#include "lib/x86_msr.h"
#include "vmx/entry.h"

#define HOST_RSP_FIELD 0x6c14

	/* With everything that guards may ask for. */
	.macro enter_guarded how
	pushq %rdi
	testb $GUARD_L1D, OFFSET_GUARDS(%rdi)
	jz 11f
	movl $MSR_FLUSH_CMD, %ecx
	movl $FLUSH_CMD_L1D, %eax
	xorl %edx, %edx
	wrmsr
11:	testb $GUARD_SPEC_CTRL, OFFSET_GUARDS(%rdi)
	jz 12f
	movq OFFSET_SPEC_GUEST(%rdi), %rax
	cmpq %rax, OFFSET_SPEC_HOST(%rdi)
	je 12f
	movl $MSR_SPEC_CTRL, %ecx
	xorl %edx, %edx
	wrmsr
	/* The loads do not touch the flags; VERW touches ZF alone, and the guest's are in the VMCS. */
12:	testb $GUARD_VERW, OFFSET_GUARDS(%rdi)
	movq OFFSET_GPR(%rdi), %rax
	load_guest_registers
	jz 13f
	verw verw_selector
13:	\how
	jmp entry_failed
	.endm

	/* No instruction that is executed speculatively from here on finds a value of the guest's choice in a register.
	 * RDI is the vCPU; RAX and RDX are overwritten by vm/run.c's RDTSC, which comes next. */
	.macro forget_guest_registers
	xorl %ecx, %ecx
	xorl %ebx, %ebx
	xorl %ebp, %ebp
	xorl %esi, %esi
	xorl %r8d, %r8d
	xorl %r9d, %r9d
	xorl %r10d, %r10d
	xorl %r11d, %r11d
	xorl %r12d, %r12d
	xorl %r13d, %r13d
	xorl %r14d, %r14d
	xorl %r15d, %r15d
	.endm

	.text
	.globl vmx_enter_first, vmx_enter_again, vmx_enter_guarded, vmx_exit_bare, vmx_exit_entry, vmx_exit_guarded
	.balign 16
vmx_enter_first:
	movq OFFSET_ENTER_AGAIN(%rdi), %rax
	movq %rax, OFFSET_ENTER(%rdi)
	leaq -8(%rsp), %rcx	/* RSP with RDI pushed, as the ways out want it */
	cmpq %rcx, OFFSET_HOST_RSP(%rdi)
	je 1f
	movq %rcx, OFFSET_HOST_RSP(%rdi)
	movl $HOST_RSP_FIELD, %edx
	vmwrite %rcx, %rdx
1:	cmpb $0, OFFSET_LAUNCHED(%rdi)
	jne 2f
	movb $1, OFFSET_LAUNCHED(%rdi)
	enter_guarded vmlaunch
2:	jmp *%rax

	.balign 16
vmx_enter_again:
	pushq %rdi
	movq OFFSET_GPR(%rdi), %rax
	load_guest_registers
	vmresume

/* The place to go on at stands beside the return address in a table. One pair for each vmx_enter() that the compiler
 * made. */
entry_failed:
	popq %rdi
	popq %rax
	leaq vmx_failed_start, %rcx
1:	cmpq %rax, (%rcx)
	je 2f
	addq $16, %rcx
	cmpq $vmx_failed_end, %rcx
	jb 1b
	ud2
2:	jmp *8(%rcx)

	.balign 16
vmx_exit_bare:
	save_guest_registers 1
	ret

	.balign 16
vmx_exit_entry:
	save_guest_registers 1
	forget_guest_registers
	ret

	.balign 16
vmx_enter_guarded:
	enter_guarded vmresume

	/* No RET and no jump by a register or by memory stands before the predictors are the host's again. */
	.balign 16
vmx_exit_guarded:
	save_guest_registers 1
	testb $GUARD_RSB, OFFSET_GUARDS(%rdi)
	jz 3f
	fill_return_predictions
3:	testb $GUARD_SPEC_CTRL_EACH, OFFSET_GUARDS(%rdi)
	jnz 5f
	testb $GUARD_SPEC_CTRL, OFFSET_GUARDS(%rdi)
	jz 6f
	movq OFFSET_SPEC_GUEST(%rdi), %rax
	cmpq %rax, OFFSET_SPEC_HOST(%rdi)
	je 6f
5:	movq OFFSET_SPEC_HOST(%rdi), %rax
	movl $MSR_SPEC_CTRL, %ecx
	xorl %edx, %edx
	wrmsr
6:	testb $GUARD_RSB_ONE, OFFSET_GUARDS(%rdi)
	jz 8f
	call 7f
	int3
7:	addq $8, %rsp
8:	lfence
	forget_guest_registers
	ret

	.section .rodata
	.balign 2
verw_selector:
	.short SEL_DATA
