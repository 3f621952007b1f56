/* emulate/string.c - string instructions for those who make their accesses themselves: what is left of the only
 * iteration of one. */
#include "emulate/flags.h"

unsigned insn_string(const struct insn *i)
{
	switch (i->op) {
	case OP_movs:
		return INSN_STRING_FROM | INSN_STRING_TO;
	case OP_cmps:
		return INSN_STRING_FROM | INSN_STRING_AT;
	case OP_stos:
		return INSN_STRING_TO;
	case OP_lods:
		return INSN_STRING_FROM;
	case OP_scas:
		return INSN_STRING_AT;
	default:
		return 0;
	}
}

/* The pointer moves on by one element, up or down. */
static void advance(struct emulate *e, const struct insn *i, unsigned reg)
{
	uint64_t step = (e->rflags & RFLAGS_DF) ? 0 - (uint64_t)i->opsize : i->opsize;

	write_gpr(e, reg, i->adsize, e->gpr[reg] + step);
}

static bool repeats(const struct insn *i) { return i->flags & (INSN_F_REP | INSN_F_REPNE); }

bool insn_string_once(const struct emulate *e, const struct insn *i)
{
	return !repeats(i) || (e->gpr[EMULATE_RCX] & size_mask(i->adsize)) == 1;
}

void emulate_string(struct emulate *e, const struct insn *i, uint64_t from, uint64_t at)
{
	unsigned accesses = insn_string(i);
	uint64_t accumulator = e->gpr[EMULATE_RAX] & size_mask(i->opsize);
	uint64_t a = accesses & INSN_STRING_FROM ? from : accumulator;

	if (accesses & INSN_STRING_AT)
		set_flags(e, RFLAGS_STATUS, flags_sub(a, at, a - at, i->opsize));
	else if (accesses == INSN_STRING_FROM)
		write_gpr(e, EMULATE_RAX, i->opsize, from);
	if (accesses & INSN_STRING_FROM)
		advance(e, i, EMULATE_RSI);
	if (accesses & (INSN_STRING_AT | INSN_STRING_TO))
		advance(e, i, EMULATE_RDI);
	if (repeats(i))
		write_gpr(e, EMULATE_RCX, i->adsize, 0);
	finish(e, i);
}
