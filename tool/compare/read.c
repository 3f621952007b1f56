/* What is compared of a run, from its JSON (docs/json.md). */
#include "tool/compare/compare.h"

#include <stdlib.h>
#include <string.h>

#include "lib/base.h"

/* Exits that the mechanism causes, as vm/account/stats.c counts them; the guest's accesses to devices in memory are
 * among them. The rest (ports, CPUID, MSRs, interrupts) is the virtual PC's. */
static const char *const mechanism_reasons[] = { "exception_or_nmi", "invlpg", "control_register_access",
						 "ept_violation", "ept_misconfiguration",
						 /* AMD-V's */
						 "exception", "cr_read", "cr_write", "nested_page_fault",
						 "nested_reserved_bit" };

/* Counters are written as raw digits, which cJSON reads as doubles: exact up to 2^53, which is 8 months of a GHz. */
static uint64_t number_at(const cJSON *object, const char *path)
{
	const cJSON *item = compare_at(object, path);

	return cJSON_IsNumber(item) && item->valuedouble > 0 ? (uint64_t)item->valuedouble : 0;
}

static const char *text_at(const cJSON *object, const char *path)
{
	const cJSON *item = compare_at(object, path);

	return cJSON_IsString(item) ? item->valuestring : NULL;
}

static struct part read_part(const cJSON *from, const char *name)
{
	struct part part = { text("%s", name), number_at(from, "steps"), number_at(from, "instructions.guest"),
		number_at(from, "instructions.hypervisor"), number_at(from, "exits.total"), 0,
		number_at(from, "tables.pages"), 0, number_at(from, "mmu_counters.invept_single") +
		number_at(from, "mmu_counters.invept_all") };
	static const char *const invvpid[] = { "mmu_counters.invvpid_address", "mmu_counters.invvpid_single",
		"mmu_counters.invvpid_nonglobal", "mmu_counters.invvpid_all" };
	char *path;

	for (size_t i = 0; i < ARRAY_SIZE(mechanism_reasons); i++) {
		path = text("exits.by_reason.%s.count", mechanism_reasons[i]);
		part.mechanism_exits += number_at(from, path);
		free(path);
	}
	for (size_t i = 0; i < ARRAY_SIZE(invvpid); i++)
		part.invvpid += number_at(from, invvpid[i]);
	return part;
}

static int by_count(const void *a, const void *b)
{
	const struct reason_count *x = a, *y = b;

	return x->count != y->count ? (x->count < y->count ? 1 : -1) : strcmp(x->name, y->name);
}

static void read_reasons(struct measure *m, const cJSON *from)
{
	const cJSON *list = compare_at(from, "exits.by_reason"), *one;

	cJSON_ArrayForEach(one, list) {
		m->reasons = grow(m->reasons, (m->reason_count + 1) * sizeof *m->reasons);
		m->reasons[m->reason_count++] = (struct reason_count){ text("%s", one->string), number_at(one, "count"),
								       number_at(one, "ticks") };
	}
	if (m->reason_count != 0)
		qsort(m->reasons, m->reason_count, sizeof *m->reasons, by_count);
}

static void read_phases(struct measure *m, const cJSON *run)
{
	const cJSON *one;

	cJSON_ArrayForEach(one, compare_at(run, "phases")) {
		const char *name = text_at(one, "name");

		m->phases = grow(m->phases, (m->phase_count + 1) * sizeof *m->phases);
		m->phases[m->phase_count++] = read_part(one, name != NULL ? name : one->string);
	}
}

static void read_tpr(struct measure *m, const cJSON *run)
{
	static const char *const names[TPR_EXITS] = { "tpr_reads", "tpr_writes", "threshold_exits",
						      "virtualized_eoi_exits" };
	const cJSON *method;

	cJSON_ArrayForEach(method, compare_at(run, "lapic.methods"))
		for (size_t i = 0; i < TPR_EXITS; i++)
			m->tpr[i] += number_at(method, names[i]);
}

static void read_measure(struct measure *m, const cJSON *run)
{
	const cJSON *from = compare_at(run, "workload");
	const char *result = text_at(run, "guest.result");

	m->phases_only = from != NULL;
	if (from == NULL)
		from = run;
	m->all = read_part(from, m->phases_only ? "workload" : "run");
	read_reasons(m, from);
	read_phases(m, run);
	read_tpr(m, run);
	/* The kernel's name is not a result: kernels are compared too. */
	m->result = result != NULL ? text("%.*s",
					  (int)(strstr(result, " kernel=") != NULL ? strstr(result, " kernel=") - result
										   : (long)strlen(result)),
					  result)
				   : NULL;
	if (compare_at(run, "emulator.cpu_seconds") != NULL)
		m->cpu_seconds = compare_at(run, "emulator.cpu_seconds")->valuedouble;
}

