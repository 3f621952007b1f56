/* The guest walker: tables made by hand for every mode. */
#include "test/unit/mmu/walk_memory.h"

static const struct access READ = { 0 }, WRITE = { .write = true }, USER_READ = { .user = true };
static const struct access USER_WRITE = { .user = true, .write = true }, FETCH = { .fetch = true };
static const struct access USER_FETCH = { .user = true, .fetch = true }, IMPLICIT = { .implicit = true };

static struct walk_result go(const struct walk_regs *r, uint64_t gva, struct access a)
{
	return walk(r, &view, GVA(gva), a, true);
}

#define expect_ok(w, address) \
	do { \
		struct walk_result w_ = (w); \
		assert_true(w_.ok); \
		assert_int_equal(w_.gpa.v, address); \
	} while (0)
#define expect_error(w, code) \
	do { \
		struct walk_result w_ = (w); \
		assert_false(w_.ok); \
		assert_int_equal(w_.error, code); \
	} while (0)

static void test_no_paging(void **state)
{
	struct walk_regs r = regs_for(PAGING_NONE);

	(void)state;
	expect_ok(go(&r, 0x123456789, USER_WRITE), 0x23456789);
	assert_int_equal(walk_mode(&r), PAGING_NONE);
}

static void test_32bit(void **state)
{
	struct walk_regs r = regs_for(PAGING_32BIT);

	(void)state;
	put4(0x1000 + 4 * 1, 0x2000 | PTE_P | PTE_W | PTE_U | PTE_PS); /* PSE off: bit 7 is ignored */
	put4(0x2000 + 4 * 3, 0x7000 | PTE_P | PTE_W);
	expect_ok(go(&r, 0x403abc, WRITE), 0x7abc);
	assert_int_equal(get4(0x1004) & (PTE_A | PTE_D), PTE_A);
	assert_int_equal(get4(0x200c) & (PTE_A | PTE_D), PTE_A | PTE_D);
	expect_error(go(&r, 0x403abc, USER_WRITE), PFERR_P | PFERR_W | PFERR_U);
	expect_error(go(&r, 0x404abc, USER_READ), PFERR_U);
	expect_error(go(&r, 0x404abc, FETCH), 0);

	/* A 4-MByte page; PSE-36 address bits 39:32 in bits 20:13. */
	r.cr4 |= CR4_PSE;
	put4(0x1000 + 4 * 2, 0x00c00000 | 0x5a << 13 | PTE_P | PTE_PS | PTE_U);
	expect_ok(go(&r, 0x812345, USER_READ), 0x5a00c12345);
	assert_int_equal(go(&r, 0x812345, READ).page_shift, 22);
	put4(0x1000 + 4 * 2, 0x00e00000 | PTE_P | PTE_PS);
	expect_error(go(&r, 0x812345, READ), PFERR_P | PFERR_RSVD); /* bit 21 */
	r.maxphyaddr = 36;
	put4(0x1000 + 4 * 2, 0x00c00000 | 0x0f << 13 | PTE_P | PTE_PS);
	expect_ok(go(&r, 0x812345, READ), 0xf00c12345);
	put4(0x1000 + 4 * 2, 0x00c00000 | 0x10 << 13 | PTE_P | PTE_PS);
	expect_error(go(&r, 0x812345, READ), PFERR_P | PFERR_RSVD);
}

