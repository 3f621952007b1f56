/* lab/wrap.c - see lab/wrap.h. */
#include "lab/wrap.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

void lab_wrap(const char *text, size_t start, size_t indent, const char *mark, FILE *out)
{
	size_t room = start < LAB_PAGE ? LAB_PAGE - start : 0, least = start < indent ? indent - start : 0;

	while (strlen(text) > room) {
		size_t n = room;

		while (n > least && text[n] != ' ')
			n--;
		if (n <= least) {
			n = room > least ? room : least;
			n += strcspn(text + n, " ");
		}
		if (!text[n])
			break;
		fprintf(out, "%.*s\n%*s%s", (int)n, text, (int)indent, "", mark);
		text += n + strspn(text + n, " ");
		room = LAB_PAGE - indent - strlen(mark);
		least = 0;
	}
	fprintf(out, "%s\n", text);
}

void lab_wrapped(const char *text, FILE *out)
{
	lab_wrap(text, 0, 2, "", out);
}

void lab_print_wrapped(FILE *out, size_t indent, const char *format, ...)
{
	va_list args;
	char *text;

	va_start(args, format);
	if (vasprintf(&text, format, args) < 0)
		abort();
	va_end(args);
	lab_wrap(text, 0, indent, "", out);
	free(text);
}

char *lab_shortened(const char *text, size_t most)
{
	size_t n = strlen(text), left = (most - 2) / 3;
	char *out;

	if (n <= most)
		out = strdup(text);
	else if (asprintf(&out, "%.*s..%s", (int)left, text, text + n - (most - 2 - left)) < 0)
		out = NULL;
	if (!out)
		abort();
	return out;
}
