/* The test device (dev/test/testdev.c): latch, lines, dropped and protected mappings, memory. */
#include "test/unit/dev/fixture.h"
#include "lib/ports.h"

static void test_testdev(void **state)
{
	(void)state;
	outl(pc, TESTDEV_LATCH, 0x12345678);
	assert_int_equal(inl(pc, TESTDEV_LATCH), 0x12345678);
	assert_int_equal(inw(pc, TESTDEV_LATCH + 1), 0x3456);
	outb(pc, TESTDEV_LATCH + 2, 0xaa);
	assert_int_equal(inl(pc, TESTDEV_LATCH), 0x12aa5678);
	outl(pc, TESTDEV_DROP, 0xfedc1000);
	assert_int_equal(pc->drops, 1);
	assert_true(pc->dropped == 0xfedc1000);
	outl(pc, TESTDEV_PROTECT, 0xfedc2000);
	assert_int_equal(pc->protections, 1);
	assert_true(pc->protected == 0xfedc2000);
	outb(pc, TESTDEV_PROTECT, 1);
	assert_int_equal(pc->protections, 1);
	assert_int_equal(pc->drops, 1);
	outb(pc, TESTDEV_DROP, 1);
	outw(pc, TESTDEV_DROP + 2, 1);
	assert_int_equal(pc->drops, 1);
	assert_int_equal(inl(pc, TESTDEV_DROP), 0xffffffff);
	for (unsigned n = 0; n < TESTDEV_LINES; n++) {
		outl(pc, (uint16_t)(0x2000 + n), 1);
		assert_true(pc->hub.levels == 1u << n);
		outl(pc, (uint16_t)(0x2000 + n), 0);
		assert_int_equal(pc->hub.levels, 0);
	}
	outb(pc, TESTDEV_LINE + 24, 1);
	outb(pc, TESTDEV_LINE + 14, 1);
	assert_int_equal(pc->hub.levels, 1 << 14);
	mmio_write(&pc->mmio, 0xff000010, 8, 0x1122334455667788);
	assert_true(mmio_read(&pc->mmio, 0xff000010, 8) == 0x1122334455667788);
	assert_int_equal(mmio_read(&pc->mmio, 0xff000013, 2), 0x4455);
	mmio_write(&pc->mmio, 0xff00ffff, 1, 0x99);
	assert_int_equal(mmio_read(&pc->mmio, 0xff00ffff, 1), 0x99);
	assert_int_equal(mmio_read(&pc->mmio, 0xff00ffff, 2), 0xffff);
	testdev_reset(&pc->testdev);
	assert_int_equal(pc->hub.levels, 0);
	assert_int_equal(inl(pc, TESTDEV_LATCH), 0);
	assert_true(mmio_read(&pc->mmio, 0xff000010, 8) == 0);
}

#define T(f) PC_TEST(f, setup)

int main(void)
{
	const struct CMUnitTest tests[] = { T(test_testdev) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
