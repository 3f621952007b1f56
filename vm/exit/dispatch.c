/* vm/exit/dispatch.c - the table of exit handlers, and the handlers that are a line or two. docs/exits.md follows one exit through it. */
#include "vm/vm.h"

#include "host/interrupt.h"
#include "host/percpu.h"
#include "vm/control/control.h"
#include "lib/mutants/mutate.h"

#define RFLAGS_IF BIT(9)
#define RFLAGS_RF BIT(16)
#define INSTRUCTION_LENGTH_MAX 15

/* Outside 64-bit code EIP has 32 bits: behind the end of the 4 GiB comes their beginning, and VM entry refuses any other value. In 64-bit code
 * RIP may become non-canonical by its lowest sign bit alone, which VM entry allows and the guest's next fetch answers (SDM, "Checks on Guest
 * RIP, RFLAGS, and SSP"). */
void exit_skip(struct vcpu *v)
{
	uint64_t rip = vmread(VMCS_GUEST_RIP) + vmread(VMCS_EXIT_INSTRUCTION_LENGTH);
	uint64_t blocking = vmread(VMCS_GUEST_INTERRUPTIBILITY);
	uint64_t rflags = vmread(VMCS_GUEST_RFLAGS);

	(void)v;
	if (unlikely((uint32_t)rip < INSTRUCTION_LENGTH_MAX) && !vmx_in_64bit_code())
		VM_MUTANT(SKIP_WRAP, rip = (uint32_t)rip);
	vmwrite(VMCS_GUEST_RIP, rip);
	if (VM_KEPT(SKIP_BLOCKING, unlikely(blocking & (BLOCKING_STI | BLOCKING_MOV_SS))))
		vmwrite(VMCS_GUEST_INTERRUPTIBILITY, blocking & ~(BLOCKING_STI | BLOCKING_MOV_SS));
	/* RFLAGS.TF: the single-step trap that the instruction would have caused. */
	if (VM_KEPT(SKIP_STEP, unlikely(rflags & BIT(8))))
		vmwrite(VMCS_GUEST_PENDING_DEBUG, vmread(VMCS_GUEST_PENDING_DEBUG) | PENDING_DEBUG_BS);
}

void exit_requeue_event(struct vcpu *v)
{
	uint64_t info = vmread(VMCS_IDT_VECTORING_INFO);
	uint32_t type = (uint32_t)(info & INFO_TYPE);

	if (VM_LEFT_OUT_OR(REQUEUE, likely(!(info & INFO_VALID))))
		return;
	v->event = (struct event){ .info = (uint32_t)info };
	VM_MUTANT(REQUEUE_UNDEFINED, v->event.info &= (uint32_t)~BIT(12));
	if (VM_KEPT(REQUEUE_ERROR, info & INFO_HAS_ERROR))
		v->event.error = (uint32_t)vmread(VMCS_IDT_VECTORING_ERROR);
	if (type == INFO_TYPE_SOFTWARE_INTERRUPT || type == INFO_TYPE_SOFTWARE_EXCEPTION ||
	    type == INFO_TYPE_PRIVILEGED_SOFTWARE_EXCEPTION)
		VM_MUTANT(REQUEUE_LENGTH, v->event.length = (uint32_t)vmread(VMCS_EXIT_INSTRUCTION_LENGTH));
	/* The fault that its delivery ended in has set RF in the flags (SDM, "Saving RIP, RSP, RFLAGS, and SSP"); what is no fault, and #DB,
	 * pushes them without. */
	if (VM_KEPT(REQUEUE_RF, !event_sets_rf((uint32_t)info)))
		vmwrite(VMCS_GUEST_RFLAGS, vmread(VMCS_GUEST_RFLAGS) & ~RFLAGS_RF);
	/* An NMI that is delivered again must not find itself blocked. */
	if (VM_KEPT(REQUEUE_NMI, type == INFO_TYPE_NMI))
		vmwrite(VMCS_GUEST_INTERRUPTIBILITY, vmread(VMCS_GUEST_INTERRUPTIBILITY) & ~BLOCKING_NMI);
	v->requests |= REQUEST_EVENT;
}

static void exit_cpuid(struct vcpu *v)
{
	uint64_t *gpr = v->vmx.gpr;
	const struct cpuid *constant = cpuid_constant(&v->vm->cpuid, (uint32_t)gpr[GPR_RAX]);
	struct cpuid r;

	if (unlikely(!constant)) {
		struct cpuid_state state = { vmread(VMCS_GUEST_CR4), v->xcr0, v->lapic.enabled };

		r = cpuid_answer(&v->vm->cpuid, (uint32_t)gpr[GPR_RAX], (uint32_t)gpr[GPR_RCX], &state);
		constant = &r;
	}
	gpr[GPR_RAX] = constant->eax;
	gpr[GPR_RBX] = constant->ebx;
	gpr[GPR_RCX] = constant->ecx;
	gpr[GPR_RDX] = constant->edx;
	exit_skip(v);
}

static void exit_external_interrupt(struct vcpu *v)
{
	uint64_t info = vmread(VMCS_EXIT_INTERRUPTION_INFO);

	exit_requeue_event(v);
	if (info & INFO_VALID)
		VM_MUTANT(HOST_INTERRUPT, interrupt_handle((uint8_t)(info & INFO_VECTOR)));
	if (VM_KEPT(EXIT_TIMER, v->cpu->timer_fired))
		vm_timer_interrupt();
	VM_MUTANT(EXIT_CONTROL, control_poll(v->cpu));
}

