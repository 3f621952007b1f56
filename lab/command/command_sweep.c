/* lab/command/command_sweep.c - `vellum lab sweep`: its command line. lab/command/sweep_run.c does what it asks for. */
#include <stdlib.h>
#include <string.h>

#include "lab/sweep/jobs.h"
#include "lab/lab.h"
#include "lab/sweep/pool.h"
#include "lab/command/files.h"
#include "lab/command/sweep_run.h"
#include "lab/wrap.h"

static const char usage[] =
	"usage: vellum lab sweep [OPTION]... --vary KEY=VALUE,VALUE,... [--vary ...] [-o FILE]\n\n"
	"Runs every combination of the values, each in a process of its own on all CPUs. What is done is\n"
	"kept in FILE at once; the same command again runs what is missing. Combinations that cannot be are\n"
	"left out, with a note.\n\n"
	"  --vary KEY=A,B,... a setting and its values (with ; between them where a value holds commas:\n"
	"                     workload=gups:size=1G;chase:size=1G)\n"
	"  --pair K,L=A,B;C,D settings that change together\n"
	"  -o FILE            the results file (sweep.jsonl)\n"
	"  --jobs N           runs at a time (as many as CPUs)\n"
	"  --cells A-B        only these cells of the sweep, counted from 1\n"
	"  --jobs-for WHAT    runs nothing; writes a job list for GNU parallel (parallel), or a Slurm array\n"
	"                     (slurm)\n"
	"  --chunk N          ... with N cells for each job\n"
	"  --array N          ... with at most N tasks in an array (what the cluster's MaxArraySize allows)\n"
	"  --list             runs nothing; lists the cells\n"
	"  --quiet            no progress and no table; files that are asked for are written\n";

struct args {
	int argc;
	char **argv;
	int *base;              /* where in argv options of the base configuration begin */
	unsigned bases;
	struct lab_sweep sweep;
	struct lab_output output;
	const char *file, *jobs_for;
	unsigned jobs, chunk, array, first, last;
	bool quiet, list;
	char **word;            /* what a job list repeats */
	unsigned words;
};

/* ---- the command line ---- */

enum { NUMBERS_MOST = 1000000 };

static bool number(const char *text, unsigned least, unsigned most, unsigned *out)
{
	uint64_t v;

	if (!text || !lab_parse_count(text, &v) || v < least || v > most)
		return false;
	*out = (unsigned)v;
	return true;
}

static bool number_of(const char *option, const char *text, unsigned most, unsigned *out, struct lab_error *error)
{
	return number(text, 1, most, out) ||
	       lab_fail(error, "%s takes a number from 1 to %u, not '%s'", option, most, text);
}

static bool cells_range(struct args *a, const char *text)
{
	char left[32];
	const char *dash = text ? strchr(text, '-') : NULL;

	if (!text || (size_t)(dash ? dash - text : (long)strlen(text)) >= sizeof(left))
		return false;
	snprintf(left, sizeof(left), "%.*s", (int)(dash ? dash - text : (long)strlen(text)), text);
	return number(left, 1, NUMBERS_MOST, &a->first) &&
	       number(dash ? dash + 1 : left, a->first, NUMBERS_MOST, &a->last);
}

