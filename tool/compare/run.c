/* Runs the cells of a comparison, several at a time, each as a process of this program. */
#include "tool/compare/compare.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tool/base/temporary.h"
#include "tool/run/session.h"

char *compare_append(const struct comparison *c, const struct configuration *is)
{
	struct bytes line = { 0 };
	const char *pti = is->value[AXIS_PTI];

	if (*pti != 0)
		bytes_print(&line, strcmp(pti, "on") == 0 ? " pti=on" : " nopti pti=off");
	if (c->append != NULL)
		bytes_print(&line, " %s", c->append);
	if (line.length == 0)
		return NULL;
	memmove(line.data, line.data + 1, line.length);
	return line.data;
}

#define WORD(word) (argv[n++] = text("%s", word))
#define PAIR(option, value) (WORD(option), WORD(value))

static const struct { enum axis axis; const char *option;
} with_value[] = {
	{ AXIS_WORKLOAD, "--workload" },
	{ AXIS_GUEST, "--guest" },
	{ AXIS_KERNEL, "--kernel" },
	{ AXIS_CPU, "--cpu" },
};

/* What of the cell a snapshot's guest is run with in another way than one that boots. RDRAND's values would make no two
 * runs alike: whether it is offered, the snapshot says. */
static size_t guest_arguments(const struct comparison *c, const struct cell *cell, bool goes_on, char **argv)
{
	const char *workload = cell->is.value[AXIS_WORKLOAD];
	char *append = compare_append(c, &cell->is);
	size_t n = 0;

	if (goes_on) {
		PAIR("--from", c->from != NULL ? c->from : cell->from);
		if (workload[0] == 0)
			PAIR("--workload", "memory");
	} else if (!compare_is_native(&cell->is)) {
		WORD("--no-rdrand");
	}
	if (c->mem != NULL && !goes_on)
		PAIR("--mem", c->mem);
	if (append != NULL && !goes_on)
		PAIR("--append", append);
	free(append);
	return n;
}

size_t compare_arguments(const struct comparison *c, const struct cell *cell, const char *program, const char *json,
			 char *argv[40])
{
	const struct configuration *is = &cell->is;
	bool native = compare_is_native(is), goes_on = (c->from != NULL || cell->from != NULL) && !native;
	size_t n = 0;

	WORD(program);
	WORD("run");
	WORD("--quiet");
	PAIR("--json", json);
	PAIR("--timeout", c->timeout);
	PAIR("--ips", c->ips);
	for (size_t i = 0; i < sizeof with_value / sizeof *with_value; i++)
		if (is->value[with_value[i].axis][0] != 0 && !(goes_on && with_value[i].axis == AXIS_GUEST))
			PAIR(with_value[i].option, is->value[with_value[i].axis]);
	if (native)
		WORD("--native");
	else if (is->value[AXIS_MMU][0] != 0)
		PAIR("--mmu", is->value[AXIS_MMU]);
	if (!native && is->value[AXIS_PAGES][0] != 0)
		PAIR("--pages", is->value[AXIS_PAGES]);
	if (!native && strcmp(is->value[AXIS_VPID], "off") == 0)
		WORD("--no-vpid");
	if (!native && is->value[AXIS_TPR][0] != 0)
		PAIR("--tpr", is->value[AXIS_TPR]);
	n += guest_arguments(c, cell, goes_on, argv + n);
	if (c->hypervisor != NULL)
		PAIR("--hypervisor", c->hypervisor);
	argv[n] = NULL;
	return n;
}

static char *file_of(const char *work, const struct comparison *c, const struct cell *cell, const char *kind)
{
	return text("%s/%zu.%s", work, (size_t)(cell - c->cells), kind);
}

static void start(struct comparison *c, struct cell *cell, const char *work)
{
	char *program = text("%s/vellum", program_directory()), *json = file_of(work, c, cell, "json"),
	     *said = file_of(work, c, cell, "said");
	char *argv[40];
	int output = open(said, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	size_t n = compare_arguments(c, cell, program, json, argv);

	if (output < 0)
		die(STATUS_FAILED, "cannot write %s: %s", said, strerror(errno));
	cell->pid = spawn(argv, NULL, output);
	if (cell->pid < 0)
		die(STATUS_FAILED, "cannot start %s: %s", program, strerror(errno));
	cell->state = CELL_RUNNING;
	cell->started = clock_seconds();
	if (!c->quiet)
		say("%s: begun", cell->label);
	close(output);
	while (n > 0)
		free(argv[--n]);
	free(program);
	free(json);
	free(said);
}

static void cell_ended(struct comparison *c, struct cell *cell, const char *work, int status)
{
	char *json = file_of(work, c, cell, "json"), *said = file_of(work, c, cell, "said");
	struct bytes content = { 0 }, words = { 0 };

	if (file_read(json, &content))
		cell->run = cJSON_Parse(content.data);
	file_read(said, &words);
	compare_read(cell, WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status),
		     words.data != NULL ? words.data : "");
	unlink(json);
	unlink(said);
	bytes_free(&content);
	bytes_free(&words);
	free(json);
	free(said);
}

