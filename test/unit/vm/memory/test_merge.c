/* Pages that hold the same (vm/memory/merge.c, merge_table.c, ram_share.c, vm/control/merge.c): which come together, in
 * which order, what is never merged, and that all of it ends. */
#include "test/unit/vm/memory/far.h"

#include "host/memory/frames.h"
#include "vm/memory/merge_table.h"
#include "vm/memory/owner.h"


static struct vm *vm, *other;

/* The other's guest has no tables: its memory is written to as by a device. */
static void start_two(const char *mmu)
{
	bench_new(&(struct bench_config){ .cpu = BENCH_HASWELL, .mmu = mmu, .vms = 2, .guest_clock = true,
					 .description = "mem 8M\nmerge on\nmerge-rate 100000\n" });
	vm = bench.vm[0];
	other = bench.vm[1];
	assert_int_equal(vm->merge.state, MERGE_ON);
}

static void start_one(const char *mmu, const char *more)
{
	bench_new(&(struct bench_config){ .cpu = BENCH_HASWELL, .mmu = mmu, .guest_clock = true, .description = more });
	far_map();
	vm = bench.vm[0];
}

static void start_under(const char *mmu) { start_one(mmu, "mem 8M\nmerge on\nmerge-rate 100000\n"); }

static void put(struct vm *of, unsigned page, const void *data, size_t n)
{
	assert_int_equal(mmu_guest_write(&of->mmu, GPA(FAR + page * PAGE_SIZE), data, n), n);
}

static hfn_t frame(struct vm *of, unsigned page)
{
	return ram_frame(ram_of(of, GFN(FAR_GFN)), GFN(FAR_GFN + page));
}

/* All of its pages are looked at. */
static void looks(struct vm *of, unsigned rounds)
{
	uint64_t until = of->merge.account.rounds + rounds;

	for (unsigned n = 0; n < 2000 * rounds && of->merge.account.rounds < until; n++)
		merge_serve(of);
	assert_int_equal(of->merge.account.rounds, until);
}

/* ---- what comes together ---- */

static void two_come_together(void **state)
{
	(void)state;
	for (unsigned n = 0; n < ARRAY_SIZE(mechanisms); n++) {
		start_two(mechanisms[n]);
		far_write(vm, 3, "the same");
		far_write(other, 5, "the same");
		far_write(other, 6, "another");
		looks(vm, 2);
		assert_int_equal(vm->merge.account.merged, 0);
		looks(other, 2);
		audit_memory(other);
		assert_int_equal(owner_of(frame(other, 5)).kind, OWNER_SHARED);
		looks(vm, 1);
		assert_int_equal(frame(vm, 3).v, frame(other, 5).v);
		assert_int_equal(owner_of(frame(vm, 3)).users, 2);
		assert_int_equal(owner_of(frame(other, 6)).kind, OWNER_PAGE);
		assert_int_equal(owner_shared().pages, ram_shared(vm) + ram_shared(other));
		assert_true(owner_shared().frames < owner_shared().pages);
		audit_memory(vm);
		audit_memory(other);
		far_write(other, 5, "changed");
		assert_true(far_holds(vm, 3, "the same"));
		assert_true(far_holds(other, 5, "changed") && far_holds(other, 6, "another"));
		audit_memory(other);
		assert_int_not_equal(frame(vm, 3).v, frame(other, 5).v);
		finish();
		assert_int_equal(owner_shared().pages, 0);
	}
}

/* Of one guest, with everything mapped: what is mapped leads nowhere else. */
static void within_one(void **state)
{
	(void)state;
	for (unsigned n = 0; n < ARRAY_SIZE(mechanisms); n++) {
		start_under(mechanisms[n]);
		for (unsigned page = 0; page < 8; page++) {
			far_write(vm, page, page & 1 ? "odd" : "even");
			STEP(far_access(page, true));
		}
		looks(vm, 3);
		assert_int_equal(frame(vm, 0).v, frame(vm, 6).v);
		assert_int_equal(frame(vm, 1).v, frame(vm, 7).v);
		assert_int_equal(owner_of(frame(vm, 2)).users, 4);
		audit_memory(vm);
		STEP(far_access(2, false));
		STEP(far_access(4, true));
		assert_true(vm->merge.account.parted >= 1);
		assert_int_equal(owner_of(frame(vm, 4)).kind, OWNER_PAGE);
		assert_true(far_holds(vm, 4, "even") && far_holds(vm, 2, "even") && far_holds(vm, 7, "odd"));
		audit_memory(vm);
		finish();
	}
}

