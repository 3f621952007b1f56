/* Context switches against page-table edits: the sweep of the workload mix as lines, and where they cross. */
#include "tool/compare.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "tool/chart_lines.h"

static const char phase_word[] = "edits-";

static bool edits_of(const struct part *phase, unsigned *edits)
{
	char *end;

	if (strncmp(phase->name, phase_word, strlen(phase_word)) != 0 || phase->steps == 0)
		return false;
	*edits = (unsigned)strtoul(phase->name + strlen(phase_word), &end, 10);
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

bool compare_crossing(const struct comparison *c, struct crossing *x)
{
	*x = (struct crossing){ .points = 0 };
	for (size_t i = 0; i < c->count && x->series < CROSSING_SERIES; i++) {
		const struct cell *cell = &c->cells[i];
		bool taken = false;
		unsigned edits;

		for (size_t k = 0; cell->state == CELL_OK && k < cell->measure.phase_count; k++) {
			const struct part *phase = &cell->measure.phases[k];
			size_t point;

			if (!edits_of(phase, &edits) || (point = point_of(x, edits)) == CROSSING_POINTS)
				continue;
			x->per_turn[x->series][point] =
				(double)(compare_is_native(&cell->is) ? phase->guest : phase->hypervisor) / (double)phase->steps;
			taken = true;
		}
		if (taken)
			x->cell[x->series++] = cell;
	}
	return x->series >= 2 && x->points >= 2;
}

double crossing_of(const struct crossing *x, size_t a, size_t b)
{
	for (size_t i = 0; i + 1 < x->points; i++) {
		double left = x->per_turn[a][i] - x->per_turn[b][i], right = x->per_turn[a][i + 1] - x->per_turn[b][i + 1];

		if (isfinite(left) && isfinite(right) && left * right <= 0 && left != right)
			return x->edits[i] + ((double)x->edits[i + 1] - x->edits[i]) * left / (left - right);
	}
	return -1;
}

void crossing_chart(const struct crossing *x, FILE *out)
{
	const char *names[CROSSING_SERIES], *points[CROSSING_POINTS];
	char numbers[CROSSING_POINTS][12];
	double values[CROSSING_SERIES * CROSSING_POINTS];
	struct chart_lines chart = { .title = "Page-table edits in a turn between two context switches, and what a turn costs",
		.across = "page-table edits in a turn", .unit = "hypervisor's instructions in a turn (native: the guest's own)",
		.points = (unsigned)x->points, .series = (unsigned)x->series, .point = points, .name = names, .value = values };

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
	size_t shadow, vtlb, last = x->points - 1;
	double at;

	if (!find(x, "shadow", &shadow) || !find(x, "vtlb", &vtlb))
		return text("shadow and vtlb were not both measured.");
	at = crossing_of(x, shadow, vtlb);
	if (at >= 0)
		return text("shadow and vtlb cross at about %.0f page-table edits in a turn: with fewer, keeping shadow tables "
			    "across context switches "
			    "pays; with more, tables that are thrown away cost less than tables that are kept in sync.",
			    at);
	return text("shadow and vtlb do not cross between %u and %u edits in a turn: %s costs less throughout.", x->edits[0],
		    x->edits[last], x->per_turn[shadow][last] < x->per_turn[vtlb][last] ? "shadow" : "vtlb");
}
