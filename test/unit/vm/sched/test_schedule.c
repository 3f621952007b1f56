/* Whose turn it is, how long, and when the host has its own (vm/sched/schedule.c): SC1 to SC3, and SC5. */
#include "test/unit/vm/sched/cpus.h"

#include "host/device/console.h"
#include "host/trap/interrupt.h"


/* Two of them; the one that runs. */
static struct vcpu *two(void)
{
	bench_new(&(struct bench_config){ .cpu = BENCH_HASWELL, .mmu = "ept", .vms = 2 });
	check_entry(__LINE__);
	return bench.v;
}


/* Slices that v has one after the other, from now on. */
static unsigned slices_of(const struct vcpu *v)
{
	unsigned n = 0;

	while (bench.v == v) {
		if (v->ring != v)
			assert_in_range(soft.percpu.timer_armed, soft.tsc, soft.tsc + schedule_slice());
		STEP(bench_slice());
		assert_true(++n < 200);
	}
	return n;
}

/* Goes to sleep, for so many ticks; somebody else runs, or nobody. */
static void sleep_for(uint64_t ticks)
{
	deadline_in(ticks);
	bench_exit_simple(EXIT_HLT, 1);
}

/* ---- SC1 ---- */

static void they_take_turns(void **state)
{
	struct vcpu *v;

	(void)state;
	v = two();
	slices_of(v);
	for (unsigned n = 0; n < 6; n++) {
		v = bench.v;
		assert_in_range(slices_of(v), 1, 2);
		assert_ptr_equal(bench.v, other_than(v));
	}
	finish();
}

/* What one had too much is paid back by itself. */
static void a_long_slice_is_paid_back(void **state)
{
	struct vcpu *v;

	(void)state;
	v = two();
	bench_wait(20 * schedule_slice());
	STEP(bench_timer());
	assert_ptr_not_equal(bench.v, v);
	assert_in_range(slices_of(other_than(v)), 18, 22);
	finish();
}

/* Who slept has its turn at once, but no more of it than one slice ahead. */
static void sleep_is_no_credit(void **state)
{
	struct vcpu *sleeper, *busy;

	(void)state;
	sleeper = two();
	busy = other_than(sleeper);
	sleep_for(50 * schedule_slice());
	assert_ptr_equal(bench.v, busy);
	assert_in_range(slices_of(busy), 50, 52);
	EXPECT_EVENT(INFO(EVENT_TYPE_EXTERNAL, 0x31), 0);
	assert_in_range(slices_of(sleeper), 1, 3);
	finish();
}

/* Nor is what it had less before. */
static void sleep_forfeits(void **state)
{
	struct vcpu *sleeper, *busy;

	(void)state;
	busy = two();
	sleeper = other_than(busy);
	bench_wait(20 * schedule_slice());
	STEP(bench_timer());
	assert_ptr_equal(bench.v, sleeper);
	STEP(bench_timer());
	STEP(bench_timer());
	sleep_for(2 * schedule_slice());
	assert_in_range(slices_of(busy), 1, 3);
	assert_in_range(slices_of(sleeper), 1, 5);
	finish();
}

/* Nor where the other goes to sleep when this one wakes up. */
static void no_credit_against_a_sleeper(void **state)
{
	struct vcpu *sleeper, *busy;
	unsigned n = 0;

	(void)state;
	sleeper = two();
	busy = other_than(sleeper);
	sleep_for(50 * schedule_slice());
	for (unsigned k = 0; k < 49; k++)
		STEP(bench_slice());
	assert_ptr_equal(bench.v, busy);
	sleep_for(3 * schedule_slice());
	assert_int_equal(bench.at, BENCH_IDLE);
	STEP(bench_timer());
	assert_ptr_equal(bench.v, sleeper);
	for (; bench.v == sleeper; n++) {
		assert_true(n < 10);
		STEP(bench_timer());
	}
	finish();
}

/* A new one comes to the CPU of v, and has its turn there, and no more. */
static void one_more_beside(struct vcpu *v)
{
	bench_create(&(struct bench_config){ .mmu = "ept" });
	vcpu_request(v, REQUEST_SWITCH);
	again();
	slices_of(v);
	assert_in_range(slices_of(other_than(v)), 1, 3);
	finish();
}

static void nor_is_being_new(void **state)
{
	struct vcpu *v;

	(void)state;
	start();
	v = bench.v;
	bench_wait(50 * schedule_slice());
	vcpu_request(v, REQUEST_SWITCH);
	again();
	one_more_beside(v);
}

/* Nor where the other has not left the CPU since. */
static void nor_is_being_new_beside_one_alone(void **state)
{
	struct vcpu *v;

	(void)state;
	start();
	v = bench.v;
	bench_wait(50 * schedule_slice());
	one_more_beside(v);
}

/* So many slices, all of which v has: nobody else can run. */
static void alone_for(const struct vcpu *v, unsigned slices)
{
	for (unsigned n = 0; n < slices; n++) {
		STEP(bench_slice());
		assert_ptr_equal(bench.v, v);
	}
}

