/* guest/test/hostile/hostile64-tables.c - the address space of 64-bit experiments: the supervisor's, and in it the
 * region by tables that programs may write. */
#include "guest/test/hostile/hostile64.h"
#include "lib/apic.h"

static uint8_t memory[PAGES_RAM][PAGE] ALIGNED;
/* CR3 can be read: these are read-only once they are loaded. */
static struct {
	uint64_t pml4[PAGE_TABLE_ENTRIES], pdpt[PAGE_TABLE_ENTRIES];
	uint64_t pd_image[PAGE_TABLE_ENTRIES], pt_image[PAGE_TABLE_ENTRIES];
	uint64_t pd_devices[PAGE_TABLE_ENTRIES], pt_ioapic[PAGE_TABLE_ENTRIES], pt_lapic[PAGE_TABLE_ENTRIES];
} fixed ALIGNED;
static uint64_t pd[PAGE_TABLE_ENTRIES] ALIGNED, pt[PAGE_TABLE_ENTRIES] ALIGNED;
static uint64_t pdpt[PAGE_TABLE_ENTRIES] ALIGNED, pml4[PAGE_TABLE_ENTRIES] ALIGNED;
static uint64_t system_page[PAGE_TABLE_ENTRIES] ALIGNED;
/* By which entries the region's memory has been written is not known. */
static bool all_dirty;

/* ---- the region ---- */

static uint64_t entry_of(const struct kind *k, enum page page)
{
	const uint64_t user = PTE_P | PTE_W | PTE_U;

	switch (page) {
	case PAGE_PT: return k->may & MAY_TABLES ? (word)pt | user : 0;
	case PAGE_PD: return k->may & MAY_TABLES ? (word)pd | user : 0;
	case PAGE_PDPT: return k->may & MAY_UPPER ? (word)pdpt | user : 0;
	case PAGE_PML4: return k->may & MAY_UPPER ? (word)pml4 | user : 0;
	default: return region_entry(k, page, (word)system_page, PTE_NX);
	}
}

/* ---- MAY_UPPER ----
 *
 * A PML4 and a PDPT that programs may write. The first entry of that PML4 is the supervisor's; other entries lead to
 * the region on many ways, which may be cut: by the PML4's entries from UPPER on, in both halves of the address space,
 * by the PDPT's, and by the page directory's. The pages before the PML4 and behind it are absent, that no string
 * instruction reaches the first entry. */

#define UPPER 64u
#define UPPER_COUNT 8u
#define UPPER_HALF 256u
#define PTE_IGNORED (1ull << 52)

static uint64_t *const tables[4] = { pt, pd, pdpt, pml4 };
static uint64_t wanted[4][PAGE_TABLE_ENTRIES];

/* A table of any level, memory, nothing; rarely with reserved bits. */
static word entry_any(struct experiment *x)
{
	word v = (word)tables[below(x, 4)];

	if (chance(x, 4))
		v = (word)memory[below(x, PAGES_RAM)];
	if (chance(x, 4))
		v = chance(x, 2) ? 0x80000000 : 0x900000000;
	v |= (word)(random_next(x) >> 20 & 0xfff);
	if (!chance(x, 4))
		v = (v & ~(word)PTE_PS) | 7;
	if (chance(x, 8))
		v |= (word)(1ull << (32 + below(x, 32)));
	return v;
}

/* As an address it is not canonical: what is a frame in an entry would be the supervisor's as a pointer. */
word upper_entry(struct experiment *x) { return entry_any(x) | PTE_IGNORED; }

/* Half of the ways lead on, the others with fewer rights, or anywhere. */
static uint64_t entry_to(struct experiment *x, const uint64_t *table, unsigned n)
{
	switch (n < UPPER_COUNT / 2 ? 0 : below(x, 6)) {
	case 1: return (word)table | PTE_P | PTE_U;
	case 2: return (word)table | PTE_P | PTE_W;
	case 3: return (word)table | PTE_P | PTE_W | PTE_U | PTE_NX;
	case 4: return entry_any(x);
	default: return (word)table | PTE_P | PTE_W | PTE_U;
	}
}

static void make_upper(struct experiment *x)
{
	for (unsigned level = 1; level < 4; level++)
		for (unsigned n = 0; n < UPPER_COUNT; n++)
			wanted[level][UPPER + n] = entry_to(x, tables[level - 1], n);
	for (unsigned n = 0; n < UPPER_COUNT; n++)
		wanted[3][UPPER + UPPER_HALF + n] = entry_to(x, pdpt, n);
	wanted[3][0] = (word)fixed.pdpt | PTE_P | PTE_W | PTE_U | PTE_A;
	for (unsigned level = 2; level < 4; level++)
		for (unsigned i = 0; i < PAGE_TABLE_ENTRIES; i++)
			put(&tables[level][i], wanted[level][i]);
}

