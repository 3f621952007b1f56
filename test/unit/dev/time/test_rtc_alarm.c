/* The real-time clock's rules (dev/time/rtc.h): when its line falls, and when its alarm comes. */
#include "lib/cmos.h"
#include "test/unit/dev/fixture.h"

static bool line(void) { return pc->hub.levels >> 8 & 1; }

static void control(uint8_t value)
{
	outb(pc, CMOS_INDEX, RTC_B);
	outb(pc, CMOS_DATA, value);
}

/* At its deadline an alarm finds what it was armed for, whatever the two clocks are. */
static void alarm_not_early(void **state)
{
	static const uint64_t hz[] = { 999999937, 2900000001, 10000019, 3579545 };

	(void)state;
	for (unsigned i = 0; i < ARRAY_SIZE(hz); i++) {
		struct pc *other = pc_new(hz[i]);

		outb(other, CMOS_INDEX, RTC_B);
		outb(other, CMOS_DATA, RTC_B_24H | RTC_C_PERIODIC);
		for (unsigned n = 0; n < 50; n++) {
			other->now = timers_next(&other->timers);
			timers_run(&other->timers, other->now);
			assert_true(other->rtc.reg_c & RTC_C_PERIODIC);
			outb(other, CMOS_INDEX, RTC_C);
			inb(other, CMOS_DATA);
		}
		pc_delete(other);
	}
}

/* RT1. */
static void line_falls(void **state)
{
	(void)state;
	control(RTC_B_24H | RTC_C_UPDATE);
	pc_advance_us(pc, 2000000);
	assert_true(line());
	control(RTC_B_24H);
	assert_false(line());
	control(RTC_B_24H | RTC_C_UPDATE);
	assert_true(line());
}

int main(void)
{
	const struct CMUnitTest tests[] = { PC_TEST(alarm_not_early, setup), PC_TEST(line_falls, setup) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
