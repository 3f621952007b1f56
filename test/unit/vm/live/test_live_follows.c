/* Moves to another container whose memory follows (post-copy; vm/live/follow.c): that the guest is the same there, by
 * whatever access a page comes; and what is asked meanwhile. */
#include "test/unit/vm/live/following.h"

#include "vm/memory/reclaim.h"

static void move_there(const char *mmu)
{
	move_by("postcopy", mmu);
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

/* ---- what follows ---- */

/* By the guest's accesses, and by those for it; nothing comes twice, or over what was written since. */
static void by_every_access(void **state)
{
	(void)state;
	for (unsigned n = 0; n < 16; n++) {
		const struct live_account *a;

		start_and_move(mechanisms[n % 4], mechanisms[n / 4], "mem 8M\n");
		assert_true(word(3) & ELSEWHERE);
		assert_true(word(5) & ELSEWHERE);
		STEP(far_access(3, false));
		assert_true(word(3) & HERE);
		far_write(vm, 5, "five");
		assert_true(word(5) & HERE);
		assert_string_equal(far_peek(4), "text");
		assert_true(word(4) & HERE);
		assert_true(word(7) & ELSEWHERE);
		audit_memory(vm);
		far_poke(7, "seven");
		assert_true(word(58) & ELSEWHERE);
		assert_true(live_is_double(vm));
		is_over();
		assert_false(live_is_double(vm));
		assert_ptr_equal(bench.vm[0], vm);
		goes_on();
		assert_true(word(58) & HERE);
		has_all(60);
		a = &vm->live.account;
		assert_int_equal(a->count, 1);
		assert_in_range(a->faults, 4, 40);
		assert_true(a->pushed > 50);
		assert_int_equal(a->pages, a->faults + a->pushed);
		assert_int_equal(a->kept, 0);
		assert_true(a->stood && a->stood < a->ticks);
		assert_true(audits());
		audit_memory(vm);
		finish();
	}
}

/* A page that was taken when the container had been made ready already. */
static void taken_late(void **state)
{
	(void)state;
	bench_new(&(struct bench_config){ .mmu = "ept", .description = "mem 8M\n" });
	far_map();
	vm = bench.vm[0];
	begin_by("postcopy", "");
	until_state(LIVE_STOPS);
	far_poke(3, "late");
	it_follows();
	assert_true(word(3) & ELSEWHERE);
	is_over();
	assert_string_equal(far_peek(3), "late");
	finish();
}

/* Zero pages take no memory, and what the guest does without does not follow. */
static void nothing_follows(void **state)
{
	uint64_t resident;

	(void)state;
	start_and_move("ept", "ept", "mem 8M\n");
	assert_true(word(300) & ELSEWHERE);
	reclaim_hold();
	vm_freeze(vm);
	ram_give(vm, page_gfn(9), 1);
	vm_thaw(vm);
	reclaim_let_go();
	assert_int_equal(word(9), 0);
	is_over();
	assert_int_equal(word(300), 0);
	assert_int_equal(word(9), 0);
	assert_true(word(8) & HERE);
	assert_string_equal(far_peek(9), "");
	assert_string_equal(far_peek(300), "");
	resident = ram_resident(vm);
	assert_in_range(resident, 60, 200);
	finish();
}

/* Several CPUs of its own, and of the host. */
static void several_cpus(void **state)
{
	(void)state;
	bench_new(&(struct bench_config){ .mmu = "ept", .description = "mem 8M\nvcpus 3\n", .host_cpus = 3 });
	far_map();
	vm = bench.vm[0];
	fill(60);
	begin_by("postcopy", "");
	it_follows();
	assert_true(word(30) & ELSEWHERE);
	for (unsigned n = 0; state_now() != LIVE_NONE; n++) {
		assert_in_range(n, 0, 3000); /* the old one has its last turns when slices end */
		for (unsigned i = 0; i < 3; i++) {
			bench_on(i);
			soft.tsc = max_u64(soft.tsc, live_turn.due);
			bench.at == BENCH_ENTRY ? bench_slice() : bench_interrupt(VECTOR_KICK);
		}
	}
	bench_on(vm->vcpu[0]->cpu->id);
	goes_on();
	assert_true(word(30) & HERE);
	has_all(5);
	audit_memory(vm);
	finish();
}

/* ---- the guest goes meanwhile, or is asked for ---- */

/* It ends, is destroyed, or begins again, while pages are to come. */
static void ends_meanwhile(void **state)
{
	static const char *const how[] = { "d stop 0\n", "d destroy 0\n", "d reset 0\n" };

	(void)state;
	for (unsigned n = 0; n < 3; n++) {
		bench_new(&(struct bench_config){ .mmu = "ept", .vms = 2, .guest_clock = true });
		begin_by("postcopy", "");
		until_it_follows();
		ask_and_hear(how[n], "");
		for (unsigned i = 0; i < 200 && live_turn.cpu && !said("nothing"); i++) {
			bench_wait(schedule_slice());
			bench_timer();
		}
		assert_int_equal(live_turn.cpu, 0);
		for (unsigned i = 0; i < 20 && !said("done d ok\n"); i++)
			bench_timer();
		assert_true(said("done d ok\n"));
		assert_true(n == 2 ? !!vm_at(0) : !vm_at(0) || vm_at(0)->ended);
		if (n == 1)
			ask_and_hear("a start 0\n", "done a ok\n");
		ask_and_hear("s move 0 show\n", n ? "done s error test0 was not moved: it has ended before all" :
			     "done s error test0 is over");
		bench.vm[0] = vm_at(0);
		finish();
	}
}

static void refused(void **state)
{
	(void)state;
	bench_new(&(struct bench_config){ .mmu = "ept", .description = "prealloc on\n" });
	ask_and_hear("1 move 0 postcopy\n", "done 1 error test0 was not moved: its RAM is taken at once (prealloc),");
	begin_by("begin", "");
	is_over();
	finish();
	start_and_move("ept", "ept", "mem 8M\n");
	ask_and_hear("2 move 0 cancel\n", "done 2 error the move of test0 cannot be called off: it runs in its new");
	ask_and_hear("3 move 0 begin\n", "done 3 error test0 was not moved: test0 is being moved; one is at a time;");
	ask_and_hear("4 audit 0\n", "\"audit\":\"ok\"");
	/* All else may be asked. */
	ask_and_hear("5 mmu 0 shadow\n", "done 5 ok\n");
	ask_and_hear("6 dirty 0 on\n", "done 6 ok\n");
	far_poke(5, "five");
	is_over();
	has_all(7);
	ask_and_hear("7 dirty 0 off\n", "done 7 ok\n");
	assert_string_equal(vm->mmu.ops->name, "shadow");
	finish();
}

/* Called off in whatever step before: it goes on as it was, with all of its pages. */
static void called_off(void **state)
{
	(void)state;
	for (enum live_state at = LIVE_BEGINS; at <= LIVE_HANDS; at++) {
		uint64_t frames;

		bench_new(&(struct bench_config){ .mmu = "ept", .description = "mem 8M\n" });
		far_map();
		vm = bench.vm[0];
		fill(60);
		frames = frames_available() + mmu_table_pages(&vm->mmu);
		begin_by("postcopy", "vtlb");
		until_state(at);
		ask_and_hear("c move 0 cancel\n", "done c ok\n");
		until_state(LIVE_NONE);
		assert_ptr_equal(vm_at(0), vm);
		assert_int_equal(frames_available() + mmu_table_pages(&vm->mmu), frames);
		goes_on();
		has_all(5);
		assert_int_equal(vm->dirty.user, DIRTY_NOBODY);
		finish();
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(under_every_mechanism), cmocka_unit_test(in_every_mode),
		cmocka_unit_test(by_every_access), cmocka_unit_test(taken_late), cmocka_unit_test(nothing_follows),
		cmocka_unit_test(ends_meanwhile), cmocka_unit_test(refused), cmocka_unit_test(called_off),
		cmocka_unit_test(several_cpus),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
