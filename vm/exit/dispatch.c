/* vm/exit/dispatch.c - the table of exit handlers, and the handlers that are a line or two. docs/exits.md follows one
 * exit through it. */
#include "vm/exit/skip.h"
#include "vm/exit/length.h"

#include "host/trap/interrupt.h"
#include "host/memory/paging.h"
#include "host/cpu/percpu.h"
#include "vm/control/control.h"
#include "lib/mutants/mutate.h"

void exit_skip(struct vcpu *v)
{
	exit_skip_to(v, hvm_rip(&v->hvm) + exit_length(v), hvm_rflags(&v->hvm));
}

void exit_skip_access(struct vcpu *v, unsigned length)
{
	exit_skip_access_to(v, hvm_rip(&v->hvm) + length, hvm_rflags(&v->hvm));
}

void exit_requeue_event(struct vcpu *v)
{
	uint64_t info = hvm_exit_delivery(&v->hvm);
	uint32_t type = (uint32_t)(info & EVENT_TYPE);

	if (VM_LEFT_OUT_OR(REQUEUE, likely(!(info & EVENT_VALID))))
		return;
	v->event = (struct event){ .info = (uint32_t)info };
	/* Undefined here, and at entry it must be 0 (SDM, "VM-Entry Controls for Event Injection"). */
	VM_MUTANT(REQUEUE_UNDEFINED, v->event.info &= (uint32_t)~EVENT_NMI_UNBLOCKED);
	if (VM_KEPT(REQUEUE_ERROR, info & EVENT_HAS_ERROR))
		v->event.error = (uint32_t)hvm_exit_delivery_error(&v->hvm);
	if (type == EVENT_TYPE_SOFTWARE_INTERRUPT || type == EVENT_TYPE_SOFTWARE_EXCEPTION ||
	    type == EVENT_TYPE_PRIVILEGED_SOFTWARE_EXCEPTION)
		VM_MUTANT(REQUEUE_LENGTH, v->event.length = (uint32_t)exit_length(v));
	/* The fault that its delivery ended in has set RF in the flags (SDM, "Saving RIP, RSP, RFLAGS, and SSP"); what
	 * is no fault, and #DB, pushes them without. */
	if (VM_KEPT(REQUEUE_RF, !event_sets_rf((uint32_t)info)))
		hvm_set_rflags(&v->hvm, hvm_rflags(&v->hvm) & ~RFLAGS_RF);
	/* An NMI that is delivered again must not find itself blocked (SDM, "Checks on Guest Non-Register State"). */
	if (VM_KEPT(REQUEUE_NMI, type == EVENT_TYPE_NMI))
		hvm_set_blocking(&v->hvm, hvm_blocking(&v->hvm) & ~BLOCKING_NMI);
	vcpu_note(v, REQUEST_EVENT);
}

/* Without a call where nothing was being delivered. */
static inline void requeue_event(struct vcpu *v)
{
	if (unlikely(hvm_exit_delivery(&v->hvm) & EVENT_VALID))
		exit_requeue_event(v);
}

/* Not a part of the exit whose answer is a constant. */
__attribute__((noinline)) struct cpuid vcpu_cpuid(const struct vcpu *v, uint32_t leaf, uint32_t subleaf)
{
	struct cpuid_state state = { hvm_hardware_cr4(&v->hvm), v->xcr0, v->lapic.enabled, v->id };

	return cpuid_answer(&v->vm->cpuid, leaf, subleaf, &state);
}

