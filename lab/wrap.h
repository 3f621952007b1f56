/* lab/wrap.h - text in lines that are not wider than a page. */
#ifndef VELLUM_LAB_WRAP_H
#define VELLUM_LAB_WRAP_H

#include <stdio.h>

enum { LAB_PAGE = 100 }; /* characters of a page's width */

/* Text and a newline; start: the column where it begins. Lines after the first begin with so many spaces and the mark.
 * Broken at spaces beyond the indentation only: a word that is wider than a page stays whole. */
void lab_wrap(const char *text, size_t start, size_t indent, const char *mark, FILE *out);
/* A sentence, all lines but the first indented by two. */
void lab_wrapped(const char *text, FILE *out);
/* The same of what is formatted, indented as told. */
void lab_print_wrapped(FILE *out, size_t indent, const char *format, ...) __attribute__((format(printf, 3, 4)));
/* At most so many characters of the text, at least 4: where it is longer, ".." stands for its middle. Of a path the end
 * tells most, so more of it is kept. The caller frees. */
char *lab_shortened(const char *text, size_t most);

#endif
