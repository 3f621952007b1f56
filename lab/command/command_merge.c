/* lab/command/command_merge.c - `vellum lab merge` and `vellum lab report`: results files joined, and shown. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cjson/cJSON.h>

#include "lab/command/files.h"
#include "lab/lab.h"
#include "lab/sweep/results.h"
#include "lab/show/view.h"
#include "tool/base/output.h"

struct args {
	const char **file;
	unsigned files;
	const char *out, *title;
	struct lab_output output;
	bool merge;
};

static bool parse(struct args *a, int argc, char **argv, struct lab_error *error)
{
	for (int at = 1; at < argc;) {
		if (lab_output_option(&a->output, argc, argv, &at, error))
			continue;
		if (error->text[0])
			return false;
		if (!strcmp(argv[at], a->merge ? "-o" : "--title")) {
			if (at + 1 >= argc)
				return lab_fail(error, "%s needs a value", argv[at]);
			*(a->merge ? &a->out : &a->title) = argv[at + 1];
			at += 2;
			continue;
		}
		if (argv[at][0] == '-')
			return lab_fail(error, "vellum lab %s has no option '%s'; vellum lab %s --help lists them",
					argv[0], argv[at], argv[0]);
		a->file[a->files++] = argv[at++];
	}
	if (a->output.columns && !strcmp(a->output.columns, "list"))
		return true;
	if (!a->files)
		return lab_fail(error, "vellum lab %s needs results files, those that vellum lab sweep writes",
				argv[0]);
	return !a->merge || a->out || lab_fail(error, "vellum lab merge needs -o FILE, where the joined results go");
}

/* What is joined may take the place of one of its parts; nothing else may. */
static bool files_good(const struct args *a, struct lab_error *error)
{
	struct lab_files files = { 0 };
	bool ok;

	lab_files_add_output(&files, &a->output);
	lab_files_add(&files, "-o", a->out, LAB_FILE_READ);
	for (unsigned i = 0; i < a->files; i++)
		lab_files_add(&files, "a results file", a->file[i], LAB_FILE_READ);
	ok = lab_files_good(&files, error);
	lab_files_free(&files);
	return ok && (!a->out || output_possible(a->out) ||
		      lab_fail(error, "cannot write %s: %s", a->out, strerror(errno)));
}

static unsigned shared(const struct lab_results *a, const struct lab_results *b)
{
	unsigned n = 0;

	for (unsigned i = 0; i < a->plans; i++)
		for (unsigned j = 0; j < b->plans; j++)
			n += !strcmp(a->planned[i].key, b->planned[j].key);
	return n;
}

/* Parts of one sweep say that they consist of the same cells; of a sweep that was made larger, one has all of the
 * other's. */
static bool of_one_sweep(const struct args *a, unsigned next, const struct lab_results *so_far,
			 struct lab_error *error)
{
	struct lab_results own = { 0 };
	unsigned same;
	bool ok = lab_results_read(&own, a->file[next], NULL, error);

	if (ok && own.plans && so_far->plans) {
		same = shared(&own, so_far);
		ok = same == own.plans || same == so_far->plans ||
		     lab_fail(error,
			      "%s is of another sweep than the file%s before it (%u of its %u cells are none of "
			      "theirs), and a merge joins the parts of one; vellum lab report shows several sweeps "
			      "together",
			      a->file[next], next > 1 ? "s" : "", own.plans - same, own.plans);
	}
	lab_results_free(&own);
	return ok;
}

static bool read_all(const struct args *a, struct lab_results *results, struct lab_error *error)
{
	for (unsigned i = 0; i < a->files; i++) {
		uint64_t whole;
		struct stat st;

		if (a->merge && i && !of_one_sweep(a, i, results, error))
			return false;
		if (!lab_results_read(results, a->file[i], &whole, error))
			return false;
		if (!stat(a->file[i], &st) && (uint64_t)st.st_size > whole)
			fprintf(stderr,
				"vellum: note: the last line of %s is half written; that cell does not count as done\n",
				a->file[i]);
	}
	return true;
}

/* What the sweeps said they consist of and is not there. Returns how many. */
static unsigned missing(const struct lab_results *results)
{
	unsigned count = 0;

	for (unsigned i = 0; i < results->plans; i++) {
		if (lab_results_find(results, results->planned[i].key))
			continue;
		if (count++ < 20)
			fprintf(stderr, "vellum: missing: %s\n", results->planned[i].label);
	}
	if (count > 20)
		fprintf(stderr, "vellum: missing: ... and %u more\n", count - 20);
	return count;
}

