/*
 * Context switches against page-table edits: two processes take turns, and each turn reads a working set and then edits
 * its page tables so many times. There are two kinds of edit, each with phases of its own:
 *
 * edits-N: gives up a page and touches it again. The kernel clears an entry, flushes it, takes a page fault, and sets
 * the entry anew; the page tables stay. Pages that are edited one after the other lie in different page tables.
 *
 * tables-N: a page table comes and goes. The turn maps so many pages, each where there is no page table yet, touches
 * them, and unmaps them all at once: the kernel makes a table for each, links it into the page directory, and frees it
 * again.
 */
#define _GNU_SOURCE
#include "workload.h"

#include <errno.h>
#include <linux/futex.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { PROCESSES = 2, SET_PAGES = 32, SEED = 14000 };
/* Page tables that edits go to, and how far apart they are, in pages: one maps 1024 at most, without PAE. */
enum { TABLES = 64, STRIDE = 1024 };
/* Page tables that come and go at once; the region has to fit in the address space of a 32-bit kernel. */
enum { REGION_TABLES = 256 };
static const size_t region_bytes = (size_t)REGION_TABLES * STRIDE * PAGE;
/* Turns at 0 edits, and how they get fewer with more of them: few enough for brute, for which each access to an entry
 * exits. */
enum { MOST_TURNS = 128, FEWEST_TURNS = 8 };

struct shared {
	uint32_t turn;
	uint64_t token;
};

struct process {
	uint64_t *set;
	unsigned char *edited;
	unsigned char *region;  /* addresses where nothing is mapped between turns */
	uint32_t next;          /* the next page to edit, counted on and on */
};

