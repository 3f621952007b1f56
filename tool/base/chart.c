/* tool/base/chart.c - see tool/base/chart.h. */
#include "tool/base/chart.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { WIDTH = 960, ROW = 24, BAR = 16, RIGHT = 150, LETTER = 7, LABEL_MOST = 360, TITLE = 26, LEGEND = 20, AXIS = 40 };

/* Okabe and Ito's colours, which differ in lightness too, and four more between them. */
static const char *const colours[CHART_COLOURS] = {
	"#999999", "#0072b2", "#e69f00", "#009e73", "#cc79a7", "#56b4e9",
	"#f0e442", "#d55e00", "#332288", "#882255", "#44aa99", "#222222",
};

const char *chart_colour(unsigned n)
{
	return colours[n % CHART_COLOURS];
}

void chart_escape(const char *text, FILE *out)
{
	for (; *text; text++) {
		switch (*text) {
		case '&': fputs("&amp;", out); break;
		case '<': fputs("&lt;", out); break;
		case '>': fputs("&gt;", out); break;
		case '"': fputs("&quot;", out); break;
		case '\'': fputs("&#39;", out); break;
		default: fputc((unsigned char)*text < ' ' ? ' ' : *text, out);
		}
	}
}

char *chart_number(double value, char buffer[32])
{
	static const struct {
		double unit;
		const char *name;
	} units[] = { { 1e12, " T" }, { 1e9, " G" }, { 1e6, " M" } };

	for (unsigned i = 0; i < 3; i++) {
		if (fabs(value) < units[i].unit * 0.9999995)
			continue;
		snprintf(buffer, 32, "%.3g%s", value / units[i].unit, units[i].name);
		if (fabs(value) / units[i].unit >= 999.5)
			snprintf(buffer, 32, "%.0f%s", value / units[i].unit, units[i].name);
		return buffer;
	}
	if (fabs(value) >= 999.5)
		snprintf(buffer, 32, "%d,%03d", (int)(value + 0.5) / 1000, abs((int)(value + 0.5)) % 1000);
	else
		snprintf(buffer, 32, "%.3g", value);
	return buffer;
}

double chart_step(double most)
{
	double step = pow(10, floor(log10(most)));

	while (most / step < 4)
		step /= most / step >= 2 ? 2 : 5;
	return step;
}

/* Where a chart's parts lie. */
struct place {
	double left, plot, most; /* pixels, pixels, the axis' end */
	unsigned top, height;
};

static double sound(double value)
{
	return isfinite(value) && value > 0 ? value : 0;
}

static struct place place(const char *const *row, unsigned rows, unsigned legend_lines, double most)
{
	struct place p = { .top = TITLE + legend_lines * LEGEND };
	size_t longest = 0;
	double step;

	for (unsigned i = 0; i < rows; i++)
		if (strlen(row[i]) > longest)
			longest = strlen(row[i]);
	p.left = 12 + (double)longest * LETTER;
	if (p.left > LABEL_MOST)
		p.left = LABEL_MOST;
	p.plot = WIDTH - p.left - RIGHT;
	p.height = p.top + rows * ROW + AXIS;
	step = chart_step(most > 0 ? most : 1);
	p.most = step * ceil((most > 0 ? most : 1) / step - 1e-9);
	return p;
}

static void begin_svg(const char *title, const struct place *p, FILE *out)
{
	fprintf(out,
		"<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 %d %u\" width=\"%d\" height=\"%u\" "
		"role=\"img\" "
		"font-family=\"sans-serif\" font-size=\"12\" fill=\"#222222\">\n<title>",
		WIDTH, p->height, WIDTH, p->height);
	chart_escape(title, out);
	fprintf(out, "</title>\n<rect width=\"100%%\" height=\"100%%\" fill=\"#ffffff\"/>\n<text x=\"8\" y=\"17\" "
		     "font-size=\"14\" "
		     "font-weight=\"bold\">");
	chart_escape(title, out);
	fputs("</text>\n", out);
}

static void axis(const char *unit, unsigned rows, const struct place *p, FILE *out)
{
	unsigned bottom = p->top + rows * ROW;
	double step = chart_step(p->most);
	char number[32];

	for (unsigned i = 0; i * step <= p->most * (1 + 1e-9); i++) {
		double x = p->left + p->plot * (i * step) / p->most;

		fprintf(out, "<line x1=\"%.1f\" y1=\"%u\" x2=\"%.1f\" y2=\"%u\" stroke=\"#cccccc\"/>\n", x, p->top, x,
			bottom);
		fprintf(out, "<text x=\"%.1f\" y=\"%u\" text-anchor=\"middle\" fill=\"#555555\">%s</text>\n", x,
			bottom + 14, chart_number(i * step, number));
	}
	fprintf(out, "<text x=\"%.1f\" y=\"%u\" text-anchor=\"middle\" fill=\"#555555\">", p->left + p->plot / 2,
		bottom + 31);
	chart_escape(unit, out);
	fputs("</text>\n", out);
}

