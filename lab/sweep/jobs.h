/* lab/sweep/jobs.h - a sweep as a list of jobs for other schedulers: GNU parallel, or a Slurm array. */
#ifndef VELLUM_LAB_JOBS_H
#define VELLUM_LAB_JOBS_H

#include <stdbool.h>

#include "lab/error.h"

enum { LAB_JOBS_ARRAY_MOST = 4000001 }; /* slurm.conf(5): MaxArraySize may not exceed it */

struct lab_jobs {
	const char *kind;     /* "parallel" or "slurm" */
	const char *file;     /* the results file that all will be joined in */
	unsigned cells;       /* of the sweep, possible ones and others */
	unsigned chunk;       /* cells for each job; 0: a good number */
	unsigned array;       /* tasks of a Slurm array at most; 0: what the cluster says, or else Slurm's default */
	unsigned words;       /* the command's own options, without those about jobs, cells and files */
	char **word;
};

/* Writes FILE.jobs (parallel) or FILE.sbatch (slurm), which run every cell with a results file of its own under
 * FILE.parts/, and says on out how to start it and how to join the results. */
bool lab_jobs_write(const struct lab_jobs *jobs, struct lab_error *error);

#endif