static void zeroes_are_given_back(void **state)
{
	uint64_t before;

	(void)state;
	for (unsigned n = 0; n < ARRAY_SIZE(mechanisms); n++) {
		start_under(mechanisms[n]);
		far_write(vm, 1, "x");
		STEP(far_access(1, true));
		STEP(far_access(2, true));
		before = frames_available();
		looks(vm, 1);
		assert_int_equal(vm->merge.account.zero, 0);
		looks(vm, 1);
		assert_true(vm->merge.account.zero > 500);
		assert_true(frames_available() > before + 500);
		assert_true(hfn_is_none(frame(vm, 2)));
		audit_memory(vm);
		assert_true(far_holds(vm, 1, "x") && far_holds(vm, 2, ""));
		STEP(far_access(2, true));
		audit_memory(vm);
		finish();
	}
}

/* ---- what does not ---- */

/* What changes between two looks stays alone. */
static void what_changes(void **state)
{
	(void)state;
	start_under("ept");
	for (unsigned round = 0; round < 4; round++) {
		char text[8];

		snprintf(text, sizeof(text), "is %u", round);
		far_write(vm, 0, text);
		far_write(vm, 1, text);
		looks(vm, 1);
	}
	assert_true(vm->merge.account.unsteady >= 6);
	assert_int_equal(owner_of(frame(vm, 0)).kind, OWNER_PAGE);
	assert_int_not_equal(frame(vm, 0).v, frame(vm, 1).v);
	finish();
}

/* Pages with the same hash that differ: they are compared, whole, and nothing is left of it. */
static void what_only_seems_the_same(void **state)
{
	uint64_t one[8] = { 1 }, four[8] = { [4] = 1 }, zero[8] = { [0] = 5, [4] = 5 };
	static uint64_t page[2][512];
	uint64_t users;

	(void)state;
	page[0][0] = page[1][4] = 1;
	assert_int_equal(merge_hash(page[0]), merge_hash(page[1]));
	start_under("ept");
	put(vm, 0, one, sizeof(one));
	put(vm, 1, one, sizeof(one));
	looks(vm, 3);
	put(vm, 2, four, sizeof(four));
	put(vm, 3, zero, sizeof(zero));
	looks(vm, 3);
	assert_int_equal(frame(vm, 0).v, frame(vm, 1).v);
	users = owner_of(frame(vm, 0)).users;
	assert_int_equal(users, 2);
	assert_int_equal(owner_of(frame(vm, 2)).kind, OWNER_PAGE);
	assert_int_equal(owner_of(frame(vm, 3)).kind, OWNER_PAGE);
	assert_true(vm->merge.account.refused >= 1);
	/* A write needs nothing but a fault that makes it writable again. */
	STEP(far_access(2, true));
	audit_memory(vm);
	finish();
}

/* MT1: a frame that is nobody's, or another's, any more. */
static void what_the_table_says_of_old(void **state)
{
	hfn_t f = HFN(1), was;

	(void)state;
	start_under("ept");
	far_write(vm, 0, "same");
	far_write(vm, 1, "same");
	looks(vm, 3);
	was = frame(vm, 0);
	far_write(vm, 0, "a");
	far_write(vm, 1, "b"); /* the last that shares it keeps it */
	assert_int_not_equal(owner_of(was).kind, OWNER_SHARED);
	assert_false(owner_join(was));
	far_write(vm, 2, "same");
	far_write(vm, 3, "same");
	looks(vm, 4);
	assert_int_equal(frame(vm, 2).v, frame(vm, 3).v);
	assert_true(far_holds(vm, 0, "a") && far_holds(vm, 1, "b"));
	audit_memory(vm);
	merge_table_offer(77, was);
	assert_int_equal(merge_table_find(77, 0, GFN(1), &f), MERGE_FRAME);
	assert_int_equal(f.v, was.v);
	merge_table_forget(77, HFN(was.v + 1));
	assert_int_equal(merge_table_find(77, 0, GFN(1), &f), MERGE_FRAME);
	merge_table_forget(77, was);
	assert_int_equal(merge_table_find(77, 0, GFN(1), &f), MERGE_NOTHING);
	assert_int_equal(merge_table_find(77, 0, GFN(1), &f), MERGE_NOTHING);
	assert_int_equal(merge_table_find(77, 1, GFN(1), &f), MERGE_SEEN);
	finish();
}

