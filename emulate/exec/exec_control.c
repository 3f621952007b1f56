/* emulate/exec/exec_control.c - transfers of control within the segment: jumps, calls, returns; software interrupts,
 * BOUND, HLT. */
#include "emulate/internal.h"

/* Where a near branch to `target` lands, checked: the fault is the branch's own, and leaves RIP at it (CVE-2014-3647).
 * SDM: "Instruction Pointer in 64-Bit Mode". */
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

enum emulate_result arrive(struct emulate *e, uint64_t target)
{
	e->rip = target;
	e->rflags &= ~RFLAGS_RF;
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
	bool zf = e->rflags & RFLAGS_ZF, taken = count && (i->sub == 2 || zf == (i->sub == 1));

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

enum emulate_result exec_ret(struct emulate *e, const struct insn *i)
{
	uint64_t sp = e->gpr[EMULATE_RSP], target;

	TRY(pop_at(e, &sp, i->opsize, &target));
	TRY(check_target(e, i, &target));
	e->gpr[EMULATE_RSP] = release(e, sp, i->imm);
	return arrive(e, target);
}

/* Real mode: FLAGS, CS and IP go to the stack, the vector table gives CS:IP. SDM: "Interrupt and Exception Handling" in
 * the chapter on 8086 emulation. */
static enum emulate_result interrupt_real(struct emulate *e, const struct insn *i, unsigned vector)
{
	uint64_t sp = e->gpr[EMULATE_RSP], low = sp - 6, mask = size_mask(stack_size(e)), entry, linear;
	struct emulate_segment cs, table = { .limit = 0x3ff };
	uint16_t old = segment(e, EMULATE_CS)->selector;

	if (e->ops->read_dtr)
		TRY(from_access(e, e->ops->read_dtr(e, EMULATE_IDTR, &table)));
	if (4 * vector + 3 > table.limit)
		return raise(e, VECTOR_GP);
	TRY(read_value(e, (uint32_t)(table.base + 4 * vector), 4, EMULATE_HOW_SYSTEM, &entry));
	TRY(prepare_code_segment(e, entry >> 16, false, &cs));
	/* All three pushes together first (EM3). */
	for (unsigned n = 0; n < 6; n += 2) {
		TRY(linear_address(e, EMULATE_SS, (low + n) & mask, 2, EMULATE_HOW_WRITE, &linear));
		TRY(mem_probe(e, linear, 2, EMULATE_HOW_WRITE));
	}
	TRY(push_at(e, &sp, 2, e->rflags));
	TRY(push_at(e, &sp, 2, old));
	TRY(push_at(e, &sp, 2, e->rip + i->length));
	e->gpr[EMULATE_RSP] = sp;
	commit_segment(e, EMULATE_CS, &cs);
	e->rflags &= ~(uint64_t)(RFLAGS_IF | RFLAGS_TF | RFLAGS_AC);
	e->single_step = false; /* TF is clear before the trap would come (SDM, "Single-Step Exception Condition") */
	return arrive(e, entry & 0xffff);
}

/* In virtual-8086 mode without VME for IOPL 3 only (SDM, "Class 3 - Software Interrupt Handling in Virtual-8086 Mode").
 * What its gate demands is checked when it is delivered (deliver.c, or the CPU). */
enum emulate_result exec_int(struct emulate *e, const struct insn *i)
{
	if (is_real(e))
		return interrupt_real(e, i, i->imm);
	if (e->mode == EMULATE_V86 && (e->cr4 & CR4_VME))
		return EMULATE_UNKNOWN; /* the TSS's redirection bitmap decides */
	if (e->mode == EMULATE_V86 && (e->rflags & RFLAGS_IOPL) != RFLAGS_IOPL)
		return raise_error(e, VECTOR_GP, 0);
	return raise_software(e, i, i->imm, EMULATE_SOFTWARE_INTERRUPT);
}

/* INT3, INT1 and INTO ask for no IOPL in virtual-8086 mode, and INT1 for no DPL (SDM, INT n/INTO/INT3/INT1). */
enum emulate_result exec_int3(struct emulate *e, const struct insn *i)
{
	if (is_real(e))
		return interrupt_real(e, i, VECTOR_BP);
	return raise_software(e, i, VECTOR_BP, EMULATE_SOFTWARE_EXCEPTION);
}

/* SDM, "INT n/INTO/INT3/INT1 - Call to Interrupt Procedure": unlike INT 1 it needs no rights to the gate, nor IOPL in
 * virtual-8086 mode. */
enum emulate_result exec_int1(struct emulate *e, const struct insn *i)
{
	if (is_real(e))
		return interrupt_real(e, i, VECTOR_DB);
	return raise_software(e, i, VECTOR_DB, EMULATE_PRIVILEGED_SOFTWARE_EXCEPTION);
}

/* SDM, INT n/INTO/INT3/INT1: #OF if OF is set. */
enum emulate_result exec_into(struct emulate *e, const struct insn *i)
{
	if (!(e->rflags & RFLAGS_OF))
		return finish(e, i);
	if (is_real(e))
		return interrupt_real(e, i, VECTOR_OF);
	return raise_software(e, i, VECTOR_OF, EMULATE_SOFTWARE_EXCEPTION);
}

/* The two bounds lie in memory, the lower one first. SDM: "BOUND". */
enum emulate_result exec_bound(struct emulate *e, const struct insn *i)
{
	int64_t index = (int64_t)sign_extend(e->gpr[i->reg], i->opsize);
	uint64_t linear, bounds, low, high;

	TRY(rm_linear(e, i, 2 * i->opsize, 0, &linear));
	TRY(read_value(e, linear, 2 * i->opsize, 0, &bounds));
	low = sign_extend(bounds, i->opsize);
	high = sign_extend(bounds >> (8 * i->opsize), i->opsize);
	if (index < (int64_t)low || index > (int64_t)high)
		return raise(e, VECTOR_BR);
	return finish(e, i);
}

/* SDM, HLT: privileged. */
enum emulate_result exec_hlt(struct emulate *e, const struct insn *i)
{
	if (e->cpl)
		return raise_error(e, VECTOR_GP, 0);
	finish(e, i);
	return EMULATE_HALT;
}
