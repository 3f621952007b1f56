/* The interval timer. The clock runs at 10 PIT clocks' worth of ticks each, so that counts are exact in tests. */
#include "test/unit/dev/fixture.h"
#include "lib/pic.h"
#include "lib/pit.h"

#define TICKS 10u /* per PIT clock */

static int setup_pit(void **state)
{
	(void)state;
	pc = pc_new(PIT_HZ * (uint64_t)TICKS);
	pc_program_pics(pc);
	outb(pc, PIC1_DATA, 0xfa);
	pc->now += TICKS / 2; /* in the middle of a clock, away from rounding */
	return 0;
}

static void clocks(uint64_t n)
{
	pc_advance(pc, n * TICKS);
}

static void load(unsigned channel, unsigned mode, unsigned count)
{
	outb(pc, PIT_CONTROL, (uint8_t)(channel << 6 | 0x30 | mode << 1));
	outb(pc, (uint16_t)(0x40 + channel), (uint8_t)count);
	outb(pc, (uint16_t)(0x40 + channel), (uint8_t)(count >> 8));
}

static unsigned count_of(unsigned channel)
{
	outb(pc, PIT_CONTROL, (uint8_t)(channel << 6));
	unsigned low = inb(pc, (uint16_t)(0x40 + channel));
	return low | (unsigned)inb(pc, (uint16_t)(0x40 + channel)) << 8;
}

static unsigned status_of(unsigned channel)
{
	outb(pc, PIT_CONTROL, (uint8_t)(0xe0 | 2u << channel));
	return inb(pc, (uint16_t)(0x40 + channel));
}

static bool out2(void) { return inb(pc, PORT_B) & PORT_B_OUT2; }
static bool out(unsigned channel) { return status_of(channel) & 0x80; }
static void gate2(bool on) { outb(pc, PORT_B, on); }

/* How many interrupts arrive within n clocks, acknowledged as they come. */
static unsigned interrupts(uint64_t n)
{
	unsigned count = 0;
	for (uint64_t i = 0; i < n; i++) {
		clocks(1);
		while (pc->pic.out) {
			assert_int_equal(pic_ack(&pc->pic), 0x30);
			outb(pc, PIC1_COMMAND, OCW2_SPECIFIC | OCW2_EOI | 0);
			count++;
		}
	}
	return count;
}

static void test_mode0(void **state)
{
	(void)state;
	gate2(true);
	outb(pc, PIT_CONTROL, PIT_SELECT(2) | PIT_LOW_HIGH | PIT_MODE(0));
	assert_false(out2());
	assert_int_equal(status_of(2), 0x70); /* OUT low, null count */
	outb(pc, PIT_COUNTER(2), 100);
	outb(pc, PIT_COUNTER(2), 0);
	clocks(1);
	assert_int_equal(count_of(2), 100);
	assert_int_equal(status_of(2), 0x30);
	clocks(99);
	assert_int_equal(count_of(2), 1);
	assert_false(out2());
	clocks(1);
	assert_int_equal(count_of(2), 0);
	assert_true(out2());
	clocks(10);
	assert_int_equal(count_of(2), 0xfff6); /* wraps and goes on */
	assert_true(out2());
	gate2(false); /* stops, and OUT stays */
	clocks(50);
	assert_int_equal(count_of(2), 0xfff6);
	gate2(true);
	clocks(6);
	assert_int_equal(count_of(2), 0xfff0);
	outb(pc, PIT_COUNTER(2), 5); /* the first byte of a new count stops it, and OUT goes low */
	assert_false(out2());
	clocks(50);
	outb(pc, PIT_COUNTER(2), 0);
	clocks(5);
	assert_false(out2());
	clocks(1);
	assert_true(out2());
}

static void test_mode0_gate_low_at_load(void **state)
{
	(void)state;
	gate2(false);
	load(2, 0, 20);
	clocks(100);
	assert_int_equal(count_of(2), 20);
	assert_false(out2());
	gate2(true);
	clocks(19);
	assert_false(out2());
	clocks(1);
	assert_true(out2());
}

