/* test/unit/emulate/test_plain.c - what is left of an instruction when its operand in memory is known
 * (emulate/plain.c), beside the executor of the same instruction, which test_native.c holds against the host's CPU: the
 * same state in, the same state out. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <cpuid.h>

#include "emulate/native.h"
#include "lib/x86_cpuid.h"
#include "test/unit/emulate/world.h"

#define CASES 1500000
/* Where operands are; code and stack are below. */
#define FIRST 0x8000u
#define LAST 0xf000u

static struct world *w;
static unsigned met[OP_COUNT], met_bits[256], divisions_failed;
static uint32_t features; /* of those that run on the host, what it has */

static bool has_adx(void)
{
	unsigned a, b, c, d;

	return __get_cpuid_count(CPUID_LEAF_FEATURES, 0, &a, &b, &c, &d) && (b & CPUID_7_EBX_ADX);
}

static uint64_t random64(void) { return (uint64_t)rand() << 42 ^ (uint64_t)rand() << 21 ^ (uint64_t)rand(); }

static void random_state(enum emulate_mode mode)
{
	for (unsigned n = 0; n < EMULATE_GPRS; n++)
		w->gpr[n] = rand() % 2 ? FIRST + (unsigned)rand() % 0x3000 : random64();
	w->gpr[EMULATE_RSP] = rand() % 4 ? 0x7000 : FIRST + (unsigned)rand() % 0x3000;
	w->e.rflags = (random64() & (RFLAGS_STATUS | RFLAGS_DF | RFLAGS_IF | RFLAGS_TF | RFLAGS_RF)) | RFLAGS_FIXED;
	if (mode == EMULATE_V86)
		w->e.rflags |= RFLAGS_VM;
	w->e.rip = 0x7c00;
}

static void random_code(uint8_t *code, enum emulate_mode mode)
{
	static const uint8_t opcodes[] = { 0x63, 0x80, 0x81, 0x83, 0x84, 0x85, 0x86, 0x87, 0x88, 0x89, 0x8a, 0x8b,
					   0x8f, 0xa0, 0xa1, 0xa2, 0xa3, 0xc6, 0xc7, 0xf6, 0xf7, 0xfe, 0xff, 0x69,
					   0x6b, 0xc0, 0xc1, 0xd0, 0xd1, 0xd2, 0xd3 };
	static const uint8_t escaped[] = { 0xb0, 0xb1, 0xb6, 0xb7, 0xbe, 0xbf, 0xc0, 0xc1, 0xa3, 0xab, 0xb3, 0xbb,
					   0xba, 0xa4, 0xa5, 0xac, 0xad, 0xaf, 0xb8, 0xbc, 0xbd, 0xc3, 0x44,
					   0x9f };
	static const uint8_t by_three[] = { 0xf0, 0xf1, 0xf6 };
	static const uint8_t by_vex[] = { 0xf2, 0xf3, 0xf5, 0xf6, 0xf7, 0xf0 };
	static const uint8_t prefixes[] = { 0x66, 0x67, 0xf0, 0x3e, 0x36, 0xf3, 0xf2 };
	unsigned n = 0;

	for (unsigned k = 0; k < 15; k++)
		code[k] = (uint8_t)(rand() >> 8);
	while (rand() % 3 == 0 && n < 3)
		code[n++] = prefixes[(unsigned)rand() % sizeof(prefixes)];
	if (mode == EMULATE_LONG64 && rand() % 2)
		code[n++] = (uint8_t)(0x40 | rand() % 16);
	if (rand() % 16 == 0) {
		unsigned which = (unsigned)rand() % sizeof(by_vex);

		code[n++] = 0xc4;
		code[n++] = (uint8_t)((rand() & 0xe0) | (which == 5 ? 3 : 2));
		code[n++] = (uint8_t)((rand() & (which == 5 ? 0x80 : 0xf8)) | (which == 5 ? 0x7b : rand() & 3));
		code[n] = by_vex[which];
	} else if (rand() % 4 == 0) {
		code[n++] = 0x0f;
		code[n] = escaped[(unsigned)rand() % sizeof(escaped)];
		if (rand() % 8 == 0) {
			code[n++] = 0x38;
			code[n] = by_three[rand() % 3];
		}
	} else if (rand() % 2) {
		code[n] = (uint8_t)(rand() % 8 << 3 | rand() % 4); /* arithmetic with a register */
	} else {
		code[n] = opcodes[(unsigned)rand() % sizeof(opcodes)];
	}
	/* An operand of which the displacement says where it is, or a register does. */
	if (rand() % 2)
		memset(code + n + 3, 0, 4);
}

