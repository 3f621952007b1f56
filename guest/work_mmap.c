/* mmap and munmap churn: mappings of many sizes come, are written, protected, moved, read again and go. */
#define _GNU_SOURCE
#include "workload.h"

#include <errno.h>
#include <string.h>
#include <sys/mman.h>

enum { SLOTS = 48, MOST_PAGES = 24, SEED = 9000 };

static struct slot {
	unsigned char *base;
	uint32_t pages, made;           /* made: when, which is also what its pages hold */
} slots[SLOTS];

static uint64_t *word(const struct slot *slot, uint32_t page)
{
	return (uint64_t *)(void *)(slot->base + (size_t)page * PAGE + mix(slot->made, page) % (PAGE / 8) * 8);
}

static void make(struct slot *slot, uint32_t n)
{
	slot->pages = 1 + (uint32_t)(mix(SEED, n) % MOST_PAGES);
	slot->made = n;
	slot->base = take_pages(slot->pages, MAP_PRIVATE);
	for (uint32_t page = 0; page < slot->pages; page++) {
		if (*word(slot, page) != 0)
			fail("mmap: a fresh page of mapping %u is not zero", n);
		*word(slot, page) = mix(SEED + n, page);
	}
}

static uint64_t check(const struct slot *slot)
{
	uint64_t sum = slot->made;

	for (uint32_t page = 0; page < slot->pages; page++) {
		uint64_t value = *word(slot, page), wanted = mix(SEED + slot->made, page);

		if (value != wanted)
			fail("mmap: page %u of mapping %u reads %016llx, should be %016llx", page, slot->made,
			     (unsigned long long)value, (unsigned long long)wanted);
		sum = fold(sum, value);
	}
	return sum;
}

static void protect(const struct slot *slot, int rights)
{
	if (mprotect(slot->base, (size_t)slot->pages * PAGE, rights) != 0)
		fail("mprotect: %s", strerror(errno));
}

static void move(struct slot *slot)
{
	unsigned char *place = take_pages(slot->pages, MAP_PRIVATE);
	size_t bytes = (size_t)slot->pages * PAGE;

	slot->base = mremap(slot->base, bytes, bytes, MREMAP_MAYMOVE | MREMAP_FIXED, place);
	if (slot->base == MAP_FAILED)
		fail("mremap: %s", strerror(errno));
}

static uint64_t drop(struct slot *slot, uint32_t n)
{
	uint64_t sum;

	if (n % 3 == 0)
		protect(slot, PROT_READ);
	if (n % 5 == 0)
		move(slot);
	sum = check(slot);
	if (munmap(slot->base, (size_t)slot->pages * PAGE) != 0)
		fail("munmap: %s", strerror(errno));
	slot->base = NULL;
	return sum;
}

uint64_t mmap_workload(uint32_t size)
{
	uint64_t sum = 0;

	phase("churn");
	for (uint32_t n = 0; n < size; n++) {
		struct slot *slot = &slots[mix(SEED + 1, n) % SLOTS];

		if (slot->base != NULL)
			sum = fold(sum, drop(slot, n));
		make(slot, n);
	}
	phase_steps(size);
	for (unsigned i = 0; i < SLOTS; i++)
		if (slots[i].base != NULL)
			sum = fold(sum, drop(&slots[i], i));
	return sum;
}
