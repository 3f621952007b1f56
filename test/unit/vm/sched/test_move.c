/* Virtual CPUs that move from CPU to CPU: how (vm/sched/queue.c), of themselves (vm/sched/balance.c), and what share of
 * the CPUs each has (SC4). Each CPU of the bench has a run loop of its own. */
#include "test/unit/vm/sched/cpus.h"

/* How many of so many slices each virtual machine had, on all CPUs. */
static void count_slices(unsigned slices, unsigned *had)
{
	memset(had, 0, BENCH_VMS_MAX * sizeof(*had));
	for (unsigned i = 0; i < slices; i++) {
		slice();
		for (unsigned n = 0; n < soft.cpus; n++) {
			struct vcpu *v = runs_on(n);

			if (v)
				had[v->vm->id]++;
		}
	}
}

/* ---- a move ---- */

static void there_and_back(void **state)
{
	struct vcpu *v;

	(void)state;
	begin(2, 1);
	v = vcpu_of(0);
	vmcs_put(VMCS_GUEST_RIP, 0x1234);
	for (unsigned n = 1; n < 5; n++) {
		unsigned from = !(n & 1), to = n & 1, flushes = bench.invvpids + bench.invepts;

		bench.kicks[to] = 0;
		bench_on(from);
		vcpu_move(v, cpu(to));
		assert_ptr_equal(v->cpu, cpu(from));
		assert_int_equal(bench_exit_simple(EXIT_CPUID, 0), BENCH_IDLE);
		assert_ptr_equal(v->cpu, cpu(to));
		assert_null(cpu(from)->loaded);
		assert_null(cpu(from)->resident);
		assert_null(cpu(from)->run_queue);
		STEP(kicked(to));
		assert_ptr_equal(bench.v, v);
		assert_int_equal(vmcs_get(VMCS_GUEST_RIP), 0x1234);
		assert_int_equal(vmcs_get(VMCS_HOST_GS_BASE), (uintptr_t)cpu(to));
		assert_int_equal(v->moves, n);
		assert_int_equal(v->vm->mmu.counters.migrations, n);
		assert_true(bench.invvpids + bench.invepts > flushes);
		assert_null(v->move_to);
	}
	finish();
}

/* On a machine with one CPU: all of it, the flush and its reason, too. */
static void to_the_same(void **state)
{
	struct vcpu *v;

	(void)state;
	begin(1, 1);
	v = vcpu_of(0);
	((struct vm_config *)(uintptr_t)v->vm->config)->migrate_every = 1000000;
	for (unsigned n = 1; n < 4; n++) {
		vcpu_move(v, cpu(0));
		STEP(bench_exit_simple(EXIT_CPUID, 0));
		assert_int_equal(v->moves, n);
		assert_int_equal(v->vm->mmu.counters.migrations, n);
		assert_int_equal(v->vm->mmu.counters.invvpid_for_migration, n);
		assert_int_equal(v->vm->mmu.counters.invvpid_for_creation, 0);
	}
	finish();
}

/* CQ1: what is asked of it on its way is seen where it arrives; its timers are looked at there. */
static void requests_on_the_way(void **state)
{
	struct vcpu *v;
	unsigned kicks;

	(void)state;
	begin(2, 1);
	v = vcpu_of(0);
	deadline_in(20000);
	assert_int_equal(bench_exit_simple(EXIT_HLT, 1), BENCH_IDLE);
	vcpu_move(v, cpu(1));
	assert_ptr_equal(v->cpu, cpu(1));
	kicks = bench.kicks[1];
	vcpu_request(v, REQUEST_EVENT);
	assert_int_equal(bench.kicks[1], kicks + 1);
	assert_int_equal(kicked(1), BENCH_IDLE);
	assert_int_equal(v->requests, 0);
	assert_in_range(cpu(1)->timer_armed, 1, soft.tsc + 20000);
	STEP(bench_timer());
	EXPECT_EVENT(INFO(EVENT_TYPE_EXTERNAL, DEADLINE_VECTOR), 0);
	assert_int_equal(vmcs_get(VMCS_HOST_GS_BASE), (uintptr_t)cpu(1));
	finish();
}

/* Sent on before the CPU has looked that it was sent to. */
static void on_its_way(void **state)
{
	struct vcpu *v;

	(void)state;
	begin(3, 1);
	v = vcpu_of(0);
	vcpu_move(v, cpu(1));
	assert_int_equal(bench_exit_simple(EXIT_CPUID, 2), BENCH_IDLE);
	bench_on(1);
	vcpu_move(v, cpu(2));
	assert_ptr_equal(v->cpu, cpu(1));
	assert_int_equal(kicked(1), BENCH_IDLE);
	assert_ptr_equal(v->cpu, cpu(2));
	bench_on(2);
	vcpu_move(v, cpu(0));
	vcpu_move(v, cpu(2)); /* no, here */
	STEP(kicked(2));
	assert_ptr_equal(bench.v, v);
	assert_int_equal(v->moves, 2);
	assert_null(v->move_to);
	finish();
}

