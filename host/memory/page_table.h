/* host/memory/page_table.h - entries and tables of the host's own paging, for host/memory/paging.c and
 * host/memory/paging_audit.c. */
#ifndef VELLUM_HOST_PAGE_TABLE_H
#define VELLUM_HOST_PAGE_TABLE_H

#include "host/memory/frames.h"
#include "lib/x86.h"

#define TOP_LEVEL 4

/* The root, in the image: other CPUs load it while they can only load 32 bits. */
extern uint64_t host_pml4[PAGE_TABLE_ENTRIES];
extern char image_start[], image_end[], code_end[], rodata_start[], rodata_end[], sealed_start[], sealed_end[];
extern char boot_stack_guard[];

static inline uint64_t *entry_of(uint64_t *table, unsigned level, uint64_t va)
{
	return &table[va >> PAGING_SHIFT(level) & (PAGE_TABLE_ENTRIES - 1)];
}
static inline uint64_t *table_below(uint64_t entry) { return frames_ptr(HFN((entry & PTE_ADDRESS) >> PAGE_SHIFT)); }

#endif
