/* The real-time clock, the calendar, the CMOS RAM. */
#include "dev/time/civil.h"
#include "test/unit/dev/fixture.h"
#include "lib/cmos.h"

#include <time.h>

static uint8_t get(uint8_t reg)
{
	outb(pc, CMOS_INDEX, reg);
	return inb(pc, CMOS_DATA);
}

static void set(uint8_t reg, uint8_t value)
{
	outb(pc, CMOS_INDEX, reg);
	outb(pc, CMOS_DATA, value);
}

static bool line(void) { return pc->hub.levels >> 8 & 1; }
static unsigned bcd(unsigned v) { return (v >> 4) * 10 + (v & 15); }

/* The time of day as seconds, as a guest reads it in BCD and 24-hour format. */
static int64_t read_time(void)
{
	struct civil c = {
		.year = (int)(bcd(get(0x32)) * 100 + bcd(get(0x09))),
		.month = bcd(get(0x08)),
		.day = bcd(get(0x07)),
		.hour = bcd(get(0x04)),
		.minute = bcd(get(0x02)),
		.second = bcd(get(0x00)),
	};
	return civil_to_seconds(&c);
}

static void seconds(uint64_t n) { pc_advance(pc, n * 10000000); }

static void test_calendar(void **state)
{
	uint64_t seed = 11;
	(void)state;
	for (unsigned i = 0; i < 20000; i++) {
		int64_t t = (int64_t)((uint64_t)pc_random(&seed) << 5 | (pc_random(&seed) & 31)) - (1ll << 34);
		time_t host = (time_t)t;
		struct tm tm;
		assert_non_null(gmtime_r(&host, &tm));
		struct civil c = civil_from_seconds(t);
		assert_int_equal(c.year, tm.tm_year + 1900);
		assert_int_equal(c.month, tm.tm_mon + 1);
		assert_int_equal(c.day, tm.tm_mday);
		assert_int_equal(c.hour, tm.tm_hour);
		assert_int_equal(c.minute, tm.tm_min);
		assert_int_equal(c.second, tm.tm_sec);
		assert_int_equal(c.weekday, tm.tm_wday + 1);
		assert_true(civil_to_seconds(&c) == t);
		assert_int_equal(civil_second_of_day(t), c.hour * 3600 + c.minute * 60 + c.second);
	}
}

static void test_time_of_day(void **state)
{
	(void)state;
	assert_int_equal(get(0x0d), 0x80);
	assert_int_equal(get(0x0b), 0x02);
	assert_int_equal(get(0x0a), 0x26);
	assert_int_equal(get(0x09), 0x23); /* 2023-11-14 22:13:20, a Tuesday */
	assert_int_equal(get(0x32), 0x20);
	assert_int_equal(get(0x08), 0x11);
	assert_int_equal(get(0x07), 0x14);
	assert_int_equal(get(0x06), 0x03);
	assert_int_equal(get(0x04), 0x22);
	assert_int_equal(get(0x02), 0x13);
	assert_int_equal(get(0x00), 0x20);
	seconds(86400 * 40 + 1);
	assert_true(read_time() == PC_EPOCH + 86400 * 40 + 1);
}

static void test_formats(void **state)
{
	(void)state;
	set(0x0b, 0x06); /* binary */
	assert_int_equal(get(0x04), 22);
	assert_int_equal(get(0x09), 23);
	set(0x0b, 0x04); /* binary, 12 hours */
	assert_int_equal(get(0x04), 0x80 | 10);
	set(0x0b, 0x00); /* BCD, 12 hours */
	assert_int_equal(get(0x04), 0x80 | 0x10);
	seconds(2 * 3600); /* 00:13 */
	assert_int_equal(get(0x04), 0x12);
	seconds(12 * 3600);
	assert_int_equal(get(0x04), 0x92);
	set(0x0b, 0x02);
	assert_int_equal(get(0x04), 0x12);
}

static void write_time(unsigned year, unsigned month, unsigned day, unsigned hour, unsigned minute, unsigned second)
{
	set(0x32, (uint8_t)(year / 1000 % 10 << 4 | year / 100 % 10));
	set(0x09, (uint8_t)(year / 10 % 10 << 4 | year % 10));
	set(0x08, (uint8_t)(month / 10 << 4 | month % 10));
	set(0x07, (uint8_t)(day / 10 << 4 | day % 10));
	set(0x04, (uint8_t)(hour / 10 << 4 | hour % 10));
	set(0x02, (uint8_t)(minute / 10 << 4 | minute % 10));
	set(0x00, (uint8_t)(second / 10 << 4 | second % 10));
}

