/* Timers, clock ratios, the port space, the MMIO space. */
#include "test/unit/dev/pc.h"

#include <stdlib.h>

/* ---- timers ---- */

static struct timers timers;
static unsigned order[64], fired;
static struct timer alarms[8];
static bool rearm_now;

static void fire(void *dev, uint64_t now)
{
	struct timer *t = dev;
	assert_true(t->deadline <= now);
	assert_false(t->armed);
	order[fired++ % 64] = (unsigned)(t - alarms);
	if (rearm_now)
		timer_arm(&timers, t, now);
}

static void reset_timers(void)
{
	timers = (struct timers){ .tsc_hz = 1000000 };
	fired = 0;
	rearm_now = false;
	for (unsigned i = 0; i < 8; i++)
		alarms[i] = (struct timer){ .fire = fire, .dev = &alarms[i] };
}

static void test_timers_fire_in_order(void **state)
{
	(void)state;
	reset_timers();
	timer_arm(&timers, &alarms[0], 30);
	timer_arm(&timers, &alarms[1], 10);
	timer_arm(&timers, &alarms[2], 20);
	timer_arm(&timers, &alarms[3], 20);
	timer_arm(&timers, &alarms[1], 25); /* arming again moves it */
	assert_int_equal(timers_next(&timers), 20);
	timers_run(&timers, 19);
	assert_int_equal(fired, 0);
	timers_run(&timers, 25);
	assert_int_equal(fired, 3);
	assert_int_equal(order[0], 2);
	assert_int_equal(order[1], 3);
	assert_int_equal(order[2], 1);
	timer_cancel(&timers, &alarms[0]);
	timer_cancel(&timers, &alarms[0]);
	assert_true(timers_next(&timers) == UINT64_MAX);
	timers_run(&timers, UINT64_MAX - 1);
	assert_int_equal(fired, 3);
}

static void test_timers_that_rearm_do_not_hang(void **state)
{
	(void)state;
	reset_timers();
	rearm_now = true;
	timer_arm(&timers, &alarms[0], 1);
	timer_arm(&timers, &alarms[1], 2);
	timers_run(&timers, 5);
	assert_int_equal(fired, 2);
	timers_run(&timers, 5);
	assert_int_equal(fired, 4);
}

/* Against a plain array: the earliest of the armed ones fires, and nothing else. */
static void test_timers_randomly(void **state)
{
	uint64_t seed = 1, now = 0, deadline[8];
	bool armed[8] = { false };
	(void)state;
	reset_timers();
	for (unsigned step = 0; step < 20000; step++) {
		unsigned i = pc_random(&seed) % 8;
		switch (pc_random(&seed) % 3) {
		case 0:
			deadline[i] = now + pc_random(&seed) % 100;
			armed[i] = true;
			timer_arm(&timers, &alarms[i], deadline[i]);
			break;
		case 1:
			armed[i] = false;
			timer_cancel(&timers, &alarms[i]);
			break;
		default:
			now += pc_random(&seed) % 50;
			fired = 0;
			timers_run(&timers, now);
			unsigned expected = 0;
			for (unsigned k = 0; k < 8; k++)
				if (armed[k] && deadline[k] <= now) {
					armed[k] = false;
					expected++;
				}
			assert_int_equal(fired, expected);
		}
		uint64_t first = UINT64_MAX;
		for (unsigned k = 0; k < 8; k++) {
			assert_int_equal(alarms[k].armed, armed[k]);
			if (armed[k])
				first = min_u64(first, deadline[k]);
		}
		assert_true(timers_next(&timers) == first);
	}
}

static void test_ratio(void **state)
{
	static const uint64_t hz[] = { 1, 3, 32768, 1193182, 3579545, 10000000, 2400000000, 3100000001, 5000000000 };
	uint64_t seed = 7;
	(void)state;
	for (unsigned i = 0; i < ARRAY_SIZE(hz); i++)
		for (unsigned j = 0; j < ARRAY_SIZE(hz); j++) {
			struct ratio r = ratio_init(hz[i], hz[j]);
			for (unsigned k = 0; k < 200; k++) {
				uint64_t v = (uint64_t)pc_random(&seed) << (k % 20);
				uint64_t exact = (uint64_t)((unsigned __int128)v * hz[j] / hz[i]),
					 got = ratio_apply(r, v);
				assert_true(got == exact || got == exact + 1);
			}
		}
	struct ratio crystal = ratio_init(2400000000, 32768); /* whole seconds stay whole */
	for (uint64_t s = 0; s < 100000; s += 17)
		assert_true(ratio_apply(crystal, s * 2400000000) == s * 32768);
	struct ratio same = ratio_init(10000000, 10000000);
	assert_true(ratio_apply(same, UINT64_MAX) == UINT64_MAX);
}

/* ---- ports ---- */

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

/* ---- MMIO ---- */

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
		cmocka_unit_test(test_timers_fire_in_order), cmocka_unit_test(test_timers_that_rearm_do_not_hang),
		cmocka_unit_test(test_timers_randomly),      cmocka_unit_test(test_ratio),
		cmocka_unit_test(test_pio),                  cmocka_unit_test(test_pio_table_is_finite),
		cmocka_unit_test(test_mmio),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
