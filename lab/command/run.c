/* lab/command/run.c - `vellum lab run`: one configuration, a full account. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lab/command/files.h"
#include "lab/lab.h"
#include "lab/sweep/results.h"
#include "lab/show/view.h"
#include "tool/base/output.h"

static void progress(void *ctx, uint64_t done, uint64_t all)
{
	(void)ctx;
	if (all)
		fprintf(stderr, "\r%3.0f%%", 100.0 * (double)done / (double)all);
	else
		fprintf(stderr, "\r%llu million accesses", (unsigned long long)done / 1000000);
	fflush(stderr);
}

static int usage(void)
{
	printf("usage: vellum lab run [OPTION]... [WORKLOAD]\n\n%s"
	       "  --json FILE        the account as JSON; - is the standard output, which then shows nothing else\n"
	       "  --csv FILE         ... as CSV: a line of names and a line of values\n"
	       "  --html FILE        ... as one HTML page with charts, which needs nothing from outside\n"
	       "  --settings         prints the settings that the run would have, as a configuration file, and ends\n",
	       lab_options_help);
	return 0;
}

static int failed(const struct lab_error *error)
{
	fprintf(stderr, "vellum: %s\n", error->text);
	return 2;
}

/* ---- what comes out ---- */

static bool is_standard(const char *file)
{
	return file && !strcmp(file, "-");
}

static bool write_json(const struct lab_result *result, const char *path, struct lab_error *error)
{
	FILE *f = is_standard(path) ? stdout : output_begin(path);
	bool ok = f != NULL;

	if (ok) {
		lab_result_json(result, f);
		ok = f == stdout ? output_standard() : output_end(f);
	}
	return ok || lab_fail(error, "cannot write %s: %s", f == stdout ? "the standard output" : path,
			      strerror(errno));
}

/* CSV and HTML are those of a sweep that consists of this run. */
static bool write_view(const struct lab_result *result, const struct lab_output *to, struct lab_error *error)
{
	const struct lab_output output = { .csv = to->csv, .html = to->html, .no_table = true };
	struct lab_identities identities = { 0 };
	struct lab_results results = { 0 };
	const struct lab_record *record;
	char key[LAB_KEY_SIZE], build[LAB_KEY_SIZE], *line;
	struct lab_view view;
	bool ok;

	ok = lab_cell_key(&result->config, &identities, key, error);
	lab_identities_free(&identities);
	if (!ok)
		return false;
	lab_build(build);
	line = lab_record_line(key, build, result);
	line[strcspn(line, "\n")] = '\0';
	ok = lab_results_take(&results, line, error);
	free(line);
	record = ok ? lab_results_find(&results, key) : NULL;
	if (record && (ok = lab_view_init(&view, &record, 1, NULL, error))) {
		view.title = "vellum lab run";
		ok = lab_output_write(&output, &view, error);
		lab_view_free(&view);
	}
	lab_results_free(&results);
	return ok;
}

static bool write_all(const struct lab_result *result, const struct lab_output *to, struct lab_error *error)
{
	if (!is_standard(to->json) && !is_standard(to->csv) && !is_standard(to->html)) {
		lab_result_print(result, stdout);
		if (!output_standard())
			return lab_fail(error, "cannot write the standard output: %s", strerror(errno));
	}
	return (!to->json || write_json(result, to->json, error)) &&
	       ((!to->csv && !to->html) || write_view(result, to, error));
}

/* ---- the command ---- */

static int run(const struct lab_config *config, const struct lab_output *to)
{
	static struct lab_result result;
	struct lab_error error = { "" };
	bool show = isatty(STDERR_FILENO);
	bool ok = lab_run(config, &result, show ? progress : NULL, NULL, &error);

	if (show)
		fprintf(stderr, "\r%40s\r", "");
	if (!ok)
		return failed(&error);
	if (write_all(&result, to, &error))
		return 0;
	failed(&error);
	return 1;
}

/* As lab_option(), for the options of this command that take a file. */
static bool output_option(struct lab_output *to, int argc, char **argv, int *at, struct lab_error *error)
{
	const struct {
		const char *name, **where;
	} options[] = { { "--json", &to->json }, { "--csv", &to->csv }, { "--html", &to->html } };

	for (unsigned i = 0; i < sizeof(options) / sizeof(options[0]); i++) {
		if (strcmp(argv[*at], options[i].name))
			continue;
		if (*at + 1 >= argc)
			return lab_fail(error, "%s needs a file, or - for the standard output", argv[*at]);
		*options[i].where = argv[*at + 1];
		*at += 2;
		return true;
	}
	return false;
}

static int run_or_refuse(const struct lab_config *config, const struct lab_output *to, struct lab_files *files)
{
	struct lab_error error = { "" };
	bool ok;

	lab_files_add_output(files, to);
	lab_files_add_trace(files, config);
	ok = lab_files_good(files, &error);
	lab_files_free(files);
	return ok ? run(config, to) : failed(&error);
}

int lab_command_run(int argc, char **argv)
{
	struct lab_config config;
	struct lab_error error = { "" };
	struct lab_output to = { 0 };
	struct lab_files files = { 0 };
	bool settings = false, named = false;

	lab_config_init(&config);
	for (int at = 1; at < argc;) {
		lab_files_add_config(&files, argc, argv, at);
		if (lab_option(&config, argc, argv, &at, &error))
			continue;
		if (!error.text[0] && output_option(&to, argc, argv, &at, &error))
			continue;
		if (!error.text[0] && (!strcmp(argv[at], "--help") || !strcmp(argv[at], "-h"))) {
			lab_files_free(&files);
			return usage();
		}
		if (!error.text[0] && !strcmp(argv[at], "--settings"))
			settings = true;
		else if (!error.text[0] && argv[at][0] == '-')
			lab_fail(&error, "vellum lab run has no option '%s'; vellum lab run --help lists them",
				 argv[at]);
		else if (!error.text[0] && named)
			lab_fail(&error, "the workload is given twice");
		else if (!error.text[0])
			named = lab_workload_once(argv, argc, &error) &&
				lab_config_set(&config, "workload", argv[at], &error);
		if (error.text[0]) {
			lab_files_free(&files);
			return failed(&error);
		}
		at++;
	}
	if (!settings)
		return run_or_refuse(&config, &to, &files);
	lab_files_free(&files);
	lab_config_write(&config, "", stdout);
	return 0;
}
