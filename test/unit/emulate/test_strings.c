/* test/unit/emulate/test_strings.c - repeated strings of which many iterations are carried out at once (fill() and
 * copy() of struct emulate_ops), beside the same without: the same in, the same out. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "test/unit/emulate/world.h"

#define CASES 9000

static unsigned at_once; /* elements that were */

/* Some of them, or none; each is checked to be where the words of emulate.h say. */
static unsigned some(unsigned count) { return rand() % 4 ? 1 + (unsigned)rand() % count : 0; }

static void check(uint64_t linear, unsigned size, unsigned count)
{
	assert_true(count >= 1);
	assert_int_equal(linear >> PAGE_SHIFT, (linear + size * count - 1) >> PAGE_SHIFT);
}

static bool there(const struct world *w, uint64_t linear)
{
	return linear < WORLD_MEMORY && linear >> PAGE_SHIFT != w->absent >> PAGE_SHIFT;
}

static unsigned fill(struct emulate *e, uint64_t to, uint64_t value, unsigned size, unsigned count)
{
	struct world *w = container_of(e, struct world, e);

	check(to, size, count);
	if (!there(w, to) || to >> PAGE_SHIFT == w->read_only >> PAGE_SHIFT)
		return 0;
	count = some(count);
	for (unsigned n = 0; n < count; n++)
		memcpy(w->memory + to + n * size, &value, size);
	at_once += count;
	return count;
}

static unsigned copy(struct emulate *e, uint64_t to, uint64_t from, unsigned size, unsigned count)
{
	struct world *w = container_of(e, struct world, e);

	check(to, size, count);
	check(from, size, count);
	if (!there(w, to) || !there(w, from) || to >> PAGE_SHIFT == w->read_only >> PAGE_SHIFT)
		return 0;
	count = some(count);
	for (unsigned n = 0; n < count; n++) {
		uint64_t element;

		memcpy(&element, w->memory + from + n * size, size);
		memcpy(w->memory + to + n * size, &element, size);
	}
	at_once += count;
	return count;
}

static void prepare(struct world *w, enum emulate_mode mode, unsigned seed)
{
	srand(seed);
	world_reset(w, mode);
	for (unsigned n = 0x8000; n < 0xc000; n++)
		w->memory[n] = (uint8_t)rand();
	w->gpr[EMULATE_RCX] = (unsigned)rand() % 300;
	w->gpr[EMULATE_RSI] = rand() % 4 ? 0x8f00u + (unsigned)rand() % 0x1200 : (unsigned)rand();
	w->gpr[EMULATE_RDI] = rand() % 4 ? 0x8f00u + (unsigned)rand() % 0x1200 : (unsigned)rand();
	if (mode == EMULATE_LONG64 && rand() % 2) {
		w->gpr[EMULATE_RSI] |= 0x5500000000; /* of which addresses of 32 bits take the low half */
		w->gpr[EMULATE_RDI] |= 0x6600000000;
	}
	w->gpr[EMULATE_RAX] = (uint64_t)rand() << 32 | (unsigned)rand();
	w->e.rflags = RFLAGS_FIXED | (rand() % 8 ? 0 : RFLAGS_DF) | (rand() % 8 ? 0 : RFLAGS_TF) |
		      (mode == EMULATE_V86 ? RFLAGS_VM : 0);
	w->e.rep_limit = rand() % 2 ? 128 : 1 + (unsigned)rand() % 40;
	w->absent = rand() % 8 ? ~0ull : 0x9000;
	w->read_only = rand() % 8 ? ~0ull : 0xa000;
	w->e.rip = 0x7c00;
}

static unsigned code_of(uint8_t *code)
{
	static const uint8_t opcodes[] = { 0xa4, 0xa5, 0xaa, 0xab };
	unsigned n = 0;

	if (rand() % 3 == 0)
		code[n++] = 0x67;
	if (rand() % 3 == 0)
		code[n++] = 0x66;
	code[n++] = rand() % 2 ? 0xf3 : 0xf2;
	code[n++] = opcodes[rand() % 4];
	return n;
}

/* How much is done before interrupts are let in need not be the same, what a single step does must. */
static enum emulate_result to_its_end(struct world *w, const uint8_t *code, unsigned n)
{
	enum emulate_result result;

	do
		result = world_step(w, code, n);
	while (result == EMULATE_RESTART && !(w->e.rflags & RFLAGS_TF));
	return result;
}

static void one(struct world *plain, struct world *many, enum emulate_mode mode, unsigned seed)
{
	struct emulate_ops ops;
	enum emulate_result a, b;
	uint8_t code[8];
	unsigned n;

	prepare(plain, mode, seed);
	n = code_of(code);
	prepare(many, mode, seed);
	ops = *many->e.ops;
	ops.fill = fill;
	ops.copy = copy;
	many->e.ops = &ops;
	a = to_its_end(plain, code, n);
	b = to_its_end(many, code, n);
	assert_int_equal(a, b);
	assert_memory_equal(plain->gpr, many->gpr, sizeof(plain->gpr));
	assert_int_equal(plain->e.rip, many->e.rip);
	assert_int_equal(plain->e.rflags & ~RFLAGS_RF, many->e.rflags & ~RFLAGS_RF);
	assert_memory_equal(plain->memory + 0x6000, many->memory + 0x6000, 0x8000);
}

static void beside_one_by_one(void **state)
{
	(void)state;
	for (enum emulate_mode mode = EMULATE_REAL; mode <= EMULATE_LONG64; mode++) {
		struct world *plain = world_new(mode), *many = world_new(mode);

		at_once = 0;
		for (unsigned n = 0; n < CASES / 6; n++)
			one(plain, many, mode, n);
		assert_true(at_once > CASES);
		world_free(plain);
		world_free(many);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(beside_one_by_one) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
