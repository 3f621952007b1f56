/* What share of the CPUs each virtual machine has, of many kinds of machines beside each other (SC1, SC4, BA2, BA3),
 * held against what their weights say. Each CPU of the bench has a run loop of its own, and its timers ring at their
 * time, so that the turns of one end in the middle of those of another. */
#include "test/unit/vm/sched/cpus.h"

/* So many virtual CPUs, which work all the time; or so many slices after each other, and sleep for so many; or spin. */
struct kind {
	unsigned vcpus, weight, works, sleeps;
	bool spins;
};

#define MACHINES 6
#define STEPS 5 /* in a slice, about */
#define SLICES 300

struct shape {
	const char *name;
	unsigned cpus;
	struct kind of[MACHINES];
};

static unsigned kicks_seen[BENCH_HOST_CPUS];
static const struct shape *shape;
static unsigned machines;
/* Of each virtual CPU: when it wakes up (0: it does not sleep), and what it had had when it did so the last time. */
static uint64_t wakes_at[MACHINES][VCPUS_MAX], had_before[MACHINES][VCPUS_MAX];

static uint64_t has_run(const struct vcpu *v)
{
	return v->run_start ? v->run_before + soft.tsc - v->run_start : v->run_ticks;
}

static uint64_t all_have_run(const struct vm *vm)
{
	const struct vcpu *v;
	uint64_t ticks = 0;

	for_each_vcpu(v, vm)
		ticks += has_run(v);
	return ticks;
}

/* The CPU's own timer, which ends a guest that does not exit (SC3). */
static bool rings(void)
{
	return bench.at == BENCH_ENTRY && (vmcs_get(VMCS_PIN_CONTROLS) & PIN_PREEMPTION_TIMER) &&
	       soft.tsc - bench.entered >= vmcs_get(VMCS_PREEMPTION_TIMER);
}

static bool falls_asleep(const struct vcpu *v)
{
	const struct kind *k = &shape->of[v->vm->id];

	return k->sleeps && has_run(v) - had_before[v->vm->id][v->id] >= k->works * schedule_slice();
}

/* CPU n takes what has come: its timers, or a kick; or its guest goes to sleep. */
static void attend(unsigned n)
{
	bench_on(n);
	if (bench.at == BENCH_ENTRY && falls_asleep(bench.v)) {
		const struct vcpu *v = bench.v;

		wakes_at[v->vm->id][v->id] = soft.tsc + shape->of[v->vm->id].sleeps * schedule_slice();
		vmcs_put(VMCS_GUEST_RFLAGS, RFLAGS_FIXED | RFLAGS_IF);
		vmcs_put(VMCS_GUEST_INTERRUPTIBILITY, 0);
		bench_exit_simple(EXIT_HLT, 1);
	} else if (bench.at == BENCH_ENTRY && shape->of[bench.v->vm->id].spins) {
		bench_exit_simple(EXIT_PAUSE, 2);
	} else if (rings()) {
		bench_exit_simple(EXIT_PREEMPTION_TIMER, 0);
	} else if (cpu(n)->timer_armed <= soft.tsc) {
		cpu(n)->timer_armed = UINT64_MAX;
		bench_interrupt(VECTOR_TIMER);
	} else if (bench.kicks[n] != kicks_seen[n]) {
		kicks_seen[n] = bench.kicks[n];
		bench_interrupt(VECTOR_KICK);
	}
	check_entry(__LINE__);
}

static void wake(struct vcpu *v)
{
	uint64_t *at = &wakes_at[v->vm->id][v->id];

	if (!*at || *at > soft.tsc)
		return;
	*at = 0;
	had_before[v->vm->id][v->id] = has_run(v);
	vcpu_signal_nmi(v);
}

static void pass(unsigned slices)
{
	struct vcpu *v;

	for (uint64_t end = soft.tsc + slices * schedule_slice(); soft.tsc < end;) {
		bench_wait(schedule_slice() / STEPS + 1237);
		for (unsigned i = 0; i < machines; i++)
			for_each_vcpu(v, bench.vm[i])
				wake(v);
		for (unsigned n = 0; n < soft.cpus; n++)
			attend(n);
	}
}

static unsigned weight(unsigned i) { return shape->of[i].weight ? shape->of[i].weight : CONFIG_WEIGHT_DEFAULT; }

