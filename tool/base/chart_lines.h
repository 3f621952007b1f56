/* tool/base/chart_lines.h - a chart of lines over steps that are evenly spaced, the values on a logarithmic axis, as
 * inline SVG. Lines differ in colour, in their marks and in their dashes, and each has its name at its end. */
#ifndef VELLUM_TOOL_CHART_LINES_H
#define VELLUM_TOOL_CHART_LINES_H

#include <stdio.h>

enum { CHART_SERIES = 8 };

struct chart_lines {
	const char *title, *across, *unit;      /* what the steps are; what the values are */
	unsigned points, series;                /* at most CHART_SERIES */
	const char *const *point;               /* [points] labels of the steps */
	const char *const *name;                /* [series] */
	/* [series][points]; one that is not finite or not positive is left out */
	const double *value;
};
void chart_lines(const struct chart_lines *chart, FILE *out);

#endif
