/* The mechanism `ept` over frames of host memory: what it maps, how large, with which type, what it takes away, and
 * when it flushes. */
#include "test/unit/mmu/ept/fixture.h"

static const struct mmu_config four = { .page_limit = PAGE_LIMIT_2M, .ept_levels = 4 };
static const struct mmu_config five = { .page_limit = PAGE_LIMIT_2M, .ept_levels = 5 };
static const struct mmu_config wide = { .page_limit = PAGE_LIMIT_2M, .gpa_bits = 52 };
static const struct slot far = {
	.base = GFN(1ull << 39), .pages = 0x400, .kind = SLOT_RAM, .type = MEMTYPE_WT, .backing = &low.backing
};

/* Guest-physical addresses of 52 bits: slots and MMIO beyond 48. */
static void check_wide(void)
{
	const uint64_t gpa = far.base.v << PAGE_SHIFT;

	start_with(wide);
	assert_int_equal(vcpu.root.nested >> 3 & 7, 4);
	assert_true(mmu_slot_add(&vm, &far));
	assert_int_equal(touch(gpa + 0x200000, MMU_WRITE), MMU_FIXED);
	expect_leaf(gpa + 0x200000, 2, 0x100200, 7, MEMTYPE_WT);
	assert_int_equal(touch(gpa + 0x400000, MMU_READ), MMU_EMULATE);
	mmu_unmap(&vm, GFN(far.base.v + 0x201), 1);
	expect_leaf(gpa + 0x200000, 1, 0x100200, 7, MEMTYPE_WT);
	expect_none(gpa + 0x201000);
	assert_true(mmu_slot_remove(&vm, far.base));
	expect_none(gpa + 0x200000);
	/* MMIO up there is cached as anywhere. */
	assert_true(mmu_slot_add(&vm, &(struct slot){ .base = far.base, .pages = 1, .kind = SLOT_MMIO }));
	assert_int_equal(touch(gpa, MMU_READ), MMU_EMULATE);
	assert_int_equal(touch_misconfig(gpa), MMU_EMULATE);
	assert_int_equal(vm.counters.mmio_cached, 1);
	stop();
}

static void check_levels_had(void)
{
	struct mmu_config narrow = wide, odd = { .ept_levels = 3 };

	caps.ept_5level = false;
	narrow.ept_levels = 4;
	assert_string_equal(mmu_unsupported(&mmu_ept, &caps, &five), "the CPU's EPT has tables of 4 levels only");
	assert_string_equal(mmu_unsupported(&mmu_ept, &caps, &wide), "the CPU's EPT has tables of 4 levels only");
	assert_null(mmu_unsupported(&mmu_ept, &caps, &four));
	caps.ept_5level = true;
	assert_non_null(mmu_unsupported(&mmu_ept, &caps, &narrow));
	assert_non_null(mmu_unsupported(&mmu_ept, &caps, &odd));
	assert_null(mmu_unsupported(&mmu_vtlb, &caps, &odd));
}

/* Five levels where they are asked for, or where memory lies beyond what four translate; what is there is reached. */
static void test_five_levels(void **state)
{
	(void)state;
	start_with(five);
	assert_int_equal(vcpu.root.nested & 0xfff, MEMTYPE_WB | 4 << 3 | EPTP_AD);
	assert_false(mmu_slot_add(&vm, &far)); /* the addresses are still of 48 bits */
	assert_int_equal(touch(0x123456, MMU_READ), MMU_FIXED);
	expect_leaf(0x123456, 2, 0x100000, 7, MEMTYPE_WB);
	assert_int_equal(vm.table_pages, 1 + 4); /* its own page, and the root to the directory */
	assert_int_equal(touch(far.base.v << PAGE_SHIFT, MMU_WRITE), MMU_EMULATE);
	stop();

	check_wide();

	start_with(four);
	assert_int_equal(vcpu.root.nested >> 3 & 7, 3);
	stop();

	check_levels_had();
}