static void test_pae(void **state)
{
	struct walk_regs r = regs_for(PAGING_PAE);

	(void)state;
	r.pdpte[2] = 0x3000 | PTE_P;
	put8(0x3000 + 8 * 5, 0x4000 | PTE_P | PTE_W | PTE_U);
	put8(0x4000 + 8 * 7, 0x9000 | PTE_P | PTE_U);
	expect_ok(go(&r, 0x80a07123, USER_READ), 0x9123);
	expect_error(go(&r, 0x80a07123, WRITE), PFERR_P | PFERR_W);
	expect_error(go(&r, 0x40000000, READ), 0); /* PDPTE not present */
	/* Bits 62:52 are reserved under PAE, bit 63 while NXE is off. */
	put8(0x4000 + 8 * 7, 0x9000 | PTE_P | BIT(52));
	expect_error(go(&r, 0x80a07123, READ), PFERR_P | PFERR_RSVD);
	put8(0x4000 + 8 * 7, 0x9000 | PTE_P | PTE_NX);
	expect_error(go(&r, 0x80a07123, READ), PFERR_P | PFERR_RSVD);
	expect_error(go(&r, 0x80a07123, FETCH), PFERR_P | PFERR_RSVD); /* I/D only with NX or SMEP */
	r.efer = EFER_NXE;
	expect_ok(go(&r, 0x80a07123, READ), 0x9123);
	expect_error(go(&r, 0x80a07123, FETCH), PFERR_P | PFERR_I);
	/* A 2-MByte page. */
	put8(0x3000 + 8 * 5, 0x600000 | PTE_P | PTE_W | PTE_PS);
	expect_ok(go(&r, 0x80a07123, WRITE), 0x607123);
	put8(0x3000 + 8 * 5, 0x602000 | PTE_P | PTE_W | PTE_PS);
	expect_error(go(&r, 0x80a07123, WRITE), PFERR_P | PFERR_W | PFERR_RSVD);
}

static void build_long(struct walk_regs *r, uint64_t gva, uint64_t flags)
{
	uint64_t table = r->cr3;

	for (int level = r->cr4 & CR4_LA57 ? 5 : 4; level >= 1; level--) {
		uint64_t at = table + (gva >> (12 + 9 * (level - 1)) & 511) * 8;
		uint64_t next = level == 1 ? 0x20000 : 0x2000u + 0x1000u * level;

		put8(at, next | flags);
		table = next;
	}
}

static void test_long(void **state)
{
	struct walk_regs r = regs_for(PAGING_4LEVEL);
	struct walk_result w;

	(void)state;
	r.efer |= EFER_NXE;
	build_long(&r, 0x7f1234567000, PTE_P | PTE_W | PTE_U);
	expect_ok(go(&r, 0x7f1234567fff, USER_WRITE), 0x20fff);
	w = go(&r, 0x7f1234567fff, READ);
	assert_int_equal(w.count, 4);
	assert_int_equal(w.entry[3].level, 1);
	assert_true(w.dirty && w.writable && w.user && w.executable && !w.global);
	/* PS is reserved in a PML4E; address bits above MAXPHYADDR are. */
	put8(0x1000 + 8 * (0x7f1234567000 >> 39 & 511), 0x6000 | PTE_P | PTE_PS);
	expect_error(go(&r, 0x7f1234567000, READ), PFERR_P | PFERR_RSVD);
	put8(0x1000 + 8 * (0x7f1234567000 >> 39 & 511), 0x6000 | PTE_P | BIT(40));
	expect_error(go(&r, 0x7f1234567000, READ), PFERR_P | PFERR_RSVD);

	r = regs_for(PAGING_5LEVEL);
	build_long(&r, 0xff7f1234567000, PTE_P | PTE_U);
	expect_ok(go(&r, 0xff7f1234567000, USER_READ), 0x20000);
	assert_int_equal(go(&r, 0xff7f1234567000, USER_READ).count, 5);

	/* 1-GByte pages, where the CPU has them. */
	r = regs_for(PAGING_4LEVEL);
	put8(0x1000, 0x2000 | PTE_P | PTE_W | PTE_U);
	put8(0x2008, 0x80000000 | PTE_P | PTE_W | PTE_U | PTE_PS | PTE_G | BIT(12));
	r.cr4 |= CR4_PGE;
	w = go(&r, 0x5ff12345, USER_WRITE);
	expect_ok(w, 0x9ff12345);
	assert_true(w.global && w.page_shift == 30 && w.pat_index == 4);
	r.has_1g = false;
	expect_error(go(&r, 0x5ff12345, USER_WRITE), PFERR_P | PFERR_W | PFERR_U | PFERR_RSVD);
}

