/* tool/base/chart_lines.c - see tool/base/chart_lines.h. */
#include "tool/base/chart_lines.h"

#include <math.h>
#include <stdbool.h>
#include <stdlib.h>

#include "tool/base/chart.h"

enum { WIDTH = 960, HEIGHT = 460, LEFT = 80, RIGHT = 110, TOP = 40, BOTTOM = 56 };
enum { LABEL_HEIGHT = 14, LABEL_WIDTH = RIGHT, SPREAD_ROUNDS = 1000 };

static const char *const dashes[CHART_SERIES] = { "none", "8 4", "2 3", "10 3 2 3", "none", "8 4", "2 3", "10 3 2 3" };

static bool drawn(double value)
{
	return isfinite(value) && value > 0;
}

/* The decades that the values lie in. */
static void range(const struct chart_lines *c, double *low, double *high)
{
	double least = INFINITY, most = 0;

	for (unsigned i = 0; i < c->series * c->points; i++)
		if (drawn(c->value[i])) {
			least = fmin(least, c->value[i]);
			most = fmax(most, c->value[i]);
		}
	*low = most > 0 ? floor(log10(least)) : 0;
	*high = most > 0 ? ceil(log10(most)) : 1;
	if (*high <= *low)
		*high = *low + 1;
}

static double x_of(const struct chart_lines *c, unsigned point)
{
	return c->points > 1 ? LEFT + (WIDTH - LEFT - RIGHT) * (double)point / (c->points - 1) :
			       LEFT + (WIDTH - LEFT - RIGHT) / 2.0;
}

static double y_of(double value, double low, double high)
{
	return HEIGHT - BOTTOM - (HEIGHT - TOP - BOTTOM) * (log10(value) - low) / (high - low);
}

static void axes(const struct chart_lines *c, double low, double high, FILE *out)
{
	char number[32];

	for (double decade = low; decade <= high; decade++) {
		double y = y_of(pow(10, decade), low, high);

		fprintf(out, "<line x1=\"%d\" y1=\"%.1f\" x2=\"%d\" y2=\"%.1f\" stroke=\"#cccccc\"/>\n", LEFT, y,
			WIDTH - RIGHT, y);
		fprintf(out, "<text x=\"%d\" y=\"%.1f\" text-anchor=\"end\" fill=\"#555555\">%s</text>\n", LEFT - 8,
			y + 4, chart_number(pow(10, decade), number));
	}
	for (unsigned i = 0; i < c->points; i++) {
		fprintf(out, "<text x=\"%.1f\" y=\"%d\" text-anchor=\"middle\" fill=\"#555555\">", x_of(c, i),
			HEIGHT - BOTTOM + 18);
		chart_escape(c->point[i], out);
		fputs("</text>\n", out);
	}
	fprintf(out, "<text x=\"%.1f\" y=\"%d\" text-anchor=\"middle\" fill=\"#555555\">", (LEFT + WIDTH - RIGHT) / 2.0,
		HEIGHT - 14);
	chart_escape(c->across, out);
	fprintf(out,
		"</text>\n<text transform=\"translate(14 %.1f) rotate(-90)\" text-anchor=\"middle\" fill=\"#555555\">",
		(TOP + HEIGHT - BOTTOM) / 2.0);
	chart_escape(c->unit, out);
	fputs("</text>\n", out);
}

/* A mark of the series' own: circle, square, triangle, diamond. */
static void mark(unsigned series, double x, double y, FILE *out)
{
	static const char *const shapes[] = { "M-4 0a4 4 0 1 0 8 0a4 4 0 1 0 -8 0z", "M-4 -4h8v8h-8z", "M0 -5l5 9h-10z",
					      "M0 -6l5 6l-5 6l-5 -6z" };

	fprintf(out, "<path transform=\"translate(%.1f %.1f)\" d=\"%s\" fill=\"%s\">", x, y, shapes[series % 4],
		chart_colour(series + 1));
}

/* A line's name, beside its last point. */
struct label {
	unsigned series;
	double x, y;
};

/* Returns whether there is a line. */
static bool line(const struct chart_lines *c, unsigned series, double low, double high, struct label *end, FILE *out)
{
	const double *value = c->value + series * c->points;
	bool begun = false;
	char number[32];

	fprintf(out, "<path fill=\"none\" stroke=\"%s\" stroke-width=\"2\" stroke-dasharray=\"%s\" d=\"",
		chart_colour(series + 1), dashes[series]);
	for (unsigned i = 0; i < c->points; i++)
		if (drawn(value[i])) {
			*end = (struct label){ series, x_of(c, i), y_of(value[i], low, high) };
			fprintf(out, "%s%.1f %.1f", begun ? " L" : "M", end->x, end->y);
			begun = true;
		}
	fprintf(out, "%s\"/>\n", begun ? "" : "M0 0");
	for (unsigned i = 0; i < c->points; i++)
		if (drawn(value[i])) {
			mark(series, x_of(c, i), y_of(value[i], low, high), out);
			fputs("<title>", out);
			chart_escape(c->name[series], out);
			fputs(", ", out);
			chart_escape(c->point[i], out);
			fprintf(out, ": %s</title></path>\n", chart_number(value[i], number));
		}
	return begun;
}

static int by_height(const void *a, const void *b)
{
	const struct label *one = a, *other = b;

	return one->y < other->y ? -1 : one->y > other->y;
}

/* Names of lines that end near each other are moved apart, each as far as the other, in the lines' order. */
static void spread(struct label *label, unsigned count)
{
	bool moved = true;

	qsort(label, count, sizeof(*label), by_height);
	for (unsigned round = 0; moved && round < SPREAD_ROUNDS; round++) {
		moved = false;
		for (unsigned i = 1; i < count; i++) {
			double lack = LABEL_HEIGHT - (label[i].y - label[i - 1].y);

			if (lack < 0.1 || fabs(label[i].x - label[i - 1].x) > LABEL_WIDTH)
				continue;
			label[i - 1].y -= lack / 2;
			label[i].y += lack / 2;
			moved = true;
		}
	}
}

static void names(const struct chart_lines *c, struct label *label, unsigned count, FILE *out)
{
	spread(label, count);
	for (unsigned i = 0; i < count; i++) {
		fprintf(out, "<text x=\"%.1f\" y=\"%.1f\" fill=\"%s\" font-weight=\"bold\">", label[i].x + 10,
			label[i].y + 4, chart_colour(label[i].series + 1));
		chart_escape(c->name[label[i].series], out);
		fputs("</text>\n", out);
	}
}

void chart_lines(const struct chart_lines *c, FILE *out)
{
	struct label label[CHART_SERIES];
	unsigned labels = 0;
	double low, high;

	range(c, &low, &high);
	fprintf(out,
		"<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 %d %d\" width=\"%d\" height=\"%d\" "
		"role=\"img\" "
		"font-family=\"sans-serif\" font-size=\"12\" fill=\"#222222\">\n<title>",
		WIDTH, HEIGHT, WIDTH, HEIGHT);
	chart_escape(c->title, out);
	fputs("</title>\n<rect width=\"100%\" height=\"100%\" fill=\"#ffffff\"/>\n<text x=\"8\" y=\"17\" "
	      "font-size=\"14\" "
	      "font-weight=\"bold\">",
	      out);
	chart_escape(c->title, out);
	fputs("</text>\n", out);
	axes(c, low, high, out);
	for (unsigned i = 0; i < c->series && i < CHART_SERIES; i++)
		labels += line(c, i, low, high, &label[labels], out);
	names(c, label, labels, out);
	fputs("</svg>\n", out);
}
