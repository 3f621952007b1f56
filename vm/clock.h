/* vm/clock.h - the clock of a VM: what the guest's TSC, its timers and its devices run by, in ticks of the host's TSC.
 *
 * It may go on for ever, as time outside does (`clock host`). Or it stands still while the hypervisor works for the
 * guest, or another VM has the CPU, and goes on only while the guest runs or sleeps in HLT (`clock guest`): then the
 * guest cannot see what the hypervisor costs it, and gets the same timer interrupts under a dear mechanism as under a
 * cheap one. The clock of a paused VM stands still either way.
 *
 * K1  A clock never goes back, and each entry into the guest is a tick of it at least, also one that ends in another
 *     exit before the guest's first instruction: a guest that takes one exception after the other comes to its timers,
 *     as on a CPU.
 * K2  While the guest runs, the CPU's TSC offset for it is vcpu.tsc_offset - behind: its TSC and its timers are one
 *     clock.
 * K3  Only the CPU that a VM's vCPU is on touches its clock; of a VM with several, whoever pauses it or lets it go on,
 *     under its pause_lock (vm/sched/freeze.c), while none of them runs. */
#ifndef VELLUM_VM_CLOCK_H
#define VELLUM_VM_CLOCK_H

#include "host/cpu/x86.h"
#include "lib/base.h"
#include "lib/mutants/mutate.h"

/* Instructions of the hypervisor between its reading of the TSC and the guest's first instruction (vm/run.c,
 * vmx/entry.S): the guest's own clock does not count them, as it does not those from the guest's last instruction to
 * the next reading (hvm_vcpu.exit_ticks). What is taken off for both may be some more than was needed; clock_exit()
 * keeps K1 then. A real CPU needs more ticks for a VM entry and for a VM exit. */
#define CLOCK_ENTRY_TICKS 46

struct vm_clock {
	uint64_t behind;     /* ticks that it lacks of the TSC, when it goes */
	uint64_t stopped_at; /* TSC; while the guest runs, that of the entry */
	bool stopped;
	bool guest_only; /* `clock guest` */
};

static inline uint64_t clock_now(const struct vm_clock *c)
{
	return (c->stopped ? c->stopped_at : rdtsc()) - c->behind;
}

/* Of one that stands. */
static inline uint64_t clock_stopped_now(const struct vm_clock *c)
{
	ASSERT(c->stopped);
	return c->stopped_at - c->behind;
}

/* tsc: the present, by the TSC, or as it was a little while ago. */
static inline void clock_stop(struct vm_clock *c, uint64_t tsc)
{
	if (!c->stopped) {
		c->stopped = true;
		c->stopped_at = tsc;
	}
}

static inline void clock_go(struct vm_clock *c, uint64_t tsc)
{
	if (c->stopped) {
		c->stopped = false;
		c->behind += tsc - c->stopped_at;
	}
}

/* The same around an entry, where it is known to stand, or to go. */
static inline void clock_enter(struct vm_clock *c, uint64_t tsc)
{
	ASSERT(c->stopped);
	c->stopped = false;
	c->behind += tsc - c->stopped_at;
	c->stopped_at = tsc;
}

static inline void clock_exit(struct vm_clock *c, uint64_t tsc)
{
	ASSERT(!c->stopped);
	c->stopped = true;
	c->stopped_at = VM_LEFT_OUT_OR(CLOCK_TICK, tsc > c->stopped_at) ? tsc : c->stopped_at + 1;
}

/* A clock that stands goes on by a tick: for an instruction of the guest's that the hypervisor has carried out, which
 * took more. */
static inline void clock_tick(struct vm_clock *c)
{
	if (c->stopped && c->stopped_at < rdtsc())
		c->stopped_at++;
}

/* One that stands goes on to this time, as far as it has ever stood still. */
static inline void clock_forward(struct vm_clock *c, uint64_t time)
{
	uint64_t now = clock_stopped_now(c);

	if (time > now)
		c->behind -= min_u64(time - now, c->behind);
}

/* The TSC at which the clock shows deadline, if it does not stop any more from its last stop on: at or before the time
 * that it will. UINT64_MAX: never. */
static inline uint64_t clock_alarm(const struct vm_clock *c, uint64_t deadline)
{
	return deadline > UINT64_MAX - c->behind ? UINT64_MAX : deadline + c->behind;
}

#endif
