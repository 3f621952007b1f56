/* vellum run --trace FILE: every exit, in a file for Perfetto and Chrome, or as CSV (docs/tracing.md). */
#ifndef VELLUM_TOOL_RUN_TRACE_H
#define VELLUM_TOOL_RUN_TRACE_H

#include "tool/options/drives.h"
#include "tool/options/options.h"
#include "tool/base/result.h"

/* Ends the program with one sentence if the file cannot be. */
void trace_check(const struct options *options);
/* Makes the file behind drives->swap, of so many bytes, if there is one: a hole. */
void swap_make_disk(struct drives *drives, const char *work, uint64_t bytes);
/* Makes the file behind drives->trace in the run's directory, if there is one. */
void trace_make_disk(struct drives *drives, const char *work);
/* Makes the file that was asked for of what is on the disk. */
void trace_write(const struct options *options, const struct drives *drives, const struct run_result *result);

#endif
