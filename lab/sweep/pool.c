/* lab/sweep/pool.c - see lab/sweep/pool.h. The parent sleeps in ppoll() until a worker has something to say, a signal
 * comes, or the progress line is due. */
#include "lab/sweep/pool.h"

#include <errno.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lab/sweep/eta.h"
#include "lab/sweep/worker.h"
#include "tool/base/util.h"

/* Signals come to no one but a flag. */
static volatile sig_atomic_t interrupts, terminated;

static void on_signal(int number)
{
	if (number == SIGINT)
		interrupts++;
	else
		terminated = 1;
}

struct worker {
	pid_t pid;        /* 0: idle */
	int fd;
	unsigned job;
	double started;
	char *text;       /* what it said and was not read yet */
	size_t used, room;
	char *line, *error;
};

struct state {
	const struct lab_pool *pool;
	const struct lab_job *jobs;
	struct worker *worker;
	unsigned workers, running;
	unsigned *order, next, count;
	struct lab_pool_report *report;
	struct lab_eta *eta;
	bool stop;        /* start nothing more */
};

/* ---- what workers say ---- */

static void heard(struct state *s, struct worker *w, char *message)
{
	unsigned long long done, all;

	if (message[0] == 'p' && sscanf(message, "p %llu %llu", &done, &all) == 2)
		lab_eta_progress(s->eta, (unsigned)(w - s->worker), done, all);
	else if (message[0] == 'r' && !w->line)
		w->line = strdup(message + 2);
	else if (message[0] == 'e' && !w->error)
		w->error = strdup(message + 2);
}

static void hear(struct state *s, struct worker *w)
{
	char *newline, *from = w->text;

	while ((newline = memchr(from, '\n', w->used - (size_t)(from - w->text)))) {
		*newline = '\0';
		if (newline - from >= 2)
			heard(s, w, from);
		from = newline + 1;
	}
	w->used -= (size_t)(from - w->text);
	memmove(w->text, from, w->used);
}

/* Reads what there is. false: the worker has closed its end. */
static bool receive(struct state *s, struct worker *w)
{
	ssize_t n;

	if (w->room - w->used < 4096) {
		w->room = w->room * 2 + 8192;
		w->text = realloc(w->text, w->room);
		if (!w->text)
			abort();
	}
	n = read(w->fd, w->text + w->used, w->room - w->used);
	if (n < 0 && errno == EINTR)
		return true;
	if (n <= 0)
		return false;
	w->used += (size_t)n;
	hear(s, w);
	return true;
}

/* ---- starting and ending ---- */

static bool start(struct state *s, struct worker *w)
{
	w->job = s->order[s->next];
	w->pid = lab_worker_start(s->pool, &s->jobs[w->job], w->job, &w->fd);
	if (w->pid < 0) {
		w->pid = 0;
		return false;
	}
	s->next++;
	s->running++;
	w->used = 0;
	w->line = w->error = NULL;
	w->started = clock_seconds();
	lab_eta_start(s->eta, (unsigned)(w - s->worker), s->jobs[w->job].weight);
	return true;
}

static bool end(struct state *s, struct worker *w)
{
	int status;
	char why[100] = "its process ended without a result";
	bool ok;

	while (waitpid(w->pid, &status, 0) < 0 && errno == EINTR)
		continue;
	close(w->fd);
	if (WIFSIGNALED(status))
		snprintf(why, sizeof(why), "its process was ended by signal %d (%s)", WTERMSIG(status),
			 strsignal(WTERMSIG(status)));
	s->report->busy += clock_seconds() - w->started;
	s->report->done += w->line != NULL;
	s->report->failed += w->line == NULL;
	lab_eta_end(s->eta, (unsigned)(w - s->worker), w->line != NULL);
	lab_eta_clear(s->eta);
	ok = s->pool->done(s->pool->ctx, w->job, w->line, w->line ? NULL : w->error ? w->error : why);
	free(w->line);
	free(w->error);
	w->pid = 0;
	s->running--;
	return ok;
}

static void kill_all(struct state *s)
{
	for (unsigned i = 0; i < s->workers; i++) {
		struct worker *w = &s->worker[i];

		if (!w->pid)
			continue;
		kill(w->pid, SIGKILL);
		/* A result that had already come is kept. */
		if (w->line) {
			end(s, w);
			continue;
		}
		while (waitpid(w->pid, NULL, 0) < 0 && errno == EINTR)
			continue;
		close(w->fd);
		free(w->error);
		w->pid = 0;
		s->running--;
	}
}

/* ---- the loop ---- */

static bool start_workers(struct state *s, struct lab_error *error)
{
	for (unsigned i = 0; i < s->workers && s->next < s->count && !s->stop; i++) {
		if (s->worker[i].pid || start(s, &s->worker[i]))
			continue;
		/* Fewer workers than wanted will do, as long as there is one. */
		return s->running || lab_fail(error, "cannot start a process for a run: %s", strerror(errno));
	}
	return true;
}

static void heed_signals(struct state *s)
{
	if (interrupts && !s->stop && s->running && !s->pool->quiet) {
		lab_eta_clear(s->eta);
		fprintf(stderr,
			"vellum: interrupted: %u running cell%s will be finished and kept; Ctrl-C again stops at "
			"once\n",
			s->running, s->running == 1 ? "" : "s");
	}
	if (interrupts || terminated)
		s->stop = s->report->interrupted = true;
	if (interrupts > 1 || terminated)
		kill_all(s);
}

