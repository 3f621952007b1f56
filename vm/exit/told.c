/* vm/exit/told.c - strings that access a register of the local APIC, instructions whose stack is in its page, and a POP
 * to a register, where the exit tells of the access (vm/exit/apic.c). The CPU has looked at everything that such an
 * access depends on before it exits for it, and at all that comes before it: what is read before it is written. */
#include "vm/exit/element.h"

#include "lib/mutants/mutate.h"

/* Of the stack pointer. */
static inline unsigned stack_bytes(const struct vcpu *v)
{
	return v->mode == EMULATE_LONG64 ? 8 : is_small_stack(v) ? 2 : 4;
}

/* That of an instruction whose only access it is. In virtual-8086 mode PUSHF and POPF may mean another flag. */
static __attribute__((noinline)) bool on_stack(struct vcpu *v, const struct insn_cache *c, unsigned offset)
{
	bool push = c->stack == INSN_STACK_PUSH;
	const struct insn *i = &c->insn;
	struct emulate *e = &v->emulate;
	uint64_t value = 0, rip, rflags = e->rflags;

	if (VM_KEPT(TOLD_ALIGNED, offset & (i->opsize - 1u)) || e->mode <= EMULATE_V86)
		return false;
	e->gpr = v->hvm.gpr;
	v->hvm.gpr[GPR_RSP] = hvm_rsp(&v->hvm);
	if (!push)
		value = lapic_mmio_read_aligned(&v->lapic, offset, i->opsize);
	rip = emulate_goes_on(e, i, value);
	if (insn_stack_branches(i) && !is_target(v, rip))
		return false;
	if (push) {
		apic_write_register(v, offset, i->opsize, emulate_pushes(e, i));
		emulate_pushed(e, i, stack_bytes(v));
	} else {
		emulate_popped(e, i, stack_bytes(v), value);
	}
	hvm_set_rsp(&v->hvm, v->hvm.gpr[GPR_RSP]);
	hvm_set_rflags(&v->hvm, e->rflags & ~RFLAGS_RF);
	exit_skip_to(v, rip, rflags);
	return true;
}

/* A POP writes to its operand what it has read from the stack, which was not in the way then, wherever that is. */
static __attribute__((noinline)) bool popped_to_register(struct vcpu *v, const struct insn_cache *c, unsigned offset)
{
	uint64_t rsp = hvm_rsp(&v->hvm), mask = MASK(8 * stack_bytes(v) - 1, 0), linear = rsp & mask, from, value = 0;

	if (v->mode != EMULATE_LONG64)
		linear = (uint32_t)(linear + hvm_segment_base(&v->hvm, SEG_SS));
	if ((linear & (c->size - 1u)) || v->vm->tpr.over_memory)
		return false;
	from = decoded_translated(v, linear, false);
	if (from == MEMO_NONE || mmu_guest_read(&v->vm->mmu, GPA(from), &value, c->size) != c->size)
		return false;
	apic_write_register(v, offset, c->size, value);
	hvm_set_rsp(&v->hvm, (rsp & ~mask) | ((rsp + c->size) & mask));
	exit_skip_access_to(v, v->emulate.rip + c->insn.length, v->emulate.rflags);
	return true;
}

/* A PUSH, or a CALL, that exits by its write has read its operand. */
static __attribute__((noinline)) bool pushed_from_memory(struct vcpu *v, struct insn_cache *c, unsigned offset)
{
	uint64_t rsp = hvm_rsp(&v->hvm), mask = MASK(8 * stack_bytes(v) - 1, 0), rflags = v->emulate.rflags;
	uint64_t from = decoded_operand_again(v, c, decoded_linear(v, c)), rip = v->emulate.rip + c->insn.length, value;

	if (from == MEMO_NONE || (from & (c->size - 1u)) || !element_at(v, from, &value, c->size))
		return false;
	if (c->plain == INSN_PLAIN_CALL) {
		uint64_t target = value;

		if (!is_target(v, target))
			return false;
		value = rip;
		rip = target;
	}
	apic_write_register(v, offset, c->size, value);
	hvm_set_rsp(&v->hvm, (rsp & ~mask) | ((rsp - c->size) & mask));
	exit_skip_access_to(v, rip, rflags);
	return true;
}

/* ---- strings: of the only iteration ---- */

/* What is left of it, but what LODS loads and the flags of a comparison. */
static ALWAYS_INLINE bool string_behind(struct vcpu *v, const struct insn *i, bool from, bool at)
{
	struct emulate *e = &v->emulate;
	uint64_t step = insn_string_step(e, i), *gpr = v->hvm.gpr;

	if (from)
		emulate_string_moves(&gpr[GPR_RSI], i, step);
	if (at)
		emulate_string_moves(&gpr[GPR_RDI], i, step);
	emulate_string_counted(&gpr[GPR_RCX], i);
	exit_skip_access_to(v, e->rip + i->length, e->rflags);
	return true;
}

