/* emulate/exec_sse.c - SSE and AVX moves. Vector registers are behind callbacks; nothing is computed on them.
 *
 * VEX-encoded instructions clear the destination above what they write, legacy ones keep it above bit 127. */
#include "emulate/internal.h"

/* SDM: "Exception Conditions of SSE and AVX instructions": is the unit there and on? */
static enum emulate_result check_enabled(struct emulate *e, const struct insn *i)
{
	if (!e->ops->get_vector || !e->ops->set_vector)
		return EMULATE_UNKNOWN;
	if (i->flags & INSN_F_VEX) {
		if (!(e->cr4 & CR4_OSXSAVE) || (e->xcr0 & XCR0_SSE_AVX) != XCR0_SSE_AVX)
			return raise(e, VECTOR_UD);
	} else if ((e->cr0 & CR0_EM) || !(e->cr4 & CR4_OSFXSR)) {
		return raise(e, VECTOR_UD);
	}
	return (e->cr0 & CR0_TS) ? raise(e, VECTOR_NM) : EMULATE_OK;
}

static unsigned vector_size(const struct insn *i)
{
	unsigned size = i->sub & VEC_SIZE;

	return size ? size : (i->flags & INSN_F_VEXL) ? 32 : 16;
}

static enum emulate_result get_vector(struct emulate *e, unsigned n, uint8_t *buf, unsigned size)
{
	return from_access(e, e->ops->get_vector(e, n, buf, size));
}

/* Set n to the 16 or 32 bytes at buf. */
static enum emulate_result set_vector(struct emulate *e, const struct insn *i, unsigned n, const uint8_t *buf)
{
	bool wide = i->flags & INSN_F_VEXL;
	bool clear = (i->flags & INSN_F_VEX) && !wide;

	return from_access(e, e->ops->set_vector(e, n, buf, wide ? 32 : 16, clear));
}

static enum emulate_result vector_linear(struct emulate *e, const struct insn *i, unsigned size, unsigned how, uint64_t *linear)
{
	TRY(rm_linear(e, i, size, how, linear));
	if ((i->sub & VEC_ALIGNED) && (*linear & (size - 1)))
		return raise_error(e, VECTOR_GP, 0);
	return EMULATE_OK;
}

/* Between registers: MOVSS and MOVSD take the rest from the destination (VEX: from vvvv), the others clear it. */
static enum emulate_result vector_to_vector(struct emulate *e, const struct insn *i, unsigned to, unsigned from)
{
	unsigned size = vector_size(i);
	uint8_t v[32] = { 0 }, low[32];

	if (i->sub & VEC_MERGE)
		TRY(get_vector(e, (i->flags & INSN_F_VEX) ? i->vvvv : to, v, 16));
	TRY(get_vector(e, from, low, size == 32 ? 32 : 16));
	memcpy(v, low, size);
	if ((i->sub & VEC_MERGE) && (i->flags & INSN_F_VEX))
		return from_access(e, e->ops->set_vector(e, to, v, 16, true)); /* VEX.L is ignored */
	return set_vector(e, i, to, v);
}

enum emulate_result exec_vector_load(struct emulate *e, const struct insn *i)
{
	unsigned size = vector_size(i);
	uint8_t v[32] = { 0 };
	uint64_t linear;

	TRY(check_enabled(e, i));
	if (!is_memory(i)) {
		TRY(vector_to_vector(e, i, i->reg, i->rm));
		return finish(e, i);
	}
	TRY(vector_linear(e, i, size, 0, &linear));
	TRY(mem_read(e, linear, v, size, 0));
	if (i->sub & VEC_MERGE)
		TRY(from_access(e, e->ops->set_vector(e, i->reg, v, 16, i->flags & INSN_F_VEX)));
	else
		TRY(set_vector(e, i, i->reg, v));
	return finish(e, i);
}

enum emulate_result exec_vector_store(struct emulate *e, const struct insn *i)
{
	unsigned size = vector_size(i);
	uint8_t v[32];
	uint64_t linear;

	TRY(check_enabled(e, i));
	if (!is_memory(i)) {
		TRY(vector_to_vector(e, i, i->rm, i->reg));
		return finish(e, i);
	}
	TRY(vector_linear(e, i, size, EMULATE_HOW_WRITE, &linear));
	TRY(get_vector(e, i->reg, v, size == 32 ? 32 : 16));
	TRY(mem_write(e, linear, v, size, 0));
	return finish(e, i);
}

/* MOVLPS, MOVHPS: one half from memory, the other from the destination (VEX: from vvvv). */
enum emulate_result exec_vector_half_load(struct emulate *e, const struct insn *i)
{
	bool vex = i->flags & INSN_F_VEX;
	uint8_t v[32];
	uint64_t linear, half;

	TRY(check_enabled(e, i));
	TRY(vector_linear(e, i, 8, 0, &linear));
	TRY(read_value(e, linear, 8, 0, &half));
	TRY(get_vector(e, vex ? i->vvvv : i->reg, v, 16));
	memcpy(v + ((i->sub & VEC_HIGH) ? 8 : 0), &half, 8);
	TRY(from_access(e, e->ops->set_vector(e, i->reg, v, 16, vex)));
	return finish(e, i);
}

enum emulate_result exec_vector_half_store(struct emulate *e, const struct insn *i)
{
	uint8_t v[32];
	uint64_t linear;

	TRY(check_enabled(e, i));
	TRY(vector_linear(e, i, 8, EMULATE_HOW_WRITE, &linear));
	TRY(get_vector(e, i->reg, v, 16));
	TRY(mem_write(e, linear, v + ((i->sub & VEC_HIGH) ? 8 : 0), 8, 0));
	return finish(e, i);
}

/* MOVD, MOVQ: the general register or memory has 4 bytes, or 8 with REX.W. */
enum emulate_result exec_vector_movd_load(struct emulate *e, const struct insn *i)
{
	uint8_t v[32] = { 0 };
	uint64_t linear, low;

	TRY(check_enabled(e, i));
	TRY(rm_read(e, i, i->opsize, 0, &linear, &low));
	memcpy(v, &low, 8);
	TRY(set_vector(e, i, i->reg, v));
	return finish(e, i);
}

enum emulate_result exec_vector_movd_store(struct emulate *e, const struct insn *i)
{
	uint8_t v[32];
	uint64_t low;

	TRY(check_enabled(e, i));
	TRY(get_vector(e, i->reg, v, 16));
	memcpy(&low, v, 8);
	TRY(rm_write(e, i, i->opsize, low));
	return finish(e, i);
}

/* A plain store of a general register, 4 or 8 bytes; the non-temporal hint is lost. */
enum emulate_result exec_movnti(struct emulate *e, const struct insn *i)
{
	TRY(rm_write(e, i, i->opsize == 8 ? 8 : 4, e->gpr[i->reg]));
	return finish(e, i);
}
