/* A guest's RAM (vm/memory/): taken when it is touched, told of by the reverse map, taken away page by page, and given
 * back. */
#include "test/unit/vm/memory/far.h"

#include "host/memory/frames.h"
#include "vm/memory/owner.h"

#define BLOCK (2ull << 20)

static struct vm *vm;
static struct ram *far;

static void start_large(const char *mmu, const char *more)
{
	bench_new(&(struct bench_config){ .cpu = BENCH_HASWELL, .mmu = mmu, .description = more });
	far_map();
	vm = bench.vm[0];
	far = ram_of(vm, GFN(FAR_GFN));
}

static void start_under(const char *mmu) { start_large(mmu, "mem 8M\n"); }

/* ---- it comes ---- */

static void by_a_touch(void **state)
{
	(void)state;
	for (unsigned n = 0; n < 2 * ARRAY_SIZE(mechanisms); n++) {
		struct frame_owner o;
		hfn_t f;

		start_under(mechanisms[n / 2]);
		host_blocks_are_clear = n & 1; /* else it is brought in without the lock */
		assert_int_equal(ram_resident(vm), 1024);
		assert_true(hfn_is_none(ram_frame(far, GFN(FAR_GFN))));
		STEP(far_access(5, n & 2));
		assert_int_equal(ram_resident(vm), 1536);
		f = ram_frame(far, GFN(FAR_GFN + 7));
		o = owner_of(f);
		assert_true(o.kind == OWNER_PAGE && o.vm == 0 && o.gfn.v == FAR_GFN + 7);
		assert_ptr_equal(mmu_guest_ptr(&vm->mmu, GPA(FAR + 7 * PAGE_SIZE), 1, true), frames_ptr(f));
		assert_int_equal(owner_of(HFN(f.v + 512)).kind == OWNER_PAGE, owner_of(HFN(f.v + 512)).gfn.v != 0);
		audit_memory(vm);
		finish();
	}
}

/* The emulator's, devices' and loader's accesses are touches too. */
static void by_the_hypervisor(void **state)
{
	char byte = 1;

	(void)state;
	start_under("ept");
	bench_poke(FAR + BLOCK - 1, "ab", 2);
	assert_int_equal(ram_resident(vm), 2048);
	bench_peek(FAR + 2 * BLOCK - 1, &byte, 1);
	assert_int_equal(byte, 0);
	audit_memory(vm);
	finish();
}

/* Where no 2 MBytes are in one piece it comes page by page. */
static void page_by_page(void **state)
{
	static hfn_t taken[16384], kept[64];
	unsigned count = 0, holes = 0;

	(void)state;
	for (unsigned n = 0; n < ARRAY_SIZE(mechanisms); n++) {
		start_under(mechanisms[n]);
		for (count = holes = 0; !hfn_is_none(taken[count] = frames_alloc_run(256, 256)); count++)
			;
		while (holes < 16 && holes < count) {
			kept[holes] = taken[count - 1 - holes];
			if (kept[holes].v % 512 == 0)
				frames_free(kept[holes], 256);
			holes++;
		}
		for (unsigned page = 0; page < 20; page += 3)
			STEP(far_access(page, true));
		assert_int_equal(ram_resident(vm), 1024 + 7);
		audit_memory(vm);
		for (unsigned i = 0; i < count; i++)
			if (i + 16 < count || taken[i].v % 512)
				frames_free(taken[i], 256);
		finish();
	}
}

static uint64_t take_all_but(uint64_t left, hfn_t *taken)
{
	uint64_t count = 0;

	while (frames_available() > left && !hfn_is_none(taken[count] = frames_alloc()))
		count++;
	return count;
}

/* Who is short ends, with a sentence; what others need is not taken. */
static void until_there_is_none(void **state)
{
	static hfn_t taken[16384];

	(void)state;
	for (unsigned n = 0; n < 2; n++) {
		uint64_t count, before;

		start_under(n ? "shadow" : "ept");
		count = take_all_but(RAM_KEPT + 2, taken);
		STEP(far_access(0, true));
		before = frames_available();
		assert_in_range(before, RAM_KEPT - 1, RAM_KEPT + 1);
		assert_int_equal(far_access(512, false), BENCH_OVER);
		assert_int_equal(vm->status, VM_STATUS_STOPPED);
		assert_string_equal(vm->end_text, "the machine has no memory left for it: 4 MB of its 8 MB of RAM are "
						  "in use");
		for (uint64_t i = 0; i < count; i++)
			frames_free(taken[i], 1);
		finish();
	}
}

