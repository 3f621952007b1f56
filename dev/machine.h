/* dev/machine.h - what a guest can ask of the machine as a whole, or tell it of itself: reset, power off, leave with a
 * status; a panic.
 *
 * The devices only report; whoever owns the VM stops it after the access that asked has been completed. */
#ifndef VELLUM_DEV_MACHINE_H
#define VELLUM_DEV_MACHINE_H

#include "lib/base.h"

enum machine_event {
	MACHINE_RESET,      /* value: the port that asked (0xcf9, 0x64 or 0x92) */
	MACHINE_POWER_OFF,  /* value: the port that asked (PM1a control, or 0x8900 after "Shutdown") */
	MACHINE_DEBUG_EXIT, /* value: what was written to port 0xf4 */
	MACHINE_PANICKED,   /* value: the port that told it (pvpanic) */
	MACHINE_CRASH_LOADED, /* the same, and a crash kernel takes over */
};

struct machine_sink {
	void (*event)(void *ctx, enum machine_event kind, uint32_t value);
	void *ctx;
};

static inline void machine_report(const struct machine_sink *s, enum machine_event kind, uint32_t value)
{
	if (s->event)
		s->event(s->ctx, kind, value);
}

#endif