static void prepare(struct process *p, unsigned number)
{
	p->set = (uint64_t *)(void *)take_pages(SET_PAGES, MAP_PRIVATE);
	p->edited = take_pages((size_t)TABLES * STRIDE, MAP_PRIVATE | MAP_NORESERVE);
	p->next = 0;
	p->region = mmap(NULL, region_bytes, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (p->region == MAP_FAILED || munmap(p->region, region_bytes) != 0)
		fail("mix: no %zu bytes of addresses: %s", region_bytes, strerror(errno));
	for (size_t i = 0; i < SET_PAGES; i++)
		p->set[i * (PAGE / 8)] = mix(SEED + number, i);
	/* The tables come into being before anything is counted. */
	for (size_t i = 0; i < TABLES; i++)
		p->edited[i * STRIDE * PAGE] = 1;
}

static void edit(struct process *p, uint64_t value)
{
	uint64_t *word = (uint64_t *)(void *)(p->edited + (size_t)(p->next++ % TABLES) * STRIDE * PAGE);

	if (madvise(word, PAGE, MADV_DONTNEED) != 0)
		fail("madvise: %s", strerror(errno));
	if (*(volatile uint64_t *)word != 0)
		fail("mix: a page that was given up is not zero");
	*word = value;
	if (*(volatile uint64_t *)word != value)
		fail("mix: a page does not hold what was written");
}

static void edit_entries(struct process *p, uint64_t value, uint32_t edits)
{
	for (uint32_t i = 0; i < edits; i++)
		edit(p, value + i);
}

static void tables_come_and_go(unsigned char *region, uint64_t value, size_t tables)
{
	for (size_t i = 0; i < tables; i++) {
		volatile uint64_t *word = mmap(region + i * STRIDE * PAGE, PAGE, PROT_READ | PROT_WRITE,
					       MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);

		if (word == MAP_FAILED)
			fail("mix: mmap: %s", strerror(errno));
		if (*word != 0)
			fail("mix: a new page is not zero");
		*word = value + i;
		if (*word != value + i)
			fail("mix: a new page does not hold what was written");
	}
	if (munmap(region, tables * STRIDE * PAGE) != 0)
		fail("mix: munmap: %s", strerror(errno));
}

static void edit_tables(struct process *p, uint64_t value, uint32_t edits)
{
	for (uint32_t left = edits, tables; left > 0; left -= tables) {
		tables = left < REGION_TABLES ? left : REGION_TABLES;
		tables_come_and_go(p->region, value + left, tables);
	}
}

struct kind {
	const char *phase;
	void (*edit)(struct process *p, uint64_t value, uint32_t edits);
};
static const struct kind kinds[] = { { "edits", edit_entries }, { "tables", edit_tables } };

static uint64_t turn_of(struct process *p, uint64_t token, const struct kind *kind, uint32_t edits)
{
	for (size_t i = 0; i < SET_PAGES; i++)
		token = fold(token, p->set[i * (PAGE / 8)]);
	kind->edit(p, token, edits);
	return token;
}

static uint64_t expected(uint32_t turns)
{
	uint64_t token = SEED;

	for (uint32_t t = 0; t < turns; t++)
		for (size_t i = 0; i < SET_PAGES; i++)
			token = fold(token, mix(SEED + t % PROCESSES, i));
	return token;
}

static void hand_on(struct shared *shared, uint32_t turn)
{
	__atomic_store_n(&shared->turn, turn, __ATOMIC_SEQ_CST);
	syscall(SYS_futex, &shared->turn, FUTEX_WAKE, 1, NULL, NULL, 0);
}

static void wait_turn(struct shared *shared, uint32_t turn)
{
	uint32_t seen;

	while ((seen = __atomic_load_n(&shared->turn, __ATOMIC_SEQ_CST)) != turn)
		syscall(SYS_futex, &shared->turn, FUTEX_WAIT, seen, NULL, NULL, 0);
}

/* Turns number, number + 2, … below `turns`; the first two, in which each process comes to its feet, do not count. */
static void play(struct shared *shared, unsigned number, uint32_t turns, const struct kind *kind, uint32_t edits)
{
	struct process p;
	char name[24];

	snprintf(name, sizeof name, "%s-%u", kind->phase, edits);
	prepare(&p, number);
	for (uint32_t t = number; t < turns; t += PROCESSES) {
		wait_turn(shared, t);
		if (t == PROCESSES)
			phase(name);
		shared->token = turn_of(&p, shared->token, kind, edits);
		hand_on(shared, t + 1);
	}
	if (number == 0) {
		wait_turn(shared, turns);
		phase_steps(turns - PROCESSES);
		phases_end();
	}
	munmap(p.set, SET_PAGES * PAGE);
	munmap(p.edited, (size_t)TABLES * STRIDE * PAGE);
}

static uint64_t mix_of(const struct kind *kind, uint32_t size)
{
	struct shared *shared = (struct shared *)(void *)take_pages(1, MAP_SHARED);
	uint32_t turns = MOST_TURNS / (1 + size / 2);
	uint64_t token;
	int pid;

	turns = PROCESSES + (turns < FEWEST_TURNS ? FEWEST_TURNS : turns & ~1u);
	shared->token = SEED;
	pid = fork();
	if (pid == 0) {
		play(shared, 1, turns, kind, size);
		_exit(0);
	}
	play(shared, 0, turns, kind, size);
	reap(pid, "mix");
	token = shared->token;
	if (token != expected(turns))
		fail("mix: the token is %016llx, should be %016llx", (unsigned long long)token,
		     (unsigned long long)expected(turns));
	munmap(shared, PAGE);
	return fold(token, size);
}

uint64_t mix_workload(uint32_t size)
{
	static const uint16_t sweep[] = { 0, 1, 2, 4, 8, 16, 32, 64, 128, 256 };
	uint64_t sum = 0;

	for (size_t k = 0; k < sizeof kinds / sizeof *kinds; k++) {
		if (size != ALL_SIZES)
			sum = fold(sum, mix_of(&kinds[k], size));
		for (size_t i = 0; size == ALL_SIZES && i < sizeof sweep / sizeof *sweep; i++)
			sum = fold(sum, mix_of(&kinds[k], sweep[i]));
	}
	return sum;
}
