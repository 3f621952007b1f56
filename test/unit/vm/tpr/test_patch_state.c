/* What of the TPR by patching outlives a change of method, and goes along with a snapshot or a move (PX9 in
 * vm/tpr/patch.c): stubs, and what is known of them; and the page that has the TPR stays where it is. */
#include "test/unit/vm/tpr/patched.h"

#include "dev/state.h"
#include "vm/snapshot/snapshot.h"

static uint8_t bytes[64 << 10];

static size_t saved(void)
{
	struct fields s;

	state_save(&s, bytes, sizeof(bytes));
	state_begin(&s, "patch", 1);
	patch_state(&s, &bench.vm[0]->patch);
	state_end(&s);
	assert_false(s.bad);
	return s.at;
}

static bool loaded(size_t size)
{
	struct fields s;

	state_load(&s, bytes, size, 0);
	state_begin(&s, "patch", 1);
	patch_state(&s, &bench.vm[0]->patch);
	state_end(&s);
	state_done(&s);
	return !s.bad;
}

/* As in a container that has only the memory. */
static void forget(void)
{
	struct vm_patch *p = &bench.vm[0]->patch;

	p->rom = false;
	p->data = NULL;
	p->linear = p->stubs = 0;
	memset(p->stub, 0, sizeof(p->stub));
}

static void stubs_go_along(void **state)
{
	uint8_t before[PAGE_SIZE], after[PAGE_SIZE];
	size_t size;

	(void)state;
	begin("ept", BENCH_PAE);
	PATCH(STORE_EAX, true);
	bench_peek(PATCH_CODE_GPA, before, sizeof(before));
	assert_null(tpr_change(bench.vm[0], "trap"));
	size = saved();
	forget();
	assert_true(loaded(size));
	assert_true(bench.vm[0]->patch.rom && bench.vm[0]->patch.stubs == 1);
	assert_null(tpr_change(bench.vm[0], "patch"));
	bench_peek(PATCH_CODE_GPA, after, sizeof(after));
	assert_memory_equal(before, after, PAGE_SIZE);
	/* The same write of the guest's finds its stub again. */
	PATCH(STORE_EAX, true);
	assert_int_equal(bench.vm[0]->patch.stubs, 1);
	finish();
}

static size_t machine_size(void)
{
	struct fields s;

	state_save(&s, bytes, sizeof(bytes));
	machine_state(&s, bench.vm[0]);
	assert_false(s.bad);
	return s.at;
}

static void a_snapshot_has_them(void **state)
{
	size_t without;

	(void)state;
	begin("ept", BENCH_PAE);
	without = machine_size();
	PATCH(STORE_EAX, true);
	assert_true(machine_size() > without);
	finish();
}

/* SA1. */
static void that_cannot_be(void **state)
{
	struct vm_patch *p;
	size_t size;

	(void)state;
	begin("ept", BENCH_PAE);
	PATCH(STORE_EAX, true);
	p = &bench.vm[0]->patch;
	p->stub[0].tprs = 3;
	size = saved();
	assert_false(loaded(size));
	p->stub[0].tprs = 1;
	p->stub[0].tpr_at[0] = PATCH_STUB_MAX - 3;
	size = saved();
	assert_false(loaded(size));
	p->stub[0].tpr_at[0] = PATCH_STUB_MAX - 4;
	p->stub[0].tell_at = PATCH_STUB_MAX;
	size = saved();
	assert_false(loaded(size));
	p->stub[0].tell_at = 1;
	p->rom = false;
	size = saved();
	assert_false(loaded(size));
	p->rom = true;
	size = saved();
	bytes[size - 1] ^= 1; /* anything may be in a place */
	assert_true(loaded(size));
	assert_false(loaded(size - 1));
	finish();
}

static void the_page_is_held(void **state)
{
	gfn_t page = gpa_gfn(GPA(PATCH_DATA_GPA));

	(void)state;
	begin("ept", BENCH_PAE);
	assert_int_equal(ram_of(bench.vm[0], page)->held.v, page.v);
	assert_int_equal(ram_of(bench.vm[0], page)->held_pages, 1);
	finish();
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(stubs_go_along),
		cmocka_unit_test(a_snapshot_has_them),
		cmocka_unit_test(that_cannot_be),
		cmocka_unit_test(the_page_is_held),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
