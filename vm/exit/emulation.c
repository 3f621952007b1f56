/* vm/exit/emulation.c - between the virtual CPU and the instruction emulator: registers in and out, and what becomes of
 * the result. What the emulator asks for in between is in vm/exit/emulation_ops.c.
 *
 * A repeated string instruction makes at most REP_LIMIT iterations for each exit, an instruction with other long
 * operands at most 300 accesses (EM5 in emulate/emulate.h); then the guest is entered again, at the same instruction,
 * so that interrupts are taken. */
#include "vm/exit/decoded.h"

#include "lib/mutants/mutate.h"

#define REP_LIMIT EMULATION_REPEATS
#define REP_LIMIT_TABLE 4

/* SDM, "Modes of Operation" and, for CS.L and CS.D, "Code-Segment Descriptor in 64-bit Mode". CS keeps its D in real
 * mode. */
enum emulate_mode emulation_mode(const struct vcpu *v, uint64_t rflags)
{
	uint32_t cs = hvm_cs_access(&v->hvm);

	if (VM_KEPT(MODE_REAL, !(v->mmu.regs.cr0 & CR0_PE)))
		return cs & SEGMENT_DB ? EMULATE_REAL32 : EMULATE_REAL;
	if (VM_KEPT(MODE_V86, rflags & RFLAGS_VM))
		return EMULATE_V86;
	if ((VM_LEFT_OUT_OR(MODE_64, v->mmu.regs.efer & EFER_LMA)) && (cs & SEGMENT_L))
		return EMULATE_LONG64;
	return cs & SEGMENT_DB ? EMULATE_PROT32 : EMULATE_PROT16;
}

/* And to carry it out. */
static ALWAYS_INLINE void fill_rest(struct vcpu *v)
{
	emulation_fill_all(v);
	breakpoints_begin(v);
}

static ALWAYS_INLINE void fill(struct vcpu *v)
{
	decoded_find(v, hvm_rip(&v->hvm));
	fill_rest(v);
}

/* The registers, after an instruction or a part of a repeated one. */
static void take_over(struct vcpu *v)
{
	struct emulate *e = &v->emulate;

	VM_MUTANT(EMULATED_RSP, hvm_set_rsp(&v->hvm, v->hvm.gpr[GPR_RSP]));
	hvm_set_rip(&v->hvm, e->rip);
	hvm_set_rflags(&v->hvm, e->rflags); /* RF as the instruction leaves it: an IRET may set it */
	for (unsigned n = 0; e->seg_dirty && n < EMULATE_SEGS; n++) {
		struct segment_state s = { e->seg[n].selector, e->seg[n].limit, e->seg[n].access, e->seg[n].base };

		if (VM_KEPT(EMULATED_SEGMENTS, e->seg_dirty & 1u << n))
			hvm_set_segment(&v->hvm, (enum segment)n, &s);
	}
}

/* The traps that the instruction, or the iteration, has caused. With blocking by STI or MOV SS, BS must be what
 * RFLAGS.TF is (SDM, "Checks on Guest Non-Register State"); IA32_DEBUGCTL.BTF is never set. */
static void set_pending_debug(struct vcpu *v)
{
	const struct emulate *e = &v->emulate;
	uint64_t pending = hvm_pending_debug(&v->hvm);

	if (VM_KEPT(EMULATE_STEP, e->single_step) || VM_KEPT(EMULATED_HELD_BACK, e->shadow && (e->rflags & RFLAGS_TF)))
		pending |= PENDING_DEBUG_BS;
	else if (e->shadow)
		pending &= ~PENDING_DEBUG_BS;
	hvm_set_pending_debug(&v->hvm, pending);
	breakpoints_trap(v);
}

/* After an instruction, or after iterations of one: the blocking that STI or MOV SS before it had caused is over. */
static void instruction_done(struct vcpu *v)
{
	const struct emulate *e = &v->emulate;
	uint64_t blocking = hvm_blocking(&v->hvm);

	VM_MUTANT(EMULATED_BLOCKING, blocking &= ~(BLOCKING_STI | BLOCKING_MOV_SS));
	take_over(v);
	if (VM_KEPT(EMULATED_NMI, unlikely(e->unblocks_nmi)))
		blocking &= ~BLOCKING_NMI;
	VM_MUTANT(EMULATED_SHADOW, blocking |= e->shadow);
	hvm_set_blocking(&v->hvm, blocking);
	if (VM_KEPT(EMULATED_TRAPS, unlikely(e->single_step || e->shadow || v->breakpoint_hits)))
		set_pending_debug(v);
}

