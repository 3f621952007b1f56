/* The workloads of the default initramfs, by name (guest/workload_list.h). */
#ifndef VELLUM_TOOL_WORKLOAD_H
#define VELLUM_TOOL_WORKLOAD_H

#include "tool/base/util.h"

/* NAME:SIZE with the size that it has by itself, where it has one; null: the default workload. The caller frees. */
char *workload_whole(const char *name);
/* Returns it, or ends the program with one sentence that begins with the option. */
const char *workload_checked(const char *option, const char *name);

#endif
