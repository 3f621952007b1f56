/* Pages that are in another container yet (vm/memory/ram_elsewhere.c): whose their frames and places are, and two that
 * want one. */
#include <pthread.h>
#include <unistd.h>

#include "test/unit/vm/live/following.h"
#include "test/unit/vm/memory/shortage.h"
#include "vm/memory/owner.h"
#include "vm/memory/packed.h"
#include "vm/memory/reclaim.h"
#include "vm/seam.h"

/* EL4: the old container's frames go as they are copied: of a block in one piece at once, else one by one. */
static void frames_come_back(void **state)
{
	uint64_t free = 0;

	(void)state;
	for (unsigned small = 0; small < 2; small++) {
		start_and_move("ept", "ept", "mem 8M\n");
		if (small) {
			is_over();
			begin_by("postcopy", "");
			it_follows();
			free = frames_available();
			assert_string_equal(far_peek(3), "text");
			assert_in_range(frames_available(), free - 1, free + 1);
			assert_int_equal(word_now(ram_of(old, GFN(0)), page_gfn(3)), 0);
		} else {
			while (is_one_piece(ram_of(old, GFN(0)), 2)) {
				assert_int_equal(state_now(), LIVE_FOLLOWS);
				free = frames_available();
				next_step();
			}
			assert_in_range(frames_available(), free + 512 - 16 - 2, free + 600);
		}
		is_over();
		has_all(3);
		finish();
	}
}

/* Where there is no frame for a copy they keep theirs. */
static void keeps_frames(void **state)
{
	(void)state;
	taken_count = 0;
	for (unsigned n = 0; n < ARRAY_SIZE(mechanisms); n++) {
		hfn_t there;

		start_and_move("ept", mechanisms[n], "mem 8M\n");
		there = ram_frame(ram_of(old, GFN(0)), page_gfn(6));
		take_all_but(RAM_KEPT);
		assert_string_equal(far_peek(6), "text");
		assert_int_equal(ram_frame(far, page_gfn(6)).v, there.v);
		audit_memory(vm);
		is_over();
		has_all(5);
		assert_true(vm->live.account.kept >= 1);
		audit_memory(vm);
		give_taken_back();
		goes_on();
		finish();
	}
}

/* A block in one piece of which some has been copied when there are no more frames: that is free at once. */
static void kept_in_its_middle(void **state)
{
	uint64_t free;

	(void)state;
	taken_count = 0;
	start_and_move("ept", "ept", "mem 8M\n");
	assert_string_equal(far_peek(6), "text");
	assert_string_equal(far_peek(8), "text");
	assert_true(is_one_piece(ram_of(old, GFN(0)), 2));
	take_all_but(RAM_KEPT);
	free = frames_available();
	assert_string_equal(far_peek(7), "text");
	assert_int_equal(word_now(ram_of(old, GFN(0)), page_gfn(6)), 0);
	assert_int_equal(word_now(ram_of(old, GFN(0)), page_gfn(8)), 0);
	assert_in_range(frames_available(), free, free + 64); /* two for words */
	audit_memory(vm);
	give_taken_back();
	is_over();
	has_all(5);
	audit_memory(vm);
	goes_on();
	finish();
}

/* ---- who is entitled to what meanwhile (RA4) ---- */

static uint64_t may_take(const struct vm *of)
{
	uint64_t frames = 0;

	while (frames < 5000 && share_allows(of, frames + 1))
		frames++;
	return frames;
}

static struct vm *start_two(void)
{
	bench_new(&(struct bench_config){ .cpu = BENCH_HASWELL, .mmu = "ept", .description = "mem 8M\n", .vms = 2 });
	vm = bench.vm[0];
	for (unsigned page = 0; page < 60; page++)
		far_write(vm, page, "text");
	taken_count = 0;
	return bench.vm[1];
}

/* Two containers of a guest have one share: a neighbour may take what it could, but for what the second one is made
 * of. */
static uint64_t frames_of_all(const struct vm *other)
{
	const struct vm *here = vm_at(0);

	return frames_available() + ram_resident(other) + ram_resident(here) + (here != vm ? ram_resident(vm) : 0);
}

static void one_share_for_two(void **state)
{
	uint64_t could, all;
	struct vm *other;

	(void)state;
	other = start_two();
	take_all_but(RAM_KEPT + 2100);
	could = may_take(other);
	all = frames_of_all(other);
	assert_in_range(could, 1000, 1800);
	begin_by("postcopy", "");
	assert_in_range(may_take(other), could - (all - frames_of_all(other)), could);
	until_it_follows();
	assert_ptr_not_equal(vm_at(0), vm);
	assert_in_range(may_take(other), could - (all - frames_of_all(other)), could);
	assert_int_equal(may_take(vm_at(0)), may_take(vm));
	give_taken_back();
	is_over();
	assert_true(far_holds(vm_at(0), 5, "text"));
	finish();
}

