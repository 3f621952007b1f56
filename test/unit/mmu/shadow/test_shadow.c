/* The mechanisms without EPT under a CPU without any TLB: random guest tables, register loads, accesses and host-side
 * changes. What the hardware tables say right after INVLPG of an address must be what the guest walker says; the
 * auditors run after every step. */
#include "test/unit/mmu/shadow/guest.h"
#include "lib/xorshift.h"

#define SPARE 0x8000u /* where RAM pages move to */

static uint8_t written[PAGES];
static uint64_t log_bits[PAGES / 64], log_out[PAGES / 64];
static bool logging;
static uint64_t seed;

static uint64_t rnd(void)
{
	return xorshift(&seed);
}

static bool one_in(unsigned n) { return rnd() % n == 0; }

/* ---- the specification: the walker on the same memory ---- */

static bool spec_read(void *ctx, gpa_t gpa, unsigned size, uint64_t *value)
{
	(void)ctx;
	if (gpa.v >> 12 >= PAGES)
		return false;
	*value = 0;
	memcpy(value, ram(gpa.v >> 12) + (gpa.v & 0xfff), size);
	return true;
}

static const struct walk_memory spec_memory = { .read = spec_read };

/* ---- the guest ---- */

static const unsigned first_of_level[] = { TABLES, 6, 4, 2, 1, 0 }; /* pages 6..11 are level 1, 4..5 level 2, ... */

static uint64_t random_gfn(void)
{
	switch (rnd() % 16) {
	case 0:
		return rnd() % TABLES; /* a table mapped as data, or used at another level */
	case 1:
		return MMIO_GFN + rnd() % 2;
	case 2:
		return 0x600 + rnd() % 4; /* absent */
	default:
		return TABLES + rnd() % 24;
	}
}

static uint64_t random_entry(unsigned level)
{
	enum paging_mode mode = walk_mode(&vcpu.regs);
	bool narrow = mode == PAGING_32BIT || mode == PAGING_NONE;
	uint64_t e = (rnd() & (PTE_A | PTE_D | PTE_G)) | (one_in(16) ? 0 : PTE_P) | (one_in(8) ? 0 : PTE_W) |
		     (one_in(8) ? 0 : PTE_U);

	if (!narrow && one_in(8) && (vcpu.regs.efer & EFER_NXE))
		e |= PTE_NX;
	if (!narrow && one_in(64))
		e |= BIT(rnd() % 64);
	if (level == 1 || one_in(32))
		return e | random_gfn() << 12;
	if (level == 2 && one_in(4))
		return e | PTE_PS | (rnd() % 3) << (narrow ? 22 : 21) | (one_in(16) ? rnd() & MASK(20, 13) : 0);
	if (level == 3 && one_in(8) && mode >= PAGING_4LEVEL)
		return e | PTE_PS;
	return e | (first_of_level[level - 1] + rnd() % (first_of_level[level - 2] - first_of_level[level - 1])) << 12;
}

/* Addresses that use few entries of each table, so that things collide. */
static uint64_t random_gva(void)
{
	enum paging_mode mode = walk_mode(&vcpu.regs);
	uint64_t i = rnd() % 4 + (one_in(4) ? 510 : 0);

	switch (mode) {
	case PAGING_NONE:
		return rnd() % (PAGES + 8) << 12 | 0x123;
	case PAGING_32BIT:
		return (rnd() % 4 << 30 | (rnd() % 3) << 22 | ((rnd() & 1) << 21) | i << 12 | (rnd() & 0xff8)) &
		       MASK(31, 0);
	case PAGING_PAE:
		return rnd() % 4 << 30 | rnd() % 3 << 21 | (i & 511) << 12 | (rnd() & 0xff8);
	default:
		return rnd() % 2 << 39 | rnd() % 3 << 30 | rnd() % 3 << 21 | (i & 511) << 12 | (rnd() & 0xff8) |
		       (mode == PAGING_5LEVEL ? rnd() % 2 << 48 : 0);
	}
}

