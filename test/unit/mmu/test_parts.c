/* Slots, backing, VPIDs and due flushes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "mmu/hwpaging.h"
#include "mmu/mechanisms.h"
#include "test/unit/mmu/fake_below.h"

static struct slot ram(uint64_t base, uint64_t pages)
{
	return (struct slot){ .base = GFN(base), .pages = pages, .kind = SLOT_RAM, .type = MEMTYPE_WB };
}

static bool add(struct slots *s, uint64_t base, uint64_t pages)
{
	struct slot slot = ram(base, pages);

	return slots_add(s, &slot);
}

static void test_slots(void **state)
{
	struct slots s = { 0 };

	(void)state;
	assert_null(slots_find(&s, GFN(0)));
	assert_true(add(&s, 100, 50));
	assert_true(add(&s, 0, 10));
	assert_true(add(&s, 10, 5)); /* touching is not overlapping */
	assert_true(add(&s, 150, 1));
	assert_int_equal(s.generation, 4);
	assert_false(add(&s, 149, 1));
	assert_false(add(&s, 9, 1));
	assert_false(add(&s, 20, 81));
	assert_false(add(&s, 20, 500));
	assert_false(add(&s, 200, 0));
	assert_false(add(&s, ~0ull - 1, 5));
	assert_int_equal(s.generation, 4);
	for (uint64_t g = 0; g < 200; g++) {
		struct slot *found = slots_find(&s, GFN(g));

		if (g < 15 || (g >= 100 && g < 151)) {
			assert_non_null(found);
			assert_true(g >= found->base.v && g < found->base.v + found->pages);
		} else {
			assert_null(found);
		}
	}
	assert_false(slots_remove(&s, GFN(101)));
	assert_false(slots_remove(&s, GFN(99)));
	assert_true(slots_remove(&s, GFN(100)));
	assert_null(slots_find(&s, GFN(100)));
	assert_non_null(slots_find(&s, GFN(150)));
	assert_int_equal(s.generation, 5);
}

static void test_slots_full(void **state)
{
	struct slots s = { 0 };

	(void)state;
	for (unsigned i = 0; i < SLOTS_MAX; i++)
		assert_true(add(&s, 1000 - i * 10, 5));
	assert_false(add(&s, 5000, 1));
	for (unsigned i = 1; i < SLOTS_MAX; i++)
		assert_true(s.slot[i - 1].base.v < s.slot[i].base.v);
}

static void test_backing(void **state)
{
	/* Guest frames 0x100..: the first extent shares no alignment with its host frames beyond 2, the second all of
	 * it. */
	static const struct extent extent[] = { { 0, 0x100, HFN(0x902) }, { 0x100, 0x800, HFN(0x40200) } };
	struct backing_extents b;
	struct backing_page p;

	(void)state;
	backing_extents_init(&b, GFN(0x100), extent, 2);
	assert_true(b.backing.page(&b.backing, 0x10, &p));
	assert_int_equal(p.hfn.v, 0x912);
	assert_int_equal(p.order, 1);
	assert_true(p.writable);
	assert_true(b.backing.page(&b.backing, 0x100, &p)); /* gfn 0x200 */
	assert_int_equal(p.hfn.v, 0x40200);
	assert_int_equal(p.order, 9); /* 0x400-aligned block would begin at 0 */
	assert_true(b.backing.page(&b.backing, 0x2ff, &p));
	assert_int_equal(p.order, 9);
	assert_true(b.backing.page(&b.backing, 0x300, &p)); /* gfn 0x400: 0x400..0x800 lies inside */
	assert_int_equal(p.order, 10);
	assert_int_equal(p.hfn.v, 0x40400);
	assert_true(b.backing.page(&b.backing, 0x8ff, &p)); /* gfn 0x9ff */
	assert_int_equal(p.order, 9);
	assert_false(b.backing.page(&b.backing, 0x900, &p));
	assert_true(b.backing.page(&b.backing, 0, &p));
	assert_int_equal(p.hfn.v, 0x902);
}

static void test_vpid(void **state)
{
	static struct vpid_pool pool;

	(void)state;
	vpid_pool_init(&pool, 200);
	for (unsigned i = 1; i < 200; i++)
		assert_int_equal(vpid_alloc(&pool), i);
	assert_int_equal(vpid_alloc(&pool), 0);
	assert_int_equal(pool.in_use, 199);
	vpid_free(&pool, 70);
	vpid_free(&pool, 7);
	vpid_free(&pool, 0);
	assert_int_equal(vpid_alloc(&pool), 7);
	assert_int_equal(vpid_alloc(&pool), 70);
	assert_int_equal(vpid_alloc(&pool), 0);
	vpid_pool_init(&pool, VPID_COUNT);
	for (unsigned i = 1; i < VPID_COUNT; i++)
		assert_int_equal(vpid_alloc(&pool), i);
	assert_int_equal(vpid_alloc(&pool), 0);
}

