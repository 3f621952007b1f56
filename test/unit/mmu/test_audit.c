/* Every auditor must be able to fail: for each invariant a structure is spoilt, and the audit must say so, by the
 * invariant's id. (S2, S3 and S12 are watched by the oracle's driver; `make mutate` shows that it can fail.) */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>

#include "mmu/ept/ept.h"
#include "mmu/inspect.h"
#include "mmu/mechanisms.h"
#include "mmu/shadow/shadow.h"
#include "test/unit/mmu/fake_below.h"
#include "mmu/inside.h"

#define PAGES 1024u
#define RAM_HFN 0x2000u
#define MMIO_GFN 0x500u
#define ALL (PTE_P | PTE_W | PTE_U | PTE_A | PTE_D)

static struct fake *f;
static struct mmu_caps caps;
static struct mmu_vm vm;
static struct mmu_vcpu vcpu, second;
static struct vpid_pool pool;
static uint64_t log_bits[PAGES / 64];

static bool page(struct backing *b, uint64_t index, struct backing_page *out)
{
	(void)b;
	*out = (struct backing_page){ .hfn = HFN(RAM_HFN + index), .order = index >= 512 ? 9 : 0, .writable = true };
	return true;
}

static struct backing backing = { .page = page };

static void put(uint64_t gfn, unsigned index, uint64_t value)
{
	((uint64_t *)f->frame[RAM_HFN + gfn])[index] = value;
}

static void touch(uint64_t gva, uint32_t error)
{
	struct mmu_fault fault = { .kind = MMU_FAULT_PAGE, .gva = GVA(gva), .error = error };
	enum mmu_outcome o;

	if (vcpu.intercepts.ept) {
		fault = (struct mmu_fault){ .kind = MMU_FAULT_EPT_VIOLATION,
					    .gpa = GPA(gva),
					    .access = error & PFERR_W ? MMU_WRITE : MMU_READ };
		mmu_fault(&vcpu, &fault);
		return;
	}
	o = mmu_fault(&vcpu, &fault).outcome;
	assert_true(o == MMU_FIXED || o == MMU_EMULATE || o == MMU_SPURIOUS); /* the last: made in advance */
}

/* A chain of tables in frames 1 to 4; pages 0 to 3 are memory, 4 is read-only, 5 the last-level table itself, 6 a
 * device; 2 MBytes on, a large page. */
static void start(const struct mmu_ops *ops)
{
	struct mmu_config config = { .page_limit = PAGE_LIMIT_2M, .vpid = true };
	struct walk_regs regs = { .cr0 = CR0_PE | CR0_PG | CR0_WP, .cr3 = 0x1000, .cr4 = CR4_PAE | CR4_SMEP,
				  .efer = EFER_LME | EFER_LMA | EFER_NXE, .maxphyaddr = 40 };
	struct slot ram = { .base = GFN(0), .pages = PAGES, .kind = SLOT_RAM, .type = MEMTYPE_WB, .backing = &backing };
	struct slot mmio = { .base = GFN(MMIO_GFN), .pages = 4, .kind = SLOT_MMIO };

	f = fake_new();
	caps = fake_caps();
	fake_ram(f, RAM_HFN, PAGES);
	for (unsigned i = 1; i < 4; i++)
		put(i, 0, (i + 1) << 12 | ALL);
	for (unsigned i = 0; i < 5; i++)
		put(4, i, (16 + i) << 12 | (i == 4 ? ALL & ~PTE_W : ALL));
	put(4, 5, 4 << 12 | ALL);
	put(4, 6, MMIO_GFN << 12 | ALL);
	put(3, 1, 512 << 12 | ALL | PTE_PS);
	vpid_pool_init(&pool, 100);
	assert_true(mmu_vm_init(&vm, ops, &f->below, &caps, &config, &pool));
	assert_true(mmu_slot_add(&vm, &ram));
	assert_true(mmu_slot_add(&vm, &mmio));
	assert_true(mmu_vcpu_init(&vcpu, &vm, &regs));
	assert_true(mmu_vcpu_init(&second, &vm, &regs));
	mmu_enter(&vcpu, 0);
	touch(0x0000, PFERR_W);
	touch(0x1000, PFERR_W);
	touch(0x5000, 0);
	touch(0x6000, 0);
	touch(0x200000, PFERR_W);
}

/* The structure is spoilt now. */
static void expect(const char *id)
{
	char why[200] = "";

	if (mmu_audit(&vm, why, sizeof(why)))
		fail_msg("nothing noticed, and it is against %s", id);
	if (strncmp(why, id, strlen(id)) != 0 || why[strlen(id)] != ':')
		fail_msg("%s expected: %s", id, why);
	/* It is in no state to be taken down. */
	fake_delete(f);
}

static struct spage *at(uint64_t gva, unsigned *index)
{
	struct spage *sp = shadow_lookup(&vcpu, GVA(gva), index);

	assert_non_null(sp);
	return sp;
}

/* ---- the shadow engine ---- */

