/* emulate/plain.c - instructions with one operand in memory, for those who know already what that operand is: a
 * device's register, which they read and write themselves. What is left of such an instruction is what it does to
 * registers and flags; for that there is no need of the executors, and little time: a kernel may raise and lower its
 * priority by any of them thousands of times a second. The results are those of the executors (test_plain.c). */
#include "emulate/flags.h"

/* Into AH the status flags but OF, into AL that. SDM: "LAHF", "SETcc". */
#define ON_HOST(insn, size, a, b, f) \
	__asm__(insn size "\n\tlahf\n\tseto %%al" : [to] "+r"(a), "=&a"(f) : [from] "r"(b) : "cc")
#define BY_SIZE(insn, size, a, b, f) \
	do { \
		if (likely((size) == 4)) \
			ON_HOST(insn, "l %k[from], %k[to]", a, b, f); \
		else if ((size) == 8) \
			ON_HOST(insn, "q %q[from], %q[to]", a, b, f); \
		else if ((size) == 1) \
			ON_HOST(insn, "b %b[from], %b[to]", a, b, f); \
		else \
			ON_HOST(insn, "w %w[from], %w[to]", a, b, f); \
	} while (0)

static inline uint64_t logic(struct emulate *e, unsigned op, uint64_t a, uint64_t b, unsigned size)
{
	uint32_t f;

	if (op == ALU_AND)
		BY_SIZE("and", size, a, b, f);
	else if (op == ALU_OR)
		BY_SIZE("or", size, a, b, f);
	else
		BY_SIZE("xor", size, a, b, f);
	take_flags(e, f, RFLAGS_AF);
	return a;
}

/* SUB and CMP, with borrow SBB; ADD, with carry ADC. */
static inline uint64_t sum(struct emulate *e, bool minus, uint64_t a, uint64_t b, unsigned size)
{
	uint32_t f;

	if (minus)
		BY_SIZE("sub", size, a, b, f);
	else
		BY_SIZE("add", size, a, b, f);
	take_flags(e, f, 0);
	return a;
}

static uint64_t sum_with_carry(struct emulate *e, bool minus, uint64_t a, uint64_t b, unsigned size)
{
	uint32_t f;

	if (!(e->rflags & RFLAGS_CF))
		return sum(e, minus, a, b, size);
	if (minus)
		BY_SIZE("stc\n\tsbb", size, a, b, f);
	else
		BY_SIZE("stc\n\tadc", size, a, b, f);
	take_flags(e, f, 0);
	return a;
}

static inline uint64_t alu(struct emulate *e, unsigned op, uint64_t a, uint64_t b, unsigned size)
{
	switch ((enum alu_op)op) {
	case ALU_OR:
	case ALU_AND:
	case ALU_XOR:
		return logic(e, op, a, b, size);
	case ALU_ADC:
	case ALU_SBB:
		return sum_with_carry(e, op == ALU_SBB, a, b, size);
	default:
		return sum(e, op != ALU_ADD, a, b, size);
	}
}

/* CF stays. */
static uint64_t step_by_one(struct emulate *e, bool down, uint64_t a, unsigned size)
{
	uint64_t carry = e->rflags & RFLAGS_CF;

	a = sum(e, down, a, 1, size);
	set_flags(e, RFLAGS_CF, carry);
	return a;
}

/* Of the instruction's register; most have 4 bytes. */
static inline uint64_t register_of(const struct emulate *e, const struct insn *i)
{
	if (likely(i->opsize == 4))
		return (uint32_t)e->gpr[i->reg];
	return i->opsize == 8 ? e->gpr[i->reg] : read_reg(e, i, i->reg, i->opsize);
}

static inline void set_register(struct emulate *e, const struct insn *i, uint64_t value)
{
	if (likely(i->opsize == 4))
		e->gpr[i->reg] = (uint32_t)value;
	else if (i->opsize == 8)
		e->gpr[i->reg] = value;
	else
		write_reg(e, i, i->reg, i->opsize, value);
}

/* Most have 4 bytes, or 8. */
static inline uint64_t of_size(uint64_t value, unsigned size)
{
	if (likely(size == 4))
		return (uint32_t)value;
	return size == 8 ? value : value & size_mask(size);
}

