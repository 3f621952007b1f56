/* The guest walker: tables made by hand for every mode, and random tables against a second walker, written the other way
 * round. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "mmu/walk.h"

#define MEMORY (64 * 4096)

struct memory {
	uint8_t bytes[MEMORY];
	bool read_only;
	unsigned races; /* as many updates lose, and find the entry without its lowest ignored bit */
};

static bool mem_read(void *ctx, gpa_t gpa, unsigned size, uint64_t *value)
{
	struct memory *m = ctx;

	if (gpa.v + size > MEMORY)
		return false;
	*value = 0;
	memcpy(value, m->bytes + gpa.v, size);
	return true;
}

static bool mem_update(void *ctx, gpa_t gpa, unsigned size, uint64_t old, uint64_t new, bool *lost)
{
	struct memory *m = ctx;
	uint64_t now;

	*lost = false;
	if (gpa.v + size > MEMORY || m->read_only)
		return false;
	mem_read(ctx, gpa, size, &now);
	if (m->races) {
		m->races--;
		now &= ~PTE_P;
		memcpy(m->bytes + gpa.v, &now, size);
	}
	*lost = now != old;
	if (!*lost)
		memcpy(m->bytes + gpa.v, &new, size);
	return !*lost;
}

static struct memory mem;
static const struct walk_memory view = { .read = mem_read, .update = mem_update, .ctx = &mem };

static void put4(uint64_t at, uint32_t v) { memcpy(mem.bytes + at, &v, 4); }
static void put8(uint64_t at, uint64_t v) { memcpy(mem.bytes + at, &v, 8); }
static uint64_t get8(uint64_t at) { uint64_t v; memcpy(&v, mem.bytes + at, 8); return v; }
static uint32_t get4(uint64_t at) { uint32_t v; memcpy(&v, mem.bytes + at, 4); return v; }

static struct walk_regs regs_for(enum paging_mode mode)
{
	struct walk_regs r = { .cr0 = CR0_PE | CR0_PG | CR0_WP, .cr3 = 0x1000, .maxphyaddr = 40, .has_1g = true };

	memset(&mem, 0, sizeof(mem));
	if (mode == PAGING_NONE)
		r.cr0 = CR0_PE;
	if (mode >= PAGING_PAE)
		r.cr4 = CR4_PAE;
	if (mode >= PAGING_4LEVEL)
		r.efer = EFER_LME | EFER_LMA;
	if (mode == PAGING_5LEVEL)
		r.cr4 |= CR4_LA57;
	return r;
}

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

/* ---- a second walker: recursive, one table of rules, entries wide ---- */

struct second {
	bool ok;
	uint64_t gpa;
	uint32_t error;
};

static bool is_narrow(const struct walk_regs *r) { return walk_mode(r) == PAGING_32BIT; }
static bool has_nx(const struct walk_regs *r) { return r->efer & EFER_NXE && !is_narrow(r); }
static int lowest_bit(const struct walk_regs *r, int level) { return is_narrow(r) ? 12 + 10 * (level - 1) : 12 + 9 * (level - 1); }

static bool is_leaf(const struct walk_regs *r, uint64_t e, int level)
{
	if (level == 1)
		return true;
	if (!(e & 0x80))
		return false;
	if (is_narrow(r))
		return r->cr4 & CR4_PSE;
	return level == 2 || (level == 3 && walk_mode(r) >= PAGING_4LEVEL && r->has_1g);
}

static bool has_reserved(const struct walk_regs *r, uint64_t e, int level)
{
	bool leaf = is_leaf(r, e, level);
	uint64_t bad = 0;

	if (is_narrow(r)) {
		if (!leaf || level != 2)
			return false;
		for (int b = 13; b <= 20; b++)
			if ((e >> b & 1) && b - 13 + 32 >= r->maxphyaddr)
				return true;
		return e >> 21 & 1;
	}
	for (int b = r->maxphyaddr; b < 52; b++)
		bad |= e & 1ull << b;
	if (!has_nx(r))
		bad |= e >> 63;
	if (walk_mode(r) == PAGING_PAE)
		bad |= e & 0x7ff0000000000000;
	if (leaf && level > 1)
		bad |= e & ((1ull << lowest_bit(r, level)) - 0x2000);
	if (!leaf && level > 2)
		bad |= e & 0x80;
	return bad;
}

/* w, u, x: what all entries of the walk have together. */
static bool allows(const struct walk_regs *r, struct access a, bool w, bool u, bool x)
{
	if (a.user)
		return u && (!a.write || w) && (!a.fetch || x);
	if (a.fetch)
		return x && !(u && r->cr4 & CR4_SMEP);
	return !(u && r->cr4 & CR4_SMAP && (!r->ac || a.implicit)) && (!a.write || w || !(r->cr0 & CR0_WP));
}