static unsigned entry_index(unsigned level)
{
	if (walk_mode(&vcpu.regs) == PAGING_32BIT)
		return level == 2 ? rnd() % 4 << 8 | rnd() % 3 : (rnd() & 1) << 9 | (rnd() % 4 + (one_in(4) ? 508 : 0));
	return level == 1 ? rnd() % 4 + (one_in(4) ? 508 : 0) : rnd() % 4;
}

static void store(uint64_t gpa, uint64_t value, unsigned size)
{
	written[gpa >> 12] = 1;
	memcpy(ram(gpa >> 12) + (gpa & 0xfff), &value, size);
}

/* Every last-level table has a window onto all tables, so that the guest can edit them by address. */
#define WINDOW 16u

static void open_windows(void)
{
	bool narrow = walk_mode(&vcpu.regs) == PAGING_32BIT;

	for (uint64_t gfn = first_of_level[1]; gfn < first_of_level[0]; gfn++) {
		for (unsigned i = 0; i < TABLES; i++) {
			uint64_t e = (uint64_t)i << 12 | PTE_P | PTE_W | PTE_U;

			if (narrow) {
				memcpy(ram(gfn) + (WINDOW + i) * 4, &e, 4);
				memcpy(ram(gfn) + (512 + WINDOW + i) * 4, &e, 4);
			} else {
				memcpy(ram(gfn) + (WINDOW + i) * 8, &e, 8);
			}
		}
		written[gfn] = 1;
		rewritten(gfn, 1);
	}
	audit("opening the windows");
}

/* The guest writes a table: mostly by an address in a window, sometimes as a device would. */
static void edit_table(void)
{
	unsigned level = 1 + rnd() % 5, size;
	uint64_t gfn, gpa, value;
	struct outcome o;

	if (level > 1 && one_in(2))
		level = 1;
	gfn = first_of_level[level] + rnd() % (first_of_level[level - 1] - first_of_level[level]);
	size = walk_mode(&vcpu.regs) == PAGING_32BIT ? 4 : 8;
	gpa = gfn << 12 | entry_index(level) * size;
	value = random_entry(level);
	if (!one_in(8) && walk_mode(&vcpu.regs) != PAGING_NONE) {
		vcpu.regs.cpl = 0;
		vcpu.regs.ac = true;
		o = access_guest((random_gva() & ~MASK(20, 0)) | (WINDOW + gfn) << 12 | (gpa & 0xfff),
				 (struct access){ .write = true });
		if (o.how == MMU_INJECT || o.gpa >> 12 >= PAGES)
			return;
		if (o.how == MMU_FIXED) {
			store(o.gpa, value, size);
			return;
		}
		gpa = o.gpa;
	}
	assert_int_equal(mmu_guest_write(&vm, GPA(gpa), &value, size), size);
	written[gpa >> 12] = 1;
	audit("a table write");
}

static struct access random_access(void)
{
	struct access a = { .write = rnd() & 1, .user = rnd() & 1 };

	a.fetch = !a.write && one_in(3);
	return a;
}