static bool poll_workers(struct state *s, struct lab_error *error)
{
	struct pollfd *poll = calloc(s->workers, sizeof(*poll));
	struct worker **who = calloc(s->workers, sizeof(*who));
	struct timespec wait = { 0, 250000000 };
	sigset_t none;
	unsigned n = 0;
	bool ok = true;

	if (!poll || !who)
		abort();
	sigemptyset(&none);
	for (unsigned i = 0; i < s->workers; i++) {
		if (!s->worker[i].pid)
			continue;
		poll[n] = (struct pollfd){ .fd = s->worker[i].fd, .events = POLLIN };
		who[n++] = &s->worker[i];
	}
	if (ppoll(poll, n, &wait, &none) > 0)
		for (unsigned i = 0; i < n && ok; i++)
			if (poll[i].revents && !receive(s, who[i]))
				ok = end(s, who[i]);
	free(poll);
	free(who);
	if (!ok)
		return lab_fail(error, "the sweep was stopped");
	lab_eta_show(s->eta, s->count - s->next, s->running);
	return true;
}

static int heavier(const void *a, const void *b, void *ctx)
{
	const struct lab_job *jobs = ctx;
	unsigned i = *(const unsigned *)a, j = *(const unsigned *)b;
	double left = jobs[i].weight, right = jobs[j].weight;

	return left > right ? -1 : left < right ? 1 : i < j ? -1 : 1;
}

static double children_seconds(void)
{
	struct rusage u;

	getrusage(RUSAGE_CHILDREN, &u);
	return (double)(u.ru_utime.tv_sec + u.ru_stime.tv_sec) +
	       (double)(u.ru_utime.tv_usec + u.ru_stime.tv_usec) / 1e6;
}

/* The loop proper, between signals caught and signals let go. */
static bool run(struct state *s, struct lab_error *error)
{
	double total = 0;
	bool ok = true;

	for (unsigned i = 0; i < s->count; i++) {
		s->order[i] = i;
		total += s->jobs[i].weight;
	}
	qsort_r(s->order, s->count, sizeof(*s->order), heavier, (void *)(uintptr_t)s->jobs);
	s->eta = lab_eta_new(s->workers, s->count, total, s->pool->quiet);
	while (ok && (s->running || (s->next < s->count && !s->stop))) {
		heed_signals(s);
		ok = start_workers(s, error) && (!s->running || poll_workers(s, error));
	}
	kill_all(s);
	lab_eta_clear(s->eta);
	s->report->accesses = lab_eta_accesses(s->eta);
	lab_eta_delete(s->eta);
	return ok;
}

/* CPUs that this process may use. */
static unsigned usable_cpus(void)
{
	cpu_set_t set;

	if (sched_getaffinity(0, sizeof(set), &set))
		return 1;
	return CPU_COUNT(&set) > 0 ? (unsigned)CPU_COUNT(&set) : 1;
}

bool lab_pool_run(const struct lab_pool *pool, const struct lab_job *jobs, unsigned count,
		  struct lab_pool_report *report, struct lab_error *error)
{
	struct state s = { .pool = pool, .jobs = jobs, .count = count, .report = report };
	struct sigaction action = { .sa_handler = on_signal }, old_int, old_term;
	double begun = clock_seconds(), cpu = children_seconds();
	sigset_t caught, before;
	bool ok;

	*report = (struct lab_pool_report){ 0 };
	s.workers = pool->workers ? pool->workers : usable_cpus();
	if (s.workers > count)
		s.workers = count ? count : 1;
	s.worker = calloc(s.workers, sizeof(*s.worker));
	s.order = calloc(count + 1, sizeof(*s.order));
	if (!s.worker || !s.order)
		abort();
	interrupts = terminated = 0;
	/* Blocked but in ppoll(), so that none slips in between the look at the flags and the sleep. */
	sigemptyset(&caught);
	sigaddset(&caught, SIGINT);
	sigaddset(&caught, SIGTERM);
	sigprocmask(SIG_BLOCK, &caught, &before);
	sigaction(SIGINT, &action, &old_int);
	sigaction(SIGTERM, &action, &old_term);
	ok = run(&s, error);
	sigaction(SIGINT, &old_int, NULL);
	sigaction(SIGTERM, &old_term, NULL);
	sigprocmask(SIG_SETMASK, &before, NULL);
	for (unsigned i = 0; i < s.workers; i++)
		free(s.worker[i].text);
	free(s.worker);
	free(s.order);
	report->workers = s.workers;
	report->left = count - report->done - report->failed;
	report->seconds = clock_seconds() - begun;
	report->cpu_seconds = children_seconds() - cpu;
	return ok;
}

double lab_pool_weight(const struct lab_config *config, uint64_t accesses)
{
	static const struct { const char *mechanism; double factor; } factors[] = {
		{ "native", 1 }, { "ept", 1.5 }, { "shadow", 1.5 }, { "vtlb", 2 }, { "brute", 6 },
	};
	double weight = accesses ? (double)accesses : 1e6;

	if (config->limit && (double)config->limit < weight)
		weight = (double)config->limit;
	for (unsigned i = 0; i < sizeof(factors) / sizeof(factors[0]); i++)
		if (!strcmp(factors[i].mechanism, config->hv.mechanism))
			weight *= factors[i].factor;
	/* Smaller pages, more walks; a nested walk has as many parts as both sizes together. */
	if (config->guest.pages == 12 || config->hv.pages == 12)
		weight *= 1.5;
	return weight * (double)(config->hv.vms ? config->hv.vms : 1) * (config->plain ? 8 : 1);
}
