/* host/device/wallclock.h - the time of day, from the machine's CMOS clock. */
#ifndef VELLUM_HOST_WALLCLOCK_H
#define VELLUM_HOST_WALLCLOCK_H

#include "lib/base.h"

/* Seconds since 1970, taking the CMOS clock to run in UTC. */
uint64_t wallclock_read(void);

#endif
