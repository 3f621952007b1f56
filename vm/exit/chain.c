/* vm/exit/chain.c - which exceptions a triple fault is made of. The CPU tells nothing of them (SDM, "Information for VM
 * Exits That Occur During Event Delivery": the exit is none of these), but its registers are still those before the
 * instruction that raised the first. So the guest goes that way once more, while every exception exits, and is injected
 * as if it had not. Where an event was being delivered, and not an instruction done, nothing comes again. For whom the
 * emulator was at work, nothing has to: what it raised is known (chain_emulated).
 *
 *   CH1  Nothing but the one instruction is done: the CPU steps, no interrupt comes in front of it, and what exits for
 *        another reason than an exception or the host is not carried out. Where the CPU steps by TF only, which the
 *        delivery of an exception clears, the emulator delivers what the instruction has raised.
 *   CH2  It ends after a bounded number of exits, and its VM with it, as without.
 *   CH3  A guest that steps itself by TF may have come to it in the delivery of its own trap, behind an instruction.
 *        Every #DB exits, so it is known where the last one was: there that comes again first, by the emulator, and the
 *        next instruction only where the trap finds its handler.
 *   CH4  A debugger has no part in it, and neither its breakpoints nor its step come in between. */
#include "vm/exit/emulation.h"
#include "vm/exit/length.h"

#include "lib/mutants/mutate.h"

enum { EXITS_MOST = 100 };

void chain_note(struct vcpu *v, uint8_t vector, bool has_error, uint32_t error)
{
	struct vcpu_chain *c = &v->chain;

	if (c->count == CHAIN_MAX)
		return;
	c->of[c->count].delivered = v->event.info & EVENT_VALID ? v->event.info : 0;
	c->of[c->count].info = (has_error ? (uint32_t)EVENT_HAS_ERROR : 0) | vector;
	c->of[c->count].error = error;
	c->of[c->count++].cr2 = vector == VECTOR_PF ? read_cr2() : 0;
}

/* The first in whose delivery this one is raised opens the chain; CR2 is the second's already. */
void chain_emulated(struct vcpu *v, uint8_t vector, bool has_error, uint32_t error)
{
	struct vcpu_chain *c = &v->chain;

	if (!c->count) {
		c->of[0].delivered = 0;
		c->of[0].info = v->event.info & (uint32_t)(EVENT_VECTOR | EVENT_HAS_ERROR);
		c->of[0].error = v->event.error;
		c->of[0].cr2 = vector == VECTOR_PF ? CHAIN_NO_ADDRESS : read_cr2();
		c->count = 1;
	}
	chain_note(v, vector, has_error, error);
}

static void end_by_chain(struct vcpu *v)
{
	struct vcpu_chain *c = &v->chain;

	VM_MUTANT(CHAIN_LAST, v->last.next = c->last);
	c->looks = false;
	c->over = true;
	hvm_set_rflags(&v->hvm, c->rflags);
	hvm_set_blocking(&v->hvm, c->blocking);
	__atomic_store_n(&v->traced.codes, c->codes, __ATOMIC_RELAXED);
	vm_triple_fault(v);
}

/* CH1. What has been raised goes to the emulator: until nothing is, or cannot be delivered. Each is raised by the
 * delivery of the last, so there are a few at most. true: the last has found a handler, or there was none. */
static bool deliver(struct vcpu *v)
{
	while (v->chain.looks && (v->event.info & EVENT_VALID))
		if (!emulation_delivers(v))
			end_by_chain(v);
	return v->chain.looks;
}

/* CH3. What the delivery has changed is put back where it was not that. */
static bool by_own_trap(struct vcpu *v)
{
	struct segment_state cs = hvm_segment(&v->hvm, SEG_CS), ss = hvm_segment(&v->hvm, SEG_SS);
	uint64_t rip = hvm_rip(&v->hvm), rsp = hvm_rsp(&v->hvm);

	event_exception(v, VECTOR_DB, false, 0);
	if (!deliver(v))
		return true;
	hvm_set_segment(&v->hvm, SEG_CS, &cs);
	hvm_set_segment(&v->hvm, SEG_SS, &ss);
	hvm_set_rip(&v->hvm, rip);
	hvm_set_rsp(&v->hvm, rsp);
	VM_MUTANT(CHAIN_TRAP_HANDLED, v->chain.count = 0);
	return false;
}

void chain_trap(struct vcpu *v)
{
	v->chain.trapped = true;
	v->chain.trap_rip = hvm_rip(&v->hvm);
}

static bool may_be_own_trap(const struct vcpu *v)
{
	return VM_KEPT(CHAIN_TRAP, v->chain.trapped) && (hvm_rflags(&v->hvm) & RFLAGS_TF) &&
	       VM_LEFT_OUT_OR(CHAIN_TRAP_PLACE, v->chain.trap_rip == hvm_rip(&v->hvm));
}

