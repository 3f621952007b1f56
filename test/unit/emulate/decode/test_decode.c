/* test/unit/emulate/decode/test_decode.c - the decoder alone: lengths, and random bytes in buffers that end where the
 * bytes do, so that the address sanitizer sees every byte read too many. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "emulate/decode/ops.h"

#define FUZZ_CASES 300000

/* Decode a copy of exactly n bytes. */
static enum insn_status decode(const uint8_t *bytes, unsigned n, enum emulate_mode mode, struct insn *i)
{
	uint8_t *copy = malloc(n ? n : 1);
	enum insn_status status;

	memcpy(copy, bytes, n);
	status = emulate_decode(copy, n, mode, i);
	free(copy);
	return status;
}

static void check_fields(const struct insn *i, enum emulate_mode mode)
{
	assert_in_range(i->length, 1, 15);
	assert_true(i->op > OP_prefix && i->op < OP_COUNT);
	assert_true(i->opsize == 1 || i->opsize == 2 || i->opsize == 4 || (i->opsize == 8 && mode == EMULATE_LONG64));
	assert_true(i->adsize == 2 || i->adsize == 4 || (i->adsize == 8 && mode == EMULATE_LONG64));
	assert_true(i->reg < 16 && i->rm < 16 && i->vvvv < 16 && i->scale < 4 && i->seg < EMULATE_SEGS);
	assert_true(i->base < 16 || i->base == INSN_NONE || (i->base == INSN_RIP && mode == EMULATE_LONG64));
	assert_true(i->index < 16 || i->index == INSN_NONE);
	if (mode != EMULATE_LONG64)
		assert_true(i->reg < 8 && i->rm < 8 && (i->base < 8 || i->base == INSN_NONE));
}

/* A decoded instruction is the same with more bytes behind it, and is not there with fewer. */
static void check_lengths(const uint8_t *bytes, enum emulate_mode mode, const struct insn *i)
{
	struct insn other;

	assert_int_equal(decode(bytes, i->length, mode, &other), INSN_OK);
	assert_memory_equal(i, &other, sizeof(other));
	for (unsigned n = 0; n < i->length; n++)
		assert_int_equal(decode(bytes, n, mode, &other), INSN_SHORT);
}

static void test_random_bytes(void **state)
{
	unsigned known = 0;

	(void)state;
	srand(1);
	for (unsigned n = 0; n < FUZZ_CASES; n++) {
		enum emulate_mode mode = n % 5;
		uint8_t bytes[20];
		struct insn i;

		for (unsigned k = 0; k < sizeof(bytes); k++)
			bytes[k] = rand() >> 8;
		if (rand() % 4 == 0)
			bytes[rand() % 3] = 0x0f;
		if (decode(bytes, sizeof(bytes), mode, &i) != INSN_OK) {
			decode(bytes, rand() % 16, mode, &i);
			continue;
		}
		known++;
		check_fields(&i, mode);
		check_lengths(bytes, mode, &i);
	}
	assert_true(known > FUZZ_CASES / 4);
}

static void test_too_long(void **state)
{
	uint8_t bytes[32];
	struct insn i;

	(void)state;
	memset(bytes, 0x66, sizeof(bytes));
	assert_int_equal(decode(bytes, 14, EMULATE_LONG64, &i), INSN_SHORT);
	assert_int_equal(decode(bytes, 15, EMULATE_LONG64, &i), INSN_TOO_LONG);
	assert_int_equal(decode(bytes, 32, EMULATE_LONG64, &i), INSN_TOO_LONG);
	bytes[14] = 0x90;
	assert_int_equal(decode(bytes, 32, EMULATE_LONG64, &i), INSN_OK);
	assert_int_equal(i.length, 15);
}

struct sample {
	enum emulate_mode mode;
	uint8_t length, opsize, adsize, seg;
	uint8_t bytes[15];
};