static void test_map(void **state)
{
	(void)state;
	start(PAGE_LIMIT_1G);
	assert_int_equal(vcpu.root.nested & 0xfff, MEMTYPE_WB | 3 << 3 | EPTP_AD);
	assert_true(vcpu.intercepts.ept && !vcpu.intercepts.cr3_load && !vcpu.intercepts.page_fault);
	assert_int_equal(touch(0x123456, MMU_READ), MMU_FIXED);
	expect_leaf(0x123456, 2, 0x100000, 7, MEMTYPE_WB);
	assert_int_equal(touch(0x123456, MMU_WRITE), MMU_SPURIOUS);
	/* 1 GByte where the slot is that large and aligned. */
	assert_int_equal(touch(0x40000000 + 0x1234567, MMU_WRITE), MMU_FIXED);
	expect_leaf(0x40000000, 3, 0x400000, 7, MEMTYPE_WB);
	assert_int_equal(vm.counters.mapped_1g, 1);
	assert_int_equal(vm.counters.mapped_2m, 1);
	/* ROM is read and fetched, not written. */
	assert_int_equal(touch(0x901000, MMU_FETCH), MMU_FIXED);
	expect_leaf(0x901000, 1, 0x200001, 5, MEMTYPE_WP);
	assert_int_equal(touch(0x901000, MMU_WRITE), MMU_EMULATE);
	expect_leaf(0x901000, 1, 0x200001, 5, MEMTYPE_WP);
	/* Absent, also beyond what four levels reach. */
	assert_int_equal(touch(0x800000, MMU_READ), MMU_EMULATE);
	assert_int_equal(touch(1ull << 50, MMU_READ), MMU_EMULATE);
	/* Adding needs no flush. */
	mmu_enter(&vcpu, 0);
	assert_int_equal(f->invepts, 1);
	assert_int_equal(vm.counters.flush_requests, 0);
	assert_int_equal(mmu_table_pages(&vm), 5);
	stop();
}

static void test_limits(void **state)
{
	(void)state;
	start(PAGE_LIMIT_4K);
	touch(0x123456, MMU_READ);
	expect_leaf(0x123456, 1, 0x100123, 7, MEMTYPE_WB);
	stop();
	start(PAGE_LIMIT_2M);
	touch(0x40000000 + 0x1234567, MMU_READ);
	expect_leaf(0x40000000 + 0x1234567, 2, 0x401200, 7, MEMTYPE_WB);
	stop();
	start(PAGE_LIMIT_1G);
	caps.ept_1g = false;
	touch(0x40000000, MMU_READ);
	expect_leaf(0x40000000, 2, 0x400000, 7, MEMTYPE_WB);
	stop();
	start(PAGE_LIMIT_1G);
	caps.ept_2m = caps.ept_1g = false;
	touch(0x40200000, MMU_READ);
	expect_leaf(0x40200000, 1, 0x400200, 7, MEMTYPE_WB);
	caps.ept_2m = caps.ept_1g = true;
	/* Tables that stand are used as they are. */
	touch(0x40201000, MMU_READ);
	expect_leaf(0x40201000, 1, 0x400201, 7, MEMTYPE_WB);
	stop();
}

static void test_unmap(void **state)
{
	unsigned tables;

	(void)state;
	start(PAGE_LIMIT_1G);
	touch(0x40000000, MMU_WRITE);
	tables = vm.table_pages;
	mmu_unmap(&vm, GFN(0x40000 + 5), 1); /* 1G -> 2M -> 4K */
	expect_none(0x40005000);
	expect_leaf(0x40004000, 1, 0x400004, 7, MEMTYPE_WB);
	expect_leaf(0x40200000, 2, 0x400200, 7, MEMTYPE_WB);
	assert_int_equal(vm.counters.leaves_split, 2);
	assert_int_equal(vm.table_pages, tables + 2);
	mmu_enter(&vcpu, 0);
	assert_int_equal(f->invepts, 2);
	assert_int_equal(touch(0x40005000, MMU_READ), MMU_FIXED);
	expect_leaf(0x40005000, 1, 0x400005, 7, MEMTYPE_WB);
	/* Nothing there: nothing to flush. */
	mmu_unmap(&vm, GFN(0x100), 0x300);
	mmu_enter(&vcpu, 0);
	assert_int_equal(f->invepts, 2);
	/* Whole tables go. */
	mmu_unmap(&vm, GFN(0x40000), 0x40000);
	expect_none(0x40004000);
	assert_int_equal(vm.table_pages, tables);
	mmu_enter(&vcpu, 0);
	assert_int_equal(f->invepts, 3);
	touch(0x40004000, MMU_READ);
	expect_leaf(0x40004000, 3, 0x400000, 7, MEMTYPE_WB);
	mmu_unmap(&vm, GFN(0), ~0ull >> 1);
	expect_none(0x40004000);
	stop();
}