/* Who comes to a CPU whose own have had much more, or much less, is put near them. */
static void who_comes_is_near(void **state)
{
	struct vcpu *v, *w;
	uint64_t apart = 4 * schedule_slice();

	(void)state;
	begin(2, 2);
	apart = 4 * schedule_slice();
	for (unsigned before = 0; before < 2; before++) {
		v = runs_on(0);
		if (!runs_on(1))
			STEP(kicked(1));
		w = runs_on(1);
		assert_non_null(w);
		cpu(1)->fair_floor = 100 * schedule_slice();
		bench_on(0);
		vcpu_move(v, cpu(1));
		v->fair = before ? 1000 * schedule_slice() : 0;
		assert_int_equal(bench_exit_simple(EXIT_CPUID, 0), BENCH_IDLE);
		bench_on(1);
		if (before)
			v->fair = 1000 * schedule_slice();
		cpus_idle = (struct cpuset){ { 0 } };
		STEP(bench_interrupt(VECTOR_KICK));
		assert_in_range(v->fair, 100 * schedule_slice() - apart, 100 * schedule_slice() + apart);
		/* The one that was alone shares the CPU from now on. */
		assert_in_range(cpu(1)->timer_armed, 0, soft.tsc + schedule_slice());
		vcpu_move(v, cpu(0));
		v->move_to = NULL;
		bench_on(0);
		STEP(bench_interrupt(VECTOR_KICK));
	}
	finish();
}

/* ---- of themselves ---- */

/* BA1. */
static void idle_cpus_get_what_waits(void **state)
{
	(void)state;
	begin(3, 3);
	assert_int_equal(bench.kicks[1], 1);
	assert_int_equal(bench.kicks[2], 1);
	STEP(kicked(1));
	STEP(kicked(2));
	assert_ptr_not_equal(runs_on(0)->vm, runs_on(1)->vm);
	assert_ptr_not_equal(runs_on(1)->vm, runs_on(2)->vm);
	assert_ptr_not_equal(runs_on(2)->vm, runs_on(0)->vm);
	assert_false(cpuset_any(&cpus_idle));
	finish();
}

/* BA1: it asks; at the exit for that kick, or once a slice. */
static void who_goes_to_sleep_asks(void **state)
{
	struct vcpu *v;

	(void)state;
	for (unsigned by_kick = 0; by_kick < 2; by_kick++) {
		begin(2, 3);
		assert_int_equal(bench.kicks[1], 1);
		STEP(kicked(1));
		v = bench.v;
		bench.kicks[0] = bench.kicks[1] = 0;
		deadline_in(1000000000);
		assert_int_equal(bench_exit_simple(EXIT_HLT, 1), BENCH_IDLE);
		assert_int_equal(bench.kicks[0], 1);
		bench_on(0);
		bench.v->host_turn = by_kick ? UINT64_MAX : 0;
		STEP(bench_exit(&(struct bench_exit){ .reason = by_kick ? EXIT_EXTERNAL_INTERRUPT : EXIT_CPUID,
						      .info = INFO(EVENT_TYPE_EXTERNAL, VECTOR_KICK) }));
		assert_int_equal(bench.kicks[1], 1);
		STEP(kicked(1));
		assert_ptr_not_equal(bench.v, v);
		finish();
	}
}

/* BA1: it is given as soon as another is chosen. */
static void a_choice_gives_the_rest(void **state)
{
	(void)state;
	begin(2, 4);
	for (unsigned n = 0; n < 4; n++)
		vcpu_of(n)->host_turn = UINT64_MAX;
	STEP(kicked(1));
	bench.kicks[1] = 0;
	vmcs_put(VMCS_GUEST_RFLAGS, RFLAGS_FIXED | RFLAGS_IF);
	assert_int_equal(bench_exit_simple(EXIT_HLT, 1), BENCH_IDLE);
	bench_on(0);
	vmcs_put(VMCS_GUEST_RFLAGS, RFLAGS_FIXED | RFLAGS_IF);
	STEP(bench_exit_simple(EXIT_HLT, 1));
	assert_int_equal(bench.kicks[1], 1);
	STEP(kicked(1));
	finish();
}

/* BA4. */
static void who_is_pinned_stays(void **state)
{
	(void)state;
	begin(2, 2);
	STEP(kicked(1));
	vcpu_pin(runs_on(1), cpu(0));
	assert_int_equal(bench_exit_simple(EXIT_CPUID, 2), BENCH_IDLE);
	bench_on(0);
	vcpu_pin(runs_on(0), cpu(0));
	for (unsigned n = 0; n < 20; n++) {
		slice();
		assert_null(runs_on(1));
		assert_non_null(runs_on(0));
	}
	vcpu_pin(vcpu_of(0), NULL);
	slice();
	assert_ptr_equal(vcpu_of(0)->cpu, cpu(1));
	finish();
}

