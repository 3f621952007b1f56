/* guest/test/tpr/tprcost.h - what one access to the TPR costs, by each form of instruction. */
#ifndef VELLUM_GUEST_TEST_TPRCOST_H
#define VELLUM_GUEST_TEST_TPRCOST_H

#include "guest/test/base/bench.h"

/* Lines BENCH FORM MIN MEDIAN, in TSC ticks, less what two RDTSC cost alone. The TPR is as before. */
void measure_forms(void);

#endif
