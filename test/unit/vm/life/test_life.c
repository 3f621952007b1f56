/* Virtual machines come and go (vm/life/life.c, vm/control/life.c): they begin again after a reset where that is asked
 * for, end for good where it is not, are started, stopped and destroyed by requests, and leave nothing behind. */
#include "test/unit/vm/sched/cpus.h"

#include <stdio.h>

#include "host/device/console.h"
#include "host/memory/frames.h"
#include "lib/ports.h"
#include "vm/life/life.h"

#define LIVES 100

/* The guest resets its machine by the port. */
static enum bench_at reset(void)
{
	*bench_gpr(GPR_RAX) = 6;
	*bench_gpr(GPR_RDX) = PORT_RESET_CONTROL;
	return bench_exit(&(struct bench_exit){ .reason = EXIT_IO_INSTRUCTION,
						.qualification = (uint64_t)PORT_RESET_CONTROL << 16, .length = 1 });
}

static void start_with(const char *description, unsigned vms)
{
	bench_new(&(struct bench_config){ .cpu = BENCH_HASWELL, .mmu = "ept", .vms = vms,
					  .description = description });
	assert_int_equal(bench.at, BENCH_ENTRY);
}

/* Until the next entry: what was begun on the first CPU goes on there. */
static void go_on(enum bench_at at)
{
	for (unsigned n = 0; at == BENCH_IDLE && n < 50; n++)
		at = bench_timer();
	assert_int_equal(at, BENCH_ENTRY);
	assert_null(bench.broken);
}

static void boots_after_a_reset(void **state)
{
	uint64_t free_frames, entry;
	uint8_t byte = 0xa5;

	(void)state;
	start_with("on-reset boot\n", 1);
	free_frames = frames_available();
	entry = bench.entry.rip;
	bench_poke(BENCH_DATA, &byte, 1);
	bench_wait(machine.tsc_hz);
	go_on(reset());
	assert_int_equal(machine.place[0].starts, 2);
	assert_int_equal(bench.entry.rip, entry);
	assert_ptr_equal(bench.v->vm, vm_at(0));
	bench_peek(BENCH_DATA, &byte, 1);
	assert_int_equal(byte, 0);
	assert_int_equal(frames_available(), free_frames);
	assert_true(said("vm 0 end 0 reset (port 0xcf9)"));
	finish();
}

static void ends_with_a_reset(void **state)
{
	(void)state;
	start_with("", 1);
	assert_int_equal(reset(), BENCH_OVER);
	assert_int_equal(machine.place[0].starts, 1);
	bench_delete();
}

static void triple_faults(void **state)
{
	(void)state;
	start_with("on-reset boot\n", 1);
	bench_wait(machine.tsc_hz);
	go_on(bench_exit_simple(EXIT_TRIPLE_FAULT, 0));
	assert_int_equal(machine.place[0].starts, 2);
	finish();
	start_with("", 1);
	assert_int_equal(bench_exit_simple(EXIT_TRIPLE_FAULT, 0), BENCH_OVER);
	assert_int_equal(machine.place[0].status, VM_STATUS_TRIPLE_FAULT);
	bench_delete();
}

static unsigned registers_told(void)
{
	unsigned n = 0;

	for (const char *line = bench_log(); (line = strstr(line, "log test0: virtual CPU 0, rip 0x")); line++)
		n++;
	return n;
}

/* The log has the state of the first eight. */
static void tells_of_triple_faults(void **state)
{
	(void)state;
	start_with("on-reset boot\n", 1);
	for (unsigned n = 1; n < 12; n++) {
		bench_wait(machine.tsc_hz);
		go_on(bench_exit_simple(EXIT_TRIPLE_FAULT, 0));
		assert_int_equal(registers_told(), n < 8 ? n : 8);
	}
	assert_true(said("log test0: exit triple_fault at rip 0x"));
	assert_true(said("log test0: no exception comes again"));
	finish();
}

/* LC3. */
static void waits_before_it_begins_again(void **state)
{
	(void)state;
	start_with("on-reset boot\n", 1);
	machine.place[0].not_before = rdtsc() + machine.tsc_hz;
	assert_int_equal(reset(), BENCH_IDLE);
	assert_int_equal(machine.place[0].starts, 1);
	assert_int_equal(bench_timer(), BENCH_IDLE);
	assert_int_equal(machine.place[0].starts, 1);
	bench_wait(machine.tsc_hz);
	STEP(bench_timer());
	assert_int_equal(machine.place[0].starts, 2);
	finish();
}

