/* emulate/operands.c - the operand that ModRM names, register or memory. */
#include "emulate/internal.h"

enum emulate_result rm_read(struct emulate *e, const struct insn *i, unsigned size, unsigned how, uint64_t *linear,
			    uint64_t *v)
{
	*linear = 0;
	if (!is_memory(i)) {
		*v = read_reg(e, i, i->rm, size);
		return EMULATE_OK;
	}
	if (i->flags & INSN_F_LOCK)
		how |= EMULATE_HOW_LOCKED;
	TRY(rm_linear(e, i, size, how, linear));
	return read_value(e, *linear, size, how, v);
}

enum emulate_result rm_update(struct emulate *e, const struct insn *i, unsigned size, uint64_t linear, uint64_t old,
			      uint64_t new)
{
	if (!is_memory(i)) {
		write_reg(e, i, i->rm, size, new);
		return EMULATE_OK;
	}
	if (i->flags & INSN_F_LOCK)
		return write_locked(e, linear, &old, &new, size);
	return write_value(e, linear, size, new);
}

enum emulate_result rm_write(struct emulate *e, const struct insn *i, unsigned size, uint64_t v)
{
	uint64_t linear;

	if (!is_memory(i)) {
		write_reg(e, i, i->rm, size, v);
		return EMULATE_OK;
	}
	TRY(rm_linear(e, i, size, EMULATE_HOW_WRITE, &linear));
	return write_value(e, linear, size, v);
}
