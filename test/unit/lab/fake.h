/* A lab_run() that costs nothing, for tests of what is around it. Workloads: "fake:" and any of
 *   ms=N      takes so long
 *   hold=N    from seed N on, the run waits until there is a file "go" in the current directory (a minute at most)
 *   crash=N   at seed N the process dies
 *   fail=N    at seed N the run fails */
#ifndef VELLUM_TEST_UNIT_LAB_FAKE_H
#define VELLUM_TEST_UNIT_LAB_FAKE_H

#include "lab/lab.h"

/* What lab_run() gives for a configuration, without the wait. */
void lab_fake_result(const struct lab_config *config, struct lab_result *result);

#endif
