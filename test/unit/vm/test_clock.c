/* The guest's clock (vm/clock.h, vm/run.c): K1 and K2, of a clock that is the host's and of one of its own. On this
 * bench a look at the TSC costs the hypervisor what the test says. */
#include "test/unit/vm/fixture.h"

#include "host/trap/interrupt.h"

/* ticks for each look at the TSC: no less than the way in and out takes on a CPU (CLOCK_ENTRY_TICKS) */
#define CHEAP 100
#define DEAR 5000 /* and more than two looks for each exit */

static bool timer_of_cpu = true;

static void start_clock(bool own, unsigned vms)
{
	bench_new(&(struct bench_config){ .cpu = BENCH_HASWELL, .mmu = "ept", .guest_clock = own, .vms = vms,
					  .msr = timer_of_cpu ? NULL : no_timer });
	check_entry(__LINE__);
	soft.ticks = CHEAP;
}

/* RDTSC of the guest that runs. */

/* K2. */
static void check_offset(void)
{
	assert_int_equal(vmcs_get(VMCS_TSC_OFFSET), bench.v->tsc_offset - bench.v->vm->clock.behind);
}

/* What the hypervisor needs for an exit is not seen by a guest that has its own clock. */
static void the_hypervisors_time(void **state)
{
	(void)state;
	for (unsigned own = 0; own < 2; own++) {
		uint64_t before, after;

		start_clock(own, 1);
		soft.ticks = DEAR;
		for (unsigned n = 0; n < 10; n++) {
			before = guest_tsc();
			again();
			after = guest_tsc();
			check_offset();
			assert_true(after >= before); /* K1 */
			if (own)
				assert_true(after - before <= DEAR);
			else
				assert_true(after - before >= 2 * DEAR);
		}
		/* Its own time goes on. */
		before = guest_tsc();
		bench_wait(1000000);
		again();
		assert_in_range(guest_tsc() - before, 1000000, 1000000 + 4 * DEAR);
		finish();
	}
}

/* K1, where the way in and out was shorter than what is taken off for it, and no instruction of the guest's was
 * executed: its clock goes on by a tick each time, so that a timer that it has set ends what would go on for ever. */
static void no_instruction_of_its_own(void **state)
{
	const struct vm_clock *c;
	uint64_t before;

	(void)state;
	start_clock(true, 1);
	c = &bench.v->vm->clock;
	deadline_at(guest_tsc() + 300);
	soft.ticks = 1;
	for (unsigned n = 0; timers_next(&bench.vm[0]->vcpu[0]->timers) > c->stopped_at - c->behind; n++) {
		assert_in_range(n, 0, 300);
		before = c->stopped_at - c->behind;
		again();
		check_offset();
		assert_int_equal(c->stopped_at - c->behind, before + 1);
	}
	STEP(bench_timer());
	EXPECT_EVENT(INFO(EVENT_TYPE_EXTERNAL, 0x31), 0);
	finish();
}

/* RDMSR says the same, and what is written there is what RDTSC then reads. */
static void the_msr(void **state)
{
	(void)state;
	for (unsigned own = 0; own < 2; own++) {
		uint64_t read;

		start_clock(own, 1);
		STEP(bench_wrmsr(MSR_TSC, 0x5000000000));
		assert_in_range(guest_tsc() + CHEAP, 0x5000000000, 0x5000000000 + 1000);
		check_offset();
		STEP(bench_rdmsr(MSR_TSC));
		read = (uint32_t)*bench_gpr(GPR_RAX) | *bench_gpr(GPR_RDX) << 32;
		assert_in_range(guest_tsc() + 100, read, read + 1000);
		finish();
	}
}

/* Nor does it see its neighbour's time. */
static void a_neighbours_time(void **state)
{
	(void)state;
	for (unsigned own = 0; own < 2; own++) {
		struct vcpu *v;
		uint64_t before;

		start_clock(own, 2);
		v = bench.v;
		before = guest_tsc();
		bench_wait(schedule_slice());
		while (bench.v == v)
			STEP(bench_timer());
		while (bench.v != v)
			STEP(bench_timer());
		check_offset();
		if (own)
			assert_in_range(guest_tsc() - before, schedule_slice(), schedule_slice() * 5 / 4);
		else
			assert_true(guest_tsc() - before >= 2 * schedule_slice());
		finish();
	}
}

