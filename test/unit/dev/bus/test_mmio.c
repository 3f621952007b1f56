/* test/unit/dev/bus/test_mmio.c - the MMIO space: regions, accesses that run past them, a table that is full. */
#include "test/unit/dev/pc.h"

static uint64_t m_read(void *dev, uint64_t offset, unsigned size)
{
	(void)size;
	return *(uint64_t *)dev + offset;
}

static void m_write(void *dev, uint64_t offset, unsigned size, uint64_t value)
{
	(void)size;
	*(uint64_t *)dev = offset + value;
}

static void test_mmio(void **state)
{
	static const struct mmio_ops ops = { m_read, m_write };
	struct mmio_space s = { .count = 0 };
	uint64_t a = 1000, b = 2000;
	(void)state;
	assert_true(mmio_add(&s, 0x1000, 0x1000, &ops, &a));
	assert_true(mmio_add(&s, 0xfffffffffffff000, 0x1000, &ops, &b));
	assert_false(mmio_add(&s, 0x1fff, 1, &ops, &a));
	assert_false(mmio_add(&s, 0x800, 0x1000, &ops, &a));
	assert_false(mmio_add(&s, 0x8000, 0, &ops, &a));
	assert_false(mmio_add(&s, 0xfffffffffffff800, 0x1000, &ops, &a)); /* wraps */
	assert_int_equal(mmio_read(&s, 0x1010, 4), 1016);
	assert_int_equal(mmio_read(&s, 0x2000, 2), 0xffff);
	assert_true(mmio_read(&s, 0x1ffc, 8) == UINT64_MAX); /* crosses the end */
	assert_int_equal(mmio_read(&s, 0x1ffc, 4), 1000 + 0xffc);
	assert_int_equal(mmio_read(&s, 0xfffffffffffffff8, 8), 2000 + 0xff8);
	mmio_write(&s, 0x1008, 4, 5);
	assert_int_equal(a, 13);
	mmio_write(&s, 0x1ffd, 4, 5);
	mmio_write(&s, 0x900, 4, 5);
	assert_int_equal(a, 13);
	assert_null(mmio_find(&s, 0xfffffffffffffff9, 8));
	for (unsigned i = s.count; i < MMIO_REGIONS_MAX; i++)
		assert_true(mmio_add(&s, 0x10000 + i * 0x1000ull, 0x1000, &ops, &a));
	assert_false(mmio_add(&s, 0x80000, 0x1000, &ops, &a));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_mmio),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
