/* Pages that their guest does without (vm/memory/ram_give.c): what becomes free of them, and what stays. */
#include "test/unit/vm/fixture.h"

#include "host/memory/frames.h"
#include "test/vm/disk.h"
#include "vm/memory/owner.h"
#include "vm/memory/ram_out.h"
#include "vm/memory/reclaim.h"
#include "vm/memory/swap.h"

static const char *const mechanisms[] = { "ept", "shadow", "vtlb", "brute" };

/* As in test_ram.c: guest frames that nothing has touched when a guest of 8 MBytes begins: two blocks. */
#define FAR_GFN 0x400u
#define FAR ((uint64_t)FAR_GFN << PAGE_SHIFT)
#define PD_LOW (BENCH_TABLES + 0x3000)
#define LARGE 0xe7ull
#define BLOCK 512u

static struct vm *vm;
static struct ram *far;

static void start_with(const char *mmu, const char *description)
{
	memset(&bench_disk, 0, sizeof(bench_disk));
	bench_disk.there = true;
	bench_new(&(struct bench_config){ .cpu = BENCH_HASWELL, .mmu = mmu, .description = description });
	assert_true(bench_mode(BENCH_LONG64, 0));
	vm = bench.vm[0];
	far = ram_of(vm, GFN(FAR_GFN));
	for (uint64_t n = 2; n < 4; n++) {
		uint64_t entry = n << 21 | LARGE;

		bench_poke(PD_LOW + 8 * n, &entry, sizeof(entry));
	}
}

static void start_under(const char *mmu) { start_with(mmu, "mem 8M\n"); }

static enum bench_at access_page(unsigned page, bool write)
{
	uint64_t at = FAR + page * PAGE_SIZE;

	if (vm->mmu.ops->nested)
		return violation(write ? WRITE_KNOWN : READ_KNOWN, at);
	return page_fault(write ? PFERR_W : 0, at);
}

static void audit(void)
{
	char why[200] = "";

	if (!ram_audit(vm, why, sizeof(why)) || !mmu_audit(&vm->mmu, why, sizeof(why)))
		fail_msg("%s", why);
}

static void put_text(unsigned page, const char *text) { bench_poke(FAR + page * PAGE_SIZE, text, strlen(text) + 1); }

static const char *text_of(unsigned page)
{
	static char text[8];

	bench_peek(FAR + page * PAGE_SIZE, text, sizeof(text));
	return text;
}

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
		put_text(2, "two");
		put_text(BLOCK + 7, "other");
		for (unsigned page = 0; page < 4; page++)
			STEP(access_page(page, true));
		far->aged[2] = true;
		generation = vm->mmu.slots.generation;
		free = frames_available();
		resident = ram_resident(vm);
		assert_int_equal(give(FAR_GFN, BLOCK), BLOCK);
		assert_int_not_equal(vm->mmu.slots.generation, generation);
		assert_int_equal(frames_available(), free + BLOCK);
		assert_int_equal(ram_resident(vm), resident - BLOCK);
		assert_false(far->aged[2]);
		audit();
		assert_int_equal(give(FAR_GFN, BLOCK), 0);
		/* It comes again, in one piece, all zero; the other one is what it was. */
		assert_string_equal(text_of(2), "");
		assert_non_null(far->block[2].at);
		assert_string_equal(text_of(BLOCK + 7), "other");
		STEP(access_page(2, true));
		audit();
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
			put_text(page, "text");
			STEP(access_page(page, true));
		}
		resident = ram_resident(vm);
		assert_int_equal(give(FAR_GFN + 2, 3), 3);
		assert_int_equal(ram_resident(vm), resident - 3);
		audit();
		assert_int_equal(give(FAR_GFN + 1, 4), 1);
		assert_string_equal(text_of(0), "text");
		assert_string_equal(text_of(5), "text");
		for (unsigned page = 1; page < 5; page++)
			assert_string_equal(text_of(page), "");
		/* The rest of it. */
		assert_int_equal(give(FAR_GFN, BLOCK), BLOCK);
		audit();
		STEP(access_page(5, true));
		assert_string_equal(text_of(5), "");
		audit();
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
	audit();
	finish();
	start_with("ept", "mem 8M\nprealloc on\n");
	put_text(3, "three");
	assert_int_equal(give(FAR_GFN, BLOCK), 0);
	assert_string_equal(text_of(3), "three");
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
		put_text(page, "text");
	vm_freeze(vm);
	for (unsigned page = 0; page < BLOCK;)
		page += ram_age(far, GFN(FAR_GFN + page), false);
	ram_take(far, GFN(FAR_GFN), false, list, &going, 32);
	vm_thaw(vm);
	assert_int_equal(going, 32);
	assert_int_equal(ram_put_out(far, list, going), 32);
	assert_int_equal(swap_room(), room - 32);
	assert_int_equal(give(FAR_GFN, 32), 0);
	assert_int_equal(swap_room(), room);
	assert_int_equal(ram_swapped(vm), 0);
	assert_string_equal(text_of(5), "");
	assert_string_equal(text_of(35), "text");
	audit();
	finish();
}

static void that_are_shared(void **state)
{
	hfn_t common, old;

	(void)state;
	start_under("shadow");
	put_text(1, "same");
	put_text(2, "same");
	vm_freeze(vm);
	assert_true(ram_split(far, GFN(FAR_GFN)));
	ram_protect(far, GFN(FAR_GFN + 1));
	ram_protect(far, GFN(FAR_GFN + 2));
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
	audit();
	assert_int_equal(give(FAR_GFN + 1, 1), 0);
	assert_string_equal(text_of(1), "");
	assert_string_equal(text_of(2), "same");
	assert_int_equal(ram_shared(vm), 1);
	assert_int_equal(give(FAR_GFN + 2, 1), 1);
	assert_int_equal(ram_shared(vm), 0);
	audit();
	finish();
}

/* A block stays as it is where there is no memory to tell of its pages. */
static void without_memory(void **state)
{
	static hfn_t taken[1u << 16];
	unsigned n = 0;

	(void)state;
	start_under("ept");
	put_text(3, "three");
	while (n < ARRAY_SIZE(taken) && !hfn_is_none(taken[n] = frames_alloc()))
		n++;
	assert_int_equal(give(FAR_GFN + 3, 1), 0);
	assert_string_equal(text_of(3), "three");
	audit();
	while (n)
		frames_free(taken[--n], 1);
	assert_int_equal(give(FAR_GFN + 3, 1), 1);
	audit();
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