static void spoil_role(void)
{
	struct shadow *s = shadow_of(&vm);
	struct spage *a, *b;

	assert_int_equal(mmu_set_cr0(&vcpu, CR0_PE | CR0_PG).outcome, MMU_FIXED);
	touch(0, 0);
	a = spage_at(s, rmap_gframe(&s->rmap, GFN(4), false)->pages);
	b = spage_at(s, a->next_of_gfn);
	assert_non_null(b);
	spage_clear(s, a);
	a->role = b->role;
}

static void spoil_accessed(void)
{
	unsigned i;
	struct spage *sp = at(0, &i);

	sp->guest[i] &= ~PTE_A;
}

static void spoil_writable_table(void)
{
	unsigned i;
	struct spage *sp = at(0x5000, &i);

	assert_true(sp->table[i] & PTE_P);
	sp->table[i] |= PTE_W | PTE_D;
}

static void spoil_guest_table(void) { put(4, 0, 17 << 12 | ALL); }

static void spoil_level(void)
{
	unsigned i;
	struct spage *sp = at(0x200000, &i);

	sp->unsync = true;
}

static void spoil_list(void)
{
	struct shadow *s = shadow_of(&vm);
	unsigned i;
	struct spage *sp = at(0, &i);

	rmap_remove(&s->pages, &rmap_gframe(&s->rmap, GFN(16), false)->leaves, spage_ref(sp, i), &sp->links.link[i]);
}

static void spoil_flip(void)
{
	unsigned i;
	struct spage *sp;

	assert_int_equal(mmu_set_cr0(&vcpu, CR0_PE | CR0_PG).outcome, MMU_FIXED);
	touch(0x4000, PFERR_W);
	sp = at(0x4000, &i);
	assert_true((sp->table[i] & (PTE_W | PTE_U)) == PTE_W);
	sp->table[i] |= PTE_U;
}

static void spoil_quadrant(void)
{
	unsigned i;

	at(0, &i)->role |= 1u << ROLE_QUADRANT_SHIFT;
}

static void spoil_block(void) { rmap_gframe(&shadow_of(&vm)->rmap, GFN(512), true)->block++; }

static void spoil_frame(void)
{
	unsigned i;
	struct spage *sp = at(0, &i);

	sp->table[i] += PAGE_SIZE;
}

static void spoil_log(void)
{
	unsigned i;
	struct spage *sp = at(0, &i);

	assert_true(mmu_log_start(&vm, GFN(0), log_bits));
	sp->table[i] |= PTE_W | PTE_D;
}

static void spoil_mmio(void)
{
	unsigned i;
	struct spage *sp = at(0x6000, &i);

	assert_true(pt_special(&hw_format_4level, sp->table[i]));
	sp->table[i] = hw_mmio_leaf(&vm, GFN(16), ACC_ALL);
}

static void spoil_path(void)
{
	struct shadow_vcpu *v = vcpu.priv;
	unsigned i;
	struct spage *sp = at(0, &i);

	for (unsigned k = 0; k < SHADOW_PATHS; k++)
		if (v->path[k].page == sp->id)
			v->path[k].page = v->path[k].root;
}

static void test_shadow(void **state)
{
	static const struct {
		const char *id;
		void (*spoil)(void);
	} cases[] = {
		{ "S1", spoil_role },	     { "S4", spoil_accessed }, { "S5", spoil_writable_table },
		{ "S5", spoil_guest_table }, { "S6", spoil_level },    { "S7", spoil_list },
		{ "S8", spoil_flip },	     { "S9", spoil_quadrant }, { "S10", spoil_block },
		{ "S11", spoil_frame },	     { "S13", spoil_log },     { "S14", spoil_mmio },
		{ "S15", spoil_path },
	};

	(void)state;
	for (unsigned i = 0; i < ARRAY_SIZE(cases); i++) {
		char why[200] = "";

		start(&mmu_shadow);
		if (!mmu_audit(&vm, why, sizeof(why)))
			fail_msg("before anything is spoilt: %s", why);
		cases[i].spoil();
		expect(cases[i].id);
	}
}

/* ---- VPIDs and flushes ---- */

static void spoil_vpid(void) { vcpu.root.vpid++; }
static void spoil_pool(void) { pool.used[0] &= ~BIT(vcpu.tag.vpid); }
static void spoil_owner(void) { second.tag.vpid = second.root.vpid = vcpu.tag.vpid; }

static void spoil_pending(void)
{
	vcpu.tag.flush_vpid = true;
	vcpu.tag_pending = false;
}

static void test_tags(void **state)
{
	static const struct {
		const char *id;
		void (*spoil)(void);
	} cases[] = { { "T1", spoil_vpid }, { "T1", spoil_pool }, { "T1", spoil_owner }, { "T2", spoil_pending } };

	(void)state;
	for (unsigned i = 0; i < ARRAY_SIZE(cases); i++) {
		start(&mmu_vtlb);
		cases[i].spoil();
		expect(cases[i].id);
	}
}