/* A label that is too long for its column ends in an ellipsis; the tooltip has all of it. */
static void label(const char *text, unsigned y, const struct place *p, FILE *out)
{
	size_t most = (size_t)((p->left - 12) / LETTER), n = strlen(text);
	char cut[LABEL_MOST / LETTER + 8];

	fprintf(out, "<text x=\"%.1f\" y=\"%u\" text-anchor=\"end\"><title>", p->left - 6, y + 13);
	chart_escape(text, out);
	fputs("</title>", out);
	if (n > most) {
		/* The end tells more than the beginning: what differs between cells tends to be there. Never inside a
		 * UTF-8 sequence. */
		const char *from = text + n - (most - 1);

		while ((*from & 0xc0) == 0x80)
			from++;
		snprintf(cut, sizeof(cut), "\xe2\x80\xa6%s", from);
		text = cut;
	}
	chart_escape(text, out);
	fputs("</text>\n", out);
}

static unsigned legend(const struct chart_bars *c, FILE *out)
{
	double x = 8;
	unsigned line = 0;

	for (unsigned i = 0; i < c->parts + (c->mark != NULL); i++) {
		const char *name = i < c->parts ? c->part[i] : c->mark_name;
		double width = 26 + (double)strlen(name) * LETTER;

		if (x + width > WIDTH && x > 8) {
			x = 8;
			line++;
		}
		if (out && i < c->parts)
			fprintf(out, "<rect x=\"%.0f\" y=\"%u\" width=\"12\" height=\"12\" fill=\"%s\"/>", x,
				TITLE + line * LEGEND, chart_colour(i));
		else if (out)
			fprintf(out, "<rect x=\"%.0f\" y=\"%u\" width=\"3\" height=\"14\" fill=\"#000000\"/>", x + 4,
				TITLE + line * LEGEND - 1);
		if (out) {
			fprintf(out, "<text x=\"%.0f\" y=\"%u\">", x + 17, TITLE + line * LEGEND + 11);
			chart_escape(name, out);
			fputs("</text>\n", out);
		}
		x += width;
	}
	return line + 1;
}

static double total(const struct chart_bars *c, unsigned row)
{
	double sum = 0;

	for (unsigned i = 0; i < c->parts; i++)
		sum += sound(c->value[row * c->parts + i]);
	return sum;
}

static void bar(const struct chart_bars *c, unsigned row, const struct place *p, FILE *out)
{
	unsigned y = p->top + row * ROW + (ROW - BAR) / 2;
	double x = p->left;
	char a[32], b[32];

	label(c->row[row], y, p, out);
	for (unsigned i = 0; i < c->parts; i++) {
		double width = p->plot * sound(c->value[row * c->parts + i]) / p->most;

		if (width <= 0)
			continue;
		fprintf(out,
			"<rect x=\"%.2f\" y=\"%u\" width=\"%.2f\" height=\"%d\" fill=\"%s\" stroke=\"#ffffff\" "
			"stroke-width=\"0.5\"><title>",
			x, y, width, BAR, chart_colour(i));
		chart_escape(c->row[row], out);
		fputs(": ", out);
		chart_escape(c->part[i], out);
		fprintf(out, " %s</title></rect>\n", chart_number(c->value[row * c->parts + i], a));
		x += width;
	}
	if (c->mark)
		fprintf(out,
			"<rect x=\"%.2f\" y=\"%u\" width=\"3\" height=\"%d\" fill=\"#000000\" stroke=\"#ffffff\" "
			"stroke-width=\"0.5\"/>\n",
			p->left + p->plot * sound(c->mark[row]) / p->most - 1.5, y - 2, BAR + 4);
	/* With a mark, the bar is a range. */
	fprintf(out, "<text x=\"%.1f\" y=\"%u\">", x + 6, y + 13);
	if (c->mark)
		fprintf(out, "%s \xe2\x80\x93 ", chart_number(c->mark[row], a));
	fprintf(out, "%s</text>\n", chart_number(total(c, row), b));
}

void chart_bars(const struct chart_bars *c, FILE *out)
{
	double most = 0;
	struct place p;

	for (unsigned i = 0; i < c->rows; i++)
		most = fmax(most, fmax(total(c, i), c->mark ? sound(c->mark[i]) : 0));
	p = place(c->row, c->rows, legend(c, NULL), most);
	begin_svg(c->title, &p, out);
	legend(c, out);
	axis(c->unit, c->rows, &p, out);
	for (unsigned i = 0; i < c->rows; i++)
		bar(c, i, &p, out);
	fputs("</svg>\n", out);
}

void chart_ranges(const struct chart_ranges *c, FILE *out)
{
	double most = 0;
	struct place p;
	char a[32], b[32];

	for (unsigned i = 0; i < c->rows; i++)
		most = fmax(most, sound(c->high[i]));
	p = place(c->row, c->rows, 0, most);
	begin_svg(c->title, &p, out);
	axis(c->unit, c->rows, &p, out);
	for (unsigned i = 0; i < c->rows; i++) {
		unsigned y = p.top + i * ROW + (ROW - BAR) / 2;
		double from = p.left + p.plot * sound(c->low[i]) / p.most,
		       to = p.left + p.plot * sound(c->high[i]) / p.most;

		label(c->row[i], y, &p, out);
		fprintf(out, "<rect x=\"%.2f\" y=\"%u\" width=\"%.2f\" height=\"%d\" fill=\"%s\"><title>", from, y,
			fmax(to - from, 2), BAR, chart_colour(1));
		chart_escape(c->row[i], out);
		fprintf(out, ": %s to %s</title></rect>\n", chart_number(c->low[i], a), chart_number(c->high[i], b));
		fprintf(out, "<text x=\"%.1f\" y=\"%u\">%s \xe2\x80\x93 %s</text>\n", to + 6, y + 13, a, b);
	}
	fputs("</svg>\n", out);
}
