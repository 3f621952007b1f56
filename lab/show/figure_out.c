/* lab/show/figure_out.c - a figure as text, as CSV, and as a gnuplot script. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "lab/show/figure.h"
#include "lab/show/view.h"
#include "tool/base/chart.h"

static bool known(struct lab_range r)
{
	return !isnan(r.low) && !isnan(r.high);
}

double lab_figure_deviation(const struct lab_figure *f, const struct lab_figure_row *row)
{
	struct lab_range p = row->published, o = row->ours;

	if (!known(p) || !known(o))
		return NAN;
	if (o.low > p.high)
		return f->points ? o.low - p.high : (o.low / p.high - 1) * 100;
	if (o.high < p.low)
		return f->points ? o.high - p.low : (o.high / p.low - 1) * 100;
	return 0;
}

/* ---- text ---- */

static const char *range_text(struct lab_range r, char text[64])
{
	char low[24], high[24];

	if (!known(r))
		return "-";
	snprintf(low, sizeof(low), "%.3g", r.low);
	snprintf(high, sizeof(high), "%.3g", r.high);
	if (!strcmp(low, high))
		snprintf(text, 64, "%s", low);
	else
		snprintf(text, 64, "%s..%s", low, high);
	return text;
}

static const char *deviation_text(const struct lab_figure *f, const struct lab_figure_row *row, char text[64])
{
	double d = lab_figure_deviation(f, row);

	if (isnan(d))
		return "-";
	if (d == 0)
		return "within";
	snprintf(text, 64, f->points ? "%+.1f points" : "%+.1f %%", d);
	return text;
}

void lab_figure_text(const struct lab_figure_table *t, FILE *out)
{
	const struct lab_figure *f = t->figure;
	int width = 12;
	char a[64], b[64], c[64], title[256];

	for (unsigned i = 0; i < t->rows; i++)
		if ((int)strlen(t->row[i].label) > width)
			width = (int)strlen(t->row[i].label);
	snprintf(title, sizeof(title), "%s: %s", f->name, f->title);
	lab_wrapped(title, out);
	lab_wrapped(f->source, out);
	fprintf(out, "Values: %s\n\n", f->unit);
	fprintf(out, "%-*s  %14s  %16s  %14s\n", width, "", "published", "ours", "deviation");
	for (unsigned i = 0; i < t->rows; i++)
		fprintf(out, "%-*s  %14s  %16s  %14s\n", width, t->row[i].label, range_text(t->row[i].published, a),
			range_text(t->row[i].ours, b), deviation_text(f, &t->row[i], c));
}

/* ---- CSV ---- */

static void number(double v, FILE *out)
{
	fputc(',', out);
	if (!isnan(v))
		fprintf(out, "%.6g", v);
}

void lab_figure_csv(const struct lab_figure_table *t, FILE *out)
{
	fputs("label,series,x,published_low,published_high,ours_low,ours_high,deviation,deviation_unit\n", out);
	for (unsigned i = 0; i < t->rows; i++) {
		const struct lab_figure_row *row = &t->row[i];

		lab_csv_field(row->label, out);
		fputc(',', out);
		lab_csv_field(row->series, out);
		number(row->x, out);
		number(row->published.low, out);
		number(row->published.high, out);
		number(row->ours.low, out);
		number(row->ours.high, out);
		number(lab_figure_deviation(t->figure, row), out);
		fprintf(out, ",%s\n", t->figure->points ? "points" : "percent");
	}
}

/* ---- gnuplot ---- */

/* As a string of gnuplot in double quotes. */
static void quoted(const char *text, FILE *out)
{
	fputc('"', out);
	for (; *text; text++) {
		if (*text == '"' || *text == '\\')
			fputc('\\', out);
		fputc(*text, out);
	}
	fputc('"', out);
}

static void set(const char *what, const char *text, FILE *out)
{
	fprintf(out, "set %s ", what);
	quoted(text, out);
	fputc('\n', out);
}

static void cell(double v, FILE *out)
{
	if (isnan(v))
		fputs(" NaN", out);
	else
		fprintf(out, " %.6g", v);
}