static void test_rights(void **state)
{
	struct walk_regs r = regs_for(PAGING_4LEVEL);

	(void)state;
	build_long(&r, 0x1000, PTE_P | PTE_U);
	expect_error(go(&r, 0x1000, WRITE), PFERR_P | PFERR_W);
	r.cr0 &= ~CR0_WP;
	expect_ok(go(&r, 0x1000, WRITE), 0x20000);
	expect_error(go(&r, 0x1000, USER_WRITE), PFERR_P | PFERR_W | PFERR_U);
	expect_ok(go(&r, 0x1000, FETCH), 0x20000);
	r.cr4 |= CR4_SMEP;
	expect_error(go(&r, 0x1000, FETCH), PFERR_P | PFERR_I);
	expect_ok(go(&r, 0x1000, USER_FETCH), 0x20000);
	r.cr4 |= CR4_SMAP;
	expect_error(go(&r, 0x1000, READ), PFERR_P);
	expect_error(go(&r, 0x1000, WRITE), PFERR_P | PFERR_W);
	r.ac = true;
	expect_ok(go(&r, 0x1000, READ), 0x20000);
	expect_error(go(&r, 0x1000, IMPLICIT), PFERR_P);
	expect_ok(go(&r, 0x1000, USER_READ), 0x20000);
}

static void test_pkeys(void **state)
{
	struct walk_regs r = regs_for(PAGING_4LEVEL);

	(void)state;
	build_long(&r, 0x1000, PTE_P | PTE_U | PTE_W);
	put8(0x4000 + 8, 0x20000 | PTE_P | PTE_U | PTE_W | 5ull << 59);
	r.cr4 |= CR4_PKE;
	expect_ok(go(&r, 0x1000, USER_WRITE), 0x20000);
	r.pkru = 2u << 10;
	expect_ok(go(&r, 0x1000, USER_READ), 0x20000);
	expect_error(go(&r, 0x1000, USER_WRITE), PFERR_P | PFERR_W | PFERR_U | PFERR_PK);
	expect_error(go(&r, 0x1000, WRITE), PFERR_P | PFERR_W | PFERR_PK);
	r.cr0 &= ~CR0_WP;
	expect_ok(go(&r, 0x1000, WRITE), 0x20000);
	r.pkru = 1u << 10;
	expect_error(go(&r, 0x1000, READ), PFERR_P | PFERR_PK);
	expect_ok(go(&r, 0x1000, USER_FETCH), 0x20000);
	r.cr4 &= ~CR4_PKE;
	expect_ok(go(&r, 0x1000, READ), 0x20000);
}

static void test_flags_and_races(void **state)
{
	struct walk_regs r = regs_for(PAGING_4LEVEL);

	(void)state;
	build_long(&r, 0x1000, PTE_P | PTE_W);
	walk(&r, &view, GVA(0x1000), WRITE, false);
	assert_int_equal(get8(0x4008) & (PTE_A | PTE_D), 0);
	expect_ok(go(&r, 0x1000, READ), 0x20000);
	assert_int_equal(get8(0x4008) & (PTE_A | PTE_D), PTE_A);
	assert_int_equal(get8(0x1000) & PTE_A, PTE_A);
	/* A denied access sets nothing. */
	put8(0x4008, 0x20000 | PTE_P);
	expect_error(go(&r, 0x1000, WRITE), PFERR_P | PFERR_W);
	assert_int_equal(get8(0x4008), 0x20000 | PTE_P);
	/* The entry went away between the read and the update. */
	mem.races = 1;
	expect_error(go(&r, 0x1000, READ), 0);
	/* Read-only tables: the flags count as set. */
	build_long(&r, 0x1000, PTE_P | PTE_W);
	mem.read_only = true;
	assert_true(go(&r, 0x1000, WRITE).dirty);
	assert_int_equal(get8(0x4008) & (PTE_A | PTE_D), 0);
	/* Tables beyond memory read as ones: reserved bits under 4-level paging. */
	r.cr3 = 0x7000000;
	expect_error(go(&r, 0x1000, READ), PFERR_P | PFERR_RSVD);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_no_paging), cmocka_unit_test(test_32bit), cmocka_unit_test(test_pae),
		cmocka_unit_test(test_long), cmocka_unit_test(test_rights), cmocka_unit_test(test_pkeys),
		cmocka_unit_test(test_flags_and_races),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