/* Nor is having been paused, or held by a debugger, while it waited for the CPU. */
static void nor_is_being_held_back(void **state)
{
	(void)state;
	for (unsigned held = 0; held < 2; held++) {
		struct vcpu *busy = two(), *v = other_than(busy);

		if (held)
			v->debug.held = true;
		else
			vm_pause(v->vm, true);
		alone_for(busy, 50);
		if (held)
			v->debug.held = false;
		else
			vm_pause(v->vm, false);
		assert_in_range(slices_of(busy), 1, 2);
		assert_in_range(slices_of(v), 1, 3);
		finish();
	}
}

/* Nor is having waited for a start-up IPI, also where that comes together with the INIT, in front of its first turn. */
static void nor_is_waiting_to_be_started(void **state)
{
	struct vcpu *boot, *second;

	(void)state;
	bench_new(&(struct bench_config){ .cpu = BENCH_HASWELL, .mmu = "ept", .description = "vcpus 2\n" });
	check_entry(__LINE__);
	boot = bench.v;
	second = boot->vm->vcpu[1];
	alone_for(boot, 50);
	vcpu_signal_init(second);
	vcpu_signal_sipi(second, 0x10);
	assert_in_range(slices_of(boot), 1, 2);
	assert_in_range(slices_of(second), 1, 3);
	finish();
}

/* ---- SC2 ---- */

/* The timer of one that sleeps is looked at when the other's slice ends, and not before. */
static void the_timer_of_a_neighbour(void **state)
{
	struct vcpu *busy;

	(void)state;
	busy = other_than(two());
	sleep_for(schedule_slice() / 10);
	assert_ptr_equal(bench.v, busy);
	assert_true(soft.percpu.timer_armed > soft.tsc + schedule_slice() / 2);
	assert_int_equal(slices_of(busy), 1);
	EXPECT_EVENT(INFO(EVENT_TYPE_EXTERNAL, 0x31), 0);
	finish();
}

/* One's own timer comes at its time, and ends no slice. */
static void a_timer_of_its_own(void **state)
{
	struct vcpu *v;

	(void)state;
	v = two();
	deadline_in(20000);
	again();
	assert_true(soft.percpu.timer_armed < soft.tsc + schedule_slice() / 2);
	STEP(bench_timer());
	assert_ptr_equal(bench.v, v);
	EXPECT_EVENT(INFO(EVENT_TYPE_EXTERNAL, 0x31), 0);
	/* The next one, too: the CPU's timer covers it (RL1). */
	STEP(bench_wrmsr(MSR_X2APIC_EOI, 0));
	deadline_in(3000000);
	again();
	STEP(bench_timer());
	assert_ptr_equal(bench.v, v);
	EXPECT_EVENT(INFO(EVENT_TYPE_EXTERNAL, 0x31), 0);
	finish();
}

/* ---- SC3 ---- */

/* Interrupts that no exit brings are let in at one, after a slice. */
static void the_hosts_turn(void **state)
{
	struct vcpu *v;

	(void)state;
	v = two();
	again();
	host_interrupt_pending(VECTOR_TIMER);
	bench_wait(schedule_slice());
	again();
	assert_ptr_not_equal(bench.v, v);
	/* And requests. */
	bench_type(CONSOLE_STATS, "7 list\n", 7);
	bench_wait(schedule_slice());
	again();
	assert_non_null(strstr(bench_log(), "done 7 ok"));
	finish();
}

/* The preemption timer: after a slice without any exit, whatever the CPU does not take. */
static void a_guest_that_does_not_exit(void **state)
{
	(void)state;
	start();
	assert_true(vmcs_get(VMCS_PIN_CONTROLS) & PIN_PREEMPTION_TIMER);
	assert_int_equal(vmcs_get(VMCS_PREEMPTION_TIMER), schedule_slice());
	again();
	host_interrupt_pending(VECTOR_UART_FIRST + CONSOLE_STATS);
	bench_type(CONSOLE_STATS, "7 list\n", 7);
	EXIT(.reason = EXIT_PREEMPTION_TIMER, .vectoring = INFO(EVENT_TYPE_NMI, 2));
	EXPECT_EVENT(INFO(EVENT_TYPE_NMI, 2), 0);
	assert_non_null(strstr(bench_log(), "done 7 ok"));
	finish();
}

/* An exit for the host's interrupt serves it at once. */
static void an_interrupt_of_the_host(void **state)
{
	struct vcpu *v;

	(void)state;
	v = two();
	again();
	bench_wait(schedule_slice() + 1000);
	/* The turn of the host has just been. */
	v->host_turn = UINT64_MAX;
	STEP(bench_interrupt(VECTOR_TIMER));
	assert_ptr_not_equal(bench.v, v);
	bench.v->host_turn = UINT64_MAX;
	bench_type(CONSOLE_STATS, "7 list\n", 7);
	STEP(bench_interrupt(VECTOR_KICK));
	assert_non_null(strstr(bench_log(), "done 7 ok"));
	finish();
}

