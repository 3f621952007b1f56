/* Blocks that are put together again (vm/memory/ram_join.c): which, under each mechanism, and what a device may do in
 * the middle. */
#include "test/unit/vm/memory/out.h"

#include "host/memory/frames.h"
#include "test/unit/vm/memory/shortage.h"
#include "vm/memory/ram_join.h"
#include "vm/memory/ram_inside.h"
#include "vm/seam.h"

#define BLOCK 512u
#define MOVED 40u

/* By the test alone: as if its alarm were armed. */
static void begin(const char *mmu)
{
	start_under(mmu);
	taken_count = 0;
	vm->ram[0].joining.state = JOIN_ARMED;
}

/* JN1. */
static bool join(void)
{
	bool joined;

	reclaim_hold();
	vm_freeze(vm);
	joined = ram_join(far, page_gfn(0));
	vm_thaw(vm);
	reclaim_let_go();
	return joined;
}

static bool in_one_piece(void) { return ram_in_one_piece(far, page_gfn(0)); }

static void split(void)
{
	vm_freeze(vm);
	assert_true(ram_split(far, page_gfn(0)));
	vm_thaw(vm);
}

/* All pages of the block are used, the first MOVED lie elsewhere. */
static void scatter(void)
{
	fill(BLOCK);
	age_block();
	assert_int_equal(begin_to_take(0, MOVED), MOVED);
	assert_int_equal(put_out(), MOVED);
	assert_false(join()); /* those that are out */
	for (unsigned n = 0; n < MOVED; n++)
		assert_string_equal(far_peek(n), "text");
	assert_false(join()); /* the others are aged */
	for (unsigned n = 0; n < BLOCK; n++)
		far_poke(n, n % 2 ? "odd" : "even");
}

static void is_right(void)
{
	for (unsigned n = 0; n < BLOCK; n++)
		assert_string_equal(far_peek(n), n % 2 ? "odd" : "even");
	audit_memory(vm);
}

static void from_elsewhere(void **state)
{
	(void)state;
	for (unsigned n = 0; n < ARRAY_SIZE(mechanisms); n++) {
		uint64_t free, resident;

		begin(mechanisms[n]);
		scatter();
		for (unsigned page = 0; page < BLOCK; page += 7)
			STEP(far_access(page, true));
		free = frames_available();
		resident = ram_resident(vm);
		assert_int_equal(far->parts, 1);
		assert_true(join());
		assert_true(in_one_piece());
		assert_int_equal(far->parts, 0);
		assert_int_equal(far->count.joined, 1);
		assert_int_equal(ram_resident(vm), resident);
		assert_in_range(frames_available(), free, free + 4); /* words of owners, and tables, go */
		is_right();
		STEP(far_access(3, true));
		far_poke(3, "odd");
		is_right();
		assert_false(join());
		/* And it is opened again. */
		split();
		assert_false(in_one_piece());
		STEP(far_access(9, true));
		is_right();
		finish();
	}
}

/* What was only opened stays where it is. */
static void in_place(void **state)
{
	(void)state;
	for (unsigned n = 0; n < ARRAY_SIZE(mechanisms); n++) {
		uint64_t before;
		hfn_t frame;

		begin(mechanisms[n]);
		for (unsigned page = 0; page < BLOCK; page++)
			far_poke(page, page % 2 ? "odd" : "even");
		split();
		STEP(far_access(3, true));
		STEP(far_access(4, true));
		frame = ram_frame(far, page_gfn(0));
		before = mmu_counters(&vm->mmu).mapped_2m;
		take_all_but(0);
		assert_true(join());
		give_taken_back();
		assert_true(in_one_piece());
		assert_int_equal(ram_frame(far, page_gfn(0)).v, frame.v);
		if (vm->mmu.ops->nested) {
			STEP(far_access(3, true));
			assert_int_equal(mmu_counters(&vm->mmu).mapped_2m, before + 1);
		}
		is_right();
		finish();
	}
}