/* ---- EPT ---- */

static uint64_t *ept_leaf(uint64_t gpa)
{
	uint64_t table = vcpu.root.nested >> 12 & MASK(39, 0);

	for (unsigned level = 4;; level--) {
		uint64_t *e = &((uint64_t *)f->frame[table])[gpa >> (12 + 9 * (level - 1)) & 511];

		if (level == 1 || *e & PTE_PS)
			return e;
		table = *e >> 12 & MASK(39, 0);
	}
}

static void test_ept(void **state)
{
	(void)state;
	start(&mmu_ept);
	*ept_leaf(0) += PAGE_SIZE;
	expect("S11");

	start(&mmu_ept);
	assert_null(mmu_log_ask(&vm, MMU_LOG_PROTECT));
	assert_true(mmu_log_start(&vm, GFN(0), log_bits));
	*ept_leaf(0) |= 2;
	expect("S13");

	start(&mmu_ept);
	vm.config.page_limit = PAGE_LIMIT_4K;
	expect("S10");

	start(&mmu_ept);
	*ept_leaf(0) = ept_mmio_leaf(&vm);
	expect("S14");

	start(&mmu_ept);
	*ept_leaf(0) ^= 8;
	expect("E1");

	start(&mmu_ept);
	vm.config.ept_levels = 5;
	vcpu.root.nested += 1 << 3;
	expect("E7");
}

/* ---- overlays ---- */

#define OVERLAID 16u /* and fetched from once */
#define OVERLAY_FRAME HFN(RAM_HFN + 900)

static void start_overlaid(void)
{
	struct mmu_fault fetch = { .kind = MMU_FAULT_EPT_VIOLATION, .gpa = GPA(OVERLAID << PAGE_SHIFT),
				   .access = MMU_FETCH | MMU_LINEAR };
	char why[200] = "";

	start(&mmu_ept);
	caps.ept_execute_only = true;
	assert_true(mmu_overlay_set(&vm, GFN(OVERLAID), OVERLAY_FRAME));
	assert_int_equal(mmu_fault(&vcpu, &fetch).outcome, MMU_FIXED);
	if (!mmu_audit(&vm, why, sizeof(why)))
		fail_msg("before anything is spoilt: %s", why);
}

static void test_overlays(void **state)
{
	(void)state;
	start_overlaid();
	*ept_leaf(OVERLAID << PAGE_SHIFT) |= EPT_R;
	expect("OV4");

	start_overlaid();
	*ept_leaf(OVERLAID << PAGE_SHIFT) += PAGE_SIZE;
	expect("S11");

	start_overlaid();
	vm.slots.slot[0].overlays = 0;
	expect("OV1");

	start_overlaid();
	vm.slots.slot[0].linear_frame = HFN(RAM_HFN);
	expect("OV1");

	start_overlaid();
	vm.overlay[vm.overlays++] = vm.overlay[0];
	vm.slots.slot[0].overlays++;
	expect("OV1");
}

/* OV6: what can be covered, and what becomes of the slot. */
static void test_covered(void **state)
{
	const char *kind;
	hfn_t linear;
	hpa_t hpa;

	(void)state;
	start_overlaid();
	linear = vm.slots.slot[0].linear_frame_kept;
	assert_false(mmu_cover(&vm, GFN(MMIO_GFN)));
	assert_false(mmu_cover(&vm, GFN(0x123456)));
	assert_true(mmu_cover(&vm, GFN(OVERLAID)));
	assert_false(mmu_cover(&vm, GFN(OVERLAID)));
	assert_false(mmu_overlaid(&vm, GFN(OVERLAID)));
	assert_false(mmu_overlay_set(&vm, GFN(OVERLAID), HFN(RAM_HFN)));
	assert_int_equal(vm.slots.slot[0].overlays, 1);
	assert_int_equal(vm.slots.slot[0].linear_frame.v, 0);
	assert_false(mmu_inspect_backing(&vm, GPA(OVERLAID << PAGE_SHIFT), &kind, &hpa));
	assert_string_equal(kind, "covered");
	assert_false(mmu_uncover(&vm, GFN(OVERLAID + 1)));
	assert_true(mmu_uncover(&vm, GFN(OVERLAID)));
	assert_int_equal(vm.slots.slot[0].overlays, 0);
	assert_int_equal(vm.slots.slot[0].linear_frame.v, linear.v);
	assert_true(mmu_cover(&vm, GFN(OVERLAID)));
	assert_true(mmu_slot_remove(&vm, vm.slots.slot[0].base));
	assert_false(overlay_covers(&vm, GFN(OVERLAID)));
	fake_delete(f);

	start_overlaid();
	vm.covered[vm.covers++] = GFN(OVERLAID);
	vm.slots.slot[0].overlays++;
	expect("OV6");
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_shadow), cmocka_unit_test(test_tags),
					    cmocka_unit_test(test_ept), cmocka_unit_test(test_overlays),
					    cmocka_unit_test(test_covered) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
