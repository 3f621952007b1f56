/* Firmwares that a guest starts at, by the words that stand for those of Debian's packages. */
#ifndef VELLUM_TOOL_FIRMWARE_H
#define VELLUM_TOOL_FIRMWARE_H

#include <stdbool.h>

bool firmware_is_word(const char *bios);
/* A word becomes the file's path (CONFIG_FILE_MAX characters at most); a path stays. Ends the program with one sentence
 * where the file is missing. */
void firmware_find(char *bios);

#endif