/* What was done to the operand is what insn_plain() says. */
static void check_accesses(const struct insn *i, enum insn_plain plain, uint64_t at)
{
	bool reads = plain <= INSN_PLAIN_LOAD || plain == INSN_PLAIN_CHANGE, writes = plain >= INSN_PLAIN_STORE;
	bool read = false, written = false;

	for (unsigned n = 0; n < w->events; n++) {
		const struct world_event *event = &w->log[n];

		if (event->kind == 'f')
			continue;
		if ((plain == INSN_PLAIN_PUSH || plain == INSN_PLAIN_CALL) && event->kind == 'w')
			continue;
		if (plain == INSN_PLAIN_POP && event->kind == 'r')
			continue;
		assert_int_equal(event->address, at);
		assert_int_equal(event->size, insn_operand_size(i));
		read |= event->kind == 'r';
		written |= event->kind == 'w' || event->kind == 'c';
	}
	assert_int_equal(read, reads);
	assert_int_equal(written, writes);
}

static void compare(const struct emulate *other, const uint64_t *gpr)
{
	assert_memory_equal(gpr, w->gpr, sizeof(w->gpr));
	assert_int_equal(other->rip, w->e.rip);
	assert_int_equal(other->rflags, w->e.rflags);
}

/* The stack that was pushed to is the same, if it is done again. */
static void push_again(struct emulate *other, const struct insn *i, uint64_t value)
{
	unsigned at = (unsigned)(w->gpr[EMULATE_RSP] & (i->opsize == 8 ? ~0ull : 0xffff));
	uint64_t pushed = world_load(w, at, i->opsize);

	world_store(w, at, i->opsize, ~pushed);
	assert_int_equal(emulate_push_value(other, i, value), EMULATE_OK);
	assert_int_equal(world_load(w, at, i->opsize), pushed);
}

/* Or #DE, before which nothing has changed. */
static void divide_again(struct emulate *other, const uint64_t *gpr, const struct insn *i, uint64_t value,
			 enum emulate_result result)
{
	assert_int_equal(emulate_divide(other, i, value), result);
	compare(other, gpr);
	if (result == EMULATE_OK) {
		met[i->op]++;
		return;
	}
	assert_int_equal(result, EMULATE_EXCEPTION);
	assert_int_equal(w->e.exception.vector, VECTOR_DE);
	assert_int_equal(other->exception.vector, VECTOR_DE);
	divisions_failed++;
}

static void one(const uint8_t *code, const struct insn *i, enum insn_plain plain, uint64_t at)
{
	uint64_t popped = world_load(w, (unsigned)(w->gpr[EMULATE_RSP] & 0xffff), insn_operand_size(i));
	uint64_t value = world_load(w, at, insn_operand_size(i)), gpr[EMULATE_GPRS];
	struct emulate other = w->e;
	enum emulate_result result;

	memcpy(gpr, w->gpr, sizeof(gpr));
	other.gpr = gpr;
	result = world_step(w, code, 15);
	if (plain == INSN_PLAIN_DIVIDE) {
		divide_again(&other, gpr, i, value, result);
		return;
	}
	if (result != EMULATE_OK)
		return; /* a write through CS */
	met[i->op]++;
	if (i->op == OP_native)
		met_bits[native_opcode(i)]++;
	check_accesses(i, plain, at);
	if (insn_byte_register(i) != INSN_NONE)
		assert_int_equal(((const uint8_t *)w->gpr)[insn_byte_register(i)], world_load(w, at, 1));
	if (plain == INSN_PLAIN_JUMP || plain == INSN_PLAIN_CALL) {
		assert_int_equal(w->e.rip, value);
		return;
	}
	if (plain == INSN_PLAIN_PUSH) {
		push_again(&other, i, value);
	} else if (plain == INSN_PLAIN_POP) {
		assert_int_equal(world_load(w, at, i->opsize), popped);
		return;
	} else {
		value = emulate_on_value(&other, i, value);
		if (plain >= INSN_PLAIN_WRITE)
			assert_int_equal(value & size_mask(insn_operand_size(i)),
					 world_load(w, at, insn_operand_size(i)));
	}
	if (plain != INSN_PLAIN_LOAD && plain != INSN_PLAIN_STORE && plain != INSN_PLAIN_STORE_IMM)
		compare(&other, gpr);
}

