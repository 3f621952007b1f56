/* Virtual CPUs that sleep (vm/sched/sleep.c): they are on no ring, and what comes for one is lost at no step: HA1 to
 * HA4. */
#include "test/unit/vm/sched/cpus.h"

#include "vm/sched/schedule.h"
#include "vm/seam.h"

static struct vcpu *sleeper; /* of whom the hooks are */
static uint64_t sleeps_until(const struct vcpu *v) { return v->sleeps.key; }
static unsigned step, at_step;

/* CPU 1 does something at that step. */
static bool elsewhere(void)
{
	if (step++ != at_step)
		return false;
	bench_seam = NULL;
	host_other_cpu = cpu(1);
	return true;
}

static void request_comes(void)
{
	if (!elsewhere())
		return;
	__atomic_fetch_or(&sleeper->signals, SIGNAL_NMI, __ATOMIC_SEQ_CST);
	vcpu_request(sleeper, REQUEST_EVENT);
	host_other_cpu = NULL;
}

static struct timer early;

static void fires(void *dev, uint64_t now)
{
	(void)now;
	__atomic_fetch_or(&sleeper->signals, SIGNAL_NMI, __ATOMIC_SEQ_CST);
	vcpu_request(dev, REQUEST_EVENT);
}

static void alarm_is_armed(void)
{
	if (!elsewhere())
		return;
	early = (struct timer){ .fire = fires, .dev = sleeper };
	spin_lock(&sleeper->vm->device_lock);
	timer_arm(&sleeper->timers, &early, timers_now(&sleeper->timers) + 5000);
	spin_unlock(&sleeper->vm->device_lock);
	vcpu_request(sleeper, 0);
	host_other_cpu = NULL;
}

/* One of two CPUs, that sleeps with an alarm far away, while that is done on the other at the nth step. */
static void falls_asleep(void (*other)(void), unsigned n)
{
	begin(2, 1);
	sleeper = vcpu_of(0);
	deadline_in(30 * schedule_slice());
	bench.kicks[0] = 0;
	step = 0;
	at_step = n;
	bench_seam = other;
	bench_exit_simple(EXIT_HLT, 1);
}

static void ended_by_the_nmi(void)
{
	assert_int_equal(bench.at, BENCH_ENTRY);
	EXPECT_EVENT(INFO(EVENT_TYPE_NMI, VECTOR_NMI), 0);
	assert_true(sleeper->on_ring);
	assert_false(sleeper->sleeps.in);
	finish();
}

/* HA2: before it says that it sleeps, between that and its look, behind it, and when it sleeps. */
static void a_request_at_each_step(void **state)
{
	(void)state;
	for (unsigned n = 0; n < 3; n++) {
		falls_asleep(request_comes, n);
		if (bench_seam) {
			at_step = step;
			request_comes();
		}
		if (bench.at == BENCH_IDLE)
			STEP(kicked(0));
		ended_by_the_nmi();
	}
}

/* HA3. */
static void an_alarm_at_each_step(void **state)
{
	(void)state;
	for (unsigned n = 0; n < 3; n++) {
		falls_asleep(alarm_is_armed, n);
		if (bench_seam) {
			at_step = step;
			alarm_is_armed();
		}
		assert_int_equal(bench.at, BENCH_IDLE);
		assert_int_equal(kicked(0), BENCH_IDLE);
		assert_in_range(cpu(0)->timer_armed, 1, soft.tsc + 5000);
		STEP(bench_timer());
		ended_by_the_nmi();
	}
}

/* HA2: of two CPUs that have something for it, one puts it among the arrivals. */
static void another_wakes(void)
{
	bench_seam = NULL;
	host_other_cpu = cpu(1);
	vcpu_request(sleeper, REQUEST_EVENT);
	host_other_cpu = NULL;
}