static void begin_shape(void)
{
	char description[64];
	struct vcpu *v;

	memset(kicks_seen, 0, sizeof(kicks_seen));
	memset(wakes_at, 0, sizeof(wakes_at));
	memset(had_before, 0, sizeof(had_before));
	for (machines = 0; machines < MACHINES && shape->of[machines].vcpus; machines++) {
		struct bench_config c = { .cpu = BENCH_HASWELL, .mmu = "ept", .description = description,
					  .host_cpus = shape->cpus };

		snprintf(description, sizeof(description), "vcpus %u\nweight %u\n", shape->of[machines].vcpus,
			 weight(machines));
		if (machines)
			bench_create(&c);
		else
			bench_new(&c);
	}
	bench_on(0);
	for (unsigned i = 0; i < machines; i++)
		for_each_vcpu(v, bench.vm[i])
			if (v->id) {
				vcpu_signal_init(v);
				vcpu_signal_sipi(v, 0x10);
			}
	pass(8);
}

/* Thousandths of a CPU for each machine that works all the time: of what the others leave, the same for the same
 * weight, but no more than it can use. share has what the others had. */
static void expect_shares(unsigned *share)
{
	unsigned left = shape->cpus * 1000;
	bool known[MACHINES];

	for (unsigned i = 0; i < machines; i++) {
		known[i] = shape->of[i].sleeps != 0;
		left -= known[i] ? share[i] : 0;
	}
	for (unsigned round = 0; round < machines; round++) {
		unsigned weights = 0, now = left;

		for (unsigned i = 0; i < machines; i++)
			weights += known[i] ? 0 : weight(i);
		for (unsigned i = 0; i < machines; i++) {
			if (known[i])
				continue;
			share[i] = now * weight(i) / weights;
			if (share[i] < shape->of[i].vcpus * 1000)
				continue;
			known[i] = true;
			share[i] = shape->of[i].vcpus * 1000;
			left -= share[i];
		}
	}
}

/* Who sleeps has what it asks for, or its share of all CPUs, but for what it asks less because it waits for its turn
 * after it has woken up, and sleeps the later. */
static void check_sleeper(unsigned i, unsigned had)
{
	const struct kind *k = &shape->of[i];
	unsigned weights = 0, asks = k->vcpus * 1000 * k->works / (k->works + k->sleeps), its;

	for (unsigned n = 0; n < machines; n++)
		weights += weight(n);
	its = shape->cpus * 1000 * weight(i) / weights;
	its = its < asks ? its : asks;
	if (had < its * 7 / 10 || had > asks)
		fail_msg("%s: machine %u, which sleeps, had %u thousandths of a CPU, not %u", shape->name, i, had, its);
}

static void check_shape(void)
{
	unsigned had[MACHINES], share[MACHINES];
	uint64_t before[MACHINES], began;

	begin_shape();
	began = soft.tsc;
	for (unsigned i = 0; i < machines; i++)
		before[i] = all_have_run(bench.vm[i]);
	pass(SLICES);
	for (unsigned i = 0; i < machines; i++)
		share[i] = had[i] = (unsigned)((all_have_run(bench.vm[i]) - before[i]) * 1000 / (soft.tsc - began));
	expect_shares(share);
	for (unsigned i = 0; i < machines; i++) {
		if (shape->of[i].sleeps)
			check_sleeper(i, had[i]);
		else if (had[i] * 1000 < share[i] * 980 || had[i] * 1000 > share[i] * 1020)
			fail_msg("%s: machine %u had %u thousandths of a CPU, not %u", shape->name, i, had[i],
				 share[i]);
	}
	finish();
}

