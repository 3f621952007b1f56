/* Pages that their guest does without (vm/memory/ram_give.c): what becomes free of them, and what stays. */
#include "test/unit/vm/memory/far.h"

#include "host/memory/frames.h"
#include "test/vm/disk.h"
#include "vm/memory/owner.h"
#include "vm/memory/ram_inside.h"
#include "vm/memory/ram_out.h"
#include "vm/memory/reclaim.h"
#include "vm/memory/swap.h"

#define BLOCK 512u

static struct vm *vm;
static struct ram *far;

static void start_with(const char *mmu, const char *description)
{
	memset(&bench_disk, 0, sizeof(bench_disk));
	bench_disk.there = true;
	bench_new(&(struct bench_config){ .cpu = BENCH_HASWELL, .mmu = mmu, .description = description });
	far_map();
	vm = bench.vm[0];
	far = ram_of(vm, GFN(FAR_GFN));
}

static void start_under(const char *mmu) { start_with(mmu, "mem 8M\n"); }

/* RA2, RC3. */
static uint64_t give(uint64_t gfn, uint64_t pages)
{
	uint64_t freed;

	reclaim_hold();
	vm_freeze(vm);
	freed = ram_give(vm, GFN(gfn), pages);
	vm_thaw(vm);
	reclaim_let_go();
	return freed;
}

static void a_block_in_one_piece(void **state)
{
	(void)state;
	for (unsigned n = 0; n < ARRAY_SIZE(mechanisms); n++) {
		uint64_t free, resident;
		uint32_t generation;

		start_under(mechanisms[n]);
		far_poke(2, "two");
		far_poke(BLOCK + 7, "other");
		for (unsigned page = 0; page < 4; page++)
			STEP(far_access(page, true));
		ram_set_aged(far, 2, true);
		generation = vm->mmu.slots.generation;
		free = frames_available();
		resident = ram_resident(vm);
		assert_int_equal(give(FAR_GFN, BLOCK), BLOCK);
		assert_int_not_equal(vm->mmu.slots.generation, generation);
		assert_int_equal(frames_available(), free + BLOCK);
		assert_int_equal(ram_resident(vm), resident - BLOCK);
		assert_false(block_is_aged(far, 2));
		audit_memory(vm);
		assert_int_equal(give(FAR_GFN, BLOCK), 0);
		/* It comes again, in one piece, all zero; the other one is what it was. */
		assert_string_equal(far_peek(2), "");
		assert_true(is_one_piece(far, 2));
		assert_string_equal(far_peek(BLOCK + 7), "other");
		STEP(far_access(2, true));
		audit_memory(vm);
		finish();
	}
}

static void some_pages(void **state)
{
	(void)state;
	for (unsigned n = 0; n < ARRAY_SIZE(mechanisms); n++) {
		uint64_t resident;

		start_under(mechanisms[n]);
		for (unsigned page = 0; page < 8; page++) {
			far_poke(page, "text");
			STEP(far_access(page, true));
		}
		resident = ram_resident(vm);
		assert_int_equal(give(FAR_GFN + 2, 3), 3);
		assert_int_equal(ram_resident(vm), resident - 3);
		audit_memory(vm);
		assert_int_equal(give(FAR_GFN + 1, 4), 1);
		assert_string_equal(far_peek(0), "text");
		assert_string_equal(far_peek(5), "text");
		for (unsigned page = 1; page < 5; page++)
			assert_string_equal(far_peek(page), "");
		/* The rest of it. */
		assert_int_equal(give(FAR_GFN, BLOCK), BLOCK);
		audit_memory(vm);
		STEP(far_access(5, true));
		assert_string_equal(far_peek(5), "");
		audit_memory(vm);
		finish();
	}
}

