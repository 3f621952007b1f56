/* lab/command/sweep_run.h - runs what is missing of a sweep, keeps it, and shows the whole. */
#ifndef VELLUM_LAB_SWEEP_RUN_H
#define VELLUM_LAB_SWEEP_RUN_H

#include "lab/sweep/sweep.h"
#include "lab/show/view.h"

struct lab_sweep_run {
	const struct lab_sweep *sweep;   /* with keys and weights */
	const struct lab_output *output;
	const char *file;                /* the results file */
	unsigned jobs;                   /* runs at a time; 0: as many as CPUs */
	unsigned first, last;            /* only these cells, counted from 1; 0: all */
	bool quiet;
};

/* Returns the command's exit status: 0, 1 where a cell failed, 2 with an error, 130 when interrupted. */
int lab_sweep_run(const struct lab_sweep_run *run, struct lab_error *error);

#endif