/* An offset in a page: of a table, mostly that of an entry that is used. */
static word offset_any(struct experiment *x, unsigned page)
{
	unsigned entry = UPPER + below(x, UPPER_COUNT);

	switch (page) {
	case PAGE_PT: entry = below(x, PAGES_ALL); break;
	case PAGE_PD: entry = chance(x, 8) ? 0 : entry; break;
	case PAGE_PDPT: break;
	case PAGE_PML4: entry += chance(x, 3) ? UPPER_HALF : 0; break;
	default: return below(x, PAGE) & (chance(x, 2) ? ~7ul : ~0ul);
	}
	return 8 * entry + (chance(x, 4) ? below(x, 8) : 0);
}

word upper_pointer(struct experiment *x)
{
	unsigned page = x->kind->pages[below(x, sizeof(x->kind->pages))];
	word at = page * PAGE + offset_any(x, page);

	if (chance(x, 3))
		return REGION + at;
	for (unsigned shift = 21; shift < 48; shift += 9)
		at |= (word)(UPPER + below(x, chance(x, 2) ? UPPER_COUNT / 2 : UPPER_COUNT)) << shift;
	return chance(x, 4) ? at | 0xffffull << 48 | (word)UPPER_HALF << 39 : at;
}

uint64_t upper_settle(uint64_t h)
{
	h = undo(undo(h, pt, wanted[0], PAGES_ALL), pd, wanted[1], 1);
	for (unsigned level = 1; level < 4; level++)
		h = undo(h, tables[level] + UPPER, wanted[level] + UPPER, UPPER_COUNT);
	return undo(undo(h, pml4 + UPPER + UPPER_HALF, wanted[3] + UPPER + UPPER_HALF, UPPER_COUNT), pml4, wanted[3],
		    1);
}

/* ---- all of it ---- */

void tables_make(struct experiment *x)
{
	static bool were_written = true;
	bool may = x->kind->may & MAY_TABLES;
	unsigned all = may || were_written ? PAGE_TABLE_ENTRIES : PAGES_ALL;

	were_written = may;
	all_dirty = x->kind->may & MAY_UPPER;
	for (unsigned level = 0; level < 2; level++)
		for (unsigned i = 0; i < PAGE_TABLE_ENTRIES; i++)
			wanted[level][i] = 0;
	for (unsigned i = 0; i < PAGES_ALL; i++)
		wanted[0][i] = entry_of(x->kind, i);
	wanted[1][0] = (word)pt | PTE_P | PTE_W | PTE_U;
	if (all_dirty)
		make_upper(x);
	for (unsigned i = 0; i < all; i++) {
		put(&pt[i], wanted[0][i]);
		put(&pd[i], wanted[1][i]);
	}
}

void tables_flush(const struct kind *k) { write_cr3(k->may & MAY_UPPER ? (word)pml4 : (word)fixed.pml4); }

/* The supervisor's own: code can be read, variables written; the devices that it talks to. */
void tables_init(void)
{
	const uint64_t all = PTE_P | PTE_W | PTE_U, seen = PTE_A | PTE_D;

	region_memory = memory;
	region_physical = (word)memory;
	region_pages = PAGES_RAM;
	system_memory = system_page;
	fixed.pml4[0] = (word)fixed.pdpt | all | PTE_A;
	fixed.pdpt[0] = (word)fixed.pd_image | all | PTE_A;
	fixed.pdpt[1] = (word)pd | all | PTE_A;
	fixed.pdpt[3] = (word)fixed.pd_devices | all | PTE_A;
	fixed.pd_image[0] = (word)fixed.pt_image | all | PTE_A;
	fixed.pd_devices[IOAPIC_BASE >> 21 & 511] = (word)fixed.pt_ioapic | PTE_P | PTE_W | PTE_A;
	fixed.pd_devices[LAPIC_DEFAULT_BASE >> 21 & 511] = (word)fixed.pt_lapic | PTE_P | PTE_W | PTE_A;
	/* Each lies at the beginning of its 2 MiB. */
	fixed.pt_ioapic[0] = IOAPIC_BASE | PTE_P | PTE_W | seen;
	fixed.pt_lapic[0] = LAPIC_DEFAULT_BASE | PTE_P | PTE_W | seen;
	for (word at = 0x100000; at < (word)image_end; at += PAGE)
		fixed.pt_image[at / PAGE] = at | PTE_P | PTE_A |
					    (page_writable(at, &fixed, sizeof(fixed)) ? PTE_W | PTE_D : 0);
}

uint64_t world_entry(unsigned page) { return pt[page]; }

bool world_dirty(unsigned page)
{
	if (all_dirty)
		return true;
	switch (page) {
	case PAGE_DATA: return (pt[PAGE_DATA] | pt[PAGE_SUPERVISOR] | pt[PAGE_READONLY]) & PTE_D;
	case PAGE_DATA2: return (pt[PAGE_DATA2] | pt[PAGE_NX]) & PTE_D;
	default: return pt[page] & PTE_D;
	}
}
