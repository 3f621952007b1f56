/* tool/base/outflow.h - the standard output of a program that has other things to do than to wait for who reads it. */
#ifndef VELLUM_TOOL_OUTFLOW_H
#define VELLUM_TOOL_OUTFLOW_H

#include <stdbool.h>
#include <stddef.h>

#include "tool/base/util.h"

struct outflow {
	int file;
	struct bytes waiting;   /* from `at` on it is still to be written */
	size_t at;
	int error;              /* errno, once something could not be written: then nothing more is */
};

/* Output by this descriptor, which stays the caller's. A pipe or a terminal is opened once more, without waiting: other
 * programs that share the descriptor keep waiting as they did. */
void outflow_open(struct outflow *o, int file);
/* Is to be written: what can be is at once. false: nothing can any more, and o->error says why. */
bool outflow_write(struct outflow *o, const char *data, size_t length);
/* Writes what can be written without waiting, when poll() says that the file takes something, or to see whether it
 * does. Returns as outflow_write(). */
bool outflow_go_on(struct outflow *o);
/* Bytes that are not written yet. */
size_t outflow_waits(const struct outflow *o);
/* Waits until all is written, or something can be read from the descriptor `stop`, or for so many milliseconds (-1:
 * for ever). true: all is written. */
bool outflow_end(struct outflow *o, int stop, int milliseconds);

#endif
