/* Figures: deviations, what comes out, and that every figure's cells can be. Two of them are run (--quick), over the real engine; the
 * program is its own `vellum lab figure`. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "lab/figure.h"
#include "lab/lab.h"

static void test_deviation(void **state)
{
	static const struct { double low, high, from, to, factor, points; } cases[] = {
		{ 10, 10, 10, 10, 0, 0 }, { 10, 10, 12, 12, 20, 2 }, { 10, 10, 8, 9, -10, -1 }, { 10, 20, 15, 30, 0, 0 }, { 10, 20, 25, 30, 25, 5 },
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
				fail_msg("%s, %s: %s", f->name, sweep.cell[i].label, sweep.cell[i].why ? sweep.cell[i].why : error.text);
			lab_source_close(source);
		}
		lab_sweep_free(&sweep);
	}
	assert_true(figures >= 9);
}

/* ---- the command ---- */

static char directory[] = "/tmp/vellum-figure-XXXXXX";

static int shell(const char *command)
{
	int status = system(command);

	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

static void test_run(void **state)
{
	FILE *f;
	char *text = NULL;
	size_t room = 0;

	(void)state;
	assert_int_equal(0, shell("\"$V\" lab figure forkwait crossover --quick -o . >out 2>err"));
	assert_int_equal(0, shell("grep -q 'published .* ours .* deviation' forkwait.txt && grep -Eq '^shadow tables +17.7 +[0-9.]+' forkwait.txt"));
	assert_int_equal(0, shell("[ $(grep -c . crossover.csv) = 19 ] && head -1 crossover.csv | grep -q '^label,series,x,published_low,.*,deviation,'"));
	/* The numbers that the figure is for: guarding page tables costs, and EPT does not guard. */
	assert_int_equal(0, shell("awk -F, 'NR == 2 { exit !($6 > 2) }' forkwait.csv"));
	assert_int_equal(0, shell("awk -F, '/^\"?shadow at 8,/ { s = $6 } /^\"EPT, 4K pages at 8\"/ { e = $8 } END { exit !(s > e && e > 0.9) }' crossover.csv"));
	for (unsigned i = 0; i < 2; i++) {
		f = fopen(i ? "forkwait.svg" : "crossover.svg", "r");
		assert_non_null(f);
		assert_true(getdelim(&text, &room, '\0', f) > 1000);
		fclose(f);
		assert_non_null(strstr(text, "<svg"));
		assert_non_null(strstr(text, "</svg>"));
	}
	free(text);
}

static void test_bad_commands(void **state)
{
	static const struct { const char *args, *says; } cases[] = {
		{ "nothing", "there is no figure 'nothing'" }, { "--quick", "which figure" }, { "forkwait --frob", "does not take '--frob'" },
		{ "forkwait -o /nowhere", "/nowhere is not a directory" }, { "forkwait --jobs 0", "does not take '--jobs'" },
	};

	(void)state;
	for (unsigned i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		char command[300];

		snprintf(command, sizeof(command), "\"$V\" lab figure %s >out 2>err; [ $? = 2 ] && grep -qF \"%s\" err && [ $(wc -l <err) = 1 ]",
			 cases[i].args, cases[i].says);
		assert_int_equal(0, shell(command));
	}
	/* Without gnuplot: one sentence, and the other two are there. */
	assert_int_equal(0, shell("rm -f forkwait.*; PATH=/nowhere \"$V\" lab figure forkwait --quick >out 2>err; [ $? = 2 ] && "
				  "grep -q 'gnuplot is not installed (package gnuplot-nox)' err && [ -s forkwait.csv ] && [ -s forkwait.txt ]"));
	assert_int_equal(0, shell("\"$V\" lab figure --list | grep -q '^walk-refs '"));
}

static int setup(void **state)
{
	char self[4096];
	ssize_t n = readlink("/proc/self/exe", self, sizeof(self) - 1);

	(void)state;
	if (n < 0 || !mkdtemp(directory) || chdir(directory))
		return -1;
	self[n] = '\0';
	return setenv("V", self, 1);
}

static int teardown(void **state)
{
	char command[100];

	(void)state;
	snprintf(command, sizeof(command), "rm -rf '%s'", directory);
	return shell(command);
}

int main(int argc, char **argv)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_deviation), cmocka_unit_test(test_ranges), cmocka_unit_test(test_cells), cmocka_unit_test(test_run),
		cmocka_unit_test(test_bad_commands),
	};

	if (argc > 2 && !strcmp(argv[1], "lab"))
		return lab_command_figure(argc - 2, argv + 2);
	return cmocka_run_group_tests(tests, setup, teardown);
}
