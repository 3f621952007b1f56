/* The guest of test/unit/mmu/shadow/guest.h: its RAM, and its CPU. */
#include "test/unit/mmu/shadow/guest.h"

struct fake *f;
struct mmu_vm vm;
struct mmu_vcpu vcpu;
bool same_frames;
uint64_t frame_of[PAGES];
static struct mmu_caps caps;

static bool page(struct backing *b, uint64_t index, struct backing_page *out)
{
	(void)b;
	*out = (struct backing_page){ .hfn = HFN(frame_of[index]), .writable = true };
	if (same_frames)
		out->order = backing_order(GFN(index), GFN(0), PAGES, HFN(frame_of[index]), 18);
	return true;
}

static struct backing backing = { .page = page };

/* ---- the CPU: hardware tables, no TLB ---- */

struct hw_result {
	bool ok;
	uint64_t hpa;
	uint32_t error;
};

static struct hw_result hw(uint64_t gva, struct access a)
{
	const struct mmu_intercepts *in = &vcpu.intercepts;
	uint64_t cr4 = (vcpu.regs.cr4 & ~in->cr4_force_mask) | in->cr4_force_value;
	uint64_t efer = (vcpu.regs.efer & ~in->efer_force_mask) | in->efer_force_value;
	uint32_t error = (a.write ? 2 : 0) | (a.user ? 4 : 0) | (a.fetch ? 16 : 0);
	bool pae = !(efer & EFER_LMA), w = true, u = true, x = true;
	int level = pae ? 3 : cr4 & CR4_LA57 ? 5 : 4;
	uint64_t table = vcpu.root.cr3 & MASK(51, pae ? 5 : 12);

	assert_true(((vcpu.regs.cr0 & ~in->cr0_force_mask) | in->cr0_force_value) & CR0_WP);
	assert_true(cr4 & CR4_PAE);
	if (pae)
		gva &= MASK(31, 0);
	for (;; level--) {
		unsigned shift = 12 + 9 * (level - 1);
		uint64_t *entries = fake_ptr(f, HFN(table >> 12)), e;

		e = entries[(table & 0xfff) / 8 + (gva >> shift & (pae && level == 3 ? 3 : 511))];
		if (!(e & 1))
			return (struct hw_result){ .error = error };
		if (e & MASK(51, caps.maxphyaddr) || (pae && e & MASK(62, 52)) || (pae && level == 3 && e & 0x1e6))
			return (struct hw_result){ .error = error | 9 };
		table = e & PTE_ADDRESS;
		if (pae && level == 3)
			continue;
		w = w && (e & 2);
		u = u && (e & 4);
		x = x && !(e >> 63);
		if (level == 1 || (e & 0x80 && level == 2)) {
			bool allowed = a.user ? u && (!a.write || w) && (!a.fetch || x) :
				       a.fetch ? x && !(u && cr4 & CR4_SMEP) :
				       (!a.write || w) && !(u && cr4 & CR4_SMAP && (!vcpu.regs.ac || a.implicit));

			assert_true(e & PTE_A);
			if (!allowed)
				return (struct hw_result){ .error = error | 1 };
			assert_true(!a.write || e & PTE_D);
			return (struct hw_result){ .ok = true,
						   .hpa = (table & ~MASK(shift - 1, 0)) | (gva & MASK(shift - 1, 0)) };
		}
	}
}

void audit(const char *where)
{
	char why[160] = "";

	if (!mmu_audit(&vm, why, sizeof(why)))
		fail_msg("after %s: %s (%s)", where, why, vm.ops->name);
}

struct outcome access_guest(uint64_t gva, struct access a)
{
	for (unsigned tries = 0; tries < 20; tries++) {
		struct hw_result h;
		struct mmu_fault fault = { .kind = MMU_FAULT_PAGE, .gva = GVA(gva) };
		struct mmu_result r;

		mmu_enter(&vcpu, 0);
		h = hw(gva, a);
		if (h.ok) {
			for (uint64_t gfn = 0; gfn < PAGES; gfn++)
				if (frame_of[gfn] == h.hpa >> 12)
					return (struct outcome){ MMU_FIXED, gfn << 12 | (h.hpa & 0xfff), 0 };
			fail_msg("a leaf names a frame that is nobody's: %lx (%s)", h.hpa, vm.ops->name);
		}
		fault.error = h.error;
		r = mmu_fault(&vcpu, &fault);
		audit("a fault");
		if (r.outcome == MMU_INJECT)
			return (struct outcome){ MMU_INJECT, 0, r.exception.error };
		if (r.outcome == MMU_EMULATE)
			return (struct outcome){ MMU_EMULATE, r.gpa.v, 0 };
		if (r.outcome == MMU_STOP)
			fail_msg("stopped: %s", r.why);
	}
	fail_msg("an access of %lx does not end (%s)", gva, vm.ops->name);
	return (struct outcome){ MMU_STOP, 0, 0 };
}

void expect_loaded(struct mmu_result r)
{
	assert_true(r.outcome == MMU_FIXED || r.outcome == MMU_INJECT);
	audit("a register load");
}

void change_slots(void)
{
	struct slot slot = { .base = GFN(MMIO_GFN), .pages = 2, .kind = SLOT_MMIO };

	if (!mmu_slot_remove(&vm, GFN(MMIO_GFN)))
		assert_true(mmu_slot_add(&vm, &slot));
	audit("changing slots");
}

void rewritten(uint64_t gfn, uint64_t pages)
{
	for (uint64_t end = gfn + pages; gfn < end; gfn++) {
		uint8_t is[PAGE_SIZE];

		memcpy(is, ram(gfn), PAGE_SIZE);
		assert_int_equal(mmu_guest_write(&vm, GPA(gfn << PAGE_SHIFT), is, PAGE_SIZE), PAGE_SIZE);
	}
}

void guest_start(const struct mmu_ops *ops, bool one_run, uint32_t frames)
{
	struct mmu_config config = { .page_limit = PAGE_LIMIT_1G, .vpid = true, .table_frames = frames };
	struct walk_regs regs = { .cr0 = CR0_PE, .cr4 = 0, .maxphyaddr = 40, .has_1g = true };
	struct slot slot = {
		.base = GFN(0), .pages = PAGES, .kind = SLOT_RAM, .type = MEMTYPE_WB, .backing = &backing
	};
	static struct vpid_pool pool;

	f = fake_new();
	caps = fake_caps();
	caps.la57 = true;
	same_frames = one_run;
	fake_ram(f, RAM_HFN, PAGES);
	for (unsigned i = 0; i < PAGES; i++)
		frame_of[i] = RAM_HFN + i;
	vpid_pool_init(&pool, 100);
	assert_null(ops->unsupported(&caps));
	assert_true(mmu_vm_init(&vm, ops, &f->below, &caps, &config, &pool));
	assert_true(mmu_slot_add(&vm, &slot));
	assert_true(mmu_vcpu_init(&vcpu, &vm, &regs));
	change_slots();
}

void guest_stop(void)
{
	mmu_vcpu_destroy(&vcpu);
	mmu_vm_destroy(&vm);
	assert_int_equal(f->in_use, PAGES);
	fake_delete(f);
}
