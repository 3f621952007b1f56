/* Pages that leave the memory and come back (vm/memory/ram_out.c), and the area that they are in meanwhile
 * (vm/memory/swap.c). */
#include "test/unit/vm/memory/out.h"

#include "host/memory/frames.h"
#include "vm/memory/owner.h"
#include "vm/memory/ram_inside.h"
#include "vm/snapshot/snapshot.h"
#include "vm/seam.h"

/* ---- there and back ---- */

static void goes_and_returns(void **state)
{
	(void)state;
	for (unsigned n = 0; n < ARRAY_SIZE(mechanisms); n++) {
		uint64_t free, resident;

		start_under(mechanisms[n]);
		assert_int_equal(swap_places(), PLACES);
		fill(40);
		far_poke(3, "three");
		STEP(far_access(3, true));
		resident = ram_resident(vm);
		assert_false(tag_requested(&bench.v->mmu));
		age_block();
		assert_true(tag_requested(&bench.v->mmu));
		free = frames_available();
		assert_int_equal(begin_to_take(0, 40), 40);
		assert_true(hfn_is_none(ram_frame(far, page_gfn(3))));
		assert_int_equal(put_out(), 40);
		audit_memory(vm);
		assert_int_equal(ram_resident(vm), resident - 40);
		assert_int_equal(ram_swapped(vm), 40);
		assert_int_equal(swap_room(), PLACES - 40);
		assert_in_range(frames_available(), free + 38, free + 40); /* the block's words, and its owners' */
		assert_string_equal(far_peek(3), "three");
		assert_string_equal(far_peek(39), "text");
		STEP(far_access(1, true));
		STEP(far_access(0, false));
		audit_memory(vm);
		assert_string_equal(far_peek(1), "text");
		finish();
	}
}

/* What follows in the area comes along, aged as it was. */
static void a_row_at_a_time(void **state)
{
	unsigned before;

	(void)state;
	start_with_out("ept", 40, 0, 40);
	before = bench_disk.commands;
	assert_string_equal(far_peek(0), "text");
	assert_int_equal(bench_disk.commands, before + 1);
	assert_int_equal(ram_swapped(vm), 40 - RAM_AHEAD);
	assert_string_equal(far_peek(RAM_AHEAD - 1), "text");
	assert_int_equal(bench_disk.commands, before + 1);
	/* Of these the two were asked for, and stay. */
	going = 0;
	assert_int_equal(begin_to_take(0, RAM_AHEAD - 2), RAM_AHEAD - 2);
	for (unsigned n = 0; n < going; n++)
		assert_int_equal(list[n].gfn.v, FAR_GFN + 1 + n);
	put_out();
	audit_memory(vm);
	finish();
}

static void zeroes_are_dropped(void **state)
{
	uint64_t resident;

	(void)state;
	start_under("ept");
	fill(2);
	resident = ram_resident(vm);
	age_block();
	begin_to_take(0, 10);
	assert_int_equal(put_out(), 10);
	assert_int_equal(ram_resident(vm), resident - 10);
	assert_int_equal(ram_swapped(vm), 2);
	assert_string_equal(far_peek(5), "");
	assert_string_equal(far_peek(1), "text");
	audit_memory(vm);
	finish();
}

/* ---- what is used stays ---- */

/* Of 40 pages one was written, and all were aged since. */
static void start_aged(const char *mmu)
{
	start_under(mmu);
	fill(40);
	STEP(far_access(3, true));
	age_block();
}

static void used_in_between(void **state)
{
	(void)state;
	for (unsigned n = 0; n < ARRAY_SIZE(mechanisms); n++) {
		start_aged(mechanisms[n]);
		/* The block as a whole. */
		STEP(far_access(3, true));
		assert_int_equal(begin_to_take(0, 40), 0);
		assert_true(ram_in_one_piece(far, page_gfn(0)));
		/* Page by page. */
		age_block();
		assert_int_equal(begin_to_take(0, 1), 1);
		assert_int_equal(put_out(), 1);
		age_block();
		STEP(far_access(3, true));
		STEP(far_access(4, false));
		assert_false(tag_requested(&bench.v->mmu));
		age_block(); /* which ages them anew */
		assert_true(tag_requested(&bench.v->mmu));
		STEP(far_access(4, false));
		assert_true(far->part[block_of(far, page_gfn(3))][3] & AGED);
		assert_string_equal(far_peek(3), "text");
		assert_false(far->part[block_of(far, page_gfn(3))][3] & AGED);
		ram_note_used(far, page_gfn(0), RAM_GROUP);
		assert_false(far->part[block_of(far, page_gfn(3))][4] & AGED);
		audit_memory(vm);
		finish();
	}
}