static void deliver(struct vcpu *v, const struct emulate_exception *x)
{
	static const uint32_t types[] = {
		[EMULATE_HARDWARE_EXCEPTION] = EVENT_TYPE_HARDWARE_EXCEPTION,
		[EMULATE_SOFTWARE_INTERRUPT] = EVENT_TYPE_SOFTWARE_INTERRUPT,
		[EMULATE_SOFTWARE_EXCEPTION] = EVENT_TYPE_SOFTWARE_EXCEPTION,
		[EMULATE_PRIVILEGED_SOFTWARE_EXCEPTION] = EVENT_TYPE_PRIVILEGED_SOFTWARE_EXCEPTION,
	};

	if (x->kind == EMULATE_HARDWARE_EXCEPTION) {
		if (x->vector == VECTOR_PF)
			event_page_fault(v, x->error, x->cr2);
		else
			event_exception(v, x->vector, x->has_error, x->error);
		return;
	}
	v->event = (struct event){ (uint32_t)(EVENT_VALID | types[x->kind] | x->vector), 0, x->length };
	vcpu_note(v, REQUEST_EVENT);
}

/* What the CPU would have changed besides: a delivered event ends blocking by STI and MOV SS, an NMI blocks the next,
 * and traps that were pending are dropped (SDM, "Delivery of Pending Debug Exceptions after VM Entry"). */
static void delivered(struct vcpu *v)
{
	uint64_t blocking = hvm_blocking(&v->hvm);

	VM_MUTANT(DELIVERED_BLOCKING, blocking &= ~(BLOCKING_STI | BLOCKING_MOV_SS));
	if (VM_KEPT(DELIVERED_NMI, (v->event.info & EVENT_TYPE) == EVENT_TYPE_NMI))
		blocking |= BLOCKING_NMI;
	VM_MUTANT(DELIVERED, v->event.info = 0);
	take_over(v);
	hvm_set_blocking(&v->hvm, blocking);
	VM_MUTANT(DELIVERED_TRAPS, hvm_set_pending_debug(&v->hvm, 0));
}

bool emulation_delivers(struct vcpu *v)
{
	static const uint8_t kinds[(EVENT_TYPE >> EVENT_TYPE_SHIFT) + 1] = {
		[EVENT_TYPE_SOFTWARE_INTERRUPT >> EVENT_TYPE_SHIFT] = EMULATE_SOFTWARE_INTERRUPT,
		[EVENT_TYPE_PRIVILEGED_SOFTWARE_EXCEPTION >> EVENT_TYPE_SHIFT] = EMULATE_PRIVILEGED_SOFTWARE_EXCEPTION,
		[EVENT_TYPE_SOFTWARE_EXCEPTION >> EVENT_TYPE_SHIFT] = EMULATE_SOFTWARE_EXCEPTION,
	}; /* else EMULATE_HARDWARE_EXCEPTION */
	struct emulate_event event = {
		.vector = (uint8_t)(v->event.info & EVENT_VECTOR),
		.kind = kinds[(v->event.info & EVENT_TYPE) >> EVENT_TYPE_SHIFT],
		.length = (uint8_t)v->event.length,
		.has_error = v->event.info & EVENT_HAS_ERROR,
		.error = v->event.error,
	};

	fill(v);
	switch (emulate_deliver(&v->emulate, &event)) {
	case EMULATE_OK:
		delivered(v);
		return true;
	case EMULATE_EXCEPTION:
		deliver(v, &v->emulate.exception);
		return true;
	default:
		return false;
	}
}

void emulation_deliver(struct vcpu *v)
{
	unsigned vector = (unsigned)(v->event.info & EVENT_VECTOR);

	if (!emulation_delivers(v))
		vm_end(v->vm, VM_STATUS_STOPPED,
		       "stopped: the delivery of vector %u cannot be carried out at rip 0x%lx", vector,
		       hvm_rip(&v->hvm));
}

