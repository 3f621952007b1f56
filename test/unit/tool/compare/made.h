/* test/unit/tool/compare/made.h - comparisons of a command line, and their cells. */
#ifndef VELLUM_TEST_TOOL_COMPARE_MADE_H
#define VELLUM_TEST_TOOL_COMPARE_MADE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tool/compare/compare.h"

/* What the command, too, keeps until it ends. */
static struct {
	struct comparison *comparison;
	char *line;
} kept[40];
static size_t kept_count;

/* The comparison of a command line, words separated by blanks. */
static inline struct comparison *made(const char *line)
{
	struct comparison *c = allocate(sizeof *c);
	char *copy = text("compare --html /dev/null %s", line), *rest = copy, *argv[30];
	int argc = 0;

	while ((argv[argc] = strsep(&rest, " ")) != NULL)
		if (*argv[argc] != 0)
			argc++;
	compare_options(c, argc, argv);
	compare_expand(c);
	c->fingerprint = text("the same files");
	assert_true(kept_count < 40);
	kept[kept_count].comparison = c;
	kept[kept_count++].line = copy;         /* its values point into the copy */
	return c;
}

static inline struct cell *labelled(struct comparison *c, const char *label)
{
	for (size_t i = 0; i < c->count; i++)
		if (strcmp(c->cells[i].label, label) == 0)
			return &c->cells[i];
	fail_msg("no cell is labelled %s", label);
	return NULL;
}

/* The command line of its run. */
static inline const char *words(struct comparison *c, const char *of)
{
	static char line[1000];
	char *argv[40];
	size_t n = compare_arguments(c, labelled(c, of), "vellum", "out.json", argv), used = 0;

	for (size_t i = 0; i < n; free(argv[i++]))
		used += (size_t)snprintf(line + used, sizeof line - used, "%s ", argv[i]);
	return line;
}

#endif
