/* Pages in shared frames (vm/memory/ram_share.c) where memory is short (vm/memory/ram_out.c, reclaim.c): each leaves by
 * itself and comes back as its own, whatever is merged or parts meanwhile. */
#include "test/unit/vm/memory/far.h"

#include "host/memory/frames.h"
#include "test/unit/vm/memory/shortage.h"
#include "test/vm/disk.h"
#include "vm/memory/owner.h"
#include "vm/memory/ram_inside.h"
#include "vm/memory/ram_out.h"
#include "vm/memory/reclaim.h"
#include "vm/memory/swap.h"
#include "vm/snapshot/snapshot.h"

#define PLACES 512u

static struct vm *vm, *other;
static struct ram_going list[SWAP_MOST];
static unsigned going;

static void start_two(const char *mmu)
{
	memset(&bench_disk, 0, sizeof(bench_disk));
	bench_disk.there = true;
	bench_disk.small = BENCH_DISK_SECTORS - 8 * PLACES;
	bench_new(&(struct bench_config){ .cpu = BENCH_HASWELL, .mmu = mmu, .vms = 2, .guest_clock = true,
					 .description = "mem 8M\nmerge on\nmerge-rate 100000\nswap ide1.0\n" });
	vm = bench.vm[0];
	other = bench.vm[1];
	going = 0;
}

static void audit(void)
{
	for (unsigned n = 0; n < 2; n++)
		audit_memory(bench.vm[n]);
	assert_int_equal(owner_shared().pages, ram_shared(vm) + ram_shared(other));
}

static gfn_t page_gfn(unsigned page) { return GFN(FAR_GFN + page); }
static struct ram *far_of(struct vm *of) { return ram_of(of, GFN(FAR_GFN)); }
static hfn_t frame(struct vm *of, unsigned page) { return ram_frame(far_of(of), page_gfn(page)); }
static uint64_t word(struct vm *of, unsigned page) { return *word_of(far_of(of), page_gfn(page)); }

static void looks(struct vm *of, unsigned rounds)
{
	uint64_t until = of->merge.account.rounds + rounds;

	for (unsigned n = 0; n < 2000 * rounds && of->merge.account.rounds < until; n++)
		merge_serve(of);
	assert_int_equal(of->merge.account.rounds, until);
}

static void come_together(void)
{
	looks(vm, 2);
	looks(other, 2);
	looks(vm, 1);
}

static void age(struct vm *of, bool shared)
{
	vm_freeze(of);
	for (unsigned page = 0; page < 512;)
		page += ram_age(far_of(of), page_gfn(page), shared);
	vm_thaw(of);
}

/* How many begin to go, from this page on. */
static unsigned begin_to_take(struct vm *of, unsigned page, bool shared, unsigned most)
{
	going = 0;
	vm_freeze(of);
	while (going < most && page < 512)
		page += ram_take(far_of(of), page_gfn(page), shared, list, &going, most);
	vm_thaw(of);
	return going;
}

static unsigned put_out(struct vm *of) { return put_out_wholly(far_of(of), list, going); }

static void give_back(void)
{
	give_taken_back();
	finish();
}

/* ---- one by one (RO5) ---- */

static void one_by_one(void **state)
{
	(void)state;
	for (unsigned n = 0; n < ARRAY_SIZE(mechanisms); n++) {
		uint64_t free;

		start_two(mechanisms[n]);
		far_write(vm, 3, "the same");
		far_write(other, 5, "the same");
		come_together();
		assert_int_equal(frame(vm, 3).v, frame(other, 5).v);
		/* Where others may go these do not, and are not aged for that. */
		age(vm, false);
		assert_int_equal(begin_to_take(vm, 0, false, 1), 0);
		assert_false(word(vm, 3) & AGED);
		age(vm, true);
		assert_int_equal(begin_to_take(vm, 0, true, 1), 1);
		assert_int_equal(list[0].gfn.v, page_gfn(3).v);
		assert_true(hfn_is_none(frame(vm, 3)));
		audit();
		free = frames_available();
		assert_int_equal(put_out(vm), 1);
		assert_int_equal(frames_available(), free);
		assert_int_equal(ram_swapped(vm), 1);
		assert_int_equal(owner_of(frame(other, 5)).users, 1);
		audit();
		/* The last that lies there takes the frame along. */
		age(other, false);
		assert_int_equal(begin_to_take(other, 0, false, 1), 1);
		assert_int_equal(put_out(other), 1);
		assert_in_range(frames_available(), free + 1, free + 3);
		assert_int_equal(owner_of(list[0].frame).kind, OWNER_NOBODY);
		assert_true(far_holds(vm, 3, "the same") && far_holds(other, 5, "the same"));
		assert_true(word(vm, 3) & WRITABLE);
		assert_int_equal(swap_room(), PLACES);
		audit();
		finish();
	}
}

