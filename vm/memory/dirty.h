/* vm/memory/dirty.h - which pages of its RAM a guest writes to: all of it is logged (mmu_log_start), for one user at a
 * time. Those are: a measurement, which counts for some seconds of the guest's clock; a watch, which goes on until it
 * is told to end, and says how fast and where; and who copies the memory while the guest runs.
 *
 * DY1  A measurement ends by itself, by an alarm of the VM's clock, whether whoever asked is still there or not. There
 *      is one user at a time: a second is refused.
 * DY2  RAM is logged while it goes on, all of it, and not before or behind: no page is counted for a write at another
 *      time, and what nobody measures costs nothing.
 * DY3  The log's memory is taken when it begins, and given back when it ends or with the VM.
 * DY4  A watch looks at each period, by such an alarm: of each what was written in it is counted once, however often
 *      it was.
 *
 * The boot processor's CPU alone touches it. The clock of a paused VM stands still, and the measurement with it. A
 * change of the mechanism keeps the log: what the old tables say is in it before they go, and the new ones begin
 * empty, so that the next write to a page is seen. The areas of a firmware's that are RAM now and ROM then (PAM) are
 * not logged. */
#ifndef VELLUM_VM_DIRTY_H
#define VELLUM_VM_DIRTY_H

#include "dev/dev.h"
#include "mmu/mmu.h"

#define DIRTY_LOGS 4 /* RAM below 4 GBytes, in up to three parts where a firmware leaves a hole, and above */
#define DIRTY_REGIONS 64
#define DIRTY_PERIODS_PER_SECOND 10

enum dirty_state { DIRTY_NEVER, DIRTY_MEASURING, DIRTY_MEASURED };
/* Of the last two the second copies, and logs, only what is not in a struct ram (vm/memory/ram.h). */
enum dirty_user { DIRTY_NOBODY, DIRTY_MEASURE, DIRTY_WATCH, DIRTY_COPY, DIRTY_COPY_FIRST };

struct dirty_log {
	gfn_t base;
	uint64_t pages;
	uint64_t *bits; /* the log, and behind it as much for what is collected; NULL: none */
};

/* What a watch has seen. The numbers of pages are of all RAM, one after the other. */
struct dirty_watch {
	uint64_t began, seen; /* ticks of the VM's clock: its beginning, and its last look */
	uint64_t periods;
	uint64_t pages;       /* that were written, of each period; the sum */
	uint64_t last_pages, last_ticks; /* of the last period */
	uint64_t region_pages; /* of a region */
	uint64_t heat[DIRTY_REGIONS]; /* the same sum for each region */
	struct mmu_counters before; /* when it began */
};

struct dirty_rate {
	enum dirty_user user;
	enum dirty_state state;
	uint64_t number;  /* of the measurement, from 1 on */
	uint64_t seconds; /* that were asked for */
	uint64_t began;   /* ticks of the VM's clock */
	uint64_t ticks;   /* of that clock, which it took */
	uint64_t pages;   /* that were written in that time */
	uint64_t switches; /* of the mechanism meanwhile; while it is measured: before */
	enum mmu_log_method by; /* how writes were found */
	struct dirty_watch watch;
	struct dirty_log log[DIRTY_LOGS];
	struct timer timer;
};

struct vm;

/* For who copies the memory, and for what is below. All RAM is logged from now on. NULL, or one clause that says why
 * not; then nothing has changed. Called on the CPU of the VM's boot processor, or while none of its CPUs runs, with no
 * lock held; so are the next two. */
const char *dirty_log_begin(struct vm *vm, enum dirty_user user);
/* What was written since it began, or was collected last: each for 64 pages from first on of which some are, by bits,
 * in order; writes to them are found again already. It may be NULL. Returns the number of pages. */
uint64_t dirty_log_collect(struct vm *vm, void (*each)(void *ctx, gfn_t first, uint64_t pages), void *ctx);
void dirty_log_end(struct vm *vm);

/* Begins a measurement of 1 to 60 seconds; called on the CPU of the VM's boot processor, with no lock held. NULL,
 * or one clause that says why not. */
const char *dirty_begin(struct vm *vm, uint64_t seconds);
/* A watch begins, with writes found from now on by the method of that name, or, where it is "", as the description
 * says; it ends. The same. */
const char *dirty_watch_on(struct vm *vm, const char *method);
const char *dirty_watch_off(struct vm *vm);
/* How writes are found now. */
const char *dirty_method(const struct vm *vm);
/* Serves REQUEST_DIRTY: the time of a measurement, or of a watch's period, has come. */
void dirty_end(struct vm *vm);
/* The VM is over: gives back what is held. */
void dirty_free(struct vm *vm);

#endif
