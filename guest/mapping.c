/* Mappings made, moved, protected and taken away; every right that was lost must fault, every other must not. */
#define _GNU_SOURCE
#include "guest.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>

enum { ROUNDS = 120, MOST_PAGES = 24 };

static unsigned char *map(size_t pages)
{
	void *p = mmap(NULL, pages * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (p == MAP_FAILED)
		fail("mmap of %zu pages: %s", pages, strerror(errno));
	return p;
}

static uint64_t *word(unsigned char *base, size_t page)
{
	return (uint64_t *)(void *)(base + page * PAGE + page * 8 % PAGE);
}

static void protect(unsigned char *address, size_t pages, int rights)
{
	if (mprotect(address, pages * PAGE, rights) != 0)
		fail("mprotect: %s", strerror(errno));
}

static void must_fault(int code, int wanted, const char *what)
{
	if (code == 0)
		fail("%s did not fault", what);
	if (code != wanted)
		fail("%s faulted with code %d, should be %d", what, code, wanted);
}

/* Read-only: a store faults and changes nothing, a load goes through. Without rights a load faults too. */
static void check_rights(unsigned round, unsigned char *base, size_t victim)
{
	unsigned char byte;

	protect(base + victim * PAGE, 1, PROT_READ);
	must_fault(try_store((unsigned char *)word(base, victim), 0xee), SEGV_ACCERR, "a store to a read-only page");
	if (*word(base, victim) != mix(round, victim))
		fail("round %u: a store that faulted changed memory", round);
	protect(base + victim * PAGE, 1, PROT_NONE);
	must_fault(try_load((unsigned char *)word(base, victim), &byte), SEGV_ACCERR,
		   "a load from a page without rights");
	protect(base + victim * PAGE, 1, PROT_READ | PROT_WRITE);
	if (try_store((unsigned char *)word(base, victim), (unsigned char)mix(round, victim)) != 0)
		fail("round %u: a store to a page made writable again faults", round);
}

/* Moved: the contents follow, the old place is gone. Returns the new one. */
static unsigned char *move(unsigned char *old, size_t pages)
{
	unsigned char *base = mremap(old, pages * PAGE, (pages + 40) * PAGE, MREMAP_MAYMOVE), byte;

	if (base == MAP_FAILED)
		fail("mremap: %s", strerror(errno));
	if (base != old)
		must_fault(try_load(old, &byte), SEGV_MAPERR, "a load from where a mapping was");
	munmap(base + pages * PAGE, 40 * PAGE);
	return base;
}

/* Dropped: the page reads as zero again. */
static void check_dropped(unsigned round, unsigned char *base, size_t victim)
{
	if (madvise(base + victim * PAGE, PAGE, MADV_DONTNEED) != 0)
		fail("madvise: %s", strerror(errno));
	if (*word(base, victim) != 0)
		fail("round %u: a page that was given up kept its contents", round);
	*word(base, victim) = mix(round, victim);
}

static uint64_t round_of(unsigned round)
{
	size_t pages = 4 + mix(round, 1) % (MOST_PAGES - 4), victim = mix(round, 2) % pages;
	unsigned char *base = map(pages), byte;
	uint64_t sum = round;

	for (size_t i = 0; i < pages; i++) {
		if (*word(base, i) != 0)
			fail("round %u: a fresh page is not zero", round);
		*word(base, i) = mix(round, i);
	}
	check_rights(round, base, victim);
	if (round % 3 == 0)
		base = move(base, pages);
	if (round % 4 == 0)
		check_dropped(round, base, victim);
	/* Only the victim unmapped: its neighbours stay. */
	for (size_t i = 0; i < pages; i++) {
		if (*word(base, i) != mix(round, i))
			fail("round %u: page %zu of %zu holds a wrong value", round, i, pages);
		sum = fold(sum, *word(base, i));
	}
	munmap(base + victim * PAGE, PAGE);
	must_fault(try_load(base + victim * PAGE, &byte), SEGV_MAPERR, "a load from an unmapped page");
	munmap(base, pages * PAGE);
	must_fault(try_store(base, 1), SEGV_MAPERR, "a store to an unmapped page");
	return sum;
}

uint64_t mappings_part(void)
{
	uint64_t sum = 0;

	for (unsigned round = 0; round < ROUNDS; round++)
		sum = fold(sum, round_of(round));
	return sum;
}