#define WORK(n) { .vcpus = n }
#define HEAVY(n) { .vcpus = n, .weight = 300 }
#define SLEEP(n, slices, of) { .vcpus = n, .works = slices, .sleeps = of }
static const struct shape equal[] = {
	{ "2 and 2 on 3", 3, { WORK(2), WORK(2) } },
	{ "3 of 1 on 2", 2, { WORK(1), WORK(1), WORK(1) } },
	{ "3 of 2 on 2", 2, { WORK(2), WORK(2), WORK(2) } },
	{ "1 and 2 on 2", 2, { WORK(1), WORK(2) } },
	{ "1 and 3 on 2", 2, { WORK(1), WORK(3) } },
	{ "1 and 3 on 3", 3, { WORK(1), WORK(3) } },
	{ "2 and 3 on 3", 3, { WORK(2), WORK(3) } },
	{ "2 and 4 on 3", 3, { WORK(2), WORK(4) } },
	{ "4 and 4 on 3", 3, { WORK(4), WORK(4) } },
	{ "2 and 8 on 3", 3, { WORK(2), WORK(8) } },
	{ "2 and 8 on 4", 4, { WORK(2), WORK(8) } },
	{ "3 and 3 on 4", 4, { WORK(3), WORK(3) } },
	{ "5 of 1 on 4", 4, { WORK(1), WORK(1), WORK(1), WORK(1), WORK(1) } },
	{ "1, 2 and 3 on 4", 4, { WORK(1), WORK(2), WORK(3) } },
	{ "6 of 2 on 4", 4, { WORK(2), WORK(2), WORK(2), WORK(2), WORK(2), WORK(2) } },
};
static const struct shape weighted[] = {
	{ "1 and 1 on 1", 1, { WORK(1), HEAVY(1) } },
	{ "2 and 2 on 1", 1, { WORK(2), HEAVY(2) } },
	{ "2 and 2 on 2", 2, { WORK(2), HEAVY(2) } },
	{ "1 and 3 on 2", 2, { WORK(1), HEAVY(3) } },
	{ "3 and 3 on 3", 3, { WORK(3), HEAVY(3) } },
	{ "2 and 3 on 3", 3, { WORK(2), HEAVY(3) } },
	{ "4 and 4 on 3", 3, { WORK(4), HEAVY(4) } },
	{ "4 and 4 on 4", 4, { WORK(4), HEAVY(4) } },
	{ "3 of 1 on 2", 2, { WORK(1), WORK(1), HEAVY(1) } },
	{ "4 of 2 on 3", 3, { WORK(2), HEAVY(2), WORK(2), HEAVY(2) } },
};
static const struct shape sleeping[] = {
	{ "2 and 2 on 3, and 1 that sleeps", 3, { WORK(2), WORK(2), SLEEP(1, 3, 7) } },
	{ "3 of 1 on 2, and 1 that sleeps for long", 2, { WORK(1), WORK(1), WORK(1), SLEEP(1, 5, 60) } },
	{ "1 and 1 on 1, and 1 that sleeps half", 1, { WORK(1), WORK(1), SLEEP(1, 4, 4) } },
	{ "2 and 2 on 2, and 2 that sleep", 2, { WORK(2), WORK(2), SLEEP(2, 2, 9) } },
	{ "1 and 3 on 2, and 2 that sleep", 2, { WORK(1), WORK(3), SLEEP(2, 10, 50) } },
	{ "4 and 4 on 3, and 4 that sleep", 3, { WORK(4), WORK(4), SLEEP(4, 1, 20) } },
};

static void each(const struct shape *shapes, unsigned n)
{
	for (unsigned i = 0; i < n; i++) {
		shape = &shapes[i];
		check_shape();
	}
}

static void by_equal_weights(void **state)
{
	(void)state;
	each(equal, sizeof(equal) / sizeof(equal[0]));
}

static void by_weights_of_1_and_3(void **state)
{
	(void)state;
	each(weighted, sizeof(weighted) / sizeof(weighted[0]));
}

static void beside_some_that_sleep(void **state)
{
	(void)state;
	each(sleeping, sizeof(sleeping) / sizeof(sleeping[0]));
}

/* All wait for each other and give way before their slices end. Those that are together on one CPU are given to the
 * others all the same. */
static void that_spin(void **state)
{
	static const struct shape spinning = { "8 that spin on 4", 4, { { .vcpus = 8, .spins = true } } };
	uint64_t before[8], began;
	struct vcpu *v;

	(void)state;
	shape = &spinning;
	begin_shape();
	for_each_vcpu(v, bench.vm[0]) {
		v->pin = cpu(v->id != 0);
		bench_on(v->cpu->id);
		if (v->cpu != v->pin)
			vcpu_move(v, v->pin);
	}
	pass(4);
	for_each_vcpu(v, bench.vm[0]) {
		assert_int_equal(v->cpu->id, v->id != 0);
		vcpu_pin(v, NULL);
		before[v->id] = has_run(v);
	}
	began = soft.tsc;
	pass(SLICES);
	for_each_vcpu(v, bench.vm[0]) {
		uint64_t had = (has_run(v) - before[v->id]) * 1000 / (soft.tsc - began);

		if (had < 400 || had > 600)
			fail_msg("virtual CPU %u had %lu thousandths of a CPU, not 500", v->id, had);
	}
	finish();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(by_equal_weights),
		cmocka_unit_test(by_weights_of_1_and_3),
		cmocka_unit_test(beside_some_that_sleep),
		cmocka_unit_test(that_spin),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
