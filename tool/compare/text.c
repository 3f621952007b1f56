/* A comparison as a table for the terminal, as CSV, as JSON. */
#include "tool/compare/compare.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "tool/base/json_text.h"
#include "tool/base/version.h"
#include "tool/run/report.h"

static int widest(const struct comparison *c)
{
	size_t width = 13;

	for (size_t i = 0; i < c->count; i++)
		width = strlen(c->cells[i].label) > width ? strlen(c->cells[i].label) : width;
	return (int)width;
}

/* Millions, with so many digits that three of them say something. */
static char *millions(uint64_t value, char buffer[32])
{
	snprintf(buffer, 32, "%.*f", value < 10000000 ? 2 : value < 100000000 ? 1 : 0, (double)value / 1e6);
	return buffer;
}

static void row(const struct comparison *c, const struct cell *cell, int width, FILE *out)
{
	const struct cell *native = compare_native(c, cell);
	const struct measure *m = &cell->measure;
	char a[32], b[32], d[32], e[32], f[32], g[32], h[32];

	fprintf(out, "%-*s ", width, cell->label);
	if (cell->state != CELL_OK) {
		fprintf(out, "FAILED: %s\n", cell->why != NULL ? cell->why : "did not run");
		return;
	}
	if (native != NULL && native->measure.all.guest != 0)
		snprintf(h, sizeof h, "%.2f",
			 (double)(m->all.guest + m->all.hypervisor) / (double)native->measure.all.guest);
	else
		snprintf(h, sizeof h, "-");
	fprintf(out, "%10s %11s %8s", millions(m->all.guest, a), millions(m->all.hypervisor, b), h);
	if (!compare_is_native(&cell->is))
		fprintf(out, " %11s %11s %9s %11s %7s", grouped(m->all.exits, d), grouped(m->all.mechanism_exits, e),
			grouped(4 * m->all.table_pages, f), grouped(m->all.invvpid, g), grouped(m->all.invept, a));
	fprintf(out, "\n");
}

void compare_table(const struct comparison *c, FILE *out)
{
	int width = widest(c);
	bool phases = false, whole = false;

	for (size_t i = 0; i < c->count; i++) {
		phases |= c->cells[i].state == CELL_OK && c->cells[i].measure.phases_only;
		whole |= c->cells[i].state == CELL_OK && !c->cells[i].measure.phases_only;
	}
	fprintf(out, "%-*s %10s %11s %8s %11s %11s %9s %11s %7s\n", width, "", "guest", "hypervisor", "of", "VM",
		"by the", "tables", "", "");
	fprintf(out, "%-*s %10s %11s %8s %11s %11s %9s %11s %7s\n", width, "configuration", "M instr.", "M instr.",
		"native", "exits", "mechanism", "KB", "INVVPID", "INVEPT");
	for (size_t i = 0; i < c->count; i++)
		row(c, &c->cells[i], width, out);
	if (phases)
		fprintf(out,
			"Of the workload's phases%s, at %s instructions an emulated second. Instructions on an "
			"emulator, not "
			"time:\n"
			"what TLB misses and VM exits cost a real CPU is not in them.\n",
			whole ? " where it has marked some, otherwise of the whole run" : ", without the boot", c->ips);
	for (size_t i = 0; i < c->note_count; i++)
		fprintf(out, "%s\n", c->notes[i]);
}

/* ---- CSV (RFC 4180) ---- */

static void csv_text(const char *value, FILE *out)
{
	bool quote = strpbrk(value, ",\"\r\n") != NULL;

	if (quote)
		fputc('"', out);
	for (; *value != 0; value++) {
		if (*value == '"')
			fputc('"', out);
		fputc(*value, out);
	}
	if (quote)
		fputc('"', out);
}

/* A value of its own, which the function takes. */
static void csv_taken(char *value, FILE *out)
{
	fputc(',', out);
	csv_text(value, out);
	free(value);
}

/* What the row is about: the same in every row of a cell. */
static void csv_cell(const struct cell *cell, FILE *out)
{
	csv_text(cell->label, out);
	for (enum axis axis = 0; axis < AXES; axis++)
		csv_taken(compare_value(cell, axis), out);
	fprintf(out, ",%s,", cell->state == CELL_OK ? "ok" : "failed");
	csv_text(cell->why != NULL ? cell->why : "none", out);
}

