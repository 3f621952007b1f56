/* guest/test/hostile/hostile32-tables.c - the address space of 32-bit experiments: none, two-level tables, PAE. The
 * region lies at REGION in physical memory too, so that programs may turn paging off; the supervisor is mapped to
 * itself, and reaches the region by another way. */
#include "guest/test/hostile/hostile32.h"
#include "lib/apic.h"

#define SUPERVISORS_WAY 0xc00000u
#define LARGE_PAGE 0x40000000u
#define WINDOWS 6u

enum paging paging;
static uint64_t pt[PAGE_TABLE_ENTRIES] ALIGNED;
/* CR3 can be read: these are read-only once they are loaded. */
static struct {
	uint64_t top[PAGE_TABLE_ENTRIES], pd[4][PAGE_TABLE_ENTRIES], window[WINDOWS][PAGE_TABLE_ENTRIES];
} fixed ALIGNED;
static unsigned windows;

static uint64_t get(const void *table, unsigned i)
{
	return paging == PAGING_PAE ? ((const volatile uint64_t *)table)[i] : ((const volatile uint32_t *)table)[i];
}

static void set(void *table, unsigned i, uint64_t v)
{
	if (paging == PAGING_PAE)
		((volatile uint64_t *)table)[i] = v;
	else
		((volatile uint32_t *)table)[i] = (uint32_t)v;
}

/* ---- the region ---- */

static bool has_nx(void) { return paging == PAGING_PAE && rdmsr(MSR_EFER) & EFER_NXE; }

static uint64_t entry_of(const struct kind *k, enum page page)
{
	if (page == PAGE_PT)
		return k->may & MAY_TABLES ? (word)pt | PTE_P | PTE_W | PTE_U : 0;
	return region_entry(k, page, REGION + PAGE_SYSTEM * PAGE, has_nx() ? PTE_NX : 0);
}

#define REGION_FIRST (REGION / PAGE)

void tables_make(const struct kind *k)
{
	unsigned entries = paging == PAGING_PAE ? PAGE_TABLE_ENTRIES : 1024;

	if (paging == PAGING_NONE)
		return;
	for (unsigned i = 0; i < entries; i++) {
		uint64_t wanted =
			i >= REGION_FIRST && i < REGION_FIRST + PAGES_ALL ? entry_of(k, i - REGION_FIRST) : 0;

		if (get(pt, i) != wanted)
			set(pt, i, wanted);
	}
	tables_flush();
}

/* The part that pointers lead to is cleared. */
void tables_clear_large(void)
{
	uint32_t *memory = (uint32_t *)(SUPERVISORS_WAY + REGION * 2);
	void *table = paging == PAGING_PAE ? fixed.pd[1] : fixed.top;
	unsigned i = paging == PAGING_PAE ? 0 : LARGE_PAGE >> 22;

	if (paging == PAGING_NONE || !(get(table, i) & PTE_D))
		return;
	for (unsigned n = 0; n < PAGES * PAGE / 4; n++)
		memory[n] = 0;
	write_cr0(world_cr0 & ~(word)CR0_WP);
	set(table, i, LARGE_MEMORY | PTE_P | PTE_W | PTE_U | PTE_A | PTE_PS);
	write_cr0(world_cr0);
}

void tables_flush(void)
{
	if (paging != PAGING_NONE)
		write_cr3((word)fixed.top);
}

uint64_t world_entry(unsigned page) { return paging == PAGING_NONE ? 0 : get(pt, REGION_FIRST + page); }

/* The supervisor writes the stack; without tables nobody knows. */
bool world_dirty(unsigned page)
{
	if (paging == PAGING_NONE || page == PAGE_STACK || page == PAGE_DATA)
		return true;
	if (page == PAGE_DATA2 && world_entry(PAGE_NX) & PTE_D)
		return true;
	return world_entry(page) & PTE_D;
}

/* ---- the supervisor ---- */

/* What maps at in the page directory: one entry of 4M or 2M. */
static void set_directory(uint32_t at, uint64_t v)
{
	if (paging == PAGING_PAE)
		set(fixed.pd[at >> 30], at >> 21 & 511, v);
	else
		set(fixed.top, at >> 22, v);
}

static void map(uint32_t at, uint32_t to, uint64_t flags)
{
	unsigned shift = paging == PAGING_PAE ? 21 : 22;
	static uint32_t window_of[WINDOWS];
	unsigned w = 0;

	while (w < windows && window_of[w] != at >> shift)
		w++;
	if (w == windows) {
		if (windows == WINDOWS)
			debug_exit(0x7e);
		window_of[windows++] = at >> shift;
		set_directory(at, (word)fixed.window[w] | PTE_P | PTE_W | PTE_A);
	}
	set(fixed.window[w], at >> 12 & (paging == PAGING_PAE ? 511 : 1023), to | flags | PTE_P | PTE_A);
}

void tables_init(void)
{
	const uint64_t all = PTE_P | PTE_W | PTE_U | PTE_A;
	extern char start[];

	region_memory = (void *)(paging == PAGING_NONE ? REGION : SUPERVISORS_WAY);
	region_physical = REGION;
	region_pages = paging == PAGING_NONE ? PAGES : PAGES_RAM;
	if (paging == PAGING_NONE)
		return;
	for (unsigned i = 0; paging == PAGING_PAE && i < 4; i++)
		set(fixed.top, i, (word)fixed.pd[i] | PTE_P);
	set_directory(0, (word)pt | all);
	set_directory(LARGE_PAGE, LARGE_MEMORY | all | PTE_PS);
	region_alias = LARGE_PAGE;
	for (word at = (word)start & ~(PAGE - 1ul); at < (word)image_end; at += PAGE)
		map(at, at, page_writable(at, &fixed, sizeof(fixed)) ? PTE_W | PTE_D : 0);
	for (unsigned i = 0; i < PAGES; i++)
		map(SUPERVISORS_WAY + REGION * 2 + i * PAGE, LARGE_MEMORY + REGION + i * PAGE, PTE_W | PTE_D);
	for (unsigned i = 0; i < PAGES; i++)
		map(SUPERVISORS_WAY + i * PAGE, REGION + i * PAGE, PTE_W | PTE_D);
	map(IOAPIC_BASE, IOAPIC_BASE, PTE_W | PTE_D);
	map(LAPIC_DEFAULT_BASE, LAPIC_DEFAULT_BASE, PTE_W | PTE_D);
	write_cr4(read_cr4() | (paging == PAGING_PAE ? CR4_PAE : CR4_PSE));
	write_cr3((word)fixed.top);
}
