/* fw_cfg (dev/firmware/fw_cfg.c): items and their bytes. */
#include "test/unit/dev/fixture.h"

static void select_item(uint16_t key) { outw(pc, 0x510, key); }

static void test_fw_cfg(void **state)
{
	static const uint8_t signature[] = { 'Q', 'E', 'M', 'U', 0, 0, 0, 0, 0, 0 };
	(void)state;
	select_item(0);
	for (unsigned i = 0; i < sizeof(signature); i++)
		assert_int_equal(inb(pc, 0x511), signature[i]);
	select_item(1);
	assert_int_equal(inb(pc, 0x511), 1); /* no DMA */
	select_item(5);
	assert_int_equal(inb(pc, 0x511), PC_CPUS);
	assert_int_equal(inb(pc, 0x511), 0);
	assert_int_equal(inb(pc, 0x511), 0);
	select_item(5); /* selecting rewinds */
	assert_int_equal(inb(pc, 0x511), PC_CPUS);
	select_item(3);
	uint64_t ram = 0;
	for (unsigned i = 0; i < 8; i++)
		ram |= (uint64_t)inb(pc, 0x511) << 8 * i;
	assert_int_equal(ram, 256u << 20);
	select_item(0x19);
	for (unsigned i = 0; i < 1000; i++)
		assert_int_equal(inb(pc, 0x511), 0);
	select_item(0xffff);
	assert_int_equal(inb(pc, 0x511), 0);
	assert_int_equal(inb(pc, 0x510), 0xff);
	select_item(0);
	outb(pc, 0x511, 'x');
	outb(pc, 0x510, 5);
	assert_int_equal(inb(pc, 0x511), 'Q');
}

#define T(f) PC_TEST(f, setup)

int main(void)
{
	const struct CMUnitTest tests[] = { T(test_fw_cfg) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
