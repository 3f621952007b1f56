/* fw_cfg (dev/firmware/fw_cfg.c): items and their bytes. */
#include "test/unit/dev/fixture.h"
#include "lib/ports.h"

static void select_item(uint16_t key) { outw(pc, FW_CFG_SELECT, key); }

static void test_fw_cfg(void **state)
{
	static const uint8_t signature[] = { 'Q', 'E', 'M', 'U', 0, 0, 0, 0, 0, 0 };
	(void)state;
	select_item(0);
	for (unsigned i = 0; i < sizeof(signature); i++)
		assert_int_equal(inb(pc, FW_CFG_DATA), signature[i]);
	select_item(1);
	assert_int_equal(inb(pc, FW_CFG_DATA), 1); /* no DMA */
	select_item(5);
	assert_int_equal(inb(pc, FW_CFG_DATA), PC_CPUS);
	assert_int_equal(inb(pc, FW_CFG_DATA), 0);
	assert_int_equal(inb(pc, FW_CFG_DATA), 0);
	select_item(5); /* selecting rewinds */
	assert_int_equal(inb(pc, FW_CFG_DATA), PC_CPUS);
	select_item(3);
	uint64_t ram = 0;
	for (unsigned i = 0; i < 8; i++)
		ram |= (uint64_t)inb(pc, FW_CFG_DATA) << 8 * i;
	assert_int_equal(ram, 256u << 20);
	select_item(0x19);
	for (unsigned i = 0; i < 1000; i++)
		assert_int_equal(inb(pc, FW_CFG_DATA), 0);
	select_item(0xffff);
	assert_int_equal(inb(pc, FW_CFG_DATA), 0);
	assert_int_equal(inb(pc, FW_CFG_SELECT), 0xff);
	select_item(0);
	outb(pc, FW_CFG_DATA, 'x');
	outb(pc, FW_CFG_SELECT, 5);
	assert_int_equal(inb(pc, FW_CFG_DATA), 'Q');
}

#define T(f) PC_TEST(f, setup)

int main(void)
{
	const struct CMUnitTest tests[] = { T(test_fw_cfg) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