static void test_samples(void **state)
{
	static const struct sample samples[] = {
		/* mov rax, imm64; mov al, [moffs64]; mov [rip+d], imm32; lea with SIB and disp32 */
		{ EMULATE_LONG64, 10, 8, 8, EMULATE_DS, { 0x48, 0xb8 } },
		{ EMULATE_LONG64, 9, 1, 8, EMULATE_DS, { 0xa0 } },
		{ EMULATE_LONG64, 6, 1, 4, EMULATE_DS, { 0x67, 0xa0 } },
		{ EMULATE_LONG64, 11, 8, 8, EMULATE_DS, { 0x48, 0xc7, 0x05 } },
		{ EMULATE_LONG64, 8, 8, 8, EMULATE_DS, { 0x48, 0x8d, 0x04, 0x25 } },
		/* push, near branches: 8 bytes without REX.W; 66 makes PUSH 2 bytes, and does nothing to a branch */
		{ EMULATE_LONG64, 1, 8, 8, EMULATE_DS, { 0x50 } },
		{ EMULATE_LONG64, 2, 2, 8, EMULATE_DS, { 0x66, 0x50 } },
		{ EMULATE_LONG64, 6, 8, 8, EMULATE_DS, { 0x66, 0xe8 } },
		/* REX that is not last does not count; segment overrides but FS and GS do not either */
		{ EMULATE_LONG64, 4, 2, 8, EMULATE_DS, { 0x48, 0x66, 0x89, 0x07 } },
		{ EMULATE_LONG64, 4, 4, 8, EMULATE_SS, { 0x3e, 0x89, 0x45, 0x00 } },
		{ EMULATE_LONG64, 4, 4, 8, EMULATE_GS, { 0x65, 0x89, 0x45, 0x00 } },
		/* R12 and R13 are not the stack's; R13 needs a displacement, R12 a SIB byte */
		{ EMULATE_LONG64, 4, 4, 8, EMULATE_DS, { 0x41, 0x89, 0x45, 0x00 } },
		{ EMULATE_LONG64, 4, 4, 8, EMULATE_DS, { 0x41, 0x89, 0x04, 0x24 } },
		{ EMULATE_PROT32, 3, 4, 4, EMULATE_SS, { 0x89, 0x04, 0x24 } },
		{ EMULATE_PROT32, 5, 4, 2, EMULATE_DS, { 0x67, 0x89, 0x06 } },
		{ EMULATE_PROT32, 7, 4, 4, EMULATE_DS, { 0xea } },
		{ EMULATE_PROT16, 5, 2, 2, EMULATE_DS, { 0x9a } },
		{ EMULATE_REAL, 3, 2, 2, EMULATE_SS, { 0x89, 0x46, 0x00 } },
		{ EMULATE_REAL, 4, 2, 2, EMULATE_ES, { 0x26, 0x89, 0x46, 0x00 } },
		{ EMULATE_REAL, 6, 4, 2, EMULATE_DS, { 0x66, 0xb8 } },
		{ EMULATE_V86, 4, 2, 2, EMULATE_DS, { 0xc8 } },
		{ EMULATE_REAL32, 4, 2, 4, EMULATE_DS, { 0x66, 0xb8 } },
	};

	(void)state;
	for (unsigned n = 0; n < ARRAY_SIZE(samples); n++) {
		const struct sample *s = &samples[n];
		struct insn i;

		assert_int_equal(decode(s->bytes, 15, s->mode, &i), INSN_OK);
		assert_int_equal(i.length, s->length);
		assert_int_equal(i.opsize, s->opsize);
		assert_int_equal(i.adsize, s->adsize);
		assert_int_equal(i.seg, s->seg);
	}
}

struct refusal {
	enum emulate_mode mode;
	enum insn_status status;
	uint8_t bytes[6];
};

