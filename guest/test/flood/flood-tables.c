/* guest/test/flood/flood-tables.c - floods by page tables: roots, edits, faults, reverse maps, and an event whose stack
 * is a page table. */
#include "guest/test/base/pages.h"
#include "guest/test/flood/flood.h"

#define ALIGNED __attribute__((aligned(4096)))
#define WINDOW (2ul << 39)
#define ROOTS 8u
#define TO_DATA (PTE_P | PTE_W | PTE_A | PTE_D)

extern uint64_t boot_pml4[PAGE_TABLE_ENTRIES];
static uint64_t root[ROOTS][PAGE_TABLE_ENTRIES] ALIGNED, pdpt[PAGE_TABLE_ENTRIES] ALIGNED,
	pd[PAGE_TABLE_ENTRIES] ALIGNED, pt[PAGE_TABLE_ENTRIES] ALIGNED;
static uint8_t data[4096] ALIGNED;

static void map_window(void)
{
	boot_pml4[2] = (word)pdpt | TO_DATA;
	pdpt[0] = (word)pd | TO_DATA;
	pd[0] = (word)pt | TO_DATA;
	for (unsigned i = 0; i < PAGE_TABLE_ENTRIES; i++)
		pt[i] = (word)data | TO_DATA;
	write_cr3(read_cr3());
}

void flood_cr3(void)
{
	map_window();
	for (unsigned r = 0; r < ROOTS; r++)
		for (unsigned i = 0; i < PAGE_TABLE_ENTRIES; i++)
			root[r][i] = boot_pml4[i];
	for (unsigned n = 0;; n++) {
		write_cr3((word)root[n % ROOTS]);
		*(volatile uint8_t *)(WINDOW + n % PAGE_TABLE_ENTRIES * 4096) = 1;
		if (n % 16 == 0)
			flood_round();
	}
}

void flood_edits(void)
{
	map_window();
	for (unsigned n = 0;; n++) {
		word at = WINDOW + n % PAGE_TABLE_ENTRIES * 4096;

		*(volatile uint64_t *)&pt[n % PAGE_TABLE_ENTRIES] =
			(n & PAGE_TABLE_ENTRIES ? (word)data : 0x800000 + n % 64 * 4096) | TO_DATA;
		invlpg((void *)at);
		*(volatile uint8_t *)at = 1;
		if (n % PAGE_TABLE_ENTRIES == 0)
			write_cr3(read_cr3());
		if (n % 16 == 0)
			flood_round();
	}
}

void flood_faults(void)
{
	map_window();
	pt[1] = 0;
	pt[2] &= ~PTE_W;
	write_cr3(read_cr3());
	for (unsigned n = 0;; n++) {
		trap_call(n % 2 ? do_read : do_write, (void *)(WINDOW + (1 + n % 2) * 4096));
		if (n % 16 == 0)
			flood_round();
	}
}

/* One page, mapped by every entry of many tables; then the tables are cleared, and CR3 loaded. */
void flood_reverse_map(void)
{
	const unsigned tables = 256;
	volatile uint64_t *many = (void *)0x1000000;

	map_window();
	for (;;) {
		for (unsigned i = 0; i < tables * PAGE_TABLE_ENTRIES; i++)
			many[i] = (word)data | TO_DATA;
		for (unsigned t = 0; t < tables; t++)
			pd[t] = 0x1000000 + t * 4096 + TO_DATA;
		write_cr3(read_cr3());
		for (unsigned t = 0; t < tables; t++) {
			for (unsigned i = 0; i < PAGE_TABLE_ENTRIES; i += 16)
				(void)*(volatile uint8_t *)(WINDOW + t * 0x200000ul + i * 4096ul);
			flood_round();
		}
		for (unsigned i = 0; i < tables * PAGE_TABLE_ENTRIES; i++)
			many[i] = 0;
		write_cr3(read_cr3());
	}
}

/* The stack of INT lies in a page directory that is reached through itself. */
__asm__("int_entry: iretq");
extern const char int_entry[];

void flood_badstack(void)
{
	map_window();
	pt[1] = (word)pd | TO_DATA;
	write_cr3(read_cr3());
	set_ist(3, WINDOW + 0x1000 + 0xf00);
	set_gate(0x60, int_entry, 3);
	for (;;) {
		__asm__ volatile("int $0x60" : : : "memory");
		flood_round();
	}
}
