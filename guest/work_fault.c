/* Page-fault storm: pages touched for the first time, given up and touched again, and copied on write after a fork. */
#define _GNU_SOURCE
#include "workload.h"

#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

enum { PAGES = 1024, RUN = 8, COPIED = 256, SEED = 11000 };

static uint64_t *word(unsigned char *base, uint32_t page)
{
	return (uint64_t *)(void *)(base + (size_t)page * PAGE + page * 24 % PAGE);
}

/* Writes pages first, first + step, …; each must read zero before if `fresh`. */
static void put(unsigned char *base, uint32_t first, uint32_t step, uint64_t seed, int fresh)
{
	for (uint32_t page = first; page < PAGES; page += step) {
		if (fresh && *word(base, page) != 0)
			fail("fault: fresh page %u is not zero", page);
		*word(base, page) = mix(seed, page);
	}
}

static uint64_t check(unsigned char *base, uint32_t first, uint32_t step, uint64_t seed, const char *what)
{
	uint64_t sum = seed;

	for (uint32_t page = first; page < PAGES; page += step) {
		uint64_t value = *word(base, page);

		if (value != mix(seed, page))
			fail("fault: %s: page %u reads %016llx, should be %016llx", what, page,
			     (unsigned long long)value, (unsigned long long)mix(seed, page));
		sum = fold(sum, value);
	}
	return sum;
}

/* Every second run of pages is given up: it reads zero then, and its neighbours stay. */
static uint64_t give_up(unsigned char *base, uint64_t seed)
{
	uint64_t sum = seed;

	for (uint32_t page = 0; page < PAGES; page += 2 * RUN)
		if (madvise(base + (size_t)page * PAGE, RUN * PAGE, MADV_DONTNEED) != 0)
			fail("madvise: %s", strerror(errno));
	for (uint32_t page = 0; page < PAGES; page++) {
		uint64_t value = *word(base, page), wanted = page / RUN % 2 == 0 ? 0 : mix(seed, page);

		if (value != wanted)
			fail("fault: after MADV_DONTNEED page %u reads %016llx, should be %016llx", page,
			     (unsigned long long)value, (unsigned long long)wanted);
		sum = fold(sum, value);
		*word(base, page) = mix(seed, page);
	}
	return sum;
}

static uint64_t copy_on_write(unsigned char *base, uint64_t seed)
{
	enum { STEP = PAGES / COPIED };
	int pid = fork();

	if (pid == 0) {
		put(base, 1, STEP, seed + 2, 0);
		check(base, 1, STEP, seed + 2, "the child's copies");
		check(base, 0, STEP, seed, "the child, beside its copies");
		_exit(0);
	}
	put(base, 0, STEP, seed + 1, 0);
	reap(pid, "fault");
	return fold(check(base, 0, STEP, seed + 1, "the parent's copies"),
		    check(base, 1, STEP, seed, "the parent, after its child"));
}

uint64_t fault_workload(uint32_t size)
{
	uint64_t sum = 0;

	for (uint32_t round = 0; round < size; round++) {
		unsigned char *base = take_pages(PAGES, MAP_PRIVATE);
		uint64_t seed = SEED + 3 * (uint64_t)round;

		phase("touch");
		put(base, 0, 1, seed, 1);
		sum = fold(sum, check(base, 0, 1, seed, "first touch"));
		phase_steps(PAGES);
		phase("give-up");
		sum = fold(sum, give_up(base, seed));
		phase_steps(PAGES / 2);
		phase("copy-on-write");
		sum = fold(sum, copy_on_write(base, seed));
		phase_steps(2 * COPIED);
		munmap(base, PAGES * PAGE);
	}
	return sum;
}
