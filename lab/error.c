/* lab/error.c - see lab/error.h. */
#include "lab/error.h"

#include <stdarg.h>
#include <stdio.h>

bool lab_fail(struct lab_error *error, const char *format, ...)
{
	va_list args;

	if (!error || error->text[0])
		return false;
	va_start(args, format);
	vsnprintf(error->text, sizeof(error->text), format, args);
	va_end(args);
	return false;
}

int lab_asks(const char *command, const char *question)
{
	fprintf(stderr, "vellum: %s: %s (vellum lab %s --help)\n", command, question, command);
	return 2;
}