static void test_mode1(void **state)
{
	(void)state;
	gate2(false);
	load(2, 1, 10);
	clocks(30);
	assert_true(out2()); /* waits for the trigger */
	gate2(true);
	clocks(1);
	assert_false(out2());
	clocks(8);
	gate2(false); /* the gate's level does not matter */
	clocks(1);
	assert_false(out2());
	clocks(1);
	assert_true(out2());
	gate2(true);
	clocks(5);
	gate2(false);
	gate2(true); /* retriggers */
	clocks(10);
	assert_false(out2());
	clocks(1);
	assert_true(out2());
}

static void test_mode2(void **state)
{
	(void)state;
	gate2(true);
	load(2, 2, 7);
	clocks(1);
	for (unsigned i = 0; i < 50; i++) {
		assert_int_equal(count_of(2), 7 - i % 7);
		assert_int_equal(out2(), i % 7 != 6);
		clocks(1);
	}
	/* a new count waits for the end of the period: 50 % 7 = 1 clock of it has passed */
	outb(pc, PIT_COUNTER(2), 20);
	outb(pc, PIT_COUNTER(2), 0);
	assert_int_equal(status_of(2) & 0x40, 0x40);
	clocks(5);
	assert_int_equal(count_of(2), 1);
	clocks(1);
	assert_int_equal(count_of(2), 20);
	assert_int_equal(status_of(2) & 0x40, 0);
	clocks(19);
	assert_false(out2());
	gate2(false); /* high at once */
	assert_true(out2());
	clocks(100);
	gate2(true); /* starts anew */
	clocks(1);
	assert_int_equal(count_of(2), 20);
}

static void test_mode3(void **state)
{
	(void)state;
	gate2(true);
	for (unsigned n = 6; n <= 7; n++) {
		load(2, 3, n);
		clocks(1);
		for (unsigned i = 0; i < 40; i++) {
			unsigned phase = i % n, high = (n + 1) / 2;
			assert_int_equal(out2(), phase < high);
			assert_int_equal(count_of(2), (n & ~1u) - 2 * (phase < high ? phase : phase - high));
			clocks(1);
		}
	}
}

static void test_mode4(void **state)
{
	(void)state;
	gate2(true);
	load(2, 4, 10);
	clocks(10);
	assert_true(out2());
	clocks(1);
	assert_false(out2()); /* one clock */
	clocks(1);
	assert_true(out2());
	gate2(false); /* the gate stops it */
	load(2, 4, 10);
	clocks(30);
	assert_true(out2());
	assert_int_equal(count_of(2), 10);
	gate2(true);
	clocks(10);
	assert_false(out2());
}

static void test_mode5(void **state)
{
	(void)state;
	gate2(false);
	load(2, 5, 10);
	clocks(100);
	assert_true(out2());
	gate2(true);
	clocks(10);
	assert_true(out2());
	clocks(1);
	assert_false(out2());
	clocks(1);
	assert_true(out2());
}

/* Linux's quick_pit_calibrate(): the high byte falls once every 256 clocks. */
static void test_quick_calibration(void **state)
{
	unsigned seen = 0;
	(void)state;
	outb(pc, PORT_B, (uint8_t)((inb(pc, PORT_B) & ~2) | 1));
	outb(pc, PIT_CONTROL, PIT_SELECT(2) | PIT_LOW_HIGH | PIT_MODE(0));
	outb(pc, PIT_COUNTER(2), 0xff);
	outb(pc, PIT_COUNTER(2), 0xff);
	for (unsigned expect = 0xff; expect > 0xf0; expect--) {
		unsigned reads = 0;
		for (;;) {
			inb(pc, PIT_COUNTER(2));
			if (inb(pc, PIT_COUNTER(2)) != expect)
				break;
			clocks(4);
			reads++;
		}
		seen += reads;
		assert_in_range(reads, 62, 66);
	}
	assert_in_range(seen, 15 * 63, 15 * 65);
}