static void taken_back(void **state)
{
	(void)state;
	start_two("shadow");
	far_write(vm, 3, "the same");
	far_write(other, 5, "the same");
	come_together();
	age(vm, true);
	assert_int_equal(begin_to_take(vm, 3, true, 1), 1);
	assert_true(far_holds(vm, 3, "the same"));
	assert_int_equal(frame(vm, 3).v, frame(other, 5).v);
	assert_int_equal(put_out(vm), 0);
	audit();
	age(vm, true);
	assert_int_equal(begin_to_take(vm, 3, true, 1), 1);
	far_write(vm, 3, "newer");
	assert_int_equal(put_out(vm), 0);
	assert_int_equal(swap_room(), PLACES);
	assert_true(far_holds(vm, 3, "newer") && far_holds(other, 5, "the same"));
	audit();
	finish();
}

/* Another comes to a frame whose last page is on its way out. */
static void joined_meanwhile(void **state)
{
	(void)state;
	start_two("ept");
	far_write(vm, 3, "the same");
	far_write(vm, 4, "the same");
	looks(vm, 4);
	assert_int_equal(frame(vm, 3).v, frame(vm, 4).v);
	far_write(vm, 4, "another");
	assert_int_equal(owner_of(frame(vm, 3)).users, 1);
	age(vm, false);
	assert_int_equal(begin_to_take(vm, 3, false, 1), 1);
	far_write(other, 5, "the same");
	looks(other, 3);
	assert_int_equal(frame(other, 5).v, list[0].frame.v);
	assert_int_equal(put_out(vm), 1);
	assert_int_equal(owner_of(frame(other, 5)).users, 1);
	assert_true(far_holds(vm, 3, "the same") && far_holds(other, 5, "the same") && far_holds(vm, 4, "another"));
	audit();
	finish();
}

static void in_a_snapshot(void **state)
{
	(void)state;
	start_two("ept");
	far_write(vm, 0, "the same");
	far_write(vm, 1, "the same");
	far_write(vm, 2, "the same");
	looks(vm, 4);
	age(vm, true);
	assert_int_equal(begin_to_take(vm, 0, true, 1), 1);
	put_out(vm);
	begin_to_take(vm, 1, true, 1);
	assert_null(save_begin(vm));
	while (save_scan(vm))
		;
	assert_int_equal(vm->save.range[0].pending[FAR_GFN / 64] & 0xff, 7);
	save_end(vm);
	put_out(vm);
	audit();
	finish();
}

/* ---- what is on its way, or gone, is not merged ---- */

static void out_of_reach(void **state)
{
	uint64_t was;

	(void)state;
	start_two("ept");
	far_write(vm, 0, "going");
	far_write(vm, 1, "out");
	age(vm, false);
	assert_int_equal(begin_to_take(vm, 1, false, 1), 1);
	put_out(vm);
	assert_int_equal(begin_to_take(vm, 0, false, 1), 1);
	vm_freeze(vm);
	ram_protect_run(far_of(vm), page_gfn(0), 2);
	assert_true(word(vm, 0) & WRITABLE);
	vm_thaw(vm);
	/* Who was about to write to them looks again. */
	was = word(vm, 1);
	assert_true(ram_unshare(far_of(vm), page_gfn(1)));
	assert_int_equal(word(vm, 1), was);
	assert_int_equal(put_out(vm), 1);
	audit();
	/* Looks pass over them, and bring nothing in. */
	looks(vm, 3);
	assert_int_equal(ram_swapped(vm), 2);
	assert_true(far_holds(vm, 0, "going") && far_holds(vm, 1, "out"));
	finish();
}

