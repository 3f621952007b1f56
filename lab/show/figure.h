/* lab/show/figure.h - published figures, reproduced: a fixed sweep, and rows that hold a published value against
 * ours. */
#ifndef VELLUM_LAB_FIGURE_H
#define VELLUM_LAB_FIGURE_H

#include <math.h>
#include <stdio.h>

#include "lab/sweep/results.h"
#include "lib/for_tests.h"

/* From low to high; both NAN: none. */
struct lab_range {
	double low, high;
};
#define LAB_NO_RANGE ((struct lab_range){ NAN, NAN })

struct lab_figure_row {
	char series[64]; /* of a figure with an x axis: the line it belongs to */
	char label[96];
	double x;
	struct lab_range published, ours;
};

/* What a figure's rows() reads and writes. */
struct lab_figure_table {
	const struct lab_figure *figure;
	const struct lab_sweep *sweep;
	const struct lab_results *results;
	struct lab_figure_row *row;
	unsigned rows, room;
	const char *lacking; /* a cell that rows() asked for and that is not there */
};

struct lab_figure {
	const char *name, *title;
	const char *source;          /* what is published, and where */
	const char *common;          /* settings of all cells: "key=value key=value" */
	const char *full, *quick;    /* more of them: as a rule, and with --quick */
	const char *vary[6];         /* dimensions, for lab_sweep_vary(); "pair:..." for lab_sweep_pair() */
	void (*rows)(struct lab_figure_table *table);
	const char *unit;            /* of the values */
	bool points;                 /* deviations are differences (of percentages), not ratios */
	const char *x;               /* the x axis; NULL: a figure of bars */
	bool log_x;
};
extern const struct lab_figure lab_figures[]; /* ends with a NULL name */

/* ---- for rows() */

/* A column (lab_column_value) of the cell with this label (struct lab_cell). */
struct lab_range lab_figure_value(struct lab_figure_table *table, const char *column, const char *label, ...)
	__attribute__((format(printf, 3, 4)));
/* a / b, end by end: both computed under the same assumption on what walks hide. */
struct lab_range lab_range_ratio(struct lab_range a, struct lab_range b);
/* (a / b - 1) * 100: how much longer a takes. */
struct lab_range lab_range_percent(struct lab_range a, struct lab_range b);
void lab_figure_row(struct lab_figure_table *table, struct lab_range published, struct lab_range ours,
		    const char *format, ...) __attribute__((format(printf, 4, 5)));
void lab_figure_point(struct lab_figure_table *table, const char *series, double x, struct lab_range ours);

/* ---- lab/show/figure_out.c */

/* How far ours lies outside of what is published: 0 where they overlap; in per cent of it, or in points. NAN: nothing
 * is published, or not computed. */
FOR_TESTS double lab_figure_deviation(const struct lab_figure *figure, const struct lab_figure_row *row);
void lab_figure_text(const struct lab_figure_table *table, FILE *out);
void lab_figure_csv(const struct lab_figure_table *table, FILE *out);
/* A gnuplot script that draws into svg. */
void lab_figure_script(const struct lab_figure_table *table, const char *svg, FILE *out);

#endif