/* ---- its end ---- */

static void off_gives_back(void **state)
{
	uint64_t before;

	(void)state;
	for (unsigned n = 0; n < ARRAY_SIZE(mechanisms); n++) {
		start_under(mechanisms[n]);
		far_write(vm, 0, "same");
		far_write(vm, 1, "same");
		STEP(far_access(0, true));
		looks(vm, 3);
		before = frames_available();
		assert_true(ram_shared(vm) >= 2);
		STEP(ask("1 merge 0 off\n"));
		assert_true(answered("1", "\"merging\":\"ending\""));
		for (unsigned i = 0; i < 1000 && vm->merge.state != MERGE_OFF; i++)
			STEP(bench_timer());
		assert_int_equal(vm->merge.state, MERGE_OFF);
		assert_int_equal(ram_shared(vm), 0);
		assert_int_equal(owner_shared().pages, 0);
		assert_int_equal(merge_table_bytes(), 0);
		assert_int_equal(vm->merge.bytes, 0);
		assert_true(frames_available() > before);
		assert_true(far_holds(vm, 0, "same") && far_holds(vm, 1, "same"));
		audit_memory(vm);
		STEP(ask("2 merge 0 on\n"));
		assert_true(answered("2", "\"merging\":\"on\""));
		looks(vm, 3);
		assert_true(ram_shared(vm) >= 2);
		STEP(ask("3 stats 0\n"));
		assert_true(answered("3", "\"merge\":{\"merging\":\"on\""));
		finish();
	}
}

/* Where there is no memory, what is shared stays so, and nobody ends. */
static void off_without_memory(void **state)
{
	static hfn_t taken[16384];
	uint64_t count = 0;

	(void)state;
	start_under("ept");
	far_write(vm, 0, "same");
	far_write(vm, 1, "same");
	looks(vm, 3);
	while (frames_available() > RAM_KEPT && !hfn_is_none(taken[count] = frames_alloc()))
		count++;
	merge_end(vm);
	for (unsigned i = 0; i < 1000 && vm->merge.state != MERGE_OFF; i++)
		merge_serve(vm);
	assert_true(vm->merge.short_of_memory);
	assert_true(ram_shared(vm) >= 2);
	assert_false(vm->ended);
	for (uint64_t i = 0; i < count; i++)
		frames_free(taken[i], 1);
	finish();
}

/* One ends while it shares: the other keeps what it has, and nothing is lost. */
static void one_ends(void **state)
{
	struct vm *lives, *dies;
	unsigned page;

	(void)state;
	start_two("ept");
	far_write(vm, 3, "the same");
	far_write(other, 5, "the same");
	looks(vm, 2);
	looks(other, 2);
	looks(vm, 1);
	assert_int_equal(owner_of(frame(vm, 3)).users, 2);
	dies = bench.v->vm;
	lives = dies == vm ? other : vm;
	page = lives == vm ? 3 : 5;
	STEP(bench_exit_simple(EXIT_TRIPLE_FAULT, 0));
	for (unsigned n = 0; n < 50 && !dies->released; n++)
		next_slice();
	assert_int_equal(owner_of(frame(lives, page)).users, 1);
	assert_true(far_holds(lives, page, "the same"));
	far_write(lives, page, "mine");
	assert_int_equal(owner_of(frame(lives, page)).kind, OWNER_PAGE);
	audit_memory(lives);
	assert_int_not_equal(merge_table_bytes(), 0);
	assert_int_equal(bench_exit_simple(EXIT_TRIPLE_FAULT, 0), BENCH_OVER);
	vm_release_all();
	assert_int_equal(frames_available(), machine.frames_before);
	assert_int_equal(merge_table_bytes(), 0);
	assert_int_equal(owner_shared().pages, 0);
}