static inline uint64_t compare_and_exchange(struct emulate *e, const struct insn *i, uint64_t value)
{
	uint64_t old = of_size(value, i->opsize), accumulator = of_size(e->gpr[EMULATE_RAX], i->opsize);

	sum(e, true, accumulator, old, i->opsize);
	if (old == accumulator)
		return register_of(e, i);
	write_gpr(e, EMULATE_RAX, i->opsize, old);
	return old;
}

/* Only CF changes. */
static uint64_t test_bit(struct emulate *e, const struct insn *i, uint64_t value)
{
	uint64_t number = i->op == OP_bt_r ? e->gpr[i->reg] : i->imm, mask = 1ull << (number & (8u * i->opsize - 1));

	set_flags(e, RFLAGS_CF, value & mask ? RFLAGS_CF : 0);
	switch ((enum bt_op)i->sub) {
	case BT_SET:
		return value | mask;
	case BT_RESET:
		return value & ~mask;
	case BT_COMPLEMENT:
		return value ^ mask;
	default:
		return value;
	}
}

static uint64_t shifted(struct emulate *e, struct shifted r)
{
	set_flags(e, r.which, r.flags);
	return r.value;
}

static __attribute__((noinline)) uint64_t shift_by(struct emulate *e, const struct insn *i, uint64_t value,
						   uint64_t by)
{
	return shifted(e, shift_value(i, of_size(value, i->opsize), by, e->rflags));
}

static __attribute__((noinline)) uint64_t shift_in(struct emulate *e, const struct insn *i, uint64_t value)
{
	uint64_t by = i->op == OP_shld_cl || i->op == OP_shrd_cl ? e->gpr[EMULATE_RCX] : i->imm;

	return shifted(e, shift_double_value(i, of_size(value, i->opsize), register_of(e, i), by,
					     i->op == OP_shld_cl || i->op == OP_shld_imm));
}

/* Those that are rarer still: the executor does it to a register that the instruction has no part in. Of those with a
 * register none has one of one byte. */
static enum emulate_result on_register(struct emulate *e, const struct insn *i, uint64_t *value)
{
	unsigned other = insn_has_register(i) && i->reg == EMULATE_RBX ? EMULATE_RBP : EMULATE_RBX;
	uint64_t kept = e->gpr[other];
	struct insn instead = *i;
	enum emulate_result result;

	instead.flags &= (uint8_t)~INSN_F_MEM;
	instead.rm = (uint8_t)other;
	e->gpr[other] = *value;
	result = emulate_execute(e, &instead);
	*value = e->gpr[other];
	e->gpr[other] = kept;
	return result;
}

enum emulate_result emulate_divide(struct emulate *e, const struct insn *i, uint64_t value)
{
	return on_register(e, i, &value);
}

/* Of these none can fail. */
static __attribute__((noinline)) uint64_t on_value_by_register(struct emulate *e, const struct insn *i,
							       uint64_t value)
{
	uint64_t rip = e->rip;

	on_register(e, i, &value);
	e->rip = rip;
	return value;
}

static inline uint64_t on_value_rarest(struct emulate *e, const struct insn *i, uint64_t value)
{
	switch (i->op) {
	case OP_shld_imm:
	case OP_shld_cl:
	case OP_shrd_imm:
	case OP_shrd_cl:
		return shift_in(e, i, value);
	case OP_movbe_load:
		write_gpr(e, i->reg, i->opsize, byte_swap(value, i->opsize));
		return value;
	case OP_movbe_store:
		return byte_swap(e->gpr[i->reg], i->opsize);
	case OP_native:
		return on_value_bits(e, i, value);
	default:
		return on_value_by_register(e, i, value);
	}
}

/* Those that are rare. */
static inline uint64_t on_value_rest(struct emulate *e, const struct insn *i, uint64_t value)
{
	switch (i->op) {
	case OP_not:
		return ~value;
	case OP_neg:
		return sum(e, true, 0, value, i->opsize);
	case OP_incdec:
		return step_by_one(e, i->sub, value, i->opsize);
	case OP_cmpxchg:
		return compare_and_exchange(e, i, value);
	case OP_mov_load:
		write_reg(e, i, i->reg, i->opsize, value);
		return value;
	case OP_mov_store:
		return read_reg(e, i, i->reg, i->opsize);
	case OP_movnti:
		return e->gpr[i->reg];
	case OP_cmov: /* also of 4 bytes where the condition is false: they are zero-extended */
		if (condition(e->rflags, i->sub))
			write_gpr(e, i->reg, i->opsize, value);
		else
			write_gpr(e, i->reg, i->opsize, e->gpr[i->reg]);
		return value;
	case OP_setcc:
		return condition(e->rflags, i->sub);
	case OP_mov_rm_imm:
		return i->imm;
	case OP_movsx:
		write_gpr(e, i->reg, i->opsize, sign_extend(value, insn_operand_size(i)));
		return value;
	default:
		return on_value_rarest(e, i, value);
	}
}