/* Options that take a value and are the sweep's own. false without an error: no such option. */
static bool own_option(struct args *a, int *at, struct lab_error *error)
{
	const char *option = a->argv[*at], *value = *at + 1 < a->argc ? a->argv[*at + 1] : NULL;
	static const char *const all[] = {"--vary",  "--pair",	   "-o",      "--jobs",
					  "--cells", "--jobs-for", "--chunk", "--array"};
	bool known = false;

	for (unsigned i = 0; i < sizeof(all) / sizeof(all[0]); i++)
		known |= !strcmp(all[i], option);
	if (!known)
		return false;
	if (!value)
		return lab_fail(error, "%s needs a value", option);
	*at += 2;
	if (!strcmp(option, "--vary"))
		return lab_sweep_vary(&a->sweep, value, error);
	if (!strcmp(option, "--pair"))
		return lab_sweep_pair(&a->sweep, value, error);
	if (!strcmp(option, "--cells"))
		return cells_range(a, value) ||
		       lab_fail(error, "--cells takes A-B, cells of the sweep counted from 1, not '%s'", value);
	if (!strcmp(option, "--jobs"))
		return number_of(option, value, NUMBERS_MOST, &a->jobs, error);
	if (!strcmp(option, "--array"))
		return number_of(option, value, LAB_JOBS_ARRAY_MOST, &a->array, error);
	if (!strcmp(option, "--chunk"))
		return number_of(option, value, NUMBERS_MOST, &a->chunk, error);
	*(!strcmp(option, "-o") ? &a->file : &a->jobs_for) = value;
	return true;
}

static bool flag(struct args *a, const char *option)
{
	bool *which = !strcmp(option, "--quiet") ? &a->quiet : !strcmp(option, "--list") ? &a->list : NULL;

	if (which)
		*which = true;
	return which != NULL;
}

static void repeat_words(struct args *a, int from, int to)
{
	while (from < to)
		a->word[a->words++] = a->argv[from++];
}

static bool parse(struct args *a, struct lab_error *error)
{
	struct lab_config scratch;
	int at = 1;

	lab_config_init(&scratch);
	while (at < a->argc) {
		int from = at;

		if (lab_option(&scratch, a->argc, a->argv, &at, error)) {
			a->base[a->bases++] = from;
			repeat_words(a, from, at);
		} else if (!error->text[0] && own_option(a, &at, error)) {
			if (!strcmp(a->argv[from], "--vary") || !strcmp(a->argv[from], "--pair"))
				repeat_words(a, from, at);
		} else if (!error->text[0] && !lab_output_option(&a->output, a->argc, a->argv, &at, error)) {
			if (error->text[0])
				return false;
			if (!flag(a, a->argv[at]))
				return lab_fail(
					error,
					"vellum lab sweep has no option '%s'; vellum lab sweep --help lists them",
					a->argv[at]);
			at++;
		}
		if (error->text[0])
			return false;
	}
	return true;
}

static bool set_base(void *ctx, struct lab_config *config, struct lab_error *error)
{
	const struct args *a = ctx;

	for (unsigned i = 0; i < a->bases; i++) {
		int at = a->base[i];

		if (!lab_option(config, a->argc, a->argv, &at, error))
			return false;
	}
	return true;
}

/* ---- what is to be done ---- */

/* A guess of each cell's time, and a first look at every workload: what cannot be opened is better said now than in an
 * hour. */
static bool weigh(struct lab_sweep *sweep, struct lab_error *error)
{
	struct lab_cell *last = NULL;
	uint64_t accesses = 0;

	for (unsigned i = 0; i < sweep->cells; i++) {
		struct lab_cell *cell = &sweep->cell[i];
		const struct lab_config *c = &cell->config;

		if (cell->why)
			continue;
		if (!last || strcmp(last->config.workload, c->workload) || last->config.seed != c->seed ||
		    last->config.limit != c->limit) {
			struct lab_source *source = lab_source_open(c->workload, c->seed, c->limit, error);

			if (!source)
				return false;
			accesses = source->accesses;
			lab_source_close(source);
			last = cell;
		}
		cell->weight = lab_pool_weight(c, accesses);
	}
	return true;
}

static bool keys(struct lab_sweep *sweep, struct lab_error *error)
{
	struct lab_identities identities = { 0 };
	bool ok = true;

	for (unsigned i = 0; i < sweep->cells && ok; i++)
		ok = sweep->cell[i].why || lab_cell_key(&sweep->cell[i].config, &identities, sweep->cell[i].key, error);
	lab_identities_free(&identities);
	if (ok)
		lab_sweep_twins(sweep);
	return ok;
}