/* JN1: what has been used since it was aged, with an exit or by a flag alone. */
static void used_again(void **state)
{
	(void)state;
	for (unsigned n = 0; n < ARRAY_SIZE(mechanisms); n++) {
		begin(mechanisms[n]);
		scatter();
		for (unsigned turn = 0; turn < 2; turn++)
			for (unsigned page = 0; page < BLOCK; page++) {
				if (turn && !page) {
					age_block();
					assert_false(join());
				}
				STEP(far_access(page, true));
			}
		assert_true(join());
		is_right();
		finish();
	}
}

static void write_it(void)
{
	bench_seam = NULL;
	far_write(vm, 5, "late");
}

/* JN2. */
static void a_device_writes(void **state)
{
	(void)state;
	for (unsigned n = 0; n < ARRAY_SIZE(mechanisms); n++) {
		begin(mechanisms[n]);
		scatter();
		STEP(far_access(5, true));
		bench_seam = write_it;
		assert_false(join());
		assert_null(bench_seam);
		assert_false(in_one_piece());
		assert_true(far_holds(vm, 5, "late"));
		for (unsigned page = 0; page < BLOCK; page++)
			assert_false(ram_is_protected(far, page_gfn(page)));
		far_poke(5, "odd");
		is_right();
		assert_true(join());
		is_right();
		finish();
	}
}

static void without_room(void **state)
{
	(void)state;
	begin("ept");
	scatter();
	/* Below the high mark somebody would have to give back for it. */
	for (uint64_t left = BLOCK + 400; left > BLOCK; left -= 100) {
		hfn_t keep = frames_alloc_run(FRAMES_BLOCK, FRAMES_BLOCK);

		take_all_but(left - BLOCK);
		frames_free(keep, FRAMES_BLOCK);
		assert_false(join());
		give_taken_back();
	}
	is_right();
	assert_true(join());
	is_right();
	finish();
}

/* ---- JN4 ---- */

static struct ram_joining *j;

static void serve(void) { ram_join_serve(vm, REQUEST_JOIN); }

static void not_at_once(void **state)
{
	struct vcpu *boot;

	(void)state;
	start_under("ept");
	boot = vm_boot_vcpu(vm);
	j = &vm->ram[0].joining;
	fill(BLOCK);
	boot->requests &= ~REQUEST_JOIN;
	serve();
	assert_int_equal(j->state, JOIN_IDLE); /* there is none */
	split();
	assert_true(boot->requests & REQUEST_JOIN);
	ram_join_serve(vm, ~REQUEST_JOIN);
	assert_int_equal(j->state, JOIN_IDLE);
	for (unsigned n = 0; n < 2; n++) {
		serve();
		assert_false(in_one_piece());
		assert_int_equal(j->state, JOIN_ARMED);
	}
	boot->requests &= ~REQUEST_JOIN;
	j->timer.fire(vm, 0);
	assert_true(boot->requests & REQUEST_JOIN);
	assert_int_equal(j->state, JOIN_DUE);
	finish();
}

static void one_at_a_time(void **state)
{
	(void)state;
	start_under("ept");
	j = &vm->ram[0].joining;
	fill(BLOCK);
	split();
	j->state = JOIN_DUE;
	vm->mmu.logs++;
	serve();
	vm->mmu.logs--;
	assert_false(in_one_piece());
	assert_int_equal(j->state, JOIN_ARMED);
	j->state = JOIN_DUE;
	vm->merge.state = MERGE_ON;
	serve();
	vm->merge.state = MERGE_OFF;
	assert_false(in_one_piece());
	assert_int_equal(j->state, JOIN_IDLE);
	j->state = JOIN_DUE;
	serve();
	assert_true(in_one_piece());
	assert_int_equal(j->state, JOIN_ARMED);
	j->state = JOIN_DUE;
	serve();
	assert_int_equal(j->state, JOIN_IDLE); /* nothing is left */
	audit_memory(vm);
	finish();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(from_elsewhere), cmocka_unit_test(in_place), cmocka_unit_test(used_again),
		cmocka_unit_test(a_device_writes),
		cmocka_unit_test(without_room), cmocka_unit_test(not_at_once),
		cmocka_unit_test(one_at_a_time),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
