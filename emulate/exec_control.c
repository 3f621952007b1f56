/* emulate/exec_control.c - transfers of control: near and far jumps, calls, returns, software interrupts, IRET, HLT. */
#include "emulate/internal.h"

/* Where a near branch to `target` lands, checked. SDM: "Instruction Pointer in 64-Bit Mode". */
static enum emulate_result check_target(struct emulate *e, const struct insn *i, uint64_t *target)
{
	*target &= size_mask(i->opsize);
	if (is_long64(e)) {
		if (!is_canonical(e, *target))
			return raise_error(e, VECTOR_GP, 0);
	} else if (*target > segment(e, EMULATE_CS)->limit) {
		return raise_error(e, VECTOR_GP, 0);
	}
	return EMULATE_OK;
}

static enum emulate_result arrive(struct emulate *e, uint64_t target)
{
	e->rip = target;
	e->rflags &= ~(uint64_t)FLAG_RF;
	return EMULATE_OK;
}

static enum emulate_result jump(struct emulate *e, const struct insn *i, uint64_t target)
{
	TRY(check_target(e, i, &target));
	return arrive(e, target);
}

static uint64_t relative(const struct emulate *e, const struct insn *i)
{
	return e->rip + i->length + i->imm;
}

enum emulate_result exec_jcc(struct emulate *e, const struct insn *i)
{
	return condition(e->rflags, i->sub) ? jump(e, i, relative(e, i)) : finish(e, i);
}

enum emulate_result exec_jmp_rel(struct emulate *e, const struct insn *i)
{
	return jump(e, i, relative(e, i));
}

enum emulate_result exec_jmp_rm(struct emulate *e, const struct insn *i)
{
	uint64_t linear, target;

	TRY(rm_read(e, i, i->opsize, 0, &linear, &target));
	return jump(e, i, target);
}

/* sub: 0 LOOPNE, 1 LOOPE, 2 LOOP. The counter has the size of an address, and stays if the target is bad. */
enum emulate_result exec_loop(struct emulate *e, const struct insn *i)
{
	uint64_t count = (e->gpr[EMULATE_RCX] - 1) & size_mask(i->adsize), target = relative(e, i);
	bool zf = e->rflags & FLAG_ZF, taken = count && (i->sub == 2 || zf == (i->sub == 1));

	if (taken)
		TRY(check_target(e, i, &target));
	write_gpr(e, EMULATE_RCX, i->adsize, count);
	return taken ? arrive(e, target) : finish(e, i);
}

enum emulate_result exec_jcxz(struct emulate *e, const struct insn *i)
{
	bool taken = !(e->gpr[EMULATE_RCX] & size_mask(i->adsize));

	return taken ? jump(e, i, relative(e, i)) : finish(e, i);
}

static enum emulate_result call(struct emulate *e, const struct insn *i, uint64_t target)
{
	uint64_t sp = e->gpr[EMULATE_RSP];

	TRY(check_target(e, i, &target));
	TRY(push_at(e, &sp, i->opsize, e->rip + i->length));
	e->gpr[EMULATE_RSP] = sp;
	return arrive(e, target);
}

enum emulate_result exec_call_rel(struct emulate *e, const struct insn *i)
{
	return call(e, i, relative(e, i));
}

enum emulate_result exec_call_rm(struct emulate *e, const struct insn *i)
{
	uint64_t linear, target;

	TRY(rm_read(e, i, i->opsize, 0, &linear, &target));
	return call(e, i, target);
}

/* RET n releases n bytes more. */
static uint64_t release(struct emulate *e, uint64_t sp, uint64_t n)
{
	uint64_t mask = size_mask(stack_size(e));

	return (sp & ~mask) | ((sp + n) & mask);
}

enum emulate_result exec_ret(struct emulate *e, const struct insn *i)
{
	uint64_t sp = e->gpr[EMULATE_RSP], target;

	TRY(pop_at(e, &sp, i->opsize, 0, &target));
	TRY(check_target(e, i, &target));
	e->gpr[EMULATE_RSP] = release(e, sp, i->imm);
	return arrive(e, target);
}

/* Is offset within the new code segment? */
static enum emulate_result check_far(struct emulate *e, const struct emulate_segment *cs, uint64_t offset)
{
	bool to_long64 = !is_real_like(e) && (e->efer & EFER_LMA) && (cs->access & EMULATE_SEG_L);

