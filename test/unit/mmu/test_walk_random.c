/* The guest walker on random tables, against a second walker that is written the other way round: recursive, one table
 * of rules, entries wide. */
#include "test/unit/mmu/walk_memory.h"
#include "lib/xorshift.h"

struct second {
	bool ok;
	uint64_t gpa;
	uint32_t error;
};

static bool is_narrow(const struct walk_regs *r) { return walk_mode(r) == PAGING_32BIT; }
static bool has_nx(const struct walk_regs *r) { return r->efer & EFER_NXE && !is_narrow(r); }
static int lowest_bit(const struct walk_regs *r, int level)
{
	return is_narrow(r) ? 12 + 10 * (level - 1) : 12 + 9 * (level - 1);
}

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

static struct second descend(const struct walk_regs *r, uint64_t table, int level, uint64_t gva, struct access a,
			     bool w, bool u, bool x)
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
	return xorshift(&seed);
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
		cmocka_unit_test(test_random),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