static void exit_cpuid(struct vcpu *v)
{
	uint64_t *gpr = v->hvm.gpr;
	const struct cpuid *constant = cpuid_constant(&v->vm->cpuid, (uint32_t)gpr[GPR_RAX]);
	struct cpuid r;

	if (unlikely(!constant)) {
		r = vcpu_cpuid(v, (uint32_t)gpr[GPR_RAX], (uint32_t)gpr[GPR_RCX]);
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
	uint64_t info = hvm_exit_event(&v->hvm);

	requeue_event(v);
	if (info & EVENT_VALID)
		VM_MUTANT(HOST_INTERRUPT, interrupt_handle((uint8_t)(info & EVENT_VECTOR)));
	if (VM_KEPT(EXIT_TIMER, v->cpu->timer_fired))
		vm_timer_interrupt();
	VM_MUTANT(EXIT_BALANCE, balance_poll(v->cpu));
	VM_MUTANT(EXIT_CONTROL, control_poll(v->cpu));
}

/* The guest ran for a whole period without an exit: vm_host_turn() comes before the next entry. Or it is its alarm. */
static void exit_longest_run(struct vcpu *v)
{
	VM_MUTANT(PREEMPTION_REQUEUE, requeue_event(v));
	if (v->start.alarm)
		alarm_rings(v);
	else
		VM_MUTANT(PREEMPTION_TURN, v->host_turn = 0);
}

static void exit_window(struct vcpu *v) { vcpu_note(v, REQUEST_EVENT); }

/* One that nobody waits for any more was asked for before. */
static void exit_step(struct vcpu *v)
{
	if (v->debug.step)
		debug_stop(v, DEBUG_STEPPED, 0);
	else
		vcpu_note(v, REQUEST_DEBUG);
}

static void exit_hlt(struct vcpu *v)
{
	exit_skip(v);
	event_halt(v);
}

/* PAUSE does nothing by itself. */
static void exit_pause(struct vcpu *v)
{
	exit_skip(v);
	VM_MUTANT(PAUSE_YIELDS, schedule_yield(v));
}

/* SDM, "Interrupt 8 - Double Fault Exception (#DF)": a CPU shuts down. Most PCs reset then; a guest that comes here has
 * lost its way, and its state is worth more than a new start. */
static void exit_triple_fault(struct vcpu *v)
{
	chain_triple_fault(v);
}

/* Hypercalls: none yet; the number in RAX is unknown, as any hypervisor says. They are for the kernel: what runs at
 * another level finds a CPU without the instruction. */
static void exit_hypercall(struct vcpu *v)
{
	if (VM_KEPT(VMCALL_CPL, hvm_cpl(&v->hvm))) {
		event_ud(v);
		return;
	}
	v->hvm.gpr[GPR_RAX] = ~0ull;
	exit_skip(v);
}

/* An instruction that CPUID does not offer (SDM, "Invalid Opcode Exception (#UD)"). */
static void exit_absent(struct vcpu *v)
{
	if (!patch_told(v))
		event_ud(v);
}

/* WBINVD and INVD: caches are coherent, and what INVD would throw away may be the host's. */
static void exit_nothing(struct vcpu *v) { exit_skip(v); }

/* SDM, "VM-Entry Failures During or After Loading Guest State". */
static void exit_entry_failed(struct vcpu *v)
{
	vm_tell_state(v);
	vm_end(v->vm, VM_STATUS_STOPPED,
	       "stopped: the CPU refused the guest's state (exit reason %u, detail 0x%lx) at rip 0x%lx, CR0 "
	       "0x%lx, CR4 0x%lx, RFLAGS 0x%lx",
	       (unsigned)hvm_exit_code(&v->hvm), hvm_exit_detail(&v->hvm), hvm_rip(&v->hvm), hvm_hardware_cr0(&v->hvm),
	       hvm_hardware_cr4(&v->hvm), hvm_rflags(&v->hvm));
}

void exit_unknown(struct vcpu *v)
{
	vm_tell_state(v);
	vm_end(v->vm, VM_STATUS_STOPPED, "stopped: VM exit with reason %lu, which Vellum does not handle",
	       hvm_exit_code(&v->hvm));
}

static exit_handler *const handlers[HVM_EXIT_KINDS] = {
	[HVM_EXIT_UNKNOWN] = exit_unknown,
	[HVM_EXIT_EXCEPTION] = exit_exception,
	[HVM_EXIT_INTERRUPT] = exit_external_interrupt,
	[HVM_EXIT_TRIPLE_FAULT] = exit_triple_fault,
	[HVM_EXIT_WINDOW] = exit_window,
	[HVM_EXIT_TASK_SWITCH] = exit_task_switch,
	[HVM_EXIT_CPUID] = exit_cpuid,
	[HVM_EXIT_HLT] = exit_hlt,
	[HVM_EXIT_NOTHING_TO_DO] = exit_nothing,
	[HVM_EXIT_INVLPG] = exit_invlpg,
	[HVM_EXIT_RDPMC] = event_gp, /* no counter has this number: there is none */
	[HVM_EXIT_HYPERCALL] = exit_hypercall,
	[HVM_EXIT_ABSENT] = exit_absent,
	[HVM_EXIT_CR_ACCESS] = exit_cr_access,
	[HVM_EXIT_IO] = exit_io,
	[HVM_EXIT_RDMSR] = exit_rdmsr,
	[HVM_EXIT_WRMSR] = exit_wrmsr,
	[HVM_EXIT_XSETBV] = exit_xsetbv,
	[HVM_EXIT_ENTRY_FAILED] = exit_entry_failed,
	[HVM_EXIT_MACHINE_CHECK] = exit_machine_check,
	[HVM_EXIT_TIMER] = exit_longest_run,
	[HVM_EXIT_NESTED_FAULT] = exit_nested_fault,
	[HVM_EXIT_NESTED_MISCONFIG] = exit_nested_misconfig,
	[HVM_EXIT_TPR_BELOW] = exit_tpr_below,
	[HVM_EXIT_APIC_ACCESS] = exit_apic_access,
	[HVM_EXIT_APIC_WRITE] = exit_apic_write,
	[HVM_EXIT_EOI] = exit_eoi,
	[HVM_EXIT_LOG_FULL] = exit_log_full,
	[HVM_EXIT_PAUSE] = exit_pause,
	[HVM_EXIT_EMULATE] = emulation_step,
	[HVM_EXIT_STEP] = exit_step,
	[HVM_EXIT_DR_ACCESS] = emulation_step, /* some of them are a debugger's (DB3) */
};

exit_handler *exit_handlers[HVM_EXIT_CODES] READ_MOSTLY;

void exit_handlers_init(void)
{
	for (unsigned code = 0; code < HVM_EXIT_CODES; code++)
		exit_handlers[code] = handlers[hvm_exit_kind(code)];
}
