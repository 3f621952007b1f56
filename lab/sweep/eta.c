/* lab/sweep/eta.c - see lab/sweep/eta.h. Time left: the weight that is left, at the speed of what is done. */
#include "lab/sweep/eta.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "tool/base/util.h"

struct lab_eta {
	unsigned workers, jobs, good, bad;
	double weight, finished; /* of all jobs; of those that have ended */
	struct running { double weight, part; uint64_t accesses; } *running;
	uint64_t accesses;
	double begun, shown;
	bool quiet, terminal, visible;
};

struct lab_eta *lab_eta_new(unsigned workers, unsigned jobs, double weight, bool quiet)
{
	struct lab_eta *e = calloc(1, sizeof(*e));

	if (!e || !(e->running = calloc(workers, sizeof(*e->running))))
		abort();
	e->workers = workers;
	e->jobs = jobs;
	e->weight = weight;
	e->quiet = quiet;
	e->terminal = isatty(2);
	e->begun = e->shown = clock_seconds();
	return e;
}

void lab_eta_delete(struct lab_eta *e)
{
	free(e->running);
	free(e);
}

void lab_eta_start(struct lab_eta *e, unsigned worker, double weight)
{
	e->running[worker] = (struct running){ .weight = weight };
}

void lab_eta_progress(struct lab_eta *e, unsigned worker, uint64_t done, uint64_t all)
{
	e->running[worker].accesses = done;
	e->running[worker].part = all ? (double)done / (double)all : 0;
	if (e->running[worker].part > 1)
		e->running[worker].part = 1;
}

void lab_eta_end(struct lab_eta *e, unsigned worker, bool good)
{
	e->good += good;
	e->bad += !good;
	e->finished += e->running[worker].weight;
	e->accesses += e->running[worker].accesses;
	e->running[worker] = (struct running){ 0 };
}

uint64_t lab_eta_accesses(const struct lab_eta *e)
{
	uint64_t sum = e->accesses;

	for (unsigned i = 0; i < e->workers; i++)
		sum += e->running[i].accesses;
	return sum;
}

char *lab_eta_text(double seconds, char buffer[32])
{
	unsigned long s = (unsigned long)(seconds + 0.5);

	if (s < 60)
		snprintf(buffer, 32, "%lu s", s);
	else if (s < 3600)
		snprintf(buffer, 32, "%lu min %lu s", s / 60, s % 60);
	else
		snprintf(buffer, 32, "%lu h %lu min", s / 3600, s / 60 % 60);
	return buffer;
}

void lab_eta_show(struct lab_eta *e, unsigned waiting, unsigned running)
{
	double now = clock_seconds(), finished = e->finished, seconds = now - e->begun;
	char left[32] = "";

	if (e->quiet || now - e->shown < (e->terminal ? 0.25 : 5))
		return;
	e->shown = now;
	for (unsigned i = 0; i < e->workers; i++)
		finished += e->running[i].weight * e->running[i].part;
	/* Less than a hundredth done tells nothing. */
	if (finished > e->weight / 100)
		lab_eta_text(seconds * (e->weight - finished) / finished, left);
	fprintf(stderr, "%s%u of %u cell%s done, %u running, %u waiting", e->terminal ? "\r\033[K" : "",
		e->good + e->bad, e->jobs, e->jobs == 1 ? "" : "s", running, waiting);
	if (e->bad)
		fprintf(stderr, ", %u FAILED", e->bad);
	fprintf(stderr, "; %.3g cells a minute, %.3g M accesses a second", (e->good + e->bad) / seconds * 60,
		(double)lab_eta_accesses(e) / 1e6 / seconds);
	fprintf(stderr, "%s%s%s", left[0] ? "; " : "", left, left[0] ? " left" : "");
	fputs(e->terminal ? "" : "\n", stderr);
	e->visible = true;
}

void lab_eta_clear(struct lab_eta *e)
{
	if (e->visible && e->terminal)
		fputs("\r\033[K", stderr);
	e->visible = false;
}
