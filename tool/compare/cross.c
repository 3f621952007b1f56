/* Context switches against page-table edits: the sweeps of the workload mix as lines, and where they cross. */
#include "tool/compare/compare.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "tool/base/chart_lines.h"

const struct crossing_kind crossing_kinds[CROSSING_KINDS] = {
	{ .phase = "edits-",
	  .file = "crossover",
	  .edits = "edits of entries",
	  .title = "Edits of page-table entries between two context switches, and what a turn costs",
	  .explained =
		  "Here an edit gives up a page and touches it again: an entry goes and comes back, its table stays." },
	{ .phase = "tables-",
	  .file = "crossover-tables",
	  .edits = "page tables that come and go",
	  .title = "Page tables that come and go between two context switches, and what a turn costs",
	  .explained = "Here a turn maps so many pages, each where there is no page table yet, touches them, and "
		       "unmaps them all "
		       "at once." },
};

static bool edits_of(const struct crossing_kind *kind, const struct part *phase, unsigned *edits)
{
	size_t length = strlen(kind->phase);
	char *end;

	if (strncmp(phase->name, kind->phase, length) != 0 || phase->steps == 0)
		return false;
	*edits = (unsigned)strtoul(phase->name + length, &end, 10);
	return *end == 0;
}

/* The point of so many edits, made if it is not there; CROSSING_POINTS when there is no room. */
static size_t point_of(struct crossing *x, unsigned edits)
{
	size_t i = 0, at;

	while (i < x->points && x->edits[i] < edits)
		i++;
	if (i < x->points && x->edits[i] == edits)
		return i;
	if (x->points == CROSSING_POINTS)
		return CROSSING_POINTS;
	for (at = x->points++; at > i; at--) {
		x->edits[at] = x->edits[at - 1];
		for (size_t s = 0; s < CROSSING_SERIES; s++)
			x->per_turn[s][at] = x->per_turn[s][at - 1];
	}
	x->edits[i] = edits;
	for (size_t s = 0; s < CROSSING_SERIES; s++)
		x->per_turn[s][i] = NAN;
	return i;
}

bool compare_crossing(const struct comparison *c, const struct crossing_kind *kind, struct crossing *x)
{
	*x = (struct crossing){ .kind = kind };
	for (size_t i = 0; i < c->count && x->series < CROSSING_SERIES; i++) {
		const struct cell *cell = &c->cells[i];
		bool taken = false;
		unsigned edits;

		for (size_t k = 0; cell->state == CELL_OK && k < cell->measure.phase_count; k++) {
			const struct part *phase = &cell->measure.phases[k];
			size_t point;

			if (!edits_of(kind, phase, &edits) || (point = point_of(x, edits)) == CROSSING_POINTS)
				continue;
			x->per_turn[x->series][point] =
				(double)(compare_is_native(&cell->is) ? phase->guest : phase->hypervisor) /
				(double)phase->steps;
			taken = true;
		}
		if (taken)
			x->cell[x->series++] = cell;
	}
	return x->series >= 2 && x->points >= 2;
}

/* How often they cross between points that were measured, and where first and last. */
static size_t crossings(const struct crossing *x, size_t a, size_t b, double *first, double *last)
{
	size_t count = 0;

	for (size_t i = 0; i + 1 < x->points; i++) {
		double left = x->per_turn[a][i] - x->per_turn[b][i],
		       right = x->per_turn[a][i + 1] - x->per_turn[b][i + 1];

		if (!isfinite(left) || !isfinite(right) || left * right > 0 || left == right || (left == 0 && i > 0))
			continue;
		*last = x->edits[i] + ((double)x->edits[i + 1] - x->edits[i]) * left / (left - right);
		if (count++ == 0)
			*first = *last;
	}
	return count;
}

/* From `edits` on: by how many percent the dearer of two costs more than the other, at most. */
static double apart(const struct crossing *x, size_t a, size_t b, double edits)
{
	double most = 1;

	for (size_t i = 0; i < x->points; i++)
		if (x->edits[i] >= edits)
			most = fmax(most,
				    fmax(x->per_turn[a][i] / x->per_turn[b][i], x->per_turn[b][i] / x->per_turn[a][i]));
	return 100 * (most - 1);
}

void crossing_chart(const struct crossing *x, FILE *out)
{
	const char *names[CROSSING_SERIES], *points[CROSSING_POINTS];
	char numbers[CROSSING_POINTS][12];
	double values[CROSSING_SERIES * CROSSING_POINTS];
	struct chart_lines chart = { .title = x->kind->title,
				     .across = x->kind->edits,
				     .unit = "hypervisor's instructions in a turn (native: the guest's own)",
				     .points = (unsigned)x->points,
				     .series = (unsigned)x->series,
				     .point = points,
				     .name = names,
				     .value = values };

	for (size_t i = 0; i < x->points; i++) {
		snprintf(numbers[i], sizeof numbers[i], "%u", x->edits[i]);
		points[i] = numbers[i];
	}
	for (size_t s = 0; s < x->series; s++) {
		names[s] = x->cell[s]->label;
		for (size_t i = 0; i < x->points; i++)
			values[s * x->points + i] = x->per_turn[s][i];
	}
	chart_lines(&chart, out);
}

static bool find(const struct crossing *x, const char *mmu, size_t *series)
{
	for (*series = 0; *series < x->series; ++*series)
		if (strcmp(x->cell[*series]->is.value[AXIS_MMU], mmu) == 0)
			return true;
	return false;
}

char *crossing_sentence(const struct crossing *x)
{
	size_t shadow, vtlb, count, last = x->points - 1;
	double at = 0, until = 0;

	if (!find(x, "shadow", &shadow) || !find(x, "vtlb", &vtlb))
		return text("shadow and vtlb were not both measured.");
	count = crossings(x, shadow, vtlb, &at, &until);
	if (count == 1)
		return text("shadow and vtlb cross at about %.0f %s in a turn: with fewer, keeping shadow tables "
			    "across context "
			    "switches pays; with more, tables that are thrown away cost less than tables that are kept "
			    "in sync.",
			    at, x->kind->edits);
	if (count > 1)
		return text("shadow and vtlb cross %zu times between %.0f and %.0f %s in a turn: with fewer, keeping "
			    "shadow "
			    "tables across context switches pays; from there on they cost about the same, neither more "
			    "than "
			    "%.0f%% more than the other.",
			    count, at, until, x->kind->edits, apart(x, shadow, vtlb, at));
	return text("shadow and vtlb do not cross between %u and %u %s in a turn: %s costs less throughout.",
		    x->edits[0], x->edits[last], x->kind->edits,
		    x->per_turn[shadow][last] < x->per_turn[vtlb][last] ? "shadow" : "vtlb");
}

char *crossing_prices(const struct crossing *x)
{
	size_t last = x->points - 1;
	struct bytes said = { 0 };

	bytes_print(&said,
		    "Instructions of the hypervisor (native: of the guest) in a turn with %u, and for each one more "
		    "between %u and %u: ",
		    x->edits[0], x->edits[last - 1], x->edits[last]);
	for (size_t s = 0; s < x->series; s++) {
		double first = x->per_turn[s][0], more = x->per_turn[s][last] - x->per_turn[s][last - 1];

		bytes_print(&said, "%s%s ", s == 0 ? "" : "; ", x->cell[s]->label);
		if (isfinite(first) && isfinite(more))
			bytes_print(&said, "%.0f and %.0f", first, more / (x->edits[last] - x->edits[last - 1]));
		else
			bytes_print(&said, "not measured");
	}
	bytes_print(&said, ".");
	return said.data;
}
