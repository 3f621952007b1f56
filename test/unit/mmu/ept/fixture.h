/* test/unit/mmu/ept/fixture.h - a virtual machine under `ept` over frames of host memory, with one vCPU, for the tests
 * of that mechanism; and a reading of its tables apart from its own. */
#ifndef VELLUM_TEST_UNIT_MMU_EPT_FIXTURE_H
#define VELLUM_TEST_UNIT_MMU_EPT_FIXTURE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "mmu/ept/ept.h"
#include "mmu/inside.h"
#include "mmu/mechanisms.h"
#include "test/unit/mmu/fake_below.h"

static struct fake *f;
static struct mmu_caps caps;
static struct mmu_vm vm;
static struct mmu_vcpu vcpu;
static struct backing_extents low, rom, high;
/* Guest memory is never touched by the mechanism: the host frames need not exist. */
static const struct extent low_extents[] = { { 0, 0x800, HFN(0x100000) } };
static const struct extent rom_extents[] = { { 0, 0x10, HFN(0x200000) } };
static const struct extent high_extents[] = { { 0, 0x80000, HFN(0x400000) } };

static inline void start_with(struct mmu_config config)
{
	struct walk_regs regs = { .cr0 = CR0_PE, .maxphyaddr = 40 };
	const struct slot slots[] = {
		{ .base = GFN(0), .pages = 0x800, .kind = SLOT_RAM, .type = MEMTYPE_WB, .backing = &low.backing },
		{ .base = GFN(0x900), .pages = 0x10, .kind = SLOT_ROM, .type = MEMTYPE_WP, .backing = &rom.backing },
		{ .base = GFN(0xa00), .pages = 0x10, .kind = SLOT_MMIO, .type = MEMTYPE_UC },
		{ .base = GFN(0x40000), .pages = 0x80000, .kind = SLOT_RAM, .type = MEMTYPE_WB,
		  .backing = &high.backing },
	};

	f = fake_new();
	caps = fake_caps();
	backing_extents_init(&low, GFN(0), low_extents, 1);
	backing_extents_init(&rom, GFN(0x900), rom_extents, 1);
	backing_extents_init(&high, GFN(0x40000), high_extents, 1);
	assert_null(mmu_unsupported(&mmu_ept, &caps, &config));
	assert_true(mmu_vm_init(&vm, &mmu_ept, &f->below, &caps, &config, NULL));
	for (unsigned i = 0; i < ARRAY_SIZE(slots); i++)
		assert_true(mmu_slot_add(&vm, &slots[i]));
	assert_true(mmu_vcpu_init(&vcpu, &vm, &regs));
	mmu_enter(&vcpu, 0);
	assert_int_equal(f->invepts, 1);
}

static inline void start(enum page_limit limit)
{
	start_with((struct mmu_config){ .page_limit = limit });
}

static inline void check(void)
{
	char why[100] = "";

	if (!mmu_audit(&vm, why, sizeof(why)))
		fail_msg("%s", why);
}

static inline void stop(void)
{
	check();
	mmu_vcpu_destroy(&vcpu);
	mmu_vm_destroy(&vm);
	assert_int_equal(f->in_use, 0);
	fake_delete(f);
}

/* how: MMU_READ, MMU_WRITE, MMU_FETCH. */
static inline enum mmu_outcome touch(uint64_t gpa, uint8_t access)
{
	struct mmu_fault fault = { .kind = MMU_FAULT_EPT_VIOLATION, .access = access, .gpa = GPA(gpa) };
	enum mmu_outcome o = mmu_fault(&vcpu, &fault).outcome;

	check();
	return o;
}

static inline enum mmu_outcome touch_misconfig(uint64_t gpa)
{
	struct mmu_fault fault = { .kind = MMU_FAULT_EPT_MISCONFIG, .gpa = GPA(gpa) };

	return mmu_fault(&vcpu, &fault).outcome;
}

/* The entry that translates gpa: a reading of the tables apart from the mechanism's own. */
static inline uint64_t entry(uint64_t gpa, unsigned *level)
{
	uint64_t table = vcpu.root.nested >> 12 & MASK(39, 0), e = 0;

	for (*level = (vcpu.root.nested >> 3 & 7) + 1; *level >= 1; (*level)--) {
		e = ((uint64_t *)f->frame[table])[gpa >> (12 + 9 * (*level - 1)) & 511];
		if (!(e & 7) || *level == 1 || (e & EPT_LARGE))
			return e;
		assert_int_equal(e & 0xfff, 7);
		table = e >> 12 & MASK(39, 0);
	}
	return e;
}

static inline void expect_leaf(uint64_t gpa, unsigned level, uint64_t hfn, unsigned rights, unsigned type)
{
	unsigned l;
	uint64_t e = entry(gpa, &l);

	assert_int_equal(l, level);
	assert_int_equal(e & PTE_ADDRESS, hfn << 12);
	assert_int_equal(e & 7, rights);
	assert_int_equal(e >> 3 & 7, type);
	assert_int_equal(e >> 7 & 1, level > 1);
	assert_int_equal(e & EPT_IPAT, 0);
}

static inline void expect_none(uint64_t gpa)
{
	unsigned level;

	assert_int_equal(entry(gpa, &level), 0);
}

#endif