/* What was used before it was aged does not count. */
static void used_before(void **state)
{
	(void)state;
	for (unsigned n = 0; n < ARRAY_SIZE(mechanisms); n++) {
		start_aged(mechanisms[n]);
		assert_int_equal(begin_to_take(0, 1), 1);
		put_out();
		STEP(far_access(3, true));
		STEP(far_access(4, false));
		age_block();
		STEP(far_access(4, false));
		going = 0;
		assert_int_equal(begin_to_take(3, 2), 2);
		assert_int_equal(list[0].gfn.v, FAR_GFN + 3);
		assert_int_equal(list[1].gfn.v, FAR_GFN + 5);
		put_out();
		audit_memory(vm);
		finish();
	}
}

/* A leaf that goes, and was used, is told of; and a device's access by the block's address. */
static void used_and_unmapped(void **state)
{
	(void)state;
	for (unsigned n = 0; n < ARRAY_SIZE(mechanisms); n++) {
		start_aged(mechanisms[n]);
		STEP(far_access(3, true));
		mmu_unmap(&vm->mmu, page_gfn(0), 512);
		assert_int_equal(begin_to_take(0, 40), 0);
		age_block();
		assert_string_equal(far_peek(7), "text");
		assert_int_equal(begin_to_take(0, 40), 0);
		age_block();
		assert_int_equal(begin_to_take(0, 40), 40);
		put_out();
		finish();
	}
}

static void ask_for_one(void)
{
	bench_seam = NULL;
	assert_string_equal(far_peek(0), "text");
}

static void used_just_now(void **state)
{
	(void)state;
	start_with_out("ept", 4, 8, 1);
	bench_seam = ask_for_one;
	begin_to_take(0, 2);
	assert_int_equal(list[0].gfn.v, FAR_GFN + 1);
	put_out();
	audit_memory(vm);
	finish();
}

/* Who asked for it before it went, and maps it only now, is undone. */
static void used_meanwhile(void **state)
{
	(void)state;
	for (unsigned n = 0; n < ARRAY_SIZE(mechanisms); n++) {
		start_with_out(mechanisms[n], 4, 8, 1);
		STEP(far_access(0, true));
		far->part[block_of(far, page_gfn(0))][0] |= AGED;
		assert_int_equal(begin_to_take(0, 1), 1);
		audit_memory(vm);
		put_out();
		audit_memory(vm);
		finish();
	}
}

/* ---- taken back on its way ---- */

static void write_it(void)
{
	bench_seam = NULL;
	far_poke(1, "newer");
}

static void taken_back(void **state)
{
	(void)state;
	for (unsigned zero = 0; zero < 2; zero++) {
		start_under("ept");
		fill(4);
		if (zero)
			far_poke(1, "");
		bench_poke(FAR + PAGE_SIZE + 1, "\0\0\0", 4);
		age_block();
		begin_to_take(1, 1);
		bench_seam = write_it;
		assert_int_equal(put_out(), 0);
		assert_int_equal(swap_room(), PLACES);
		assert_string_equal(far_peek(1), "newer");
		audit_memory(vm);
		finish();
	}
}

static void read_it(void)
{
	bench_seam = NULL;
	assert_string_equal(far_peek(1), "text");
	far_poke(1, "newer");
}

/* Two bring the same page in. */
static void brought_by_two(void **state)
{
	(void)state;
	start_with_out("ept", 4, 1, 1);
	bench_seam = read_it;
	assert_string_equal(far_peek(1), "newer");
	assert_int_equal(swap_room(), PLACES);
	audit_memory(vm);
	finish();
}

/* It is given up on its way, or in the area. */
static void dropped_there(void **state)
{
	hfn_t frame;

	(void)state;
	start_with_out("ept", 4, 0, 2);
	vm_freeze(vm);
	assert_true(hfn_is_none(ram_drop(far, page_gfn(0))));
	vm_thaw(vm);
	assert_int_equal(swap_room(), PLACES - 1);
	assert_string_equal(far_peek(0), "");
	begin_to_take(2, 1);
	vm_freeze(vm);
	frame = ram_drop(far, page_gfn(2));
	vm_thaw(vm);
	assert_int_equal(frame.v, list[0].frame.v);
	assert_int_equal(put_out(), 0);
	assert_int_equal(swap_room(), PLACES - 1);
	frames_free(frame, 1);
	audit_memory(vm);
	finish();
}