static inline enum segment segment_from(const struct insn *i) { return (enum segment)i->seg; }

/* MOVS that exits by its write has read. */
static __attribute__((noinline)) bool moved_to(struct vcpu *v, const struct insn *i, unsigned offset)
{
	uint64_t value;

	if (!element_read(v, i, segment_from(i), GPR_RSI, true, &value))
		return false;
	apic_write_register(v, offset, i->opsize, value);
	return string_behind(v, i, true, true);
}

static __attribute__((noinline)) bool moved_from(struct vcpu *v, const struct insn *i, unsigned offset)
{
	return element_write(v, i, lapic_mmio_read_aligned(&v->lapic, offset, i->opsize)) &&
	       string_behind(v, i, true, true);
}

/* CMPS: of its two reads it is the one whose place in its page it is. The order of them is not said. */
static __attribute__((noinline)) bool compared(struct vcpu *v, const struct insn *i, unsigned offset)
{
	uint64_t first = element_linear(v, i, segment_from(i), GPR_RSI), second = element_linear(v, i, SEG_ES, GPR_RDI);
	bool is_first = !((first ^ offset) & (PAGE_SIZE - 1)), is_second = !((second ^ offset) & (PAGE_SIZE - 1));
	uint64_t from, at, gpa;

	if (VM_KEPT(STRING_TOLD_ONE, is_first == is_second))
		return false;
	if (!element_translated(v, i, is_first ? SEG_ES : segment_from(i), is_first ? second : first, false, false,
				&gpa) || !element_at(v, gpa, &at, i->opsize))
		return false;
	from = lapic_mmio_read_aligned(&v->lapic, offset, i->opsize);
	emulate_string_compares(&v->emulate, i, is_first ? from : at, is_first ? at : from);
	v->emulate.rflags &= ~RFLAGS_RF;
	hvm_set_rflags(&v->hvm, v->emulate.rflags);
	return string_behind(v, i, true, true);
}

static __attribute__((noinline)) bool stored(struct vcpu *v, const struct insn *i, unsigned offset)
{
	apic_write_register(v, offset, i->opsize, v->hvm.gpr[GPR_RAX]);
	return string_behind(v, i, false, true);
}

static __attribute__((noinline)) bool loaded(struct vcpu *v, const struct insn *i, unsigned accesses, unsigned offset)
{
	struct emulate *e = &v->emulate;
	uint64_t value = lapic_mmio_read_aligned(&v->lapic, offset, i->opsize);

	emulate_string(e, i, accesses, value, value);
	hvm_set_rflags(&v->hvm, e->rflags);
	exit_skip_to(v, e->rip, e->rflags);
	return true;
}

static ALWAYS_INLINE bool string_carried_out(struct vcpu *v, const struct insn *i, unsigned accesses,
					     unsigned offset, bool write)
{
	if (!(accesses & (write ? INSN_STRING_TO : INSN_STRING_FROM | INSN_STRING_AT)))
		return false;
	v->emulate.gpr = v->hvm.gpr;
	/* It reaches into the next register; or is repeated. */
	if (VM_KEPT(STRING_TOLD_ALIGNED, offset & (i->opsize - 1u)) ||
	    VM_KEPT(STRING_ONCE, !insn_string_once(&v->emulate, i)))
		return false;
	if (write)
		return accesses & INSN_STRING_FROM ? moved_to(v, i, offset) : stored(v, i, offset);
	if (accesses & INSN_STRING_TO)
		return moved_from(v, i, offset);
	if (accesses == (INSN_STRING_FROM | INSN_STRING_AT))
		return compared(v, i, offset);
	return loaded(v, i, accesses, offset);
}

bool told_carried_out(struct vcpu *v, struct insn_cache *c, unsigned offset, bool write)
{
	if (c->string)
		return string_carried_out(v, &c->insn, c->string, offset, write);
	if (c->stack)
		return VM_LEFT_OUT_OR(TOLD_ACCESS, write == (c->stack == INSN_STACK_PUSH)) && on_stack(v, c, offset);
	if (!write || VM_KEPT(SERVED_WIDE, offset & c->odd))
		return false;
	if (c->plain == INSN_PLAIN_POP)
		return popped_to_register(v, c, offset);
	return (c->plain == INSN_PLAIN_PUSH || c->plain == INSN_PLAIN_CALL) && pushed_from_memory(v, c, offset);
}