static void off_the_ring(void **state)
{
	bool once;

	(void)state;
	begin(1, 1);
	sleeper = vcpu_of(0);
	assert_true(sleeper->on_ring);
	assert_int_equal(bench_exit_simple(EXIT_HLT, 1), BENCH_OVER); /* with interrupts disabled, for good */
	bench_delete();
	begin(2, 1);
	sleeper = vcpu_of(0);
	deadline_in(5000);
	assert_int_equal(bench_exit_simple(EXIT_HLT, 1), BENCH_IDLE);
	assert_null(cpu(0)->run_queue);
	assert_false(sleeper->on_ring);
	assert_true(sleeper->asleep);
	assert_int_equal(cpu(0)->timer_armed, sleeps_until(sleeper));
	/* For nothing: it goes on to sleep. */
	bench_seam = another_wakes;
	vcpu_request(sleeper, REQUEST_EVENT);
	vcpu_request(sleeper, REQUEST_EVENT);
	assert_ptr_equal(cpu(0)->arrivals, sleeper);
	once = !sleeper->ring;
	sleeper->ring = NULL; /* else the list has no end */
	assert_true(once);
	assert_int_equal(bench_interrupt(VECTOR_KICK), BENCH_IDLE);
	assert_true(sleeper->asleep);
	assert_null(cpu(0)->run_queue);
	assert_int_equal(cpu(0)->timer_armed, sleeps_until(sleeper));
	STEP(bench_timer());
	EXPECT_EVENT(INFO(EVENT_TYPE_EXTERNAL, DEADLINE_VECTOR), 0);
	finish();
}

/* A virtual CPU that waits for a start-up IPI costs nothing from the beginning; one that was told to come before its
 * CPU found it does not miss that. */
static void who_waits_to_be_started(void **state)
{
	struct vcpu *second;

	(void)state;
	bench_new(&(struct bench_config){ .cpu = BENCH_HASWELL, .mmu = "ept", .description = "vcpus 2\n" });
	check_entry(__LINE__);
	second = bench.vm[0]->vcpu[1];
	assert_true(second->asleep);
	assert_false(second->on_ring);
	assert_ptr_equal(bench.v->ring, bench.v);
	assert_int_equal(cpu(0)->timer_armed, UINT64_MAX);
	/* Who is alone shares the CPU with who it wakes. */
	STEP(bench_wrmsr(MSR_APIC_BASE, X2APIC_ON | APIC_BASE_BSP));
	STEP(bench_wrmsr(MSR_X2APIC_ICR, 1ull << 32 | 0x4600 | 0x10));
	assert_in_range(cpu(0)->timer_armed, 0, soft.tsc + schedule_slice());
	for (unsigned n = 0; n < 5 && bench.v != second; n++)
		STEP(bench_slice());
	assert_ptr_equal(bench.v, second);
	finish();
}

/* It goes where it is told to and sleeps there. */
static void moved_while_it_sleeps(void **state)
{
	(void)state;
	begin(2, 1);
	sleeper = vcpu_of(0);
	deadline_in(20000);
	assert_int_equal(bench_exit_simple(EXIT_HLT, 1), BENCH_IDLE);
	vcpu_move(sleeper, cpu(0));
	assert_true(sleeper->asleep);
	vcpu_move(sleeper, cpu(1));
	assert_ptr_equal(sleeper->cpu, cpu(1));
	assert_null(cpu(0)->sleepers.first);
	assert_int_equal(kicked(1), BENCH_IDLE);
	assert_true(sleeper->asleep);
	assert_ptr_equal(cpu(1)->sleepers.first, &sleeper->sleeps);
	/* While it is being woken, it is told to come back. */
	vcpu_request(sleeper, REQUEST_EVENT);
	vcpu_move(sleeper, cpu(0));
	assert_ptr_equal(sleeper->cpu, cpu(1));
	bench.kicks[0] = 0;
	assert_int_equal(bench_interrupt(VECTOR_KICK), BENCH_IDLE);
	assert_ptr_equal(sleeper->cpu, cpu(0));
	assert_int_equal(kicked(0), BENCH_IDLE);
	STEP(bench_timer());
	EXPECT_EVENT(INFO(EVENT_TYPE_EXTERNAL, DEADLINE_VECTOR), 0);
	finish();
}

/* SC2, HA4: alarms of who sleeps come when they are due, but not before the slice of who runs ends; an alarm that is
 * armed anew whenever it fires costs one look each time. */
static unsigned fired;

static void fires_again(void *dev, uint64_t now)
{
	struct vcpu *v = dev;

	fired++;
	timer_arm(&v->timers, &early, now);
}

