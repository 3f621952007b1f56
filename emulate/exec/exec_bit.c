/* emulate/exec/exec_bit.c - single bits and bit scans. */
#include "emulate/flags.h"

static uint64_t change_bit(unsigned op, uint64_t v, uint64_t mask)
{
	switch ((enum bt_op)op) {
	case BT_TEST:
		break;
	case BT_SET:
		return v | mask;
	case BT_RESET:
		return v & ~mask;
	case BT_COMPLEMENT:
		return v ^ mask;
	}
	return v;
}

/* The operand is r/m, displaced by that many bytes if it is memory. Only CF is defined, and only CF changes. */
static enum emulate_result bit_operation(struct emulate *e, const struct insn *i, int64_t displaced, unsigned bit)
{
	unsigned how = i->sub == BT_TEST ? 0 : EMULATE_HOW_WRITE;
	uint64_t linear = 0, v, mask = 1ull << bit;

	if (is_memory(i)) {
		uint64_t offset = (insn_offset(e, i) + (uint64_t)displaced) & size_mask(i->adsize);

		if (i->flags & INSN_F_LOCK)
			how |= EMULATE_HOW_LOCKED;
		TRY(linear_address(e, i->seg, offset, i->opsize, how, &linear));
		TRY(read_value(e, linear, i->opsize, how, &v));
	} else {
		v = read_reg(e, i, i->rm, i->opsize);
	}
	if (i->sub != BT_TEST)
		TRY(rm_update(e, i, i->opsize, linear, v, change_bit(i->sub, v, mask)));
	set_flags(e, RFLAGS_CF, (v & mask) ? RFLAGS_CF : 0);
	return finish(e, i);
}

/* The bit offset is signed, and reaches beyond the operand in memory: what is beyond goes to the address, and only what
 * is within to the mask (CVE-2016-9383). SDM: "BT - Bit Test". */
enum emulate_result exec_bt_r(struct emulate *e, const struct insn *i)
{
	uint64_t number = e->gpr[i->reg];

	return bit_operation(e, i, insn_displaced_by(number, i->opsize), (unsigned)number & (8u * i->opsize - 1));
}

enum emulate_result exec_bt_imm(struct emulate *e, const struct insn *i)
{
	return bit_operation(e, i, 0, i->imm & (8u * i->opsize - 1));
}

/* Number of the highest set bit; v is not 0. */
static unsigned highest(uint64_t v)
{
	return 63 - __builtin_clzll(v);
}

/* BSF and BSR of 0 set ZF and leave the destination; the other flags are undefined: left as they are. */
static enum emulate_result scan(struct emulate *e, const struct insn *i, uint64_t v, uint64_t found)
{
	if (v)
		write_gpr(e, i->reg, i->opsize, found);
	set_flags(e, RFLAGS_ZF, v ? 0 : RFLAGS_ZF);
	return finish(e, i);
}

/* TZCNT and LZCNT: CF if the source is 0, ZF if the result is; the rest is undefined. */
static enum emulate_result count_zeros(struct emulate *e, const struct insn *i, uint64_t v, unsigned count)
{
	write_gpr(e, i->reg, i->opsize, count);
	set_flags(e, RFLAGS_CF | RFLAGS_ZF, (v ? 0 : RFLAGS_CF) | (count ? 0 : RFLAGS_ZF));
	return finish(e, i);
}

enum emulate_result exec_bsf(struct emulate *e, const struct insn *i)
{
	uint64_t linear, v;
	unsigned lowest;

	TRY(rm_read(e, i, i->opsize, 0, &linear, &v));
	lowest = v ? (unsigned)__builtin_ctzll(v) : 8u * i->opsize;
	if ((i->flags & INSN_F_REP) && (e->features & EMULATE_HAS_TZCNT))
		return count_zeros(e, i, v, lowest);
	return scan(e, i, v, lowest);
}

enum emulate_result exec_bsr(struct emulate *e, const struct insn *i)
{
	uint64_t linear, v;

	TRY(rm_read(e, i, i->opsize, 0, &linear, &v));
	if ((i->flags & INSN_F_REP) && (e->features & EMULATE_HAS_LZCNT))
		return count_zeros(e, i, v, v ? 8u * i->opsize - 1 - highest(v) : 8u * i->opsize);
	return scan(e, i, v, v ? highest(v) : 0);
}

/* ZF if the source is 0; all other status flags are cleared. #UD where CPUID does not have it (SDM, POPCNT: "Protected
 * Mode Exceptions"). */
enum emulate_result exec_popcnt(struct emulate *e, const struct insn *i)
{
	uint64_t linear, v;
	unsigned ones = 0;

	if (!(e->features & EMULATE_HAS_POPCNT))
		return raise(e, VECTOR_UD);
	TRY(rm_read(e, i, i->opsize, 0, &linear, &v));
	for (uint64_t rest = v; rest; rest &= rest - 1)
		ones++;
	write_gpr(e, i->reg, i->opsize, ones);
	set_flags(e, RFLAGS_STATUS, v ? 0 : RFLAGS_ZF);
	return finish(e, i);
}
