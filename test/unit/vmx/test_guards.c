/* test/unit/vmx/test_guards.c - what the way into a guest and back does (vmx/guards.c), by measures and by CPU. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "vmx/entry.h"
#include "vmx/guards.h"

#define SET(m) ((uint32_t)BIT(MEASURE_##m))
#define ALL (SET(REGISTERS) | SET(L1D) | SET(VERW) | SET(IBRS) | SET(RSB) | SET(IBPB) | SET(GUEST))

static const struct speculation plain = { .guest_spec_ctrl = SPEC_CTRL_IBRS | SPEC_CTRL_STIBP | SPEC_CTRL_SSBD },
				enhanced = { .guest_spec_ctrl = SPEC_CTRL_SSBD, .enhanced_ibrs = true },
				without = { 0 };

static void one_each(void **state)
{
	(void)state;
	assert_int_equal(vmx_guards(&plain, 0), 0);
	assert_int_equal(vmx_guards(&plain, SET(REGISTERS)), GUARD_REGISTERS);
	assert_int_equal(vmx_guards(&plain, SET(L1D)), GUARD_L1D);
	assert_int_equal(vmx_guards(&plain, SET(VERW)), GUARD_VERW);
	assert_int_equal(vmx_guards(&plain, SET(IBPB)), GUARD_IBPB);
	/* What is always done is on the short way. */
	assert_int_equal(GUARD_REGISTERS & GUARDS_LONG_WAY, 0);
}

/* All of them: IBRS at each exit, or once and for all where the CPU is enhanced; there one call fills what is left of
 * the RSB. */
static void all_of_them(void **state)
{
	const uint32_t common = GUARD_REGISTERS | GUARD_L1D | GUARD_VERW | GUARD_IBPB | GUARD_SPEC_CTRL;

	(void)state;
	assert_int_equal(vmx_guards(&plain, ALL), common | GUARD_SPEC_CTRL_EACH | GUARD_RSB);
	assert_int_equal(vmx_guards(&enhanced, ALL), common | GUARD_RSB_ONE);
}

/* Asked for by hand, the RSB is filled on any CPU. */
static void the_rsb(void **state)
{
	(void)state;
	assert_int_equal(vmx_guards(&without, SET(RSB)), GUARD_RSB);
	assert_int_equal(vmx_guards(&enhanced, SET(RSB) | SET(IBRS)), GUARD_RSB_ONE | GUARD_SPEC_CTRL);
}

/* Without controls of its own the guest's value never differs from the host's. */
static void the_guests_value(void **state)
{
	(void)state;
	assert_int_equal(vmx_guards(&plain, SET(GUEST)), GUARD_SPEC_CTRL);
	assert_int_equal(vmx_guards(&without, SET(GUEST)), 0);
	assert_int_equal(vmx_guards(&without, SET(IBRS)), GUARD_SPEC_CTRL | GUARD_SPEC_CTRL_EACH);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(one_each),
		cmocka_unit_test(all_of_them),
		cmocka_unit_test(the_rsb),
		cmocka_unit_test(the_guests_value),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