/* Words for what is to follow are not taken from what a neighbour is entitled to: the guest stays where it is. */
static void no_words_for_it(void **state)
{
	struct live_told told;
	struct vm *other;

	(void)state;
	other = start_two();
	begin_by("postcopy", "");
	while (share_allows(vm, 1))
		take_all_but(frames_available() - 1);
	assert_true(share_allows(other, 100));
	is_over();
	assert_true(live_tell(vm, &told));
	assert_true(told.failed);
	assert_string_equal(told.why, "there is no memory to tell of its pages");
	assert_ptr_equal(vm_at(0), vm);
	give_taken_back();
	goes_on();
	assert_true(far_holds(vm, 5, "text"));
	audit_memory(vm);
	finish();
}

/* What follows is there when the old container has been released, and no step has been made since it was left. */
static void kept_beyond_release(void **state)
{
	uint64_t due;

	(void)state;
	start_and_move("ept", "ept", "mem 8M\n");
	due = live_turn.due;
	live_turn.due = UINT64_MAX / 2;
	for (unsigned n = 0; n < 100 && !old->released; n++)
		bench.at == BENCH_ENTRY ? bench_slice() : bench_interrupt(VECTOR_KICK);
	assert_true(old->released);
	assert_int_equal(state_now(), LIVE_FOLLOWS);
	assert_ptr_equal(ram_of(old, GFN(0))->vm, old);
	assert_true(word(3) & ELSEWHERE);
	assert_string_equal(far_peek(3), "text");
	live_turn.due = due;
	is_over();
	goes_on();
	has_all(5);
	finish();
}

/* Two CPUs want the same page: it comes once, and what the first has written stays. */
static void the_other_fetches(void)
{
	bench_seam = NULL;
	far_write(vm, 5, "five");
}

static void wanted_by_two(void **state)
{
	(void)state;
	start_and_move("ept", "ept", "mem 8M\n");
	bench_seam = the_other_fetches;
	assert_string_equal(far_peek(5), "five");
	assert_null(bench_seam);
	is_over();
	goes_on();
	has_all(7);
	audit_memory(vm);
	finish();
}

static void once_it_has_come_out(void)
{
	static unsigned times;

	if (times++ % 2 == 0) /* the first one is of the look that finds it out */
		return;
	the_other_fetches();
}

static void the_guest_gives_it(void)
{
	static unsigned times;

	if (times++ % 2 == 0)
		return;
	bench_seam = NULL;
	ram_forget_elsewhere(far, page_gfn(5));
}

static void out_for_two(void **state)
{
	(void)state;
	start_with_out("ept", 60, 5, 1);
	begin_by("postcopy", "ept");
	it_follows();
	bench_seam = the_guest_gives_it;
	assert_string_equal(far_peek(5), "");
	assert_null(bench_seam);
	is_over();
	assert_int_equal(swap_room(), PLACES);
	finish();
	start_with_out("ept", 60, 5, 1);
	begin_by("postcopy", "ept");
	it_follows();
	bench_seam = once_it_has_come_out;
	assert_string_equal(far_peek(5), "five");
	assert_null(bench_seam);
	is_over();
	goes_on();
	has_all(7);
	audit_memory(vm);
	assert_int_equal(swap_room(), PLACES);
	finish();
}

/* What comes page by page is put together again when all of it is used. */
static void put_together(void **state)
{
	(void)state;
	start_and_move("ept", "ept", "mem 8M\n");
	is_over();
	goes_on();
	fill(512);
	for (unsigned n = 0; n < 100 && !is_one_piece(far, 2); n++) {
		bench_wait(machine.tsc_hz / 8);
		bench_timer();
	}
	assert_true(is_one_piece(far, 2));
	has_all(5);
	audit_memory(vm);
	finish();
}

/* A CPU takes pages for the area while the container is left: that waits, and none goes behind it. */
static const struct vm *there_then;

static void *takes_pages(void *ctx)
{
	(void)ctx;
	usleep(50000);
	there_then = vm_at(0);
	reclaim_let_go();
	return NULL;
}

