/* A run that goes on with a snapshot (docs/snapshot.md): what its virtual machine is, the file says. */
#ifndef VELLUM_TOOL_RESTORE_H
#define VELLUM_TOOL_RESTORE_H

#include "tool/options/options.h"

/* Reads the virtual machine out of the file that options->restore names, and changes what options may change of it.
 * Ends the program with one sentence where the file is no snapshot, or an option would make it another machine. */
void restore_prepare(struct vm_config *vm, const struct options *options);
/* The same of the file that a description names, which is only looked at. */
void restore_check(const struct vm_config *vm);

#endif
