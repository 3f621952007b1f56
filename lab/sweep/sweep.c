/* lab/sweep/sweep.c - axes from text, and their cross product. */
#include "lab/sweep/sweep.h"

#include <stdlib.h>
#include <string.h>

#include "lab/lab.h"

/* ---- axes ---- */

static char *copy(const char *from, size_t n)
{
	char *text = strndup(from, n);

	if (!text)
		abort(); /* as any program of its size that has no memory for 20 bytes */
	return text;
}

/* Cuts text at every separator; returns how many pieces. The caller frees pieces and list. */
static unsigned cut(const char *text, char separator, char ***list)
{
	unsigned count = 0;

	*list = NULL;
	for (;;) {
		const char *end = strchr(text, separator);
		size_t n = end ? (size_t)(end - text) : strlen(text);

		*list = realloc(*list, (count + 1) * sizeof(char *));
		if (!*list)
			abort();
		(*list)[count++] = copy(text, n);
		if (!end)
			return count;
		text = end + 1;
	}
}

static void free_list(char **list, unsigned count)
{
	for (unsigned i = 0; i < count; i++)
		free(list[i]);
	free(list);
}

static void free_axis(struct lab_axis *axis)
{
	free_list(axis->key, axis->keys);
	free_list(axis->value, axis->values * axis->keys);
}

/* The number of a value that an earlier one repeats; 0: none does. */
static unsigned repeated(const struct lab_axis *axis)
{
	for (unsigned n = 1; n < axis->values; n++) {
		for (unsigned earlier = 0; earlier < n; earlier++) {
			unsigned same = 0;

			while (same < axis->keys &&
			       !strcmp(axis->value[n * axis->keys + same], axis->value[earlier * axis->keys + same]))
				same++;
			if (same == axis->keys)
				return n;
		}
	}
	return 0;
}

static bool add_axis(struct lab_sweep *sweep, struct lab_axis axis, struct lab_error *error)
{
	for (unsigned k = 0; k < axis.keys; k++) {
		for (unsigned a = 0; a < sweep->axes; a++) {
			for (unsigned j = 0; j < sweep->axis[a].keys; j++) {
				if (strcmp(sweep->axis[a].key[j], axis.key[k]))
					continue;
				lab_fail(error, "%s is varied twice; once, with all its values, is what works",
					 axis.key[k]);
				free_axis(&axis);
				return false;
			}
		}
	}
	if (repeated(&axis)) {
		lab_fail(error, "%s is to be %s%s twice; once is what works", axis.key[0],
			 axis.value[repeated(&axis) * axis.keys], axis.keys > 1 ? " with the same others" : "");
		free_axis(&axis);
		return false;
	}
	sweep->axis = realloc(sweep->axis, (sweep->axes + 1) * sizeof(axis));
	if (!sweep->axis)
		abort();
	sweep->axis[sweep->axes++] = axis;
	return true;
}

static char *full_key(const char *name)
{
	const char *key = lab_shorthand(name);

	return copy(key ? key : name, strlen(key ? key : name));
}

bool lab_sweep_vary(struct lab_sweep *sweep, const char *text, struct lab_error *error)
{
	const char *equals = strchr(text, '=');
	struct lab_axis axis = { .keys = 1 };
	char *name;

	if (!equals || equals == text || !equals[1])
		return lab_fail(error, "--vary takes KEY=VALUE,VALUE,... and not '%s'", text);
	name = copy(text, (size_t)(equals - text));
	axis.key = malloc(sizeof(char *));
	if (!axis.key)
		abort();
	axis.key[0] = full_key(name);
	free(name);
	if (!strcmp(axis.key[0], "workload") && !strchr(equals, ';') && strchr(equals, ',')) {
		free_list(axis.key, 1);
		return lab_fail(error, "workloads have commas of their own: separate them by ; as in --vary "
				       "'workload=gups:size=1G;chase:size=1G'");
	}
	axis.values = cut(equals + 1, strchr(equals, ';') ? ';' : ',', &axis.value);
	return add_axis(sweep, axis, error);
}

bool lab_sweep_pair(struct lab_sweep *sweep, const char *text, struct lab_error *error)
{
	const char *equals = strchr(text, '=');
	struct lab_axis axis = { 0 };
	char **tuple, *names;
	unsigned tuples;

	if (!equals || equals == text || !equals[1])
		return lab_fail(error, "--pair takes KEY,KEY,...=VALUE,VALUE,...;VALUE,VALUE,... and not '%s'", text);
	names = copy(text, (size_t)(equals - text));
	axis.keys = cut(names, ',', &axis.key);
	free(names);
	for (unsigned k = 0; k < axis.keys; k++) {
		char *key = full_key(axis.key[k]);

		free(axis.key[k]);
		axis.key[k] = key;
	}
	tuples = cut(equals + 1, ';', &tuple);
	for (unsigned t = 0; t < tuples; t++) {
		char **value;
		unsigned n = cut(tuple[t], ',', &value);

		if (n != axis.keys) {
			lab_fail(error, "--pair names %u setting%s, and '%s' gives %u value%s", axis.keys,
				 axis.keys == 1 ? "" : "s", tuple[t], n, n == 1 ? "" : "s");
			free_list(value, n);
			free_list(tuple, tuples);
			free_axis(&axis);
			return false;
		}
		axis.value = realloc(axis.value, (axis.values + 1) * axis.keys * sizeof(char *));
		if (!axis.value)
			abort();
		memcpy(axis.value + axis.values++ * axis.keys, value, axis.keys * sizeof(char *));
		free(value);
	}
	free_list(tuple, tuples);
	return add_axis(sweep, axis, error);
}

/* ---- cells ---- */

