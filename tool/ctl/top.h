/* vellum top: what a run's virtual machines do, second by second. top.c samples, top_screen.c shows. */
#ifndef VELLUM_TOOL_TOP_H
#define VELLUM_TOOL_TOP_H

#include <stdio.h>

#include "tool/ctl/ctl.h"

enum { TOP_VMS = 16, TOP_REASONS = 80 };

/* By what reasons are sorted: exits a second, time, ticks of each, name. */
enum top_sort { TOP_BY_COUNT, TOP_BY_TIME, TOP_BY_EACH, TOP_BY_NAME, TOP_SORTS };
extern const char *const top_sorts[TOP_SORTS + 1];

struct top_reason {
	char name[40];
	double count, ticks;            /* so far */
	/* of the machine's time, since the sample before: exits, and time in their handlers (0 to 1) */
	double per_second, share;
};

struct top_vm {
	char name[40], state[12], mmu[16];
	unsigned cpu;
	double ticks, hz, guest, hypervisor;    /* so far; hz: ticks in a second */
	double guest_share, hypervisor_share, exits_per_second;
	double table_pages, switches;
	/* Of its RAM; merged_mb of what is resident, packed_mb (compressed in memory) of what is swapped. */
	double resident_mb, merged_mb, swapped_mb, packed_mb;
	double dirtied_per_second;      /* pages, where that is watched (ctl dirty VM on), by its own clock */
	bool watched;
	bool known;                     /* the figures per second are */
	struct top_reason reason[TOP_REASONS];
	unsigned reasons;
};

struct top {
	struct ctl ctl;
	char *run;
	struct top_vm vm[TOP_VMS];
	unsigned vms;
	const char *only;               /* the one virtual machine that is shown; NULL: all */
	enum top_sort sort;
	struct top_vm all;              /* the sum of those that are shown */
	double machine_seconds;         /* since it was switched on */
	double pace;                    /* the machine's seconds in one of ours; 0: not known yet */
	double machine_then, real_then;
};

int top_main(int argc, char **argv);

/* Asks for all figures once more. false: error is one sentence. */
bool top_sample(struct top *top, char *error, size_t error_size);
/* The reasons with exits of late, sorted: their places in vm->reason. Returns how many. */
unsigned top_order(const struct top_vm *vm, enum top_sort sort, unsigned *order);
/* What of its RAM is where, in a line of less than 80 columns. */
void top_memory(const struct top_vm *vm, char *line, size_t size);
/* Prints what has come in each interval, seconds, of a virtual machine or, with their sum, of all, until the run ends;
 * the exit status. */
int top_follow(const char *run, const char *vm, unsigned interval, bool json);
/* Until the user leaves it; the exit status. */
int top_screen(struct top *top);
/* Can the terminal's cursor be moved (terminal.c)? */
bool top_screen_possible(void);

#endif
