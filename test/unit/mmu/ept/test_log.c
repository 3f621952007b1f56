/* The dirty log by flags and by the CPU's own log, on the tables of `ept`: what is left writable, what is split, which
 * flags are looked at and cleared, when it is flushed, and what is put together in the end. The CPU is played by this
 * file: it sets flags, and writes its log downwards. */
#include "test/unit/mmu/ept/fixture.h"

#define PAGES 0x800
#define WORDS (PAGES / 64)

static uint64_t bits[WORDS], out[WORDS];
static int cpu_index;

/* A CPU with such a log, and tables that are as large as they can be. */
static void begin(enum mmu_log_method method, unsigned entries)
{
	start_with((struct mmu_config){
		.page_limit = PAGE_LIMIT_2M, .log = method, .log_entries = (uint16_t)entries });
	caps.pml = method != MMU_LOG_FLAGS;
	cpu_index = mmu_log_index(&vm);
}

static uint64_t *leaf(uint64_t gpa)
{
	const struct ept_vm *e = vm.priv;

	return pt_lookup(&e->pt, gpa, 1).entry;
}

/* The CPU writes to the page, as far as the leaf lets it. false: a violation. */
static bool cpu_writes(uint64_t gpa)
{
	uint64_t *log = vcpu.intercepts.log.v ? f->frame[hpa_hfn(vcpu.intercepts.log).v] : NULL;

	if (!(*leaf(gpa) & EPT_W))
		return false;
	if (!(*leaf(gpa) & EPT_D) && log) {
		assert_in_range(cpu_index, 0, MMU_LOG_ENTRIES - 1);
		log[cpu_index--] = align_down(gpa, PAGE_SIZE);
	}
	*leaf(gpa) |= EPT_A | EPT_D;
	return true;
}

static void writes(uint64_t gpa)
{
	if (!cpu_writes(gpa))
		assert_int_equal(touch(gpa, MMU_WRITE), MMU_FIXED);
	assert_true(cpu_writes(gpa));
}

/* The log has these pages and no others. */
static void expect_pages(unsigned count, const uint64_t *gfn)
{
	assert_true(mmu_log_collect(&vm, GFN(0), out));
	for (unsigned n = 0; n < count; n++) {
		assert_true(out[gfn[n] / 64] & BIT(gfn[n] % 64));
		out[gfn[n] / 64] &= ~BIT(gfn[n] % 64);
	}
	for (unsigned n = 0; n < WORDS; n++)
		assert_int_equal(out[n], 0);
	check();
}
#define EXPECT(...) expect_pages(ARRAY_SIZE(((uint64_t[]){ __VA_ARGS__ })), (const uint64_t[]){ __VA_ARGS__ })

/* E8: one fault for 2 MBytes; LG1. */
static void a_large_page(void)
{
	writes(0x200000);
	writes(0x400000);
	assert_true(mmu_log_start(&vm, GFN(0), bits));
	expect_leaf(0x200000, 2, 0x100200, 5, MEMTYPE_WB);
	assert_int_equal(*leaf(0x200000) & EPT_D, 0);
	writes(0x203000);
	assert_int_equal(vm.counters.log_faults, 1);
	expect_leaf(0x3ff000, 1, 0x1003ff, 7, MEMTYPE_WB);
	writes(0x3ff000);
	writes(0x3ff000);
	assert_int_equal(vm.counters.log_faults, 1);
	EXPECT(0x203, 0x3ff);
	assert_int_equal(*leaf(0x203000) & EPT_D, 0);
	writes(0x203000);
	EXPECT(0x203);
	EXPECT();
}

static void end(void)
{
	assert_true(mmu_log_stop(&vm, GFN(0)));
	expect_none(0x203000);
	writes(0x203000);
	expect_leaf(0x203000, 2, 0x100200, 7, MEMTYPE_WB);
	stop();
}

static void by_flags(void **state)
{
	(void)state;
	begin(MMU_LOG_FLAGS, 0);
	a_large_page();
	assert_int_equal(vm.log_by, MMU_LOG_FLAGS);
	assert_int_equal(vcpu.intercepts.log.v, 0);
	end();
}

/* Each flag that is cleared is flushed before the report is used. */
static void by_flags_flushes(void **state)
{
	unsigned before;

	(void)state;
	begin(MMU_LOG_FLAGS, 0);
	writes(0x0);
	assert_true(mmu_log_start(&vm, GFN(0), bits));
	writes(0x1000);
	mmu_enter(&vcpu, 0);
	before = f->invepts;
	EXPECT(1);
	mmu_enter(&vcpu, 0);
	assert_int_equal(f->invepts, before + 1);
	EXPECT();
	mmu_enter(&vcpu, 0);
	assert_int_equal(f->invepts, before + 1);
	assert_true(mmu_log_stop(&vm, GFN(0)));
	stop();
}