/* Published and ours, one above the other for each row, from left to right as on the page. Ranges are boxes, values
 * dots. */
static void bars(const struct lab_figure_table *t, FILE *out)
{
	fputs("$d << EOD\n", out);
	for (unsigned i = 0; i < t->rows; i++) {
		fprintf(out, "%u", i);
		cell(t->row[i].published.low, out);
		cell(t->row[i].published.high, out);
		cell(t->row[i].ours.low, out);
		cell(t->row[i].ours.high, out);
		fputc('\n', out);
	}
	fputs("EOD\nset ytics (", out);
	for (unsigned i = 0; i < t->rows; i++) {
		fputs(i ? ", " : "", out);
		quoted(t->row[i].label, out);
		fprintf(out, " %u", i);
	}
	fprintf(out, ")\nset yrange [%u.6:-0.6]\nset xrange [*<0:*]\nset key below height 1\n", t->rows - 1);
	set("xlabel", t->figure->unit, out);
	fprintf(out,
		"plot $d using (($2+$3)/2):($1-0.15):2:3:($1-0.28):($1-0.02) with boxxyerror fs solid 0.6 noborder lc "
		"rgb \"%s\" "
		"notitle, "
		"$d using (($2+$3)/2):($1-0.15) with points pt 7 ps 0.7 lc rgb \"#555555\" title \"published\", "
		"$d using (($4+$5)/2):($1+0.15):4:5:($1+0.02):($1+0.28) with boxxyerror fs solid 0.6 noborder lc rgb "
		"\"%s\" notitle, "
		"$d using (($4+$5)/2):($1+0.15) with points pt 5 ps 0.7 lc rgb \"%s\" title \"vellum\"\n",
		chart_colour(0), chart_colour(5), chart_colour(1));
}

static bool first_of_series(const struct lab_figure_table *t, unsigned row)
{
	for (unsigned i = 0; i < row; i++)
		if (!strcmp(t->row[i].series, t->row[row].series))
			return false;
	return t->row[row].series[0] != '\0';
}

static void lines(const struct lab_figure_table *t, FILE *out)
{
	unsigned n = 0;

	for (unsigned i = 0; i < t->rows; i++) {
		if (!first_of_series(t, i))
			continue;
		fprintf(out, "$s%u << EOD\n", n++);
		for (unsigned j = i; j < t->rows; j++)
			if (!strcmp(t->row[j].series, t->row[i].series) && known(t->row[j].ours))
				fprintf(out, "%.6g %.6g %.6g\n", t->row[j].x, t->row[j].ours.low, t->row[j].ours.high);
		fputs("EOD\n", out);
	}
	set("xlabel", t->figure->x, out);
	set("ylabel", t->figure->unit, out);
	fputs(t->figure->log_x ? "set logscale x\nset format x \"%.0s%c\"\n" : "", out);
	fputs("set yrange [*<0:*]\nset key below height 1\nset grid\nplot ", out);
	n = 0;
	for (unsigned i = 0; i < t->rows; i++) {
		if (!first_of_series(t, i))
			continue;
		fprintf(out,
			"%s$s%u using 1:2:3 with filledcurves fs transparent solid 0.25 noborder lc rgb \"%s\" "
			"notitle, "
			"$s%u using 1:(($2+$3)/2) with linespoints pt %u ps 0.6 lw 1.5 lc rgb \"%s\" title ",
			n ? ", " : "", n, chart_colour(n + 1), n, n % 8 + 4, chart_colour(n + 1));
		quoted(t->row[i].series, out);
		n++;
	}
	fputc('\n', out);
}

void lab_figure_script(const struct lab_figure_table *t, const char *svg, FILE *out)
{
	fprintf(out, "set terminal svg size 900,%u noenhanced font \"sans,12\" background \"white\"\n",
		t->figure->x ? 560 : 170 + 34 * t->rows);
	set("output", svg, out);
	set("title", t->figure->title, out);
	(t->figure->x ? lines : bars)(t, out);
	fputs("unset output\n", out);
}
