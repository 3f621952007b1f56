/* A file of the boot image made smaller for the boot loader, which needs about ten instructions for each byte of it.
 * The hypervisor unpacks it (lib/packed_file.h), by two or three for each byte that it was. */
#ifndef VELLUM_TOOL_PACK_H
#define VELLUM_TOOL_PACK_H

#include <stdbool.h>

#include "tool/base/util.h"

/* False: it would not become smaller by a quarter, and is to be used as it is. One that begins with the mark of packed
 * files is packed always, or the hypervisor would take it for one of them; where it is too large for that, the program
 * ends. */
bool pack_file(const char *path, const struct bytes *content, struct bytes *out);
/* What a file of so many bytes becomes at the most where it is packed, if it does not begin with the mark. */
uint64_t pack_most(uint64_t bytes);

#endif
