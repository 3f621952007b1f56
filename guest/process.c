/* Process creation: children by fork alone, and children that execute a program. */
#define _GNU_SOURCE
#include "guest.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { FORKS = 24, EXECS = 8, BATCH = 6, PRIVATE_WORDS = 1024 };

static uint64_t table[PRIVATE_WORDS];

/* An executed child has an address space of its own: zeroed data, the arguments and the environment it was given. */
int processes_child(const char *argument)
{
	unsigned long n = strtoul(argument, NULL, 10);
	const char *environment = getenv("VELLUM_CHILD");

	for (size_t i = 0; i < PRIVATE_WORDS; i++)
		if (table[i] != 0)
			fail("an executed child found data of its parent");
	if (environment == NULL || strcmp(environment, argument) != 0)
		fail("an executed child found a wrong environment");
	fill_words(table, PRIVATE_WORDS, n);
	check_words(table, PRIVATE_WORDS, n, "an executed child's memory");
	return 0;
}

static int start_exec(const char *self, unsigned n)
{
	int pid = fork();

	if (pid == 0) {
		char number[16], variable[40];
		char *argv[] = { (char *)(uintptr_t)self, (char *)(uintptr_t)"--child", number, NULL };
		char *envp[] = { variable, NULL };

		snprintf(number, sizeof number, "%u", n);
		snprintf(variable, sizeof variable, "VELLUM_CHILD=%u", n);
		execve(self, argv, envp);
		fail("cannot execute %s: %s", self, strerror(errno));
	}
	return pid;
}

static int start_fork(unsigned n)
{
	int pid = fork();

	if (pid == 0) {
		check_words(table, PRIVATE_WORDS, 77, "memory inherited by fork");
		fill_words(table, PRIVATE_WORDS, n);
		check_words(table, PRIVATE_WORDS, n, "a forked child's memory");
		_exit(0);
	}
	return pid;
}

uint64_t processes_part(const char *self)
{
	int pids[BATCH];

	fill_words(table, PRIVATE_WORDS, 77);
	for (unsigned first = 0; first < FORKS; first += BATCH) {
		for (unsigned i = 0; i < BATCH; i++)
			pids[i] = start_fork(first + i);
		for (unsigned i = 0; i < BATCH; i++)
			reap(pids[i], "fork");
	}
	for (unsigned n = 0; n < EXECS; n += 2) {
		pids[0] = start_exec(self, n);
		pids[1] = start_exec(self, n + 1);
		reap(pids[0], "exec");
		reap(pids[1], "exec");
	}
	return check_words(table, PRIVATE_WORDS, 77, "the parent's memory");
}