/* An access, compared with the walker if nothing may be out of date. */
static void check_access(uint64_t gva, struct access a, bool fresh)
{
	struct walk_result w;
	struct outcome o;
	uint64_t value = one_in(2) ? random_entry(1) : random_entry(2);
	bool memory;

	vcpu.regs.cpl = a.user ? 3 : 0;
	w = walk(&vcpu.regs, &spec_memory, GVA(gva), a, false);
	o = access_guest(gva, a);
	if (fresh) {
		if (!w.ok) {
			if (o.how != MMU_INJECT || o.error != w.error)
				fail_msg("%s: gva %lx: fault %x expected, outcome %d error %x", vm.ops->name, gva,
					 w.error, o.how, o.error);
			return;
		}
		if (o.how == MMU_INJECT || o.gpa != w.gpa.v)
			fail_msg("%s: gva %lx: gpa %lx expected, outcome %d gpa %lx error %x", vm.ops->name, gva,
				 w.gpa.v, o.how, o.gpa, o.error);
		memory = w.gpa.v >> 12 < PAGES;
		if (!memory)
			assert_int_equal(o.how, MMU_EMULATE);
		w = walk(&vcpu.regs, &spec_memory, GVA(gva), a, false);
		for (unsigned i = 0; i < w.count; i++)
			if (w.entry[i].gpa.v >> 12 < PAGES && w.entry[i].gpa.v != ~0ull)
				assert_true(w.entry[i].value & PTE_A);
		for (unsigned i = 0; i < w.count; i++)
			if (w.entry[i].gpa.v != ~0ull && w.entry[i].gpa.v >> 12 < PAGES)
				written[w.entry[i].gpa.v >> 12] |= 2;
	}
	if (o.how == MMU_INJECT || !a.write || o.gpa >> 12 >= PAGES)
		return;
	/* The write itself. */
	if (o.how == MMU_FIXED) {
		store(o.gpa & ~7ull, value, 8);
	} else {
		mmu_guest_write(&vm, GPA(o.gpa & ~7ull), &value, 8);
		written[o.gpa >> 12] = 1;
		audit("an emulated write");
	}
}

static void load_cr3(void)
{
	enum paging_mode mode = walk_mode(&vcpu.regs);
	unsigned level = mode == PAGING_5LEVEL ? 5 : mode == PAGING_4LEVEL ? 4 : 2;
	uint64_t gfn;

	if (mode == PAGING_PAE) {
		uint64_t pdpte[4];

		for (unsigned i = 0; i < 4; i++)
			pdpte[i] = (4 + rnd() % 2) << 12 | (one_in(8) ? 0 : PTE_P);
		mmu_guest_write(&vm, GPA(0x30000), pdpte, sizeof(pdpte));
		written[0x30] = 1;
		expect_loaded(mmu_set_cr3(&vcpu, 0x30000));
		return;
	}
	gfn = first_of_level[level] + rnd() % (first_of_level[level - 1] - first_of_level[level]);
	expect_loaded(mmu_set_cr3(&vcpu, one_in(50) ? 0x700000 : gfn << 12));
}

static void change_mode(void)
{
	enum paging_mode mode = rnd() % 5;

	expect_loaded(mmu_set_cr0(&vcpu, CR0_PE));
	expect_loaded(mmu_set_cr3(&vcpu, 0x30000));
	expect_loaded(mmu_set_efer(&vcpu, (mode >= PAGING_4LEVEL ? EFER_LME : 0) | (one_in(3) ? 0 : EFER_NXE)));
	expect_loaded(mmu_set_cr4(&vcpu, (mode >= PAGING_PAE ? CR4_PAE : 0) | (mode == PAGING_5LEVEL ? CR4_LA57 : 0) |
				  (rnd() & (CR4_PSE | CR4_SMEP | CR4_SMAP | CR4_PGE))));
	memset(ram(0x30), 0, 4096);
	rewritten(0x30, 1);
	if (mode != PAGING_NONE)
		expect_loaded(mmu_set_cr0(&vcpu, CR0_PE | CR0_PG | (rnd() & CR0_WP)));
	open_windows();
	load_cr3();
}

/* ---- the host ---- */

static void move_page(void)
{
	uint64_t gfn = rnd() % 40, to = SPARE + rnd() % 0x4000;
	uint64_t from = frame_of[gfn];

	if (same_frames || f->frame[to])
		return;
	fake_ram(f, to, 1);
	memcpy(f->frame[to], f->frame[from], 4096);
	frame_of[gfn] = to;
	mmu_unmap(&vm, GFN(gfn), 1);
	fake_free(f, HFN(from));
	audit("moving a page");
}

