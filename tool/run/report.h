/* "What it cost": the run's counters as a table for people. */
#ifndef VELLUM_TOOL_REPORT_H
#define VELLUM_TOOL_REPORT_H

#include <stdio.h>

#include "tool/base/number.h"
#include "tool/base/result.h"

void report_print(FILE *out, const struct run_result *result);
/* A sentence for each virtual machine that did not end well. */
void report_bad_ends(FILE *out, const struct run_result *result);

/* report_detail.c: what --detail has found; nothing where there is nothing. */
void report_detail(FILE *out, const struct vm_result *vm);

#endif
