/* emulate/exec/exec_alu.c - ADD OR ADC SBB AND SUB XOR CMP, TEST, NOT, NEG, INC, DEC, XADD and CMPXCHG. */
#include "emulate/flags.h"

/* One of the eight operations: the result, and the new status flags in *flags. */
static uint64_t alu(unsigned op, uint64_t a, uint64_t b, unsigned size, uint64_t rflags, uint64_t *flags)
{
	uint64_t carry = rflags & RFLAGS_CF, r = 0;

	switch ((enum alu_op)op) {
	case ALU_ADD:
		carry = 0;
		/* fall through */
	case ALU_ADC:
		r = a + b + carry;
		*flags = flags_add(a, b, r, size);
		return r;
	case ALU_SUB:
	case ALU_CMP:
		carry = 0;
		/* fall through */
	case ALU_SBB:
		r = a - b - carry;
		*flags = flags_sub(a, b, r, size);
		return r;
	case ALU_OR:
		r = a | b;
		break;
	case ALU_AND:
		r = a & b;
		break;
	case ALU_XOR:
		r = a ^ b;
		break;
	}
	*flags = flags_result(r, size);
	return r;
}

/* r/m = r/m op b */
static enum emulate_result alu_rm(struct emulate *e, const struct insn *i, uint64_t b)
{
	bool writes = i->sub != ALU_CMP;
	uint64_t linear, a, r, flags;

	TRY(rm_read(e, i, i->opsize, writes ? EMULATE_HOW_WRITE : 0, &linear, &a));
	r = alu(i->sub, a, b, i->opsize, e->rflags, &flags);
	if (writes)
		TRY(rm_update(e, i, i->opsize, linear, a, r));
	set_flags(e, RFLAGS_STATUS, flags);
	return finish(e, i);
}

enum emulate_result exec_alu_rm_r(struct emulate *e, const struct insn *i)
{
	return alu_rm(e, i, read_reg(e, i, i->reg, i->opsize));
}

enum emulate_result exec_alu_rm_imm(struct emulate *e, const struct insn *i)
{
	return alu_rm(e, i, i->imm);
}

enum emulate_result exec_alu_r_rm(struct emulate *e, const struct insn *i)
{
	uint64_t linear, b, r, flags;

	TRY(rm_read(e, i, i->opsize, 0, &linear, &b));
	r = alu(i->sub, read_reg(e, i, i->reg, i->opsize), b, i->opsize, e->rflags, &flags);
	if (i->sub != ALU_CMP)
		write_reg(e, i, i->reg, i->opsize, r);
	set_flags(e, RFLAGS_STATUS, flags);
	return finish(e, i);
}

static enum emulate_result test(struct emulate *e, const struct insn *i, uint64_t b)
{
	uint64_t linear, a;

	TRY(rm_read(e, i, i->opsize, 0, &linear, &a));
	set_flags(e, RFLAGS_STATUS, flags_result(a & b, i->opsize));
	return finish(e, i);
}

enum emulate_result exec_test_rm_r(struct emulate *e, const struct insn *i)
{
	return test(e, i, read_reg(e, i, i->reg, i->opsize));
}

enum emulate_result exec_test_rm_imm(struct emulate *e, const struct insn *i)
{
	return test(e, i, i->imm);
}

enum emulate_result exec_not(struct emulate *e, const struct insn *i)
{
	uint64_t linear, v;

	TRY(rm_read(e, i, i->opsize, EMULATE_HOW_WRITE, &linear, &v));
	TRY(rm_update(e, i, i->opsize, linear, v, ~v));
	return finish(e, i);
}

enum emulate_result exec_neg(struct emulate *e, const struct insn *i)
{
	uint64_t linear, v;

	TRY(rm_read(e, i, i->opsize, EMULATE_HOW_WRITE, &linear, &v));
	TRY(rm_update(e, i, i->opsize, linear, v, 0 - v));
	set_flags(e, RFLAGS_STATUS, flags_sub(0, v, 0 - v, i->opsize));
	return finish(e, i);
}

/* sub: 0 INC, 1 DEC. CF stays. */
enum emulate_result exec_incdec(struct emulate *e, const struct insn *i)
{
	uint64_t linear, v, r;

