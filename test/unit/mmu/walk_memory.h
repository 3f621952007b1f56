/* A guest's memory for the tests of the walker, and registers to begin with in each mode. */
#ifndef VELLUM_TEST_MMU_WALK_MEMORY_H
#define VELLUM_TEST_MMU_WALK_MEMORY_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "mmu/walk.h"

#define MEMORY (64 * 4096)

struct memory {
	uint8_t bytes[MEMORY];
	bool read_only;
	unsigned races; /* as many updates lose, and find the entry without its lowest ignored bit */
};

static inline bool mem_read(void *ctx, gpa_t gpa, unsigned size, uint64_t *value)
{
	struct memory *m = ctx;

	if (gpa.v + size > MEMORY)
		return false;
	*value = 0;
	memcpy(value, m->bytes + gpa.v, size);
	return true;
}

static inline bool mem_update(void *ctx, gpa_t gpa, unsigned size, uint64_t old, uint64_t new, bool *lost)
{
	struct memory *m = ctx;
	uint64_t now;

	*lost = false;
	if (gpa.v + size > MEMORY || m->read_only)
		return false;
	mem_read(ctx, gpa, size, &now);
	if (m->races) {
		m->races--;
		now &= ~PTE_P;
		memcpy(m->bytes + gpa.v, &now, size);
	}
	*lost = now != old;
	if (!*lost)
		memcpy(m->bytes + gpa.v, &new, size);
	return !*lost;
}

static struct memory mem;
static const struct walk_memory view = { .read = mem_read, .update = mem_update, .ctx = &mem };

static inline void put4(uint64_t at, uint32_t v) { memcpy(mem.bytes + at, &v, 4); }
static inline void put8(uint64_t at, uint64_t v) { memcpy(mem.bytes + at, &v, 8); }
static inline uint64_t get8(uint64_t at) { uint64_t v; memcpy(&v, mem.bytes + at, 8); return v; }
static inline uint32_t get4(uint64_t at) { uint32_t v; memcpy(&v, mem.bytes + at, 4); return v; }

/* Clears the memory, too. */
static inline struct walk_regs regs_for(enum paging_mode mode)
{
	struct walk_regs r = { .cr0 = CR0_PE | CR0_PG | CR0_WP, .cr3 = 0x1000, .maxphyaddr = 40, .has_1g = true };

	memset(&mem, 0, sizeof(mem));
	if (mode == PAGING_NONE)
		r.cr0 = CR0_PE;
	if (mode >= PAGING_PAE)
		r.cr4 = CR4_PAE;
	if (mode >= PAGING_4LEVEL)
		r.efer = EFER_LME | EFER_LMA;
	if (mode == PAGING_5LEVEL)
		r.cr4 |= CR4_LA57;
	return r;
}

#endif
