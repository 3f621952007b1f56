/* Faults beside each other, and who wants to be alone: what holds on one CPU; who comes in between is the oracle's
 * (--interleave, crossings) and the threads'. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "mmu/inside.h"
#include "mmu/mechanisms.h"
#include "mmu/table/ptformat.h"
#include "test/unit/mmu/fake_below.h"

#define RAM_HFN 0x1000
#define RAM_PAGES 1024

struct rig {
	struct fake *fake;
	struct mmu_caps caps;
	struct backing_extents backing;
	struct extent extent;
	struct mmu_vm vm;
	struct mmu_vcpu vcpu, other;
	unsigned locks, waits;
	const bool *waited_for;
};

static struct rig rig;

static void lock(void *ctx, struct mmu_vm *vm)
{
	(void)ctx;
	(void)vm;
	rig.locks++;
}

static void unlock(void *ctx, struct mmu_vm *vm)
{
	(void)ctx;
	(void)vm;
}

/* Who is waited for is done in the second look. */
static void wait_for(void *ctx, const bool *flag)
{
	(void)ctx;
	rig.waits++;
	rig.waited_for = flag;
	*(bool *)(uintptr_t)flag = false;
}

static int set_up(void **state)
{
	struct mmu_config config = { .page_limit = PAGE_LIMIT_4K, .vpid = true };
	struct slot ram = { .base = GFN(0), .pages = RAM_PAGES, .kind = SLOT_RAM, .type = MEMTYPE_WB,
			    .backing = &rig.backing.backing };
	struct slot device = { .base = GFN(RAM_PAGES), .pages = 1, .kind = SLOT_MMIO };
	struct walk_regs regs = { .maxphyaddr = 40 };

	(void)state;
	rig = (struct rig){ .fake = fake_new(), .caps = fake_caps(),
			    .extent = { .pages = RAM_PAGES, .hfn = HFN(RAM_HFN) } };
	rig.fake->below.lock = lock;
	rig.fake->below.unlock = unlock;
	rig.fake->below.wait = wait_for;
	backing_extents_init(&rig.backing, GFN(0), &rig.extent, 1);
	assert_true(mmu_vm_init(&rig.vm, &mmu_ept, &rig.fake->below, &rig.caps, &config, NULL));
	assert_true(mmu_slot_add(&rig.vm, &ram));
	assert_true(mmu_slot_add(&rig.vm, &device));
	assert_true(mmu_vcpu_init(&rig.vcpu, &rig.vm, &regs));
	assert_true(mmu_vcpu_init(&rig.other, &rig.vm, &regs));
	rig.locks = 0;
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	mmu_vcpu_destroy(&rig.vcpu);
	mmu_vcpu_destroy(&rig.other);
	mmu_vm_destroy(&rig.vm);
	fake_delete(rig.fake);
	return 0;
}

static enum mmu_outcome violate(uint64_t gfn, uint8_t access)
{
	struct mmu_fault f = { .kind = MMU_FAULT_EPT_VIOLATION, .access = access, .gpa = gfn_gpa(GFN(gfn)) };

	return mmu_fault(&rig.vcpu, &f).outcome;
}

/* The first page's tables are made with the lock; its neighbours need none. */
static void test_beside(void **state)
{
	(void)state;
	assert_int_equal(violate(5, MMU_READ), MMU_FIXED);
	assert_int_equal(rig.locks, 1);
	assert_int_equal(violate(6, MMU_READ), MMU_FIXED);
	assert_int_equal(violate(7, MMU_WRITE), MMU_FIXED);
	assert_int_equal(violate(7, MMU_WRITE), MMU_SPURIOUS);
	assert_int_equal(rig.locks, 1);
	assert_false(rig.vcpu.beside);
	assert_int_equal(rig.vcpu.counters.ept_violations, 3);
	assert_int_equal(rig.vm.counters.ept_violations, 1);
	assert_int_equal(mmu_counters(&rig.vm).ept_violations, 4);
	assert_int_equal(mmu_counters(&rig.vm).faults, 4);
	assert_int_equal(mmu_counters(&rig.vm).outcome_fixed, 3);
	assert_int_equal(violate(512, MMU_READ), MMU_FIXED); /* another table */
	assert_int_equal(rig.locks, 2);
}

static void test_device(void **state)
{
	struct mmu_fault f = { .kind = MMU_FAULT_EPT_MISCONFIG, .gpa = gfn_gpa(GFN(RAM_PAGES)) };

	(void)state;
	assert_int_equal(violate(RAM_PAGES, MMU_READ), MMU_EMULATE); /* with the lock: a table */
	rig.locks = 0;
	assert_int_equal(mmu_fault(&rig.vcpu, &f).outcome, MMU_EMULATE);
	assert_int_equal(rig.locks, 0);
	assert_int_equal(rig.vcpu.counters.ept_misconfigs, 1);
	rig.vm.slots.generation++;
	assert_int_equal(mmu_fault(&rig.vcpu, &f).outcome, MMU_FIXED); /* out of date: with the lock */
	assert_int_equal(rig.locks, 1);
}

/* BE1: who is alone waits for the other vCPU, and no longer than that. */
static void test_alone(void **state)
{
	(void)state;
	rig.other.beside = true;
	mmu_unmap(&rig.vm, GFN(0), 1);
	assert_int_equal(rig.waits, 1);
	assert_ptr_equal(rig.waited_for, &rig.other.beside);
	assert_false(rig.vm.alone);
}

/* BE4: who comes while somebody is alone waits for that. */
static void test_turned_back(void **state)
{
	(void)state;
	violate(5, MMU_READ);
	rig.locks = 0;
	rig.vm.alone = true;
	assert_int_equal(violate(6, MMU_READ), MMU_FIXED);
	assert_int_equal(rig.waits, 1);
	assert_ptr_equal(rig.waited_for, &rig.vm.alone);
	assert_int_equal(rig.locks, 0);
}

/* BE2 */
static void test_replace(void **state)
{
	uint64_t entry = 5;

	(void)state;
	assert_false(pt_replace(&entry, 4, 9));
	assert_int_equal(entry, 5);
	assert_true(pt_replace(&entry, 5, 9));
	assert_int_equal(entry, 9);
}

/* What was counted for a vCPU is not lost with it. */
static void test_counters(void **state)
{
	struct mmu_counters before;

	(void)state;
	violate(5, MMU_READ);
	violate(6, MMU_READ);
	mmu_count_known_mmio(&rig.vcpu, MMU_FAULT_EPT_MISCONFIG);
	before = mmu_counters(&rig.vm);
	assert_int_equal(before.faults, 3);
	mmu_vcpu_destroy(&rig.vcpu);
	assert_int_equal(mmu_counters(&rig.vm).faults, 3);
	assert_int_equal(mmu_counters(&rig.vm).mapped_4k, before.mapped_4k);
	assert_true(mmu_vcpu_init(&rig.vcpu, &rig.vm, &rig.other.regs));
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		TEST(test_beside),  TEST(test_device),	TEST(test_alone), TEST(test_turned_back),
		TEST(test_replace), TEST(test_counters),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
