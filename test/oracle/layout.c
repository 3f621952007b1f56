/* Where the guests keep their tables, which addresses they use, and what they write into entries. Few addresses and few
 * tables, so that everything is reached again and again. */
#include <string.h>

#include "test/oracle/oracle.h"

/* Tables of 8-byte entries: five last-level, four PDs, two PDPTs, two PML4s, one PML5; then pages with PAE's four
 * PDPTEs. */
static const uint16_t wide[] = { 1, 2, 511, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26 };
#define WIDE_L1 5u
#define WIDE_L2 9u
#define WIDE_L3 11u
#define WIDE_L4 13u
#define WIDE_ALL 14u
static const uint16_t pdpt[] = { 27, 28 };
/* Tables of 4-byte entries: four last-level, two PDs. */
static const uint16_t narrow[] = { 514, 30, 31, 32, 33, 34 };
#define NARROW_L1 4u
#define NARROW_ALL 6u
/* The kernel's map of low memory: 4 MBytes, by 4-KByte pages. */
enum { DIRECT_L3 = 40, DIRECT_L2, DIRECT_L1A, DIRECT_L1B, DIRECT_NARROW, DIRECT_COUNT = 5 };

static const uint64_t slots4[] = { 0, 1, 2, 511 };

uint64_t layout_root(enum x_mode mode, unsigned which)
{
	switch (mode) {
	case X_5LEVEL:
		return wide[13] * 4096ull;
	case X_4LEVEL:
		return wide[WIDE_L3 + (which & 1)] * 4096ull;
	case X_PAE:
		return pdpt[which & 1] * 4096ull + (which & 2 ? 32 : 0);
	default:
		return narrow[NARROW_L1 + (which & 1)] * 4096ull;
	}
}

uint64_t layout_nowhere(unsigned which)
{
	static const uint32_t gfn[] = { 0x500, 0x501, 0x600, 0x30000, APIC_GFN, 1024, 1039, 0x50f };

	return gfn[which & 7] * 4096ull | (which >> 3 & 127) * 32;
}

uint64_t layout_direct(enum x_mode mode, uint64_t gpa)
{
	return mode == X_NONE ? gpa : mode <= X_PAE ? 0xc0000000ull + gpa : (3ull << 39) + gpa;
}

static uint64_t canonical(enum x_mode mode, uint64_t va)
{
	unsigned top = mode == X_5LEVEL ? 56 : 47;

	va &= MASK(top, 0);
	return va >> top & 1 ? va | ~MASK(top, 0) : va;
}

uint64_t layout_va(const struct x_regs *r, uint32_t b, uint64_t v)
{
	enum x_mode mode = x_mode(r);
	uint64_t offset = v & 0xff8, va = offset;

	if (mode == X_NONE && b & 1)
		return offset | slots4[b >> 1 & 3] << 12 | slots4[b >> 3 & 1] << 21;
	if (mode == X_NONE)
		return (v >> 16 & 15 ? (v >> 20 & 3 ? v >> 24 & 0x3fffff : 0x800000 + (v >> 24 & 0x3fffff))
				     : v >> 24 & 0xffffffff) &
		       ~7ull;
	if ((b >> 24 & 15) == 0)
		return layout_direct(mode, v & 0x3ffff8);
	if (mode == X_32BIT) {
		static const uint16_t pde[] = { 0, 1, 2, 1023 };

		return offset | (b & 3 ? slots4[b >> 2 & 3] : 1023ull) << 12 | (uint64_t)pde[b >> 4 & 3] << 22;
	}
	for (unsigned level = 1; level <= x_top(mode) + (mode == X_PAE); level++)
		va |= slots4[b >> (2 * level) & 3] << (12 + 9 * (level - 1));
	return mode == X_PAE ? va & 0xffffffffull : canonical(mode, va);
}

