/* From lists of values to cells: which combinations there are, which of them no machine can run, what tells them
 * apart. */
#include "tool/compare/compare.h"

#include <stdlib.h>
#include <string.h>

#include "lib/base.h"
#include "tool/emulator/bochs_cpus.h"
#include "tool/emulator/emulator.h"

bool compare_is_native(const struct configuration *is)
{
	return strcmp(is->value[AXIS_MMU], "native") == 0;
}

static bool has(const struct configuration *is, enum axis axis, const char *value)
{
	return strcmp(is->value[axis], value) == 0;
}

char *compare_impossible(const struct configuration *is)
{
	/* A model that nobody knows may have everything: its run will tell. */
	const struct bochs_cpu *m = bochs_cpu_find(is->value[AXIS_CPU]);

	if (has(is, AXIS_PTI, "on") && has(is, AXIS_GUEST, "686"))
		return text("the guest 686 has no page-table isolation: that needs PAE; use 686-pae or amd64");
	if (compare_is_native(is) && is->value[AXIS_KERNEL][0] != 0)
		return text("kernels from files are not run natively: only Debian's, by --guest");
	if (m == NULL || compare_is_native(is))
		return NULL;
	if (m->vtx != CPU_VTX && m->vtx != CPU_SVM)
		return text("%s has no %s; take one of Intel's from core2_penryn_t9600 on", m->model,
			    m->vtx == CPU_NO_VTX ? "VT-x" : "64-bit mode");
	if (has(is, AXIS_MMU, "npt") && m->vtx != CPU_SVM)
		return text("mmu npt cannot run on %s, which has no AMD-V; use ept, shadow, vtlb or brute", m->model);
	if (has(is, AXIS_MMU, "ept") && m->vtx == CPU_SVM)
		return text("mmu ept cannot run on %s, which has no VT-x; use npt, shadow, vtlb or brute", m->model);
	if (has(is, AXIS_MMU, "ept") && !m->ept)
		return text("mmu ept cannot run on %s, which has no EPT; use shadow, vtlb or brute", m->model);
	if (has(is, AXIS_VPID, "on") && !m->vpid)
		return text("vpid on cannot be had on %s, which has no VPID; use off", m->model);
	if (has(is, AXIS_MMU, "ept") && has(is, AXIS_PAGES, "1g") && !m->ept_1g)
		return text("pages 1g cannot be had on %s, whose EPT has none of that size; use 4k, 2m or auto",
			    m->model);
	return NULL;
}

static bool same(const struct configuration *a, const struct configuration *b)
{
	for (size_t i = 0; i < AXES; i++)
		if (strcmp(a->value[i], b->value[i]) != 0)
			return false;
	return true;
}

static void add(struct comparison *c, const struct configuration *is)
{
	for (size_t i = 0; i < c->count; i++)
		if (same(&c->cells[i].is, is))
			return;
	if (c->count == COMPARE_CELLS)
		die(STATUS_USAGE, "more than %d configurations: give shorter lists", COMPARE_CELLS);
	c->cells = grow(c->cells, (c->count + 1) * sizeof *c->cells);
	c->cells[c->count++] = (struct cell){ .is = *is };
}

/* The same without the hypervisor: of that there is one, whatever the mechanism's choices. */
static struct configuration natively(const struct configuration *is)
{
	struct configuration native = *is;

	native.value[AXIS_MMU] = "native";
	native.value[AXIS_PAGES] = native.value[AXIS_VPID] = native.value[AXIS_TPR] = "";
	return native;
}

static void add_with_native(struct comparison *c, const struct configuration *is)
{
	struct configuration native = natively(is);

	if (!c->no_native && is->value[AXIS_KERNEL][0] == 0)
		add(c, &native);
	add(c, compare_is_native(is) ? &native : is);
}

void compare_note(struct comparison *c, char *sentence)
{
	for (size_t i = 0; i < c->note_count; i++)
		if (strcmp(c->notes[i], sentence) == 0) {
			free(sentence);
			return;
		}
	c->notes = grow(c->notes, (c->note_count + 1) * sizeof *c->notes);
	c->notes[c->note_count++] = sentence;
}

/* Every combination of the lists; what is impossible is left out with a note. */
static void cross(struct comparison *c, struct configuration *is, size_t axis)
{
	char *why;

	if (axis < AXES) {
		for (size_t i = 0; i < c->value_count[axis]; i++) {
			is->value[axis] = c->values[axis][i];
			cross(c, is, axis + 1);
		}
		return;
	}
	why = compare_impossible(is);
	if (why == NULL)
		add_with_native(c, is);
	else
		compare_note(c, text("left out: %s", why));
	free(why);
}

