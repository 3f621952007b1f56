/* What was compared: of each cell what it ran with, defaults included, and of all what they have in common. */
#include "tool/compare/compare.h"

#include <stdlib.h>
#include <string.h>

#include "lib/base.h"
#include "tool/base/chart.h"
#include "tool/base/size.h"
#include "tool/base/version.h"
#include "tool/options/workload.h"
#include "vm/config/config.h"

const cJSON *compare_at(const cJSON *object, const char *path)
{
	char *copy = text("%s", path), *rest = copy, *name;

	while (object != NULL && (name = strsep(&rest, ".")) != NULL)
		object = cJSON_GetObjectItemCaseSensitive(object, name);
	free(copy);
	return object;
}

/* Where the run's JSON tells the axis' value. The guest's page-table isolation is in its command line alone. */
static const char *const told_at[AXES] = { [AXIS_WORKLOAD] = "guest.workload", [AXIS_GUEST] = "guest.debian_kernel",
	[AXIS_KERNEL] = "guest.kernel", [AXIS_CPU] = "cpu", [AXIS_MMU] = "mmu", [AXIS_PAGES] = "pages",
	[AXIS_VPID] = "vpid", [AXIS_TPR] = "tpr" };

/* What says how its guest began: of one that goes on with a snapshot, the boot that it was taken of. */
static const cJSON *began_with(const struct cell *cell) { return cell->booted != NULL ? cell->booted : cell->run; }

/* What the cell has by itself, where its run has not told: nothing is empty. */
static char *by_default(const struct cell *cell, enum axis axis)
{
	bool own_kernel = cell->is.value[AXIS_KERNEL][0] != 0;

	switch (axis) {
	case AXIS_WORKLOAD: return workload_whole(NULL);
	case AXIS_GUEST: return text(own_kernel ? "none" : "amd64");
	case AXIS_PTI: return text(own_kernel ? "default" : "off");
	default: return text("default");
	}
}

char *compare_value(const struct cell *cell, enum axis axis)
{
	const cJSON *run = axis == AXIS_GUEST || axis == AXIS_KERNEL ? began_with(cell) : cell->run;
	const cJSON *told = told_at[axis] != NULL && run != NULL ? compare_at(run, told_at[axis]) : NULL;

	if (cJSON_IsString(told))
		return text("%s", told->valuestring);
	if (cJSON_IsBool(told))
		return text(cJSON_IsTrue(told) ? "on" : "off");
	if (cJSON_IsNull(told))
		return text("none");
	if (axis == AXIS_WORKLOAD && cell->is.value[axis][0] != 0)
		return workload_whole(cell->is.value[axis]);
	return cell->is.value[axis][0] != 0 ? text("%s", cell->is.value[axis]) : by_default(cell, axis);
}

uint64_t compare_memory(const struct comparison *c, const struct cell *cell)
{
	const cJSON *told = cell->run != NULL ? compare_at(cell->run, "mem_bytes") : NULL;
	uint64_t bytes;

	if (cJSON_IsNumber(told))
		return (uint64_t)told->valuedouble;
	return c->mem != NULL && parse_size(c->mem, &bytes) ? bytes : CONFIG_MEM_DEFAULT;
}

char *compare_command_line(const struct cell *cell)
{
	const cJSON *told = cell->run != NULL ? compare_at(began_with(cell), "guest.command_line") : NULL;

	if (!cJSON_IsString(told))
		return text("unknown");
	return text("%s", told->valuestring[0] != 0 ? told->valuestring : "none");
}

/* ---- for the page ---- */

struct list {
	char *value[COMPARE_CELLS];
	size_t count;
};

/* Takes the value; once. */
static void add(struct list *list, char *value)
{
	for (size_t i = 0; i < list->count; i++)
		if (strcmp(list->value[i], value) == 0) {
			free(value);
			return;
		}
	if (list->count < COMPARE_CELLS)
		list->value[list->count++] = value;
}

static void row(const char *title, struct list *list, FILE *out)
{
	fprintf(out, "<tr><th>%s</th><td>", title);
	for (size_t i = 0; i < list->count; i++) {
		if (i > 0)
			fprintf(out, "<br/>");
		chart_escape(list->value[i], out);
		free(list->value[i]);
	}
	fprintf(out, "</td></tr>\n");
	list->count = 0;
}

static char *emulator_of(const struct cell *cell)
{
	const cJSON *name = compare_at(cell->run, "emulator.name"),
		    *version = compare_at(cell->run, "emulator.version");

	return text("%s %s", cJSON_IsString(name) ? name->valuestring : "an emulator",
		    cJSON_IsString(version) ? version->valuestring : "of unknown version");
}

void compare_about(const struct comparison *c, FILE *out)
{
	static const struct { enum axis axis; const char *title; } axes[] = {
		{ AXIS_WORKLOAD, "workload" }, { AXIS_GUEST, "guest" }, { AXIS_KERNEL, "kernel" },
		{ AXIS_CPU, "CPU" },
	};
	static struct list list;

	fprintf(out, "<section><h2>What was run</h2>\n<div class=\"wide\"><table class=\"about\">\n");
	add(&list, text("vellum %s; hypervisor, guests and options: %s", VELLUM_VERSION, c->fingerprint));
	row("version", &list, out);
	for (size_t k = 0; k < ARRAY_SIZE(axes); k++) {
		for (size_t i = 0; i < c->count; i++)
			add(&list, compare_value(&c->cells[i], axes[k].axis));
		row(axes[k].title, &list, out);
	}
	for (size_t i = 0; i < c->count; i++)
		add(&list, text("%llu MB", (unsigned long long)(compare_memory(c, &c->cells[i]) >> 20)));
	row("guest's RAM", &list, out);
	for (size_t i = 0; i < c->count; i++)
		add(&list, compare_command_line(&c->cells[i]));
	row("its command line", &list, out);
	for (size_t i = 0; i < c->count; i++)
		if (c->cells[i].run != NULL)
			add(&list, emulator_of(&c->cells[i]));
	row("machine", &list, out);
	fprintf(out, "</table></div></section>\n");
}
