/* Moves to another container (vm/live/): that the guest is the same there, of whatever mechanism and mode, and that
 * nothing of the old container is left. What is refused: test_live_refused.c. */
#include "test/unit/vm/live/moving.h"

static void move_there(const char *mmu)
{
	move_to(mmu);
	goes_on();
}

static void under_every_mechanism(void **state)
{
	(void)state;
	from_each_to_each(move_there, works_there);
}

static void in_every_mode(void **state)
{
	(void)state;
	of_each_mode(move_there);
}

/* LM1: what is written between its being copied and the end; LM4: while it runs, between the steps. */
static void writes_meanwhile(void **state)
{
	uint64_t at = BENCH_DATA + 0x3000;
	uint32_t number = 0, last = 1;
	unsigned copies = 0;

	(void)state;
	bench_new(&(struct bench_config){ .mmu = "ept", .description = "dirty wp\n" });
	assert_true(bench_mode(BENCH_LONG64, 0));
	bench_poke(BENCH_DATA + 0x7000, &last, sizeof(last));
	begin_move("");
	assert_int_equal(live_pause(soft_percpu(0), 1000), 1000);
	while (state_now() < LIVE_STOPS) {
		number++;
		EXIT(.reason = EXIT_EPT_VIOLATION, .qualification = WRITE_KNOWN, .gpa = at, .gva = at);
		bench_poke(at, &number, sizeof(number));
		bench_poke(BENCH_DATA, &number, sizeof(number));
		copies++;
		next_step();
	}
	assert_true(copies >= 2);
	/* The last that it does, behind the last round, to a page that is not to be copied. */
	last = number + 7;
	bench_poke(BENCH_DATA + 0x7000, &last, sizeof(last));
	/* It runs while it is told to stop. */
	next_step();
	assert_int_equal(state_now(), LIVE_STOPS);
	is_over();
	goes_on();
	bench_peek(at, &copies, sizeof(copies));
	assert_int_equal(copies, number);
	bench_peek(BENCH_DATA, &copies, sizeof(copies));
	assert_int_equal(copies, number);
	bench_peek(BENCH_DATA + 0x7000, &copies, sizeof(copies));
	assert_int_equal(copies, last);
	finish();
}

/* What became zero meanwhile is zero there; what is nothing, or zero, takes no memory there. */
static void zeroes(void **state)
{
	uint8_t page[PAGE_SIZE];
	uint64_t resident;

	(void)state;
	bench_new(&(struct bench_config){ .mmu = "ept", .description = "pages 4k\n" });
	assert_true(bench_mode(BENCH_LONG64, 0));
	memset(page, 0x5a, sizeof(page));
	bench_poke(BENCH_DATA + 0x5000, page, sizeof(page));
	begin_move("");
	while (bench.vm[0]->save.left == 0 || (bench.vm[0]->save.range[0].pending[(BENCH_DATA + 0x5000) >> 18] &
					       BIT((BENCH_DATA + 0x5000) >> PAGE_SHIFT & 63)))
		next_step();
	memset(page, 0, sizeof(page));
	bench_poke(BENCH_DATA + 0x5000, page, sizeof(page));
	is_over();
	goes_on();
	memset(page, 1, sizeof(page));
	bench_peek(BENCH_DATA + 0x5000, page, sizeof(page));
	for (unsigned n = 0; n < sizeof(page); n++)
		assert_int_equal(page[n], 0);
	resident = bench.vm[0]->live.account.used;
	assert_in_range(bench.vm[0]->live.account.pages, 1, 200);
	assert_in_range(resident, 1, 200);
	finish();
}