/* In the sweep's order, which makes the file the same however the sweep ran; then what belongs to no sweep. */
static const struct lab_record **in_order(const struct lab_results *results)
{
	const struct lab_record **record = calloc(results->count + 1, sizeof(*record));
	unsigned n = 0;

	if (!record)
		abort();
	for (unsigned i = 0; i < results->plans; i++)
		if ((record[n] = lab_results_find(results, results->planned[i].key)))
			n++;
	for (unsigned i = 0; i < results->count; i++)
		if (!results->record[i].label)
			record[n++] = &results->record[i];
	return record;
}

static void write_results(const struct lab_results *results, const struct lab_record *const *record, FILE *f)
{
	if (results->plans) {
		cJSON *line = cJSON_CreateObject(), *plan = cJSON_AddObjectToObject(line, "sweep"),
		      *cells = cJSON_AddArrayToObject(plan, "cells");
		char *text;

		for (unsigned i = 0; i < results->plans; i++) {
			const char *pair[2] = { results->planned[i].key, results->planned[i].label };

			cJSON_AddItemToArray(cells, cJSON_CreateStringArray(pair, 2));
		}
		text = cJSON_PrintUnformatted(line);
		fprintf(f, "%s\n", text);
		free(text);
		cJSON_Delete(line);
	}
	for (unsigned i = 0; i < results->count; i++)
		fprintf(f, "%s\n", record[i]->text);
}

/* It may be one of those that were read. */
static bool write_out(const char *file, const struct lab_results *results, const struct lab_record *const *record,
		      struct lab_error *error)
{
	FILE *f = output_begin(file);

	if (f)
		write_results(results, record, f);
	return (f && output_end(f)) || lab_fail(error, "cannot write %s: %s", file, strerror(errno));
}

static int run_merge(struct args *a, struct lab_results *results, struct lab_error *error)
{
	const struct lab_record **record;
	struct lab_view view;
	unsigned lacking;
	bool ok;

	if (a->output.columns && !strcmp(a->output.columns, "list")) {
		lab_columns_help(stdout);
		return 0;
	}
	if (!files_good(a, error) || !read_all(a, results, error))
		return 2;
	if (!results->count) {
		lab_fail(error, "there are no results in %s%s", a->file[0], a->files > 1 ? " and the others" : "");
		return 2;
	}
	record = in_order(results);
	ok = !a->merge || write_out(a->out, results, record, error);
	ok = ok && lab_view_init(&view, record, results->count, a->output.columns, error);
	free(record);
	if (!ok)
		return 2;
	if (a->title)
		view.title = a->title;
	/* A merge shows nothing unless it is asked to. */
	a->output.no_table = a->merge && !a->output.columns;
	ok = lab_output_write(&a->output, &view, error);
	lab_view_free(&view);
	if (!ok)
		return 2;
	lacking = missing(results);
	fprintf(stderr, "vellum: %u result%s from %u file%s", results->count, results->count == 1 ? "" : "s", a->files,
		a->files == 1 ? "" : "s");
	if (results->repeated)
		fprintf(stderr, "; %u came more than once, with the same numbers", results->repeated);
	fprintf(stderr, lacking ? "; %u of the sweep's %u cells %s missing\n" : "\n", lacking, results->plans,
		lacking == 1 ? "is" : "are");
	return lacking ? 1 : 0;
}

static int command(int argc, char **argv, bool merge)
{
	struct args a = { .merge = merge };
	struct lab_results results = { 0 };
	struct lab_error error = { "" };
	int status;

	if (argc == 1)
		return merge ? lab_asks("merge", "which results are to be joined? FILE... -o FILE")
			     : lab_asks("report", "which results are to be shown? FILE...");
	if (!strcmp(argv[1], "--help") || !strcmp(argv[1], "-h")) {
		printf(merge ? "usage: vellum lab merge FILE... -o FILE\n\nJoins results of sweeps that ran in parts, "
			       "and says what "
			       "is missing.\n%s"
			     : "usage: vellum lab report FILE...\n\nShows results that are there.\n\n  --title TEXT    "
			       "   of the HTML "
			       "page\n%s",
		       lab_output_help);
		return 0;
	}
	a.file = calloc((size_t)argc, sizeof(*a.file));
	if (!a.file)
		abort();
	status = parse(&a, argc, argv, &error) ? run_merge(&a, &results, &error) : 2;
	if (error.text[0])
		fprintf(stderr, "vellum: %s\n", error.text);
	lab_results_free(&results);
	free(a.file);
	return status;
}

int lab_command_merge(int argc, char **argv)
{
	return command(argc, argv, true);
}

int lab_command_report(int argc, char **argv)
{
	return command(argc, argv, false);
}
