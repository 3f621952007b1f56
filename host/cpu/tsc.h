/* host/cpu/tsc.h - how fast the TSC runs. */
#ifndef VELLUM_HOST_TSC_H
#define VELLUM_HOST_TSC_H

#include "lib/base.h"

/* Ticks a second, measured against the 8254 over 20 ms; where the firmware has switched the 8254 off, what CPUID says.
 * 0: neither. */
uint64_t tsc_measure(void);

#endif