/* BA2. */
static void three_on_two(void **state)
{
	unsigned had[BENCH_VMS_MAX], moves = 0;

	(void)state;
	begin(2, 3);
	count_slices(300, had);
	for (unsigned n = 0; n < 3; n++) {
		assert_in_range(had[n], 185, 215);
		moves += (unsigned)vcpu_of(n)->moves;
	}
	assert_in_range(moves, 10, 150);
	finish();
}

/* A slice ends on CPU n; the other one's has half to go, and finds who has come. */
static void slice_ends_on(unsigned n)
{
	bench_wait(schedule_slice() / 2);
	bench_on(n);
	STEP(bench_interrupt(VECTOR_TIMER));
	bench_on(!n);
	STEP(bench_interrupt(VECTOR_KICK));
}

/* Does v have a turn soon, on CPUs whose slices end in turn? */
static bool has_a_turn(const struct vcpu *v)
{
	for (unsigned n = 0; n < 5; n++) {
		slice_ends_on(n & 1);
		if (runs_on(0) == v || runs_on(1) == v)
			return true;
	}
	return false;
}

/* BA2: who is far behind those of both CPUs is given to one of them and not back. */
static void who_has_come_has_a_turn(void **state)
{
	struct vcpu *v = NULL;

	(void)state;
	begin(2, 6);
	bench_on(1);
	STEP(bench_interrupt(VECTOR_KICK));
	for (unsigned n = 0; n < 20; n++)
		slice_ends_on(n & 1);
	for (unsigned n = 0; n < 6; n++)
		if (vcpu_of(n) != runs_on(0) && vcpu_of(n) != runs_on(1))
			v = vcpu_of(n);
	v->fair = 0;
	assert_true(has_a_turn(v));
	finish();
}

/* BA2: what one did not use while it slept gives it to nobody. Beside two others on each CPU. */
static void who_slept_has_its_turn_there(void **state)
{
	struct vcpu *v;
	uint64_t moves;

	(void)state;
	begin(2, 5);
	v = vcpu_of(4);
	for (unsigned n = 0; n < 4; n++) {
		bench_on(vcpu_of(n)->cpu->id);
		vcpu_pin(vcpu_of(n), cpu(n & 1));
	}
	bench_on(1);
	STEP(bench_interrupt(VECTOR_KICK));
	for (unsigned n = 0; runs_on(0) != v && runs_on(1) != v; n++)
		slice_ends_on(n & 1);
	deadline_in(100 * schedule_slice());
	STEP(bench_exit_simple(EXIT_HLT, 1));
	for (unsigned n = 0; n < 80; n++)
		slice_ends_on(n & 1);
	moves = v->moves;
	assert_true(v->halted);
	vcpu_signal_nmi(v);
	assert_true(has_a_turn(v));
	assert_int_equal(v->moves, moves);
	finish();
}

/* BA3. */
static void what_cannot_be_used_is_not_saved(void **state)
{
	unsigned had[BENCH_VMS_MAX];

	(void)state;
	begin(2, 3);
	STEP(kicked(1));
	bench.v->vm->weight = CONFIG_WEIGHT_MAX;
	vcpu_pin(bench.v, cpu(1));
	for (unsigned n = 0; n < 3; n++)
		if (vcpu_of(n)->cpu == cpu(0)) {
			bench_on(0);
			vcpu_pin(vcpu_of(n), cpu(0));
		}
	count_slices(100, had);
	assert_true(runs_on(1)->fair + 4 * schedule_slice() > cpu(0)->fair_least);
	finish();
}

/* ---- shares ---- */

/* SC4. */
static void by_weight(void **state)
{
	unsigned had[BENCH_VMS_MAX];

	(void)state;
	begin(1, 2);
	bench.vm[1]->weight = 300;
	count_slices(400, had);
	assert_in_range(had[0], 90, 110);
	assert_in_range(had[1], 290, 310);
	bench.vm[1]->weight = 50;
	count_slices(300, had);
	assert_in_range(had[0], 190, 210);
	finish();
}

/* SC4: two of them have no more together than one that is alone. */
static void by_machine(void **state)
{
	unsigned had[BENCH_VMS_MAX];

	(void)state;
	begin_with_two(1, 1);
	count_slices(200, had);
	assert_in_range(had[0], 92, 108);
	assert_in_range(had[1], 92, 108);
	finish();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(there_and_back),
		cmocka_unit_test(to_the_same),
		cmocka_unit_test(requests_on_the_way),
		cmocka_unit_test(on_its_way),
		cmocka_unit_test(who_comes_is_near),
		cmocka_unit_test(idle_cpus_get_what_waits),
		cmocka_unit_test(who_goes_to_sleep_asks),
		cmocka_unit_test(a_choice_gives_the_rest),
		cmocka_unit_test(who_is_pinned_stays),
		cmocka_unit_test(three_on_two),
		cmocka_unit_test(who_has_come_has_a_turn),
		cmocka_unit_test(who_slept_has_its_turn_there),
		cmocka_unit_test(what_cannot_be_used_is_not_saved),
		cmocka_unit_test(by_weight),
		cmocka_unit_test(by_machine),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