	if (to_long64 ? !is_canonical(e, offset) : offset > cs->limit)
		return raise_error(e, VECTOR_GP, 0);
	return EMULATE_OK;
}

static enum emulate_result jump_far(struct emulate *e, uint16_t selector, uint64_t offset)
{
	struct emulate_segment cs;

	TRY(prepare_code_segment(e, selector, false, &cs));
	TRY(check_far(e, &cs, offset));
	commit_segment(e, EMULATE_CS, &cs);
	return arrive(e, offset);
}

static enum emulate_result call_far(struct emulate *e, const struct insn *i, uint16_t selector, uint64_t offset)
{
	uint64_t sp = e->gpr[EMULATE_RSP], probe = sp - i->opsize, mask = size_mask(stack_size(e)), linear;
	uint16_t old = segment(e, EMULATE_CS)->selector;
	struct emulate_segment cs;

	TRY(prepare_code_segment(e, selector, false, &cs));
	TRY(check_far(e, &cs, offset));
	/* The second push must not fail after the first (E3). */
	TRY(linear_address(e, EMULATE_SS, (probe - i->opsize) & mask, i->opsize, EMULATE_HOW_WRITE, &linear));
	TRY(mem_probe(e, linear, i->opsize, EMULATE_HOW_WRITE));
	TRY(push_at(e, &sp, i->opsize, old));
	TRY(push_at(e, &sp, i->opsize, e->rip + i->length));
	e->gpr[EMULATE_RSP] = sp;
	commit_segment(e, EMULATE_CS, &cs);
	return arrive(e, offset);
}

enum emulate_result exec_jmp_far(struct emulate *e, const struct insn *i)
{
	return jump_far(e, i->imm >> 32, (uint32_t)i->imm);
}

enum emulate_result exec_call_far(struct emulate *e, const struct insn *i)
{
	return call_far(e, i, i->imm >> 32, (uint32_t)i->imm);
}

/* The pointer in memory: offset, then selector. */
static enum emulate_result read_far(struct emulate *e, const struct insn *i, uint16_t *selector, uint64_t *offset)
{
	uint8_t pointer[10];
	uint64_t linear;

	TRY(rm_linear(e, i, i->opsize + 2, 0, &linear));
	TRY(mem_read(e, linear, pointer, i->opsize + 2, 0));
	*offset = 0;
	memcpy(offset, pointer, i->opsize);
	memcpy(selector, pointer + i->opsize, 2);
	return EMULATE_OK;
}

enum emulate_result exec_jmp_far_mem(struct emulate *e, const struct insn *i)
{
	uint16_t selector;
	uint64_t offset;

	TRY(read_far(e, i, &selector, &offset));
	return jump_far(e, selector, offset);
}

enum emulate_result exec_call_far_mem(struct emulate *e, const struct insn *i)
{
	uint16_t selector;
	uint64_t offset;

	TRY(read_far(e, i, &selector, &offset));
	return call_far(e, i, selector, offset);
}

enum emulate_result exec_ret_far(struct emulate *e, const struct insn *i)
{
	uint64_t sp = e->gpr[EMULATE_RSP], offset, selector;
	struct emulate_segment cs;

	TRY(pop_at(e, &sp, i->opsize, 0, &offset));
	TRY(pop_at(e, &sp, i->opsize, 0, &selector));
	TRY(prepare_code_segment(e, selector, true, &cs));
	TRY(check_far(e, &cs, offset));
	e->gpr[EMULATE_RSP] = release(e, sp, i->imm);
	commit_segment(e, EMULATE_CS, &cs);
	return arrive(e, offset);
}

/* Real mode: FLAGS, CS and IP go to the stack, the vector table gives CS:IP. SDM: "Interrupt and Exception Handling" in
 * the chapter on 8086 emulation. */
static enum emulate_result interrupt_real(struct emulate *e, const struct insn *i, unsigned vector)
{
	uint64_t sp = e->gpr[EMULATE_RSP], low = sp - 6, mask = size_mask(stack_size(e)), base = 0, entry, linear;
	uint32_t limit = 0x3ff;
	struct emulate_segment cs;
	uint16_t old = segment(e, EMULATE_CS)->selector;

