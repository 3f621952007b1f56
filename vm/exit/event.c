/* vm/exit/event.c - what is injected at the next entry: exceptions, NMIs, interrupts. SDM, "Event Injection" and, for
 * two faults at once, "Interrupt 8 - Double Fault Exception (#DF)". */
#include "vm/vm.h"

#include "lib/mutants/mutate.h"

/* Contributory exceptions: #DE, #TS, #NP, #SS, #GP. */
static bool contributory(uint8_t vector) { return vector == VECTOR_DE || (vector >= VECTOR_TS && vector <= VECTOR_GP); }

static bool is_fault(const struct event *e)
{
	return (e->info & EVENT_VALID) && (e->info & EVENT_TYPE) == EVENT_TYPE_HARDWARE_EXCEPTION;
}

/* A second exception while the first was being delivered: the table "Conditions for Generating a Double Fault". */
static bool doubles(uint8_t first, uint8_t second)
{
	return (contributory(first) && contributory(second)) ||
	       (first == VECTOR_PF && (contributory(second) || second == VECTOR_PF));
}

/* The image of RFLAGS that a fault saves has RF set, so that the instruction is not caught by its own breakpoint once
 * more (SDM, "Debug Exceptions"); VM entry pushes what the vCPU has. */
static void set_rf(struct vcpu *v)
{
	uint64_t rflags = hvm_rflags(&v->hvm);

	if (!(rflags & RFLAGS_RF))
		hvm_set_rflags(&v->hvm, rflags | RFLAGS_RF);
}

/* Faults do, but for the #DB of an instruction breakpoint; #DF is an abort (SDM, "Instruction-Breakpoint Exception
 * Condition"). */
bool event_sets_rf(uint32_t info)
{
	uint32_t vector = info & EVENT_VECTOR;

	return (info & EVENT_TYPE) == EVENT_TYPE_HARDWARE_EXCEPTION && vector != VECTOR_DB && vector != VECTOR_DF;
}

/* In real mode no exception has an error code, and VM entry refuses one (SDM, "VM-Entry Controls for Event
 * Injection"). */
static void put_exception(struct vcpu *v, uint8_t vector, bool has_error, uint32_t error)
{
	if (vector != VECTOR_DB && vector != VECTOR_DF)
		VM_MUTANT(RF, set_rf(v));
	has_error = has_error && VM_LEFT_OUT_OR(REAL_ERROR, hvm_guest_cr0(&v->hvm) & CR0_PE);
	v->event = (struct event){ (uint32_t)(EVENT_VALID | EVENT_TYPE_HARDWARE_EXCEPTION |
					      (has_error ? EVENT_HAS_ERROR : 0) | vector),
				   error, 0 };
	vcpu_note(v, REQUEST_EVENT);
}

/* An interrupt or NMI whose delivery ends in a fault of the guest's is over, as on a CPU: it was acknowledged, and the
 * NMI blocks others until an IRET. */
void event_exception(struct vcpu *v, uint8_t vector, bool has_error, uint32_t error)
{
	uint8_t first = (uint8_t)(v->event.info & EVENT_VECTOR);

	if (unlikely(v->chain.looks))
		chain_note(v, vector, has_error, error);
	if (is_fault(&v->event)) {
		if (unlikely(v->emulated) && !v->chain.looks)
			VM_MUTANT(CHAIN_EMULATED, chain_emulated(v, vector, has_error, error));
		if (VM_KEPT(TRIPLE_FAULT, first == VECTOR_DF)) {
			chain_triple_fault(v);
			return;
		}
		if (VM_KEPT(DOUBLE_FAULT, doubles(first, vector))) {
			put_exception(v, VECTOR_DF, true, 0);
			return;
		}
	} else if ((v->event.info & EVENT_VALID) && (v->event.info & EVENT_TYPE) == EVENT_TYPE_NMI) {
		VM_MUTANT(LOST_NMI, hvm_set_blocking(&v->hvm, hvm_blocking(&v->hvm) | BLOCKING_NMI));
	}
	put_exception(v, vector, has_error, error);
}

void event_int1(struct vcpu *v, uint32_t length)
{
	v->event = (struct event){ (uint32_t)(EVENT_VALID | EVENT_TYPE_PRIVILEGED_SOFTWARE_EXCEPTION | VECTOR_DB), 0,
				   length };
	vcpu_note(v, REQUEST_EVENT);
}

/* The CPU loads CR2 before the handler runs, and VM entry does not (SDM, "Interrupt 14 - Page-Fault Exception
 * (#PF)"). */
void event_page_fault(struct vcpu *v, uint32_t error, uint64_t cr2)
{
	VM_MUTANT(CR2, write_cr2(cr2));
	event_exception(v, VECTOR_PF, true, error);
}