static void progress(const struct comparison *c, const struct cell *cell)
{
	size_t done = 0;

	for (size_t i = 0; i < c->count; i++)
		done += c->cells[i].state == CELL_OK || c->cells[i].state == CELL_FAILED;
	if (!c->quiet)
		say("%zu of %zu: %s: %s (%.0f s)", done, c->count, cell->label,
		    cell->state == CELL_OK ? "done" : cell->why, clock_seconds() - cell->started);
}

/* What would be refused is told before the first machine starts. */
static void check_all(struct comparison *c, const char *work)
{
	char *program = text("%s/vellum", program_directory()), *argv[40];

	for (size_t i = 0; i < c->count; i++) {
		struct cell *cell = &c->cells[i];
		char *json = file_of(work, c, cell, "json");
		struct bytes said = { 0 };
		size_t n;
		int status;

		if (cell->state == CELL_WAITING) {
			n = compare_arguments(c, cell, program, json, argv);
			argv[n++] = text("--check");
			argv[n] = NULL;
			cell->started = clock_seconds();
			status = run_program(argv, &said);
			if (status != 0) {
				compare_read(cell, status, said.data != NULL ? said.data : "");
				progress(c, cell);
			}
			while (n > 0)
				free(argv[--n]);
		}
		bytes_free(&said);
		free(json);
	}
	free(program);
}

/* The next that is to begin; with_boot: of those that have one boot together, before which they wait. */
static struct cell *next(struct comparison *c, bool with_boot)
{
	for (size_t i = 0; i < c->count; i++)
		if (c->cells[i].state == CELL_WAITING && (compare_sharing(c, &c->cells[i]) >= 2) == with_boot)
			return &c->cells[i];
	return NULL;
}

/* Takes in who has ended. */
static void collect(struct comparison *c, const char *work, unsigned *running)
{
	int status;
	pid_t pid;

	while ((pid = waitpid(-1, &status, WNOHANG)) > 0)
		for (size_t i = 0; i < c->count; i++)
			if (c->cells[i].state == CELL_RUNNING && c->cells[i].pid == pid) {
				cell_ended(c, &c->cells[i], work, status);
				progress(c, &c->cells[i]);
				--*running;
			}
}

/* Each run removes what it has made before it ends. */
static void stop_all(struct comparison *c)
{
	for (size_t i = 0; i < c->count; i++)
		if (c->cells[i].state == CELL_RUNNING)
			kill(c->cells[i].pid, SIGTERM);
	for (size_t i = 0; i < c->count; i++)
		if (c->cells[i].state == CELL_RUNNING)
			waitpid(c->cells[i].pid, NULL, 0);
}

bool compare_run(struct comparison *c, int *signal_number)
{
	char *work = temporary_directory();
	unsigned running = 0;
	struct cell *cell;
	sigset_t set;

	/* A run that is stopped before it has come to itself leaves its directory: here, it goes with ours. */
	setenv("TMPDIR", work, 1);
	check_all(c, work);
	sigemptyset(&set);
	sigaddset(&set, SIGCHLD);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGHUP);
	sigprocmask(SIG_BLOCK, &set, NULL);
	temporary_check(); /* those before it */
	for (;;) {
		while (running < c->jobs && (cell = next(c, false)) != NULL) {
			start(c, cell, work);
			running++;
		}
		cell = running < c->jobs ? next(c, true) : NULL;
		if (running == 0 && cell == NULL)
			break;
		*signal_number = cell != NULL ? compare_boot(c, cell, work) : sigwaitinfo(&set, NULL);
		if (*signal_number > 0 && *signal_number != SIGCHLD) {
			stop_all(c);
			return false;
		}
		collect(c, work, &running);
	}
	return true;
}
