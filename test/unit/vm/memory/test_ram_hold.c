/* A page that is held (RA6 in vm/memory/ram.h): it stays in its frame, whoever wants it: the area, the guest that does
 * without it, who merges, who puts its block together. */
#include "test/unit/vm/memory/out.h"

#include "host/memory/frames.h"
#include "vm/memory/ram_inside.h"
#include "vm/memory/ram_join.h"
#include "vm/memory/reclaim.h"

#define BLOCK 512u
#define HELD 3u

static hfn_t frame;

/* Its block in one piece; or page by page, with some that lie elsewhere. */
static void begin(const char *mmu, bool in_pages)
{
	start_under(mmu);
	ram_hold(vm, page_gfn(HELD), 1);
	vm->ram[0].joining.state = JOIN_ARMED; /* only by the test */
	fill(BLOCK);
	if (in_pages) {
		age_block();
		begin_to_take(BLOCK - 40, 20);
		put_out();
	}
	far_poke(HELD, "held");
	frame = ram_frame(far, page_gfn(HELD));
}

static void is_there(void)
{
	assert_int_equal(ram_frame(far, page_gfn(HELD)).v, frame.v);
	assert_string_equal(far_peek(HELD), "held");
	assert_true(is_one_piece(far, block_of(far, page_gfn(HELD))) || (word_now(far, page_gfn(HELD)) & WRITABLE));
	audit_memory(vm);
}

static void goes_not_out(void **state)
{
	(void)state;
	for (unsigned n = 0; n < ARRAY_SIZE(mechanisms); n++) {
		begin(mechanisms[n], false);
		age_block();
		assert_int_equal(begin_to_take(0, 32), 32);
		for (unsigned i = 0; i < going; i++)
			assert_int_not_equal(list[i].gfn.v, page_gfn(HELD).v);
		put_out();
		is_there();
		finish();
	}
}

static uint64_t give(unsigned page, uint64_t pages)
{
	uint64_t freed;

	reclaim_hold();
	vm_freeze(vm);
	freed = ram_give(vm, page_gfn(page), pages);
	vm_thaw(vm);
	reclaim_let_go();
	return freed;
}

static void is_not_given(void **state)
{
	(void)state;
	for (unsigned n = 0; n < ARRAY_SIZE(mechanisms); n++) {
		begin(mechanisms[n], false);
		assert_int_equal(give(0, BLOCK), BLOCK - 1);
		is_there();
		assert_int_equal(give(HELD, 1), 0);
		is_there();
		finish();
	}
}

static void is_not_protected(void **state)
{
	(void)state;
	begin("ept", true);
	vm_freeze(vm);
	ram_protect_run(far, page_gfn(0), 32);
	assert_true(ram_is_protected(far, page_gfn(HELD + 1)));
	assert_false(ram_is_protected(far, page_gfn(HELD)));
	assert_false(ram_link(far, page_gfn(HELD), frame));
	assert_false(ram_forget(far, page_gfn(HELD)));
	for (unsigned page = 0; page < 32; page++)
		ram_unprotect(far, page_gfn(page));
	vm_thaw(vm);
	is_there();
	finish();
}

/* Elsewhere in one piece it may not lie. */
static void its_block_stays(void **state)
{
	bool joined;

	(void)state;
	begin("ept", true);
	for (unsigned page = 0; page < BLOCK; page++)
		assert_non_null(far_peek(page));
	reclaim_hold();
	vm_freeze(vm);
	joined = ram_join(far, page_gfn(0));
	vm_thaw(vm);
	reclaim_let_go();
	assert_false(joined);
	is_there();
	finish();
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(goes_not_out),
		cmocka_unit_test(is_not_given),
		cmocka_unit_test(is_not_protected),
		cmocka_unit_test(its_block_stays),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
