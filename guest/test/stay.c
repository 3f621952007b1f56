/* 64 bits: says what it has mapped where, and goes on for ever, using it: for what looks at a running guest from
 * outside. The power button ends it. */
#include "guest/test/base/pages.h"
#include "lib/apic.h"
#include "lib/ports.h"

const char test_name[] = "stay";

#define WINDOW (2ul << 39)
#define LAPIC ((word)LAPIC_DEFAULT_BASE)
#define LARGE 0x200000ul

enum { USED, ABSENT, UNTOUCHED, DEVICE };

extern uint64_t boot_pml4[PAGE_TABLE_ENTRIES];
static uint64_t pdpt[PAGE_TABLE_ENTRIES] __attribute__((aligned(4096)));
static uint64_t pd[PAGE_TABLE_ENTRIES] __attribute__((aligned(4096)));
static uint64_t pt[PAGE_TABLE_ENTRIES] __attribute__((aligned(4096)));
static uint8_t used[4096] __attribute__((aligned(4096)));
static uint8_t untouched[4096] __attribute__((aligned(4096)));

static volatile uint64_t *at(unsigned page) { return (volatile uint64_t *)(WINDOW + page * 4096ul); }

static void build(void)
{
	pt[USED] = (uint64_t)used | PTE_W | PTE_U | PTE_P;
	pt[UNTOUCHED] = (uint64_t)untouched | PTE_W | PTE_P;
	pt[DEVICE] = LAPIC | PTE_W | PTE_P;
	pd[0] = (uint64_t)pt | PTE_W | PTE_U | PTE_P;
	pd[1] = LARGE | PTE_PS | PTE_W | PTE_P;
	pdpt[0] = (uint64_t)pd | PTE_W | PTE_U | PTE_P;
	boot_pml4[2] = (uint64_t)pdpt | PTE_W | PTE_U | PTE_P;
	write_cr3(read_cr3());
}

void test_main(void)
{
	volatile uint64_t *large = (volatile uint64_t *)(WINDOW + LARGE);
	volatile uint64_t *pte = pt;
	uint64_t count = 0, sum = 0;

	build();
	at(USED)[1] = 0x6d756c6c65562121; /* "!!Vellum" */
	print("stay: used %lx %lx\n", (word)at(USED), (word)used);
	print("stay: absent %lx\n", (word)at(ABSENT));
	print("stay: untouched %lx %lx\n", (word)at(UNTOUCHED), (word)untouched);
	print("stay: device %lx %lx\n", (word)at(DEVICE), LAPIC);
	print("stay: large %lx %lx\n", (word)large, LARGE);
	print("stay: ready\n");
	for (;; count++) {
		*at(USED) = count;
		sum += *large;
		if (*at(USED) != count || (pte[UNTOUCHED] & (PTE_A | PTE_D)) || !(pte[USED] & PTE_A)) {
			CHECK(false, "at %lx: count %lx, entries %lx %lx", count, *at(USED), pte[UNTOUCHED], pte[USED]);
			finish();
		}
		if ((count & 0xfff) == 0) {
			sum += *(volatile uint32_t *)((uintptr_t)at(DEVICE) + APIC_VERSION);
			if (inw(ACPI_PM1A_EVT) & PM1_PWRBTN)
				finish();
		}
		__asm__ volatile("" : : "r"(sum));
		sti_nop_cli();
	}
}