	TRY(rm_read(e, i, i->opsize, EMULATE_HOW_WRITE, &linear, &v));
	r = i->sub ? v - 1 : v + 1;
	TRY(rm_update(e, i, i->opsize, linear, v, r));
	set_flags(e, RFLAGS_STATUS & ~RFLAGS_CF,
		  i->sub ? flags_sub(v, 1, r, i->opsize) : flags_add(v, 1, r, i->opsize));
	return finish(e, i);
}

/* The register gets the old value first, the sum goes to r/m after it: with one register for both, the sum stays. */
enum emulate_result exec_xadd(struct emulate *e, const struct insn *i)
{
	uint64_t linear, a, b = read_reg(e, i, i->reg, i->opsize);

	TRY(rm_read(e, i, i->opsize, EMULATE_HOW_WRITE, &linear, &a));
	if (is_memory(i))
		TRY(rm_update(e, i, i->opsize, linear, a, a + b));
	write_reg(e, i, i->reg, i->opsize, a);
	if (!is_memory(i))
		write_reg(e, i, i->rm, i->opsize, a + b);
	set_flags(e, RFLAGS_STATUS, flags_add(a, b, a + b, i->opsize));
	return finish(e, i);
}

/* Memory is written in both cases: on failure with what it held. SDM: "CMPXCHG - Compare and Exchange". */
enum emulate_result exec_cmpxchg(struct emulate *e, const struct insn *i)
{
	uint64_t linear, v, accumulator = read_reg(e, i, EMULATE_RAX, i->opsize);
	uint64_t source = read_reg(e, i, i->reg, i->opsize);
	bool equal;

	TRY(rm_read(e, i, i->opsize, EMULATE_HOW_WRITE, &linear, &v));
	equal = v == accumulator;
	if (equal || is_memory(i))
		TRY(rm_update(e, i, i->opsize, linear, v, equal ? source : v));
	if (!equal)
		write_gpr(e, EMULATE_RAX, i->opsize, v);
	set_flags(e, RFLAGS_STATUS, flags_sub(accumulator, v, accumulator - v, i->opsize));
	return finish(e, i);
}

/* CMPXCHG8B, whatever an operand-size prefix says (CVE-2016-9932); with REX.W CMPXCHG16B, whose operand must be
 * aligned to 16 bytes, else #GP(0) (SDM, CMPXCHG8B/CMPXCHG16B: "64-Bit Mode Exceptions"). */
enum emulate_result exec_cmpxchg8b(struct emulate *e, const struct insn *i)
{
	unsigned half = i->opsize == 8 ? 8 : 4;
	uint64_t linear, old[2] = { 0 }, new[2];
	uint8_t memory[16] = { 0 }, desired[16];
	bool equal;

	TRY(rm_linear(e, i, 2 * half, EMULATE_HOW_WRITE, &linear));
	if (half == 8 && (linear & 15))
		return raise_error(e, VECTOR_GP, 0);
	TRY(mem_read(e, linear, memory, 2 * half, EMULATE_HOW_WRITE));
	memcpy(&old[0], memory, half);
	memcpy(&old[1], memory + half, half);
	equal = old[0] == (e->gpr[EMULATE_RAX] & size_mask(half)) && old[1] == (e->gpr[EMULATE_RDX] & size_mask(half));
	new[0] = equal ? e->gpr[EMULATE_RBX] : old[0];
	new[1] = equal ? e->gpr[EMULATE_RCX] : old[1];
	memcpy(desired, &new[0], half);
	memcpy(desired + half, &new[1], half);
	if (i->flags & INSN_F_LOCK)
		TRY(write_locked(e, linear, memory, desired, 2 * half));
	else
		TRY(mem_write(e, linear, desired, 2 * half, 0));
	if (!equal) {
		write_gpr(e, EMULATE_RAX, half, old[0]);
		write_gpr(e, EMULATE_RDX, half, old[1]);
	}
	set_flags(e, RFLAGS_ZF, equal ? RFLAGS_ZF : 0);
	return finish(e, i);
}