/* ---- due flushes, with a mechanism that does nothing ---- */

static bool yes_vm(struct mmu_vm *vm) { (void)vm; return true; }
static void no_vm(struct mmu_vm *vm) { (void)vm; }
static bool yes_vcpu(struct mmu_vcpu *v) { (void)v; return true; }
static void no_vcpu(struct mmu_vcpu *v) { (void)v; }
static const struct mmu_ops nothing = {
	.name = "nothing", .vm_init = yes_vm, .vm_destroy = no_vm, .vcpu_init = yes_vcpu, .vcpu_destroy = no_vcpu
};

struct rig {
	struct fake *f;
	struct mmu_caps caps;
	struct vpid_pool pool;
	struct mmu_vm vm;
	struct mmu_vcpu a, b;
};

static struct rig *rig(uint32_t vpids)
{
	struct rig *r = calloc(1, sizeof(*r));
	struct mmu_config config = { .page_limit = PAGE_LIMIT_1G, .vpid = true };
	struct walk_regs regs = { .maxphyaddr = 40 };

	r->f = fake_new();
	r->caps = fake_caps();
	vpid_pool_init(&r->pool, vpids);
	mmu_vm_init(&r->vm, &nothing, &r->f->below, &r->caps, &config, &r->pool);
	mmu_vcpu_init(&r->a, &r->vm, &regs);
	mmu_vcpu_init(&r->b, &r->vm, &regs);
	return r;
}

static void unrig(struct rig *r)
{
	mmu_vcpu_destroy(&r->a);
	mmu_vcpu_destroy(&r->b);
	assert_int_equal(r->pool.in_use, 0);
	mmu_vm_destroy(&r->vm);
	fake_delete(r->f);
	free(r);
}

/* Each is counted by its type, and by its reason. */
static void check_reasons(const struct rig *r)
{
	const struct mmu_counters *c = &r->vm.counters;

	assert_int_equal(c->invvpid_for_creation + c->invvpid_for_migration + c->invvpid_for_tables +
			 c->invvpid_for_register + c->invvpid_for_address,
			 c->invvpid_address + c->invvpid_single + c->invvpid_nonglobal + c->invvpid_all);
	assert_int_equal(c->invept_for_creation + c->invept_for_migration + c->invept_for_tables,
			 c->invept_single + c->invept_all);
}

static void check_vpid_requests(struct rig *r)
{
	tag_request_address(&r->a, GVA(0x5123), TAG_ADDRESS);
	tag_request_address(&r->a, GVA(0x5fff), TAG_ADDRESS);
	mmu_enter(&r->a, 0);
	assert_int_equal(r->f->invvpids, 4);
	assert_int_equal(r->f->last_tag_flush, TAG_FLUSH_ADDRESS);
	assert_int_equal(r->f->last_gva, 0x5000);
	for (unsigned i = 0; i <= TAG_ADDRESSES_MAX; i++)
		tag_request_address(&r->a, GVA(i << 12), TAG_ADDRESS);
	mmu_enter(&r->a, 0); /* too many: all */
	assert_int_equal(r->f->invvpids, 5);
	assert_int_equal(r->f->last_tag_flush, TAG_FLUSH_SINGLE);
	tag_request_nonglobal(&r->a);
	mmu_enter(&r->a, 0);
	assert_int_equal(r->f->last_tag_flush, TAG_FLUSH_NONGLOBAL);
	/* A global translation may survive that: the address is still due. */
	tag_request_nonglobal(&r->a);
	tag_request_address(&r->a, GVA(0x7000), TAG_ADDRESS);
	mmu_enter(&r->a, 0);
	assert_int_equal(r->f->invvpids, 8);
	tag_request_all(&r->a, TAG_TABLES);
	tag_request_nonglobal(&r->a);
	mmu_enter(&r->a, 0);
	assert_int_equal(r->f->invvpids, 9);
	assert_int_equal(r->f->last_tag_flush, TAG_FLUSH_SINGLE);
}

/* Without the finer types the next coarser one is used. */
static void check_vpid_coarse(struct rig *r)
{
	r->caps.invvpid_address = r->caps.invvpid_single_retaining_globals = r->caps.invvpid_single = false;
	tag_request_address(&r->a, GVA(0x1000), TAG_ADDRESS);
	mmu_enter(&r->a, 0);
	assert_int_equal(r->f->last_tag_flush, TAG_FLUSH_ALL);
	assert_int_equal(r->vm.counters.invvpid_all, 1);
}