static inline uint64_t exchange(struct emulate *e, const struct insn *i, uint64_t value, uint64_t with)
{
	set_register(e, i, value);
	return with;
}

static inline uint64_t on_value(struct emulate *e, const struct insn *i, uint64_t value)
{
	uint64_t result;

	switch (i->op) {
	case OP_alu_rm_r:
	case OP_alu_rm_imm:
		result = i->op == OP_alu_rm_imm ? i->imm : register_of(e, i);
		return alu(e, i->sub, value, result, i->opsize);
	case OP_alu_r_rm:
		result = alu(e, i->sub, register_of(e, i), value, i->opsize);
		if (i->sub != ALU_CMP)
			set_register(e, i, result);
		return value;
	case OP_test_rm_r:
		logic(e, ALU_AND, value, register_of(e, i), i->opsize);
		return value;
	case OP_test_rm_imm:
		logic(e, ALU_AND, value, i->imm, i->opsize);
		return value;
	case OP_xchg:
		return exchange(e, i, value, register_of(e, i));
	case OP_xadd:
		return exchange(e, i, value, sum(e, false, value, register_of(e, i), i->opsize));
	case OP_movzx:
		write_gpr(e, i->reg, i->opsize, value & size_mask(insn_operand_size(i)));
		return value;
	case OP_bt_r:
	case OP_bt_imm:
		return test_bit(e, i, value);
	case OP_shift_one:
		return shift_by(e, i, value, 1);
	case OP_shift_imm:
		return shift_by(e, i, value, i->imm);
	case OP_shift_cl:
		return shift_by(e, i, value, e->gpr[EMULATE_RCX]);
	default:
		return on_value_rest(e, i, value);
	}
}

/* On to the next first: nothing here asks where it is, and all else is the last thing done. */
uint64_t emulate_on_value(struct emulate *e, const struct insn *i, uint64_t value)
{
	finish(e, i);
	return on_value(e, i, value);
}

enum emulate_result emulate_push_value(struct emulate *e, const struct insn *i, uint64_t value)
{
	uint64_t sp = e->gpr[EMULATE_RSP];

	TRY(push_at(e, &sp, i->opsize, value));
	e->gpr[EMULATE_RSP] = sp;
	return finish(e, i);
}

/* ---- strings ---- */

unsigned insn_string(const struct insn *i)
{
	return i->op == OP_movs	  ? INSN_STRING_FROM | INSN_STRING_TO
	       : i->op == OP_cmps ? INSN_STRING_FROM | INSN_STRING_AT
	       : i->op == OP_stos ? INSN_STRING_TO
	       : i->op == OP_lods ? INSN_STRING_FROM
	       : i->op == OP_scas ? INSN_STRING_AT
				  : 0;
}

void emulate_string_compares(struct emulate *e, const struct insn *i, uint64_t a, uint64_t b)
{
	sum(e, true, a, b, i->opsize);
}

void emulate_string(struct emulate *e, const struct insn *i, unsigned accesses, uint64_t from, uint64_t at)
{
	uint64_t step = insn_string_step(e, i);

	if (accesses & INSN_STRING_AT)
		emulate_string_compares(e, i, accesses & INSN_STRING_FROM ? from : e->gpr[EMULATE_RAX], at);
	else if (accesses == INSN_STRING_FROM)
		write_gpr(e, EMULATE_RAX, i->opsize, from);
	if (accesses & INSN_STRING_FROM)
		emulate_string_moves(&e->gpr[EMULATE_RSI], i, step);
	if (accesses & (INSN_STRING_AT | INSN_STRING_TO))
		emulate_string_moves(&e->gpr[EMULATE_RDI], i, step);
	emulate_string_counted(&e->gpr[EMULATE_RCX], i);
	finish(e, i);
}
