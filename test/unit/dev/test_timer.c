/* test/unit/dev/test_timer.c - alarms, and counts of one clock in those of another. */
#include "test/unit/dev/pc.h"

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
	if (rearm_now && fired < 1000)
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
	timers.earlier = false;
	timer_arm(&timers, &alarms[1], 10);
	assert_true(timers.earlier); /* TM3 */
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

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_timers_fire_in_order),
		cmocka_unit_test(test_timers_that_rearm_do_not_hang),
		cmocka_unit_test(test_timers_randomly),
		cmocka_unit_test(test_ratio),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
