/* 64 bits: the TPR by MMIO, CR8 or MSR: irql.h. */
#include "guest/test/irql/irql.h"

const char test_name[] = "irql64";

extern uint64_t boot_pml4[PAGE_TABLE_ENTRIES], boot_pdpt[PAGE_TABLE_ENTRIES], boot_pd[16][PAGE_TABLE_ENTRIES];
static uint64_t pdpt[PAGE_TABLE_ENTRIES] __attribute__((aligned(4096))),
	pd[PAGE_TABLE_ENTRIES] __attribute__((aligned(4096))), pt[PAGE_TABLE_ENTRIES] __attribute__((aligned(4096)));

#define ALIAS 0xfffffffffffe0000ul

void alias_set(unsigned n, word gpa, unsigned flags)
{
	((volatile uint64_t *)pt)[(ALIAS >> 12 & (PAGE_TABLE_ENTRIES - 1)) + n] = gpa | flags;
}

void guest_user_pages(void)
{
	boot_pml4[0] |= PTE_U;
	boot_pdpt[0] |= PTE_U;
	boot_pd[0][0] |= PTE_U;
	boot_pd[0][1] |= PTE_U;
	write_cr3(read_cr3());
}

/* It is on already. */
static void page(void)
{
	boot_pml4[511] = (word)pdpt | PTE_U | PTE_W | PTE_P;
	pdpt[511] = (word)pd | PTE_U | PTE_W | PTE_P;
	pd[511] = (word)pt | PTE_U | PTE_W | PTE_P;
	alias_set(0, APIC_PAGE, PTE_W | PTE_P);
}

static void cr8_in_shadow(uint8_t tpr, bool ss)
{
	word v = tpr >> 4;

	if (ss)
		__asm__ volatile("sti; mov %%ss, %%ecx; mov %%ecx, %%ss; mov %1, %%cr8; incq %0"
				 : "+m"(irql_steps)
				 : "r"(v)
				 : "rcx", "memory", "cc");
	else
		__asm__ volatile("sti; mov %1, %%cr8; incq %0" : "+m"(irql_steps) : "r"(v) : "memory", "cc");
}

static void accesses_cr8(unsigned n)
{
	word v;

	while (n--) {
		__asm__ volatile("mov %%cr8, %0; mov %1, %%cr8" : "=&r"(v) : "r"(4ul) : "memory");
		__asm__ volatile("mov %%cr8, %0; mov %1, %%cr8" : "=&r"(v) : "r"(2ul) : "memory");
	}
}

static void set_cr8(uint8_t tpr)
{
	__asm__ volatile("mov %0, %%cr8" : : "r"((word)tpr >> 4) : "memory");
}

const struct irql_guest guest = {
	.set_cr8 = set_cr8, .page = page, .cr8_in_shadow = cr8_in_shadow, .accesses_cr8 = accesses_cr8, .alias = ALIAS
};

void test_main(void) { irql_main(); }
