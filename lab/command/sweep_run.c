/* lab/command/sweep_run.c - see lab/command/sweep_run.h. */
#include "lab/command/sweep_run.h"

#include <stdlib.h>
#include <string.h>

#include "lab/sweep/eta.h"
#include "lab/sweep/pool.h"
#include "lab/sweep/results.h"

/* Cells that are left out, by reason; on stderr, and as notes for the report. Returns how many reasons. */
static unsigned left_out(const struct lab_sweep *sweep, bool quiet, char ***notes)
{
	unsigned count = 0;

	*notes = NULL;
	for (unsigned i = 0; i < sweep->cells; i++) {
		unsigned same = 0;
		bool seen = false;

		if (!sweep->cell[i].why)
			continue;
		for (unsigned j = 0; j < i; j++)
			seen |= sweep->cell[j].why && !strcmp(sweep->cell[j].why, sweep->cell[i].why);
		for (unsigned j = i; j < sweep->cells && !seen; j++)
			same += sweep->cell[j].why && !strcmp(sweep->cell[j].why, sweep->cell[i].why);
		if (seen)
			continue;
		*notes = realloc(*notes, (count + 1) * sizeof(char *));
		if (!*notes ||
		    asprintf(&(*notes)[count], "%u cell%s left out (%s%s): %s", same, same == 1 ? "" : "s",
			     same == 1 ? "" : "the first one: ", sweep->cell[i].label, sweep->cell[i].why) < 0)
			abort();
		if (!quiet)
			fprintf(stderr, "vellum: note: %s\n", (*notes)[count]);
		count++;
	}
	return count;
}

/* Of how many cells a run is made that is another cell's too. */
static void say_twins(const struct lab_sweep *sweep)
{
	unsigned twins = 0;

	for (unsigned i = 0; i < sweep->cells; i++)
		twins += sweep->cell[i].twin;
	if (twins)
		fprintf(stderr,
			"vellum: note: %u cell%s the same as %s (natively, nothing of hv.* counts) and %s not run "
			"again\n",
			twins, twins == 1 ? " is" : "s are", twins == 1 ? "another" : "others",
			twins == 1 ? "is" : "are");
}

struct doing {
	const struct lab_sweep_run *args;
	struct lab_results *results;
	struct lab_store *store;
	const struct lab_cell **todo; /* [the pool's jobs] */
	char build[LAB_KEY_SIZE];
	struct lab_error *error;
};

static char *line(void *ctx, unsigned job, const struct lab_result *result)
{
	struct doing *d = ctx;
	char *text = lab_record_line(d->todo[job]->key, d->build, result), *newline = strchr(text, '\n');

	if (newline)
		*newline = '\0';
	return text;
}

static bool done(void *ctx, unsigned job, const char *text, const char *why)
{
	struct doing *d = ctx;
	char *whole;
	bool ok;

	if (!text) {
		fprintf(stderr, "vellum: cell %s failed: %s\n", d->todo[job]->label, why);
		return true;
	}
	if (asprintf(&whole, "%s\n", text) < 0)
		abort();
	ok = lab_store_append(d->store, whole, d->error) && lab_results_take(d->results, text, d->error);
	free(whole);
	return ok;
}

static bool plan(struct doing *d)
{
	const struct lab_sweep *sweep = d->args->sweep;
	bool known = true;
	char *text;
	bool ok;

	for (unsigned i = 0; i < sweep->cells; i++) {
		bool found = sweep->cell[i].why != NULL;

		for (unsigned j = 0; j < d->results->plans && !found; j++)
			found = !strcmp(d->results->planned[j].key, sweep->cell[i].key);
		known &= found;
	}
	if (known)
		return true;
	text = lab_plan_line(sweep);
	ok = lab_store_append(d->store, text, d->error);
	*strchr(text, '\n') = '\0';
	ok = ok && lab_results_take(d->results, text, d->error);
	free(text);
	return ok;
}

static bool in_range(const struct lab_sweep_run *a, unsigned cell)
{
	return !a->first || (cell + 1 >= a->first && cell + 1 <= a->last);
}

static unsigned gather(struct doing *d, struct lab_job *jobs, unsigned *there)
{
	const struct lab_sweep *sweep = d->args->sweep;
	unsigned n = 0;

	*there = 0;
	for (unsigned i = 0; i < sweep->cells; i++) {
		const struct lab_cell *cell = &sweep->cell[i];

		if (cell->why || cell->twin || !in_range(d->args, i))
			continue;
		if (lab_results_find(d->results, cell->key)) {
			++*there;
			continue;
		}
		d->todo[n] = cell;
		jobs[n++] = (struct lab_job){ &cell->config, cell->label, cell->weight };
	}
	return n;
}

