/* Numbers as they are shown. */
#ifndef VELLUM_TOOL_NUMBER_H
#define VELLUM_TOOL_NUMBER_H

#include <stdint.h>

/* A number with its thousands separated, into a buffer that holds 32 bytes; returns the buffer. */
char *grouped(uint64_t value, char buffer[32]);
/* What a noun has behind so many of it: "" or "s". */
const char *plural(uint64_t count);

#endif