static void change_log(void)
{
	if (!logging) {
		memset(written, 0, sizeof(written));
		assert_true(mmu_log_start(&vm, GFN(0), log_bits));
		logging = true;
	} else {
		assert_true(mmu_log_collect(&vm, GFN(0), log_out));
		for (unsigned i = 0; i < PAGES; i++)
			if ((written[i] & 1) && !(log_out[i / 64] >> i % 64 & 1))
				fail_msg("%s: page %x was written and is not in the log", vm.ops->name, i);
		memset(written, 0, sizeof(written));
		if (one_in(2)) {
			assert_true(mmu_log_stop(&vm, GFN(0)));
			logging = false;
		}
	}
	audit("logging");
}

static void change_mechanism(void)
{
	static const struct mmu_ops *const all[] = { &mmu_shadow, &mmu_vtlb, &mmu_brute };

	assert_true(mmu_switch(&vm, all[rnd() % 3]));
	audit("switching");
}

static void load_registers(unsigned which)
{
	if (which == 0)
		change_mode();
	else if (which < 4)
		load_cr3();
	else if (which == 4)
		expect_loaded(mmu_set_cr0(&vcpu, vcpu.regs.cr0 ^ CR0_WP));
	else if (which == 5)
		expect_loaded(mmu_set_cr4(&vcpu, vcpu.regs.cr4 ^ (rnd() & (CR4_PSE | CR4_SMEP | CR4_SMAP | CR4_PGE))));
	else
		expect_loaded(mmu_set_efer(&vcpu, vcpu.regs.efer ^ EFER_NXE));
}

static void change_below(unsigned which, bool switching)
{
	if (which < 9) {
		move_page();
	} else if (which == 9) {
		mmu_write_protect(&vm, GFN(rnd() % 40), 1 + rnd() % 10);
		audit("write protection");
	} else if (which == 10) {
		if (one_in(8))
			change_log();
	} else if (which == 11) {
		if (one_in(16))
			change_slots();
	} else if (switching && one_in(4)) {
		change_mechanism();
	}
}

static void step(bool switching)
{
	uint64_t gva = random_gva();
	bool exact = vm.ops == &mmu_brute;
	unsigned what;

	vcpu.regs.ac = rnd() & 1;
	what = rnd() % 64;
	if (what < 7) {
		load_registers(what);
	} else if (what < 13) {
		change_below(what, switching);
	} else if (what < 23) {
		edit_table();
	} else if (what < 29) {
		check_access(gva, random_access(), exact);
	} else {
		mmu_invlpg(&vcpu, GVA(gva));
		check_access(gva, random_access(), true);
		if (one_in(2))
			check_access(gva, random_access(), true);
	}
}

static void start(const struct mmu_ops *ops, bool one_run, uint32_t frames)
{
	guest_start(ops, one_run, frames);
	logging = false;
	for (unsigned level = 1; level <= 5; level++)
		for (uint64_t gfn = first_of_level[level]; gfn < first_of_level[level - 1]; gfn++)
			for (unsigned i = 0; i < 512; i++) {
				uint64_t e = random_entry(level);

				memcpy(ram(gfn) + i * 8, &e, 8);
			}
	rewritten(0, TABLES);
	open_windows();
}

static void run(const struct mmu_ops *ops, bool switching)
{
	unsigned rounds = getenv("ROUNDS") ? atoi(getenv("ROUNDS")) : 4;

	for (unsigned round = 0; round < rounds; round++) {
		seed = 88172645463325252ull + round * 7919;
		for (unsigned i = 0; i < 10; i++)
			rnd();
		start(ops, round & 1, round & 2 ? 192 : 0);
		for (unsigned i = 0; i < 3000; i++)
			step(switching);
		guest_stop();
	}
}

static void test_shadow(void **state) { (void)state; run(&mmu_shadow, false); }
static void test_brute(void **state) { (void)state; run(&mmu_brute, false); }
static void test_vtlb(void **state) { (void)state; run(&mmu_vtlb, false); }
static void test_switch(void **state) { (void)state; run(&mmu_shadow, true); }

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_brute),
		cmocka_unit_test(test_vtlb),
		cmocka_unit_test(test_shadow),
		cmocka_unit_test(test_switch),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