/* LC3. Nobody reads the port: what is told of its lives does not fill it, and they go on when that has left. */
static void waits_for_its_account(void **state)
{
	enum bench_at at = BENCH_ENTRY;
	unsigned starts;

	(void)state;
	start_with("on-reset boot\n", 1);
	bench.stalled = true;
	for (unsigned n = 0; at == BENCH_ENTRY && n < 100; n++) {
		bench_wait(machine.tsc_hz);
		at = reset();
		for (unsigned turns = 0; at == BENCH_IDLE && turns < 5; turns++)
			at = bench_timer();
	}
	assert_int_equal(at, BENCH_IDLE);
	starts = machine.place[0].starts;
	assert_in_range(starts, 3, 60);
	assert_true(console_guest_room());
	bench.stalled = false;
	console_flush();
	go_on(bench_timer());
	assert_int_equal(machine.place[0].starts, starts + 1);
	finish();
}

/* Until the answer has come: at exits of who runs. */
static void until_said(const char *text)
{
	for (unsigned n = 0; !said(text) && n < 50; n++) {
		bench_wait(machine.tsc_hz / 100);
		bench_interrupt(VECTOR_TIMER);
	}
	assert_true(said(text));
}

static void requests(void **state)
{
	uint64_t both, one;

	(void)state;
	start_with("", 2);
	both = frames_available();
	ask("a stop 1\n");
	until_said("done a ok\n");
	assert_true(vm_at(1)->settled);
	assert_true(said("vm 1 end 0 stopped by request"));
	ask("b stop 1\n");
	until_said("done b error test1 is over: stopped by request\n");
	ask("c destroy test1\n");
	until_said("done c ok\n");
	assert_null(vm_at(1));
	one = frames_available();
	ask("d dump 1\n");
	until_said("done d error test1 has not been started\n");
	ask("e start 1\n");
	until_said("done e ok\n");
	assert_int_equal(frames_available(), both);
	ask("f start 1\n");
	until_said("done f error test1 runs\n");
	ask("g destroy 1\n");
	until_said("done g ok\n");
	assert_int_equal(frames_available(), one);
	ask("h destroy 1\n");
	until_said("done h error test1 has not been started\n");
	ask("i reset 1\n");
	until_said("done i error test1 has not been started\n");
	finish();
}

static void reset_by_request(void **state)
{
	(void)state;
	start_with("", 2);
	ask("a reset 1\n");
	for (unsigned n = 0; !said("done a ok\n") && n < 200; n++) {
		bench_wait(machine.tsc_hz / 100);
		bench_interrupt(VECTOR_KICK);
	}
	assert_true(said("done a ok\n"));
	assert_int_equal(machine.place[1].starts, 2);
	assert_false(vm_at(1)->ended);
	finish();
}

/* One that was to begin again, and is stopped before it does, does not. */
static void stopped_for_good(void **state)
{
	char request[20];
	unsigned id;

	(void)state;
	start_with("on-reset boot\n", 2);
	id = bench.v->vm->id;
	machine.place[id].not_before = UINT64_MAX;

	reset();
	assert_int_equal(machine.place[id].starts, 1);
	snprintf(request, sizeof(request), "a stop %u\n", id);
	ask(request);
	until_said("done a ok\n");
	assert_true(vm_at(id)->settled);
	finish();
}

/* It is stopped between somebody's first word of its reset and the last one. */
static void stopped_while_it_is_reset(void **state)
{
	(void)state;
	start_with("on-reset boot\n", 2);
	vm_at(1)->ending = true;
	ask("a stop 1\n");
	vm_at(1)->again = true;
	vm_at(1)->ending = false;
	vm_reset(vm_at(1), false, "reset");
	until_said("done a ok\n");
	assert_int_equal(machine.place[1].starts, 1);
	finish();
}

/* A reset by request comes second: what was first is the answer, when it is over. */
static void reset_while_it_ends(void **state)
{
	(void)state;
	start_with("", 2);
	vm_at(1)->ending = true;
	ask("a reset 1\n");
	assert_false(said("done a"));
	vm_at(1)->ending = false;
	vm_end(vm_at(1), VM_STATUS_OK, "powered off");
	until_said("done a error test1 is over: powered off\n");
	finish();
}

