/* 32 bits, paging off (paging=off) or by two-level tables with pages of 4 MBytes: irql.h. */
#include "guest/test/irql/irql.h"

const char test_name[] = "irql32";

static uint32_t pd[1024] __attribute__((aligned(4096))), pt[1024] __attribute__((aligned(4096)));

#define ALIAS 0xfffe0000u

void alias_set(unsigned n, word gpa, unsigned flags)
{
	((volatile uint32_t *)pt)[(ALIAS >> 12 & 1023) + n] = gpa | flags;
}

void guest_user_pages(void)
{
	pd[0] |= PTE_U;
	write_cr3(read_cr3());
}

static void page(void)
{
	for (uint32_t i = 0; i < 1024; i++)
		pd[i] = i << 22 | PTE_PS | PTE_W | PTE_P;
	pd[ALIAS >> 22] = (uint32_t)pt | PTE_U | PTE_W | PTE_P;
	alias_set(0, APIC_PAGE, PTE_W | PTE_P);
	write_cr4(read_cr4() | CR4_PSE);
	write_cr3((word)pd);
	write_cr0(read_cr0() | CR0_PG);
}

const struct irql_guest guest = { .page = page, .alias = ALIAS };

void test_main(void) { irql_main(); }
