/* emulate/exec/exec_muldiv.c - multiplication, division, and decimal adjustment. */
#include "emulate/flags.h"

typedef unsigned __int128 u128;
typedef __int128 s128;

/* The double-width value in AX, DX:AX, EDX:EAX or RDX:RAX, as two halves. */
static void read_double(const struct emulate *e, unsigned size, uint64_t *low, uint64_t *high)
{
	uint64_t rax = e->gpr[EMULATE_RAX];

	*low = rax & size_mask(size);
	*high = size == 1 ? (rax >> 8) & 0xff : e->gpr[EMULATE_RDX] & size_mask(size);
}

static void write_double(struct emulate *e, unsigned size, uint64_t low, uint64_t high)
{
	if (size == 1) {
		write_gpr(e, EMULATE_RAX, 2, (low & 0xff) | (high << 8));
		return;
	}
	write_gpr(e, EMULATE_RAX, size, low);
	write_gpr(e, EMULATE_RDX, size, high);
}

/* CF and OF alike; SF, ZF, AF and PF are undefined: left as they are. */
static void set_overflow(struct emulate *e, bool overflow)
{
	set_flags(e, RFLAGS_CF | RFLAGS_OF, overflow ? RFLAGS_CF | RFLAGS_OF : 0);
}

enum emulate_result exec_mul(struct emulate *e, const struct insn *i)
{
	uint64_t linear, b, high;
	u128 product;

	TRY(rm_read(e, i, i->opsize, 0, &linear, &b));
	product = (u128)(e->gpr[EMULATE_RAX] & size_mask(i->opsize)) * b;
	high = (uint64_t)(product >> (8 * i->opsize)) & size_mask(i->opsize);
	write_double(e, i->opsize, (uint64_t)product, high);
	set_overflow(e, high != 0);
	return finish(e, i);
}

static s128 signed_product(uint64_t a, uint64_t b, unsigned size)
{
	return (s128)(int64_t)sign_extend(a, size) * (int64_t)sign_extend(b, size);
}

static bool fits(s128 v, unsigned size)
{
	return v == (int64_t)sign_extend((uint64_t)v, size);
}

enum emulate_result exec_imul(struct emulate *e, const struct insn *i)
{
	uint64_t linear, b;
	s128 product;

	TRY(rm_read(e, i, i->opsize, 0, &linear, &b));
	product = signed_product(e->gpr[EMULATE_RAX], b, i->opsize);
	write_double(e, i->opsize, (uint64_t)product, (uint64_t)((u128)product >> (8 * i->opsize)));
	set_overflow(e, !fits(product, i->opsize));
	return finish(e, i);
}

static enum emulate_result imul_to_reg(struct emulate *e, const struct insn *i, uint64_t a, uint64_t b)
{
	s128 product = signed_product(a, b, i->opsize);

	write_gpr(e, i->reg, i->opsize, (uint64_t)product);
	set_overflow(e, !fits(product, i->opsize));
	return finish(e, i);
}

enum emulate_result exec_imul_r_rm(struct emulate *e, const struct insn *i)
{
	uint64_t linear, b;

	TRY(rm_read(e, i, i->opsize, 0, &linear, &b));
	return imul_to_reg(e, i, e->gpr[i->reg], b);
}

enum emulate_result exec_imul_r_rm_imm(struct emulate *e, const struct insn *i)
{
	uint64_t linear, a;

	TRY(rm_read(e, i, i->opsize, 0, &linear, &a));
	return imul_to_reg(e, i, a, i->imm);
}

/* high:low / divisor, where high < divisor: the quotient fits. Bit by bit, for want of a 128-bit division. */
static uint64_t divide(uint64_t high, uint64_t low, uint64_t divisor, uint64_t *remainder)
{
	uint64_t quotient = 0;

	if (!high) {
		*remainder = low % divisor;
		return low / divisor;
	}
	for (unsigned n = 0; n < 64; n++) {
		bool carry = high >> 63;

		high = (high << 1) | (low >> 63);
		low <<= 1;
		quotient <<= 1;
		if (carry || high >= divisor) {
			high -= divisor;
			quotient |= 1;
		}
	}
	*remainder = high;
	return quotient;
}

/* Narrow operands: join the halves, so that divide() sees one 64-bit number. */
static void join(unsigned size, uint64_t *low, uint64_t *high)
{
	if (size < 8) {
		*low |= *high << (8 * size);
		*high = 0;
	}
}

/* SDM, "DIV": a quotient that does not fit is #DE, as a division by 0 is. */
enum emulate_result exec_div(struct emulate *e, const struct insn *i)
{
	uint64_t linear, divisor, low, high, quotient, remainder;

	TRY(rm_read(e, i, i->opsize, 0, &linear, &divisor));
	read_double(e, i->opsize, &low, &high);
	if (high >= divisor) /* also divisor = 0 */
		return raise(e, VECTOR_DE);
	join(i->opsize, &low, &high);
	quotient = divide(high, low, divisor, &remainder);
	write_double(e, i->opsize, quotient, remainder);
	return finish(e, i);
}

/* IDIV of less than 8 bytes: all of it has a place in 64 bits. */
static enum emulate_result divide_signed(struct emulate *e, const struct insn *i, int64_t divisor)
{
	uint64_t low, high;
	int64_t dividend;

