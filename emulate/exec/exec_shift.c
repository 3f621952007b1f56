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
static uint64_t rotate(unsigned op, uint64_t v, unsigned count, unsigned bits, uint32_t *flags)
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

/* Of bits + 1 bits, with CF on top, n of them to the left; n is at most bits. */
static uint64_t carried(uint64_t v, unsigned n, unsigned bits, uint64_t *cf)
{
	uint64_t mask = ~0ull >> (64 - bits), with;

	if (likely(bits < 64)) {
		with = v | *cf << bits;
		with = with << n | with >> (bits + 1 - n);
		*cf = bit(with, bits);
		return with & mask;
	}
	if (!n)
		return v;
	with = (n < 64 ? v << n : 0) | *cf << (n - 1) | (n > 1 ? v >> (65 - n) : 0);
	*cf = bit(v, 64 - n);
	return with;
}

/* RCL and RCR. */
static uint64_t rotate_carry(unsigned op, uint64_t v, unsigned count, unsigned bits, uint64_t rflags, uint32_t *flags)
{
	unsigned n = count;
	uint64_t cf = rflags & RFLAGS_CF, of;

	while (n > bits)
		n -= bits + 1;
	if (op == SHIFT_RCR && n)
		n = bits + 1 - n; /* to the left by the complement */
	v = carried(v, n, bits, &cf);
	of = v >> (bits - 1) ^ (op == SHIFT_RCL ? cf : bit(v, bits - 2));
	*flags = (uint32_t)(cf | of << __builtin_ctz(RFLAGS_OF));
	return v;
}

/* SHL, SHR, SAR. A count of the size and more shifts everything out. */
static uint64_t shift(unsigned op, uint64_t v, unsigned count, unsigned bits, uint32_t *flags)
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
	*flags = (uint32_t)(flags_result(v, size) | cf | of << __builtin_ctz(RFLAGS_OF));
	return v;
}

struct shifted shift_value(const struct insn *i, uint64_t v, uint64_t by, uint64_t rflags)
{
	unsigned bits = 8 * i->opsize, count = by & (bits == 64 ? 63 : 31);
	struct shifted r = { .value = v };

	if (!count)
		return r;
	r.which = RFLAGS_CF | RFLAGS_OF;
	switch ((enum shift_op)i->sub) {
	case SHIFT_ROL:
	case SHIFT_ROR:
		r.value = rotate(i->sub, v, count, bits, &r.flags);
		break;
	case SHIFT_RCL:
	case SHIFT_RCR:
		r.value = rotate_carry(i->sub, v, count, bits, rflags, &r.flags);
		break;
	default:
		r.value = shift(i->sub, v, count, bits, &r.flags);
		r.which = RFLAGS_STATUS;
		break;
	}
	return r;
}

/* A 32-bit register is zero-extended also by a count of 0; memory is written back, as CPUs do. */
static enum emulate_result shift_rm(struct emulate *e, const struct insn *i, uint64_t by)
{
	uint64_t linear, v;
	struct shifted r;

	TRY(rm_read(e, i, i->opsize, EMULATE_HOW_WRITE, &linear, &v));
	r = shift_value(i, v, by, e->rflags);
	TRY(rm_update(e, i, i->opsize, linear, v, r.value));
	set_flags(e, r.which, r.flags);
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

/* As below, of 32 or 64 bits, the flags but OF in AH. SDM: "LAHF". */
static inline uint64_t double_on_host(uint64_t v, uint64_t other, unsigned count, unsigned bits, bool left, uint32_t *f)
{
#define DOUBLE(insn, size) \
	__asm__(insn " %%cl, %" size "[other], %" size "[v]\n\tlahf" \
		: [v] "+r"(v), "=a"(*f) : [other] "r"(other), "c"(count) : "cc")
	if (bits == 64 && left)
		DOUBLE("shldq", "q");
	else if (bits == 64)
		DOUBLE("shrdq", "q");
	else if (left)
		DOUBLE("shldl", "k");
	else
		DOUBLE("shrdl", "k");
#undef DOUBLE
	return v;
}

/* SHLD and SHRD. With 16-bit operands a count above 16 is undefined; here the bits go on from the other operand. */
struct shifted shift_double_value(const struct insn *i, uint64_t v, uint64_t other, uint64_t by, bool left)
{
	unsigned bits = 8 * i->opsize, count = by & (bits == 64 ? 63 : 31);
	struct shifted r = { .value = v };
	uint64_t joined, cf;

	if (!count)
		return r;
	r.which = RFLAGS_STATUS;
	if (likely(bits >= 32)) {
		r.value = double_on_host(v, other, count, bits, left, &r.flags);
		r.flags = (r.flags >> 8 & (RFLAGS_SF | RFLAGS_ZF | RFLAGS_PF | RFLAGS_CF)) |
			  (bit(r.value ^ v, bits - 1) ? (uint32_t)RFLAGS_OF : 0);
		return r;
	}
	joined = v << 32 | other << 16 | v; /* v:other:v */
	r.value = joined >> (left ? 32 - count : count) & 0xffff;
	cf = bit(joined, left ? 48 - count : count - 1);
	r.flags = flags_result(r.value, i->opsize) | (cf ? RFLAGS_CF : 0) |
		  (bit(r.value ^ v, bits - 1) ? RFLAGS_OF : 0);
	return r;
}

static enum emulate_result shift_double(struct emulate *e, const struct insn *i, uint64_t by, bool left)
{
	uint64_t linear, v;
	struct shifted r;

	TRY(rm_read(e, i, i->opsize, EMULATE_HOW_WRITE, &linear, &v));
	r = shift_double_value(i, v, read_reg(e, i, i->reg, i->opsize), by, left);
	TRY(rm_update(e, i, i->opsize, linear, v, r.value));
	set_flags(e, r.which, r.flags);
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