/* Who has had its share is short before one that has not; of a neighbour that is over nothing is left for it. */
static void shares_of_two(void **state)
{
	static hfn_t taken[16384];
	uint64_t count;
	struct vm *other;

	(void)state;
	bench_new(&(struct bench_config){ .cpu = BENCH_HASWELL, .mmu = "ept", .description = "mem 8M\n", .vms = 2 });
	vm = bench.vm[0];
	other = bench.vm[1];
	assert_int_equal(ram_resident(vm), 512);
	assert_int_equal(ram_resident(other), 512);
	/* There are 4 blocks for both: each is entitled to 3 of the 6 in all. */
	count = take_all_but(RAM_KEPT + 2048 + 64, taken);
	assert_int_equal(mmu_guest_write(&vm->mmu, GPA(BLOCK), "a", 1), 1);
	assert_int_equal(mmu_guest_write(&vm->mmu, GPA(2 * BLOCK), "a", 1), 1);
	assert_int_equal(mmu_guest_write(&vm->mmu, GPA(3 * BLOCK), "a", 1), 1);
	assert_in_range(ram_resident(vm), 1536, 1600);
	assert_int_equal(mmu_guest_write(&other->mmu, GPA(BLOCK), "a", 1), 1);
	assert_int_equal(mmu_guest_write(&other->mmu, GPA(2 * BLOCK), "a", 1), 1);
	assert_in_range(ram_resident(other), 1025, 1536);
	assert_false(vm->ended || other->ended);
	for (uint64_t i = 0; i < count; i++)
		frames_free(taken[i], 1);
	finish();
}

static void all_at_once(void **state)
{
	(void)state;
	start_large("ept", "mem 8M\nprealloc on\n");
	assert_null(far);
	assert_int_equal(ram_resident(vm), 2048);
	assert_int_equal(owner_count(0), 2048);
	assert_non_null(vm->mmu.slots.slot[0].linear);
	finish();
}

/* ---- it goes ---- */

static void poke_far(unsigned page, const char *text) { bench_poke(FAR + page * PAGE_SIZE, text, strlen(text) + 1); }

static const char *far_text(unsigned page)
{
	static char text[8];

	bench_peek(FAR + page * PAGE_SIZE, text, sizeof(text));
	return text;
}

static void still(bool on)
{
	if (on)
		vm_freeze(vm);
	else
		vm_thaw(vm);
}

static void map_some(void)
{
	for (unsigned page = 0; page < 4; page++)
		STEP(far_access(page, true));
}

static void split_and_dropped(void **state)
{
	(void)state;
	for (unsigned n = 0; n < ARRAY_SIZE(mechanisms); n++) {
		uint32_t generation;
		hfn_t f;

		start_under(mechanisms[n]);
		poke_far(2, "two");
		poke_far(3, "three");
		map_some();
		generation = vm->mmu.slots.generation;
		still(true);
		assert_true(ram_split(far, GFN(FAR_GFN)));
		assert_int_not_equal(vm->mmu.slots.generation, generation);
		assert_true(ram_split(far, GFN(FAR_GFN + 1)));
		audit_memory(vm);
		f = ram_drop(far, GFN(FAR_GFN + 2));
		assert_false(hfn_is_none(f));
		assert_int_equal(owner_of(f).kind, OWNER_NOBODY);
		audit_memory(vm);
		still(false);
		memset(frames_ptr(f), 0xee, PAGE_SIZE);
		frames_free(f, 1);
		assert_true(hfn_is_none(ram_drop(far, GFN(FAR_GFN + 2))));
		assert_int_equal(ram_resident(vm), 1535);
		assert_string_equal(far_text(3), "three");
		assert_string_equal(far_text(2), "");
		assert_int_equal(ram_resident(vm), 1536);
		STEP(far_access(2, true));
		audit_memory(vm);
		finish();
	}
}

/* Returns the frame that it had. */
static hfn_t go_to(uint64_t gfn, hfn_t frame)
{
	hfn_t old = ram_frame(far, GFN(gfn));

	assert_true(owner_join(frame));
	assert_true(ram_link(far, GFN(gfn), frame));
	mmu_unmap(&vm->mmu, GFN(gfn), 1);
	owner_clear(old);
	return old;
}