static void reclaimed_meanwhile(void **state)
{
	pthread_t thread;

	(void)state;
	start_under("ept");
	fill(60);
	begin_by("postcopy", "");
	until_state(LIVE_HANDS);
	reclaim_hold();
	there_then = NULL;
	assert_int_equal(pthread_create(&thread, NULL, takes_pages, NULL), 0);
	it_follows();
	pthread_join(thread, NULL);
	assert_ptr_equal(there_then, old);
	is_over();
	has_all(5);
	finish();
}

/* Pages of the old container that are in the area, or packed, are the new one's in the places where they are. */
static void go_with_out(bool packs)
{
	start_described("ept", packs ? "mem 8M\nswap ide1.0\nzpool 1M\n" : "mem 8M\nswap ide1.0\n");
	fill(60);
	age_block();
	begin_to_take(10, 20);
	put_out();
	assert_int_equal(ram_swapped(vm), 20);
	/* These are on their way when it is left. */
	begin_by("postcopy", "shadow");
	until_state(LIVE_HANDS);
	age_block();
	begin_to_take(40, 4);
	bench_disk.slow = true;
	ram_put_out(far, list, going);
	assert_int_equal(swap_is_busy(), !packs);
	it_follows();
	assert_false(swap_is_busy());
	bench_disk.slow = false;
	assert_int_equal(ram_swapped(old), 24);
}

static void out_follows(void **state)
{
	(void)state;
	for (unsigned packs = 0; packs < 2; packs++) {
		go_with_out(packs);
		assert_int_equal(vm->packed, packs ? 24 : 0);
		assert_string_equal(far_peek(12), "text");
		assert_true(word(12) & HERE);
		assert_true(word(13) & (OUT | HERE | ELSEWHERE));
		is_over();
		goes_on();
		assert_true(word(28) & (packs ? OUT : OUT | HERE));
		audit_memory(vm);
		has_all(5);
		for (unsigned page = 10; page < 60; page++)
			assert_string_equal(far_peek(page), "text");
		assert_int_equal(ram_swapped(vm), 0);
		assert_int_equal(vm->packed, 0);
		assert_int_equal(swap_room(), PLACES);
		audit_memory(vm);
		finish();
	}
}

/* It begins again while packed pages of the old container are to come: they are in nobody's account who comes into its
 * place. */
static void out_without_its_guest(void **state)
{
	(void)state;
	go_with_out(true);
	assert_int_equal(vm->packed, 24);
	ask_and_hear("d reset 0\n", "");
	for (unsigned i = 0; i < 200 && (live_turn.cpu || !said("done d ok\n")); i++) {
		bench_wait(schedule_slice());
		bench_timer();
	}
	assert_int_equal(live_turn.cpu, 0);
	assert_true(said("done d ok\n"));
	assert_int_equal(vm_at(0)->packed, 0);
	assert_int_equal(packed_account().pages, 0);
	assert_int_equal(swap_room(), PLACES);
	bench.vm[0] = vm_at(0);
	finish();
}

/* Pages that share a frame share it there; and one that does not any more when it is written. */
static void shared_follow(void **state)
{
	struct owner_sums shared;
	hfn_t there;

	(void)state;
	bench_new(&(struct bench_config){ .mmu = "ept", .description = "mem 8M\nmerge on\n" });
	far_map();
	vm = bench.vm[0];
	fill(6);
	for (unsigned n = 0; n < 600 && owner_shared().pages < 6; n++)
		bench_timer();
	shared = owner_shared();
	assert_int_equal(shared.pages, 6);
	there = ram_frame(ram_of(vm, GFN(0)), page_gfn(2));
	begin_by("postcopy", "shadow");
	it_follows();
	assert_string_equal(far_peek(2), "text");
	assert_int_equal(ram_frame(far, page_gfn(2)).v, there.v);
	assert_int_equal(ram_shared(vm), 1);
	is_over();
	goes_on();
	assert_int_equal(owner_shared().pages, 6);
	assert_int_equal(ram_shared(vm), 6);
	far_poke(5, "five");
	assert_int_equal(owner_shared().pages, 5);
	has_all(6);
	audit_memory(vm);
	finish();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(frames_come_back), cmocka_unit_test(keeps_frames),
		cmocka_unit_test(kept_in_its_middle), cmocka_unit_test(one_share_for_two),
		cmocka_unit_test(no_words_for_it),
		cmocka_unit_test(kept_beyond_release), cmocka_unit_test(wanted_by_two), cmocka_unit_test(out_for_two),
		cmocka_unit_test(put_together), cmocka_unit_test(reclaimed_meanwhile), cmocka_unit_test(out_follows),
		cmocka_unit_test(out_without_its_guest),
		cmocka_unit_test(shared_follow),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
