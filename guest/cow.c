/* Copy on write: after fork each side sees its own stores and none of the other's, whoever stores first. */
#define _GNU_SOURCE
#include "guest.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

enum { PAGES = 512, STEP = 2, SHARED_WORDS = 512 };
enum { PARENT_SEED = 1000, CHILD_SEED = 2000, LATE_SEED = 3000, SHARED_SEED = 4000 };

static void *map(size_t bytes, int sharing)
{
	void *p = mmap(NULL, bytes, PROT_READ | PROT_WRITE, sharing | MAP_ANONYMOUS, -1, 0);

	if (p == MAP_FAILED)
		fail("mmap: %s", strerror(errno));
	return p;
}

static uint64_t *word(unsigned char *base, size_t page)
{
	return (uint64_t *)(void *)(base + page * PAGE + page * 24 % PAGE);
}

/* Checks one word per page: those at a multiple of STEP, from an offset, carry the writer's seed, the others `rest`. */
static uint64_t check(unsigned char *base, size_t offset, uint64_t writer, uint64_t rest, const char *what)
{
	uint64_t sum = 0;

	for (size_t i = 0; i < PAGES; i++) {
		uint64_t value = *word(base, i), wanted = mix(i % STEP == offset ? writer : rest, i);

		if (value != wanted)
			fail("copy on write: %s: page %zu reads %016llx, should be %016llx", what, i,
			     (unsigned long long)value, (unsigned long long)wanted);
		sum = fold(sum, value);
	}
	return sum;
}

static void put(unsigned char *base, size_t offset, size_t step, uint64_t seed)
{
	for (size_t i = offset; i < PAGES; i += step)
		*word(base, i) = mix(seed, i);
}

static void meet(int in, int out)
{
	char byte = 'x';

	if (write(out, &byte, 1) != 1 || read(in, &byte, 1) != 1)
		fail("copy on write: the other process is gone");
}

static _Noreturn void child(unsigned char *base, uint64_t *shared, int in, int out)
{
	check(base, 0, PARENT_SEED, PARENT_SEED, "the child, at first");
	put(base, 0, STEP, CHILD_SEED);                 /* the child stores first in the even pages */
	check(base, 0, CHILD_SEED, PARENT_SEED, "the child, after its stores");
	meet(in, out);                                  /* the parent stores in the odd ones */
	meet(in, out);
	check(base, 0, CHILD_SEED, PARENT_SEED, "the child, after the parent's stores");
	check_words(shared, SHARED_WORDS, SHARED_SEED, "shared memory in the child");
	fill_words(shared, SHARED_WORDS, SHARED_SEED + 1);
	meet(in, out);
	_exit(0);
}

uint64_t copy_on_write_part(void)
{
	unsigned char *base = map(PAGES * PAGE, MAP_PRIVATE);
	uint64_t *shared = map(SHARED_WORDS * 8, MAP_SHARED), sum = 0;
	int down[2], up[2], pid;

	put(base, 0, 1, PARENT_SEED);
	if (pipe(down) != 0 || pipe(up) != 0)
		fail("pipe: %s", strerror(errno));
	pid = fork();
	if (pid == 0)
		child(base, shared, down[0], up[1]);
	meet(up[0], down[1]);
	sum = fold(sum, check(base, 0, PARENT_SEED, PARENT_SEED, "the parent, after the child's stores"));
	put(base, 1, STEP, LATE_SEED);
	fill_words(shared, SHARED_WORDS, SHARED_SEED);
	meet(up[0], down[1]);
	sum = fold(sum, check(base, 1, LATE_SEED, PARENT_SEED, "the parent, after its stores"));
	meet(up[0], down[1]);
	sum = fold(sum, check_words(shared, SHARED_WORDS, SHARED_SEED + 1, "shared memory in the parent"));
	reap(pid, "copy on write");
	put(base, 0, 1, CHILD_SEED);                    /* the last owner stores in place */
	sum = fold(sum, check(base, 0, CHILD_SEED, CHILD_SEED, "the parent, alone"));
	munmap(base, PAGES * PAGE);
	munmap(shared, SHARED_WORDS * 8);
	close(down[0]);
	close(down[1]);
	close(up[0]);
	close(up[1]);
	return sum;
}
