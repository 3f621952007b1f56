/* emulate/plain_insn.c - which instructions have one operand in memory, and what they do to it: those that
 * emulate/plain.c carries out. */
#include "emulate/native.h"

static enum insn_plain plain_mov(const struct insn *i)
{
	bool load = i->op == OP_mov_load;

	if (i->op == OP_mov_rm_imm)
		return i->opsize == 4 ? INSN_PLAIN_STORE_IMM : INSN_PLAIN_WRITE;
	if (i->opsize != 4)
		return load ? INSN_PLAIN_READ : INSN_PLAIN_WRITE;
	return load ? INSN_PLAIN_LOAD : INSN_PLAIN_STORE;
}

/* Those that are rare. */
static enum insn_plain plain_of_rest(const struct insn *i)
{
	switch (i->op) {
	case OP_shift_imm:
	case OP_shift_one:
	case OP_shift_cl:
	case OP_shld_imm:
	case OP_shld_cl:
	case OP_shrd_imm:
	case OP_shrd_cl:
		return INSN_PLAIN_CHANGE;
	case OP_setcc:
	case OP_movnti:
	case OP_movbe_store:
		return INSN_PLAIN_WRITE;
	case OP_div:
	case OP_idiv:
		return INSN_PLAIN_DIVIDE;
	case OP_movbe_load:
	case OP_popcnt:
	case OP_cmov:
	case OP_bsf:
	case OP_bsr:
	case OP_mul:
	case OP_imul:
	case OP_imul_r_rm:
	case OP_imul_r_rm_imm:
	case OP_native: /* insn_is_bits() */
		return INSN_PLAIN_READ;
	case OP_jmp_rm:
		return INSN_PLAIN_JUMP;
	case OP_call_rm:
		return INSN_PLAIN_CALL;
	default:
		return INSN_NOT_PLAIN;
	}
}

static enum insn_plain plain_of(const struct insn *i)
{
	switch (i->op) {
	case OP_mov_load:
	case OP_mov_store:
	case OP_mov_rm_imm:
		return plain_mov(i);
	case OP_alu_rm_r:
	case OP_alu_rm_imm:
		return i->sub == ALU_CMP ? INSN_PLAIN_READ : INSN_PLAIN_CHANGE;
	case OP_xchg:
	case OP_not:
	case OP_neg:
	case OP_incdec:
	case OP_xadd:
	case OP_cmpxchg:
		return INSN_PLAIN_CHANGE;
	case OP_bt_r:
	case OP_bt_imm:
		return i->sub == BT_TEST ? INSN_PLAIN_READ : INSN_PLAIN_CHANGE;
	case OP_alu_r_rm:
	case OP_test_rm_r:
	case OP_test_rm_imm:
	case OP_movzx:
	case OP_movsx:
		return INSN_PLAIN_READ;
	case OP_push_rm:
		return INSN_PLAIN_PUSH;
	case OP_pop_rm:
		return INSN_PLAIN_POP;
	default:
		return plain_of_rest(i);
	}
}

bool insn_has_register(const struct insn *i)
{
	switch (i->op) {
	case OP_mov_rm_imm:
	case OP_alu_rm_imm:
	case OP_test_rm_imm:
	case OP_not:
	case OP_neg:
	case OP_incdec:
	case OP_bt_imm:
	case OP_push_rm:
	case OP_pop_rm:
	case OP_shift_imm:
	case OP_shift_one:
	case OP_shift_cl:
	case OP_setcc:
	case OP_mul:
	case OP_imul:
	case OP_div:
	case OP_idiv:
	case OP_jmp_rm:
	case OP_call_rm:
		return false;
	case OP_native:
		return native_bits(i) & INSN_N_REG;
	default:
		return true;
	}
}

unsigned insn_operand_size(const struct insn *i)
{
	if (i->op == OP_movnti) /* of 2 bytes there is none */
		return i->opsize == 8 ? 8 : 4;
	if (i->op == OP_native) /* CRC32 of a byte */
		return i->sub == 1 ? 1 : i->opsize;
	return (i->op == OP_movzx || i->op == OP_movsx) && i->sub < i->opsize ? i->sub : i->opsize;
}

unsigned insn_byte_register(const struct insn *i)
{
	if ((i->op != OP_mov_load && i->op != OP_mov_store) || i->opsize != 1 || insn_uses_rsp(i))
		return INSN_NONE;
	return is_high_byte(i, i->reg, 1) ? 8 * (i->reg - 4u) + 1 : 8u * i->reg;
}

/* What CPUID lacks is #UD, which is the executor's. */
static bool is_there(const struct insn *i, uint32_t features)
{
	if (i->op == OP_popcnt)
		return features & EMULATE_HAS_POPCNT;
	if (i->op == OP_native)
		return insn_is_bits(i, features);
	return (i->op != OP_movbe_load && i->op != OP_movbe_store) || (features & EMULATE_HAS_MOVBE);
}

enum insn_plain insn_plain(const struct insn *i, uint32_t features)
{
	enum insn_plain plain;

	if (!is_memory(i) || i->opsize > 8 || !is_there(i, features))
		return INSN_NOT_PLAIN;
	plain = plain_of(i);
	if (unlikely(insn_uses_rsp(i)))
		return plain == INSN_PLAIN_LOAD	   ? INSN_PLAIN_READ
		       : plain == INSN_PLAIN_STORE ? INSN_PLAIN_WRITE
						   : plain;
	return plain;
}

bool insn_uses_rsp(const struct insn *i)
{
	if (i->op == OP_native && (native_bits(i) & INSN_N_VVVV) && i->vvvv == EMULATE_RSP)
		return true;
	return insn_has_register(i) && i->reg == EMULATE_RSP && !is_high_byte(i, i->reg, i->opsize);
}

bool insn_is_displaced(const struct insn *i) { return i->op == OP_bt_r; }