/* To look at a page is not to use it; nor is to open its block, or to have it lie elsewhere. */
static void looked_at(void **state)
{
	(void)state;
	start_two("ept");
	for (unsigned page = 0; page < 512; page++)
		far_write(vm, page, page < 2 ? "same" : page & 1 ? "odd" : "even");
	looks(vm, 1);
	age(vm, false);
	assert_true(ram_in_one_piece(far_of(vm), page_gfn(0)));
	looks(vm, 3);
	assert_false(ram_in_one_piece(far_of(vm), page_gfn(0)));
	assert_int_equal(frame(vm, 0).v, frame(vm, 1).v);
	assert_true((word(vm, 0) & AGED) && (word(vm, 1) & AGED) && (word(vm, 9) & AGED));
	assert_true(far_holds(vm, 0, "same"));
	assert_false(word(vm, 0) & AGED);
	audit();
	finish();
}

/* ---- memory is short ---- */

/* What tells of a block page by page is not taken from the hypervisor's own. */
static void blocks_stay_whole(void **state)
{
	(void)state;
	start_two("ept");
	far_write(vm, 0, "same");
	far_write(vm, 1, "same");
	take_all_but(RAM_KEPT + 1);
	looks(vm, 4);
	assert_true(ram_in_one_piece(far_of(vm), page_gfn(0)));
	assert_int_equal(frames_available(), RAM_KEPT + 1);
	give_back();
}

/* Nothing but shared pages is left: they go, and nobody ends. */
static void none_but_shared(void **state)
{
	uint64_t least = RAM_KEPT + min_u64(512, frames_total() / 64);

	(void)state;
	start_two("ept");
	for (unsigned page = 0; page < 512; page++) {
		char text[16];

		snprintf(text, sizeof(text), "page %u", page);
		far_write(vm, page, text);
		far_write(other, page, text);
	}
	come_together();
	looks(other, 2);
	assert_true(ram_shared(vm) >= 512 && ram_shared(other) >= 512);
	audit();
	take_all_but(least - 10);
	reclaim_look();
	assert_true(frames_available() >= least);
	assert_true(ram_swapped(vm) + ram_swapped(other) > 0);
	assert_false(vm->ended || other->ended);
	audit();
	give_taken_back();
	for (unsigned page = 0; page < 512; page++) {
		char text[16];

		snprintf(text, sizeof(text), "page %u", page);
		assert_true(far_holds(vm, page, text) && far_holds(other, page, text));
	}
	audit();
	finish();
}

/* Merging ends: other pages go, so that each that is shared gets a frame of its own, one that is on its way out too. */
static void room_to_part(void **state)
{
	(void)state;
	start_two("ept");
	for (unsigned page = 0; page < 64; page++)
		far_write(vm, page, page & 1 ? "odd" : "even");
	for (unsigned page = 0; page < 400; page++)
		far_write(other, page, page & 1 ? "another" : "one more");
	looks(vm, 4);
	assert_true(ram_shared(vm) >= 64);
	age(vm, true);
	assert_int_equal(begin_to_take(vm, 3, true, 1), 1);
	take_all_but(RAM_KEPT);
	merge_end(vm);
	for (unsigned i = 0; i < 1000 && vm->merge.state != MERGE_OFF; i++)
		merge_serve(vm);
	assert_int_equal(vm->merge.state, MERGE_OFF);
	assert_false(vm->merge.short_of_memory);
	assert_int_equal(ram_shared(vm), 0);
	assert_false(vm->ended || other->ended);
	assert_int_equal(put_out(vm), 0);
	audit();
	assert_true(far_holds(vm, 3, "odd") && far_holds(vm, 62, "even") && far_holds(other, 399, "another"));
	give_back();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(one_by_one),
		cmocka_unit_test(taken_back),
		cmocka_unit_test(joined_meanwhile),
		cmocka_unit_test(in_a_snapshot),
		cmocka_unit_test(out_of_reach),
		cmocka_unit_test(looked_at),
		cmocka_unit_test(blocks_stay_whole),
		cmocka_unit_test(none_but_shared),
		cmocka_unit_test(room_to_part),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