/* RA5: a device has written to it since it was protected. */
static void written_since(void **state)
{
	hfn_t f;

	(void)state;
	start_under("ept");
	poke_far(1, "one");
	still(true);
	assert_true(ram_split(far, GFN(FAR_GFN)));
	ram_protect_run(far, GFN(FAR_GFN + 1), 2);
	f = ram_frame(far, GFN(FAR_GFN + 1));
	poke_far(1, "two");
	assert_false(ram_forget(far, GFN(FAR_GFN + 1)));
	assert_false(ram_offer(far, GFN(FAR_GFN + 1)));
	assert_true(ram_offer(far, GFN(FAR_GFN + 2)));
	assert_false(ram_link(far, GFN(FAR_GFN + 1), ram_frame(far, GFN(FAR_GFN + 2))));
	assert_int_equal(ram_frame(far, GFN(FAR_GFN + 1)).v, f.v);
	ram_unprotect(far, GFN(FAR_GFN + 2)); /* it is shared: nothing happens */
	assert_string_equal(far_text(1), "two");
	assert_int_equal(ram_shared(vm), 1);
	audit_memory(vm);
	still(false);
	finish();
}

/* OW1: a count that is wrong is found. */
static void counts_one_more(hfn_t shared)
{
	char why[200] = "";

	assert_true(owner_join(shared));
	assert_false(ram_audit(vm, why, sizeof(why)));
	assert_non_null(strstr(why, "OW1: the frame of page 0x401 is not said to be its own, or counts others"));
	assert_false(owner_leave(shared, vm->id, GFN(FAR_GFN + 2)));
	audit_memory(vm);
}

/* Two pages come to lie in one frame, and each gets its own when it is written to: the last keeps it. */
static void shared_and_parted(void **state)
{
	(void)state;
	for (unsigned n = 0; n < ARRAY_SIZE(mechanisms); n++) {
		hfn_t common, old;

		start_under(mechanisms[n]);
		poke_far(1, "same");
		poke_far(2, "same");
		map_some();
		still(true);
		assert_true(ram_split(far, GFN(FAR_GFN)));
		ram_protect_run(far, GFN(FAR_GFN + 1), 1);
		ram_protect_run(far, GFN(FAR_GFN + 2), 1);
		audit_memory(vm);
		common = ram_frame(far, GFN(FAR_GFN + 1));
		assert_true(ram_offer(far, GFN(FAR_GFN + 1)));
		assert_int_equal(ram_shared(vm), 1);
		old = go_to(FAR_GFN + 2, common);
		assert_int_equal(owner_of(common).users, 2);
		counts_one_more(common);
		still(false);
		frames_free(old, 1);
		assert_int_equal(ram_shared(vm), 2);
		assert_int_equal(owner_shared().pages, 2);
		assert_int_equal(owner_shared().frames, 1);
		poke_far(2, "else");
		assert_int_equal(ram_shared(vm), 1);
		assert_int_equal(vm->merge.account.parted, 1);
		assert_string_equal(far_text(1), "same");
		assert_string_equal(far_text(2), "else");
		assert_int_equal(owner_of(common).users, 1);
		audit_memory(vm);
		STEP(far_access(1, true));
		assert_int_equal(ram_frame(far, GFN(FAR_GFN + 1)).v, common.v);
		assert_int_equal(owner_of(common).kind, OWNER_PAGE);
		assert_int_equal(ram_shared(vm), 0);
		assert_int_equal(owner_shared().pages, 0);
		assert_false(owner_join(common));
		audit_memory(vm);
		finish();
	}
}

/* What is only protected becomes writable again where it is; what is shared at the end goes back once. */
static void protected_and_released(void **state)
{
	hfn_t f, old;

	(void)state;
	start_under("ept");
	map_some();
	still(true);
	assert_true(ram_split(far, GFN(FAR_GFN)));
	f = ram_frame(far, GFN(FAR_GFN + 3));
	ram_protect_run(far, GFN(FAR_GFN + 3), 1);
	ram_protect_run(far, GFN(FAR_GFN + 2), 1);
	still(false);
	STEP(far_access(3, true));
	assert_int_equal(ram_frame(far, GFN(FAR_GFN + 3)).v, f.v);
	still(true);
	ram_protect_run(far, GFN(FAR_GFN + 3), 1);
	assert_true(ram_offer(far, GFN(FAR_GFN + 3)));
	old = go_to(FAR_GFN + 2, f);
	assert_true(hfn_is_none(ram_drop(far, GFN(FAR_GFN + 3))));
	assert_int_equal(owner_of(f).users, 1);
	still(false);
	frames_free(old, 1);
	audit_memory(vm);
	finish();
	assert_int_equal(owner_of(f).kind, OWNER_NOBODY);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(by_a_touch),
		cmocka_unit_test(by_the_hypervisor),
		cmocka_unit_test(page_by_page),
		cmocka_unit_test(until_there_is_none),
		cmocka_unit_test(shares_of_two),
		cmocka_unit_test(all_at_once),
		cmocka_unit_test(split_and_dropped),
		cmocka_unit_test(shared_and_parted),
		cmocka_unit_test(protected_and_released),
		cmocka_unit_test(written_since),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