static void test_flush_vpid(void **state)
{
	struct rig *r = rig(10);

	(void)state;
	assert_int_equal(r->a.tag.vpid, 1);
	assert_int_equal(r->b.root.vpid, 2);
	mmu_enter(&r->a, 0); /* T1: at the first run */
	assert_int_equal(r->f->invvpids, 1);
	assert_int_equal(r->f->last_tag_flush, TAG_FLUSH_SINGLE);
	mmu_enter(&r->a, 0);
	assert_int_equal(r->f->invvpids, 1);
	mmu_enter(&r->a, 1); /* on migration */
	mmu_enter(&r->a, 0);
	assert_int_equal(r->f->invvpids, 3);
	assert_int_equal(r->vm.counters.migrations, 2);
	assert_int_equal(r->vm.counters.invvpid_for_creation, 1);
	assert_int_equal(r->vm.counters.invvpid_for_migration, 2);

	check_vpid_requests(r);
	assert_int_equal(r->vm.counters.invvpid_for_address, 3);
	assert_int_equal(r->vm.counters.invvpid_for_register, 2);
	assert_int_equal(r->vm.counters.invvpid_for_tables, 1);
	/* What is due because it comes from elsewhere is due for nothing else. */
	tag_request_all(&r->a, TAG_TABLES);
	mmu_enter(&r->a, 1);
	mmu_enter(&r->a, 0);
	assert_int_equal(r->vm.counters.invvpid_for_migration, 4);
	assert_int_equal(r->vm.counters.invvpid_for_tables, 1);
	check_vpid_coarse(r);
	check_reasons(r);
	unrig(r);
}

/* What the CPU refuses is answered by the next wider flush. */
static void test_flush_refused(void **state)
{
	struct rig *r = rig(10);

	(void)state;
	mmu_enter(&r->a, 0);
	r->f->refuse_invvpid = 1u << TAG_FLUSH_ADDRESS;
	tag_request_address(&r->a, GVA(0x1000), TAG_ADDRESS);
	tag_request_address(&r->a, GVA(0x2000), TAG_ADDRESS);
	mmu_enter(&r->a, 0);
	assert_int_equal(r->f->invvpids, 3);
	assert_int_equal(r->f->last_tag_flush, TAG_FLUSH_SINGLE);
	assert_int_equal(r->vm.counters.flushes_refused, 1);
	r->f->refuse_invvpid |= 1u << TAG_FLUSH_SINGLE | 1u << TAG_FLUSH_NONGLOBAL;
	tag_request_address(&r->a, GVA(0x1000), TAG_ADDRESS);
	mmu_enter(&r->a, 0);
	assert_int_equal(r->f->invvpids, 6);
	assert_int_equal(r->f->last_tag_flush, TAG_FLUSH_ALL);
	tag_request_nonglobal(&r->a);
	mmu_enter(&r->a, 0);
	assert_int_equal(r->f->invvpids, 9);
	assert_int_equal(r->f->last_tag_flush, TAG_FLUSH_ALL);
	assert_int_equal(r->vm.counters.flushes_refused, 5);
	r->a.root.nested = 0x1000;
	r->f->refuse_invept = 1u << NESTED_FLUSH_SINGLE;
	tag_request_ept(&r->vm);
	mmu_enter(&r->a, 0);
	assert_int_equal(r->f->invepts, 2);
	assert_int_equal(r->vm.counters.invept_all, 1);
	check_reasons(r);
	unrig(r);
}

static void test_flush_ept(void **state)
{
	struct rig *r = rig(2);

	(void)state;
	assert_int_equal(r->b.tag.vpid, 0);
	assert_int_equal(r->vm.counters.vpid_exhausted, 1);
	r->a.root.nested = r->b.root.nested = 0x1000;
	mmu_enter(&r->a, 0);
	assert_int_equal(r->f->invepts, 1);
	assert_int_equal(r->f->invvpids, 0); /* INVEPT dropped its combined mappings */
	mmu_enter(&r->b, 0);                 /* one INVEPT a CPU serves all vCPUs of the root */
	assert_int_equal(r->f->invepts, 1);
	mmu_enter(&r->b, 3);
	assert_int_equal(r->f->invepts, 2);
	assert_int_equal(r->vm.counters.invept_for_creation, 1);
	assert_int_equal(r->vm.counters.invept_for_migration, 1);
	mmu_enter(&r->a, 3);
	assert_int_equal(r->f->invepts, 2);
	assert_int_equal(r->f->invvpids, 1);
	tag_request_ept(&r->vm);
	tag_synchronize(&r->vm, &r->a);
	assert_int_equal(r->f->kicks, 1);
	mmu_enter(&r->a, 3);
	mmu_enter(&r->b, 3);
	assert_int_equal(r->f->invepts, 3);
	mmu_enter(&r->b, 0);
	assert_int_equal(r->f->invepts, 4);
	assert_int_equal(r->vm.counters.invept_for_tables, 2);
	check_reasons(r);
	/* An untagged vCPU owes no INVVPID. */
	assert_int_equal(r->f->invvpids, 1);
	tag_request_all(&r->b, TAG_TABLES);
	mmu_enter(&r->b, 0);
	assert_int_equal(r->f->invvpids, 1);
	unrig(r);
}

