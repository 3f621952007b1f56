/*
 * Context switches against page-table edits: two processes take turns, and each turn reads a working set and then edits its
 * page tables so many times. An edit gives up a page and touches it again: the kernel clears an entry, flushes it, takes a
 * page fault, and sets the entry anew. Pages that are edited one after the other lie in different page tables.
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
/* Turns at 0 edits, and how they get fewer with more of them. */
enum { MOST_TURNS = 1200, FEWEST_TURNS = 16 };

struct shared {
	uint32_t turn;
	uint64_t token;
};

struct process {
	uint64_t *set;
	unsigned char *edited;
	uint32_t next;          /* the next page to edit, counted on and on */
};

static void prepare(struct process *p, unsigned number)
{
	p->set = (uint64_t *)(void *)take_pages(SET_PAGES, MAP_PRIVATE);
	p->edited = take_pages((size_t)TABLES * STRIDE, MAP_PRIVATE | MAP_NORESERVE);
	p->next = 0;
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

static uint64_t turn_of(struct process *p, uint64_t token, uint32_t edits)
{
	for (size_t i = 0; i < SET_PAGES; i++)
		token = fold(token, p->set[i * (PAGE / 8)]);
	for (uint32_t i = 0; i < edits; i++)
		edit(p, token + i);
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
static void play(struct shared *shared, unsigned number, uint32_t turns, uint32_t edits, const char *name)
{
	struct process p;

	prepare(&p, number);
	for (uint32_t t = number; t < turns; t += PROCESSES) {
		wait_turn(shared, t);
		if (t == PROCESSES)
			phase(name);
		shared->token = turn_of(&p, shared->token, edits);
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

static uint64_t mix_of(uint32_t size)
{
	struct shared *shared = (struct shared *)(void *)take_pages(1, MAP_SHARED);
	uint32_t turns = MOST_TURNS / (1 + size / 2);
	uint64_t token;
	char name[24];
	int pid;

	turns = PROCESSES + (turns < FEWEST_TURNS ? FEWEST_TURNS : turns & ~1u);
	snprintf(name, sizeof name, "edits-%u", size);
	shared->token = SEED;
	pid = fork();
	if (pid == 0) {
		play(shared, 1, turns, size, name);
		_exit(0);
	}
	play(shared, 0, turns, size, name);
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

	if (size != ALL_SIZES)
		return mix_of(size);
	for (size_t i = 0; i < sizeof sweep / sizeof *sweep; i++)
		sum = fold(sum, mix_of(sweep[i]));
	return sum;
}
