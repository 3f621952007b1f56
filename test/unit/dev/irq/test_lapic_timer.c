/* The APIC timer: one-shot, periodic, TSC deadline. One tick of the TSC is one cycle of its clock. */
#include "test/unit/dev/irq/lapic_fixture.h"

static int setup_timer(void **state)
{
	setup_lapic(state);
	wr(APIC_SVR, 0x1ff);
	wr(APIC_TIMER_DIVIDE, 0xb); /* divide by 1 */
	return 0;
}

static bool idle(void) { return timers_next(&pc->timers) == UINT64_MAX; }

/* Takes the pending interrupt, if it is vector. */
static bool take(uint8_t vector)
{
	int v = lapic_pending(l);
	if (v < 0)
		return false;
	assert_int_equal(v, vector);
	lapic_ack(l, vector);
	wr(APIC_EOI, 0);
	return true;
}

static uint64_t deadline(void) { return rdmsr(MSR_TSC_DEADLINE); }
static void arm(uint64_t guest_tsc) { wrmsr(MSR_TSC_DEADLINE, guest_tsc); }

static void test_one_shot(void **state)
{
	(void)state;
	wr(APIC_LVT_TIMER, 0xec);
	wr(APIC_TIMER_INITIAL, 1000);
	assert_int_equal(rd(APIC_TIMER_CURRENT), 1000);
	pc_advance(pc, 999);
	assert_int_equal(rd(APIC_TIMER_CURRENT), 1);
	assert_false(take(0xec));
	pc_advance(pc, 1);
	assert_int_equal(rd(APIC_TIMER_CURRENT), 0);
	assert_true(take(0xec));
	assert_true(idle());
	pc_advance(pc, 5000);
	assert_false(take(0xec));
	assert_int_equal(rd(APIC_TIMER_INITIAL), 1000);
	wr(APIC_TIMER_INITIAL, 500);
	wr(APIC_TIMER_INITIAL, 0); /* stops */
	assert_true(idle());
	assert_int_equal(rd(APIC_TIMER_CURRENT), 0);
	wr(APIC_TIMER_INITIAL, 0xffffffff);
	pc_advance(pc, 0xfffffffe);
	assert_int_equal(rd(APIC_TIMER_CURRENT), 1);
	assert_false(take(0xec));
	pc_advance(pc, 1);
	assert_true(take(0xec));
}

/* LT2: what has counted down to 0 stays there, whatever mode comes; a new initial count starts it. */
static void test_stopped(void **state)
{
	(void)state;
	wr(APIC_LVT_TIMER, 0xec);
	wr(APIC_TIMER_INITIAL, 1000);
	pc_advance(pc, 1500);
	assert_true(take(0xec));
	wr(APIC_LVT_TIMER, 0x200ec); /* periodic */
	assert_int_equal(rd(APIC_TIMER_CURRENT), 0);
	assert_int_equal(rd(APIC_TIMER_INITIAL), 1000);
	pc_advance(pc, 700);
	assert_int_equal(rd(APIC_TIMER_CURRENT), 0);
	assert_true(idle());
	assert_false(take(0xec));
	wr(APIC_TIMER_DIVIDE, 0xb);
	assert_int_equal(rd(APIC_TIMER_CURRENT), 0);
	wr(APIC_TIMER_INITIAL, 400);
	pc_advance(pc, 100);
	assert_int_equal(rd(APIC_TIMER_CURRENT), 300);
	pc_advance(pc, 300);
	assert_true(take(0xec));
	wr(APIC_LVT_TIMER, 0xec); /* one-shot: the period that runs is its last */
	pc_advance(pc, 399);
	assert_int_equal(rd(APIC_TIMER_CURRENT), 1);
	pc_advance(pc, 1);
	assert_true(take(0xec));
	assert_int_equal(rd(APIC_TIMER_CURRENT), 0);
	assert_true(idle());
	wr(APIC_LVT_TIMER, 0x100ec); /* a masked one-shot stops, too */
	wr(APIC_TIMER_INITIAL, 100);
	pc_advance(pc, 200);
	wr(APIC_LVT_TIMER, 0x200ec);
	assert_int_equal(rd(APIC_TIMER_CURRENT), 0);
	assert_true(idle());
}

static void test_periodic(void **state)
{
	(void)state;
	wr(APIC_LVT_TIMER, 0x200ed);
	wr(APIC_TIMER_INITIAL, 10000);
	for (unsigned i = 0; i < 10; i++) {
		pc_advance(pc, 2500);
		assert_int_equal(rd(APIC_TIMER_CURRENT), 7500);
		assert_false(take(0xed));
		pc_advance(pc, 7500);
		assert_true(take(0xed));
	}
	pc->now += 1000000; /* a pause of the host: the missed ones merge, the phase stays */
	timers_run(&pc->timers, pc->now);
	assert_true(take(0xed));
	assert_true(timers_next(&pc->timers) == pc->now + 10000);
	pc_advance(pc, 4000);
	assert_int_equal(rd(APIC_TIMER_CURRENT), 6000);
}