	if (e->ops->read_dtr)
		TRY(from_access(e, e->ops->read_dtr(e, EMULATE_IDTR, &base, &limit)));
	if (4 * vector + 3 > limit)
		return raise(e, VECTOR_GP);
	TRY(read_value(e, (uint32_t)(base + 4 * vector), 4, EMULATE_HOW_SYSTEM, &entry));
	TRY(prepare_code_segment(e, entry >> 16, false, &cs));
	/* All three pushes together first (E3). */
	for (unsigned n = 0; n < 6; n += 2) {
		TRY(linear_address(e, EMULATE_SS, (low + n) & mask, 2, EMULATE_HOW_WRITE, &linear));
		TRY(mem_probe(e, linear, 2, EMULATE_HOW_WRITE));
	}
	TRY(push_at(e, &sp, 2, e->rflags));
	TRY(push_at(e, &sp, 2, old));
	TRY(push_at(e, &sp, 2, e->rip + i->length));
	e->gpr[EMULATE_RSP] = sp;
	commit_segment(e, EMULATE_CS, &cs);
	e->rflags &= ~(uint64_t)(FLAG_IF | FLAG_TF | FLAG_AC);
	return arrive(e, entry & 0xffff);
}

enum emulate_result exec_int(struct emulate *e, const struct insn *i)
{
	if (e->mode == EMULATE_REAL)
		return interrupt_real(e, i, i->imm);
	if (e->mode == EMULATE_V86 && (e->cr4 & CR4_VME))
		return EMULATE_UNKNOWN; /* the TSS's redirection bitmap decides */
	if (e->mode == EMULATE_V86 && (e->rflags & FLAG_IOPL) != FLAG_IOPL)
		return raise_error(e, VECTOR_GP, 0);
	return raise_software(e, i, i->imm, EMULATE_SOFTWARE_INTERRUPT);
}

enum emulate_result exec_int3(struct emulate *e, const struct insn *i)
{
	if (e->mode == EMULATE_REAL)
		return interrupt_real(e, i, VECTOR_BP);
	return raise_software(e, i, VECTOR_BP, EMULATE_SOFTWARE_EXCEPTION);
}

enum emulate_result exec_int1(struct emulate *e, const struct insn *i)
{
	if (e->mode == EMULATE_REAL)
		return interrupt_real(e, i, 1);
	return raise_software(e, i, 1, EMULATE_PRIVILEGED_SOFTWARE_EXCEPTION);
}

enum emulate_result exec_into(struct emulate *e, const struct insn *i)
{
	if (!(e->rflags & FLAG_OF))
		return finish(e, i);
	if (e->mode == EMULATE_REAL)
		return interrupt_real(e, i, VECTOR_OF);
	return raise_software(e, i, VECTOR_OF, EMULATE_SOFTWARE_EXCEPTION);
}

/* In real and virtual-8086 mode only. */
enum emulate_result exec_iret(struct emulate *e, const struct insn *i)
{
	uint64_t sp = e->gpr[EMULATE_RSP], offset, selector, flags;
	uint64_t which = FLAGS_ARITH | FLAG_TF | FLAG_IF | FLAG_DF | FLAG_NT | FLAG_RF | FLAG_AC | FLAG_ID;
	struct emulate_segment cs;

	if (!is_real_like(e))
		return EMULATE_UNKNOWN;
	if (e->mode == EMULATE_V86 && (e->rflags & FLAG_IOPL) != FLAG_IOPL)
		return (e->cr4 & CR4_VME) ? EMULATE_UNKNOWN : raise_error(e, VECTOR_GP, 0);
	TRY(pop_at(e, &sp, i->opsize, 0, &offset));
	TRY(pop_at(e, &sp, i->opsize, 0, &selector));
	TRY(pop_at(e, &sp, i->opsize, 0, &flags));
	TRY(prepare_code_segment(e, selector, true, &cs));
	TRY(check_far(e, &cs, offset));
	e->gpr[EMULATE_RSP] = sp;
	commit_segment(e, EMULATE_CS, &cs);
	if (e->mode == EMULATE_REAL)
		which |= FLAG_IOPL;
	if (i->opsize == 2)
		which &= 0xffff;
	arrive(e, offset);
	set_flags(e, which, flags);
	return EMULATE_OK;
}

enum emulate_result exec_hlt(struct emulate *e, const struct insn *i)
{
	if (e->cpl)
		return raise_error(e, VECTOR_GP, 0);
	finish(e, i);
	return EMULATE_HALT;
}