static void test_latch(void **state)
{
	(void)state;
	load(0, 2, 0x1234);
	clocks(0x35);
	outb(pc, PIT_CONTROL, PIT_SELECT(0) | PIT_LATCH);
	clocks(100);
	outb(pc, PIT_CONTROL, PIT_SELECT(0) | PIT_LATCH); /* a second latch command is ignored */
	assert_int_equal(inb(pc, PIT_COUNTER(0)), 0x00);
	clocks(3);
	assert_int_equal(inb(pc, PIT_COUNTER(0)), 0x12);
	outb(pc, PIT_CONTROL, 0xc2); /* status and count of channel 0: status comes first */
	assert_int_equal(inb(pc, PIT_COUNTER(0)), 0xb4);
	unsigned low = inb(pc, PIT_COUNTER(0)), high = inb(pc, PIT_COUNTER(0));
	assert_int_equal(low | high << 8, 0x1234 - 100 - 3 - 0x34);
	outb(pc, PIT_CONTROL, 0xdc); /* counts of channels 1 and 2 */
	assert_int_equal(pc->pit.ch[0].latched, 0);
	assert_int_equal(pc->pit.ch[1].latched, 2);
	assert_int_equal(pc->pit.ch[2].latched, 2);
	assert_int_equal(inb(pc, PIT_CONTROL), 0xff);
}

static void test_access_modes_and_bcd(void **state)
{
	(void)state;
	gate2(true);
	outb(pc, PIT_CONTROL, PIT_SELECT(2) | PIT_LOW | PIT_MODE(2)); /* low byte only, mode 2 */
	outb(pc, PIT_COUNTER(2), 50);
	clocks(1 + 10);
	assert_int_equal(inb(pc, PIT_COUNTER(2)), 40);
	assert_int_equal(inb(pc, PIT_COUNTER(2)), 40);
	outb(pc, PIT_CONTROL, PIT_SELECT(2) | PIT_HIGH | PIT_MODE(2)); /* high byte only */
	outb(pc, PIT_COUNTER(2), 0x20);
	clocks(1 + 0x100);
	assert_int_equal(inb(pc, PIT_COUNTER(2)), 0x1f);
	outb(pc, PIT_CONTROL, PIT_SELECT(2) | PIT_LOW_HIGH | PIT_MODE(0) | PIT_BCD); /* BCD, mode 0 */
	outb(pc, PIT_COUNTER(2), 0x00);
	outb(pc, PIT_COUNTER(2), 0x10);
	clocks(1 + 1);
	assert_int_equal(count_of(2), 0x0999);
	clocks(1000);
	assert_int_equal(count_of(2), 0x9999);
	outb(pc, PIT_CONTROL, PIT_SELECT(2) | PIT_LOW_HIGH | PIT_MODE(0) | PIT_BCD);
	outb(pc, PIT_COUNTER(2), 0x00); /* 0 is 10000 */
	outb(pc, PIT_COUNTER(2), 0x00);
	clocks(1 + 1);
	assert_int_equal(count_of(2), 0x9999);
	load(2, 0, 0); /* 0 is 65536 */
	clocks(1 + 1);
	assert_int_equal(count_of(2), 0xffff);
	outb(pc, PIT_CONTROL, PIT_SELECT(2) | PIT_LOW_HIGH | PIT_MODE(7)); /* modes 6 and 7 are 2 and 3 */
	assert_int_equal(status_of(2) & 0x0e, 0x06);
	outb(pc, PIT_CONTROL, PIT_SELECT(2) | PIT_LOW_HIGH | PIT_MODE(6));
	assert_int_equal(status_of(2) & 0x0e, 0x04);
}

static void test_periodic_interrupts(void **state)
{
	(void)state;
	load(0, 2, 1193); /* 1000 Hz */
	assert_int_equal(interrupts(1193 * 20 + 10), 20);
	load(0, 3, 11932); /* 100 Hz */
	assert_int_equal(interrupts(11932 * 3 + 10), 3);
	outb(pc, PIT_CONTROL, PIT_SELECT(0) | PIT_LOW_HIGH | PIT_MODE(0)); /* control word: silence */
	assert_int_equal(interrupts(50000), 0);
	assert_true(timers_next(&pc->timers) == UINT64_MAX);
}