/* ---- when ---- */

/* MG4. */
static void a_bounded_share(void **state)
{
	uint64_t before;

	(void)state;
	start_one("ept", "mem 8M\nmerge on\nmerge-rate 10000000\nmerge-share 10\n");
	for (unsigned n = 0; n < 50 && !vm->merge.account.scanned; n++)
		STEP(bench_timer());
	before = vm->merge.account.scanned;
	assert_true(before);
	for (unsigned n = 0; n < 50 && vm->merge.account.scanned == before; n++)
		STEP(bench_timer());
	assert_true(vm->merge.account.scanned > before);
	assert_true(vm->merge.timer.armed);
	assert_int_equal(merge_pause(vm, 10000), 90000);
	assert_int_equal(merge_pause(vm, 1), MERGE_BATCH * machine.tsc_hz / 10000000);
	vm->vcpu[0]->halted = true;
	assert_int_equal(merge_pause(vm, 10000), MERGE_BATCH * machine.tsc_hz / 10000000);
	vm->vcpu[0]->halted = false;
	finish();
}

/* HA3: one that sleeps is woken for it. */
static void while_it_sleeps(void **state)
{
	(void)state;
	start_under("ept");
	merge_end(vm);
	for (unsigned i = 0; i < 1000 && vm->merge.state != MERGE_OFF; i++)
		STEP(bench_timer());
	assert_false(vm->merge.timer.armed);
	vmcs_put(VMCS_GUEST_RFLAGS, vmcs_get(VMCS_GUEST_RFLAGS) | RFLAGS_IF);
	assert_int_equal(bench_exit_simple(EXIT_HLT, 1), BENCH_IDLE);
	assert_int_equal(ask("1 merge 0 on\n"), BENCH_IDLE);
	assert_in_range(vm->vcpu[0]->cpu->timer_armed, soft.tsc, soft.tsc + machine.tsc_hz / 1000);
	finish();
}

/* In the account, where it is allowed. */
static void what_is_told(void **state)
{
	(void)state;
	for (unsigned n = 0; n < 2; n++) {
		start_one("ept", n ? "mem 8M\nmerge on\n" : "mem 8M\n");
		assert_int_equal(bench_exit_simple(EXIT_TRIPLE_FAULT, 0), BENCH_OVER);
		assert_int_equal(said("stat 0 merge.scanned 0\n"), n);
		vm_release_all();
	}
}

static void refusals(void **state)
{
	(void)state;
	start_one("ept", "mem 8M\n");
	STEP(ask("1 merge 0 on\n"));
	assert_true(said("done 1 error the pages of test0 cannot be merged: its description does not allow it: "
			 "\"merge on\" does\n"));
	STEP(ask("2 merge 0 stats\n"));
	assert_true(answered("2", "\"merging\":\"off\""));
	STEP(ask("3 merge 0 off\n"));
	assert_true(answered("3", "\"merging\":\"off\""));
	assert_int_equal(merge_table_bytes(), 0);
	assert_true(bench_create(&(struct bench_config){ .mmu = "ept", .description = "merge on\nprealloc on\n" })
			    ->ended);
	finish();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(two_come_together),
		cmocka_unit_test(within_one),
		cmocka_unit_test(zeroes_are_given_back),
		cmocka_unit_test(what_changes),
		cmocka_unit_test(what_only_seems_the_same),
		cmocka_unit_test(what_the_table_says_of_old),
		cmocka_unit_test(off_gives_back),
		cmocka_unit_test(off_without_memory),
		cmocka_unit_test(one_ends),
		cmocka_unit_test(a_bounded_share),
		cmocka_unit_test(while_it_sleeps),
		cmocka_unit_test(what_is_told),
		cmocka_unit_test(refusals),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
