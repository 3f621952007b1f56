/*
 * A pattern over most of RAM. Every page carries one word that depends on its number, at a place that depends on it
 * too; the first pages, a fixed number of them, are filled and enter the checksum.
 */
#define _GNU_SOURCE
#include "guest.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/sysinfo.h>

enum { FULL_PAGES = 48, PAGE_WORDS = PAGE / 8, PERCENT = 60, SEED = 6000 };

struct pattern {
	unsigned char *base;
	size_t pages;
};

static struct pattern the_pattern;

static uint64_t *word(const struct pattern *pattern, size_t page)
{
	return (uint64_t *)(void *)(pattern->base + page * PAGE + mix(SEED, page) % PAGE_WORDS * 8);
}

static uint64_t *full(const struct pattern *pattern, size_t page)
{
	return (uint64_t *)(void *)(pattern->base + page * PAGE);
}

struct pattern *pattern_write(void)
{
	struct pattern *pattern = &the_pattern;
	struct sysinfo info;
	uint64_t bytes;
	void *p = MAP_FAILED;

	sysinfo(&info);
	bytes = (uint64_t)info.freeram * info.mem_unit / 100 * PERCENT;
	if (bytes > (uint64_t)SIZE_MAX / 4)
		bytes = SIZE_MAX / 4;                   /* a 32-bit kernel: what fits in the address space */
	/* One call for all pages, and no other process to be taken for the culprit when memory runs out. */
	for (; p == MAP_FAILED && bytes >= (uint64_t)2 * FULL_PAGES * PAGE; bytes /= 2) {
		pattern->pages = (size_t)(bytes / PAGE);
		p = mmap(NULL, pattern->pages * PAGE, PROT_READ | PROT_WRITE,
			 MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
	}
	if (p == MAP_FAILED)
		fail("there is no memory for the pattern");
	pattern->base = p;
	for (size_t i = 0; i < FULL_PAGES; i++)
		fill_words(full(pattern, i), PAGE_WORDS, SEED + i);
	for (size_t i = FULL_PAGES; i < pattern->pages; i++)
		*word(pattern, i) = mix(SEED + 1, i);
	/* Children need not carry it: fork would copy its page tables each time. */
	madvise(p, pattern->pages * PAGE, MADV_DONTFORK);
	return pattern;
}

uint64_t pattern_verify(struct pattern *pattern)
{
	uint64_t sum = 0;

	for (size_t i = 0; i < FULL_PAGES; i++)
		sum = fold(sum, check_words(full(pattern, i), PAGE_WORDS, SEED + i, "the pattern's first pages"));
	for (size_t i = FULL_PAGES; i < pattern->pages; i++)
		if (*word(pattern, i) != mix(SEED + 1, i))
			fail("the pattern: page %zu of %zu reads %016llx, should be %016llx", i, pattern->pages,
			     (unsigned long long)*word(pattern, i), (unsigned long long)mix(SEED + 1, i));
	return sum;
}

unsigned pattern_megabytes(const struct pattern *pattern)
{
	return (unsigned)(pattern->pages / 256);
}
