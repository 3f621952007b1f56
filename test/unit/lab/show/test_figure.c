/* Figures: deviations, what comes out, and that every figure's cells can be. All are run (--quick), over the real
 * engine; the program is its own `vellum lab figure`. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "lab/show/figure.h"
#include "lab/lab.h"
#include "test/unit/lab/own_command.h"

static void test_deviation(void **state)
{
	static const struct { double low, high, from, to, factor, points;
	} cases[] = {
		{ 10, 10, 10, 10, 0, 0 }, { 10, 10, 12, 12, 20, 2 }, { 10, 10, 8, 9, -10, -1 },
		{ 10, 20, 15, 30, 0, 0 }, { 10, 20, 25, 30, 25, 5 },
	};
	struct lab_figure factor = { .points = false }, points = { .points = true };
	struct lab_figure_row row = { .published = LAB_NO_RANGE, .ours = { 1, 1 } };

	(void)state;
	assert_true(isnan(lab_figure_deviation(&factor, &row)));
	for (unsigned i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		row.published = (struct lab_range){ cases[i].low, cases[i].high };
		row.ours = (struct lab_range){ cases[i].from, cases[i].to };
		assert_true(fabs(lab_figure_deviation(&factor, &row) - cases[i].factor) < 1e-9);
		assert_true(fabs(lab_figure_deviation(&points, &row) - cases[i].points) < 1e-9);
	}
}

static void test_ranges(void **state)
{
	struct lab_range a = { 2, 8 }, b = { 1, 2 };

	(void)state;
	assert_true(lab_range_ratio(a, b).low == 2 && lab_range_ratio(a, b).high == 4);
	assert_true(lab_range_percent(b, a).low == -75 && lab_range_percent(b, a).high == -50);
}

static bool base(void *ctx, struct lab_config *config, struct lab_error *error)
{
	const struct lab_figure *f = ctx;
	const char *const texts[] = { f->common, f->full, f->quick };

	for (unsigned i = 0; i < 3; i++) {
		char copy[1024], *state, *one;

		snprintf(copy, sizeof(copy), "%s", texts[i]);
		for (one = strtok_r(copy, " ", &state); one; one = strtok_r(NULL, " ", &state))
			if (!lab_config_assign(config, one, error))
				return false;
	}
	return true;
}

static void test_cells(void **state)
{
	unsigned figures = 0;

	(void)state;
	for (const struct lab_figure *f = lab_figures; f->name; f++, figures++) {
		struct lab_sweep sweep = { 0 };
		struct lab_error error = { "" };

		for (unsigned i = 0; i < 6 && f->vary[i]; i++)
			assert_true(strncmp(f->vary[i], "pair:", 5) ? lab_sweep_vary(&sweep, f->vary[i], &error) :
				    lab_sweep_pair(&sweep, f->vary[i] + 5, &error));
		if (!lab_sweep_expand(&sweep, base, (void *)(uintptr_t)f, &error))
			fail_msg("%s: %s", f->name, error.text);
		for (unsigned i = 0; i < sweep.cells; i++) {
			struct lab_source *source = lab_source_open(sweep.cell[i].config.workload, 1, 0, &error);

			if (sweep.cell[i].why || !source)
				fail_msg("%s, %s: %s", f->name, sweep.cell[i].label,
					 sweep.cell[i].why ? sweep.cell[i].why : error.text);
			lab_source_close(source);
		}
		lab_sweep_free(&sweep);
	}
	assert_true(figures >= 9);
}

/* ---- the command ---- */

/* Of each figure: its files, and the one thing that it is for, as an awk program on the lines of its CSV: l is the
 * label, low and high are ours, d is the deviation. */
