/* The terminal in front of us: raw while the keyboard goes to the guest, restored however the program ends. */
#ifndef VELLUM_TOOL_TTY_H
#define VELLUM_TOOL_TTY_H

#include <stdbool.h>
#include <stddef.h>

enum { ESCAPE_KEY = 0x1d };     /* Ctrl-] */

/* Does nothing when the standard input is no terminal. */
void console_raw(void);
void console_restore(void);

/* A pseudo-terminal in raw mode for an emulator's serial port: the side that we use is returned, the other's path goes
 * to *path and its descriptor, to be kept open, to *other. */
int pseudo_terminal(char **path, int *other);

/* Writes all of it to the standard output; false when that is gone. */
bool console_write(const char *data, size_t length);

#endif