static void test_storm(void **state)
{
	(void)state;
	wr(APIC_LVT_TIMER, 0x200ed);
	wr(APIC_TIMER_INITIAL, 1);
	assert_in_range(pc_advance(pc, 1000000), 1900, 2001); /* LAPIC_MIN_PERIOD_US apart */
	assert_int_equal(rd(APIC_TIMER_CURRENT), 1);
	wr(APIC_TIMER_INITIAL, 3);
	pc_advance(pc, 100);
	assert_int_equal(rd(APIC_TIMER_CURRENT), 3 - 100 % 3);
}

static void test_divide(void **state)
{
	static const struct {
		uint8_t value, by;
	} cases[] = { { 0x0, 2 },  { 0x1, 4 },	{ 0x2, 8 },   { 0x3, 16 },
		      { 0x8, 32 }, { 0x9, 64 }, { 0xa, 128 }, { 0xb, 1 } };
	(void)state;
	wr(APIC_LVT_TIMER, 0xec);
	for (unsigned i = 0; i < ARRAY_SIZE(cases); i++) {
		wr(APIC_TIMER_DIVIDE, cases[i].value | 0xf4u);
		assert_int_equal(rd(APIC_TIMER_DIVIDE), cases[i].value);
		wr(APIC_TIMER_INITIAL, 100);
		pc_advance(pc, 99 * cases[i].by);
		assert_int_equal(rd(APIC_TIMER_CURRENT), 1);
		assert_false(take(0xec));
		pc_advance(pc, cases[i].by);
		assert_true(take(0xec));
		assert_int_equal(rd(APIC_TIMER_CURRENT), 0);
	}
	wr(APIC_TIMER_DIVIDE, 0x0); /* while it runs: the count goes on at the new rate */
	wr(APIC_TIMER_INITIAL, 1000);
	pc_advance(pc, 1000);
	assert_int_equal(rd(APIC_TIMER_CURRENT), 500);
	wr(APIC_TIMER_DIVIDE, 0xb);
	assert_int_equal(rd(APIC_TIMER_CURRENT), 500);
	pc_advance(pc, 499);
	assert_false(take(0xec));
	pc_advance(pc, 1);
	assert_true(take(0xec));
	wr(APIC_TIMER_DIVIDE, 0xa); /* after the end: nothing comes back */
	assert_int_equal(rd(APIC_TIMER_CURRENT), 0);
	assert_true(idle());
}

static void test_mask(void **state)
{
	(void)state;
	wr(APIC_LVT_TIMER, 0x100ec);
	wr(APIC_TIMER_INITIAL, 1000);
	assert_true(idle()); /* LT1 */
	pc_advance(pc, 400);
	wr(APIC_LVT_TIMER, 0xec);
	pc_advance(pc, 600);
	assert_true(take(0xec));
	wr(APIC_LVT_TIMER, 0x100ec);
	wr(APIC_TIMER_INITIAL, 1000);
	pc_advance(pc, 2000);
	wr(APIC_LVT_TIMER, 0xec); /* it ended while masked */
	assert_true(idle());
	assert_false(take(0xec));
	wr(APIC_LVT_TIMER, 0x300ec);
	wr(APIC_TIMER_INITIAL, 1000);
	pc_advance(pc, 2500);
	wr(APIC_LVT_TIMER, 0x200ec);
	pc_advance(pc, 499);
	assert_false(take(0xec));
	pc_advance(pc, 1);
	assert_true(take(0xec));
}

/* An expiry that nobody has run yet when the guest changes the timer is not lost. */
static void test_late_expiry(void **state)
{
	(void)state;
	wr(APIC_LVT_TIMER, 0xec);
	wr(APIC_TIMER_INITIAL, 1000);
	pc->now += 1500;
	wr(APIC_TIMER_INITIAL, 1000);
	assert_true(take(0xec));
	pc->now += 1500;
	wr(APIC_LVT_TIMER, 0x100ec);
	assert_true(take(0xec));
}

/* What changes divisor or entry of a timer that runs may take from the alarm how much is left, where it tells that: not
 * where it is past, nor where it is later than the count, as a storm's is. */
