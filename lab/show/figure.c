/* lab/show/figure.c - `vellum lab figure NAME`: runs a figure's cells, and writes NAME.svg, NAME.csv and NAME.txt. What
 * the figures are is in lab/show/figures*.c. */
#include "lab/show/figure.h"

#include <errno.h>
#include <math.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lab/lab.h"
#include "lab/sweep/pool.h"
#include "lab/show/view.h"
#include "tool/base/output.h"

static const char usage[] =
	"usage: vellum lab figure NAME... [-o DIRECTORY] [--quick] [--jobs N]\n"
	"       vellum lab figure --list | --all\n\n"
	"Reproduces a published figure by a fixed set of runs: writes NAME.svg, NAME.csv and NAME.txt\n"
	"(published value, ours, deviation), and shows the text.\n\n"
	"  -o DIRECTORY       where the files go (.)\n"
	"  --quick            with smaller workloads: seconds, for a look; deviations are larger\n"
	"  --jobs N           runs at a time (as many as CPUs)\n"
	"  --all              every figure\n"
	"  --list             the figures there are\n";

/* ---- for rows() ---- */

struct lab_range lab_figure_value(struct lab_figure_table *t, const char *column, const char *format, ...)
{
	char label[512];
	va_list args;

	va_start(args, format);
	vsnprintf(label, sizeof(label), format, args);
	va_end(args);
	for (unsigned i = 0; i < t->sweep->cells; i++) {
		const struct lab_cell *cell = &t->sweep->cell[i];
		const struct lab_record *record =
			strcmp(cell->label, label) || cell->why ? NULL : lab_results_find(t->results, cell->key);

		if (record) {
			struct lab_value v = lab_column_value(record, column);

			return (struct lab_range){ v.low, v.high };
		}
	}
	t->lacking = "a cell that the figure needs is not there";
	return LAB_NO_RANGE;
}

struct lab_range lab_range_ratio(struct lab_range a, struct lab_range b)
{
	double x = a.low / b.low, y = a.high / b.high;

	return (struct lab_range){ fmin(x, y), fmax(x, y) };
}

struct lab_range lab_range_percent(struct lab_range a, struct lab_range b)
{
	struct lab_range r = lab_range_ratio(a, b);

	return (struct lab_range){ (r.low - 1) * 100, (r.high - 1) * 100 };
}

static struct lab_figure_row *add(struct lab_figure_table *t)
{
	if (t->rows == t->room) {
		t->room = t->room * 2 + 32;
		t->row = realloc(t->row, t->room * sizeof(*t->row));
		if (!t->row)
			abort();
	}
	t->row[t->rows] = (struct lab_figure_row){ .x = NAN, .published = LAB_NO_RANGE, .ours = LAB_NO_RANGE };
	return &t->row[t->rows++];
}

void lab_figure_row(struct lab_figure_table *t, struct lab_range published, struct lab_range ours, const char *format,
		    ...)
{
	struct lab_figure_row *row = add(t);
	va_list args;

	va_start(args, format);
	vsnprintf(row->label, sizeof(row->label), format, args);
	va_end(args);
	row->published = published;
	row->ours = ours;
}

void lab_figure_point(struct lab_figure_table *t, const char *series, double x, struct lab_range ours)
{
	struct lab_figure_row *row = add(t);

	snprintf(row->series, sizeof(row->series), "%s", series);
	snprintf(row->label, sizeof(row->label), "%s at %g", series, x);
	row->x = x;
	row->ours = ours;
}

/* ---- running the cells ---- */

struct doing {
	const struct lab_figure *figure;
	bool quick;
	struct lab_sweep sweep;
	struct lab_results results;
	const struct lab_cell **todo;
	unsigned failed;
};

/* "key=value key=value". */
static bool assign_all(struct lab_config *config, const char *text, struct lab_error *error)
{
	char one[256];

	while (*text) {
		size_t n = strcspn(text, " ");

		snprintf(one, sizeof(one), "%.*s", (int)n, text);
		if (!lab_config_assign(config, one, error))
			return false;
		text += n + (text[n] == ' ');
	}
	return true;
}

