/* test/unit/emulate/test_fuzz.c - random bytes as instructions, in every mode, with callbacks that fail at random:
 * whatever comes out, an instruction that was not carried out has changed nothing (EM2), and the work is bounded
 * (EM5). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "test/unit/emulate/world.h"

static struct world *w;

#define FUZZ_STEPS 300000

static void random_registers(void)
{
	for (unsigned n = 0; n < EMULATE_GPRS; n++) {
		uint64_t v = (uint64_t)rand() << 40 ^ (uint64_t)rand() << 20 ^ (uint64_t)rand();

		w->gpr[n] = rand() % 4 ? v % WORLD_MEMORY : v;
	}
	w->e.rflags = ((uint64_t)rand() & 0x3f7fd5) | 2;
	if (w->e.mode == EMULATE_V86)
		w->e.rflags |= RFLAGS_VM;
	w->e.cpl = w->e.mode <= EMULATE_REAL32 ? 0 : w->e.mode == EMULATE_V86 ? 3 : rand() % 2 * 3;
	w->e.rip = rand() % 8 ? 0x7c00 : 0x7ff8; /* near a page's end */
}

/* EM2 and EM3. A callback that fails although its probe did not may leave half a write behind. */
static void check_untouched(const uint64_t *gpr, uint64_t rip, uint64_t rflags, const struct emulate_segment *seg)
{
	assert_memory_equal(gpr, w->gpr, sizeof(w->gpr));
	assert_int_equal(rip, w->e.rip);
	assert_int_equal(rflags, w->e.rflags);
	assert_memory_equal(seg, w->e.seg, sizeof(w->e.seg));
	if (!w->fail_one_in)
		assert_int_equal(w->writes, 0);
}

static void fuzz_step(enum emulate_mode mode)
{
	uint8_t code[15];
	uint64_t gpr[EMULATE_GPRS], rip, rflags;
	struct emulate_segment seg[EMULATE_SEGS];
	enum emulate_result result;

	w->e.mode = mode;
	w->fail_one_in = rand() % 2 ? 8 : 0;
	random_registers();
	for (unsigned n = 0; n < sizeof(code); n++)
		code[n] = rand();
	if (rand() % 3 == 0)
		code[0] = 0x0f;
	memcpy(gpr, w->gpr, sizeof(gpr));
	memcpy(seg, w->e.seg, sizeof(seg));
	rip = w->e.rip;
	rflags = w->e.rflags;
	result = world_step(w, code, sizeof(code));
	assert_true(result <= EMULATE_HALT);
	assert_true(w->events < 3000);
	if (result != EMULATE_OK && result != EMULATE_HALT && w->e.mode == mode && !world_at_repetition(w))
		check_untouched(gpr, rip, rflags, seg);
}

static void test_random_bytes(void **state)
{
	(void)state;
	srand(1);
	for (enum emulate_mode mode = EMULATE_REAL; mode <= EMULATE_LONG64; mode++) {
		w = world_new(mode);
		w->e.rep_limit = 500;
		for (unsigned n = 0; n < FUZZ_STEPS / 5; n++) {
			struct emulate_segment cs = w->e.seg[EMULATE_CS];

			fuzz_step(mode);
			w->e.seg[EMULATE_CS] = cs;
			w->e.cr0 = (mode <= EMULATE_REAL32 ? 0x10 : 0x11) | ((unsigned)rand() & 8);
		}
		world_free(w);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_random_bytes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
