/* tool/ctl/snapshot.h - a snapshot that is being taken, between tool/ctl/snapshot.c and its writing. */
#ifndef VELLUM_TOOL_CTL_SNAPSHOT_H
#define VELLUM_TOOL_CTL_SNAPSHOT_H

#include "tool/ctl/ctl.h"

struct snapshot_job {
	struct ctl *ctl;
	const char *vm;
	char error[300];
	uint64_t frames;         /* of the image: one more than the highest that there can be */
	uint8_t *image;          /* all of the guest-physical memory */
	uint8_t *seen;           /* of each frame: was it ever told? Else it is zero */
	struct bytes description, machine, *cpu;
	unsigned cpus, rounds;
	uint64_t tsc_hz, ram_pages, high_pages, /* of those, above 4 GBytes */ told; /* pages that have left */
	uint64_t display_pages;  /* of its display's own memory */
	bool paused;             /* by us */
	/* Not NULL: the machine is to leave for good. Then this is .paused for another process, set before the pause is
	 * asked for, and the hypervisor is not told that the snapshot is over (ME3) */
	bool *stands;
	int disk;                /* the machine's own, by which the memory leaves; -1: by the channel */
};

/* Fills the job with what the virtual machine is; its first three members are the caller's. Then the machine stands,
 * and unless it is to leave the hypervisor has forgotten the snapshot. *stood: when it was stopped. false: job->error
 * is one sentence, and the machine goes on as it was. SIGINT and SIGTERM interrupt this. */
bool snapshot_take(struct snapshot_job *job, double *stood);
void snapshot_free(struct snapshot_job *job);
/* A signal has come since snapshot_take() began. */
bool snapshot_interrupted(void);

/* Writes the file, whole or not at all (then it does not return). Its bytes. (tool/ctl/snapshot_write.c) */
size_t snapshot_write(struct snapshot_job *job, const char *path);

#endif
