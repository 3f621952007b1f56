/* A copy of a 64-bit ELF kernel without what a loader would drop or make up anyway: sections, symbols, gaps, and long
 * runs of zeros in loadable segments. The boot loader needs about ten instructions per byte of it, through the BIOS:
 * Debian's vmlinux is 65 MB, 31 MB of them are not zero. */
#ifndef VELLUM_TOOL_SLIM_H
#define VELLUM_TOOL_SLIM_H

#include <stdbool.h>

#include "tool/base/util.h"

/* False when the image is no such kernel, or not a sound one, or a Multiboot header names offsets in it: then it is to
 * be used as it is. The result loads the same bytes at the same addresses and has the same entry point. */
bool slim_elf(const struct bytes *image, struct bytes *out);

#endif
