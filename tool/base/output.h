/* tool/base/output.h - a file that takes its place when it is whole. It is written beside its place and renamed; until
 * then what was there stays as it was, whatever ends the program. What is no regular file (a pipe, a device) is written
 * where it is. */
#ifndef VELLUM_TOOL_OUTPUT_H
#define VELLUM_TOOL_OUTPUT_H

#include <stdbool.h>
#include <stdio.h>

/* Begins the file; the stream is the caller's until one of the next two. NULL: errno says why. */
FILE *output_begin(const char *path);
/* Closes the stream, and puts the file in its place. false: errno says why, and what was there stays. */
bool output_end(FILE *file);
/* Closes the stream, and gives up what was written. */
void output_drop(FILE *file);

/* Is all of the standard output written? false: errno says why. What could not be written is dropped then: who called
 * tells it, and the end of the program does not tell it again. */
bool output_standard(void);

/* Could output_begin() be called now? false: errno says why. Leaves what is there as it is, and nothing new. */
bool output_possible(const char *path);
/* Are these two names of one file? */
bool output_same(const char *one, const char *other);

#endif
