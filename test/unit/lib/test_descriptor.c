/* test/unit/lib/test_descriptor.c - descriptors and gates: what is packed is as in the manual's figures, and unpacks to
 * itself. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "lib/base.h"
#include "lib/descriptor.h"

static void whole_descriptors(void **state)
{
	(void)state;
	assert_int_equal(descriptor_pack(0, 0xffffffff, SEGMENT_FLAT_CODE32), DESCRIPTOR_FLAT_CODE32);
	assert_int_equal(descriptor_pack(0, 0xffffffff, SEGMENT_FLAT_CODE64), DESCRIPTOR_FLAT_CODE64);
	assert_int_equal(descriptor_pack(0, 0xffffffff, SEGMENT_FLAT_DATA | SEGMENT_DPL),
			 DESCRIPTOR_FLAT_DATA | DESCRIPTOR_DPL3);
	assert_int_equal(descriptor_pack(0xfedcba9876543210, 0x67, SEGMENT_TSS), 0x7600895432100067);
	assert_int_equal(descriptor_pack(0x12345678, 0xabcde, SEGMENT_DATA16), 0x120a93345678bcde);
}

static void there_and_back(void **state)
{
	static const uint32_t limits[] = { 0, 0x67, 0xffff, 0xfffff }, pages[] = { 0xfff, 0x1234fff, 0xffffffff };
	static const uint32_t access = SEGMENT_DB | SEGMENT_DATA16 | SEGMENT_DPL | TYPE_EXPAND_DOWN;

	(void)state;
	for (unsigned i = 0; i < ARRAY_SIZE(limits); i++)
		assert_int_equal(descriptor_limit(descriptor_pack(0xa5c3960f, limits[i], access)), limits[i]);
	for (unsigned i = 0; i < ARRAY_SIZE(pages); i++)
		assert_int_equal(descriptor_limit(descriptor_pack(0xa5c3960f, pages[i], access | SEGMENT_G)), pages[i]);
	assert_int_equal(descriptor_base(descriptor_pack(0xa5c3960f, 0xfffff, access)), 0xa5c3960f);
	assert_int_equal(descriptor_access(descriptor_pack(0xa5c3960f, 0xfffff, access)), access);
	/* The limit's upper bits stand among the rights, and none of the rights' other bits may reach them. */
	assert_int_equal(descriptor_pack(0, 0, ~0u & ~SEGMENT_G), descriptor_pack(0, 0, 0x70ff));
}

static void gates(void **state)
{
	(void)state;
	assert_int_equal(gate_pack(0x123456789abc, 0x18, GATE_INTERRUPT), 0x56788e0000189abc);
	assert_int_equal(gate_pack(0x5000, 0x2b, GATE_TRAP | SEGMENT_DPL), 0x0000ef00002b5000);
	assert_int_equal(gate_pack(0, 0xb0, GATE_TASK), 0x0000850000b00000);
	assert_int_equal(gate_pack(0x10000, 8, GATE_CALL | SEGMENT_DPL), 0x0001ec0000080000);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(whole_descriptors),
		cmocka_unit_test(there_and_back),
		cmocka_unit_test(gates),
	};

	return cmocka_run_group_tests_name("lib_descriptor", tests, NULL, NULL);
}