/* As Linux's mach_set_cmos_time(): SET, divider reset, registers, and back. The first update comes half a second
 * later. */
static void test_set_clock(void **state)
{
	(void)state;
	pc_advance_us(pc, 300000);
	set(0x0b, 0x82);
	set(0x0a, 0x76);
	write_time(2024, 2, 28, 23, 59, 59);
	seconds(3); /* nothing moves meanwhile */
	assert_int_equal(get(0x00), 0x59);
	set(0x0b, 0x02);
	assert_int_equal(get(0x00), 0x59);
	set(0x0a, 0x26);
	assert_int_equal(get(0x00), 0x59);
	pc_advance_us(pc, 490000);
	assert_int_equal(get(0x00), 0x59);
	pc_advance_us(pc, 20000);
	assert_int_equal(get(0x00), 0x00);
	assert_int_equal(get(0x07), 0x29); /* a leap year */
	assert_int_equal(get(0x08), 0x02);
	seconds(86400);
	assert_int_equal(get(0x07), 0x01);
	assert_int_equal(get(0x08), 0x03);
	assert_int_equal(get(0x06), 0x06); /* a Friday */
}

static void test_roll_overs(void **state)
{
	static const struct {
		unsigned from[6];
		unsigned to[6];
	} cases[] = {
		{ { 1999, 12, 31, 23, 59, 59 }, { 2000, 1, 1, 0, 0, 0 } },
		{ { 2100, 2, 28, 23, 59, 59 }, { 2100, 3, 1, 0, 0, 0 } },
		{ { 2000, 2, 28, 23, 59, 59 }, { 2000, 2, 29, 0, 0, 0 } },
		{ { 2023, 4, 30, 23, 59, 59 }, { 2023, 5, 1, 0, 0, 0 } },
		{ { 2023, 4, 30, 22, 59, 59 }, { 2023, 4, 30, 23, 0, 0 } },
		{ { 1970, 1, 1, 0, 0, 0 }, { 1970, 1, 1, 0, 0, 1 } },
	};
	(void)state;
	for (unsigned i = 0; i < ARRAY_SIZE(cases); i++) {
		const unsigned *f = cases[i].from, *t = cases[i].to;
		set(0x0b, 0x82);
		write_time(f[0], f[1], f[2], f[3], f[4], f[5]);
		set(0x0b, 0x02);
		seconds(1);
		struct civil c = { (int)t[0], t[1], t[2], t[3], t[4], t[5], 0 };
		assert_true(read_time() == civil_to_seconds(&c));
	}
}

/* SET without the divider's reset keeps the phase of the seconds; a write without SET too. */
static void test_phase(void **state)
{
	(void)state;
	seconds(5);
	pc_advance_us(pc, 700000);
	set(0x0b, 0x82);
	write_time(2030, 1, 1, 12, 0, 0);
	pc_advance_us(pc, 100000);
	set(0x0b, 0x02);
	pc_advance_us(pc, 190000);
	assert_int_equal(get(0x00), 0x00);
	pc_advance_us(pc, 20000);
	assert_int_equal(get(0x00), 0x01);
	set(0x02, 0x30);
	assert_int_equal(get(0x02), 0x30);
	pc_advance_us(pc, 980000);
	assert_int_equal(get(0x00), 0x01);
	pc_advance_us(pc, 20000);
	assert_int_equal(get(0x00), 0x02);
	assert_int_equal(get(0x04), 0x12);
}

static void test_nonsense_is_survived(void **state)
{
	uint64_t seed = 5;
	(void)state;
	for (unsigned i = 0; i < 5000; i++) {
		set((uint8_t)(pc_random(&seed) % 14), (uint8_t)pc_random(&seed));
		if (i % 7 == 0)
			set(0x32, (uint8_t)pc_random(&seed));
		pc_advance_us(pc, pc_random(&seed) % 100000);
		for (uint8_t r = 0; r < 14; r++)
			get(r);
	}
	set(0x0a, 0x26);
	set(0x0b, 0x82);
	write_time(2024, 1, 1, 0, 0, 0);
	set(0x0b, 0x02);
	seconds(61);
	assert_int_equal(get(0x02), 0x01);
}

