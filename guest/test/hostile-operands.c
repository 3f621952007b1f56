/* guest/test/hostile-operands.c - operands that mostly lead somewhere. */
#include "hostile.h"

word (*own_pointer)(struct experiment *x), (*own_value)(struct experiment *x);

word pointer_any(struct experiment *x)
{
	unsigned n = 0;
	word page, offset;

	if (own_pointer)
		return own_pointer(x);
	offset = below(x, PAGE);
	while (n < sizeof(x->kind->pages) && x->kind->pages[n])
		n++;
	/* The first half is what seldom faults. */
	page = x->kind->pages[below(x, chance(x, 4) ? n : n / 2)];
	if (chance(x, 2))
		offset &= ~7ul;
	else if (chance(x, 3))
		offset = PAGE - 1 - below(x, 32);
	return REGION + page * PAGE + offset + (chance(x, 8) ? region_alias : 0);
}

/* What a page-table entry may be: any frame of interest with any flags. Devices only where no digest is asked. */
static word entry_any(struct experiment *x)
{
	static const uint64_t frames[] = {
		0x80000000, 0xc0000000, 0x900000000, 0xfee00000, 0xfec00000, 0xb8000, 0xfffff000, 0x1000000, 0,
	};
	word v = region_physical + (word)below(x, PAGES_RAM) * PAGE;

	if (chance(x, 3))
		v = (word)frames[below(x, x->kind->digest ? 3 : sizeof(frames) / sizeof(frames[0]))];
	v |= (word)(random_next(x) >> 20 & 0xfff);
	if (!chance(x, 4))
		v |= 7;
	if (chance(x, 8))
		v |= (word)(1ull << (32 + below(x, 32)));
	return v;
}

word value_any(struct experiment *x)
{
	static const uint64_t edges[] = {
		0, 1, 0x7fffffffffff, 0x800000000000, 0xffff800000000000, 0xffff7fffffffffff, ~0ull, 0xfffffffc,
		0x8000000000000000, 0x7ffffffffffffff8, 0x3ffffffe, 0xffffffff80000000,
	};
	unsigned r = below(x, 16);

	if (r < 4 && own_value)
		return own_value(x);
	if (r < 10)
		return (x->kind->may & MAY_TABLES) && r < 2 ? entry_any(x) : pointer_any(x);
	if (r < 12)
		return below(x, 64);
	if (r == 12)
		return chance(x, 2) ? (word)random_next(x) : (word)random_next(x) & 0xffff;
	if (r < 14)
		return 8 * below(x, 32) + below(x, 8); /* a selector */
	return (word)edges[below(x, sizeof(edges) / sizeof(edges[0]))];
}

/* What ends the run, and the console, which is to tell of it. */
static bool port_forbidden(const struct kind *k, unsigned port)
{
	bool ends = (port >= 0xf1 && port <= 0xf7) || (port >= 0x88fd && port <= 0x8900) ||
		    (port >= 0x600 && port <= 0x607) || (port >= 0xcf6 && port <= 0xcf9) ||
		    (port >= 0x61 && port <= 0x64) || (port >= 0x8f && port <= 0x92) ||
		    (port >= 0x502 && port <= 0x505);

	return (ends && !(k->may & MAY_END)) || (port >= 0x3f5 && port <= 0x3ff);
}

word port_any(struct experiment *x)
{
	static const uint16_t known[] = {
		0x20,  0x40,  0x60,  0x70, 0x80,   0xa0,   0x4d0, 0x510, 0x608, 0xcf8,
		0xcfc, 0x3f8, 0x2f8, 0xe0, 0x2000, 0x8900, 0xf4,  0xb2,	 0x402,
	};
	unsigned port;

	do
		port = chance(x, 2) ? known[below(x, sizeof(known) / 2)] + below(x, 4) : below(x, 0x10000);
	while (port_forbidden(x->kind, port));
	return port;
}

/* Registers and ranges of them; but for the APIC's base, without which no watchdog comes, and x2APIC's command
 * register. */
word msr_any(struct experiment *x)
{
	static const uint32_t known[] = {
		0x10,	    0x17,	0x3a,	    0x3b,	0x79,	    0x8b,	0xc1,	    0xe2,
		0xfe,	    0x122,	0x174,	    0x175,	0x176,	    0x179,	0x17a,	    0x186,
		0x19c,	    0x1a0,	0x1d9,	    0x200,	0x250,	    0x258,	0x268,	    0x277,
		0x2ff,	    0x309,	0x345,	    0x38d,	0x390,	    0x3f1,	0x400,	    0x480,
		0x48b,	    0x560,	0x6e0,	    0x802,	0x80d,	    0x832,	0x83f,	    0xd90,
		0xda0,	    0x40000000, 0x4b564d00, 0xc0000080, 0xc0000081, 0xc0000082, 0xc0000084, 0xc0000100,
		0xc0000101, 0xc0000102, 0xc0000103, 0xc0010015,
	};
	uint32_t msr;

	do
		msr = chance(x, 8) ? (uint32_t)random_next(x) :
				     known[below(x, sizeof(known) / 4)] + (chance(x, 3) ? below(x, 16) : 0);
	while (msr == 0x1b || msr == 0x830);
	return msr;
}