static bool set_base(void *ctx, struct lab_config *config, struct lab_error *error)
{
	const struct doing *d = ctx;

	return assign_all(config, d->figure->common, error) &&
	       assign_all(config, d->quick ? d->figure->quick : d->figure->full, error);
}

static bool expand(struct doing *d, struct lab_error *error)
{
	struct lab_identities none = { 0 };
	bool ok = true;

	for (unsigned i = 0; i < 6 && d->figure->vary[i] && ok; i++)
		ok = !strncmp(d->figure->vary[i], "pair:", 5) ? lab_sweep_pair(&d->sweep, d->figure->vary[i] + 5, error)
							      : lab_sweep_vary(&d->sweep, d->figure->vary[i], error);
	ok = ok && lab_sweep_expand(&d->sweep, set_base, d, error);
	for (unsigned i = 0; ok && i < d->sweep.cells; i++)
		ok = d->sweep.cell[i].why || lab_cell_key(&d->sweep.cell[i].config, &none, d->sweep.cell[i].key, error);
	return ok;
}

static char *line(void *ctx, unsigned job, const struct lab_result *result)
{
	struct doing *d = ctx;
	char *text = lab_record_line(d->todo[job]->key, "", result);

	*strchr(text, '\n') = '\0';
	return text;
}

static bool done(void *ctx, unsigned job, const char *text, const char *why)
{
	struct doing *d = ctx;

	if (text)
		return lab_results_take(&d->results, text, NULL);
	fprintf(stderr, "vellum: cell %s failed: %s\n", d->todo[job]->label, why);
	d->failed++;
	return true;
}

/* 0, or the exit status. */
static int run_cells(struct doing *d, unsigned workers, struct lab_error *error)
{
	struct lab_job *jobs = calloc(d->sweep.cells + 1, sizeof(*jobs));
	struct lab_pool pool = { .workers = workers, .line = line, .done = done, .ctx = d };
	struct lab_pool_report report;
	unsigned n = 0;
	bool ok;

	d->todo = calloc(d->sweep.cells + 1, sizeof(*d->todo));
	if (!jobs || !d->todo)
		abort();
	for (unsigned i = 0; i < d->sweep.cells; i++) {
		const struct lab_cell *cell = &d->sweep.cell[i];

		if (cell->why)
			continue;
		d->todo[n] = cell;
		jobs[n++] = (struct lab_job){ &cell->config, cell->label, lab_pool_weight(&cell->config, 0) };
	}
	ok = lab_pool_run(&pool, jobs, n, &report, error);
	free(jobs);
	free(d->todo);
	return !ok ? 2 : report.interrupted ? 130 : d->failed ? 1 : 0;
}

/* ---- the files ---- */

static bool write_file(const struct lab_figure_table *t, const char *directory, const char *suffix,
		       void (*write)(const struct lab_figure_table *, FILE *), struct lab_error *error)
{
	char *file;
	FILE *f;
	bool ok;

	if (asprintf(&file, "%s/%s.%s", directory, t->figure->name, suffix) < 0)
		abort();
	f = output_begin(file);
	if (f)
		write(t, f);
	ok = f && output_end(f);
	if (!ok)
		lab_fail(error, "cannot write %s: %s", file, strerror(errno));
	free(file);
	return ok;
}

static bool draw(const struct lab_figure_table *t, const char *directory, struct lab_error *error)
{
	char *svg;
	FILE *f;
	int status;
	struct stat st;

	if (asprintf(&svg, "%s/%s.svg", directory, t->figure->name) < 0)
		abort();
	unlink(svg);
	signal(SIGPIPE, SIG_IGN); /* where there is no gnuplot, no one reads */
	f = popen("gnuplot", "w");
	if (f)
		lab_figure_script(t, svg, f);
	status = f ? pclose(f) : -1;
	if (status || stat(svg, &st) || !st.st_size)
		lab_fail(error,
			 status == 127 << 8 ? "gnuplot is not installed (package gnuplot-nox): %s/%s.csv and .txt are "
					      "written, .svg is not"
					    : "gnuplot failed on %s/%s.svg; .csv and .txt are written",
			 directory, t->figure->name);
	free(svg);
	return !error->text[0];
}