/* The guest ran for a whole period without an exit: vm_host_turn() comes before the next entry. */
static void exit_preemption_timer(struct vcpu *v)
{
	VM_MUTANT(PREEMPTION_REQUEUE, exit_requeue_event(v));
	VM_MUTANT(PREEMPTION_TURN, v->host_turn = 0);
}

static void exit_window(struct vcpu *v) { v->requests |= REQUEST_EVENT; }

/* With interrupts off only an NMI ends it, or a debug trap that the HLT itself has caused. */
static void exit_hlt(struct vcpu *v)
{
	exit_skip(v);
	if (VM_KEPT(HLT_FOR_GOOD, !(vmread(VMCS_GUEST_RFLAGS) & RFLAGS_IF)) && !event_wakes(v) && !platform_sends_nmi(v->vm)) {
		vm_end(v->vm, VM_STATUS_STOPPED, "stopped: halted for good: HLT with interrupts disabled at rip 0x%lx",
		       vmread(VMCS_GUEST_RIP) - 1);
		return;
	}
	v->halted = true;
	v->requests |= REQUEST_EVENT;
}

static void exit_triple_fault(struct vcpu *v)
{
	vm_end(v->vm, VM_STATUS_TRIPLE_FAULT, "stopped: triple fault at rip 0x%lx", vmread(VMCS_GUEST_RIP));
}

/* Hypercalls: none yet; the number in RAX is unknown, as any hypervisor says. They are for the kernel: what runs at another level finds a
 * CPU without the instruction. */
static void exit_vmcall(struct vcpu *v)
{
	if (VM_KEPT(VMCALL_CPL, vmx_cpl())) {
		event_ud(v);
		return;
	}
	v->vmx.gpr[GPR_RAX] = ~0ull;
	exit_skip(v);
}

/* Instructions that do nothing here: caches are coherent, and the guest's CPUID has no MWAIT but some use it without asking. */
static void exit_nothing(struct vcpu *v) { exit_skip(v); }

static void exit_entry_failed(struct vcpu *v)
{
	vm_end(v->vm, VM_STATUS_STOPPED,
	       "stopped: the CPU refused the guest's state (exit reason %u, qualification %lu) at rip 0x%lx, CR0 0x%lx, CR4 0x%lx, RFLAGS 0x%lx",
	       (unsigned)(vmread(VMCS_EXIT_REASON) & 0xffff), vmread(VMCS_EXIT_QUALIFICATION), vmread(VMCS_GUEST_RIP), vmread(VMCS_GUEST_CR0), vmread(VMCS_GUEST_CR4),
	       vmread(VMCS_GUEST_RFLAGS));
}

static void exit_unknown(struct vcpu *v)
{
	vm_end(v->vm, VM_STATUS_STOPPED, "stopped: VM exit with reason %lu, which Vellum does not handle", vmread(VMCS_EXIT_REASON) & 0xffff);
}

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Woverride-init"
exit_handler *const exit_handlers[EXIT_REASON_COUNT] = {
	[0 ... EXIT_REASON_COUNT - 1] = exit_unknown,
	[EXIT_EXCEPTION_OR_NMI] = exit_exception,
	[EXIT_EXTERNAL_INTERRUPT] = exit_external_interrupt,
	[EXIT_TRIPLE_FAULT] = exit_triple_fault,
	[EXIT_INTERRUPT_WINDOW] = exit_window,
	[EXIT_NMI_WINDOW] = exit_window,
	[EXIT_TASK_SWITCH] = exit_task_switch,
	[EXIT_CPUID] = exit_cpuid,
	[EXIT_GETSEC] = event_ud,
	[EXIT_HLT] = exit_hlt,
	[EXIT_INVD] = exit_nothing,
	[EXIT_INVLPG] = exit_invlpg,
	[EXIT_RDPMC] = event_gp,
	[EXIT_VMCALL] = exit_vmcall,
	[EXIT_VMCLEAR] = event_ud,
	[EXIT_VMLAUNCH] = event_ud,
	[EXIT_VMPTRLD] = event_ud,
	[EXIT_VMPTRST] = event_ud,
	[EXIT_VMREAD] = event_ud,
	[EXIT_VMRESUME] = event_ud,
	[EXIT_VMWRITE] = event_ud,
	[EXIT_VMXOFF] = event_ud,
	[EXIT_VMXON] = event_ud,
	[EXIT_CR_ACCESS] = exit_cr_access,
	[EXIT_IO_INSTRUCTION] = exit_io,
	[EXIT_RDMSR] = exit_rdmsr,
	[EXIT_WRMSR] = exit_wrmsr,
	[EXIT_INVALID_GUEST_STATE] = exit_entry_failed,
	[EXIT_MSR_LOADING] = exit_entry_failed,
	[EXIT_MACHINE_CHECK] = exit_machine_check,
	[EXIT_PREEMPTION_TIMER] = exit_preemption_timer,
	[EXIT_MWAIT] = event_ud,
	[EXIT_MONITOR] = event_ud,
	[EXIT_EPT_VIOLATION] = exit_ept_violation,
	[EXIT_EPT_MISCONFIG] = exit_ept_misconfig,
	[EXIT_INVEPT] = event_ud,
	[EXIT_INVVPID] = event_ud,
	[EXIT_WBINVD] = exit_nothing,
	[EXIT_XSETBV] = exit_xsetbv,
	[EXIT_VMFUNC] = event_ud,
};
#pragma GCC diagnostic pop
