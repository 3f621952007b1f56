/* test/unit/dev/bus/test_pio.c - the port space: ranges, accesses that run past them, a table that is full. */
#include "test/unit/dev/pc.h"

#include <stdlib.h>

static uint32_t log_port[16], log_size[16], log_value[16];
static unsigned logged;

static uint32_t log_in(void *dev, uint16_t port, unsigned size)
{
	log_port[logged % 16] = port;
	log_size[logged++ % 16] = size;
	(void)dev;
	return size == 1 ? (port & 0xff) : 0x11223344 + port;
}

static void log_out(void *dev, uint16_t port, unsigned size, uint32_t value)
{
	(void)dev;
	log_port[logged % 16] = port;
	log_value[logged % 16] = value;
	log_size[logged++ % 16] = size;
}

static const struct pio_ops log_ops = { log_in, log_out };

static void test_pio(void **state)
{
	struct pio_space *s = calloc(1, sizeof(*s));
	(void)state;
	assert_true(pio_add(s, 0x100, 4, &log_ops, NULL));
	assert_true(pio_add(s, 0x106, 2, &log_ops, NULL));
	assert_true(pio_add(s, 0xfffe, 2, &log_ops, NULL));
	assert_false(pio_add(s, 0x103, 1, &log_ops, NULL)); /* overlaps */
	assert_false(pio_add(s, 0x200, 0, &log_ops, NULL));
	assert_false(pio_add(s, 0xffff, 2, &log_ops, NULL));
	assert_int_equal(s->count, 3);

	assert_int_equal(pio_in(s, 0x50, 1), 0xff); /* nobody there */
	assert_int_equal(pio_in(s, 0x50, 2), 0xffff);
	assert_int_equal(pio_in(s, 0x50, 4), 0xffffffff);
	pio_out(s, 0x50, 4, 0);
	assert_int_equal(logged, 0);

	assert_int_equal(pio_in(s, 0x100, 4), 0x11223444); /* whole */
	assert_int_equal(logged, 1);
	assert_int_equal(pio_in(s, 0x102, 4), 0xffff0302); /* runs past the end: bytes, and absent ones */
	assert_int_equal(logged, 3);
	assert_int_equal(pio_in(s, 0x104, 4), 0x0706ffff); /* begins before */
	assert_int_equal(pio_in(s, 0xff, 2), 0x00ff);
	logged = 0;
	pio_out(s, 0x103, 4, 0xa1b2c3d4);
	assert_int_equal(logged, 2);
	assert_int_equal(log_port[0], 0x103);
	assert_int_equal(log_value[0], 0xd4);
	assert_int_equal(log_port[1], 0x106);
	assert_int_equal(log_value[1], 0xa1);
	assert_int_equal(log_size[1], 1);
	assert_int_equal(pio_in(s, 0xffff, 2), 0xffff); /* wraps to port 0, where nobody is */
	assert_int_equal(pio_in(s, 0xffff, 1), 0xff);
	free(s);
}

static void test_pio_table_is_finite(void **state)
{
	struct pio_space *s = calloc(1, sizeof(*s));
	(void)state;
	for (unsigned i = 0; i < PIO_RANGES_MAX; i++)
		assert_true(pio_add(s, (uint16_t)(i * 16), 16, &log_ops, NULL));
	assert_false(pio_add(s, 0xf000, 1, &log_ops, NULL));
	assert_int_equal(pio_in(s, 0xf000, 1), 0xff);
	free(s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_pio),
		cmocka_unit_test(test_pio_table_is_finite),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
