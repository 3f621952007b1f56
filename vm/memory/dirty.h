/* vm/memory/dirty.h - how fast a guest dirties its RAM: all of it is logged (mmu_log_start) for some seconds of the
 * guest's clock, and counted.
 *
 * DY1  A measurement ends by itself, by an alarm of the VM's clock, whether whoever asked is still there or not; a VM
 *      has one at a time.
 * DY2  RAM is logged while it goes on, all of it, and not before or behind: no page is counted for a write at another
 *      time, and what nobody measures costs nothing.
 * DY3  The log's memory is taken when it begins, and given back when it ends or with the VM.
 *
 * The boot processor's CPU alone touches it. The clock of a paused VM stands still, and the measurement with it. A
 * change of the mechanism keeps the log: the new tables begin empty, so that the next write to a page is seen. */
#ifndef VELLUM_VM_DIRTY_H
#define VELLUM_VM_DIRTY_H

#include "dev/dev.h"
#include "mmu/addr.h"

#define DIRTY_LOGS 3 /* RAM below 4 GBytes, in two parts where a firmware leaves a hole, and above */

enum dirty_state { DIRTY_NEVER, DIRTY_MEASURING, DIRTY_MEASURED };

struct dirty_log {
	gfn_t base;
	uint64_t pages;
	uint64_t *bits; /* the log, and behind it as much for what is collected; NULL: none */
};

struct dirty_rate {
	enum dirty_state state;
	uint64_t number;  /* of the measurement, from 1 on */
	uint64_t seconds; /* that were asked for */
	uint64_t began;   /* ticks of the VM's clock */
	uint64_t ticks;   /* of that clock, which it took */
	uint64_t pages;   /* that were written in that time */
	uint64_t switches; /* of the mechanism meanwhile; while it is measured: before */
	struct dirty_log log[DIRTY_LOGS];
	struct timer timer;
};

struct vm;
/* Begins one, of 1 to 60 seconds; called on the CPU of the VM's boot processor, with no lock held. NULL,
 * or one clause that says why not. */
const char *dirty_begin(struct vm *vm, uint64_t seconds);
/* Serves REQUEST_DIRTY: its time has come. */
void dirty_end(struct vm *vm);
/* The VM is over: gives back what a measurement holds. */
void dirty_free(struct vm *vm);

#endif