static void test_alarm_tells(void **state)
{
	(void)state;
	wr(APIC_LVT_TIMER, 0x200ed);
	wr(APIC_TIMER_INITIAL, 1000);
	pc->now += 2300;
	wr(APIC_TIMER_DIVIDE, 0x0);
	assert_true(take(0xed)); /* which nobody had run */
	assert_int_equal(rd(APIC_TIMER_CURRENT), 700);
	assert_true(timers_next(&pc->timers) == pc->now + 1400);
	pc->now += 1500;
	wr(APIC_LVT_TIMER, 0x200ee);
	assert_int_equal(lapic_pending(l), 0xed);
	assert_true(take(0xed));
	assert_int_equal(rd(APIC_TIMER_CURRENT), 950);
	wr(APIC_TIMER_DIVIDE, 0xb);
	wr(APIC_TIMER_INITIAL, 100); /* a storm's alarm comes 50 us later */
	pc_advance(pc, 130);
	assert_true(take(0xee));
	assert_int_equal(rd(APIC_TIMER_CURRENT), 70);
	wr(APIC_TIMER_DIVIDE, 0x0);
	assert_int_equal(rd(APIC_TIMER_CURRENT), 70);
	assert_true(timers_next(&pc->timers) == pc->now + 140);
	pc_advance(pc, 150);
	assert_true(take(0xee));
	wr(APIC_LVT_TIMER, 0xec); /* the period is the last */
	assert_int_equal(rd(APIC_TIMER_CURRENT), 95);
	assert_true(timers_next(&pc->timers) == pc->now + 190);
	wr(APIC_LVT_TIMER, 0x400ec); /* no count in this mode */
	assert_true(idle());
	assert_int_equal(rd(APIC_TIMER_CURRENT), 0);
	assert_int_equal(rd(APIC_TIMER_INITIAL), 0);
}

static void test_tsc_deadline(void **state)
{
	(void)state;
	lapic_set_tsc_offset(l, (uint64_t)-100000000); /* the guest's TSC began at 0 later */
	uint64_t guest = pc->now - 100000000;
	arm(guest + 1000); /* not in that mode: ignored */
	assert_int_equal(deadline(), 0);
	wr(APIC_LVT_TIMER, 0x400ef);
	arm(guest + 1000);
	assert_true(deadline() == guest + 1000);
	wr(APIC_TIMER_INITIAL, 77); /* ignored in this mode */
	assert_int_equal(rd(APIC_TIMER_INITIAL), 0);
	assert_int_equal(rd(APIC_TIMER_CURRENT), 0);
	pc_advance(pc, 999);
	assert_false(take(0xef));
	pc_advance(pc, 1);
	assert_true(take(0xef));
	assert_int_equal(deadline(), 0);
	assert_true(idle());
	arm(5); /* in the past: at once */
	timers_run(&pc->timers, pc->now);
	assert_true(take(0xef));
	arm(guest + 100000);
	arm(0); /* disarms */
	assert_true(idle());
	arm(guest + 100000);
	wr(APIC_LVT_TIMER, 0xef); /* leaving the mode disarms */
	assert_true(idle());
	wr(APIC_LVT_TIMER, 0x400ef);
	assert_int_equal(deadline(), 0);
	wr(APIC_TIMER_INITIAL, 100);
	assert_true(idle());
}

static void test_tsc_deadline_edges(void **state)
{
	(void)state;
	wr(APIC_LVT_TIMER, 0x400ef);
	lapic_set_tsc_offset(l, (uint64_t)-5000);
	arm(UINT64_MAX); /* never, and no wrap */
	pc_advance(pc, 1ull << 40);
	assert_false(take(0xef));
	lapic_set_tsc_offset(l, 1ull << 50);
	arm(pc->now + (1ull << 50) + 10);
	lapic_set_tsc_offset(l, (1ull << 50) + 6); /* the guest's TSC was set forward */
	pc_advance(pc, 4);
	assert_true(take(0xef));
	wr(APIC_LVT_TIMER, 0x500ef); /* masked: it passes without an interrupt */
	arm(pc->now + (1ull << 50) + 6 + 10);
	assert_true(idle());
	assert_true(deadline() != 0);
	pc_advance(pc, 20);
	wr(APIC_LVT_TIMER, 0x400ef);
	assert_true(idle());
	assert_int_equal(deadline(), 0);
}

/* What Linux does at boot: calibrates a masked one-shot count against another clock, then arms deadlines. */
static void test_linux_calibration(void **state)
{
	(void)state;
	wr(APIC_LVT_TIMER, 0x100ec);
	wr(APIC_TIMER_DIVIDE, 0x3);
	wr(APIC_TIMER_INITIAL, 0xffffffff);
	uint32_t before = rd(APIC_TIMER_CURRENT);
	pc_advance_us(pc, 100000);
	assert_int_equal(before - rd(APIC_TIMER_CURRENT), 1000000 / 16);
	wr(APIC_TIMER_INITIAL, 0);
	wr(APIC_LVT_TIMER, 0x400ec);
	for (unsigned i = 0; i < 1000; i++) {
		arm(pc->now + 2500);
		pc_advance(pc, 2500);
		assert_true(take(0xec));
	}
}

#define T(f) PC_TEST(f, setup_timer)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(test_one_shot),
		T(test_stopped),
		T(test_periodic),
		T(test_storm),
		T(test_divide),
		T(test_mask),
		T(test_late_expiry),
		T(test_alarm_tells),
		T(test_tsc_deadline),
		T(test_tsc_deadline_edges),
		T(test_linux_calibration),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
