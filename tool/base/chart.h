/* tool/base/chart.h - charts for HTML reports: horizontal bars as inline SVG that needs nothing from outside, in
 * colours that people with any colour vision tell apart, with every number also in a tooltip and beside its bar. Text
 * is escaped here. */
#ifndef VELLUM_TOOL_CHART_H
#define VELLUM_TOOL_CHART_H

#include <stdio.h>

#include "lib/for_tests.h"

enum { CHART_COLOURS = 12 };

/* Bars cut into parts, one bar a row. Values are finite and not negative (others count as 0). */
struct chart_bars {
	const char *title, *unit;    /* unit: what the axis counts */
	unsigned rows, parts;
	const char *const *row;      /* [rows] labels */
	const char *const *part;     /* [parts] names, for the legend */
	const double *value;         /* [rows][parts] */
	const double *mark;          /* [rows]: a tick across each bar; NULL: none */
	const char *mark_name;       /* what the tick means */
};
void chart_bars(const struct chart_bars *chart, FILE *out);

/* Ranges: a bar from low to high for each row. */
struct chart_ranges {
	const char *title, *unit;
	unsigned rows;
	const char *const *row;
	const double *low, *high;    /* [rows] */
};
void chart_ranges(const struct chart_ranges *chart, FILE *out);

/* The colour of part n, as "#rrggbb"; they repeat after CHART_COLOURS. */
const char *chart_colour(unsigned n);
/* Text for HTML and SVG: & < > " ' become entities, control characters spaces. */
void chart_escape(const char *text, FILE *out);
/* A number for people: "0.123", "12.3", "4,567", "1.23 M"; at most 15 characters. Returns buffer. */
char *chart_number(double value, char buffer[32]);
/* The step of a good axis from 0 to most, with 4 to 10 steps. most > 0. */
FOR_TESTS double chart_step(double most);

#endif
