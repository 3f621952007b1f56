/* lab/show/columns.c - what a table of results can show: settings, numbers of the account, and some that are made of
 * these. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "lab/show/units.h"
#include "lab/show/view.h"

/* low and high = what `numbers` name, summed, / what `by` names, * scale. */
static const struct column {
	const char *name, *heading, *low, *high, *by;
	double scale;
	const char *help;
} columns[] = {
	{ "estimate", "estimate", "seconds.estimate", NULL, NULL, 1, "the time that is likely" },
	{ "seconds", "range", "seconds.low", "seconds.high", NULL, 1, "its range, by the errors of the estimate" },
	{ "seconds_bounds", "bounds", "seconds.least", "seconds.most", NULL, 1,
	  "the time, if all walks are hidden behind other work, and if none is" },
	{ "cycles", "cycles", "cycles.low", "cycles.high", NULL, 1, "the estimate's range in cycles" },
	{ "cycles_per_access", "cycles/access", "cycles.low", "cycles.high", "accesses", 1, "the same for one access" },
	{ "walks_per_1000", "walks/1000", "walks", NULL, "accesses", 1000, "page walks in 1000 accesses" },
	{ "walk_share", "walk cycles %", "cycles.walks", NULL, "cycles.most", 100,
	  "cycles of walks in 100 cycles, when nothing hides them" },
	{ "exits_per_million", "exits/M", "exits", NULL, "accesses", 1e6, "VM exits in a million accesses" },
	{ "exit_share", "exit cycles %", "cycles.exits+cycles.hypervisor+cycles.populate", NULL, "cycles.most", 100,
	  "cycles of exits, of the hypervisor and of the host's page faults in 100 cycles" },
	{ "table_pages", "table pages", "table_pages.guest+table_pages.host", NULL, NULL, 1,
	  "pages that page tables take, in both dimensions" },
	{ "large_share", "2M+1G %", "large_share", NULL, NULL, 1,
	  "of the memory of the guest's processes at its peak, what lies in pages of 2M and 1G" },
	{ "references_a_walk", "refs/walk", "references_a_walk", NULL, NULL, 1, "references to page tables in a walk" },
	{ "dram_per_access", "DRAM refs/access", "references_dram+data.dram", NULL, "accesses", 1,
	  "references that memory answers, of walks and (machine.data_cache) of data, for one access" },
};

static const struct column *find(const char *name)
{
	for (unsigned i = 0; i < sizeof(columns) / sizeof(columns[0]); i++)
		if (!strcmp(columns[i].name, name))
			return &columns[i];
	return NULL;
}

static double sum(const struct lab_record *record, const char *names)
{
	double total = 0;
	char name[64];

	for (;;) {
		size_t n = strcspn(names, "+");

		snprintf(name, sizeof(name), "%.*s", (int)n, names);
		total += lab_record_number(record, name);
		if (!names[n])
			return total;
		names += n + 1;
	}
}

const char *lab_view_setting(const struct lab_record *record, const char *key)
{
	const char *mmu = lab_record_setting(record, "hv.mmu");

	if (mmu && !strcmp(mmu, "native") && !strncmp(key, "hv.", 3) && strcmp(key, "hv.mmu"))
		return lab_record_setting(record, key) ? "-" : NULL;
	return lab_record_setting(record, key);
}

struct lab_value lab_column_value(const struct lab_record *record, const char *name)
{
	const struct column *c = find(name);
	struct lab_value v = { .text = lab_view_setting(record, name) };
	double by = 1;

	if (v.text)
		return v;
	if (!c) {
		v.low = v.high = lab_record_number(record, name);
		return v;
	}
	if (c->by)
		by = lab_record_number(record, c->by);
	v.low = sum(record, c->low) * c->scale / by;
	v.high = c->high ? sum(record, c->high) * c->scale / by : v.low;
	if (by == 0)
		v.low = v.high = NAN;
	return v;
}

