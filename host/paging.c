#include "host/paging.h"

#include "host/frames.h"
#include "host/x86.h"

#define ENTRY_TABLE 0x3ull /* present, writable */
#define ENTRY_LARGE 0x83ull
#define GIB (1ull << 30)

extern uint64_t boot_pml4[512];

static uint64_t *table_of(uint64_t *entry)
{
	if (!*entry) {
		hfn_t f = frames_alloc();

		if (hfn_is_none(f))
			return NULL;
		*entry = hfn_hpa(f).v | ENTRY_TABLE;
	}
	return (uint64_t *)(uintptr_t)(*entry & MASK(51, 12));
}

static bool map_gib(uint64_t at)
{
	uint64_t *pdpt = table_of(&boot_pml4[at >> 39 & 511]), *pd;

	if (!pdpt)
		return false;
	if (cpuid(0x80000001, 0).edx & BIT(26)) {
		pdpt[at >> 30 & 511] = at | ENTRY_LARGE;
		return true;
	}
	pd = table_of(&pdpt[at >> 30 & 511]);
	if (!pd)
		return false;
	for (unsigned i = 0; i < 512; i++)
		pd[i] = (at + ((uint64_t)i << 21)) | ENTRY_LARGE;
	return true;
}

bool paging_map_to(uint64_t end)
{
	for (uint64_t at = 4 * GIB; at < end; at += GIB)
		if (!map_gib(at))
			return false;
	return true;
}
