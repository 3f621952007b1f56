/* Firmwares that a guest starts at, by the words that stand for those of Debian's packages. */
#ifndef VELLUM_TOOL_FIRMWARE_H
#define VELLUM_TOOL_FIRMWARE_H

#include <stdbool.h>

#include "vm/config/config.h"

bool firmware_is_word(const char *bios);
/* A word becomes the file's path, a path stays. Of OVMF's files it is the one that goes with the machine's flash
 * memory, if it has one. Ends the program with one sentence where a file is missing, or fits none. */
void firmware_find(struct vm_config *vm);

#endif