/* NULL: it is no time. */
static const struct lab_unit *unit_of(const struct lab_view *v, const char *name)
{
	const struct column *c = find(name);
	double longest = 0;

	if (strncmp(c ? c->low : name, "seconds.", 8))
		return NULL;
	for (unsigned i = 0; i < v->count; i++)
		longest = fmax(longest, lab_column_value(v->record[i], name).high);
	return lab_time_unit(longest);
}

struct lab_value lab_column_shown(const struct lab_view *v, unsigned record, const char *name)
{
	struct lab_value value = lab_column_value(v->record[record], name);
	const struct lab_unit *unit = unit_of(v, name);

	if (unit) {
		value.low *= unit->each;
		value.high *= unit->each;
	}
	return value;
}

char *lab_column_heading(const struct lab_view *v, const char *name)
{
	const struct lab_unit *unit = unit_of(v, name);
	const struct column *c = find(name);
	char *text;

	if (asprintf(&text, "%s%s%s", c ? c->heading : name, unit ? ", " : "", unit ? unit->symbol : "") < 0)
		abort();
	return text;
}

void lab_columns_help(FILE *out)
{
	fprintf(out, "Columns that are made of others:\n");
	for (unsigned i = 0; i < sizeof(columns) / sizeof(columns[0]); i++)
		lab_print_wrapped(out, 27, "  %-24s %s", columns[i].name, columns[i].help);
	fprintf(out, "Every setting (vellum lab presets NAME shows a machine's):\n");
	for (unsigned i = 0; lab_config_key(i); i++)
		fprintf(out, "  %s\n", lab_config_key(i));
	fprintf(out, "Every number of the account:\n");
	for (unsigned i = 0; lab_result_name(i); i++)
		fprintf(out, "  %s\n", lab_result_name(i));
}

/* Every name that a column may have. */
static const char *column_name(unsigned index)
{
	unsigned own = sizeof(columns) / sizeof(columns[0]), keys = 0;

	if (index < own)
		return columns[index].name;
	while (lab_config_key(keys))
		keys++;
	return index - own < keys ? lab_config_key(index - own) : lab_result_name(index - own - keys);
}

static bool no_column(const char *name, struct lab_error *error)
{
	if (!*name)
		return lab_fail(error, "--columns takes names with a comma between two: one of them is empty");
	return lab_unknown("column", name, column_name, "--columns list", error);
}

bool lab_columns_check(const char *names, struct lab_error *error)
{
	char name[64];

	for (;; names++) {
		size_t n = strcspn(names, ",");
		bool known = false;
		const char *one;

		snprintf(name, sizeof(name), "%.*s", (int)n, names);
		for (unsigned i = 0; !known && (one = column_name(i)); i++)
			known = !strcmp(one, name);
		if (!known)
			return no_column(name, error);
		names += n;
		if (!*names)
			return true;
	}
}

/* ---- the view ---- */

static bool exists(const char *name, const struct lab_record *const *record, unsigned count)
{
	if (find(name))
		return true;
	for (unsigned i = 0; lab_config_key(i); i++)
		if (!strcmp(lab_config_key(i), name))
			return true;
	for (unsigned i = 0; lab_result_name(i); i++)
		if (!strcmp(lab_result_name(i), name))
			return true;
	/* Results of another build may have what this one does not know. */
	for (unsigned i = 0; i < count; i++)
		if (lab_record_setting(record[i], name) || !isnan(lab_record_number(record[i], name)))
			return true;
	return false;
}

static bool same(const char *a, const char *b)
{
	return a == b || (a && b && !strcmp(a, b));
}

/* Does a setting tell records apart? What another preset brings with it does not, as the preset's name says it all. */
static bool varies(const struct lab_view *v, const char *key)
{
	bool of_machine = !strncmp(key, "machine.", 8) && strcmp(key, "machine.preset");

	for (unsigned i = 1; i < v->count; i++) {
		for (unsigned j = 0; j < (of_machine ? i : 1); j++) {
			if (of_machine && !same(lab_record_setting(v->record[i], "machine.preset"),
						lab_record_setting(v->record[j], "machine.preset")))
				continue;
			if (!same(lab_record_setting(v->record[i], key), lab_record_setting(v->record[j], key)))
				return true;
			break; /* the first of the same preset will do */
		}
	}
	return false;
}

