/* test/unit/emulate/freedom.h - what the SDM leaves open of an instruction, and what CPUs of one make do otherwise than
 * those of another. Everything else of a case must be the same on the host CPU and in the emulator. */
#ifndef VELLUM_TEST_EMULATE_FREEDOM_H
#define VELLUM_TEST_EMULATE_FREEDOM_H

#include "test/unit/emulate/cases.h"

/* May the two ends of the case differ, in their exceptions and all that follows? */
bool freedom_allows(const struct case_ *c, const struct state *native, const struct state *emulated);
/* Is what the FPU, SSE's control and the MMX registers hold the same, where it must be? */
bool freedom_same_units(const struct case_ *c, const struct state *native, const struct state *emulated);
/* Makes alike what may differ in registers. */
void freedom_forget(const struct case_ *c, struct state *native, struct state *emulated);

#endif
