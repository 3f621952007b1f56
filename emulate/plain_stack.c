/* emulate/plain_stack.c - instructions whose only access is a push or a pop, for those who know what is on the stack,
 * and have looked at everything that can be in the way there: a device's register, mostly. */
#include "emulate/internal.h"

enum insn_stack insn_stack(const struct insn *i)
{
	switch (i->op) {
	case OP_push_r:
	case OP_push_imm:
	case OP_pushf:
	case OP_call_rel:
		return INSN_STACK_PUSH;
	case OP_push_rm:
	case OP_call_rm:
		return is_memory(i) ? INSN_STACK_NOT : INSN_STACK_PUSH;
	case OP_pop_r:
	case OP_popf:
	case OP_leave:
	case OP_ret:
		return INSN_STACK_POP;
	case OP_pop_rm:
		return is_memory(i) ? INSN_STACK_NOT : INSN_STACK_POP;
	default:
		return INSN_STACK_NOT;
	}
}

bool insn_stack_branches(const struct insn *i)
{
	return i->op == OP_call_rel || i->op == OP_call_rm || i->op == OP_ret;
}

static uint64_t behind(const struct emulate *e, const struct insn *i)
{
	uint64_t next = e->rip + i->length;

	return is_long64(e) ? next : (uint32_t)next;
}

uint64_t emulate_goes_on(const struct emulate *e, const struct insn *i, uint64_t popped)
{
	switch (i->op) {
	case OP_call_rel:
		return (behind(e, i) + i->imm) & size_mask(i->opsize);
	case OP_call_rm:
		return e->gpr[i->rm] & size_mask(i->opsize);
	case OP_ret:
		return popped & size_mask(i->opsize);
	default:
		return behind(e, i);
	}
}

uint64_t emulate_pushes(const struct emulate *e, const struct insn *i)
{
	switch (i->op) {
	case OP_push_r:
		return e->gpr[i->reg];
	case OP_push_rm:
		return e->gpr[i->rm];
	case OP_push_imm:
		return i->imm;
	case OP_pushf: /* SDM: "PUSHF" */
		return e->rflags & ~(uint64_t)(RFLAGS_VM | RFLAGS_RF);
	default: /* CALL */
		return behind(e, i);
	}
}

void emulate_pushed(struct emulate *e, const struct insn *i, unsigned stack)
{
	uint64_t sp = e->gpr[EMULATE_RSP] - i->opsize, mask = size_mask(stack);

	e->gpr[EMULATE_RSP] = (e->gpr[EMULATE_RSP] & ~mask) | (sp & mask);
}

void emulate_popped(struct emulate *e, const struct insn *i, unsigned stack, uint64_t value)
{
	uint64_t mask = size_mask(stack), from = e->gpr[i->op == OP_leave ? EMULATE_RBP : EMULATE_RSP];
	uint64_t sp = from + i->opsize + (i->op == OP_ret ? i->imm : 0);

	e->gpr[EMULATE_RSP] = (e->gpr[EMULATE_RSP] & ~mask) | (sp & mask);
	switch (i->op) {
	case OP_pop_r: /* after rSP: POP rSP keeps what was popped */
		write_gpr(e, i->reg, i->opsize, value);
		break;
	case OP_pop_rm:
		write_gpr(e, i->rm, i->opsize, value);
		break;
	case OP_leave:
		write_gpr(e, EMULATE_RBP, i->opsize, value);
		break;
	case OP_popf:
		take_popped_flags(e, i, value);
		break;
	}
}