	read_double(e, i->opsize, &low, &high);
	dividend = (int64_t)sign_extend(high << (8 * i->opsize) | low, 2 * i->opsize);
	if (!divisor || (divisor == -1 && dividend == INT64_MIN))
		return raise(e, VECTOR_DE);
	if (dividend / divisor != (int64_t)sign_extend((uint64_t)(dividend / divisor), i->opsize))
		return raise(e, VECTOR_DE);
	write_double(e, i->opsize, (uint64_t)(dividend / divisor), (uint64_t)(dividend % divisor));
	return finish(e, i);
}

/* SDM, "IDIV": the same. */
enum emulate_result exec_idiv(struct emulate *e, const struct insn *i)
{
	const unsigned size = 8;
	uint64_t linear, divisor, low, high, quotient, remainder;
	bool negative, negative_divisor;
	u128 magnitude;

	TRY(rm_read(e, i, i->opsize, 0, &linear, &divisor));
	if (i->opsize < size)
		return divide_signed(e, i, (int64_t)sign_extend(divisor, i->opsize));
	read_double(e, size, &low, &high);
	negative = high & size_sign(size);
	negative_divisor = divisor & size_sign(size);
	magnitude = ((u128)high << 64) | low;
	if (negative)
		magnitude = 0 - magnitude;
	if (negative_divisor)
		divisor = (0 - divisor) & size_mask(size);
	if ((uint64_t)(magnitude >> (8 * size)) >= divisor)
		return raise(e, VECTOR_DE);
	quotient = divide((uint64_t)(magnitude >> 64), (uint64_t)magnitude, divisor, &remainder);
	/* The most negative quotient has a greater magnitude than the most positive one. */
	if (quotient > size_sign(size) - (negative == negative_divisor))
		return raise(e, VECTOR_DE);
	write_double(e, size, negative != negative_divisor ? 0 - quotient : quotient,
		     negative ? 0 - remainder : remainder);
	return finish(e, i);
}

/* DAA and DAS: SDM, "Decimal Arithmetic Instructions". OF is undefined: left as it is. */
static enum emulate_result decimal_adjust(struct emulate *e, const struct insn *i, bool subtract)
{
	uint8_t old = e->gpr[EMULATE_RAX], al = old;
	uint64_t f = 0;

	if ((old & 15) > 9 || (e->rflags & RFLAGS_AF)) {
		al = subtract ? al - 6 : al + 6;
		f |= RFLAGS_AF | (e->rflags & RFLAGS_CF);
		if (subtract ? old < 6 : old > 0xf9)
			f |= RFLAGS_CF;
	}
	if (old > 0x99 || (e->rflags & RFLAGS_CF)) {
		al = subtract ? al - 0x60 : al + 0x60;
		f |= RFLAGS_CF;
	} else if (!subtract) {
		f &= ~RFLAGS_CF;
	}
	write_gpr(e, EMULATE_RAX, 1, al);
	set_flags(e, RFLAGS_STATUS & ~RFLAGS_OF, f | flags_result(al, 1));
	return finish(e, i);
}

enum emulate_result exec_daa(struct emulate *e, const struct insn *i)
{
	return decimal_adjust(e, i, false);
}

enum emulate_result exec_das(struct emulate *e, const struct insn *i)
{
	return decimal_adjust(e, i, true);
}

/* AAA and AAS. OF, SF, ZF and PF are undefined: left as they are. */
static enum emulate_result ascii_adjust(struct emulate *e, const struct insn *i, bool subtract)
{
	uint16_t ax = e->gpr[EMULATE_RAX];
	uint64_t f = 0;

	if ((ax & 15) > 9 || (e->rflags & RFLAGS_AF)) {
		ax = subtract ? ax - 0x106 : ax + 0x106;
		f = RFLAGS_AF | RFLAGS_CF;
	}
	write_gpr(e, EMULATE_RAX, 2, ax & 0xff0f);
	set_flags(e, RFLAGS_AF | RFLAGS_CF, f);
	return finish(e, i);
}

enum emulate_result exec_aaa(struct emulate *e, const struct insn *i)
{
	return ascii_adjust(e, i, false);
}

enum emulate_result exec_aas(struct emulate *e, const struct insn *i)
{
	return ascii_adjust(e, i, true);
}

/* OF, AF and CF are undefined: left as they are, for both. */
enum emulate_result exec_aam(struct emulate *e, const struct insn *i)
{
	uint8_t al = e->gpr[EMULATE_RAX], base = i->imm;

	if (!base) /* SDM, "AAM" */
		return raise(e, VECTOR_DE);
	write_gpr(e, EMULATE_RAX, 2, ((al / base) << 8) | (al % base));
	set_flags(e, RFLAGS_SF | RFLAGS_ZF | RFLAGS_PF, flags_result(al % base, 1));
	return finish(e, i);
}

enum emulate_result exec_aad(struct emulate *e, const struct insn *i)
{
	uint64_t rax = e->gpr[EMULATE_RAX];
	uint8_t al = rax + (rax >> 8) * i->imm;

	write_gpr(e, EMULATE_RAX, 2, al);
	set_flags(e, RFLAGS_SF | RFLAGS_ZF | RFLAGS_PF, flags_result(al, 1));
	return finish(e, i);
}
