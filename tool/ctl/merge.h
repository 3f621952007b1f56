/* vellum ctl merge: pages that hold the same, of one virtual machine or of all. */
#ifndef VELLUM_TOOL_CTL_MERGE_H
#define VELLUM_TOOL_CTL_MERGE_H

#include "tool/ctl/ctl.h"

/* [VM] on, off or stats. */
int merge_command(struct ctl *ctl, bool json, int argc, char **argv);

#endif
