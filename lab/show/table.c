/* lab/show/table.c - results as a table for a terminal. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "lab/show/view.h"

enum { SETTING_LEAST = 8 }; /* characters that are left of a setting */

/* Every cell as text. */
struct table {
	const struct lab_view *view;
	char **text; /* [row * columns + column] */
	char **heading; /* [columns] */
	int *limit;     /* [columns]; 0: as wide as it is */
	unsigned rows, columns;
	bool *left_out; /* [columns] */
	bool *merged;   /* [rows]: shown with one before it */
};

static void number_text(double v, char *text, size_t size)
{
	if (isnan(v))
		snprintf(text, size, "-");
	else if ((v == floor(v) && fabs(v) < 1e15) || fabs(v) >= 1000)
		snprintf(text, size, "%.0f", v);
	else
		snprintf(text, size, "%.4g", v);
}

static char *value_text(const struct lab_view *view, unsigned record, const char *column)
{
	struct lab_value v = lab_column_shown(view, record, column);
	char low[40], high[40], *text;

	number_text(v.low, low, sizeof(low));
	number_text(v.high, high, sizeof(high));
	if (asprintf(&text, "%s%s%s", v.text ? v.text : low, v.text || !strcmp(low, high) ? "" : "..",
		     v.text || !strcmp(low, high) ? "" : high) < 0)
		abort();
	return text;
}

static char **cell(const struct table *t, unsigned row, unsigned column)
{
	return &t->text[row * t->columns + column];
}

static bool is_setting(const struct table *t, unsigned column)
{
	return t->rows && lab_column_value(t->view->record[0], t->view->column[column]).text;
}

/* ---- rows that are alike ---- */

/* The one setting in which two rows differ, if all else is the same; columns: there is no such one. */
static unsigned only_difference(const struct table *t, unsigned a, unsigned b)
{
	unsigned found = t->columns, numbers = 0;

	for (unsigned c = 0; c < t->columns; c++) {
		numbers += !is_setting(t, c);
		if (!strcmp(*cell(t, a, c), *cell(t, b, c)))
			continue;
		if (!is_setting(t, c) || found < t->columns)
			return t->columns;
		found = c;
	}
	return numbers ? found : t->columns;
}

/* Joins the row with later ones, if there are such. */
static bool merge_row(struct table *t, unsigned row)
{
	char *joined = strdup(""), *more;
	unsigned where = t->columns;

	if (!joined)
		abort();
	for (unsigned b = row + 1; b < t->rows; b++) {
		unsigned c = t->merged[b] ? t->columns : only_difference(t, row, b);

		if (c == t->columns || (where < t->columns && c != where))
			continue;
		where = c;
		t->merged[b] = true;
		if (asprintf(&more, "%s,%s", joined, *cell(t, b, c)) < 0)
			abort();
		free(joined);
		joined = more;
	}
	if (where < t->columns) {
		if (asprintf(&more, "%s%s", *cell(t, row, where), joined) < 0)
			abort();
		free(*cell(t, row, where));
		*cell(t, row, where) = more;
	}
	free(joined);
	return where < t->columns;
}

/* ---- width ---- */

static int width_of(const struct table *t, unsigned column)
{
	int width = (int)strlen(t->heading[column]);

	for (unsigned r = 0; r < t->rows; r++)
		if (!t->merged[r] && (int)strlen(*cell(t, r, column)) > width)
			width = (int)strlen(*cell(t, r, column));
	return t->limit[column] && t->limit[column] < width ? t->limit[column] : width;
}

static int width_of_all(const struct table *t)
{
	int width = -2;

	for (unsigned c = 0; c < t->columns; c++)
		width += t->left_out[c] ? 0 : width_of(t, c) + 2;
	return width;
}

/* What goes first is what can be had from the others, or is least asked for. */
static void fit(struct table *t)
{
	static const char *const first[] = {
		"references_a_walk", "exit_share", "walk_share", "large_share", "exits_per_million", "walks_per_1000",
	};

	for (unsigned i = 0; i < sizeof(first) / sizeof(first[0]) && width_of_all(t) > LAB_PAGE; i++)
		for (unsigned c = 0; c < t->columns; c++)
			t->left_out[c] |= !strcmp(t->view->column[c], first[i]);
}