static void list_cells(const struct lab_sweep *sweep)
{
	for (unsigned i = 0; i < sweep->cells; i++)
		lab_print_wrapped(stdout, 25, "%5u  %-16s  %s%s%s", i + 1,
				  sweep->cell[i].why ? "-" : sweep->cell[i].key, sweep->cell[i].label,
				  sweep->cell[i].why	? "  cannot be: "
				  : sweep->cell[i].twin ? "  is one of those before"
							: "",
				  sweep->cell[i].why ? sweep->cell[i].why : "");
}

/* A sweep of which nothing can be is a mistake. */
static bool some_can_be(const struct lab_sweep *sweep, struct lab_error *error)
{
	for (unsigned i = 0; i < sweep->cells; i++)
		if (!sweep->cell[i].why)
			return true;
	return lab_fail(error, "none of the sweep's %u cells can be: %s", sweep->cells,
			sweep->cells ? sweep->cell[0].why : "there are none");
}

/* Before anything runs: what is written takes no other's place. */
static bool files_good(const struct args *a, struct lab_error *error)
{
	struct lab_files files = { 0 };
	bool ok;

	lab_files_add_output(&files, &a->output);
	lab_files_add(&files, "-o (the results)", a->file, LAB_FILE_KEPT);
	for (unsigned i = 0; i < a->bases; i++)
		lab_files_add_config(&files, a->argc, a->argv, a->base[i]);
	for (unsigned i = 0; i < a->sweep.cells; i++)
		if (!a->sweep.cell[i].why)
			lab_files_add_trace(&files, &a->sweep.cell[i].config);
	ok = lab_files_good(&files, error);
	lab_files_free(&files);
	return ok;
}

static int run_sweep(struct args *a, struct lab_error *error)
{
	struct lab_jobs jobs;

	if (!parse(a, error))
		return 2;
	if (a->output.columns && !strcmp(a->output.columns, "list")) {
		lab_columns_help(stdout);
		return 0;
	}
	if (a->output.columns && !lab_columns_check(a->output.columns, error))
		return 2;
	if (!lab_sweep_expand(&a->sweep, set_base, a, error) || !weigh(&a->sweep, error) || !keys(&a->sweep, error))
		return 2;
	if (a->last > a->sweep.cells) {
		lab_fail(error, "the sweep has %u cells; --cells asks for %u-%u", a->sweep.cells, a->first, a->last);
		return 2;
	}
	if (a->list) {
		list_cells(&a->sweep);
		return 0;
	}
	if (!some_can_be(&a->sweep, error))
		return 2;
	if (!a->jobs_for && !files_good(a, error))
		return 2;
	if (!a->jobs_for)
		return lab_sweep_run(
			&(struct lab_sweep_run){ &a->sweep, &a->output, a->file, a->jobs, a->first, a->last, a->quiet },
			error);
	jobs = (struct lab_jobs){ a->jobs_for, a->file, a->sweep.cells, a->chunk, a->array, a->words,
				  a->word };
	return lab_jobs_write(&jobs, error) ? 0 : 2;
}

int lab_command_sweep(int argc, char **argv)
{
	struct args a = { .argc = argc, .argv = argv, .file = "sweep.jsonl" };
	struct lab_error error = { "" };
	int status;

	if (argc == 1)
		return lab_asks("sweep", "what is to be varied? --vary KEY=VALUE,VALUE,...");
	if (!strcmp(argv[1], "--help") || !strcmp(argv[1], "-h")) {
		printf("%s%s\nThe base configuration:\n%s", usage, lab_output_help, lab_options_help);
		return 0;
	}
	a.base = calloc((size_t)argc, sizeof(*a.base));
	a.word = calloc((size_t)argc, sizeof(*a.word));
	if (!a.base || !a.word)
		abort();
	status = run_sweep(&a, &error);
	if (error.text[0])
		fprintf(stderr, "vellum: %s\n", error.text);
	lab_sweep_free(&a.sweep);
	free(a.base);
	free(a.word);
	return status;
}