static void add_column(struct lab_view *v, const char *name, size_t n)
{
	v->column = realloc(v->column, (v->columns + 1) * sizeof(*v->column));
	if (!v->column || !(v->column[v->columns++] = strndup(name, n)))
		abort();
}

static bool choose(struct lab_view *v, const char *names, struct lab_error *error)
{
	static const char *const good[] = {
		"large_share",	     "walks_per_1000", "references_a_walk", "walk_share",
		"exits_per_million", "exit_share",     "estimate",	    "seconds",
	};

	if (!names) {
		for (unsigned i = 0; i < v->varies; i++)
			add_column(v, v->varied[i], strlen(v->varied[i]));
		for (unsigned i = 0; i < sizeof(good) / sizeof(good[0]); i++)
			add_column(v, good[i], strlen(good[i]));
		return true;
	}
	v->chosen = true;
	for (;;) {
		size_t n = strcspn(names, ",");

		add_column(v, names, n);
		if (!exists(v->column[v->columns - 1], v->record, v->count))
			return no_column(v->column[v->columns - 1], error);
		if (!names[n])
			return true;
		names += n + 1;
	}
}

/* What a reader looks for first comes first. */
enum { RANKS = 6 };

static unsigned rank_of(const char *key)
{
	return !strcmp(key, "workload") ? 0 : !strcmp(key, "machine.preset") ? 1 : !strncmp(key, "hv.", 3) ? 2 :
	       !strncmp(key, "guest.", 6) ? 3 : !strncmp(key, "machine.", 8) ? 4 : 5;
}

bool lab_view_init(struct lab_view *v, const struct lab_record *const *record, unsigned count, const char *names,
		   struct lab_error *error)
{
	unsigned keys = 0;

	*v = (struct lab_view){ .count = count, .title = "vellum lab" };
	while (lab_config_key(keys))
		keys++;
	v->record = calloc(count + 1, sizeof(*v->record));
	v->varied = calloc(keys + 1, sizeof(*v->varied));
	if (!v->record || !v->varied)
		abort();
	for (unsigned i = 0; i < count; i++)
		v->record[i] = record[i];
	for (unsigned rank = 0; rank < RANKS; rank++)
		for (unsigned i = 0; i < keys; i++)
			if (rank_of(lab_config_key(i)) == rank && varies(v, lab_config_key(i)))
				v->varied[v->varies++] = lab_config_key(i);
	if (choose(v, names, error))
		return true;
	lab_view_free(v);
	return false;
}

void lab_view_free(struct lab_view *v)
{
	for (unsigned i = 0; i < v->columns; i++)
		free(v->column[i]);
	free(v->column);
	free(v->record);
	free(v->varied);
	memset(v, 0, sizeof(*v));
}

/* Values that say what they are of need no name before them. */
static bool speaks_for_itself(const char *key)
{
	static const char *const keys[] = { "machine.preset", "hv.mmu", "workload" };

	for (unsigned i = 0; i < sizeof(keys) / sizeof(keys[0]); i++)
		if (!strcmp(keys[i], key))
			return true;
	return false;
}

char *lab_view_label(const struct lab_view *v, unsigned record)
{
	char *whole = NULL, *text;
	size_t size;
	FILE *f = open_memstream(&whole, &size);

	if (!f)
		abort();
	for (unsigned i = 0; i < v->varies; i++) {
		const char *value = lab_view_setting(v->record[record], v->varied[i]), *key = v->varied[i];

		if (value && !strcmp(value, "-"))
			continue;
		text = lab_shortened(value ? value : "?", LAB_LABEL_VALUE);
		fprintf(f, "%s%s%s%s", ftell(f) ? ", " : "", speaks_for_itself(key) ? "" : key,
			speaks_for_itself(key) ? "" : "=", text);
		free(text);
	}
	if (!v->varies)
		fputs(lab_record_setting(v->record[record], "hv.mmu") ? lab_record_setting(v->record[record], "hv.mmu")
								      : "run",
		      f);
	fclose(f);
	return whole;
}
