/* vellum top: what a run's virtual machines do, second by second. top.c samples, top_screen.c shows. */
#ifndef VELLUM_TOOL_TOP_H
#define VELLUM_TOOL_TOP_H

#include <stdio.h>

#include "tool/ctl/ctl.h"

enum { TOP_VMS = 16, TOP_REASONS = 80 };

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
	bool known;                     /* the figures per second are */
	struct top_reason reason[TOP_REASONS];
	unsigned reasons;
};

struct top {
	struct ctl ctl;
	char *run;
	struct top_vm vm[TOP_VMS];
	unsigned vms;
	double machine_seconds;         /* since it was switched on */
	double pace;                    /* the machine's seconds in one of ours; 0: not known yet */
	double machine_then, real_then;
};

int top_main(int argc, char **argv);

/* Asks for all figures once more. false: error is one sentence. */
bool top_sample(struct top *top, char *error, size_t error_size);
/* The reasons with exits of late, most frequent first: their places in vm->reason. Returns how many. */
unsigned top_order(const struct top_vm *vm, unsigned *order);
/* Until the user leaves it; the exit status. */
int top_screen(struct top *top);
/* Can the terminal's cursor be moved (terminal.c)? */
bool top_screen_possible(void);

#endif