/* A guest whose alarm is due a million ticks from now: when that is. */
static uint64_t start_waiting(bool own)
{
	uint64_t due;

	start_clock(own, 1);
	due = guest_tsc() + 1000000;
	deadline_at(due);
	return due;
}

/* In HLT the clock goes on: time passes until the timer that it waits for. */
static void time_in_hlt(void **state)
{
	(void)state;
	for (unsigned own = 0; own < 2; own++) {
		uint64_t due = start_waiting(own);

		assert_int_equal(bench_exit_simple(EXIT_HLT, 1), BENCH_IDLE);
		STEP(bench_timer());
		EXPECT_EVENT(INFO(EVENT_TYPE_EXTERNAL, 0x31), 0);
		check_offset();
		assert_in_range(guest_tsc() + 100, due, due + 10000);
		finish();
	}
}

/* The alarm of a clock that stood still while it was set comes when the guest's TSC shows the time, and not before. */
static void the_alarm_is_not_early(void **state)
{
	(void)state;
	for (unsigned how = 0; how < 3; how++) {
		bool own = how, by_host = how != 1;
		uint64_t rings, due;

		timer_of_cpu = how < 2;
		due = start_waiting(own);
		/* What was armed while it stood still is armed anew. */
		if (!timer_of_cpu)
			STEP(bench_interrupt(VECTOR_TIMER));
		rings = !by_host ? soft.tsc + vmcs_get(VMCS_PREEMPTION_TIMER) : soft.percpu.timer_armed;
		assert_in_range(rings + vmcs_get(VMCS_TSC_OFFSET), due - own * CHEAP, due + 10 * CHEAP);
		STEP(bench_timer());
		EXPECT_EVENT(INFO(EVENT_TYPE_EXTERNAL, 0x31), 0);
		finish();
	}
	timer_of_cpu = true;
}

/* A timer that counts begins with the guest's present, which is not the hypervisor's. */
static void a_count_begins_now(void **state)
{
	uint64_t before;

	(void)state;
	start_clock(true, 1);
	soft.ticks = DEAR;
	x2apic_on();
	STEP(bench_wrmsr(MSR_X2APIC_DIV_CONF, TIMER_DIVIDE_BY_1)); /* each tick of the bus, which are the TSC's */
	STEP(bench_wrmsr(MSR_X2APIC_LVT_TIMER, DEADLINE_VECTOR));
	before = soft.tsc - bench.vm[0]->clock.behind;
	STEP(bench_wrmsr(MSR_X2APIC_INIT_COUNT, 1000000));
	assert_in_range(timers_next(&bench.vm[0]->vcpu[0]->timers), before + 1000000, before + 1000000 + DEAR);
	finish();
}

static void request(const char *text) { bench_type(CONSOLE_STATS, text, strlen(text)); }

/* While it is paused no clock goes, whosever it is; also of one that sleeps. */
static void time_while_it_is_paused(void **state)
{
	(void)state;
	for (unsigned how = 0; how < 4; how++) {
		bool own = how & 1, asleep = how & 2;
		uint64_t before;

		start_clock(own, 1);
		deadline_at(guest_tsc() + 500000);
		before = guest_tsc();
		if (asleep)
			assert_int_equal(bench_exit_simple(EXIT_HLT, 1), BENCH_IDLE);
		request("1 pause 0\n");
		assert_int_equal(bench_interrupt(VECTOR_KICK), BENCH_IDLE);
		bench_wait(100000000);
		request("2 resume 0\n");
		bench_interrupt(VECTOR_KICK);
		if (asleep)
			assert_int_equal(bench.at, BENCH_IDLE);
		STEP(bench_timer());
		EXPECT_EVENT(INFO(EVENT_TYPE_EXTERNAL, 0x31), 0);
		check_offset();
		assert_in_range(guest_tsc() - before, 490000, 600000);
		finish();
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_hypervisors_time),
		cmocka_unit_test(no_instruction_of_its_own),
		cmocka_unit_test(the_msr),
		cmocka_unit_test(a_neighbours_time),
		cmocka_unit_test(time_in_hlt),
		cmocka_unit_test(the_alarm_is_not_early),
		cmocka_unit_test(a_count_begins_now),
		cmocka_unit_test(time_while_it_is_paused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
