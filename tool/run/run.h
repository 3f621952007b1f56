/* Runs a machine to its end: starts it, relays its serial ports, collects what they tell. */
#ifndef VELLUM_TOOL_RUN_H
#define VELLUM_TOOL_RUN_H

#include "tool/options/options.h"

/* Returns the exit status of the program. */
int run(const struct options *options);

#endif