static void random_case(enum emulate_mode mode)
{
	enum insn_plain plain;
	uint8_t code[15];
	struct insn i;
	uint64_t at;

	random_code(code, mode);
	if (emulate_decode(code, sizeof(code), mode, &i) != INSN_OK)
		return;
	plain = insn_plain(&i, features);
	if (plain == INSN_NOT_PLAIN)
		return;
	random_state(mode);
	at = insn_offset(&w->e, &i);
	if (insn_is_displaced(&i))
		at = (at + (uint64_t)insn_displaced_by(w->gpr[i.reg], i.opsize)) & size_mask(i.adsize);
	if (i.base == EMULATE_RSP || at < FIRST || at > LAST - 8 || crosses_page(at, 8))
		return;
	world_store(w, at, 8, rand() % 2 ? w->gpr[EMULATE_RAX] : random64());
	if ((plain == INSN_PLAIN_PUSH || plain == INSN_PLAIN_POP) && w->gpr[EMULATE_RSP] >= FIRST &&
	    w->gpr[EMULATE_RSP] + 16 > at && w->gpr[EMULATE_RSP] < at + 16)
		return;
	one(code, &i, plain, at);
}

static uint32_t host_features(void)
{
	return (EMULATE_HAS_ALL & ~(EMULATE_HAS_TZCNT | EMULATE_HAS_BMI2 | EMULATE_HAS_ADX | EMULATE_HAS_CRC32)) |
	       (__builtin_cpu_supports("bmi") ? EMULATE_HAS_TZCNT : 0) |
	       (__builtin_cpu_supports("bmi2") ? EMULATE_HAS_BMI2 : 0) | (has_adx() ? EMULATE_HAS_ADX : 0) |
	       (__builtin_cpu_supports("sse4.2") ? EMULATE_HAS_CRC32 : 0);
}

/* Outside protected mode nothing is VEX-encoded. */
static bool is_met(uint8_t opcode, enum emulate_mode mode)
{
	bool vex = mode > EMULATE_V86;

	switch (opcode) {
	case 0xf0:
	case 0xf1:
		return features & EMULATE_HAS_CRC32;
	case 0xf6:
		return features & EMULATE_HAS_ADX;
	case 0xf5:
		return vex && (features & EMULATE_HAS_BMI2);
	default:
		return vex && (features & EMULATE_HAS_TZCNT);
	}
}

static void beside_the_executors(void **state)
{
	static const uint8_t bits[] = { 0xf0, 0xf1, 0xf2, 0xf3, 0xf5, 0xf6, 0xf7 };
	static const enum insn_op ops[] = { OP_mov_load, OP_mov_store, OP_mov_rm_imm, OP_movzx, OP_movsx, OP_xchg,
					    OP_alu_rm_r, OP_alu_r_rm, OP_alu_rm_imm, OP_test_rm_r, OP_test_rm_imm,
					    OP_not, OP_neg, OP_incdec, OP_xadd, OP_cmpxchg, OP_push_rm,
					    OP_pop_rm, OP_bt_r, OP_bt_imm, OP_shift_imm, OP_shift_one,
					    OP_shift_cl, OP_shld_imm, OP_shld_cl, OP_shrd_imm, OP_shrd_cl, OP_setcc,
					    OP_movnti, OP_cmov, OP_bsf, OP_bsr, OP_mul, OP_imul, OP_imul_r_rm,
					    OP_imul_r_rm_imm, OP_div, OP_idiv, OP_popcnt, OP_movbe_load,
					    OP_movbe_store, OP_jmp_rm, OP_call_rm };

	(void)state;
	features = host_features();
	srand(1);
	for (enum emulate_mode mode = EMULATE_REAL; mode <= EMULATE_LONG64; mode++) {
		memset(met, 0, sizeof(met));
		memset(met_bits, 0, sizeof(met_bits));
		divisions_failed = 0;
		w = world_new(mode);
		for (unsigned n = 0; n < CASES / 6; n++)
			random_case(mode);
		world_free(w);
		for (unsigned n = 0; n < ARRAY_SIZE(ops); n++)
			if (!met[ops[n]])
				fail_msg("mode %u: operation %u was not met", mode, n);
		assert_true(divisions_failed);
		for (unsigned n = 0; n < ARRAY_SIZE(bits); n++)
			if (!met_bits[bits[n]] && is_met(bits[n], mode))
				fail_msg("mode %u: 0x%x was not met", mode, bits[n]);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(beside_the_executors),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