/* LM2, LM3: all goes back, again and again; the account goes on, and is one. */
static void nothing_is_left(void **state)
{
	uint64_t frames = 0, exits;
	unsigned vpid;

	(void)state;
	bench_new(&(struct bench_config){ .mmu = "ept", .tpr = "apicv" });
	assert_true(bench_mode(BENCH_LONG64, 0));
	mark(2);
	again();
	exits = stats_exit(bench.vm[0], EXIT_CPUID).count;
	vpid = bench.v->mmu.tag.vpid;
	for (unsigned n = 0; n < 8; n++) {
		move_to(mechanisms[n % 2 ? 0 : 1]);
		goes_on();
		again();
		assert_int_equal(bench.vm[0]->tpr.method, CONFIG_TPR_APICV);
		assert_int_equal(stats_exit(bench.vm[0], EXIT_CPUID).count, exits + n + 1);
		assert_int_equal(bench.vm[0]->live.account.count, n + 1);
		if (n == 1)
			frames = frames_available() + mmu_table_pages(&bench.vm[0]->mmu);
	}
	assert_int_equal(frames_available() + mmu_table_pages(&bench.vm[0]->mmu), frames);
	assert_int_not_equal(vpid, 0);
	assert_true(bench.vm[0]->mmu.counters.switches == 0);
	ask_and_hear("p phases 0\n", "\"mechanisms\":{");
	assert_true(answered("p", "\"shadow\":"));
	assert_false(said("vm 0 end"));
	assert_false(said("stat 0 "));
	EXPECT_END((vm_end(bench.vm[0], VM_STATUS_OK, "over"), bench_interrupt(VECTOR_KICK)), "over");
	assert_int_equal(occurrences(bench_log(), "vm 0 end"), 1);
	assert_true(said("stat 0 move.count 8\n"));
	vm_release_all();
	assert_int_equal(frames_available(), machine.frames_before);
}

/* ---- what is the machine's ---- */

static void its_network(void **state)
{
	struct vm_port *port;

	(void)state;
	bench_new(&(struct bench_config){ .mmu = "ept", .description = "net lan\n" });
	assert_true(bench_mode(BENCH_LONG64, 0));
	port = bench.vm[0]->nets[0].port;
	begin_move("");
	until_state(LIVE_COPIES);
	assert_ptr_equal(port->vm, bench.vm[0]);
	ask("c move 0 cancel\n");
	until_state(LIVE_NONE);
	assert_ptr_equal(port->vm, bench.vm[0]);
	goes_on();
	move_to("");
	assert_ptr_equal(port->vm, bench.vm[0]);
	assert_ptr_equal(bench.vm[0]->nets[0].port, port);
	goes_on();
	finish();
}

/* It sleeps, and is woken by its timer; who runs meanwhile makes way for one that is awake. */
static void asleep(void **state)
{
	(void)state;
	begin_under("ept", BENCH_LONG64);
	vmcs_put(VMCS_GUEST_RFLAGS, RFLAGS_FIXED | RFLAGS_IF);
	lapic_mmio_write(&bench.v->lapic, APIC_SVR, 4, SVR_ENABLED | 0xff);
	lapic_mmio_write(&bench.v->lapic, APIC_LVT_TIMER, 4, 0x71);
	lapic_mmio_write(&bench.v->lapic, APIC_TIMER_INITIAL, 4, 500000000);
	assert_int_equal(bench_exit_simple(EXIT_HLT, 1), BENCH_IDLE);
	assert_int_equal(live_pause(soft_percpu(0), 1000), 0);
	move_to("shadow");
	assert_int_equal(bench.at, BENCH_IDLE);
	assert_true(bench.vm[0]->vcpu[0]->halted);
	STEP(bench_timer());
	assert_int_equal(bench.entry.event, INFO(EVENT_TYPE_EXTERNAL, 0x71));
	finish();
	bench_new(&(struct bench_config){ .mmu = "ept", .vms = 2 });
	begin_move("");
	until_state(LIVE_HANDS);
	assert_ptr_equal(bench.v->vm, bench.vm[1]);
	until_state(LIVE_ENDS);
	assert_ptr_equal(bench.v->vm, vm_at(0));
	is_over();
	finish();
}

/* What is recorded of its exits. */
static void its_record(void **state)
{
	struct trace *by;

	(void)state;
	bench_new(&(struct bench_config){ .mmu = "ept" });
	ask_and_hear("1 detail 0 on\n", "done 1 ok\n");
	by = bench.v->traced.by;
	assert_non_null(by);
	move_to("");
	goes_on();
	assert_ptr_equal(bench.v->traced.by, by);
	again();
	ask_and_hear("2 detail 0\n", "done 2 ok\n");
	assert_true(answered("2", "\"cpuid\":"));
	finish();
}