/* Sets the axes' values in config: those of machine.preset, or all others. */
static bool apply(const struct lab_sweep *sweep, const unsigned *at, bool preset, struct lab_config *config,
		  struct lab_error *error)
{
	for (unsigned a = 0; a < sweep->axes; a++) {
		const struct lab_axis *axis = &sweep->axis[a];

		for (unsigned k = 0; k < axis->keys; k++)
			if (!strcmp(axis->key[k], "machine.preset") == preset &&
			    !lab_config_set(config, axis->key[k], axis->value[at[a] * axis->keys + k], error))
				return false;
	}
	return true;
}

static bool varies_preset(const struct lab_sweep *sweep)
{
	for (unsigned a = 0; a < sweep->axes; a++)
		for (unsigned k = 0; k < sweep->axis[a].keys; k++)
			if (!strcmp(sweep->axis[a].key[k], "machine.preset"))
				return true;
	return false;
}

static char *label(const struct lab_sweep *sweep, const unsigned *at)
{
	char *text = NULL;
	size_t size;
	FILE *f = open_memstream(&text, &size);

	if (!f)
		abort();
	for (unsigned a = 0; a < sweep->axes; a++)
		for (unsigned k = 0; k < sweep->axis[a].keys; k++)
			fprintf(f, "%s%s=%s", a || k ? " " : "", sweep->axis[a].key[k],
				sweep->axis[a].value[at[a] * sweep->axis[a].keys + k]);
	if (!sweep->axes)
		fputs("the base configuration", f);
	fclose(f);
	return text;
}

/* Without a hypervisor nothing of it counts: cells that differ in hv.* alone are one. hv.vms stays, as more than one
 * cannot be. */
static void forget_hypervisor(struct lab_config *c)
{
	struct lab_config defaults;
	uint64_t vms = c->hv.vms;

	if (strcmp(c->hv.mechanism, "native"))
		return;
	lab_config_init(&defaults);
	memcpy(defaults.hv.mechanism, c->hv.mechanism, sizeof(defaults.hv.mechanism));
	c->hv = defaults.hv;
	c->hv.vms = vms;
}

/* The machine comes first, as it sets all of machine.*; then what is common, then the axes. */
static bool make_cell(const struct lab_sweep *sweep, const unsigned *at, lab_sweep_base *base, void *ctx,
		      struct lab_cell *cell, struct lab_error *error)
{
	struct lab_error impossible = { "" };
	char preset[sizeof(cell->config.machine.preset)];

	lab_config_init(&cell->config);
	if (!apply(sweep, at, true, &cell->config, error))
		return false;
	memcpy(preset, cell->config.machine.preset, sizeof(preset));
	if (!base(ctx, &cell->config, error))
		return false;
	if (varies_preset(sweep) && strcmp(preset, cell->config.machine.preset))
		return lab_fail(error, "machine.preset is varied, and also set to %s; one of the two must go",
				cell->config.machine.preset);
	if (!apply(sweep, at, false, &cell->config, error))
		return false;
	if (!lab_config_names(&cell->config, error))
		return false;
	cell->label = label(sweep, at);
	forget_hypervisor(&cell->config);
	if (!lab_config_check(&cell->config, &impossible))
		cell->why = copy(impossible.text, strlen(impossible.text));
	return true;
}

bool lab_sweep_expand(struct lab_sweep *sweep, lab_sweep_base *base, void *ctx, struct lab_error *error)
{
	unsigned *at = calloc(sweep->axes + 1, sizeof(*at));
	uint64_t cells = 1;

	if (!at)
		abort();
	for (unsigned a = 0; a < sweep->axes && cells <= LAB_CELLS_MAX; a++)
		cells *= sweep->axis[a].values;
	if (cells > LAB_CELLS_MAX) {
		free(at);
		return lab_fail(error,
				"the sweep has more than %d cells; several smaller ones can share their results file",
				LAB_CELLS_MAX);
	}
	sweep->cell = calloc(cells, sizeof(*sweep->cell));
	if (!sweep->cell)
		abort();
	for (; sweep->cells < cells; sweep->cells++) {
		uint64_t rest = sweep->cells;

		for (unsigned a = sweep->axes; a-- > 0; rest /= sweep->axis[a].values)
			at[a] = rest % sweep->axis[a].values;
		if (!make_cell(sweep, at, base, ctx, &sweep->cell[sweep->cells], error)) {
			free(at);
			return false;
		}
	}
	free(at);
	return true;
}

static int by_key(const void *a, const void *b)
{
	const struct lab_cell *x = *(struct lab_cell *const *)a, *y = *(struct lab_cell *const *)b;
	int order = strcmp(x->key, y->key);

	return order ? order : x < y ? -1 : 1;
}

void lab_sweep_twins(struct lab_sweep *sweep)
{
	struct lab_cell **cell = calloc(sweep->cells + 1, sizeof(struct lab_cell *));
	unsigned n = 0;

	if (!cell)
		abort();
	for (unsigned i = 0; i < sweep->cells; i++)
		if (!sweep->cell[i].why)
			cell[n++] = &sweep->cell[i];
	qsort(cell, n, sizeof(struct lab_cell *), by_key);
	for (unsigned i = 1; i < n; i++)
		cell[i]->twin = !strcmp(cell[i]->key, cell[i - 1]->key);
	free(cell);
}

void lab_sweep_free(struct lab_sweep *sweep)
{
	for (unsigned i = 0; i < sweep->axes; i++)
		free_axis(&sweep->axis[i]);
	for (unsigned i = 0; i < sweep->cells; i++) {
		free(sweep->cell[i].label);
		free(sweep->cell[i].why);
	}
	free(sweep->axis);
	free(sweep->cell);
	memset(sweep, 0, sizeof(*sweep));
}