/* Each CPU owes an INVEPT of its own, and one, however many there are. */
static void test_flush_ept_far(void **state)
{
	static const unsigned cpus[] = { 3, 67, 131, 195, 255 };
	struct rig *r = rig(2);

	(void)state;
	r->a.root.nested = 0x1000;
	for (unsigned i = 0; i < ARRAY_SIZE(cpus); i++) {
		mmu_enter(&r->a, cpus[i]);
		assert_int_equal(r->f->invepts, i + 1);
		tag_request_address(&r->a, GVA(0), TAG_ADDRESS);
		mmu_enter(&r->a, cpus[i]);
		assert_int_equal(r->f->invepts, i + 1);
	}
	assert_int_equal(r->vm.counters.invept_for_migration, ARRAY_SIZE(cpus) - 1);
	tag_request_ept(&r->vm);
	for (unsigned i = 0; i < ARRAY_SIZE(cpus); i++)
		mmu_enter(&r->a, cpus[i]);
	assert_int_equal(r->f->invepts, 2 * ARRAY_SIZE(cpus));
	assert_int_equal(r->vm.counters.invept_for_tables, ARRAY_SIZE(cpus));
	/* One without a bit flushes each time it is asked. */
	mmu_enter(&r->a, TAG_CPUS_MAX);
	tag_request_address(&r->a, GVA(0), TAG_ADDRESS);
	mmu_enter(&r->a, TAG_CPUS_MAX);
	assert_int_equal(r->f->invepts, 2 * ARRAY_SIZE(cpus) + 2);
	check_reasons(r);
	unrig(r);
}

/* HW2, HW3: whatever the CPU's width, an MMIO leaf says which frame it is, and names what is beyond memory. */
static void test_mmio_leaf(void **state)
{
	struct mmu_vm vm = { .slots.generation = 0x2aaa };
	struct mmu_caps caps = { 0 };

	(void)state;
	vm.caps = &caps;
	for (caps.maxphyaddr = 32; caps.maxphyaddr <= 52; caps.maxphyaddr++) {
		uint64_t high = hw_mmio_high(&caps);

		if (caps.maxphyaddr > 50) {
			assert_false(hw_mmio_possible(&caps, GFN(0xfee00)));
			continue;
		}
		assert_int_equal(__builtin_popcountll(high), caps.maxphyaddr > 46 ? 51 - caps.maxphyaddr : 5);
		assert_true(high & BIT(caps.maxphyaddr - 1));
		for (unsigned bit = 0; bit < caps.maxphyaddr - 12u; bit++) {
			gfn_t gfn = GFN(BIT(bit) | 1);
			uint64_t leaf = hw_mmio_leaf(&vm, gfn, ACC_ALL);

			assert_true(hw_mmio_possible(&caps, gfn));
			assert_int_equal(hw_mmio_gfn(&caps, leaf).v, gfn.v);
			assert_int_equal(leaf & high, high);
			assert_true(pt_special(&hw_format_pae, leaf) && hw_mmio_current(&vm, leaf));
		}
		assert_int_equal(hw_mmio_gfn(&caps, hw_mmio_leaf(&vm, GFN(BIT(caps.maxphyaddr - 12) - 1), 0)).v,
				 BIT(caps.maxphyaddr - 12) - 1);
		assert_false(hw_mmio_possible(&caps, GFN(BIT(39))));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_mmio_leaf),     cmocka_unit_test(test_slots),
		cmocka_unit_test(test_slots_full),    cmocka_unit_test(test_backing),
		cmocka_unit_test(test_vpid),	      cmocka_unit_test(test_flush_vpid),
		cmocka_unit_test(test_flush_refused), cmocka_unit_test(test_flush_ept),
		cmocka_unit_test(test_flush_ept_far),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