static void shorten_column(struct table *t, unsigned column, int most)
{
	for (unsigned r = 0; r <= t->rows; r++) {
		char **text = r < t->rows ? cell(t, r, column) : &t->heading[column], *shorter;

		shorter = lab_shortened(*text, (size_t)most);
		free(*text);
		*text = shorter;
	}
}

/* Where numbers alone cannot make room, the widest settings lose their middle, a little at a time. */
static bool shorten(struct table *t)
{
	bool any = false;

	while (width_of_all(t) > LAB_PAGE) {
		unsigned widest = t->columns;

		for (unsigned c = 0; c < t->columns; c++)
			if (is_setting(t, c) && !t->left_out[c] && width_of(t, c) > SETTING_LEAST &&
			    (widest == t->columns || width_of(t, c) > width_of(t, widest)))
				widest = c;
		if (widest == t->columns)
			break;
		t->limit[widest] = width_of(t, widest) - 1;
	}
	for (unsigned c = 0; c < t->columns; c++) {
		if (t->limit[c])
			shorten_column(t, c, t->limit[c]);
		any |= t->limit[c] != 0;
	}
	return any;
}

/* ---- out ---- */

static void line(const struct table *t, unsigned row, bool heading, FILE *out)
{
	bool any = false;

	for (unsigned c = 0; c < t->columns; c++) {
		int width = width_of(t, c);

		if (t->left_out[c])
			continue;
		fprintf(out, "%s%*s", any ? "  " : "", is_setting(t, c) ? -width : width,
			heading ? t->heading[c] : *cell(t, row, c));
		any = true;
	}
	fputc('\n', out);
}

static void remarks(const struct table *t, bool merged, FILE *out)
{
	char *text = NULL;
	size_t size;
	FILE *f = open_memstream(&text, &size);
	bool any = false;

	if (!f)
		abort();
	if (merged)
		fprintf(out, "(Rows that differ in one setting and in no number are shown as one.)\n");
	for (unsigned c = 0; c < t->columns; c++) {
		if (!t->left_out[c])
			continue;
		fprintf(f, "%s%s", any ? ", " : "(For want of room without: ", t->heading[c]);
		any = true;
	}
	fprintf(f, "; --columns chooses, --csv has all.)");
	fclose(f);
	if (any)
		lab_wrapped(text, out);
	free(text);
}

static void fill_cells(struct table *t)
{
	const struct lab_view *v = t->view;

	t->text = calloc((size_t)t->rows * t->columns + 1, sizeof(*t->text));
	t->heading = calloc(t->columns + 1, sizeof(*t->heading));
	t->limit = calloc(t->columns + 1, sizeof(*t->limit));
	t->left_out = calloc(t->columns + 1, sizeof(*t->left_out));
	t->merged = calloc(t->rows + 1, sizeof(*t->merged));
	if (!t->text || !t->heading || !t->limit || !t->left_out || !t->merged)
		abort();
	for (unsigned c = 0; c < t->columns; c++) {
		t->heading[c] = lab_column_heading(v, v->column[c]);
		for (unsigned r = 0; r < t->rows; r++)
			*cell(t, r, c) = value_text(v, r, v->column[c]);
	}
}

static void empty(struct table *t)
{
	for (unsigned i = 0; i < t->rows * t->columns; i++)
		free(t->text[i]);
	for (unsigned c = 0; c < t->columns; c++)
		free(t->heading[c]);
	free(t->text);
	free(t->heading);
	free(t->limit);
	free(t->left_out);
	free(t->merged);
}

void lab_view_table(const struct lab_view *v, FILE *out)
{
	struct table t = { .view = v, .rows = v->count, .columns = v->columns };
	bool merged = false, shortened = false;

	fill_cells(&t);
	for (unsigned r = 0; r < t.rows; r++)
		if (!t.merged[r])
			merged |= merge_row(&t, r);
	if (!v->chosen) {
		fit(&t);
		shortened = shorten(&t);
	}
	line(&t, 0, true, out);
	for (unsigned r = 0; r < t.rows; r++)
		if (!t.merged[r])
			line(&t, r, false, out);
	remarks(&t, merged, out);
	if (shortened)
		fprintf(out, "(For want of room .. stands for the middle of what is longer; --csv has it whole.)\n");
	if (!v->chosen)
		lab_view_small(v, lab_wrapped, out);
	empty(&t);
}