/* A snapshot has what is in the area, and on its way there. */
static void in_a_snapshot(void **state)
{
	(void)state;
	start_with_out("ept", 4, 0, 2);
	begin_to_take(2, 1);
	assert_null(save_begin(vm));
	while (save_scan(vm))
		;
	for (unsigned n = 0; n < 6; n++)
		assert_int_equal(vm->save.range[0].pending[FAR_GFN / 64] >> n & 1, n < 4);
	save_end(vm);
	put_out();
	audit_memory(vm);
	finish();
}

/* ---- an area that is full, or has failed ---- */

static void full(void **state)
{
	(void)state;
	start_under("ept");
	fill(200);
	age_block();
	for (unsigned n = 0; n < 3; n++) {
		begin_to_take(n * SWAP_MOST, SWAP_MOST);
		assert_int_equal(put_out(), n < 2 ? SWAP_MOST : 0);
	}
	assert_int_equal(swap_room(), 0);
	assert_false(hfn_is_none(ram_frame(far, page_gfn(2 * SWAP_MOST))));
	assert_string_equal(far_peek(2 * SWAP_MOST), "text");
	/* A place that becomes free is taken again. */
	vm_freeze(vm);
	ram_drop(far, page_gfn(70));
	vm_thaw(vm);
	begin_to_take(180, 2);
	assert_int_equal(put_out(), 1);
	audit_memory(vm);
	for (unsigned n = 0; n < 200; n++)
		assert_string_equal(far_peek(n), n == 70 ? "" : "text");
	finish();
}

static void not_written(void **state)
{
	(void)state;
	start_with_out("ept", 8, 0, 4);
	begin_to_take(4, 4);
	bench_disk.fail = true;
	assert_int_equal(put_out(), 0);
	assert_true(swap_failed());
	assert_int_equal(swap_room(), 0);
	assert_string_equal(far_peek(5), "text");
	bench_disk.fail = false;
	assert_string_equal(far_peek(1), "text"); /* what is there can be read still */
	vm_freeze(vm);
	ram_age(far, page_gfn(0), false);
	vm_thaw(vm);
	begin_to_take(6, 1);
	assert_int_equal(list[0].gfn.v, FAR_GFN + 6);
	assert_int_equal(put_out(), 0);
	audit_memory(vm);
	finish();
}

static void not_read(void **state)
{
	(void)state;
	start_with_out("shadow", 8, 0, 4);
	bench_disk.fail = true;
	/* What a fault waits for in vain is read once more. */
	assert_int_equal(far_access(2, false), BENCH_ENTRY);
	assert_int_equal(far_access(2, false), BENCH_OVER);
	assert_string_equal(vm->end_text, "stopped: page 0x402 of its RAM cannot be read back from the swap area");
	finish();
}

static void no_such_disk(void **state)
{
	(void)state;
	memset(&bench_disk, 0, sizeof(bench_disk));
	bench_disk.there = true;
	bench_new(&(struct bench_config){ .mmu = "ept", .description = "swap ide0.1\n" });
	assert_string_equal(bench.why_not,
			    "there is no disk ide0.1 to swap to (ide0.0 to ide1.1, sata0 to sata7 can be)");
	bench_new(&(struct bench_config){ .mmu = "ept", .description = "swap ide1.0\ndisk ide1.0\n" });
	assert_string_equal(bench.why_not, "test0 has a disk, or its trace, at the channel of the swap area (ide1.0), "
					   "which must be alone there");
	bench_new(&(struct bench_config){ .mmu = "ept", .description = "swap ide1.0\ntrace ide1.1\n" });
	assert_non_null(strstr(bench.why_not, "which must be alone there"));
	bench_new(&(struct bench_config){ .mmu = "ept", .description = "swap ide1.0\nzpool 4G\n" });
	assert_non_null(strstr(bench.why_not, "zpool is 4096 MB, and the machine has "));
	bench_new(&(struct bench_config){ .mmu = "ept", .description = "swap ide1.0\n" });
	bench_create(&(struct bench_config){ .mmu = "ept", .description = "swap ide0.0\n" });
	assert_string_equal(bench.why_not, "test1 is to swap to ide0.0, another to ide1.0; one disk has the pages of "
					   "all");
	finish();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(goes_and_returns), cmocka_unit_test(a_row_at_a_time),
		cmocka_unit_test(zeroes_are_dropped), cmocka_unit_test(used_in_between),
		cmocka_unit_test(used_before), cmocka_unit_test(used_and_unmapped),
		cmocka_unit_test(used_just_now), cmocka_unit_test(used_meanwhile),
		cmocka_unit_test(taken_back), cmocka_unit_test(brought_by_two), cmocka_unit_test(dropped_there),
		cmocka_unit_test(in_a_snapshot), cmocka_unit_test(full),
		cmocka_unit_test(not_written),
		cmocka_unit_test(not_read),
		cmocka_unit_test(no_such_disk),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