/* Into the next entry; or the emulator delivers it at once, where there is none. */
static void inject(struct vcpu *v)
{
	if (unlikely(v->emulated)) {
		emulation_deliver(v);
		if (!(v->event.info & EVENT_VALID))
			VM_MUTANT(CHAIN_ANEW, v->chain.count = 0);
		return;
	}
	hvm_inject(&v->hvm, &v->event);
	v->event.info = 0;
}

static void inject_vector(struct vcpu *v, uint8_t vector)
{
	v->event = (struct event){ (uint32_t)(EVENT_VALID | EVENT_TYPE_EXTERNAL | vector), 0, 0 };
	inject(v);
}

/* ExtINT: the vector is the 8259's, and the local APIC's IRR has no part in it (SDM, "Local Vector Table"). -1: it asks
 * no more. */
static __attribute__((noinline)) int take_extint(struct vcpu *v)
{
	int vector = -1;

	spin_lock(&v->vm->device_lock);
	if (lapic_extint(&v->lapic))
		vector = pic_ack(&v->vm->pic);
	spin_unlock(&v->vm->device_lock);
	return vector;
}

/* The vector of the interrupt that comes next, acknowledged, or -1. */
static int take_interrupt(struct vcpu *v)
{
	int vector = lapic_extint(&v->lapic) ? take_extint(v) : -1;

	if (vector >= 0)
		return vector;
	vector = lapic_pending(&v->lapic);
	if (vector >= 0)
		VM_MUTANT(INTERRUPT_ACK, lapic_ack(&v->lapic, (uint8_t)vector));
	return vector;
}

static bool interrupt_waits(struct vcpu *v)
{
	return lapic_extint(&v->lapic) || lapic_pending(&v->lapic) >= 0;
}

/* A debug trap of the last instruction comes before any interrupt (SDM, "Priority Among Concurrent Events"), and an
 * entry that injects one would drop the trap ("Delivery of Pending Debug Exceptions after VM Entry"). */
static bool trap_waits(const struct vcpu *v)
{
	return VM_KEPT(TRAP_FIRST, hvm_pending_debug(&v->hvm) & (PENDING_DEBUG_ENABLED | PENDING_DEBUG_BS));
}

/* RFLAGS.IF, and one instruction behind STI and behind a load of SS (SDM, "Masking Maskable Hardware Interrupts" and
 * "Masking Exceptions and Interrupts When Switching Stacks"). */
static bool interrupts_open(const struct vcpu *v)
{
	uint64_t blocking = hvm_blocking(&v->hvm);

	return VM_LEFT_OUT_OR(INTERRUPT_IF, hvm_rflags(&v->hvm) & RFLAGS_IF) &&
	       VM_LEFT_OUT_OR(INTERRUPT_BLOCKING, !(blocking & (BLOCKING_STI | BLOCKING_MOV_SS))) && !trap_waits(v);
}

/* Blocked by the last one until an IRET (SDM, "Handling Multiple NMIs"). With blocking by MOV SS VM entry refuses to
 * inject one, on some CPUs with blocking by STI too ("Checks on Guest Non-Register State"). */
static bool nmi_open(const struct vcpu *v)
{
	uint64_t blocking = hvm_blocking(&v->hvm);

	return VM_LEFT_OUT_OR(NMI_BLOCKING, !(blocking & (BLOCKING_NMI | BLOCKING_MOV_SS | BLOCKING_STI))) &&
	       !trap_waits(v);
}

/* true: an NMI was injected. */
static bool deliver_nmi(struct vcpu *v, bool busy)
{
	bool open = !busy && nmi_open(v);

	/* Others set it at any time (VM1); two that arrive before this are one (SDM, "Handling Multiple NMIs"). */
	if (open && (__atomic_fetch_and(&v->signals, ~SIGNAL_NMI, __ATOMIC_SEQ_CST) & SIGNAL_NMI)) {
		v->event = (struct event){ (uint32_t)(EVENT_VALID | EVENT_TYPE_NMI | VECTOR_NMI), 0, 0 };
		inject(v);
		VM_MUTANT(WINDOW_CLOSED, hvm_set_nmi_window(&v->hvm, false));
		return true;
	}
	VM_MUTANT(NMI_WINDOW, hvm_set_nmi_window(&v->hvm, vcpu_nmi_pending(v)));
	return false;
}

