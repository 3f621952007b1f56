/* lab/sweep/pool.h - runs many configurations on many CPUs: one process for each run, so that a run that crashes takes
 * nothing with it.
 *
 * P1: every job ends in exactly one call of done, but for those that an interruption left out.
 * P2: done is called in the caller's process, one at a time; what it makes of a result is safe whatever happens to
 *     other jobs.
 * P3: when the caller's process dies, its workers die. */
#ifndef VELLUM_LAB_POOL_H
#define VELLUM_LAB_POOL_H

#include "lab/sweep/result.h"

struct lab_job {
	const struct lab_config *config;
	const char *label;  /* for messages */
	double weight;      /* how long it takes compared with the others; > 0 */
};

struct lab_pool {
	unsigned workers;   /* 0: as many as CPUs that this process may use */
	bool quiet;         /* no progress on stderr */
	/* The line that a worker makes of its result (lab_record_line, say), in the worker's process; without a newline
	 * inside. */
	char *(*line)(void *ctx, unsigned job, const struct lab_result *result);
	/* A job has ended: with its line, or (line NULL) with an error sentence. false: stop everything. */
	bool (*done)(void *ctx, unsigned job, const char *line, const char *error);
	void *ctx;
};

/* How it went. */
struct lab_pool_report {
	unsigned done, failed, left;
	bool interrupted;     /* SIGINT or SIGTERM */
	unsigned workers;
	double seconds, busy; /* of wall clock; summed over workers, the part of it in which they had work */
	double cpu_seconds;   /* of the workers */
	uint64_t accesses;    /* made */
};

/* Runs jobs, the heaviest first. The first SIGINT lets those that run come to their end, a second one (or SIGTERM)
 * stops them. false: no process could be made, or done said so (error, where it has not been written). */
bool lab_pool_run(const struct lab_pool *pool, const struct lab_job *jobs, unsigned count,
		  struct lab_pool_report *report, struct lab_error *error);

/* A guess of how long a configuration runs, in any unit. accesses: of its workload, 0 where unknown. */
double lab_pool_weight(const struct lab_config *config, uint64_t accesses);

#endif
