/* The CPU's own timer as a guest's alarm (vm/sched/alarm.c): whose it is, that it counts what the guest runs and
 * nothing else, and what comes when it rings. */
#include "test/unit/vm/fixture.h"

#include "host/trap/interrupt.h"

#define WAIT 1000000

static bool by_cpu(void) { return vmcs_get(VMCS_EXIT_CONTROLS) & EXIT_SAVE_TIMER; }

static void begin(void)
{
	bench_new(&(struct bench_config){ .cpu = BENCH_HASWELL, .mmu = "ept", .guest_clock = true });
	check_entry(__LINE__);
	assert_true(by_cpu());
}

static uint64_t not_saved(uint32_t msr, uint64_t value)
{
	bool exit = msr == MSR_VMX_EXIT_CTLS || msr == MSR_VMX_EXIT_CTLS + 0xc;

	return exit ? value & ~((uint64_t)EXIT_SAVE_TIMER << 32) : value;
}

/* AL1. */
static void whose_it_is(void **state)
{
	const struct bench_config others[] = {
		{ .cpu = BENCH_HASWELL, .mmu = "ept" },
		{ .cpu = BENCH_HASWELL, .mmu = "ept", .guest_clock = true, .msr = no_timer },
		{ .cpu = BENCH_HASWELL, .mmu = "ept", .guest_clock = true, .msr = not_saved },
		{ .cpu = BENCH_PENRYN, .mmu = "shadow", .guest_clock = true },
	};

	(void)state;
	begin();
	finish();
	for (unsigned n = 0; n < ARRAY_SIZE(others); n++) {
		bench_new(&others[n]);
		check_entry(0);
		assert_false(by_cpu());
		deadline_at(guest_tsc() + WAIT);
		assert_true(soft.percpu.timer_armed < soft.tsc + 2 * WAIT);
		finish();
	}
}

/* The guest runs now and then, and exits: the alarm comes when it has run for that long, once, and the host's timer is
 * not touched. */
static void over_many_exits(void **state)
{
	uint64_t due;

	(void)state;
	begin();
	soft.ticks = 30; /* less than is taken off for the way in and out */
	due = guest_tsc() + WAIT;
	deadline_at(due);
	for (unsigned n = 0; n < 20; n++) {
		bench_wait(WAIT / 40);
		again();
		EXPECT_NOTHING();
		assert_int_equal(soft.percpu.timer_armed, UINT64_MAX);
	}
	STEP(bench_timer());
	EXPECT_EVENT(INFO(EVENT_TYPE_EXTERNAL, 0x31), 0);
	assert_in_range(guest_tsc() + 100, due, due + 2000);
	finish();
}

/* What the hypervisor took before is not made up for by a clock that jumps, where the alarm is one no more. */
static void cancelled(void **state)
{
	uint64_t due;

	(void)state;
	begin();
	soft.ticks = 10000;
	again();
	soft.ticks = 30;
	due = guest_tsc() + WAIT;
	deadline_at(due);
	STEP(bench_wrmsr(MSR_TSC_DEADLINE, 0));
	STEP(bench_timer());
	EXPECT_NOTHING();
	assert_in_range(guest_tsc() + 100, due, due + 2000);
	finish();
}

/* An earlier one, and one that is due already. */
static void set_anew(void **state)
{
	(void)state;
	begin();
	soft.ticks = 100;
	deadline_at(guest_tsc() + WAIT);
	deadline_at(guest_tsc() + WAIT / 10);
	assert_in_range(vmcs_get(VMCS_PREEMPTION_TIMER), WAIT / 10 - 1000, WAIT / 10);
	STEP(bench_timer());
	EXPECT_EVENT(INFO(EVENT_TYPE_EXTERNAL, 0x31), 0);
	STEP(bench_wrmsr(MSR_X2APIC_FIRST + 0xb, 0));
	deadline_at(1);
	assert_int_equal(vmcs_get(VMCS_PREEMPTION_TIMER), 1);
	STEP(bench_timer());
	EXPECT_EVENT(INFO(EVENT_TYPE_EXTERNAL, 0x31), 0);
	/* It rings again after a slice. */
	assert_int_equal(vmcs_get(VMCS_PREEMPTION_TIMER), schedule_slice());
	finish();
}

/* AL2: the host has its turn. */
static void a_slice_at_the_latest(void **state)
{
	(void)state;
	begin();
	deadline_at(guest_tsc() + 10 * schedule_slice());
	assert_int_equal(vmcs_get(VMCS_PREEMPTION_TIMER), schedule_slice());
	bench.v->host_turn = soft.tsc + 100 * schedule_slice();
	bench.entry.event = 0;
	STEP(bench_timer());
	EXPECT_NOTHING();
	assert_true(bench.v->host_turn < soft.tsc + 2 * schedule_slice());
	assert_int_equal(vmcs_get(VMCS_PREEMPTION_TIMER), schedule_slice());
	finish();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(whose_it_is),
		cmocka_unit_test(over_many_exits),
		cmocka_unit_test(cancelled),
		cmocka_unit_test(set_anew),
		cmocka_unit_test(a_slice_at_the_latest),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
