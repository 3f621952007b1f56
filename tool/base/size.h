/* Numbers as people write them. Both return false for anything but one number that fits, to the last character. */
#ifndef VELLUM_TOOL_SIZE_H
#define VELLUM_TOOL_SIZE_H

#include <stdbool.h>
#include <stdint.h>

bool parse_number(const char *text, uint64_t *value);
/* Bytes: a number followed by K, M or G (either case), or of megabytes; at least one. */
bool parse_size(const char *text, uint64_t *bytes);

#endif