uint64_t layout_beyond(unsigned which)
{
	static const uint64_t bits[] = { BIT(47), BIT(48),	BIT(56),      BIT(57),
					 BIT(63), MASK(63, 48), MASK(63, 57), MASK(63, 32) };

	return which & 24 ? 0 : bits[which & 7];
}

uint64_t layout_table(enum x_mode mode, unsigned which)
{
	unsigned rare = which >> 8 & 63;

	if (rare == 0)
		return DIRECT_L3 + which % DIRECT_COUNT;
	if (mode == X_32BIT)
		return narrow[which % NARROW_ALL];
	if (mode == X_PAE)
		return rare < 8 ? pdpt[which & 1] : wide[which % WIDE_L2];
	return wide[which % (mode == X_5LEVEL ? WIDE_ALL : WIDE_L4)];
}

bool layout_is_pdpt(uint64_t gfn) { return gfn == pdpt[0] || gfn == pdpt[1]; }

static unsigned place(const uint16_t *table, unsigned n, uint64_t gfn)
{
	for (unsigned i = 0; i < n; i++)
		if (table[i] == gfn)
			return i;
	return n;
}

unsigned layout_level(uint64_t gfn)
{
	unsigned n = place(wide, WIDE_ALL, gfn);

	if (n < WIDE_ALL)
		return n < WIDE_L1 ? 1 : n < WIDE_L2 ? 2 : n < WIDE_L3 ? 3 : n < WIDE_L4 ? 4 : 5;
	if (layout_is_pdpt(gfn))
		return 3;
	n = place(narrow, NARROW_ALL, gfn);
	return n < NARROW_L1 ? 1 : n < NARROW_ALL ? 2 : 0;
}

unsigned layout_index(unsigned size, unsigned which)
{
	unsigned i = slots4[which & 3];

	return size == 4 && (which & 3) == 3 && which & 4 ? 1023 : i;
}

uint64_t layout_gfn(const struct world *w, unsigned which)
{
	static const uint32_t data[] = { 100,  101,  102,  103,  104,  105,  512,      513,      515,
					 1023, 2048, 2049, 2050, 2560, 3071, 0x100000, 0x100001, 0x1001ff };
	static const uint32_t odd[] = { 1024, 1025, 0x500, 0x501, 0x600, APIC_GFN, 0x300000 };
	static const uint32_t big[] = { 0x40000, 0x40001, 0x40200, 0x7ffff };
	static const uint64_t far[] = { WIDE_GFN, WIDE_GFN + 1, WIDE_GFN + 0x200, WIDE_GFN + 0x3ff };

	switch (which >> 8 & 15) {
	case 0:
	case 1:
		return odd[which % ARRAY_SIZE(odd)];
	case 2:
	case 3:
		return wide[which % WIDE_L3];
	case 4:
		return narrow[which % NARROW_ALL];
	case 5:
		return w->c.big_ram ? big[which % ARRAY_SIZE(big)] : data[which % ARRAY_SIZE(data)];
	case 6:
	case 7:
		/* Where no memory is so high, a place that four levels of EPT do not reach. */
		return w->c.caps.maxphyaddr == 52 ? far[which % ARRAY_SIZE(far)] : data[which % ARRAY_SIZE(data)];
	default:
		return data[which % ARRAY_SIZE(data)];
	}
}

static const uint16_t flag_bits[] = { 0, 0, 1, 1, 1,  1,  2,  2, 2,  5,  5,  5,  6, 6, 6, 7,
				      8, 8, 3, 4, 12, 63, 63, 9, 52, 51, 13, 59, 1, 2, 5, 6 };

static uint64_t large_base(unsigned which)
{
	static const uint64_t base[] = {
		0, 0x200000, 0x800000, 0xa00000, 0x40000000, 0x100000000, 0x1000000, 0x400000
	};

	return base[which & 7];
}