static void test_protect(void **state)
{
	(void)state;
	start(PAGE_LIMIT_2M);
	touch(0x200000, MMU_WRITE);
	mmu_write_protect(&vm, GFN(0x200), 0x200);
	expect_leaf(0x200000, 2, 0x100200, 5, MEMTYPE_WB);
	mmu_enter(&vcpu, 0);
	assert_int_equal(f->invepts, 2);
	mmu_write_protect(&vm, GFN(0x200), 0x200); /* already */
	mmu_enter(&vcpu, 0);
	assert_int_equal(f->invepts, 2);
	assert_int_equal(touch(0x200000, MMU_WRITE), MMU_FIXED);
	expect_leaf(0x200000, 2, 0x100200, 7, MEMTYPE_WB);
	mmu_write_protect(&vm, GFN(0x210), 2);
	expect_leaf(0x210000, 1, 0x100210, 5, MEMTYPE_WB);
	expect_leaf(0x212000, 1, 0x100212, 7, MEMTYPE_WB);
	stop();
}

static void test_log(void **state)
{
	uint64_t bits[0x800 / 64], out[0x800 / 64];

	(void)state;
	start_with((struct mmu_config){ .page_limit = PAGE_LIMIT_2M, .log = MMU_LOG_PROTECT });
	touch(0x200000, MMU_WRITE);
	touch(0x0, MMU_WRITE);
	assert_false(mmu_log_start(&vm, GFN(1), bits));
	assert_false(mmu_log_collect(&vm, GFN(0), out));
	assert_true(mmu_log_start(&vm, GFN(0), bits));
	assert_false(mmu_log_start(&vm, GFN(0), bits));
	expect_leaf(0x200000, 2, 0x100200, 5, MEMTYPE_WB);
	mmu_enter(&vcpu, 0);
	assert_int_equal(f->invepts, 2);
	assert_int_equal(touch(0x203000, MMU_READ), MMU_SPURIOUS);
	assert_int_equal(touch(0x203000, MMU_WRITE), MMU_FIXED);
	expect_leaf(0x203000, 1, 0x100203, 7, MEMTYPE_WB);
	expect_leaf(0x204000, 1, 0x100204, 5, MEMTYPE_WB);
	assert_int_equal(touch(0x600000, MMU_READ), MMU_FIXED); /* S10: no large leaf while logged */
	expect_leaf(0x600000, 1, 0x100600, 5, MEMTYPE_WB);
	assert_true(mmu_log_collect(&vm, GFN(0), out));
	assert_int_equal(out[0x203 / 64], BIT(0x203 % 64));
	assert_int_equal(out[0], 0);
	expect_leaf(0x203000, 1, 0x100203, 5, MEMTYPE_WB);
	mmu_enter(&vcpu, 0);
	assert_int_equal(f->invepts, 3);
	assert_true(mmu_log_collect(&vm, GFN(0), out));
	assert_int_equal(out[0x203 / 64], 0);
	assert_int_equal(touch(0x203000, MMU_WRITE), MMU_FIXED);
	assert_true(mmu_log_stop(&vm, GFN(0)));
	assert_false(mmu_log_stop(&vm, GFN(0)));
	/* What was split can be large again. */
	expect_none(0x204000);
	assert_int_equal(touch(0x204000, MMU_WRITE), MMU_FIXED);
	expect_leaf(0x204000, 2, 0x100200, 7, MEMTYPE_WB);
	stop();
}

static void test_mmio(void **state)
{
	unsigned level;
	struct slot more = { .base = GFN(0x900000), .pages = 1, .kind = SLOT_MMIO };

	(void)state;
	start(PAGE_LIMIT_1G);
	assert_int_equal(touch(0xa03ff8, MMU_READ), MMU_EMULATE);
	assert_int_equal(entry(0xa03000, &level) & 7, 6); /* W and X without R */
	assert_int_equal(vm.counters.mmio_cached, 1);
	assert_int_equal(touch_misconfig(0xa03ff8), MMU_EMULATE);
	assert_int_equal(vm.counters.mmio_stale, 0);
	/* A change of the map anywhere makes it old. */
	assert_true(mmu_slot_add(&vm, &more));
	assert_int_equal(touch_misconfig(0xa03ff8), MMU_FIXED);
	assert_int_equal(vm.counters.mmio_stale, 1);
	expect_none(0xa03000);
	assert_int_equal(touch_misconfig(0xa03ff8), MMU_RETRY);
	assert_int_equal(touch(0xa03ff8, MMU_WRITE), MMU_EMULATE);
	assert_int_equal(touch_misconfig(0xa03ff8), MMU_EMULATE);
	/* RAM where MMIO was. */
	assert_true(mmu_slot_remove(&vm, GFN(0xa00)));
	assert_int_equal(touch(0xa03ff8, MMU_WRITE), MMU_EMULATE);
	assert_int_equal(vm.counters.mmio_cached, 2);
	/* None of this took a translation away that a CPU could hold. */
	mmu_enter(&vcpu, 0);
	assert_int_equal(f->invepts, 1);
	/* Another CPU may have repaired it; a misconfiguration that is not ours stops the VM. */
	touch(0x1000, MMU_READ);
	assert_true(touch_misconfig(0x1000) == MMU_RETRY && touch_misconfig(0x1000) == MMU_STOP);
	stop();
}