static struct second descend(const struct walk_regs *r, uint64_t table, int level, uint64_t gva, struct access a, bool w,
			     bool u, bool x)
{
	bool narrow = is_narrow(r), pae_top = walk_mode(r) == PAGING_PAE && level == 3;
	int bits = narrow ? 10 : pae_top ? 2 : 9, low = lowest_bit(r, level);
	uint64_t e = narrow ? 0xffffffff : ~0ull, index = gva / (1ull << low) % (1u << bits);
	uint32_t code = (a.write ? 2 : 0) | (a.user ? 4 : 0);

	if (a.fetch && (r->cr4 & CR4_SMEP || has_nx(r)))
		code |= 16;
	if (pae_top) {
		e = r->pdpte[index];
		if (!(e & 1))
			return (struct second){ .error = code };
		return descend(r, e & 0xffffffffff000, 2, gva, a, w, u, x);
	}
	if (table + index * (narrow ? 4 : 8) + 8 <= MEMORY)
		e = narrow ? get4(table + index * 4) : get8(table + index * 8);
	if (!(e & 1))
		return (struct second){ .error = code };
	if (has_reserved(r, e, level))
		return (struct second){ .error = code | 9 };
	w = w && (e & 2);
	u = u && (e & 4);
	x = x && !(has_nx(r) && e >> 63);
	if (!is_leaf(r, e, level))
		return descend(r, narrow ? e & 0xfffff000 : e & 0xffffffffff000, level - 1, gva, a, w, u, x);
	if (!allows(r, a, w, u, x))
		return (struct second){ .error = code | 1 };
	if (narrow && level == 2)
		e = (e & 0xffc00000) + ((e >> 13 & 0xff) << 32);
	return (struct second){ .ok = true, .gpa = (e & 0xfffffffffffff & ~((1ull << low) - 1)) + gva % (1ull << low) };
}

static uint64_t seed = 88172645463325252ull;
static uint64_t rnd(void)
{
	seed ^= seed << 13;
	seed ^= seed >> 7;
	seed ^= seed << 17;
	return seed;
}

static uint64_t random_entry(bool narrow)
{
	uint64_t e = (rnd() % 16) << 12 | (rnd() & 0xfff) | PTE_P | (rnd() % 4 ? PTE_W : 0) | (rnd() % 4 ? PTE_U : 0);

	if (rnd() % 8)
		e &= ~PTE_PS;
	else if (rnd() % 2)
		e &= ~MASK(narrow ? 21 : 20, 13);
	if (!narrow && rnd() % 8 == 0)
		e |= BIT(rnd() % 64);
	if (rnd() % 16 == 0)
		e &= ~PTE_P;
	return e;
}

static struct walk_regs random_regs(enum paging_mode mode)
{
	struct walk_regs r = regs_for(mode);

	r.cr3 = rnd() % 16 << 12;
	r.cr4 |= rnd() & (CR4_SMEP | CR4_SMAP | CR4_PSE | CR4_PGE);
	r.cr0 ^= rnd() & CR0_WP;
	r.efer |= rnd() & EFER_NXE;
	r.ac = rnd() & 1;
	r.has_1g = rnd() & 1;
	r.maxphyaddr = 32 + rnd() % 21;
	for (unsigned i = 0; i < 4; i++)
		r.pdpte[i] = (rnd() % 16) << 12 | (rnd() % 4 ? PTE_P : 0);
	return r;
}

static void random_tables(enum paging_mode mode)
{
	for (unsigned at = 0; at < 16 * 4096; at += 8) {
		if (mode == PAGING_32BIT) {
			put4(at, random_entry(true));
			put4(at + 4, random_entry(true));
		} else {
			put8(at, random_entry(false));
		}
	}
}

/* One random access by both walkers: whether it goes through. */
static bool agree(struct walk_regs *r, enum paging_mode mode)
{
	static const int levels[] = { 0, 2, 3, 4, 5 };
	uint64_t gva = rnd() & (mode <= PAGING_PAE ? MASK(31, 0) : mode == PAGING_4LEVEL ? MASK(47, 0) : MASK(56, 0));
	struct access a = { .write = rnd() % 2, .user = rnd() % 2 };
	struct second s;
	struct walk_result w;

	a.fetch = !a.write && rnd() % 2;
	a.implicit = !a.user && !a.fetch && rnd() % 4 == 0;
	s = descend(r, mode == PAGING_32BIT ? r->cr3 & ~0xfffull : r->cr3, levels[mode], gva, a, true, true, true);
	w = walk(r, &view, GVA(gva), a, false);
	assert_int_equal(w.ok, s.ok);
	if (s.ok)
		assert_int_equal(w.gpa.v, s.gpa);
	else
		assert_int_equal(w.error, s.error);
	/* The flags change no verdict. */
	w = walk(r, &view, GVA(gva), a, true);
	if (w.ok && !s.ok)
		fail();
	return s.ok;
}

static void test_random(void **state)
{
	unsigned ok = 0, faults = 0;

	(void)state;
	for (unsigned round = 0; round < 3000; round++) {
		enum paging_mode mode = 1 + rnd() % 4;
		struct walk_regs r = random_regs(mode);

		random_tables(mode);
		for (unsigned i = 0; i < 100; i++) {
			if (agree(&r, mode))
				ok++;
			else
				faults++;
		}
	}
	assert_true(ok > 10000 && faults > 10000);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_no_paging), cmocka_unit_test(test_32bit), cmocka_unit_test(test_pae),
		cmocka_unit_test(test_long), cmocka_unit_test(test_rights), cmocka_unit_test(test_pkeys),
		cmocka_unit_test(test_flags_and_races), cmocka_unit_test(test_random),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
