/* Faults of two vCPUs that have the same shadow tables: which are answered without the VM's lock, and which are left to
 * it. Who comes in between is the oracle's (--interleave, crossings) and the threads'. */
#include "test/unit/mmu/shadow/guest.h"

#define LINK (PTE_P | PTE_W | PTE_U | PTE_A)
/* As a kernel leaves it: nothing ahead is made of it. */
#define FRESH (PTE_P | PTE_W | PTE_U)

static struct mmu_vcpu other;
static uint64_t locked; /* faults of the last access that were answered with the lock */

static void nothing(void *ctx, struct mmu_vm *which)
{
	(void)ctx;
	(void)which;
}

static void set_entry(uint64_t gfn, unsigned index, uint64_t value)
{
	assert_int_equal(mmu_guest_write(&vm, GPA(gfn << 12 | index * 8), &value, 8), 8);
}

/* gva n pages is frame TABLES + n, for the first eight; and 16 + n is table n. */
static void start(const struct mmu_ops *ops)
{
	guest_start(ops, false, 0);
	f->below.lock = f->below.unlock = nothing; /* there is one: faults may come beside */
	for (uint64_t gfn = 0; gfn < TABLES; gfn++)
		memset(ram(gfn), 0, 4096);
	rewritten(0, TABLES);
	set_entry(1, 0, 2 << 12 | LINK);
	set_entry(2, 0, 4 << 12 | LINK);
	set_entry(4, 0, 6 << 12 | LINK);
	for (unsigned n = 0; n < 8; n++)
		set_entry(6, n, (TABLES + n) << 12 | FRESH);
	for (unsigned n = 0; n < TABLES; n++)
		set_entry(6, 16 + n, n << 12 | FRESH);
	expect_loaded(mmu_set_efer(&vcpu, EFER_LME));
	expect_loaded(mmu_set_cr4(&vcpu, CR4_PAE));
	expect_loaded(mmu_set_cr3(&vcpu, 1 << 12));
	expect_loaded(mmu_set_cr0(&vcpu, CR0_PE | CR0_PG));
	assert_true(mmu_vcpu_init(&other, &vm, &vcpu.regs));
}

static void stop(void)
{
	audit("the end");
	mmu_vcpu_destroy(&other);
	guest_stop();
}

static enum mmu_outcome touch(unsigned page, bool write)
{
	uint64_t before = vm.counters.faults;
	enum mmu_outcome how = access_guest((uint64_t)page << 12, (struct access){ .write = write }).how;

	locked = vm.counters.faults - before;
	return how;
}

/* The first page's tables are made with the lock; its neighbours need none, nor does a right more. */
static void test_leaves(void **state)
{
	uint64_t leaves, faults;

	(void)state;
	start(&mmu_shadow);
	assert_int_equal(touch(0, false), MMU_FIXED);
	assert_int_not_equal(locked, 0);
	leaves = mmu_counters(&vm).mapped_4k;
	faults = vcpu.counters.faults;
	for (unsigned n = 1; n < 8; n++) {
		assert_int_equal(touch(n, n & 1), MMU_FIXED);
		assert_int_equal(locked, 0);
	}
	assert_int_equal(vcpu.counters.faults - faults, 7);
	assert_int_equal(mmu_counters(&vm).mapped_4k - leaves, 7);
	assert_int_equal(touch(2, true), MMU_FIXED);
	assert_int_equal(locked, 0);
	assert_false(vcpu.beside);
	assert_int_equal(touch(100, false), MMU_INJECT);
	assert_int_equal(locked, 0);
	stop();
}

/* A table that is written to must go out of sync, a table must be made, a leaf must lose a right: with the lock. */
static void test_left(void **state)
{
	(void)state;
	start(&mmu_shadow);
	touch(0, true);
	assert_int_equal(touch(16 + 6, false), MMU_FIXED);
	assert_int_equal(locked, 0);
	assert_int_equal(touch(16 + 6, true), MMU_FIXED);
	assert_int_not_equal(locked, 0);
	assert_int_equal(mmu_counters(&vm).unsynced, 1);
	assert_int_equal(touch(1, true), MMU_FIXED); /* INVLPG exits: nothing is missed */
	assert_int_equal(locked, 0);
	set_entry(4, 1, 7 << 12 | LINK);
	set_entry(7, 0, TABLES << 12 | FRESH);
	assert_int_equal(touch(512, false), MMU_FIXED);
	assert_int_not_equal(locked, 0);
	stop();
}

/* The frames that no leaf was ever made of are noted with the lock, those of some MBytes at once. */
static void test_frames(void **state)
{
	(void)state;
	start(&mmu_shadow);
	touch(0, false);
	set_entry(6, 40, 600 << 12 | FRESH);
	set_entry(6, 41, 900 << 12 | FRESH);
	assert_int_equal(touch(40, false), MMU_FIXED);
	assert_int_equal(touch(41, false), MMU_FIXED);
	assert_int_equal(locked, 0);
	stop();
}

/* To who has the table in use with entries of another size flags are no flags: it is told, with the lock. */
static void test_flags(void **state)
{
	struct walk_regs narrow;

	(void)state;
	start(&mmu_shadow);
	touch(0, false);
	mmu_vcpu_destroy(&other);
	narrow = vcpu.regs;
	narrow.cr0 = CR0_PE | CR0_PG;
	narrow.cr4 = narrow.efer = 0;
	narrow.cr3 = 6 << 12;
	assert_true(mmu_vcpu_init(&other, &vm, &narrow));
	assert_int_equal(touch(1, false), MMU_FIXED);
	assert_int_not_equal(locked, 0);
	stop();
}

/* brute: a page beside others, a table's by the emulator. */
static void test_brute(void **state)
{
	(void)state;
	start(&mmu_brute);
	touch(0, false);
	assert_int_equal(touch(1, true), MMU_FIXED);
	assert_int_equal(locked, 0);
	assert_int_equal(touch(16 + 6, false), MMU_EMULATE);
	assert_int_equal(locked, 0);
	stop();
}

/* The device's page is noted beside others, and found. */
static void test_device(void **state)
{
	(void)state;
	start(&mmu_shadow);
	touch(0, false);
	set_entry(6, 50, (uint64_t)MMIO_GFN << 12 | FRESH);
	assert_int_equal(touch(50, true), MMU_EMULATE);
	assert_int_equal(locked, 0);
	assert_int_equal(mmu_counters(&vm).mmio_cached, 1);
	assert_int_equal(touch(50, true), MMU_EMULATE);
	assert_int_equal(locked, 0);
	assert_int_equal(mmu_counters(&vm).mmio_cached, 1);
	stop();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_leaves), cmocka_unit_test(test_left),  cmocka_unit_test(test_frames),
		cmocka_unit_test(test_flags),  cmocka_unit_test(test_brute), cmocka_unit_test(test_device),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