static int figure(const struct lab_figure *f, const char *directory, bool quick, unsigned workers,
		  struct lab_error *error)
{
	struct doing d = { .figure = f, .quick = quick };
	struct lab_figure_table table = { .figure = f, .sweep = &d.sweep, .results = &d.results };
	int status = expand(&d, error) ? run_cells(&d, workers, error) : 2;

	if (!status) {
		f->rows(&table);
		if (table.lacking)
			lab_fail(error, "figure %s: %s", f->name, table.lacking);
		else if (write_file(&table, directory, "csv", lab_figure_csv, error) &&
			 write_file(&table, directory, "txt", lab_figure_text, error))
			draw(&table, directory, error);
		lab_figure_text(&table, stdout);
		fflush(stdout);
		status = error->text[0] ? 2 : 0;
	}
	free(table.row);
	lab_sweep_free(&d.sweep);
	lab_results_free(&d.results);
	return status;
}

/* ---- the command line ---- */

static const struct lab_figure *find(const char *name)
{
	for (const struct lab_figure *f = lab_figures; f->name; f++)
		if (!strcmp(f->name, name))
			return f;
	return NULL;
}

/* What the command line asks for. */
struct wanted {
	const char *directory;
	bool quick, all;
	unsigned figures; /* named ones */
	uint64_t workers;
};

static bool parse(struct wanted *w, int argc, char **argv, struct lab_error *error)
{
	for (int i = 1; i < argc; i++) {
		if (!strcmp(argv[i], "--quick"))
			w->quick = true;
		else if (!strcmp(argv[i], "--all"))
			w->all = true;
		else if (!strcmp(argv[i], "-o") && i + 1 < argc)
			w->directory = argv[++i];
		else if (!strcmp(argv[i], "--jobs") && i + 1 < argc && lab_parse_count(argv[i + 1], &w->workers) &&
			 w->workers && w->workers < 10000)
			i++;
		else if (argv[i][0] == '-')
			return lab_fail(error,
					"vellum lab figure does not take '%s'; "
					"vellum lab figure --help says what it takes", argv[i]);
		else if (!find(argv[i]))
			return lab_fail(error, "there is no figure '%s'; vellum lab figure --list shows all", argv[i]);
		else
			w->figures++;
	}
	return w->figures || w->all || lab_fail(error, "which figure? vellum lab figure --list shows all");
}

static int run_command(int argc, char **argv, struct lab_error *error)
{
	struct wanted w = { .directory = "." };
	struct stat st;
	int status = 0;

	if (!parse(&w, argc, argv, error))
		return 2;
	if (stat(w.directory, &st) || !S_ISDIR(st.st_mode)) {
		lab_fail(error, "%s is not a directory; figures are written into one (-o DIRECTORY)", w.directory);
		return 2;
	}
	for (const struct lab_figure *f = lab_figures; f->name && !status; f++) {
		bool chosen = w.all;

		for (int i = 1; i < argc; i++)
			chosen |= !strcmp(argv[i], f->name);
		if (chosen)
			status = figure(f, w.directory, w.quick, (unsigned)w.workers, error);
	}
	return status;
}

int lab_command_figure(int argc, char **argv)
{
	struct lab_error error = { "" };
	int status;

	if (argc == 1)
		return lab_asks("figure", "which figure? NAME..., or --list");
	if (!strcmp(argv[1], "--help") || !strcmp(argv[1], "-h")) {
		fputs(usage, stdout);
		return 0;
	}
	if (!strcmp(argv[1], "--list")) {
		for (const struct lab_figure *f = lab_figures; f->name; f++)
			lab_print_wrapped(stdout, 15, "%-14s %s", f->name, f->title);
		return 0;
	}
	status = run_command(argc, argv, &error);
	if (error.text[0])
		fprintf(stderr, "vellum: %s\n", error.text);
	return status;
}
