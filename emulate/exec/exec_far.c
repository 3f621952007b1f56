/* emulate/exec/exec_far.c - far jumps and calls: real mode, code segments, and call gates without change of privilege.
 * Gates to an inner level, task gates and TSSs are EMULATE_UNKNOWN. SDM: "Direct Calls or Jumps to Code Segments",
 * "Accessing a Code Segment Through a Call Gate". */
#include "emulate/descriptor.h"

/* The new RIP lies within CS's limit, or is canonical in 64-bit code, else #GP(0) (SDM, JMP, CALL, RET, IRET:
 * "Protected Mode Exceptions" and "64-Bit Mode Exceptions"). */
enum emulate_result check_far(struct emulate *e, const struct emulate_segment *cs, uint64_t offset)
{
	bool to_long64 = !is_real_like(e) && is_ia32e(e) && (cs->access & SEGMENT_L);

	if (to_long64 ? !is_canonical(e, offset) : offset > cs->limit)
		return raise_error(e, VECTOR_GP, 0);
	return EMULATE_OK;
}

/* Where a far transfer goes, and what it pushes for a return: the operand's size, or that of the gate. */
struct destination {
	struct emulate_segment cs;
	uint64_t offset;
	unsigned size;
};

/* What a call gate leads to. In IA-32e mode it must be 64-bit code. The gate's DPL is at or above CPL and the
 * selector's RPL, it is present, and its own selector is not null (SDM, "Accessing a Code Segment Through a Call Gate",
 * "IA-32e Mode Call Gates"). */
static enum emulate_result through_gate(struct emulate *e, const struct descriptor *gate, uint16_t selector,
					bool is_call, struct destination *to)
{
	uint16_t target = gate->low >> 16;
	bool wide = access_system_type(gate->access) == TYPE_CALL_GATE32;
	struct descriptor d;

	if (access_dpl(gate->access) < max_u64(e->cpl, selector & SELECTOR_RPL))
		return raise_error(e, VECTOR_GP, selector & ~SELECTOR_RPL);
	if (!(gate->access & SEGMENT_P))
		return raise_error(e, VECTOR_NP, selector & ~SELECTOR_RPL);
	if (!(target & ~SELECTOR_RPL))
		return raise_error(e, VECTOR_GP, 0);
	TRY(read_descriptor(e, target, &d, NULL));
	if (is_ia32e(e) && (d.access & (SEGMENT_L | SEGMENT_DB)) != SEGMENT_L)
		return raise_error(e, VECTOR_GP, target & ~SELECTOR_RPL);
	if (is_call && !access_conforming_code(d.access) && access_dpl(d.access) < e->cpl)
		return EMULATE_UNKNOWN; /* to an inner level, on another stack */
	TRY(prepare_code(e, target & ~SELECTOR_RPL, &d, false, &to->cs));
	to->offset = gate->low & 0xffff;
	if (wide)
		to->offset |= (gate->low >> 32) & 0xffff0000;
	if (is_ia32e(e))
		to->offset |= gate->high << 32;
	to->size = is_ia32e(e) ? 8 : wide ? 4 : 2;
	return EMULATE_OK;
}

/* SDM, "Call Gates", "IA-32e Mode Call Gates": those of 64 bits alone have their type there. */
static bool is_call_gate(const struct emulate *e, uint32_t access)
{
	unsigned type = access_system_type(access);

	return type == TYPE_CALL_GATE32 || (type == TYPE_CALL_GATE16 && !is_ia32e(e));
}

/* A task gate, or a TSS that is not busy: there is no task switch in IA-32e mode. */
static bool is_task(const struct emulate *e, uint32_t access)
{
	unsigned type = access_system_type(access);

	return !is_ia32e(e) && (type == TYPE_TASK_GATE || type == TYPE_TSS16 || type == TYPE_TSS32);
}

/* A null selector is #GP(0) (SDM, JMP, CALL: "Protected Mode Exceptions"). */
static enum emulate_result find_destination(struct emulate *e, uint16_t selector, bool is_call, struct destination *to)
{
	struct descriptor d;

	if (is_real_like(e)) {
		TRY(prepare_code_segment(e, selector, false, &to->cs));
		return check_far(e, &to->cs, to->offset);
	}
	if (!(selector & ~SELECTOR_RPL))
		return raise_error(e, VECTOR_GP, 0);
	TRY(read_descriptor(e, selector, &d, NULL));
	if (is_call_gate(e, d.access))
		TRY(through_gate(e, &d, selector, is_call, to));
	else if (is_task(e, d.access))
		return EMULATE_UNKNOWN;
	else
		TRY(prepare_code(e, selector, &d, false, &to->cs));
	return check_far(e, &to->cs, to->offset);
}

static enum emulate_result jump_far(struct emulate *e, struct destination to, uint16_t selector)
{
	TRY(find_destination(e, selector, false, &to));
	commit_segment(e, EMULATE_CS, &to.cs);
	return arrive(e, to.offset);
}

static enum emulate_result call_far(struct emulate *e, const struct insn *i, struct destination to, uint16_t selector)
{
	uint64_t sp = e->gpr[EMULATE_RSP], probed = sp;
	uint16_t old = segment(e, EMULATE_CS)->selector;

	TRY(find_destination(e, selector, true, &to));
	/* The second push must not fail after the first (EM3). */
	TRY(push_probe(e, &probed, to.size));
	TRY(push_probe(e, &probed, to.size));
	TRY(push_at(e, &sp, to.size, old));
	TRY(push_at(e, &sp, to.size, e->rip + i->length));
	e->gpr[EMULATE_RSP] = sp;
	commit_segment(e, EMULATE_CS, &to.cs);
	return arrive(e, to.offset);
}

enum emulate_result exec_jmp_far(struct emulate *e, const struct insn *i)
{
	return jump_far(e, (struct destination){ .offset = (uint32_t)i->imm }, i->imm >> 32);
}

enum emulate_result exec_call_far(struct emulate *e, const struct insn *i)
{
	return call_far(e, i, (struct destination){ .offset = (uint32_t)i->imm, .size = i->opsize }, i->imm >> 32);
}

/* The pointer in memory: offset, then selector. */
static enum emulate_result read_far(struct emulate *e, const struct insn *i, uint16_t *selector, struct destination *to)
{
	uint8_t pointer[10];
	uint64_t linear;

	*to = (struct destination){ .size = i->opsize };
	TRY(rm_linear(e, i, i->opsize + 2, 0, &linear));
	TRY(mem_read(e, linear, pointer, i->opsize + 2, 0));
	memcpy(&to->offset, pointer, i->opsize);
	memcpy(selector, pointer + i->opsize, 2);
	return EMULATE_OK;
}

enum emulate_result exec_jmp_far_mem(struct emulate *e, const struct insn *i)
{
	struct destination to;
	uint16_t selector;

	TRY(read_far(e, i, &selector, &to));
	return jump_far(e, to, selector);
}

enum emulate_result exec_call_far_mem(struct emulate *e, const struct insn *i)
{
	struct destination to;
	uint16_t selector;

	TRY(read_far(e, i, &selector, &to));
	return call_far(e, i, to, selector);
}