/* Present, mostly; allowing, mostly. */
static uint64_t random_flags(uint64_t v)
{
	uint64_t e = X_P;

	e |= v & 7 ? X_W : 0;
	e |= v & 0x38 ? X_U : 0;
	e |= v & 0x40 ? X_A : 0;
	e |= v & 0x80 ? X_D : 0;
	e |= v & 0x300 ? 0 : X_G;
	e |= v & 0x3c00 ? 0 : X_PCD;
	return v >> 14 & 15 ? e : e & ~X_P;
}

/* A table of the level below the one that gfn is meant for; 0: gfn is meant for leaves. */
static uint64_t next_table(uint64_t gfn, unsigned size, unsigned which)
{
	unsigned n = size == 4 ? place(narrow, NARROW_ALL, gfn) : place(wide, WIDE_ALL, gfn);

	if (size == 4)
		return n < NARROW_L1 ? 0 : narrow[which % NARROW_L1];
	if (n < WIDE_L1)
		return 0;
	if (n < WIDE_L2 && gfn != DIRECT_L2)
		return wide[which % WIDE_L1];
	if (n < WIDE_L3)
		return wide[WIDE_L1 + which % (WIDE_L2 - WIDE_L1)];
	if (n < WIDE_L4)
		return wide[WIDE_L2 + which % (WIDE_L3 - WIDE_L2)];
	return layout_is_pdpt(gfn) ? wide[WIDE_L1 + which % (WIDE_L2 - WIDE_L1)] : wide[WIDE_L3];
}

uint64_t layout_good(const struct world *w, uint64_t gfn, unsigned size, uint64_t v)
{
	unsigned which = v >> 32 & 0xfffff;
	uint64_t table = next_table(gfn, size, which), e = random_flags(v) | X_P | X_W | X_U;

	if (layout_is_pdpt(gfn))
		return table * 4096 | X_P;
	if (!table)
		return e | (layout_gfn(w, which) * 4096 & (size == 4 ? 0xfffff000ull : ~0ull));
	if (!(v >> 52 & 3) && (size == 4 || place(wide, WIDE_ALL, gfn) < WIDE_L2))
		return e | X_PS | (large_base(which & 3) & (size == 4 ? 0xffc00000ull : ~0ull));
	return e | table * 4096;
}

uint64_t layout_entry(const struct world *w, uint64_t gfn, unsigned size, uint64_t old, uint64_t v)
{
	unsigned which = v >> 32 & 0xfffff;
	uint64_t e = random_flags(v), mask = size == 8 ? ~0ull : 0xffffffffull;

	switch (v >> 20 & 31) {
	case 0:
	case 1:
	case 2:
	case 3:
	case 4:
		return (old ^ BIT(flag_bits[which % ARRAY_SIZE(flag_bits)])) & mask;
	case 5:
		return (old ^ BIT(flag_bits[which % ARRAY_SIZE(flag_bits)]) ^
			BIT(flag_bits[(which >> 8) % ARRAY_SIZE(flag_bits)])) &
		       mask;
	case 6:
		return v & 0x1000000 ? 0 : (old & ~X_P) & mask;
	case 7:
	case 8:
		e |= X_PS | large_base(which);
		if (size == 4 && v >> 56 & 1)
			e |= BIT(13);
		break;
	case 9:
	case 10:
	case 11:
		e |= (size == 8 ? wide[which % WIDE_L3] : narrow[which % NARROW_L1]) * 4096ull;
		break;
	case 12:
	case 13:
		e |= layout_gfn(w, which) * 4096;
		break;
	default:
		e = layout_good(w, gfn, size, v);
	}
	if (!(v >> 57 & 7) && size == 8)
		e |= X_XD;
	if (!(v >> 60 & 15) && w->c.caps.pku)
		e |= (v >> 3 & 15) << 59;
	return e & mask;
}

/* ---- what is there at the beginning ---- */

static void put(struct vm *vm, uint64_t gfn, unsigned index, unsigned size, uint64_t value)
{
	gm_write(vm, gfn * 4096 + index * size, size, value);
}