static void what_is_no_such_ram(void **state)
{
	static const uint64_t at[] = { 0x600, 0x800, 0xfee00, 0xfffff, 0x100000, 0xffffffff, UINT64_MAX >> PAGE_SHIFT };

	(void)state;
	start_under("ept");
	for (unsigned n = 0; n < ARRAY_SIZE(at); n++)
		assert_int_equal(give(at[n], 1), 0);
	assert_int_equal(give(0x600, BLOCK), 0); /* which was never touched */
	audit_memory(vm);
	finish();
	start_with("ept", "mem 8M\nprealloc on\n");
	far_poke(3, "three");
	assert_int_equal(give(FAR_GFN, BLOCK), 0);
	assert_string_equal(far_peek(3), "three");
	finish();
}

/* Those that are in the swap area. */
static void that_were_out(void **state)
{
	struct ram_going list[SWAP_MOST];
	unsigned going = 0;
	uint64_t room;

	(void)state;
	start_with("ept", "mem 8M\nswap ide1.0\n");
	room = swap_room();
	for (unsigned page = 0; page < 40; page++)
		far_poke(page, "text");
	vm_freeze(vm);
	for (unsigned page = 0; page < BLOCK;)
		page += ram_age(far, GFN(FAR_GFN + page), false);
	ram_take(far, GFN(FAR_GFN), false, list, &going, 32);
	vm_thaw(vm);
	assert_int_equal(going, 32);
	assert_int_equal(put_out_wholly(far, list, going), 32);
	assert_int_equal(swap_room(), room - 32);
	assert_int_equal(give(FAR_GFN, 32), 0);
	assert_int_equal(swap_room(), room);
	assert_int_equal(ram_swapped(vm), 0);
	assert_string_equal(far_peek(5), "");
	assert_string_equal(far_peek(35), "text");
	audit_memory(vm);
	finish();
}

static void that_are_shared(void **state)
{
	hfn_t common, old;

	(void)state;
	start_under("shadow");
	far_poke(1, "same");
	far_poke(2, "same");
	vm_freeze(vm);
	assert_true(ram_split(far, GFN(FAR_GFN)));
	ram_protect_run(far, GFN(FAR_GFN + 1), 1);
	ram_protect_run(far, GFN(FAR_GFN + 2), 1);
	common = ram_frame(far, GFN(FAR_GFN + 1));
	assert_true(ram_offer(far, GFN(FAR_GFN + 1)));
	old = ram_frame(far, GFN(FAR_GFN + 2));
	assert_true(owner_join(common));
	assert_true(ram_link(far, GFN(FAR_GFN + 2), common));
	mmu_unmap(&vm->mmu, GFN(FAR_GFN + 2), 1);
	owner_clear(old);
	frames_free(old, 1);
	vm_thaw(vm);
	assert_int_equal(ram_shared(vm), 2);
	audit_memory(vm);
	assert_int_equal(give(FAR_GFN + 1, 1), 0);
	assert_string_equal(far_peek(1), "");
	assert_string_equal(far_peek(2), "same");
	assert_int_equal(ram_shared(vm), 1);
	assert_int_equal(give(FAR_GFN + 2, 1), 1);
	assert_int_equal(ram_shared(vm), 0);
	audit_memory(vm);
	finish();
}

/* A block stays as it is where there is no memory to tell of its pages. */
static void without_memory(void **state)
{
	static hfn_t taken[1u << 16];
	unsigned n = 0;

	(void)state;
	start_under("ept");
	far_poke(3, "three");
	while (n < ARRAY_SIZE(taken) && !hfn_is_none(taken[n] = frames_alloc()))
		n++;
	assert_int_equal(give(FAR_GFN + 3, 1), 0);
	assert_string_equal(far_peek(3), "three");
	audit_memory(vm);
	while (n)
		frames_free(taken[--n], 1);
	assert_int_equal(give(FAR_GFN + 3, 1), 1);
	audit_memory(vm);
	finish();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_block_in_one_piece), cmocka_unit_test(some_pages),
		cmocka_unit_test(what_is_no_such_ram), cmocka_unit_test(that_were_out),
		cmocka_unit_test(that_are_shared), cmocka_unit_test(without_memory),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
