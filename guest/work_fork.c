/* fork and exec storm: many short processes. Each gets to see memory of its parent or none, and hands back what it
 * read. */
#define _GNU_SOURCE
#include "workload.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

enum { WORDS = 512, BATCH = 4, EXECS_PER_FORKS = 6, SEED = 8000 };

static uint64_t inherited[WORDS];

static int start_fork(uint32_t n, uint64_t *result)
{
	int pid = fork();

	if (pid == 0) {
		uint64_t sum = check_words(inherited, WORDS, SEED + n / BATCH, "memory inherited by fork");

		fill_words(inherited, WORDS, SEED + n);
		*result = fold(sum, check_words(inherited, WORDS, SEED + n, "a forked child's memory"));
		_exit(0);
	}
	return pid;
}

static uint64_t forks(uint32_t size)
{
	uint64_t *shared = (uint64_t *)(void *)take_pages(1, MAP_SHARED), sum = 0;

	for (uint32_t n = 0; n < size; n += BATCH) {
		uint32_t batch = size - n < BATCH ? size - n : BATCH;
		int pids[BATCH];

		fill_words(inherited, WORDS, SEED + n / BATCH);
		for (uint32_t i = 0; i < batch; i++)
			pids[i] = start_fork(n + i, &shared[i]);
		for (uint32_t i = 0; i < batch; i++) {
			reap(pids[i], "fork");
			if (shared[i] != fold(sum_of_words(WORDS, SEED + n / BATCH), sum_of_words(WORDS, SEED + n + i)))
				fail("fork: child %u read %016llx", n + i, (unsigned long long)shared[i]);
			sum = fold(sum, shared[i]);
		}
		sum = fold(sum, check_words(inherited, WORDS, SEED + n / BATCH, "the parent's memory after fork"));
	}
	munmap(shared, PAGE);
	return sum;
}

/* The executed child: its data are zero, whatever its parent had there. */
int fork_exec_helper(const char *argument)
{
	uint64_t sum;

	for (size_t i = 0; i < WORDS; i++)
		if (inherited[i] != 0)
			fail("an executed child found data of its parent");
	fill_words(inherited, WORDS, SEED + helper_number(argument));
	sum = check_words(inherited, WORDS, SEED + helper_number(argument), "an executed child's memory");
	if (write(3, &sum, sizeof sum) != sizeof sum)
		fail("an executed child cannot answer: %s", strerror(errno));
	return 0;
}

static uint64_t execs(uint32_t size)
{
	uint64_t sum = 0, answer;
	int ends[2], pid;

	if (pipe2(ends, O_CLOEXEC) != 0)
		fail("pipe: %s", strerror(errno));
	for (uint32_t n = 0; n < size; n++) {
		pid = start_helper("--fork-exec", n, ends[1]);
		reap(pid, "exec");
		if (read(ends[0], &answer, sizeof answer) != sizeof answer || answer != sum_of_words(WORDS, SEED + n))
			fail("exec: child %u gave a wrong answer", n);
		sum = fold(sum, answer);
	}
	close(ends[0]);
	close(ends[1]);
	return sum;
}

uint64_t fork_workload(uint32_t size)
{
	uint32_t executed = (size + EXECS_PER_FORKS - 1) / EXECS_PER_FORKS;
	uint64_t sum;

	phase("fork");
	sum = forks(size);
	phase_steps(size);
	phase("exec");
	sum = fold(sum, execs(executed));
	phase_steps(executed);
	return sum;
}
