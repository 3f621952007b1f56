/* Moves to another container (vm/live/) that are refused, or fail in whatever step: the old container goes on as it
 * was, and nothing of the new one is left. */
#include "test/unit/vm/live/moving.h"

static void is_as_it_was(uint64_t frames, const struct vm *vm, const char *why)
{
	goes_on();
	assert_ptr_equal(vm_at(0), vm);
	if (!said(why))
		fail_msg("no \"%s\" in: %s", why, bench_log());
	assert_int_equal(frames_available() + mmu_table_pages(&vm->mmu), frames);
	assert_int_equal(vm->dirty.user, DIRTY_NOBODY);
	assert_int_equal(bench.at, BENCH_ENTRY);
	again();
}

/* At whatever step it is called off, the old one goes on. */
static void called_off(void **state)
{
	uint64_t frames;

	(void)state;
	for (enum live_state at = LIVE_BEGINS; at <= LIVE_HANDS; at++) {
		bench_new(&(struct bench_config){ .mmu = "ept", .tpr = "flexpriority" });
		assert_true(bench_mode(BENCH_LONG64, 0));
		frames = frames_available() + mmu_table_pages(&bench.vm[0]->mmu);
		remember();
		begin_move("shadow");
		until_state(at);
		ask_and_hear("c move 0 cancel\n", "done c ok\n");
		until_state(LIVE_NONE);
		ask_and_hear("s move 0 show\n", "done s error test0 was not moved: that was called off; it goes on as");
		assert_int_equal(bench.vm[0]->tpr.method, CONFIG_TPR_FLEXPRIORITY);
		is_as_it_was(frames, bench.vm[0], "called off");
		finish();
	}
}

static void refused(void **state)
{
	(void)state;
	bench_new(&(struct bench_config){ .mmu = "ept" });
	assert_true(bench_mode(BENCH_LONG64, 0));
	ask_and_hear("0 move 0 show\n", "done 0 error test0 has not been moved\n");
	ask_and_hear("1 move 0 begin nonsense\n", "done 1 error test0 was not moved: there is no such mechanism;");
	ask_and_hear("2 move 0 begins\n", "done 2 error it is: move VM begin [MECHANISM], postcopy [MECHANISM], show");
	ask_and_hear("3 move 0 show x\n", "done 3 error it is: move VM begin [MECHANISM], postcopy [MECHANISM], show");
	ask_and_hear("4 move 0 begin npt\n", "done 4 error test0 was not moved: ");
	ask_and_hear("5 dirty 0 on\n", "done 5 ok\n");
	begin_move("");
	until_state(LIVE_NONE);
	ask_and_hear("6 move 0 show\n", "done 6 error test0 was not moved: it is watched: \"dirty VM off\" ends that;");
	ask_and_hear("7 dirty 0 off\n", "done 7 ok\n");
	bench.vm[0]->debug.attached = true;
	ask_and_hear("8 move 0 begin\n", "done 8 ok\n");
	until_state(LIVE_NONE);
	ask_and_hear("9 move 0 show\n", "done 9 error test0 was not moved: a debugger is attached to it; it goes");
	bench.vm[0]->debug.attached = false;
	ask_and_hear("10 save 0 begin\n", "done 10 ok\n");
	ask_and_hear("11 move 0 begin\n", "done 11 ok\n");
	until_state(LIVE_NONE);
	ask_and_hear("12 move 0 show\n", "done 12 error test0 was not moved: a snapshot of it is being taken, or has");
	ask_and_hear("13 save 0 end\n", "done 13 ok\n");
	begin_move("");
	until_state(LIVE_COPIES);
	ask_and_hear("16 dirty 0 on\n", "done 16 error the memory of test0 cannot be watched: its memory is being");
	ask_and_hear("14 move 0 begin\n", "done 14 error test0 was not moved: test0 is being moved; one is at a time;");
	ask_and_hear("15 save 0 end\n", "done 15 error no snapshot of test0 can be taken: it is being moved\n");
	ask_and_hear("17 mmu 0 shadow\n", "done 17 error test0 is being moved, and stays as it is until then\n");
	is_over();
	goes_on();
	finish();
}

/* It is stopped: nothing of the move is left before the next thing is asked. */
static void stopped(void **state)
{
	(void)state;
	for (enum live_state at = LIVE_BEGINS; at <= LIVE_HANDS; at++) {
		bench_new(&(struct bench_config){ .mmu = "ept", .vms = 2, .guest_clock = true });
		begin_move("");
		until_state(at);
		vm_end(bench.vm[0], VM_STATUS_OK, "over");
		next_step();
		assert_int_equal(state_now(), LIVE_DROPS);
		until_state(LIVE_NONE);
		finish();
	}
}

/* It ends meanwhile, or is destroyed and begins again. */
static void ends_meanwhile(void **state)
{
	(void)state;
	for (enum live_state at = LIVE_BEGINS; at <= LIVE_HANDS; at++) {
		bench_new(&(struct bench_config){ .mmu = "ept", .vms = 2, .guest_clock = true });
		begin_move("");
		until_state(at);
		ask_and_hear("d destroy 0\n", "");
		for (unsigned n = 0; n < 200 && live_turn.cpu; n++)
			bench_interrupt(VECTOR_KICK);
		assert_int_equal(live_turn.cpu, 0);
		for (unsigned n = 0; n < 20 && !said("done d ok\n"); n++)
			bench_timer();
		assert_true(said("done d ok\n"));
		assert_null(vm_at(0));
		ask_and_hear("a start 0\n", "done a ok\n");
		ask_and_hear("s move 0 show\n", "done s error test0 was not moved: it has ended\n");
		bench.vm[0] = vm_at(0);
		finish();
	}
}

static void a_debugger_comes(void **state)
{
	(void)state;
	bench_new(&(struct bench_config){ .mmu = "ept" });
	begin_move("");
	until_state(LIVE_HANDS);
	bench.vm[0]->debug.attached = true;
	until_state(LIVE_NONE);
	bench.vm[0]->debug.attached = false;
	assert_ptr_equal(vm_at(0), bench.vm[0]);
	ask_and_hear("s move 0 show\n", "a debugger is attached to it");
	goes_on();
	finish();
}

/* It is paused, and stays so; or it is asked to be, or to go on, while it stands. */
static void paused(void **state)
{
	(void)state;
	for (unsigned way = 0; way < 5; way++) {
		bench_new(&(struct bench_config){ .mmu = "ept" });
		assert_true(bench_mode(BENCH_LONG64, 0));
		if (way & 1 || way == 4)
			ask_and_hear("p pause 0\n", "done p ok\n");
		begin_move("");
		until_state(LIVE_RESTS);
		ask_and_hear("l list\n", way & 1 || way == 4 ? "\"state\":\"paused\"" : "\"state\":\"running\"");
		if (way & 2)
			ask_and_hear(way & 1 ? "r resume 0\n" : "r pause 0\n", "done r ok\n");
		assert_true(bench.vm[0]->paused);
		if (way == 4)
			ask("c move 0 cancel\n");
		is_over();
		goes_on();
		if (way == 4) {
			assert_true(bench.vm[0]->paused);
			finish();
			break;
		}
		assert_int_equal(bench.vm[0]->paused, way == 1 || way == 2);
		assert_int_equal(bench.at, way == 1 || way == 2 ? BENCH_IDLE : BENCH_ENTRY);
		finish();
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(called_off), cmocka_unit_test(refused), cmocka_unit_test(ends_meanwhile),
		cmocka_unit_test(paused), cmocka_unit_test(a_debugger_comes), cmocka_unit_test(stopped),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