static void test_update_in_progress(void **state)
{
	unsigned busy = 0;
	(void)state;
	for (unsigned i = 0; i < 10000; i++) {
		bool uip = get(0x0a) & 0x80;
		uint8_t before = get(0x00);
		pc_advance_us(pc, 200);
		if (!uip)
			assert_int_equal(get(0x00), before); /* without UIP there are 244 microseconds to read */
		busy += uip;
	}
	assert_in_range(busy, 18, 26); /* 2228 microseconds in each of two seconds */
	set(0x0b, 0x82);
	for (unsigned i = 0; i < 10000; i++) {
		assert_int_equal(get(0x0a) & 0x80, 0);
		pc_advance_us(pc, 200);
	}
}

static void test_update_interrupt(void **state)
{
	(void)state;
	set(0x0a, 0x20); /* no periodic flag */
	set(0x0b, 0x12);
	get(0x0c);
	pc_advance_us(pc, 10);
	for (unsigned i = 0; i < 5; i++) {
		pc_advance_us(pc, 999900);
		assert_false(line());
		pc_advance_us(pc, 100);
		assert_true(line());
		assert_int_equal(get(0x0c), 0x90);
		assert_false(line());
	}
	set(0x0b, 0x92); /* SET clears the enable */
	assert_int_equal(get(0x0b), 0x82);
	seconds(3);
	assert_false(line());
	assert_int_equal(get(0x0c), 0);
}

static void test_periodic_interrupt(void **state)
{
	static const struct {
		uint8_t rate;
		unsigned hz;
	} cases[] = { { 1, 256 }, { 2, 128 }, { 3, 8192 }, { 6, 1024 }, { 15, 2 } };
	(void)state;
	for (unsigned i = 0; i < ARRAY_SIZE(cases); i++) {
		unsigned count = 0;
		set(0x0b, 0x42);
		set(0x0a, (uint8_t)(0x20 | cases[i].rate));
		get(0x0c);
		for (unsigned us = 0; us < 4000000; us += 50) {
			pc_advance_us(pc, 50);
			if (line()) {
				assert_int_equal(get(0x0c) & 0xc0, 0xc0);
				count++;
			}
		}
		assert_in_range(count, cases[i].hz * 4 - 1, cases[i].hz * 4 + 1);
	}
	set(0x0a, 0x20); /* rate 0: none */
	get(0x0c);
	seconds(2);
	assert_int_equal(get(0x0c) & 0x40, 0);
	assert_true(timers_next(&pc->timers) == UINT64_MAX);
	/* an interrupt that nobody takes fires once */
	set(0x0a, 0x23);
	assert_int_equal(pc_advance_us(pc, 5000000) <= 2, 1);
	assert_true(line());
	/* flags are set without enables too */
	set(0x0b, 0x02);
	assert_false(line());
	get(0x0c);
	seconds(1);
	assert_int_equal(get(0x0c), 0x50);
}

static void test_alarm(void **state)
{
	(void)state;
	set(0x05, 0x22); /* 22:14:00, 40 seconds from now */
	set(0x03, 0x14);
	set(0x01, 0x00);
	set(0x0b, 0x22);
	get(0x0c);
	seconds(39);
	assert_false(line());
	seconds(1);
	pc_advance_us(pc, 100);
	assert_true(line());
	assert_int_equal(get(0x0c) & 0xa0, 0xa0);
	assert_false(line());
	seconds(86390);
	assert_false(line());
	seconds(11);
	assert_true(line()); /* every day */
	get(0x0c);
	set(0x05, 0xff); /* any hour, any minute, second 30 */
	set(0x03, 0xc0);
	set(0x01, 0x30);
	seconds(60);
	assert_true(line());
	get(0x0c);
	set(0x01, 0x75); /* never */
	get(0x0c);
	seconds(200);
	assert_false(line());
	assert_int_equal(get(0x0c) & 0x20, 0);
	set(0x0b, 0x02); /* without the enable, the flag is set when somebody looks */
	set(0x01, 0xff);
	seconds(2);
	assert_int_equal(get(0x0c), 0x70);
}

