/* What a hand-written test of the emulator starts with: a world of its own, freed after it. */
#ifndef VELLUM_TEST_EMULATE_FIXTURE_H
#define VELLUM_TEST_EMULATE_FIXTURE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "test/unit/emulate/world.h"

/* Selectors of code and data, of level 0 and 3, where a test has a GDT. */
#define CODE0 0x08u
#define DATA0 0x10u
#define CODE3 0x1bu
#define DATA3 0x23u

static struct world *w;

static inline int set_up_in(enum emulate_mode mode)
{
	w = world_new(mode);
	return 0;
}

static inline int set_up_real(void **state) { (void)state; return set_up_in(EMULATE_REAL); }
static inline int set_up_v86(void **state) { (void)state; return set_up_in(EMULATE_V86); }
static inline int set_up_long(void **state) { (void)state; return set_up_in(EMULATE_LONG64); }

static inline int tear_down(void **state)
{
	(void)state;
	if (w)
		world_free(w);
	w = NULL;
	return 0;
}

#define assert_ok(result) assert_int_equal(result, EMULATE_OK)

static inline void assert_exception(enum emulate_result result, uint32_t exception)
{
	assert_int_equal(result, EMULATE_EXCEPTION);
	assert_int_equal(world_exception(w), exception);
}

#endif
