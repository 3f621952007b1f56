/* 64 bits: all processors touch fresh memory side by side, each so many pages of 4 KBytes of its own, which the guest's
 * tables map already, accessed and dirty. What the hypervisor does for it is in its account (bench/exits.sh).
 *
 * processors=N (1), pages=N for each (4096). */
#include "guest/test/base/apic.h"
#include "guest/test/cost/fresh.h"

const char test_name[] = "fresh";

#define FROM (64ull << 20)
#define LARGE (2ull << 20)
#define TABLES_MAX 96
#define IN_VAIN 2000000000ull

extern const char fresh_begin[], fresh_end[];

uint32_t fresh_cr3, fresh_pages, fresh_started, fresh_done;
volatile uint32_t fresh_go;
uint64_t fresh_from = FROM;
static uint64_t table[TABLES_MAX][PAGE_TABLE_ENTRIES] __attribute__((aligned(4096)));

static uint64_t *below(const uint64_t *entry) { return (uint64_t *)(*entry & ~(uint64_t)(FRESH_PAGE - 1)); }

/* The large pages from FROM on become tables of small ones. */
static void map_small(unsigned tables)
{
	uint64_t *directory = below(below((const uint64_t *)(word)fresh_cr3));

	for (unsigned t = 0; t < tables; t++) {
		for (unsigned i = 0; i < PAGE_TABLE_ENTRIES; i++)
			table[t][i] = (FROM + t * LARGE + i * 4096ull) | PTE_P | PTE_W | PTE_A | PTE_D;
		directory[FROM / LARGE + t] = (word)table[t] | PTE_P | PTE_W | PTE_A;
	}
	__asm__ volatile("mov %0, %%cr3" : : "r"((word)fresh_cr3) : "memory");
}

static void icr(uint32_t command)
{
	__asm__ volatile("wrmsr" : : "c"(MSR_X2APIC_FIRST + APIC_ICR / 16), "a"(command), "d"(0) : "memory");
}

/* false: not in good time. */
static bool wait_for(const uint32_t *what, uint32_t value)
{
	for (uint64_t end = rdtsc() + IN_VAIN; *(const volatile uint32_t *)what != value;)
		if (rdtsc() > end)
			return false;
	return true;
}

static bool start_others(uint32_t others)
{
	for (unsigned i = 0; fresh_begin + i < fresh_end; i++)
		((volatile char *)(word)FRESH_AT)[i] = fresh_begin[i];
	wrmsr(MSR_APIC_BASE, rdmsr(MSR_APIC_BASE) | APIC_BASE_EN | APIC_BASE_EXTD);
	icr(ICR_ASSERT | ICR_SHORTHAND(APIC_OTHERS) | ICR_DELIVERY(APIC_INIT));
	icr(ICR_ASSERT | ICR_SHORTHAND(APIC_OTHERS) | ICR_DELIVERY(APIC_SIPI) | FRESH_AT >> 12);
	return wait_for(&fresh_started, others);
}

void test_main(void)
{
	uint32_t processors = parameter_number("processors", 1);
	uint64_t start, bytes, cr3;

	fresh_pages = parameter_number("pages", 4096);
	bytes = 4096ull * processors * fresh_pages;
	CHECK(bytes <= TABLES_MAX * LARGE, "there are tables for %u pages only", TABLES_MAX * PAGE_TABLE_ENTRIES);
	if (bytes > TABLES_MAX * LARGE)
		return;
	__asm__ volatile("mov %%cr3, %0" : "=r"(cr3));
	fresh_cr3 = (uint32_t)cr3;
	map_small((unsigned)((bytes + LARGE - 1) / LARGE));
	if (processors > 1 && !start_others(processors - 1)) {
		CHECK(false, "%u of %u processors started", fresh_started + 1, processors);
		return;
	}
	start = rdtsc();
	fresh_go = 1;
	for (uint32_t n = fresh_pages; n; n--)
		*(volatile uint32_t *)(word)(FROM + (fresh_pages - n) * 4096ull) = n;
	CHECK(wait_for(&fresh_done, processors - 1), "%u processors came to the end", fresh_done + 1);
	print("BENCH fresh_%u %u %u\n", processors, fresh_pages, (uint32_t)((rdtsc() - start) / fresh_pages));
	for (uint64_t at = 0, n = fresh_pages; at < bytes; at += 4096, n = n > 1 ? n - 1 : fresh_pages)
		CHECK(*(uint32_t *)(word)(FROM + at) == n, "page %u holds another's word", (uint32_t)(at >> 12));
}