static void fill_tables(struct vm *vm, const uint16_t *table, unsigned first, unsigned end, unsigned size,
			const uint16_t *next, unsigned nexts, uint64_t *random)
{
	for (unsigned t = first; t < end; t++)
		for (unsigned i = 0; i < (size == 4 ? 8 : 4); i++) {
			uint64_t v = next_random(random), e = random_flags(v);

			if (next && v >> 40 & 15)
				e |= next[(v >> 44) % nexts] * 4096ull | X_U | X_W | X_P;
			else if (next)
				e |= X_PS | large_base(v >> 44 & 3);
			else
				e |= layout_gfn(vm->world, v >> 32 & 0xfffff) * 4096;
			put(vm, table[t], layout_index(size, i), size, size == 4 ? e & 0xffffffffull : e);
		}
}

static void fill_direct(struct vm *vm)
{
	uint64_t rw = X_P | X_W;

	for (unsigned i = 0; i < 1024; i++) {
		put(vm, i < 512 ? DIRECT_L1A : DIRECT_L1B, i & 511, 8, i * 4096ull | rw | (i & 1 ? X_G : 0));
		put(vm, DIRECT_NARROW, i, 4, i * 4096ull | rw);
	}
	put(vm, DIRECT_L2, 0, 8, DIRECT_L1A * 4096ull | rw);
	put(vm, DIRECT_L2, 1, 8, DIRECT_L1B * 4096ull | rw);
	put(vm, DIRECT_L3, 0, 8, DIRECT_L2 * 4096ull | rw);
	for (unsigned i = 0; i < 2; i++) {
		put(vm, wide[WIDE_L3 + i], 3, 8, DIRECT_L3 * 4096ull | rw);
		put(vm, narrow[NARROW_L1 + i], 768, 4, DIRECT_NARROW * 4096ull | rw);
		put(vm, pdpt[i], 3, 8, DIRECT_L2 * 4096ull | X_P);
		put(vm, pdpt[i], 7, 8, DIRECT_L2 * 4096ull | X_P);
		for (unsigned k = 0; k < 7; k++)
			if (k != 3)
				put(vm, pdpt[i], k, 8, wide[WIDE_L1 + ((i + k) & 3)] * 4096ull | X_P);
	}
	put(vm, wide[13], 0, 8, wide[WIDE_L3] * 4096ull | rw | X_U);
	put(vm, wide[13], 3, 8, wide[WIDE_L3] * 4096ull | rw | X_U);
}

void layout_fill(struct vm *vm)
{
	uint64_t random = vm->world->c.seed;

	fill_tables(vm, wide, 0, WIDE_L1, 8, NULL, 0, &random);
	fill_tables(vm, wide, WIDE_L1, WIDE_L2, 8, wide, WIDE_L1, &random);
	fill_tables(vm, wide, WIDE_L2, WIDE_L3, 8, wide + WIDE_L1, WIDE_L2 - WIDE_L1, &random);
	fill_tables(vm, wide, WIDE_L3, WIDE_L4, 8, wide + WIDE_L2, WIDE_L3 - WIDE_L2, &random);
	fill_tables(vm, wide, WIDE_L4, WIDE_ALL, 8, wide + WIDE_L3, WIDE_L4 - WIDE_L3, &random);
	fill_tables(vm, narrow, 0, NARROW_L1, 4, NULL, 0, &random);
	fill_tables(vm, narrow, NARROW_L1, NARROW_ALL, 4, narrow, NARROW_L1, &random);
	fill_direct(vm);
	for (uint64_t gfn = 0; gfn < 1024; gfn++) {
		struct page *p = page_find(vm, gfn);

		if (p && p->in && p->bytes)
			memcpy(phys_ptr(&vm->world->phys, p->hfn), p->bytes, PAGE_SIZE);
	}
	vm->changes = 0;
	memset(vm->bucket, 0, sizeof(vm->bucket));
}
