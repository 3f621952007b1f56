/* lab/sweep/worker.h - between lab/sweep/pool.c and lab/sweep/worker.c. */
#ifndef VELLUM_LAB_WORKER_H
#define VELLUM_LAB_WORKER_H

#include <sys/types.h>

#include "lab/sweep/pool.h"

/* Starts the process for a job; its messages come through *fd. -1: errno says why not. */
pid_t lab_worker_start(const struct lab_pool *pool, const struct lab_job *job, unsigned number, int *fd);

#endif
