/* One boot for all runs of a guest: it stops where the guest waits for its workload, and each run goes on with a
 * snapshot of that (docs/snapshot.md). */
#include "tool/compare/compare.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "tool/base/temporary.h"

enum { LOOK_MS = 200, WORDS = 40 };

/* What the guest's first process says when it waits (guest/). */
static const char waits[] = "VELLUM-READY";

/* The bare machine, a kernel from a file, and the workload that is the boot itself, boot. */
static bool may_share(const struct comparison *c, const struct cell *cell)
{
	return !c->boots && c->from == NULL && cell->state == CELL_WAITING && cell->from == NULL && !cell->boots &&
	       !compare_is_native(&cell->is) && cell->is.value[AXIS_KERNEL][0] == 0 &&
	       strcmp(cell->is.value[AXIS_WORKLOAD], "boot") != 0;
}

static bool same_boot(const struct cell *a, const struct cell *b)
{
	static const enum axis of_it[] = { AXIS_GUEST, AXIS_CPU, AXIS_PTI };

	for (size_t k = 0; k < sizeof of_it / sizeof *of_it; k++)
		if (strcmp(a->is.value[of_it[k]], b->is.value[of_it[k]]) != 0)
			return false;
	return true;
}

size_t compare_sharing(const struct comparison *c, const struct cell *cell)
{
	size_t n = 0;

	for (size_t i = 0; i < c->count && may_share(c, cell); i++)
		n += may_share(c, &c->cells[i]) && same_boot(cell, &c->cells[i]);
	return n;
}

/* ---- the boot ---- */

struct boot {
	struct comparison *c;
	const struct cell *of;      /* the first of its cells */
	char *program, *name, *snapshot, *json;
	sigset_t signals;
	int signal;                 /* that has come; 0: none */
	pid_t pid;
	int said_by;
	struct bytes said;
	double until;
};

#define WORD(word) (argv[n++] = text("%s", word))
#define PAIR(option, value) (WORD(option), WORD(value))

static void start(struct boot *b)
{
	char *argv[WORDS], *append = compare_append(b->c, &b->of->is);
	int ends[2];
	size_t n = 0;

	if (pipe(ends) != 0)
		die(STATUS_FAILED, "cannot make a pipe: %s", strerror(errno));
	WORD(b->program);
	WORD("run");
	PAIR("--name", b->name);
	PAIR("--json", b->json);
	PAIR("--timeout", b->c->timeout);
	PAIR("--ips", b->c->ips);
	WORD("--exchange");
	WORD("--no-rdrand");
	argv[n++] = text("--append");
	argv[n++] = text("vellum.wait%s%s", append != NULL ? " " : "", append != NULL ? append : "");
	if (b->of->is.value[AXIS_GUEST][0] != 0)
		PAIR("--guest", b->of->is.value[AXIS_GUEST]);
	if (b->of->is.value[AXIS_CPU][0] != 0)
		PAIR("--cpu", b->of->is.value[AXIS_CPU]);
	if (b->c->mem != NULL)
		PAIR("--mem", b->c->mem);
	if (b->c->hypervisor != NULL)
		PAIR("--hypervisor", b->c->hypervisor);
	argv[n] = NULL;
	b->pid = spawn(argv, NULL, ends[1]);
	if (b->pid < 0)
		die(STATUS_FAILED, "cannot start %s: %s", b->program, strerror(errno));
	close(ends[1]);
	b->said_by = ends[0];
	b->until = clock_seconds() + atof(b->c->timeout);
	while (n > 0)
		free(argv[--n]);
	free(append);
}

/* What it says, for a while. false: it has ended. */
static bool listen_to(struct boot *b)
{
	struct pollfd ready = { .fd = b->said_by, .events = POLLIN };
	char part[4096];
	ssize_t n;

	if (poll(&ready, 1, LOOK_MS) <= 0)
		return true;
	n = read(b->said_by, part, sizeof part);
	if (n > 0)
		bytes_add(&b->said, part, (size_t)n);
	return n > 0 || (n < 0 && errno == EINTR);
}

/* A signal that ends the comparison; that a run has ended is not for here, and is found out later. */
static bool is_signalled(struct boot *b)
{
	const struct timespec now = { .tv_sec = 0 };
	int number;

	while (b->signal == 0 && (number = sigtimedwait(&b->signals, NULL, &now)) > 0)
		if (number != SIGCHLD)
			b->signal = number;
	return b->signal != 0;
}

static bool until_it_waits(struct boot *b)
{
	while (!is_signalled(b) && clock_seconds() < b->until && listen_to(b))
		if (b->said.length > 0 && memmem(b->said.data, b->said.length, waits, strlen(waits)) != NULL)
			return true;
	return false;
}

/* NULL, or why there is no snapshot; the caller frees. */
static char *take_snapshot(struct boot *b)
{
	char *argv[] = { b->program, "ctl", "--run", b->name, "snapshot", b->snapshot, NULL }, *why;
	struct bytes said = { 0 };

	why = run_program(argv, &said) == 0 ? NULL : text("%s", said.data != NULL ? complaint(&said) : "it has ended");
	bytes_free(&said);
	return why;
}

/* To its end; what it has run with is in its JSON. */
static cJSON *stop(struct boot *b)
{
	struct bytes content = { 0 };
	cJSON *run = NULL;

	kill(b->pid, SIGTERM);
	while (listen_to(b))
		;
	close(b->said_by);
	waitpid(b->pid, NULL, 0);
	if (file_read(b->json, &content))
		run = cJSON_Parse(content.data);
	unlink(b->json);
	bytes_free(&content);
	return run;
}

static void share(struct boot *b, const char *why, cJSON *run)
{
	const struct cell of = *b->of;

	for (size_t i = 0; i < b->c->count; i++) {
		struct cell *cell = &b->c->cells[i];

		if (!may_share(b->c, cell) || !same_boot(&of, cell))
			continue;
		cell->boots = why != NULL;
		cell->from = why == NULL ? text("%s", b->snapshot) : NULL;
		cell->booted = why == NULL ? cJSON_Duplicate(run, true) : NULL;
	}
}

int compare_boot(struct comparison *c, const struct cell *of, const char *work)
{
	struct boot b = { .c = c, .of = of, .program = text("%s/vellum", program_directory()),
		.name = text("boot-%d-%zu", (int)getpid(), (size_t)(of - c->cells)),
		.snapshot = text("%s/%zu.snap", work, (size_t)(of - c->cells)), .json = text("%s/boot.json", work) };
	char *why;
	cJSON *run;

	sigprocmask(SIG_BLOCK, NULL, &b.signals);
	if (!c->quiet)
		say("one boot for %zu runs: begun", compare_sharing(c, of));
	start(&b);
	why = until_it_waits(&b) ? take_snapshot(&b) : text("its guest does not come to wait for its workload");
	run = stop(&b);
	if (b.signal == 0 && why != NULL)
		compare_note(c, text("no snapshot for %s, so each of its runs boots: %s", of->label, why));
	if (b.signal == 0)
		share(&b, why, run);
	cJSON_Delete(run);
	bytes_free(&b.said);
	free(why);
	free(b.program);
	free(b.name);
	free(b.snapshot);
	free(b.json);
	return b.signal;
}