/* Where no entry delivers them, pending traps are delivered here: DR6 tells which ("Debug Status Register (DR6)"). */
static void take_trap(struct vcpu *v)
{
	uint64_t pending = hvm_pending_debug(&v->hvm);

	if ((v->debug.taken || v->debug.trap) && debug_takes(v, &pending)) {
		hvm_set_pending_debug(&v->hvm, 0);
		return;
	}
	write_dr6((read_dr6() & ~DR6_BREAKPOINTS) | (pending & (DR6_BREAKPOINTS | DR6_BS)));
	hvm_set_pending_debug(&v->hvm, 0);
	hvm_set_dr7(&v->hvm, hvm_dr7(&v->hvm) & ~DR7_GD);
	event_exception(v, VECTOR_DB, false, 0);
}

/* A load of SS holds traps back for one instruction. */
static bool trap_comes(const struct vcpu *v)
{
	return v->emulated && trap_waits(v) &&
	       VM_LEFT_OUT_OR(EMULATED_TRAP_HELD, !(hvm_blocking(&v->hvm) & BLOCKING_MOV_SS));
}

bool event_may_come(const struct vcpu *v)
{
	return (v->event.info & EVENT_VALID) || trap_comes(v) || (vcpu_nmi_pending(v) && nmi_open(v)) ||
	       (v->interrupt_waits && interrupts_open(v));
}

/* What the local APIC has is the CPU's to deliver, by itself and when it may; the 8259's interrupts are not. */
static bool hand(struct vcpu *v)
{
	tpr_hand(v);
	return VM_KEPT(APICV_EXTINT, lapic_extint(&v->lapic));
}

void event_deliver(struct vcpu *v)
{
	bool busy = v->event.info & EVENT_VALID, waits;
	int vector = -1;

	if (unlikely(!busy && trap_comes(v))) {
		VM_MUTANT(EMULATED_TRAP, take_trap(v));
		busy = v->event.info & EVENT_VALID;
	}
	if (busy)
		inject(v);
	if (unlikely(vcpu_nmi_pending(v)))
		busy |= deliver_nmi(v, busy);
	/* L7 in dev/irq/lapic.h: no lock, but for the 8259's. */
	waits = tpr_cpu_delivers(v) ? hand(v) : interrupt_waits(v);
	/* One event an entry; the window exits as soon as the next can come. */
	if (waits && VM_LEFT_OUT_OR(ONE_EVENT, !busy) && interrupts_open(v)) {
		vector = take_interrupt(v);
		waits = tpr_cpu_delivers(v) ? hand(v) : interrupt_waits(v);
	}
	VM_MUTANT(TPR_THRESHOLD, tpr_set_threshold(v, waits));
	if (vector >= 0)
		inject_vector(v, (uint8_t)vector);
	v->interrupt_waits = waits;
	VM_MUTANT(INTERRUPT_WINDOW, hvm_set_interrupt_window(&v->hvm, waits));
}

/* With interrupts off only an NMI ends it, or a debug trap that the HLT itself has caused (SDM, HLT). */
void event_halt(struct vcpu *v)
{
	v->deaf = VM_KEPT(HLT_FOR_GOOD, !(hvm_rflags(&v->hvm) & RFLAGS_IF)) && event_wakes(v) == EVENT_NONE;
	__atomic_store_n(&v->halted, true, __ATOMIC_RELEASE);
	vcpu_note(v, REQUEST_EVENT);
}

/* Where the CPU delivers: would it now? What has come is in the page then, and the CPU knows the highest of it. */
static bool handed_waits(struct vcpu *v)
{
	unsigned waiting, in_service, tpr = lapic_tpr(&v->lapic);
	uint8_t highest;

	waiting = hvm_interrupts(&v->hvm, &highest) & APIC_CLASS;
	in_service = highest & APIC_CLASS;
	return VM_LEFT_OUT_OR(WAKE_ABOVE_TPR, waiting > (tpr & APIC_CLASS)) &&
	       VM_LEFT_OUT_OR(WAKE_ABOVE_SERVICE, waiting > in_service);
}

/* A debug trap of the HLT itself that waits besides is the entry's to deliver. */
enum event_wakes event_wakes(struct vcpu *v)
{
	bool open = !VM_KEPT(WAKE_IF, !(hvm_rflags(&v->hvm) & RFLAGS_IF));

	if ((v->event.info & EVENT_VALID) || vcpu_nmi_pending(v))
		return EVENT_TO_DELIVER;
	if (open && likely(tpr_cpu_delivers(v))) {
		if (hand(v))
			return EVENT_TO_DELIVER;
		if (handed_waits(v))
			return VM_KEPT(HANDED_WINDOW, v->interrupt_waits) ? EVENT_TO_DELIVER : EVENT_WITH_CPU;
	} else if (open && interrupt_waits(v)) {
		return EVENT_TO_DELIVER;
	}
	return VM_KEPT(WAKE_TRAP, trap_waits(v)) ? EVENT_TO_DELIVER : EVENT_NONE;
}
