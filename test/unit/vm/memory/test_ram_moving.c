/* Pages on their way to the swap area and from there, while the disk works and guests run (WA4 in vm/memory/swap.h). */
#include "test/unit/vm/memory/out.h"

#include "host/memory/frames.h"

/* Pages from this one on go, and the disk has not written them. */
static void on_the_way(unsigned page, unsigned pages)
{
	bench_disk.slow = true;
	begin_to_take(page, pages);
	assert_int_equal(ram_put_out(far, list, going), pages);
	going = 0;
	assert_true(swap_is_busy());
}

static void the_disk_is_done(void)
{
	bench_disk_finish();
	assert_false(swap_is_busy());
	audit_memory(vm);
}

/* A frame is free when its page has been written, and not before; who asks meanwhile has the page, and waits for
 * nobody. */
static void being_written(void **state)
{
	uint64_t free, resident;

	(void)state;
	for (unsigned n = 0; n < ARRAY_SIZE(mechanisms); n++) {
		start_under(mechanisms[n]);
		fill(8);
		STEP(far_access(2, true));
		age_block();
		begin_to_take(7, 1); /* which opens the block */
		put_out();
		free = frames_available();
		resident = ram_resident(vm);
		on_the_way(0, 4);
		assert_int_equal(frames_available(), free);
		assert_int_equal(ram_resident(vm), resident);
		audit_memory(vm);
		STEP(far_access(2, true));
		assert_int_equal(ram_frame(far, page_gfn(2)).v, list[2].frame.v);
		far_poke(1, "newer");
		assert_true(swap_is_busy());
		the_disk_is_done();
		assert_int_equal(frames_available(), free + 2);
		assert_int_equal(swap_room(), PLACES - 3);
		assert_string_equal(far_peek(0), "text");
		assert_string_equal(far_peek(1), "newer");
		assert_string_equal(far_peek(2), "text");
		finish();
	}
}

/* A fault lets others have the CPU while its page is read, and comes again. */
static void being_read(void **state)
{
	(void)state;
	for (unsigned n = 0; n < ARRAY_SIZE(mechanisms); n++) {
		start_under(mechanisms[n]);
		fill(8);
		age_block();
		begin_to_take(0, 4);
		put_out();
		bench_disk.slow = true;
		assert_int_equal(far_access(1, true), BENCH_IDLE);
		assert_true(swap_is_busy());
		assert_int_equal(bench_interrupt(VECTOR_KICK), BENCH_IDLE); /* something else */
		/* What is given up meanwhile does not come. */
		vm_freeze(vm);
		assert_true(hfn_is_none(ram_drop(far, page_gfn(2))));
		vm_thaw(vm);
		the_disk_is_done();
		assert_int_equal(bench_interrupt(VECTOR_KICK), BENCH_ENTRY);
		assert_int_equal(ram_swapped(vm), 1);
		assert_int_equal(swap_room(), PLACES - 1);
		assert_string_equal(far_peek(1), "text");
		assert_string_equal(far_peek(2), "");
		STEP(far_access(1, true));
		audit_memory(vm);
		finish();
	}
}

/* Who cannot wait elsewhere has what it asks for all the same: behind what is under way, or by it. */
static void meanwhile_a_device(void **state)
{
	unsigned commands;

	(void)state;
	start_under("ept");
	fill(200);
	age_block();
	begin_to_take(0, 4);
	put_out();
	on_the_way(100, 4);
	assert_string_equal(far_peek(1), "text");
	assert_false(swap_is_busy());
	assert_int_equal(ram_swapped(vm), 5);
	begin_to_take(50, 2);
	put_out();
	assert_int_equal(far_access(51, false), BENCH_IDLE);
	commands = bench_disk.commands;
	assert_string_equal(far_peek(51), "text");
	assert_int_equal(bench_disk.commands, commands);
	assert_int_equal(bench_interrupt(VECTOR_KICK), BENCH_ENTRY);
	audit_memory(vm);
	finish();
}

/* The RAM is given back when nothing of it is on its way. */
static void it_ends(void **state)
{
	(void)state;
	start_under("ept");
	fill(8);
	age_block();
	on_the_way(0, 4);
	vm_end(vm, VM_STATUS_OK, "it is over");
	for (unsigned n = 0; n < 400 && bench.at != BENCH_OVER; n++)
		bench_interrupt(VECTOR_KICK);
	assert_int_equal(bench.at, BENCH_OVER);
	assert_false(bench_disk.busy);
	finish();
}

/* Who waits on another CPU, which sleeps, is woken. */
static void others_are_woken(void **state)
{
	(void)state;
	memset(&bench_disk, 0, sizeof(bench_disk));
	bench_disk.there = true;
	bench_new(&(struct bench_config){ .cpu = BENCH_HASWELL, .mmu = "ept", .description = "mem 8M\nswap ide1.0\n",
					  .host_cpus = 2 });
	vm = bench.vm[0];
	far = ram_of(vm, GFN(FAR_GFN));
	going = 0;
	fill(8);
	age_block();
	begin_to_take(0, 4);
	put_out();
	bench_disk.slow = true;
	assert_int_equal(far_access(1, false), BENCH_IDLE);
	bench.kicks[1] = 0;
	the_disk_is_done();
	assert_int_equal(bench.kicks[1], 1);
	assert_int_equal(bench_interrupt(VECTOR_KICK), BENCH_ENTRY);
	bench.kicks[1] = 0;
	on_the_way(2, 1); /* for which nobody waits */
	the_disk_is_done();
	assert_int_equal(bench.kicks[1], 0);
	finish();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(being_written), cmocka_unit_test(being_read), cmocka_unit_test(meanwhile_a_device),
		cmocka_unit_test(it_ends), cmocka_unit_test(others_are_woken),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