static void unknown(struct vcpu *v)
{
	enum emulation_unknown what = v->emulated ? emulation_unknown(v) : UNKNOWN_STOPS;

	if (v->emulated && patch_told(v))
		return;
	if (what == UNKNOWN_UD)
		event_ud(v);
	else if (what == UNKNOWN_GP)
		event_gp(v);
	else
		emulation_refuse(v, "an instruction that Vellum does not emulate");
}

/* What is not known, or cannot be done, ends the guest with a sentence: an exception that its CPU would not raise would
 * mislead it. */
static void act_on(struct vcpu *v, enum emulate_result result)
{
	switch (result) {
	case EMULATE_OK:
		instruction_done(v);
		break;
	case EMULATE_RESTART:
		if (v->emulate.progress)
			instruction_done(v);
		break;
	case EMULATE_HALT:
		instruction_done(v);
		event_halt(v);
		break;
	case EMULATE_EXCEPTION:
		take_over(v);
		deliver(v, &v->emulate.exception);
		break;
	case EMULATE_UNKNOWN:
		unknown(v);
		break;
	case EMULATE_UNHANDLEABLE:
		emulation_refuse(v, v->emulate.length ? "an access that Vellum cannot carry out" :
			  "the guest executes from memory that cannot be read");
		break;
	}
}

void emulation_act_on_known(struct vcpu *v, const struct insn_cache *c, enum emulate_result result)
{
	v->emulate.length = c->insn.length;
	memcpy(v->emulate.bytes, c->bytes, sizeof(v->emulate.bytes));
	act_on(v, result);
}

/* The instruction at RIP, decoded into the cache. */
static enum emulate_result fetch(struct vcpu *v, struct insn_cache *c)
{
	struct emulate *e = &v->emulate;
	enum emulate_result result = emulate_fetch(e, &c->insn);

	c->rip = e->rip;
	c->noted = c->operand_noted = 0;
	c->mode = e->mode;
	memcpy(c->bytes, e->bytes, sizeof(e->bytes));
	if (result != EMULATE_OK)
		c->insn.length = 0;
	c->mask = c->insn.length && c->insn.length < 8 ? ~0ull >> (64 - 8 * c->insn.length) : ~0ull;
	c->plain = (uint8_t)(c->insn.length ? insn_plain(&c->insn, e->features) : INSN_NOT_PLAIN);
	c->size = (uint8_t)(c->plain ? insn_operand_size(&c->insn) : 1);
	c->odd = ((c->size - 1) & 4) | (decoded_is_odd(c) ? ODD_FORM : 0);
	c->aside = (c->insn.base == GPR_RSP ? ASIDE_RSP : 0) | (insn_is_displaced(&c->insn) ? ASIDE_BIT : 0) |
		   (c->plain && insn_uses_rsp(&c->insn) ? ASIDE_BY_RSP : 0);
	c->string = (uint8_t)(c->insn.length ? insn_string(&c->insn) : 0);
	c->stack = (uint8_t)(c->insn.length ? insn_stack(&c->insn) : INSN_STACK_NOT);
	c->byte = (uint8_t)(c->plain ? insn_byte_register(&c->insn) : INSN_NONE);
	VM_MUTANT(PATCH_LEFT_BYTES, c->left = 0);
	return result;
}

/* That which was taken first gives way. */
static struct insn_cache *room_in_cache(struct vcpu *v, uint64_t rip)
{
	struct insn_cache *set = decoded_set(v, rip);

	for (unsigned n = INSN_CACHE_WAYS - 1; n; n--)
		set[n] = set[n - 1];
	return &set[0];
}

void emulation_find_mode(struct vcpu *v)
{
	v->emulate.opaque = v;
	v->mode = (uint8_t)emulation_mode(v, v->emulate.rflags);
	v->mode_number = hvm_sync_number(&v->hvm);
}

uint64_t emulation_translate_anew(struct vcpu *v, uint64_t linear, struct access access, uint64_t number)
{
	uint32_t error;
	gpa_t gpa;

	return mmu_translate(&v->mmu, GVA(linear), access, number, &gpa, &error) ? gpa.v : MEMO_NONE;
}

struct insn_cache *emulation_look(struct vcpu *v, struct insn_cache *c)
{
	return decoded_still_there(v, c, hvm_sync_number(&v->hvm)) ? c : NULL;
}