/* Who begins has its first turn soon, though another has had the CPU alone. */
static void begins_beside_one_that_runs(void **state)
{
	(void)state;
	start_with("", 2);
	ask("a destroy 1\n");
	until_said("done a ok\n");
	for (unsigned n = 0; n < 5; n++) {
		bench_wait(machine.tsc_hz / 100);
		STEP(bench_interrupt(VECTOR_TIMER));
	}
	assert_int_equal(bench.v->vm->id, 0);
	STEP(ask("b start 1\n"));
	assert_int_equal(bench.v->vm->id, 1);
	finish();
}

/* CPUs are told of who begins on them; the first, of who has ended. */
static void on_two_cpus(void **state)
{
	struct vm *vm;
	unsigned before;

	(void)state;
	begin(2, 2);
	life_hold();
	STEP(kicked(1));
	vm = bench.v->vm;
	before = bench.kicks[0];
	assert_int_equal(bench_exit_simple(EXIT_TRIPLE_FAULT, 0), BENCH_IDLE);
	for (unsigned n = 0; n < 50 && !vm->released; n++)
		bench_interrupt(VECTOR_KICK);
	assert_true(vm->released);
	assert_true(bench.kicks[0] > before);
	bench_on(0);
	bench_interrupt(VECTOR_KICK);
	if (vm->id != 1)
		ask("a stop 1\n");
	for (unsigned n = 0; n < 50 && !vm_at(1)->settled; n++)
		bench_interrupt(VECTOR_KICK);
	before = bench.kicks[1];
	ask("b start 1\n");
	until_said("done b ok\n");
	assert_true(bench.kicks[1] > before);
	life_let_go();
	finish();
}

/* What was typed before it began is there when it has. */
static void input_that_waited(void **state)
{
	(void)state;
	start_with("", 2);
	ask("a destroy 0\n");
	until_said("done a ok\n");
	bench_type(CONSOLE_GUEST, "x", 1);
	bench_interrupt(VECTOR_KICK);
	ask("b start 0\n");
	until_said("done b ok\n");
	assert_int_equal(vm_at(0)->uart.rx_count, 1);
	finish();
}

/* The answer comes before the machine's end. */
static void the_last_one_is_stopped(void **state)
{
	(void)state;
	start_with("", 1);
	ask("a stop 0\n");
	for (unsigned n = 0; bench.at != BENCH_OVER && n < 50; n++)
		bench_interrupt(VECTOR_KICK);
	assert_true(said("done a ok\n"));
	bench_delete();
}

/* A hundred lives leave as many free frames as the first. */
static void a_hundred_lives(void **state)
{
	uint64_t after_first = 0;

	(void)state;
	start_with("", 2);
	for (unsigned n = 0; n < LIVES; n++) {
		char request[64], answer[32];

		snprintf(request, sizeof(request), "d%u destroy 1\n", n);
		snprintf(answer, sizeof(answer), "done d%u ok\n", n);
		ask(request);
		until_said(answer);
		if (n == 0)
			after_first = frames_available();
		assert_int_equal(frames_available(), after_first);
		snprintf(request, sizeof(request), "s%u start 1\n", n);
		snprintf(answer, sizeof(answer), "done s%u ok\n", n);
		ask(request);
		until_said(answer);
	}
	assert_int_equal(machine.place[1].starts, LIVES + 1);
	finish();
}

/* It is not made with the machine, but on request. */
static void begins_on_request(void **state)
{
	(void)state;
	start_with("start off\n", 2);
	ask("a destroy 0\nb destroy 1\nc start 0\n");
	until_said("done c ok\n");
	assert_null(vm_at(1));
	life_begin();
	assert_null(vm_at(1));
	assert_int_equal(machine.place[0].starts, 2);
	finish();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(boots_after_a_reset),
		cmocka_unit_test(ends_with_a_reset),
		cmocka_unit_test(triple_faults), cmocka_unit_test(tells_of_triple_faults),
		cmocka_unit_test(waits_before_it_begins_again), cmocka_unit_test(waits_for_its_account),
		cmocka_unit_test(requests),
		cmocka_unit_test(reset_by_request),
		cmocka_unit_test(stopped_for_good),
		cmocka_unit_test(begins_beside_one_that_runs),
		cmocka_unit_test(on_two_cpus),
		cmocka_unit_test(input_that_waited),
		cmocka_unit_test(stopped_while_it_is_reset),
		cmocka_unit_test(reset_while_it_ends),
		cmocka_unit_test(the_last_one_is_stopped),
		cmocka_unit_test(a_hundred_lives),
		cmocka_unit_test(begins_on_request),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