static void alarms_of_a_neighbour(void **state)
{
	struct vcpu *busy;

	(void)state;
	begin(1, 2);
	sleeper = bench.v;
	busy = vcpu_of(sleeper == vcpu_of(0));
	early = (struct timer){ .fire = fires_again, .dev = sleeper };
	timer_arm(&sleeper->timers, &early, timers_now(&sleeper->timers) + 3 * schedule_slice());
	vmcs_put(VMCS_GUEST_RFLAGS, RFLAGS_FIXED | RFLAGS_IF);
	STEP(bench_exit_simple(EXIT_HLT, 1));
	assert_ptr_equal(bench.v, busy);
	assert_in_range(cpu(0)->timer_armed, soft.tsc + 2 * schedule_slice(), soft.tsc + 3 * schedule_slice());
	fired = 0;
	for (unsigned n = 1; n < 5; n++) {
		uint64_t before = soft.tsc;

		STEP(bench_timer());
		assert_int_equal(fired, n);
		assert_ptr_equal(bench.v, busy);
		assert_true(n == 1 || soft.tsc >= before + schedule_slice());
	}
	timer_cancel(&sleeper->timers, &early);
	finish();
}

/* Those that wait for the CPU are looked at, too. */
static void alarms_of_who_waits(void **state)
{
	struct vcpu *waits;

	(void)state;
	begin(1, 2);
	waits = vcpu_of(bench.v == vcpu_of(0));
	waits->fair = 1000 * schedule_slice();
	early = (struct timer){ .fire = fires_again, .dev = waits };
	timer_arm(&waits->timers, &early, timers_now(&waits->timers) + 10);
	fired = 0;
	STEP(bench_slice());
	assert_ptr_not_equal(bench.v, waits);
	assert_int_equal(fired, 1);
	timer_cancel(&waits->timers, &early);
	finish();
}

/* HA3: one that falls asleep when its VM has just been paused is looked at again when that goes on. */
static void paused_while_it_sleeps(void **state)
{
	(void)state;
	begin(2, 1);
	deadline_in(20000);
	host_other_cpu = cpu(1);
	vm_pause(bench.vm[0], true);
	host_other_cpu = NULL;
	assert_int_equal(bench_exit_simple(EXIT_HLT, 1), BENCH_IDLE);
	assert_true(vcpu_of(0)->asleep);
	assert_int_equal(cpu(0)->timer_armed, UINT64_MAX);
	bench_wait(100000);
	bench_type(CONSOLE_STATS, "2 resume 0\n", 11);
	assert_int_equal(bench_interrupt(VECTOR_KICK), BENCH_IDLE);
	assert_in_range(cpu(0)->timer_armed, soft.tsc, soft.tsc + 20000);
	STEP(bench_timer());
	EXPECT_EVENT(INFO(EVENT_TYPE_EXTERNAL, DEADLINE_VECTOR), 0);
	finish();
}

/* HA3: an alarm that the hypervisor arms for itself. */
static void measured_while_it_sleeps(void **state)
{
	(void)state;
	begin(1, 1);
	deadline_in(30 * machine.tsc_hz);
	assert_int_equal(bench_exit_simple(EXIT_HLT, 1), BENCH_IDLE);
	assert_int_equal(ask("1 dirty 0 1\n"), BENCH_IDLE);
	assert_in_range(cpu(0)->timer_armed, soft.tsc, soft.tsc + machine.tsc_hz);
	finish();
}

/* SC5: who spins does not wait for one that sleeps. */
static void nobody_waits_for_a_sleeper(void **state)
{
	(void)state;
	bench_new(&(struct bench_config){ .cpu = BENCH_HASWELL, .mmu = "ept", .description = "vcpus 2\n" });
	check_entry(__LINE__);
	schedule_yield(bench.v);
	assert_false(bench.vm[0]->vcpu[1]->favoured);
	assert_false(vcpu_requested(bench.v));
	finish();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_request_at_each_step),
		cmocka_unit_test(an_alarm_at_each_step),
		cmocka_unit_test(off_the_ring),
		cmocka_unit_test(who_waits_to_be_started),
		cmocka_unit_test(moved_while_it_sleeps),
		cmocka_unit_test(alarms_of_a_neighbour),
		cmocka_unit_test(alarms_of_who_waits),
		cmocka_unit_test(paused_while_it_sleeps),
		cmocka_unit_test(measured_while_it_sleeps),
		cmocka_unit_test(nobody_waits_for_a_sleeper),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