static const struct { const char *name, *shows; unsigned rows;
} shown[] = {
	{"walk-refs", "d != 0 { bad = 1 } high == 35 { n++ } END { exit bad || n != 1 }", 17},
	{"chase", "l ~ /2m, EPT 2m/ { a = low } l ~ /4k, EPT 4k/ { b = low } END { exit !(a > 0 && b > 2 * a) }", 4},
	{"early-designs", "l ~ /Intel/ { i = low } l ~ /AMD/ { a = low } END { exit !(a > i && i > 0) }", 2},
	{"build", "l ~ /EPT 4K,,/ { e = low } l ~ /4K, busy/ { b = low } END { exit !(b > e && e > 0) }", 10},
	{"in-sync",
	 "l ~ /^fork.*: in sync/ { s = low } l ~ /^fork.*out of/ { o = high } END { exit !(s > 1.3 * o && o > 1) }",
	 12},
	{"out-of-sync", "l ~ /^boot:/ { n += low > 5 && high < 60 } END { exit n != 4 }", 9},
	{"switches", "l ~ /CPUs, the host polls/ { h = low } l ~ /CPUs, the guest polls/ { g = high } "
	 "END { exit !(h > g && g > 0) }", 17},
	{"nested-cache", "l ~ /gups.*both dimensions/ { g = high } END { exit !(g > 10) }", 16},
	{"shadow-ept", "l ~ /fork.*4K/ { f = low } l ~ /gups.*4K/ { g = low } END { exit !(f > 50 && g < 0) }", 22},
	{"crossover",
	 "l ~ /shadow at 8,/ { s = low } l ~ /4K pages at 8,/ { e = high } END { exit !(s > e && e > 0.9) }", 18},
	{"forkwait", "l ~ /shadow tables/ { s = low } l ~ /brute/ { b = low } END { exit !(s > 2 && b > s) }", 3},
	{"vpid", "l ~ /zipf:keys=4K at 1000,/ { z = high } END { exit !(z > 0.5) }", 28},
	{"large-pages", "l ~ /gups.*both/ { g = high } END { exit !(g > 5) }", 18},
	{"exits", "l ~ /^fork.*against shadow/ { f = low } END { exit !(f > 90) }", 15},
};

/* The engine, which takes the time, is the same library in gcc's and in clang's program: gcc's makes all figures,
 * clang's the first. */
#ifdef __clang__
static const bool all_figures = false;
#else
static const bool all_figures = true;
#endif

static void test_run(void **state)
{
	unsigned i = 0;

	(void)state;
	assert_int_equal(0, shell("\"$V\" lab figure %s --quick -o . >out 2>err",
				  all_figures ? "--all" : shown[0].name));
	for (const struct lab_figure *f = lab_figures; f->name; f++, i++) {
		assert_string_equal(f->name, shown[i].name);
		if (i > 0 && !all_figures)
			continue;
		if (shell("head -1 %s.csv | grep -q '^label,series,x,published_low,.*,deviation,' && [ $(grep -c . "
			  "%s.csv) = %u ] && "
			  "grep -q 'published .* ours .* deviation' %s.txt && grep -q '<svg' %s.svg && grep -q "
			  "'</svg>' %s.svg",
			  f->name, f->name, shown[i].rows + 1, f->name, f->name, f->name))
			fail_msg("%s: not all of it is there", f->name);
		if (shell("tr -d '\"' <%s.csv | sed 's/,\\(points\\|percent\\)$//; 1d' | "
			  "awk -F, '{ d = $NF; high = $(NF - 1); low = $(NF - 2); l = $0 } %s'",
			  f->name, shown[i].shows))
			fail_msg("%s does not show what it is for", f->name);
	}
	assert_int_equal(i, sizeof(shown) / sizeof(shown[0]));
}

static void test_bad_commands(void **state)
{
	static const struct { const char *args, *says;
	} cases[] = {
		{ "nothing", "there is no figure 'nothing'" },
		{ "--quick", "which figure" },
		{ "forkwait --frob", "does not take '--frob'" },
		{ "forkwait -o /nowhere", "/nowhere is not a directory" },
		{ "forkwait --jobs 0", "does not take '--jobs'" },
	};

	(void)state;
	for (unsigned i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		assert_int_equal(0, shell("\"$V\" lab figure %s >out 2>err; [ $? = 2 ] && grep -qF \"%s\" err && [ "
					  "$(wc -l <err) = 1 ]",
					  cases[i].args, cases[i].says));
	/* Without gnuplot: one sentence, and the other two are there. */
	assert_int_equal(
		0, shell("rm -f forkwait.*; PATH=/nowhere \"$V\" lab figure forkwait --quick >out 2>err; [ $? = 2 ] && "
			 "grep -q 'gnuplot is not installed (package gnuplot-nox)' err && [ -s forkwait.csv ] && [ -s "
			 "forkwait.txt ]"));
	assert_int_equal(0, shell("\"$V\" lab figure --list | grep -q '^walk-refs '"));
}

int main(int argc, char **argv)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_deviation), cmocka_unit_test(test_ranges),       cmocka_unit_test(test_cells),
		cmocka_unit_test(test_run),	  cmocka_unit_test(test_bad_commands),
	};

	if (argc > 2 && !strcmp(argv[1], "lab"))
		return lab_command_figure(argc - 2, argv + 2);
	return cmocka_run_group_tests(tests, own_command_setup, own_command_teardown);
}
