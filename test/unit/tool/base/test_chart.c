/* Charts: well-formed whatever the labels and numbers are, drawn to scale, nothing from outside. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "test/unit/xml.h"
#include "tool/base/chart.h"
#include "tool/base/chart_lines.h"

static const char *const rows[] = {
	"ept 4k/4k", "<&\"'> \x01",
	("a label that is much longer than the column that there is for it, "
	 "so that it must be cut in the middle of \xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9 somewhere")
};
static const char *const parts[] = { "program", "walks", "exits" };

static char *draw_bars(const double *value, const double *mark)
{
	struct chart_bars c = { "Cycles & more", "cycles an access", 3, 3, rows, parts, value, mark, "walks hidden" };
	char *text;
	size_t size;
	FILE *f = open_memstream(&text, &size);

	chart_bars(&c, f);
	fclose(f);
	xml_check(text);
	return text;
}

static void test_bars(void **state)
{
	double value[9] = { 10, 20, 10, 1, 0, 0, 5, 5, 5 }, mark[3] = { 10, 1, 2 };
	char *text = draw_bars(value, mark);
	double width[3], previous;
	const char *at = text;
	unsigned n = 0;

	(void)state;
	/* To scale: the second part of the first bar is twice as long as the first and the third. */
	while (n < 3 && (at = strstr(at, "stroke-width=\"0.5\"><title>ept 4k/4k"))) {
		const char *w = at;

		while (strncmp(w, "width=\"", 7) || w > at - 20)
			w--;
		while (strncmp(w, " width=\"", 8))
			w--;
		width[n++] = atof(w + 8);
		at++;
	}
	assert_int_equal(3, n);
	previous = width[0];
	assert_true(fabs(width[1] - 2 * previous) < 0.1 && fabs(width[2] - previous) < 0.1);
	assert_non_null(strstr(text, "walks hidden"));
	assert_non_null(strstr(text, "10 \xe2\x80\x93 40"));
	free(text);
}

static void test_strange_numbers(void **state)
{
	double value[9] = { NAN, INFINITY, -1, 0, 0, 0, 1e300, 1e-300, 0 };
	char *text = draw_bars(value, NULL);

	(void)state;
	assert_null(strstr(text, "nan\""));
	assert_null(strstr(text, "inf\""));
	free(text);
	memset(value, 0, sizeof(value));
	free(draw_bars(value, value));
}

static void test_ranges(void **state)
{
	double low[3] = { 1, 2, 3 }, high[3] = { 2, 2, NAN };
	struct chart_ranges c = { "Time", "seconds", 3, rows, low, high };
	char *text;
	size_t size;
	FILE *f = open_memstream(&text, &size);

	(void)state;
	chart_ranges(&c, f);
	fclose(f);
	xml_check(text);
	assert_non_null(strstr(text, "1 \xe2\x80\x93 2"));
	free(text);
}

static void test_numbers(void **state)
{
	static const struct { double value; const char *text;
	} cases[] = {
		{ 0, "0" },	     { 0.1234, "0.123" }, { 12.34, "12.3" },	 { 999.4, "999" }, { 999.6, "1,000" },
		{ 12345, "12,345" }, { 999999.7, "1 M" }, { 1234567, "1.23 M" }, { 5e9, "5 G" },   { 1e16, "10000 T" },
	};
	static const struct {
		double most, step;
	} steps[] = { { 1, 0.2 }, { 4, 1 }, { 10, 2 }, { 35, 5 }, { 1000, 200 } };
	char buffer[32];

	(void)state;
	for (unsigned i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		assert_string_equal(cases[i].text, chart_number(cases[i].value, buffer));
	for (unsigned i = 0; i < sizeof(steps) / sizeof(steps[0]); i++)
		assert_true(steps[i].most / chart_step(steps[i].most) >= 4 &&
			    steps[i].most / chart_step(steps[i].most) <= 10);
}

/* The height of the name at the end of a line. */
static double name_at(const char *text, const char *name)
{
	char *end, wanted[32];

	snprintf(wanted, sizeof wanted, "bold\">%s</text>", name);
	end = strstr(text, wanted);
	assert_non_null(end);
	while (strncmp(end, " y=\"", 4))
		end--;
	return atof(end + 4);
}

/* Lines that end at one place, or nearly: each name can be read, they stand in the lines' order, and about where the
 * lines end. */
static void test_names_at_ends(void **state)
{
	static const char *const points[] = { "1", "2" }, *const names[] = { "aa", "bb", "cc", "dd", "ee" };
	static const double values[5][2] = { { 1, 1000 }, { 2, 1000.1 }, { 3, 999.9 }, { 4, 1010 }, { 5, 1 } };
	struct chart_lines c = { "Lines", "across", "unit", 2, 5, points, names, values[0] };
	static const unsigned order[] = { 3, 1, 0, 2, 4 };
	double at[5], middle = 0;
	char *text;
	size_t size;
	FILE *f = open_memstream(&text, &size);

	(void)state;
	chart_lines(&c, f);
	fclose(f);
	xml_check(text);
	for (unsigned i = 0; i < 5; i++)
		at[i] = name_at(text, names[order[i]]);
	for (unsigned i = 1; i < 5; i++)
		assert_true(at[i] - at[i - 1] >= 13.8);
	for (unsigned i = 0; i < 4; i++)
		middle += (at[i] - 4) / 4;
	/* Four of the five end at 1000, which is three of four decades up. */
	assert_true(fabs(middle - (40 + 364 / 4.0)) < 1);
	free(text);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_bars), cmocka_unit_test(test_strange_numbers), cmocka_unit_test(test_ranges),
		cmocka_unit_test(test_numbers), cmocka_unit_test(test_names_at_ends),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