void chain_triple_fault(struct vcpu *v)
{
	struct vcpu_chain *c = &v->chain;
	bool trap;

	if (c->looks) {
		end_by_chain(v);
		return;
	}
	if (c->over || v->emulated) {
		c->over = true;
		vm_triple_fault(v);
		return;
	}
	VM_MUTANT(CHAIN_DEBUGGER, debug_leave(v));
	trap = may_be_own_trap(v);
	v->event.info = 0;
	*c = (struct vcpu_chain){ .looks = true, .rflags = hvm_rflags(&v->hvm), .blocking = hvm_blocking(&v->hvm),
				  .codes = v->traced.codes, .last = v->last.next };
	if (trap && by_own_trap(v))
		return;
	hvm_set_rflags(&v->hvm, (c->rflags & ~(VM_KEPT(CHAIN_INTERRUPTS, true) ? RFLAGS_IF : 0)) |
				(VM_KEPT(CHAIN_STEPS, !machine.caps.steps) ? RFLAGS_TF : 0));
	VM_MUTANT(CHAIN_NMI, hvm_set_blocking(&v->hvm, BLOCKING_NMI));
	__atomic_store_n(&v->traced.codes, 0, __ATOMIC_RELAXED);
	vcpu_note(v, REQUEST_DEBUG);
}

/* As it would have come to the guest by itself. */
static void give_on(struct vcpu *v, uint64_t info)
{
	uint32_t error = (uint32_t)hvm_exit_event_error(&v->hvm);
	uint8_t vector = (uint8_t)(info & EVENT_VECTOR);

	exit_requeue_event(v);
	if ((info & EVENT_TYPE) == EVENT_TYPE_SOFTWARE_EXCEPTION) { /* INT3 and INTO */
		chain_note(v, vector, false, 0);
		v->event = (struct event){ (uint32_t)(info & (EVENT_VALID | EVENT_TYPE | EVENT_VECTOR)), 0,
					   (uint32_t)exit_length(v) };
		vcpu_note(v, REQUEST_EVENT);
	} else if (vector == VECTOR_PF) {
		event_page_fault(v, error, hvm_exit_fault_gva(&v->hvm).v);
	} else {
		event_exception(v, vector, info & EVENT_HAS_ERROR, error);
	}
}

/* The heart's, the host's, and what is intercepted always have handlers of their own. */
static bool has_handler(const struct vcpu *v, uint64_t info)
{
	uint64_t vector = info & EVENT_VECTOR;

	return (info & EVENT_TYPE) == EVENT_TYPE_NMI || vector == VECTOR_MC || vector == VECTOR_DB ||
	       vector == VECTOR_AC || (vector == VECTOR_PF && !v->mmu.intercepts.ept);
}

/* The instruction is over: TF. */
static bool has_stepped(const struct vcpu *v, uint64_t info)
{
	return !machine.caps.steps && (info & EVENT_VECTOR) == VECTOR_DB &&
	       (info & EVENT_TYPE) == EVENT_TYPE_HARDWARE_EXCEPTION && (hvm_exit_debug_causes(&v->hvm) & DR6_BS);
}

/* CH1. An access to what is no memory would be done for the guest. */
static bool may_go_on(const struct vcpu *v, enum hvm_exit_kind kind)
{
	const struct slot *s;

	switch (kind) {
	case HVM_EXIT_INTERRUPT: case HVM_EXIT_TIMER: case HVM_EXIT_LOG_FULL: case HVM_EXIT_WINDOW:
		return true;
	case HVM_EXIT_NESTED_FAULT:
		s = slots_find(&v->vm->mmu.slots, gpa_gfn(hvm_exit_nested_fault(&v->hvm).gpa));
		return s && s->kind == SLOT_RAM;
	default:
		return VM_LEFT_OUT_OR(CHAIN_EXITS, false);
	}
}

/* In the account it is a part of the triple fault's exit. */
void chain_exit(struct vcpu *v, uint64_t code)
{
	unsigned n = (unsigned)min_u64(code, HVM_EXIT_OTHER);
	enum hvm_exit_kind kind = hvm_exit_kind(n);
	uint64_t info = kind == HVM_EXIT_EXCEPTION ? hvm_exit_event(&v->hvm) : 0;

	if (VM_KEPT(CHAIN_BOUND, v->chain.exits++ == EXITS_MOST) || has_stepped(v, info))
		end_by_chain(v);
	else if (kind == HVM_EXIT_EXCEPTION && !has_handler(v, info))
		give_on(v, info);
	else if (kind == HVM_EXIT_EXCEPTION || may_go_on(v, kind))
		exit_handlers[n](v);
	else
		end_by_chain(v);
	if (!machine.caps.steps && VM_KEPT(CHAIN_DELIVERS, v->event.info & EVENT_VALID) && deliver(v))
		end_by_chain(v);
}