/* RV1 to RV3: what the machine has no more of stops nobody; the VM loses its own tables. */
static void test_no_memory(void **state)
{
	(void)state;
	start_with((struct mmu_config){ .page_limit = PAGE_LIMIT_4K, .table_frames = 1 });
	f->limit = f->in_use;
	for (uint64_t gpa = 0x200000; gpa < 0x800000; gpa += 0x10000)
		assert_int_equal(touch(gpa, MMU_READ), MMU_FIXED);
	assert_int_equal(f->in_use, f->limit);
	assert_int_equal(vm.counters.tables_relieved, 0);
	/* As little as there can be: it still gets on. */
	while (vm.reserve.dirty.count + vm.reserve.clean.count)
		assert_false(hfn_is_none(mmu_table_alloc(&vm)));
	assert_int_equal(touch(0x40000000, MMU_READ), MMU_FIXED);
	assert_int_equal(vm.counters.tables_relieved, 1);
	expect_none(0x200000);
	/* Unmapping always works: without a frame to split a large leaf, it goes as a whole. */
	vm.config.page_limit = PAGE_LIMIT_2M;
	mmu_unmap(&vm, GFN(0), ~0ull);
	touch(0x200000, MMU_WRITE);
	while (vm.reserve.dirty.count + vm.reserve.clean.count)
		assert_false(hfn_is_none(mmu_table_alloc(&vm)));
	mmu_unmap(&vm, GFN(0x210), 1);
	expect_none(0x200000);
	vm.table_pages = 0; /* those taken here are lost */
	mmu_vcpu_destroy(&vcpu);
	fake_delete(f);
}

/* ---- a backing that comes and goes ---- */

static struct {
	struct backing backing;
	bool present, writable, fail;
	uint64_t hfn;
	unsigned populated;
} swap;

static bool swap_page(struct backing *b, uint64_t index, struct backing_page *out)
{
	(void)b;
	*out = (struct backing_page){ .hfn = HFN(swap.hfn + index), .writable = swap.writable };
	return swap.present;
}

static enum populated swap_populate(struct backing *b, uint64_t index, bool write)
{
	(void)b;
	(void)index;
	swap.populated++;
	if (swap.fail)
		return POPULATE_NONE;
	if (swap.present && write)
		swap.hfn += 0x1000; /* copy on write */
	swap.present = true;
	swap.writable |= write;
	return POPULATE_DONE;
}

static void test_populate(void **state)
{
	struct slot slot = {
		.base = GFN(0x1000), .pages = 0x10, .kind = SLOT_RAM, .type = MEMTYPE_WB, .backing = &swap.backing
	};

	(void)state;
	start(PAGE_LIMIT_2M);
	memset(&swap, 0, sizeof(swap));
	swap.backing = (struct backing){ .page = swap_page, .populate = swap_populate };
	swap.hfn = 0x500000;
	assert_true(mmu_slot_add(&vm, &slot));
	assert_int_equal(touch(0x1003000, MMU_READ), MMU_FIXED);
	expect_leaf(0x1003000, 1, 0x500003, 5, MEMTYPE_WB);
	assert_int_equal(swap.populated, 1);
	assert_int_equal(touch(0x1003000, MMU_WRITE), MMU_FIXED);
	expect_leaf(0x1003000, 1, 0x501003, 7, MEMTYPE_WB);
	mmu_enter(&vcpu, 0); /* another frame: the old translation went */
	assert_int_equal(f->invepts, 2);
	assert_int_equal(swap.populated, 2);
	swap.present = false;
	mmu_unmap(&vm, GFN(0x1003), 1);
	expect_none(0x1003000);
	swap.fail = true;
	assert_int_equal(touch(0x1003000, MMU_WRITE), MMU_STOP);
	stop();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_map),   cmocka_unit_test(test_five_levels), cmocka_unit_test(test_limits),
		cmocka_unit_test(test_unmap), cmocka_unit_test(test_protect),	  cmocka_unit_test(test_log),
		cmocka_unit_test(test_mmio),  cmocka_unit_test(test_no_memory),	  cmocka_unit_test(test_populate),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