static void test_cmos(void **state)
{
	(void)state;
	assert_int_equal(get(0x15) | get(0x16) << 8, 640);
	assert_int_equal(get(0x17) | get(0x18) << 8, 65535);
	assert_int_equal(get(0x30) | get(0x31) << 8, 65535);
	assert_int_equal(get(0x34) | get(0x35) << 8, (256 - 16) * 16);
	assert_int_equal(get(0x5b) | get(0x5c) << 8 | get(0x5d) << 16, 0);
	unsigned sum = 0;
	for (uint8_t i = 0x10; i < 0x2e; i++)
		sum += get(i);
	assert_int_equal(get(0x2e) << 8 | get(0x2f), sum);
	set(0x40, 0xa5);
	assert_int_equal(get(0xc0), 0xa5); /* bit 7 is the NMI mask */
	set(0x0d, 0);
	assert_int_equal(get(0x0d), 0x80);
	outb(pc, CMOS_INDEX2, 0x40);
	outb(pc, CMOS_DATA2, 0x5a);
	assert_int_equal(inb(pc, CMOS_DATA2), 0x5a);
	assert_int_equal(inb(pc, CMOS_INDEX2), 0x40);
	assert_int_equal(get(0x40), 0xa5);
	assert_int_equal(inb(pc, CMOS_INDEX), 0xff);
}

static void test_memory_registers(void **state)
{
	static const struct {
		uint64_t low, high;
		unsigned base, extended, above_16m, above_4g;
	} cases[] = {
		{ 0x80000, 0, 512, 0, 0, 0 },
		{ 0x800000, 0, 640, 7168, 0, 0 },
		{ 0x40000000, 0, 640, 65535, 0x3f00, 0 },
		{ 0xc0000000, 0x140000000, 640, 65535, 0xbf00, 0x14000 },
	};
	(void)state;
	for (unsigned i = 0; i < ARRAY_SIZE(cases); i++) {
		struct rtc_config config = { PC_EPOCH, cases[i].low, cases[i].high, i ? 4 : 0, NULL };
		struct pio_space *pio = &pc->pio;
		timer_cancel(&pc->timers, &pc->rtc.alarm);
		memset(&pio->index[0x70], 0, 4);
		assert_true(rtc_init(&pc->rtc, pio, &pc->timers, irqhub_line(&pc->hub, 8), &config));
		assert_int_equal(get(0x15) | get(0x16) << 8, cases[i].base);
		assert_int_equal(get(0x30) | get(0x31) << 8, cases[i].extended);
		assert_int_equal(get(0x34) | get(0x35) << 8, cases[i].above_16m);
		assert_int_equal(get(0x5b) | get(0x5c) << 8 | get(0x5d) << 16, cases[i].above_4g);
		assert_int_equal(get(0x5f), i ? 3 : 0);
		assert_int_equal(get(0x3d), i ? 0x12 : 0);
		assert_int_equal(get(0x38), i ? 0x31 : 0);
	}
}

static void test_boot_order(void **state)
{
	static const struct { const char *order; uint8_t first, third; } cases[] = {
		{ NULL, 0x12, 0x31 }, { "d", 0x03, 0x01 }, { "dc", 0x23, 0x01 }, { "ncd", 0x24, 0x31 },
	};

	(void)state;
	for (unsigned i = 0; i < ARRAY_SIZE(cases); i++) {
		struct rtc_config config = { PC_EPOCH, 0x800000, 0, 1, cases[i].order };

		timer_cancel(&pc->timers, &pc->rtc.alarm);
		memset(&pc->pio.index[0x70], 0, 4);
		assert_true(rtc_init(&pc->rtc, &pc->pio, &pc->timers, irqhub_line(&pc->hub, 8), &config));
		assert_int_equal(get(0x3d), cases[i].first);
		assert_int_equal(get(0x38), cases[i].third);
	}
}

static void test_reset_keeps_the_time(void **state)
{
	(void)state;
	set(0x0b, 0x72);
	set(0x40, 0x12);
	seconds(10);
	assert_true(line());
	rtc_reset(&pc->rtc);
	assert_false(line());
	assert_int_equal(get(0x0b), 0x02);
	assert_int_equal(get(0x40), 0x12);
	assert_true(read_time() == PC_EPOCH + 10);
}

#define T(f) PC_TEST(f, setup)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(test_calendar),
		T(test_time_of_day),
		T(test_formats),
		T(test_set_clock),
		T(test_roll_overs),
		T(test_phase),
		T(test_nonsense_is_survived),
		T(test_update_in_progress),
		T(test_update_interrupt),
		T(test_periodic_interrupt),
		T(test_alarm),
		T(test_cmos),
		T(test_memory_registers), T(test_boot_order),
		T(test_reset_keeps_the_time),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