static void test_new_rate_takes_over(void **state)
{
	(void)state;
	load(0, 2, 1000);
	assert_int_equal(interrupts(500), 0);
	outb(pc, PIT_COUNTER(0), 0xd0); /* 2000 */
	outb(pc, PIT_COUNTER(0), 0x07);
	assert_int_equal(interrupts(502), 1); /* the old period ends first */
	assert_int_equal(interrupts(1996), 0);
	assert_int_equal(interrupts(4), 1);
	assert_int_equal(interrupts(6000), 3);
}

static void test_one_shot_interrupts(void **state)
{
	(void)state;
	load(0, 0, 500);
	assert_int_equal(interrupts(500), 0);
	assert_int_equal(interrupts(2), 1);
	assert_int_equal(interrupts(200000), 0);
	load(0, 4, 500);
	assert_int_equal(interrupts(500), 0);
	assert_int_equal(interrupts(3), 1);
	load(0, 1, 5); /* channel 0's gate has no edge: never */
	assert_int_equal(interrupts(20), 0);
	assert_true(timers_next(&pc->timers) == UINT64_MAX);
}

/* A guest that asks for a storm, or a host that looks away, costs one interrupt per look. */
static void test_storms_and_pauses(void **state)
{
	(void)state;
	load(0, 2, 2);
	unsigned fired = pc_advance_us(pc, 100000);
	assert_in_range(fired, 1500, 2100); /* PIT_MIN_PERIOD_US apart */
	load(0, 3, 1);
	assert_in_range(pc_advance_us(pc, 100000), 1500, 2100);
	load(0, 2, 1193);
	pc->now += 5 * PIT_HZ * (uint64_t)TICKS; /* five seconds without a look */
	timers_run(&pc->timers, pc->now);
	assert_true(timers_next(&pc->timers) > pc->now);
	assert_true(timers_next(&pc->timers) <= pc->now + 1194 * TICKS);
}

static void test_port61(void **state)
{
	unsigned toggles = 0;
	(void)state;
	bool last = inb(pc, PORT_B) & PORT_B_REFRESH;
	for (unsigned i = 0; i < 1800; i++) {
		clocks(1);
		bool bit = inb(pc, PORT_B) & PORT_B_REFRESH;
		toggles += bit != last;
		last = bit;
	}
	assert_in_range(toggles, 99, 101);
	outb(pc, PORT_B, 0xff);
	assert_int_equal(inb(pc, PORT_B) & 0x0f, 0x0f);
	outb(pc, PORT_B, 0x00);
	assert_int_equal(inb(pc, PORT_B) & 0x0f, 0x00);
}

/* At any rate of the host's TSC, over a long time, the average rate is right. */
static void test_rates(void **state)
{
	static const uint64_t hz[] = { 1000000, 10000000, 50000000, 2400000000, 3999999999 };
	(void)state;
	for (unsigned i = 0; i < ARRAY_SIZE(hz); i++) {
		struct pc *other = pc_new(hz[i]);
		outb(other, PIT_CONTROL, PIT_SELECT(0) | PIT_LOW_HIGH | PIT_MODE(2));
		outb(other, PIT_COUNTER(0), (uint8_t)4773);
		outb(other, PIT_COUNTER(0), 4773 >> 8); /* 249.98 Hz */
		assert_in_range(pc_advance_us(other, 10000000), 2499, 2501);
		pc_delete(other);
	}
}

static void test_reset(void **state)
{
	(void)state;
	load(0, 2, 100);
	gate2(true);
	pit_reset(&pc->pit);
	assert_true(timers_next(&pc->timers) == UINT64_MAX);
	assert_int_equal(inb(pc, PORT_B) & 0x2f, 0);
	assert_false(out(0));
}

#define T(f) PC_TEST(f, setup_pit)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(test_mode0),       T(test_mode0_gate_low_at_load), T(test_mode1),
		T(test_mode2),       T(test_mode3),                  T(test_mode4),
		T(test_mode5),       T(test_quick_calibration),      T(test_latch),
		T(test_port61),      T(test_access_modes_and_bcd),   T(test_periodic_interrupts),
		T(test_rates),       T(test_new_rate_takes_over),    T(test_one_shot_interrupts),
		T(test_reset),       T(test_storms_and_pauses),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
