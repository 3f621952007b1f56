/* emulate/exec/exec_shift.c - shifts and rotates, and their double-width forms.
 *
 * The count is masked to 5 bits (6 for 64-bit operands); a count of 0 changes neither the operand nor a flag, but the
 * operand is still accessed. Flags that the SDM leaves undefined: OF of a count other than 1 is what the last step of
 * one-bit steps would give for SHL, RCL, ROL, and the formula for a count of 1 elsewhere; AF is cleared by shifts. */
#include "emulate/flags.h"

static uint64_t bit(uint64_t v, unsigned n)
{
	return (v >> n) & 1;
}

/* ROL and ROR: only CF and OF change. count is nonzero; it may be a multiple of the size. */
static uint64_t rotate(unsigned op, uint64_t v, unsigned count, unsigned bits, uint64_t *flags)
{
	unsigned n = count % bits;
	uint64_t cf, of, mask = ~0ull >> (64 - bits);

	if (op == SHIFT_ROR)
		n = (bits - n) % bits;
	if (n)
		v = ((v << n) | (v >> (bits - n))) & mask;
	if (op == SHIFT_ROL) {
		cf = bit(v, 0);
		of = bit(v, bits - 1) ^ cf;
	} else {
		cf = bit(v, bits - 1);
		of = cf ^ bit(v, bits - 2);
	}
	*flags = (cf ? RFLAGS_CF : 0) | (of ? RFLAGS_OF : 0);
	return v;
}

/* RCL and RCR: a rotation of bits + 1 bits, CF on top. */
static uint64_t rotate_carry(unsigned op, uint64_t v, unsigned count, unsigned bits, uint64_t rflags, uint64_t *flags)
{
	unsigned n = count % (bits + 1);
	uint64_t cf = rflags & RFLAGS_CF, of, mask = ~0ull >> (64 - bits), old = v;

	if (op == SHIFT_RCR)
		n = (bits + 1 - n) % (bits + 1); /* to the left by the complement */
	if (n) {
		uint64_t low = n > 1 ? old >> (bits + 1 - n) : 0;

		v = ((n < bits ? old << n : 0) | (cf << (n - 1)) | low) & mask;
		cf = bit(old, bits - n);
	}
	of = op == SHIFT_RCL ? bit(v, bits - 1) ^ cf : bit(v, bits - 1) ^ bit(v, bits - 2);
	*flags = (cf ? RFLAGS_CF : 0) | (of ? RFLAGS_OF : 0);
	return v;
}

/* SHL, SHR, SAR. A count of the size and more shifts everything out. */
static uint64_t shift(unsigned op, uint64_t v, unsigned count, unsigned bits, uint64_t *flags)
{
	unsigned size = bits / 8;
	uint64_t cf, of, old = v;

	if (op == SHIFT_SHR) {
		cf = count <= bits ? bit(v, count - 1) : 0;
		v = count < bits ? v >> count : 0;
		of = bit(old, bits - 1);
	} else if (op == SHIFT_SAR) {
		int64_t extended = (int64_t)sign_extend(v, size);

		cf = (extended >> (count - 1)) & 1;
		v = (uint64_t)(extended >> count);
		of = 0;
	} else {
		cf = count <= bits ? bit(v, bits - count) : 0;
		v = count < bits ? v << count : 0;
		of = bit(v, bits - 1) ^ cf;
	}
	*flags = flags_result(v, size) | (cf ? RFLAGS_CF : 0) | (of ? RFLAGS_OF : 0);
	return v;
}

static enum emulate_result shift_rm(struct emulate *e, const struct insn *i, unsigned count)
{
	uint64_t linear, v, r, flags, which = RFLAGS_CF | RFLAGS_OF;
	unsigned bits = 8 * i->opsize;

	count &= bits == 64 ? 63 : 31;
	TRY(rm_read(e, i, i->opsize, EMULATE_HOW_WRITE, &linear, &v));
	if (!count) {
		/* A 32-bit register is zero-extended all the same; memory is written back, as CPUs do. */
		TRY(rm_update(e, i, i->opsize, linear, v, v));
		return finish(e, i);
	}
	switch ((enum shift_op)i->sub) {
	case SHIFT_ROL:
	case SHIFT_ROR:
		r = rotate(i->sub, v, count, bits, &flags);
		break;
	case SHIFT_RCL:
	case SHIFT_RCR:
		r = rotate_carry(i->sub, v, count, bits, e->rflags, &flags);
		break;
	default:
		r = shift(i->sub, v, count, bits, &flags);
		which = RFLAGS_STATUS;
		break;
	}
	TRY(rm_update(e, i, i->opsize, linear, v, r));
	set_flags(e, which, flags);
	return finish(e, i);
}

enum emulate_result exec_shift_imm(struct emulate *e, const struct insn *i)
{
	return shift_rm(e, i, i->imm);
}

enum emulate_result exec_shift_one(struct emulate *e, const struct insn *i)
{
	return shift_rm(e, i, 1);
}

enum emulate_result exec_shift_cl(struct emulate *e, const struct insn *i)
{
	return shift_rm(e, i, e->gpr[EMULATE_RCX]);
}

/* SHLD and SHRD. With 16-bit operands a count above 16 is undefined; here the bits go on from the other operand. */
static enum emulate_result shift_double(struct emulate *e, const struct insn *i, unsigned count, bool left)
{
	unsigned bits = 8 * i->opsize;
	uint64_t linear, v, r, cf, other = read_reg(e, i, i->reg, i->opsize), flags;
	unsigned __int128 joined;

	count &= bits == 64 ? 63 : 31;
	TRY(rm_read(e, i, i->opsize, EMULATE_HOW_WRITE, &linear, &v));
	if (!count) {
		TRY(rm_update(e, i, i->opsize, linear, v, v));
		return finish(e, i);
	}
	if (left) {
		/* v:other:v for 16 bits and counts above 16 */
		joined = ((unsigned __int128)v << bits) | other;
		if (bits == 16)
			joined = (joined << 16) | v;
		else
			joined <<= bits == 64 ? 0 : bits;
		r = bits == 64 ? (uint64_t)((joined << count) >> 64) : (uint64_t)(joined >> (2 * bits - count));
		cf = bits == 64 ? bit(v, 64 - count) : (uint64_t)(joined >> (3 * bits - count)) & 1;
	} else {
		joined = ((unsigned __int128)other << bits) | v;
		if (bits == 16)
			joined |= (unsigned __int128)v << 32;
		r = (uint64_t)(joined >> count);
		cf = (uint64_t)(joined >> (count - 1)) & 1;
	}
	r &= size_mask(i->opsize);
	flags = flags_result(r, i->opsize) | (cf ? RFLAGS_CF : 0);
	if (bit(r ^ v, bits - 1))
		flags |= RFLAGS_OF;
	TRY(rm_update(e, i, i->opsize, linear, v, r));
	set_flags(e, RFLAGS_STATUS, flags);
	return finish(e, i);
}

enum emulate_result exec_shld_imm(struct emulate *e, const struct insn *i)
{
	return shift_double(e, i, i->imm, true);
}

enum emulate_result exec_shld_cl(struct emulate *e, const struct insn *i)
{
	return shift_double(e, i, e->gpr[EMULATE_RCX], true);
}

enum emulate_result exec_shrd_imm(struct emulate *e, const struct insn *i)
{
	return shift_double(e, i, i->imm, false);
}

enum emulate_result exec_shrd_cl(struct emulate *e, const struct insn *i)
{
	return shift_double(e, i, e->gpr[EMULATE_RCX], false);
}