static const struct refusal refusals[] = {
	/* LOCK: not with a register, not with CMP, MOV, BT, NOP or a destination that is a register */
	{ EMULATE_LONG64, INSN_UD, { 0xf0, 0x01, 0xc0 } },
	{ EMULATE_LONG64, INSN_OK, { 0xf0, 0x01, 0x00 } },
	{ EMULATE_LONG64, INSN_UD, { 0xf0, 0x03, 0x00 } },
	{ EMULATE_LONG64, INSN_UD, { 0xf0, 0x39, 0x00 } },
	{ EMULATE_LONG64, INSN_UD, { 0xf0, 0x83, 0x38, 0x01 } },
	{ EMULATE_LONG64, INSN_OK, { 0xf0, 0x83, 0x30, 0x01 } },
	{ EMULATE_LONG64, INSN_UD, { 0xf0, 0x89, 0x00 } },
	{ EMULATE_LONG64, INSN_UD, { 0xf0, 0x0f, 0xa3, 0x00 } },
	{ EMULATE_LONG64, INSN_UD, { 0xf0, 0x90 } },
	{ EMULATE_LONG64, INSN_UD, { 0xf0, 0xa4 } },
	/* not in 64-bit mode */
	{ EMULATE_LONG64, INSN_UD, { 0x06 } },
	{ EMULATE_LONG64, INSN_UD, { 0x27 } },
	{ EMULATE_LONG64, INSN_UD, { 0x60 } },
	{ EMULATE_LONG64, INSN_UD, { 0x82, 0xc0, 0x00 } },
	{ EMULATE_LONG64, INSN_UD, { 0xea } },
	{ EMULATE_PROT32, INSN_OK, { 0x63, 0xc0 } }, /* ARPL */
	{ EMULATE_V86, INSN_UD, { 0x0f, 0x00, 0xc0 } }, /* SLDT */
	{ EMULATE_REAL, INSN_UD, { 0x63, 0xc0 } },
	{ EMULATE_REAL32, INSN_UD, { 0x63, 0xc0 } },
	/* memory only */
	{ EMULATE_LONG64, INSN_UD, { 0x8d, 0xc0 } },
	{ EMULATE_REAL, INSN_UD, { 0xc4, 0xc0 } },
	{ EMULATE_LONG64, INSN_UD, { 0x0f, 0xc3, 0xc0 } },
	/* VEX: prefixes before it, and what is nothing with or without it; more the CPU itself judges */
	{ EMULATE_LONG64, INSN_UD, { 0x66, 0xc5, 0xf8, 0x10, 0x00 } },
	{ EMULATE_LONG64, INSN_UD, { 0x48, 0xc5, 0xf8, 0x10, 0x00 } },
	{ EMULATE_LONG64, INSN_OK, { 0xc5, 0xf8, 0x10, 0x00 } },
	{ EMULATE_LONG64, INSN_OK, { 0xc5, 0xf8, 0x58, 0x00 } },
	{ EMULATE_LONG64, INSN_UD, { 0xc5, 0xf8, 0xae, 0x00 } }, /* FXSAVE */
	{ EMULATE_LONG64, INSN_OK, { 0xc5, 0xf8, 0xae, 0x10 } }, /* VLDMXCSR */
	{ EMULATE_LONG64, INSN_UD, { 0x0f, 0x38, 0xf3, 0x08 } }, /* BLSR */
	{ EMULATE_LONG64, INSN_UD, { 0x66, 0x0f, 0x38, 0x90, 0x04, 0x00 } }, /* VPGATHERDD */
	{ EMULATE_LONG64, INSN_UNKNOWN, { 0xc5, 0xf8, 0x89, 0x00 } },
	{ EMULATE_LONG64, INSN_UD, { 0x0f, 0xff, 0x00 } },
	{ EMULATE_LONG64, INSN_UD, { 0xff, 0xf8 } },
};

static void test_refusals(void **state)
{
	(void)state;
	for (unsigned n = 0; n < ARRAY_SIZE(refusals); n++) {
		uint8_t bytes[15] = { 0 };
		struct insn i;

		memcpy(bytes, refusals[n].bytes, sizeof(refusals[n].bytes));
		assert_int_equal(decode(bytes, 15, refusals[n].mode, &i), refusals[n].status);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_random_bytes),
		cmocka_unit_test(test_too_long),
		cmocka_unit_test(test_samples),
		cmocka_unit_test(test_refusals),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