static void other_builds(const struct doing *d)
{
	unsigned others = 0;

	for (unsigned i = 0; i < d->results->count; i++)
		others += strcmp(lab_record_build(&d->results->record[i]), d->build) != 0;
	if (others && !d->args->quiet)
		fprintf(stderr,
			"vellum: note: %u result%s in %s come%s from another build of vellum; where the model has "
			"changed since, they "
			"differ "
			"from new ones (a new -o FILE computes all again)\n",
			others, others == 1 ? "" : "s", d->args->file, others == 1 ? "s" : "");
}

static void summary(const struct doing *d, const struct lab_pool_report *r, unsigned there)
{
	char text[32];

	if (d->args->quiet)
		return;
	fprintf(stderr, "vellum: %u cell%s in %s on %u CPU%s", r->done, r->done == 1 ? "" : "s",
		lab_eta_text(r->seconds, text), r->workers, r->workers == 1 ? "" : "s");
	if (r->done && r->seconds > 0)
		fprintf(stderr, ", busy %.1f %% of the time (%.1f s of CPU), %.3g M accesses a second",
			100 * r->busy / (r->seconds * r->workers), r->cpu_seconds,
			(double)r->accesses / 1e6 / r->seconds);
	fprintf(stderr, "; %u %s there already", there, there == 1 ? "was" : "were");
	if (r->failed)
		fprintf(stderr, "; %u FAILED", r->failed);
	if (r->left)
		fprintf(stderr, "; %u %s left, which the same command runs", r->left, r->left == 1 ? "is" : "are");
	fprintf(stderr, "; results are in %s\n", d->args->file);
}

static bool show(const struct lab_sweep_run *a, const struct lab_results *results, char *const *notes, unsigned count,
		 struct lab_error *error)
{
	const struct lab_record **record = calloc(a->sweep->cells + 1, sizeof(*record));
	struct lab_output output = *a->output;
	struct lab_view view;
	unsigned n = 0;
	bool ok;

	if (!record)
		abort();
	/* Without a table, what was asked for by name is still written. */
	output.no_table |= a->quiet;
	for (unsigned i = 0; i < a->sweep->cells; i++)
		if (!a->sweep->cell[i].why && !a->sweep->cell[i].twin && in_range(a, i) &&
		    (record[n] = lab_results_find(results, a->sweep->cell[i].key)))
			n++;
	ok = lab_view_init(&view, record, n, a->output->columns, error);
	free(record);
	if (!ok)
		return false;
	view.title = "vellum lab sweep";
	view.note = (const char *const *)notes;
	view.notes = count;
	ok = lab_output_write(&output, &view, error);
	lab_view_free(&view);
	return ok;
}

int lab_sweep_run(const struct lab_sweep_run *a, struct lab_error *error)
{
	struct lab_results results = { 0 };
	struct lab_store store;
	struct doing d = { .args = a, .results = &results, .store = &store, .error = error };
	struct lab_pool pool = { a->jobs, a->quiet, line, done, &d };
	struct lab_pool_report report = { 0 };
	struct lab_job *jobs = calloc(a->sweep->cells + 1, sizeof(*jobs));
	unsigned there, count, reasons;
	char **notes;
	bool ok;

	d.todo = calloc(a->sweep->cells + 1, sizeof(*d.todo));
	if (!jobs || !d.todo)
		abort();
	lab_build(d.build);
	reasons = left_out(a->sweep, a->quiet, &notes);
	if (!a->quiet)
		say_twins(a->sweep);
	ok = lab_store_open(&store, a->file, &results, error);
	if (ok) {
		if (store.torn && !a->quiet)
			fprintf(stderr, "vellum: note: the last line of %s was half written; that cell is run again\n",
				a->file);
		other_builds(&d);
		count = gather(&d, jobs, &there);
		ok = plan(&d) && lab_pool_run(&pool, jobs, count, &report, error);
		lab_store_close(&store);
		summary(&d, &report, there);
		ok = ok && show(a, &results, notes, reasons, error);
	}
	for (unsigned i = 0; i < reasons; i++)
		free(notes[i]);
	free(notes);
	free(jobs);
	free(d.todo);
	lab_results_free(&results);
	return !ok ? 2 : report.interrupted ? 130 : report.failed ? 1 : 0;
}