/* Noted for the next time (DC2), where it is known that c is still there by the state that this is found in. */
uint64_t emulation_operand(struct vcpu *v, struct insn_cache *c, uint64_t linear)
{
	bool writes = VM_KEPT(SERVED_WRITE, decoded_writes(c));
	uint64_t number = hvm_sync_number(&v->hvm), gpa = decoded_translated(v, linear, writes);
	const struct walk_memo *m = memo_of_data(&v->mmu, linear >> PAGE_SHIFT, writes);

	c->operand_noted = 0;
	if (gpa != MEMO_NONE && c->noted && c->number == number && m->page == linear >> PAGE_SHIFT &&
	    m->number == number) {
		c->operand = m;
		c->operand_noted = m->noted;
	}
	return gpa;
}

struct insn_cache *emulation_decoded(struct vcpu *v, uint64_t rip) { return decoded_cached(v, rip); }

struct insn_cache *emulation_current(struct vcpu *v)
{
	uint64_t rip = hvm_rip(&v->hvm);
	struct insn_cache *c = decoded_cached(v, rip);

	if (!c)
		return NULL;
	decoded_find(v, rip);
	return decoded_still_there(v, c, hvm_sync_number(&v->hvm)) ? c : NULL;
}

const uint8_t *emulation_code_at(struct vcpu *v, gpa_t gpa)
{
	const struct slots *slots = &v->vm->mmu.slots;
	const uint64_t last = INSTRUCTION_LENGTH_MAX - 1;
	const char *p = slots_linear(slots, gpa, false);

	if (!p && slots_find(&v->vm->mmu.slots, gpa_gfn(gpa)))
		p = slots_linear(slots, gpa, false);
	/* What is looked at may reach beyond the page. */
	if (p && unlikely((gpa.v & (PAGE_SIZE - 1)) + last >= PAGE_SIZE) &&
	    VM_KEPT(CACHE_ROOM, slots_linear(slots, GPA(gpa.v + last), false) != p + last))
		return NULL;
	return (const uint8_t *)p;
}

/* A repeated instruction that writes a guest's page table wipes it: a few writes tell the heart that it is a table no
 * longer, and the CPU does the rest by itself. */
static uint32_t rep_limit(const struct vcpu *v)
{
	bool table = v->emulated_fault && v->vm->mmu.ops->unshadow && emulation_is_memory(v->vm, v->emulated_gpa, true);

	return table ? REP_LIMIT_TABLE : VM_KEPT(EMULATE_REPEAT, true) ? REP_LIMIT : 0;
}

static ALWAYS_INLINE enum emulate_result carry_out(struct vcpu *v, uint64_t number)
{
	struct emulate *e = &v->emulate;
	struct insn_cache *c = decoded_cached(v, e->rip);
	enum emulate_result result = EMULATE_OK;

	e->length = 0;
	if (unlikely(!c))
		result = fetch(v, c = room_in_cache(v, e->rip));
	else if (unlikely(!decoded_still_there(v, c, number)))
		result = fetch(v, c);
	if (unlikely(result != EMULATE_OK))
		return result;
	result = emulate_execute(e, &c->insn);
	if (unlikely(result != EMULATE_OK)) {
		e->length = c->insn.length;
		memcpy(e->bytes, c->bytes, sizeof(e->bytes));
	}
	return result;
}

void emulation_step(struct vcpu *v)
{
	fill(v);
	v->emulate.rep_limit = rep_limit(v);
	act_on(v, carry_out(v, hvm_sync_number(&v->hvm)));
}

/* Did the last instruction, and the time that it took, leave nothing to be looked at before the next? */
static bool may_go_on(const struct vcpu *v)
{
	const struct emulate *e = &v->emulate;

	return !(e->seg_dirty | e->shadow) && !e->single_step && !e->unblocks_nmi && !v->breakpoint_hits &&
	       !v->mmu.root_changed && !v->mmu.intercepts_changed && !vcpu_requested(v);
}

unsigned emulation_steps(struct vcpu *v, unsigned max)
{
	enum emulate_result result;
	unsigned done = 0;

	fill(v);
	v->emulate.rep_limit = rep_limit(v);
	do {
		result = carry_out(v, 0);
		emulated_time(v);
		done++;
	} while (result == EMULATE_OK && done < max && VM_LEFT_OUT_OR(EMULATED_GO_ON, may_go_on(v)));
	act_on(v, result);
	return done;
}