static void csv_row(const struct comparison *c, const struct cell *cell, const struct part *part, const char *phase,
		    FILE *out)
{
	const char *result = cell->measure.result;

	csv_cell(cell, out);
	fputc(',', out);
	csv_text(phase, out);
	if (part == NULL)
		fprintf(out, ",,,,,,,,,");
	else
		fprintf(out,
			",%" PRIu64 ",%" PRIu64 ",%" PRIu64 ",%" PRIu64 ",%" PRIu64 ",%" PRIu64 ",%" PRIu64 ",%" PRIu64
			",",
			part->steps, part->guest, part->hypervisor, part->exits, part->mechanism_exits,
			part->table_pages, part->invvpid, part->invept);
	csv_text(result != NULL ? result : "none", out);
	fprintf(out, ",%s,%s,%" PRIu64, VELLUM_VERSION, c->ips, compare_memory(c, cell));
	csv_taken(compare_command_line(cell), out);
	csv_taken(text("%s", c->command), out);
	fprintf(out, "\r\n");
}

void compare_csv(const struct comparison *c, FILE *out)
{
	fprintf(out, "label");
	for (size_t axis = 0; axis < AXES; axis++)
		fprintf(out, ",%s", axis_names[axis]);
	fprintf(out,
		",status,why,phase,steps,guest_instructions,hypervisor_instructions,exits,mechanism_exits,table_pages,"
		"invvpid,invept,result,version,ips,mem_bytes,command_line,command\r\n");
	for (size_t i = 0; i < c->count; i++) {
		const struct cell *cell = &c->cells[i];
		const struct measure *m = &cell->measure;

		if (cell->state != CELL_OK) {
			csv_row(c, cell, NULL, "none", out);
			continue;
		}
		csv_row(c, cell, &m->all, "all", out);
		for (size_t k = 0; k < m->phase_count; k++)
			csv_row(c, cell, &m->phases[k], m->phases[k].name, out);
	}
}

/* ---- JSON ---- */

static void put_number(cJSON *object, const char *name, uint64_t value)
{
	cJSON_AddItemToObject(object, name, json_exact(value));
}

static cJSON *json_measure(const struct measure *m)
{
	cJSON *object = cJSON_CreateObject();

	cJSON_AddStringToObject(object, "of", m->all.name);
	put_number(object, "guest_instructions", m->all.guest);
	put_number(object, "hypervisor_instructions", m->all.hypervisor);
	put_number(object, "exits", m->all.exits);
	put_number(object, "mechanism_exits", m->all.mechanism_exits);
	put_number(object, "table_pages", m->all.table_pages);
	put_number(object, "invvpid", m->all.invvpid);
	put_number(object, "invept", m->all.invept);
	if (m->result != NULL)
		cJSON_AddStringToObject(object, "result", m->result);
	return object;
}

/* With the defaults; what was asked for stands beside it. */
static cJSON *json_ran_with(const struct comparison *c, const struct cell *cell)
{
	cJSON *object = cJSON_CreateObject();
	char *value;

	for (enum axis axis = 0; axis < AXES; axis++) {
		value = compare_value(cell, axis);
		cJSON_AddStringToObject(object, axis_names[axis], value);
		free(value);
	}
	put_number(object, "mem_bytes", compare_memory(c, cell));
	value = compare_command_line(cell);
	cJSON_AddStringToObject(object, "command_line", value);
	free(value);
	return object;
}

static cJSON *json_cell(const struct comparison *c, const struct cell *cell)
{
	cJSON *object = cJSON_CreateObject();

	cJSON_AddStringToObject(object, "label", cell->label);
	for (size_t axis = 0; axis < AXES; axis++)
		cJSON_AddStringToObject(object, axis_names[axis], cell->is.value[axis]);
	cJSON_AddItemToObject(object, "ran_with", json_ran_with(c, cell));
	cJSON_AddStringToObject(object, "status", cell->state == CELL_OK ? "ok" : "failed");
	if (cell->why != NULL)
		cJSON_AddStringToObject(object, "why", cell->why);
	if (cell->state == CELL_OK)
		cJSON_AddItemToObject(object, "measure", json_measure(&cell->measure));
	if (cell->run != NULL)
		cJSON_AddItemToObject(object, "run", cJSON_Duplicate(cell->run, true));
	return object;
}

char *compare_json(const struct comparison *c)
{
	cJSON *root = cJSON_CreateObject(), *cells = cJSON_CreateArray(), *notes = cJSON_CreateArray();

	cJSON_AddStringToObject(root, "version", VELLUM_VERSION);
	cJSON_AddStringToObject(root, "command", c->command);
	cJSON_AddStringToObject(root, "fingerprint", c->fingerprint);
	cJSON_AddRawToObject(root, "ips", c->ips);
	for (size_t i = 0; i < c->count; i++)
		cJSON_AddItemToArray(cells, json_cell(c, &c->cells[i]));
	for (size_t i = 0; i < c->note_count; i++)
		cJSON_AddItemToArray(notes, cJSON_CreateString(c->notes[i]));
	cJSON_AddItemToObject(root, "cells", cells);
	cJSON_AddItemToObject(root, "notes", notes);
	return json_printed(root);
}
