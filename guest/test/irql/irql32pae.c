/* 32 bits with PAE: pages of 2 MBytes: irql.h. */
#include "guest/test/irql/irql.h"

const char test_name[] = "irql32pae";

static uint64_t pdpt[4] __attribute__((aligned(32))), pd[4][PAGE_TABLE_ENTRIES] __attribute__((aligned(4096))),
	pt[PAGE_TABLE_ENTRIES] __attribute__((aligned(4096)));

#define ALIAS 0xfffe0000u

void alias_set(unsigned n, word gpa, unsigned flags)
{
	((volatile uint64_t *)pt)[(ALIAS >> 12 & (PAGE_TABLE_ENTRIES - 1)) + n] = gpa | flags;
}

void guest_user_pages(void)
{
	pd[0][0] |= PTE_U;
	pd[0][1] |= PTE_U;
	write_cr3(read_cr3());
}

static void page(void)
{
	for (uint32_t i = 0; i < 4; i++) {
		pdpt[i] = (uint32_t)pd[i] | PTE_P;
		for (uint32_t j = 0; j < PAGE_TABLE_ENTRIES; j++)
			pd[i][j] = (uint64_t)(i << 30 | j << 21) | PTE_PS | PTE_W | PTE_P;
	}
	pd[3][511] = (uint32_t)pt | PTE_U | PTE_W | PTE_P;
	alias_set(0, APIC_PAGE, PTE_W | PTE_P);
	write_cr4(read_cr4() | CR4_PAE);
	write_cr3((word)pdpt);
	write_cr0(read_cr0() | CR0_PG);
}

const struct irql_guest guest = { .page = page, .alias = ALIAS };

void test_main(void) { irql_main(); }