/* LG2: what goes is in the log before. */
static void flags_that_go(void **state)
{
	(void)state;
	begin(MMU_LOG_FLAGS, 0);
	assert_true(mmu_log_start(&vm, GFN(0), bits));
	writes(0x1000);
	mmu_unmap(&vm, GFN(1), 1);
	writes(0x201000);
	mmu_unmap(&vm, GFN(0x200), 0x200);
	writes(0x402000);
	mmu_write_protect(&vm, GFN(0x402), 1);
	assert_int_equal(touch(0x402000, MMU_WRITE), MMU_FIXED);
	assert_true(*leaf(0x402000) & EPT_D);
	writes(0x603000);
	mmu_unmap(&vm, GFN(0), ~0ull);
	EXPECT(1, 0x201, 0x402, 0x603);
	writes(0x1000);
	assert_true(mmu_switch(&vm, &mmu_vtlb));
	assert_int_equal(vm.log_by, MMU_LOG_PROTECT);
	EXPECT(1);
	assert_true(mmu_log_stop(&vm, GFN(0)));
	assert_true(mmu_switch(&vm, &mmu_ept));
	stop();
}

static void by_the_cpus_log(void **state)
{
	(void)state;
	begin(MMU_LOG_PML, 0);
	vcpu.intercepts_changed = false;
	a_large_page();
	assert_int_equal(vm.log_by, MMU_LOG_PML);
	assert_true(vcpu.intercepts.log.v && vcpu.intercepts_changed);
	assert_int_equal(vm.counters.log_entries, 3);
	assert_int_equal(vm.counters.log_looked_at < 2 * PAGES + 32, 1); /* when it began, and what was reported */
	assert_true(mmu_log_stop(&vm, GFN(0)));
	assert_int_equal(vcpu.intercepts.log.v, 0);
	/* It goes on where it was. */
	assert_true(mmu_log_start(&vm, GFN(0), bits));
	writes(0x203000);
	assert_int_equal(cpu_index, MMU_LOG_ENTRIES - 1 - 4);
	EXPECT(0x203);
	end();
}

/* LG3: a full one, and what is in it when its vCPU, or the mechanism, goes. */
static void a_full_log(void **state)
{
	(void)state;
	begin(MMU_LOG_PML, 4);
	writes(0x0);
	assert_true(mmu_log_start(&vm, GFN(0), bits));
	writes(0x1000);
	writes(0x2000);
	EXPECT(1, 2);
	writes(0x3000);
	assert_false(mmu_log_full(&vcpu));
	writes(0x1000);
	assert_int_equal(cpu_index, -1);
	assert_true(mmu_log_full(&vcpu));
	cpu_index = mmu_log_index(&vm);
	writes(0x5000);
	EXPECT(1, 3, 5);
	writes(0x6000);
	assert_true(mmu_switch(&vm, &mmu_vtlb));
	assert_int_equal(vcpu.intercepts.log.v, 0);
	EXPECT(6);
	assert_true(mmu_switch(&vm, &mmu_ept));
	assert_int_equal(vm.log_by, MMU_LOG_PML);
	assert_true(vcpu.intercepts.log.v);
	writes(0x7000);
	mmu_vcpu_destroy(&vcpu);
	assert_true(mmu_vcpu_init(&vcpu, &vm, &(struct walk_regs){ .cr0 = CR0_PE, .maxphyaddr = 40 }));
	assert_true(vcpu.intercepts.log.v);
	EXPECT(7);
	assert_true(mmu_log_stop(&vm, GFN(0)));
	stop();
}

/* Where there is no frame for a buffer another way is taken, unless that one is the one that was asked for. */
static void without_memory(void **state)
{
	(void)state;
	begin(MMU_LOG_PML, 0);
	f->limit = f->in_use;
	assert_false(mmu_log_start(&vm, GFN(0), bits));
	assert_null(mmu_log_ask(&vm, MMU_LOG_AUTO));
	assert_true(mmu_log_start(&vm, GFN(0), bits));
	assert_int_equal(vm.log_by, MMU_LOG_FLAGS);
	assert_non_null(mmu_log_ask(&vm, MMU_LOG_PROTECT));
	assert_true(mmu_log_stop(&vm, GFN(0)));
	caps.pml = false;
	assert_non_null(mmu_log_ask(&vm, MMU_LOG_PML));
	caps.ept_ad = false;
	assert_non_null(mmu_log_ask(&vm, MMU_LOG_FLAGS));
	caps.ept_ad = true;
	assert_null(mmu_log_ask(&vm, MMU_LOG_FLAGS));
	stop();
}

/* LG1 is looked at. */
static void a_large_leaf_that_is_writable(void **state)
{
	char why[100] = "";

	(void)state;
	begin(MMU_LOG_FLAGS, 0);
	writes(0x200000);
	assert_true(mmu_log_start(&vm, GFN(0), bits));
	*leaf(0x200000) |= EPT_W;
	assert_false(mmu_audit(&vm, why, sizeof(why)));
	assert_memory_equal(why, "LG1", 3);
	*leaf(0x200000) &= ~EPT_W;
	assert_true(mmu_log_stop(&vm, GFN(0)));
	stop();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(by_flags),	   cmocka_unit_test(by_flags_flushes),
		cmocka_unit_test(flags_that_go),   cmocka_unit_test(by_the_cpus_log),
		cmocka_unit_test(a_large_leaf_that_is_writable),
		cmocka_unit_test(a_full_log),	   cmocka_unit_test(without_memory),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