/* The timers of one that is paused, whose clock stands still, wake nobody. */
static void timers_of_one_that_is_paused(void **state)
{
	(void)state;
	start();
	deadline_in(20000);
	bench_type(CONSOLE_STATS, "1 pause 0\n", 10);
	assert_int_equal(bench_interrupt(VECTOR_KICK), BENCH_IDLE);
	assert_int_equal(soft.percpu.timer_armed, UINT64_MAX);
	bench_wait(100000);
	bench_type(CONSOLE_STATS, "2 resume 0\n", 11);
	STEP(bench_interrupt(VECTOR_KICK));
	EXPECT_NOTHING();
	STEP(bench_timer());
	EXPECT_EVENT(INFO(EVENT_TYPE_EXTERNAL, 0x31), 0);
	finish();
}

/* SC5. */
static void who_spins_gives_way(void **state)
{
	struct vcpu *boot, *second;

	(void)state;
	second = begin_with_two(1, 1);
	boot = vcpu_of(0);
	while (bench.v != boot)
		slice();
	assert_true(vmcs_get(VMCS_PROC_CONTROLS2) & PROC2_PAUSE_LOOP);
	/* It goes before one that has had less, though not much. */
	vcpu_of(1)->fair = second->fair - schedule_slice() / 2;
	STEP(bench_exit_simple(EXIT_PAUSE, 2));
	assert_ptr_equal(bench.v, second);
	while (bench.v != boot)
		slice();
	second->fair = boot->fair = vcpu_of(1)->fair + 10 * schedule_slice();
	STEP(bench_exit_simple(EXIT_PAUSE, 2));
	assert_ptr_equal(bench.v, vcpu_of(1));
	assert_false(vmcs_get(VMCS_PROC_CONTROLS2) & PROC2_PAUSE_LOOP); /* it has nobody to wait for */
	/* While the other sleeps there is nobody to give way to. */
	while (bench.v != second)
		slice();
	STEP(bench_exit_simple(EXIT_HLT, 1));
	while (bench.v != boot)
		slice();
	vmcs_put(VMCS_GUEST_RIP, 0x1000);
	STEP(bench_exit_simple(EXIT_PAUSE, 2));
	assert_ptr_equal(bench.v, boot);
	assert_int_equal(vmcs_get(VMCS_GUEST_RIP), 0x1002);
	finish();
}

/* SC5: who waits for one that waits for another CPU gives its own away, to one that has had more by less than a
 * slice. */
static void who_spins_for_one_elsewhere(void **state)
{
	struct vcpu *boot, *second;

	(void)state;
	second = begin_with_two(2, 2);
	boot = vcpu_of(0);
	vcpu_pin(boot, cpu(0));
	vcpu_pin(vcpu_of(1), cpu(0));
	vcpu_pin(second, cpu(1));
	vcpu_pin(vcpu_of(2), cpu(1));
	for (unsigned n = 0; runs_on(0) != boot || runs_on(1) != vcpu_of(2); n++) {
		assert_true(n < 50);
		slice();
	}
	assert_ptr_equal(second->cpu, cpu(1));
	bench_on(0);
	boot->fair = vcpu_of(1)->fair + schedule_slice() / 4 - schedule_weighed(boot, schedule_slice());
	STEP(bench_exit_simple(EXIT_PAUSE, 2));
	assert_ptr_equal(bench.v, vcpu_of(1));
	while (runs_on(0) != boot)
		slice();
	/* Not to one that has had much more. */
	vcpu_of(1)->fair = boot->fair + 10 * schedule_slice();
	STEP(bench_exit_simple(EXIT_PAUSE, 2));
	assert_ptr_equal(bench.v, boot);
	/* Nor while that one runs. */
	for (unsigned n = 0; runs_on(0) != boot || runs_on(1) != second; n++) {
		assert_true(n < 50);
		slice();
	}
	bench_on(0);
	boot->fair = vcpu_of(1)->fair + schedule_slice();
	STEP(bench_exit_simple(EXIT_PAUSE, 2));
	assert_ptr_equal(bench.v, boot);
	finish();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(they_take_turns),
		cmocka_unit_test(a_long_slice_is_paid_back),
		cmocka_unit_test(sleep_is_no_credit),
		cmocka_unit_test(sleep_forfeits),
		cmocka_unit_test(no_credit_against_a_sleeper),
		cmocka_unit_test(nor_is_being_new),
		cmocka_unit_test(nor_is_being_new_beside_one_alone),
		cmocka_unit_test(nor_is_being_held_back),
		cmocka_unit_test(nor_is_waiting_to_be_started),
		cmocka_unit_test(the_timer_of_a_neighbour),
		cmocka_unit_test(a_timer_of_its_own),
		cmocka_unit_test(the_hosts_turn),
		cmocka_unit_test(a_guest_that_does_not_exit),
		cmocka_unit_test(an_interrupt_of_the_host),
		cmocka_unit_test(timers_of_one_that_is_paused),
		cmocka_unit_test(who_spins_gives_way),
		cmocka_unit_test(who_spins_for_one_elsewhere),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