/* The sentence that says what went wrong: what the guest's end says, or the last of the command's own. */
static char *reason_of(const cJSON *run, int status, const char *said)
{
	const char *end = text_at(run, "guest.end"), *result = text_at(run, "guest.result"), *line = said, *last = NULL;
	size_t length;

	if (result != NULL && strncmp(result, "FAIL", 4) == 0)
		return text("the guest: %s", result + 5);
	if (end != NULL && number_at(run, "guest.status") != 0)
		return text("%s (status %d)", end, status);
	for (; line != NULL && *line != 0; line = strchr(line, '\n'), line += line != NULL)
		if (strncmp(line, "vellum: ", 8) == 0)
			last = line + 8;
	if (last == NULL)
		return text("ended with status %d and said nothing", status);
	length = strcspn(last, "\r\n");
	return text("%.*s (status %d)", (int)length, last, status);
}

void compare_read(struct cell *cell, int status, const char *said)
{
	cell->state = CELL_FAILED;
	if (status != 0) {
		cell->why = reason_of(cell->run, status, said);
		return;
	}
	if (cell->run == NULL) {
		cell->why = text("the run left no JSON that can be read");
		return;
	}
	read_measure(&cell->measure, cell->run);
	cell->state = CELL_OK;
}

void compare_results(struct comparison *c)
{
	for (size_t i = 0; i < c->count; i++) {
		struct cell *cell = &c->cells[i];

		for (size_t k = 0; k < i && cell->state == CELL_OK; k++) {
			const struct cell *other = &c->cells[k];

			if (other->state != CELL_OK ||
			    strcmp(other->is.value[AXIS_WORKLOAD], cell->is.value[AXIS_WORKLOAD]) != 0 ||
			    strcmp(other->is.value[AXIS_KERNEL], cell->is.value[AXIS_KERNEL]) != 0 ||
			    other->measure.result == NULL)
				continue;
			if (cell->measure.result != NULL && strcmp(cell->measure.result, other->measure.result) == 0)
				continue;
			cell->state = CELL_FAILED;
			cell->why = text("its result is \"%s\", that of %s \"%s\"",
					 cell->measure.result != NULL ? cell->measure.result : "none", other->label,
					 other->measure.result);
		}
	}
}

void compare_resume(struct comparison *c, const char *path)
{
	struct bytes content = { 0 };
	const char *before;
	cJSON *root, *one;

	if (!file_read(path, &content))
		die(STATUS_USAGE, "--resume %s: cannot be read", path);
	root = cJSON_Parse(content.data);
	before = text_at(root, "fingerprint");
	if (before == NULL || !cJSON_IsArray(compare_at(root, "cells")))
		die(STATUS_USAGE, "--resume %s: is not the JSON of a comparison", path);
	if (strcmp(before, c->fingerprint) != 0)
		die(STATUS_USAGE,
		    "--resume %s: was made with another hypervisor, other guests or other options; leave --resume out",
		    path);
	cJSON_ArrayForEach(one, compare_at(root, "cells"))
		for (size_t i = 0; i < c->count; i++) {
			struct cell *cell = &c->cells[i];
			bool same = text_at(one, "status") != NULL && strcmp(text_at(one, "status"), "ok") == 0 &&
				    cell->state == CELL_WAITING;

			for (size_t axis = 0; axis < AXES; axis++)
				same = same &&
				       strcmp(text_at(one, axis_names[axis]) != NULL ? text_at(one, axis_names[axis])
										     : "",
					      cell->is.value[axis]) == 0;
			if (!same || compare_at(one, "run") == NULL)
				continue;
			cell->run = cJSON_Duplicate(compare_at(one, "run"), true);
			compare_read(cell, 0, "");
		}
	cJSON_Delete(root);
	bytes_free(&content);
}

void measure_free(struct measure *m)
{
	for (size_t i = 0; i < m->phase_count; i++)
		free(m->phases[i].name);
	for (size_t i = 0; i < m->reason_count; i++)
		free(m->reasons[i].name);
	free(m->all.name);
	free(m->phases);
	free(m->reasons);
	free(m->result);
	*m = (struct measure){ .phase_count = 0 };
}