/* A request that is on its way to an old virtual CPU, at another CPU, is answered first. */
static void who_asks(void **state)
{
	(void)state;
	bench_new(&(struct bench_config){ .mmu = "ept", .host_cpus = 2, .guest_clock = true });
	ask_and_hear("p pin 0 1\n", "done p ok\n");
	for (unsigned n = 0; n < 6; n++) {
		bench_on(n % 2);
		bench_interrupt(VECTOR_KICK);
	}
	assert_int_equal(bench.vm[0]->vcpu[0]->cpu->id, 1);
	bench_on(0);
	begin_move("");
	until_state(LIVE_HANDS);
	bench_on(0);
	soft.tsc = max_u64(soft.tsc, live_turn.due);
	ask("a audit 0\n");
	assert_int_equal(state_now(), LIVE_HANDS);
	bench_on(1);
	bench_interrupt(VECTOR_KICK);
	bench_on(0);
	bench_interrupt(VECTOR_KICK);
	assert_true(said("done a ok\n"));
	/* CPU 1 is told of both: the new one goes on, the old one is over. */
	bench.kicks[1] = 0;
	until_state(LIVE_ENDS);
	assert_in_range(bench.kicks[1], 2, 9);
	for (unsigned n = 0; n < 100 && state_now() != LIVE_NONE; n++) {
		bench_on(n % 2);
		soft.tsc = max_u64(soft.tsc, live_turn.due);
		bench_interrupt(VECTOR_KICK);
		if (bench.at == BENCH_ENTRY)
			bench_slice();
	}
	bench.vm[0] = vm_at(0);
	assert_int_equal(state_now(), LIVE_NONE);
	finish();
}

static void what_was_asked(void **state)
{
	(void)state;
	bench_new(&(struct bench_config){ .mmu = "ept" });
	ask_and_hear("p pause 0\n", "done p ok\n");
	begin_move("");
	until_state(LIVE_HANDS);
	virtio_ask(bench.vm[0]);
	is_over();
	assert_true(bench.vm[0]->vcpu[0]->requests & REQUEST_DEVICES);
	finish();
}

/* Its clock stands while it does, and its TSC is of that clock. */
static void its_clock(void **state)
{
	uint64_t then, offset;

	(void)state;
	for (unsigned own = 0; own < 2; own++) {
		bench_new(&(struct bench_config){ .mmu = "ept", .vms = 2, .guest_clock = own });
		begin_move("");
		until_state(LIVE_RESTS);
		then = clock_stopped_now(&bench.vm[0]->clock);
		offset = bench.vm[0]->vcpu[0]->tsc_offset;
		bench_wait(10000000);
		until_state(LIVE_HANDS);
		assert_int_equal(clock_stopped_now(&bench.vm[0]->clock), then);
		until_state(LIVE_ENDS);
		assert_in_range(clock_now(&vm_at(0)->clock) + CLOCK_ENTRY_TICKS - then, 0, 200000);
		assert_int_equal(vm_at(0)->vcpu[0]->tsc_offset, offset);
		is_over();
		finish();
	}
}

/* Several CPUs of its own, and of the host. */
static void several_cpus(void **state)
{
	(void)state;
	bench_new(&(struct bench_config){ .mmu = "ept", .description = "vcpus 3\n", .host_cpus = 3 });
	assert_true(bench_mode(BENCH_LONG64, 0));
	vcpu_signal_sipi(bench.vm[0]->vcpu[2], 0x9a);
	remember();
	begin_move("");
	/* Only where the next step is: none waits for one that the bench lets stand in its guest. */
	until_state(LIVE_ENDS);
	for (unsigned i = 0; i < 3; i++)
		assert_int_equal(vm_at(0)->vcpu[i]->cpu->id, i);
	for (unsigned n = 0; state_now() != LIVE_NONE; n++) {
		assert_in_range(n, 0, 100);
		for (unsigned i = 0; i < 3; i++) {
			bench_on(i);
			soft.tsc = max_u64(soft.tsc, live_turn.due);
			if (bench.at == BENCH_ENTRY)
				bench_slice();
			else
				bench_interrupt(VECTOR_KICK);
		}
	}
	bench.vm[0] = vm_at(0);
	bench_on(bench.vm[0]->vcpu[0]->cpu->id); /* it may have gone on by itself */
	goes_on();
	is_the_same();
	assert_int_equal(vcpu_signals(bench.vm[0]->vcpu[1]), SIGNAL_WAITS);
	assert_int_equal(vcpu_signals(bench.vm[0]->vcpu[2]), 0);
	finish();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(under_every_mechanism), cmocka_unit_test(in_every_mode),
		cmocka_unit_test(writes_meanwhile), cmocka_unit_test(zeroes), cmocka_unit_test(nothing_is_left),
		cmocka_unit_test(its_network), cmocka_unit_test(what_was_asked), cmocka_unit_test(its_clock),
		cmocka_unit_test(several_cpus), cmocka_unit_test(asleep), cmocka_unit_test(its_record),
		cmocka_unit_test(who_asks),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
