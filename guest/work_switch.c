/*
 * Context switches: a token goes round processes that each touch a working set of their own when they have it, first
 * over pipes, then by futexes. What the token must be in the end is computed without any process.
 */
#define _GNU_SOURCE
#include "workload.h"

#include <errno.h>
#include <linux/futex.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { PROCESSES = 4, SET_PAGES = 48, SEED = 10000 };

struct shared {
	uint32_t turn;          /* the token has been handed on so often */
	uint64_t token;
};

/* One visit of the token at a process: every page of the working set changes it, and is changed by it. */
static uint64_t visit(uint64_t *first, size_t step, uint64_t token)
{
	for (size_t page = 0; page < SET_PAGES; page++) {
		uint64_t *word = first + page * step;

		*word = fold(*word, token);
		token = fold(token, *word);
	}
	return token;
}

static uint64_t *working_set(unsigned process)
{
	uint64_t *set = (uint64_t *)(void *)take_pages(SET_PAGES, MAP_PRIVATE);

	for (size_t page = 0; page < SET_PAGES; page++)
		set[page * (PAGE / 8)] = mix(SEED + process, page);
	return set;
}

static uint64_t expected(uint32_t laps)
{
	static uint64_t sets[PROCESSES][SET_PAGES];
	uint64_t token = SEED;

	for (unsigned p = 0; p < PROCESSES; p++)
		for (size_t page = 0; page < SET_PAGES; page++)
			sets[p][page] = mix(SEED + p, page);
	for (uint32_t lap = 0; lap < laps; lap++)
		for (unsigned p = 0; p < PROCESSES; p++)
			token = visit(sets[p], 1, token);
	return token;
}

static void pass(int file, uint64_t token)
{
	if (write(file, &token, sizeof token) != sizeof token)
		fail("switch: write: %s", strerror(errno));
}

static uint64_t await(int file)
{
	uint64_t token;

	if (read(file, &token, sizeof token) != sizeof token)
		fail("switch: the token is lost");
	return token;
}

static uint64_t over_pipes(uint32_t laps)
{
	int ends[PROCESSES][2], pids[PROCESSES];
	uint64_t *set, token = SEED;

	for (unsigned p = 0; p < PROCESSES; p++)
		if (pipe(ends[p]) != 0)
			fail("pipe: %s", strerror(errno));
	for (unsigned p = 1; p < PROCESSES; p++) {
		pids[p] = fork();
		if (pids[p] == 0) {
			set = working_set(p);
			for (uint32_t lap = 0; lap < laps; lap++)
				pass(ends[(p + 1) % PROCESSES][1], visit(set, PAGE / 8, await(ends[p][0])));
			_exit(0);
		}
	}
	set = working_set(0);
	for (uint32_t lap = 0; lap < laps; lap++) {
		pass(ends[1][1], visit(set, PAGE / 8, token));
		token = await(ends[0][0]);
	}
	munmap(set, SET_PAGES * PAGE);
	for (unsigned p = 0; p < PROCESSES; p++) {
		if (p != 0)
			reap(pids[p], "switch");
		close(ends[p][0]);
		close(ends[p][1]);
	}
	return token;
}

/* Waits until it is turn number `turn`. The value is looked at again by the kernel: no wake-up is lost. */
static void wait_turn(volatile uint32_t *now, uint32_t turn)
{
	uint32_t seen;

	while ((seen = *now) != turn)
		syscall(SYS_futex, now, FUTEX_WAIT, seen, NULL, NULL, 0);
}

static void take_turns(struct shared *shared, unsigned process, uint32_t laps)
{
	volatile uint32_t *turn = &shared->turn;
	uint64_t *set = working_set(process);

	for (uint32_t lap = 0; lap < laps; lap++) {
		wait_turn(turn, lap * PROCESSES + process);
		shared->token = visit(set, PAGE / 8, shared->token);
		__atomic_store_n(&shared->turn, lap * PROCESSES + process + 1, __ATOMIC_SEQ_CST);
		syscall(SYS_futex, turn, FUTEX_WAKE, PROCESSES, NULL, NULL, 0);
	}
	munmap(set, SET_PAGES * PAGE);
}

static uint64_t by_futexes(uint32_t laps)
{
	struct shared *shared = (struct shared *)(void *)take_pages(1, MAP_SHARED);
	int pids[PROCESSES];
	uint64_t token;

	shared->token = SEED;
	for (unsigned p = 1; p < PROCESSES; p++) {
		pids[p] = fork();
		if (pids[p] == 0) {
			take_turns(shared, p, laps);
			_exit(0);
		}
	}
	take_turns(shared, 0, laps);
	for (unsigned p = 1; p < PROCESSES; p++)
		reap(pids[p], "switch");
	token = shared->token;
	munmap(shared, PAGE);
	return token;
}

static uint64_t checked(const char *name, uint64_t (*how)(uint32_t), uint32_t laps)
{
	uint64_t token;

	phase(name);
	token = how(laps);
	phase_steps(laps * PROCESSES);
	return token;
}

uint64_t switch_workload(uint32_t size)
{
	uint32_t laps = (size + 1) / 2;
	uint64_t pipes = checked("pipes", over_pipes, laps), futexes = checked("futexes", by_futexes, laps), wanted;

	phases_end();
	wanted = expected(laps);
	if (pipes != wanted || futexes != wanted)
		fail("switch: the token is %016llx after pipes and %016llx after futexes, should be %016llx",
		     (unsigned long long)pipes, (unsigned long long)futexes, (unsigned long long)wanted);
	return fold(pipes, futexes);
}
