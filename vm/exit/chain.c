/* vm/exit/chain.c - which exceptions a triple fault is made of. The CPU tells nothing of them (SDM, "Information for VM
 * Exits That Occur During Event Delivery": the exit is none of these), but its registers are still those before the
 * instruction that raised the first. So the guest goes that way once more, while every exception exits, and is injected
 * as if it had not. Where an event was being delivered, and not an instruction done, nothing comes again.
 *
 *   CH1  Nothing but the one instruction is done: the CPU steps, no interrupt comes in front of it, and what exits for
 *        another reason than an exception or the host is not carried out.
 *   CH2  It ends after a bounded number of exits, and its VM with it, as without. */
#include "vm/vm.h"
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

static void end(struct vcpu *v)
{
	struct vcpu_chain *c = &v->chain;

	c->looks = false;
	c->over = true;
	hvm_set_rflags(&v->hvm, c->rflags);
	hvm_set_blocking(&v->hvm, c->blocking);
	__atomic_store_n(&v->traced.codes, c->codes, __ATOMIC_RELAXED);
	vm_triple_fault(v);
}

/* A debugger has the stops itself. What a CPU was doing that cannot step, or for which the emulator was at work, is not
 * asked again. */
static bool can_look(const struct vcpu *v)
{
	return machine.caps.steps && !v->emulated && !v->vm->debug.attached && v->vm->config->on_reset !=
		CONFIG_RESET_BOOT;
}

void chain_triple_fault(struct vcpu *v)
{
	struct vcpu_chain *c = &v->chain;

	if (c->looks) {
		end(v);
		return;
	}
	if (c->over || !can_look(v)) {
		vm_triple_fault(v);
		return;
	}
	v->event.info = 0;
	*c = (struct vcpu_chain){ .looks = true, .rflags = hvm_rflags(&v->hvm), .blocking = hvm_blocking(&v->hvm),
				  .codes = v->traced.codes };
	VM_MUTANT(CHAIN_INTERRUPTS, hvm_set_rflags(&v->hvm, c->rflags & ~RFLAGS_IF));
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

	if (VM_KEPT(CHAIN_BOUND, v->chain.exits++ == EXITS_MOST))
		end(v);
	else if (kind == HVM_EXIT_EXCEPTION && !has_handler(v, info))
		give_on(v, info);
	else if (kind == HVM_EXIT_EXCEPTION || may_go_on(v, kind))
		exit_handlers[n](v);
	else
		end(v);
}