/* A value that was asked for and is in no cell was asked for in vain. */
static void check_used(const struct comparison *c, enum axis axis)
{
	struct configuration is;
	char *why = NULL;

	for (size_t v = 0; v < c->value_count[axis]; v++) {
		bool used = false;

		for (size_t i = 0; i < c->count; i++)
			used |= strcmp(c->cells[i].is.value[axis], c->values[axis][v]) == 0;
		if (used)
			continue;
		for (size_t a = 0; a < AXES; a++)
			is.value[a] = c->values[a][0];
		is.value[axis] = c->values[axis][v];
		why = compare_impossible(&is);
		die(STATUS_USAGE, "--%s %s: %s", axis_names[axis], c->values[axis][v],
		    why != NULL ? why : "no configuration can have that");
	}
}

/* The full name of a CPU model; Bochs knows. */
static const char *full_model(const char *name)
{
	struct options options = { .machine = "bochs", .bochs = "auto", .cpu = name, .host_cpus = 1, .ips = 1000000 };
	struct emulator emulator = { .program = NULL };

	bochs_find(&emulator, &options, 0);
	return emulator.cpu;
}

/* Is one of the CPU models that are compared one of AMD's? */
static bool some_svm(const struct comparison *c)
{
	for (size_t i = 0; i < c->value_count[AXIS_CPU]; i++) {
		const struct bochs_cpu *m = bochs_cpu_find(c->values[AXIS_CPU][i]);

		if (m != NULL && m->vtx == CPU_SVM)
			return true;
	}
	return false;
}

static void defaults(struct comparison *c)
{
	for (size_t i = 0; i < c->value_count[AXIS_CPU]; i++)
		c->values[AXIS_CPU][i] = full_model(c->values[AXIS_CPU][i]);
	if (c->value_count[AXIS_MMU] == 0)
		for (size_t i = 0; config_mechanisms[i]; i++)
			if (strcmp(config_mechanisms[i], "npt") != 0 || some_svm(c))
				c->values[AXIS_MMU][c->value_count[AXIS_MMU]++] = config_mechanisms[i];
	for (size_t axis = 0; axis < AXES; axis++)
		if (c->value_count[axis] == 0) {
			c->value_count[axis] = 1;
			c->values[axis][0] = "";
		}
}

/* Only what differs between cells is said, but for the mechanism. */
static void label(struct comparison *c)
{
	for (size_t i = 0; i < c->count; i++) {
		struct bytes words = { 0 };

		bytes_print(&words, "%s",
			    c->cells[i].is.value[AXIS_MMU][0] != 0 ? c->cells[i].is.value[AXIS_MMU] : "best");
		for (size_t axis = 0; axis < AXES; axis++) {
			const char *value = c->cells[i].is.value[axis], *slash = strrchr(value, '/');
			bool differs = false;

			for (size_t k = 0; k < c->count; k++)
				differs |= strcmp(c->cells[k].is.value[axis], value) != 0;
			if (axis == AXIS_MMU || !differs || *value == 0)
				continue;
			bytes_print(&words, " %s%s",
				    axis == AXIS_VPID ? "VPID " :
				    axis == AXIS_PTI  ? "PTI " :
				    axis == AXIS_TPR  ? "TPR by " :
							"",
				    slash != NULL ? slash + 1 : value);
		}
		c->cells[i].label = words.data;
	}
}

void compare_expand(struct comparison *c)
{
	/* --config alone: no combinations of what was not asked for. */
	bool lists = c->explicit_count == 0;
	struct configuration is;
	char *why;

	for (size_t axis = 0; axis < AXES; axis++)
		lists |= c->value_count[axis] != 0;
	if (lists) {
		defaults(c);
		cross(c, &is, 0);
		if (c->count == 0)
			die(STATUS_USAGE, "there is nothing to compare; %s", c->notes[0]);
		for (size_t axis = 0; axis < AXES; axis++)
			if (c->values[axis][0][0] != 0)
				check_used(c, (enum axis)axis);
	}
	for (size_t i = 0; i < c->explicit_count; i++) {
		is = c->explicit_cells[i];
		if (is.value[AXIS_CPU][0] != 0)
			is.value[AXIS_CPU] = full_model(is.value[AXIS_CPU]);
		why = compare_impossible(&is);
		if (why != NULL)
			die(STATUS_USAGE, "--config: %s", why);
		add_with_native(c, &is);
	}
	label(c);
}

const struct cell *compare_native(const struct comparison *c, const struct cell *cell)
{
	struct configuration native = natively(&cell->is);

	for (size_t i = 0; i < c->count; i++)
		if (c->cells[i].state == CELL_OK && same(&c->cells[i].is, &native))
			return &c->cells[i];
	return NULL;
}

size_t compare_failed(const struct comparison *c)
{
	size_t failed = 0;

	for (size_t i = 0; i < c->count; i++)
		failed += c->cells[i].state != CELL_OK;
	return failed;
}
