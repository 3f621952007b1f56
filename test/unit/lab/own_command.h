/* test/unit/lab/own_command.h - tests of a command as its user gives it: a test program that is the command itself, in
 * an empty directory of its own. The including file's main() hands over to the command where it is called as one. */
#ifndef VELLUM_TEST_OWN_COMMAND_H
#define VELLUM_TEST_OWN_COMMAND_H

#include <stdbool.h>

/* A command line of bash, where $V is this program: its exit status, or 128 + the signal's number. */
int shell(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* The content of a file, which must be there, as text; the caller's to free. */
char *slurp(const char *name);
/* Makes a file of the text. */
void spill(const char *name, const char *text);
/* The file holds the text, or, with !there, it does not. */
void look(const char *name, const char *what, bool there);

/* Fixtures of the group: make the directory, go there and set $V; remove it. */
int own_command_setup(void **state);
int own_command_teardown(void **state);

#endif
