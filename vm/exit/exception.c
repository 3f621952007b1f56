/* vm/exit/exception.c - exceptions that exit, and what becomes of them. Page faults go to the heart (vm/exit/mmu.c).
 * #AC and #DB exit because a guest can make their delivery cause the next one, in microcode, for ever and with
 * interrupts shut out (CVE-2015-5307, CVE-2015-8104): here each round is an exit, after which the host has its turn. A
 * machine check is the host's affair first.
 *
 * X1  What is given on arrives as it would have without the exit: vector, type, error code, DR6, DR7, pending traps. */
#include "vm/vm.h"
#include "vm/exit/length.h"

#include "host/cpu/x86.h"
#include "host/trap/mca.h"
#include "lib/mutants/mutate.h"

/* A #DB that exits has changed neither DR6 nor DR7 yet (SDM, "Exit Qualification for Debug Exceptions"): what its
 * delivery would have done is done here. Its other bits are never cleared by the CPU ("Debug Status Register (DR6)").
 * The guest's DR6 is in the CPU (vm/cpu/resident.c). */
static void update_debug_registers(struct vcpu *v, uint64_t causes)
{
	VM_MUTANT(DB_REGISTERS, write_dr6((read_dr6() & ~DR6_BREAKPOINTS) | causes));
	/* Whatever the debug exception's cause, its handler may reach the debug registers (SDM, "Debug Control Register
	 * (DR7)"). */
	VM_MUTANT(DB_GD, hvm_set_dr7(&v->hvm, hvm_dr7(&v->hvm) & ~DR7_GD));
}

/* With TF set and blocking by STI or MOV SS, a single-step trap must be pending at VM entry (SDM, "Checks on Guest
 * Non-Register State"); an exit by #DB takes it away. */
static void keep_pending_step(struct vcpu *v)
{
	if ((hvm_rflags(&v->hvm) & RFLAGS_TF) && (hvm_blocking(&v->hvm) & (BLOCKING_STI | BLOCKING_MOV_SS)))
		hvm_set_pending_debug(&v->hvm, hvm_pending_debug(&v->hvm) | PENDING_DEBUG_BS);
}

static void debug_exception(struct vcpu *v, uint64_t info)
{
	uint64_t causes;

	exit_requeue_event(v);
	VM_MUTANT(DB_PENDING, keep_pending_step(v));
	/* INT1: no DR6, and behind the instruction (SDM, INT n/INTO/INT3/INT1 - Call to Interrupt Procedure). */
	if ((info & EVENT_TYPE) == EVENT_TYPE_PRIVILEGED_SOFTWARE_EXCEPTION) {
		event_int1(v, (uint32_t)exit_length(v));
		return;
	}
	causes = hvm_exit_debug_causes(&v->hvm);
	if (unlikely(v->debug.taken || v->debug.trap) && debug_takes(v, &causes))
		return;
	if (causes & DR6_BS)
		chain_trap(v);
	update_debug_registers(v, causes);
	event_exception(v, VECTOR_DB, false, 0);
}

/* Exits for a debugger only; the guest's own goes on as INT3 does (SDM, "Event Injection": behind the instruction). */
static void breakpoint(struct vcpu *v, uint64_t info)
{
	exit_requeue_event(v);
	if (debug_takes_int3(v))
		return;
	v->event = (struct event){ (uint32_t)(info & (EVENT_VALID | EVENT_TYPE | EVENT_VECTOR)), 0,
				   (uint32_t)exit_length(v) };
	vcpu_note(v, REQUEST_EVENT);
}

/* Intercepted for what the head of this file says (CVE-2015-5307). */
static void alignment_check(struct vcpu *v)
{
	VM_MUTANT(AC_REQUEUE, exit_requeue_event(v));
	keep_pending_step(v); /* a CPU has saved it with this exit; not every emulator does */
	event_exception(v, VECTOR_AC, true, (uint32_t)hvm_exit_event_error(&v->hvm));
}

/* The guest has no machine-check banks and no CR4.MCE that would mean anything: where its memory is sound it goes on
 * and is told nothing. */
static void machine_check(struct vcpu *v)
{
	VM_MUTANT(MC_REQUEUE, exit_requeue_event(v));
	if (VM_KEPT(MC_FATAL, !host_machine_check()))
		vm_end(v->vm, VM_STATUS_STOPPED, "stopped: a machine check hit what the guest was using, at rip 0x%lx",
		       hvm_rip(&v->hvm));
}

/* A machine check during a VM entry (SDM, "Machine-Check Events During VM Entry"): the guest has not run and may be
 * entered again. */
void exit_machine_check(struct vcpu *v)
{
	if (!host_machine_check())
		vm_end(v->vm, VM_STATUS_STOPPED, "stopped: a machine check hit the entry to the guest, at rip 0x%lx",
		       hvm_rip(&v->hvm));
}

bool v86_faulted(struct vcpu *v)
{
	uint64_t info = hvm_exit_event(&v->hvm);

	return (info & EVENT_TYPE) != EVENT_TYPE_NMI && (info & EVENT_VECTOR) != VECTOR_PF &&
	       (info & EVENT_VECTOR) != VECTOR_DB && (info & EVENT_VECTOR) != VECTOR_MC;
}

void exit_exception(struct vcpu *v)
{
	uint64_t info = hvm_exit_event(&v->hvm);

	if ((info & EVENT_TYPE) == EVENT_TYPE_NMI) {
		exit_requeue_event(v); /* the host's own NMI: nobody sends one on purpose */
		return;
	}
	switch (info & EVENT_VECTOR) {
	case VECTOR_PF:
		exit_page_fault(v, info);
		break;
	case VECTOR_DB:
		debug_exception(v, info);
		break;
	case VECTOR_BP:
		breakpoint(v, info);
		break;
	case VECTOR_AC:
		alignment_check(v);
		break;
	case VECTOR_MC:
		machine_check(v);
		break;
	default:
		vm_end(v->vm, VM_STATUS_STOPPED, "stopped: exception %u exited, which Vellum does not intercept",
		       (unsigned)(info & EVENT_VECTOR));
	}
}
