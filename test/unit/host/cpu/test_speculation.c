/* What each CPU needs around a guest's runs (host/cpu/speculation.c), by what it says of itself. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "host/cpu/speculation.h"

#define CONTROLS (CPUID_7_EDX_SPEC_CTRL | CPUID_7_EDX_STIBP | CPUID_7_EDX_SSBD)
#define UPDATED (CONTROLS | CPUID_7_EDX_MD_CLEAR | CPUID_7_EDX_L1D_FLUSH)
#define SET(m) ((uint32_t)BIT(MEASURE_##m))

static struct speculation s;

static uint32_t automatic(uint64_t l7_edx, bool rtm, uint64_t arch)
{
	struct speculation_cpu cpu = { (uint32_t)l7_edx | (arch ? (uint32_t)CPUID_7_EDX_ARCH_CAPABILITIES : 0), rtm,
				       arch };

	speculation_judge(&cpu, &s);
	for (unsigned m = 0; m < MEASURES; m++)
		assert_non_null(s.why[m]);
	return s.needs & s.can;
}

/* SP1, SP2: nothing is used that is not there, and all that is needed is known to be missing. */
static void test_old_microcode(void **state)
{
	(void)state;
	assert_int_equal(automatic(0, false, 0), SET(REGISTERS));
	assert_int_equal(s.needs & ~s.can, SET(L1D) | SET(VERW) | SET(IBRS) | SET(IBPB));
	assert_int_equal(s.spec_host, 0);
	assert_int_equal(s.guest_l7_edx, 0);
}

/* A Haswell with its last microcode: everything, and IBRS at each exit. */
static void test_updated(void **state)
{
	(void)state;
	assert_int_equal(automatic(UPDATED, true, 0),
			 SET(REGISTERS) | SET(L1D) | SET(VERW) | SET(IBRS) | SET(RSB) | SET(IBPB) | SET(GUEST));
	assert_false(s.enhanced_ibrs);
	assert_int_equal(s.guest_spec_ctrl, SPEC_CTRL_IBRS | SPEC_CTRL_STIBP | SPEC_CTRL_SSBD);
	/* The guest may not flush the cache of all. */
	assert_int_equal(s.guest_l7_edx, CONTROLS | CPUID_7_EDX_MD_CLEAR);
}

static void test_l1d(void **state)
{
	(void)state;
	assert_true(automatic(UPDATED, false, ARCH_MDS_NO) & SET(L1D));
	assert_false(automatic(UPDATED, false, ARCH_RDCL_NO) & SET(L1D));
	assert_false(automatic(UPDATED, false, ARCH_SKIP_L1DFL) & SET(L1D));
	assert_true(s.can & SET(L1D));
	assert_false(automatic(CONTROLS, false, ARCH_MDS_NO) & SET(L1D));
	assert_true(s.needs & ~s.can & SET(L1D));
}

static void test_verw(void **state)
{
	(void)state;
	assert_true(automatic(UPDATED, false, ARCH_RDCL_NO) & SET(VERW));
	assert_false(automatic(UPDATED, false, ARCH_MDS_NO) & SET(VERW));
	assert_true(automatic(UPDATED, true, ARCH_MDS_NO) & SET(VERW));
	assert_false(automatic(UPDATED, true, ARCH_MDS_NO | ARCH_TAA_NO) & SET(VERW));
	assert_true(automatic(CONTROLS, false, ARCH_MDS_NO | ARCH_FB_CLEAR) & SET(VERW));
	assert_true(automatic(CONTROLS, false, ARCH_MDS_NO | ARCH_RFDS_CLEAR) & SET(VERW));
	automatic(CONTROLS, false, ARCH_RDCL_NO);
	assert_true(s.needs & ~s.can & SET(VERW));
}

static void test_branches(void **state)
{
	uint32_t on;

	(void)state;
	on = automatic(CONTROLS, false, ARCH_IBRS_ALL);
	assert_true(s.enhanced_ibrs);
	assert_int_equal(on & (SET(IBRS) | SET(RSB) | SET(IBPB)), SET(IBRS) | SET(RSB) | SET(IBPB));
	on = automatic(CONTROLS, false, ARCH_IBRS_ALL | ARCH_PBRSB_NO);
	assert_false(on & SET(RSB));
	/* IBRS_ALL without the register that it is about means nothing. */
	automatic(0, false, ARCH_IBRS_ALL);
	assert_false(s.enhanced_ibrs);
	assert_false(s.can & SET(IBRS));
}

static void test_guest(void **state)
{
	(void)state;
	automatic(CONTROLS, false, ARCH_RDCL_NO | BIT(7) | BIT(62));
	/* TSX_CTRL (7) and what is not known is not offered; a flush at VM entry is nothing that this guest has to
	 * do. */
	assert_int_equal(s.guest_arch_capabilities, ARCH_RDCL_NO | ARCH_SKIP_L1DFL);
	automatic(CPUID_7_EDX_MD_CLEAR, false, 0);
	assert_int_equal(s.guest_spec_ctrl, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_old_microcode), cmocka_unit_test(test_updated), cmocka_unit_test(test_l1d),
		cmocka_unit_test(test_verw),	      cmocka_unit_test(test_branches), cmocka_unit_test(test_guest),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
