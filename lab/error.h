/* lab/error.h - how the lab's functions say what went wrong: false (or NULL), and one sentence here that says what was
 * wrong and what would work. The command prints it after "vellum: " and ends with status 2. */
#ifndef VELLUM_LAB_ERROR_H
#define VELLUM_LAB_ERROR_H

#include <stdbool.h>

struct lab_error {
	char text[512];
};

/* Writes the sentence, unless one is there already (the first cause is the one to tell), and returns false. error may
 * be NULL. A struct lab_error begins all zero. */
bool lab_fail(struct lab_error *error, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* A command that was given nothing: asks for it, in a line on the standard error. Returns the command's status. */
int lab_asks(const char *command, const char *question);

#endif
