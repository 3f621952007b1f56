/* lab/sweep/results.c - see lab/sweep/results.h: records, lines and what is made of them. lab/sweep/store.c appends. */
#include "lab/sweep/results.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include <cjson/cJSON.h>

const char *lab_record_setting(const struct lab_record *record, const char *key)
{
	return cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(record->settings, key));
}

double lab_record_number(const struct lab_record *record, const char *name)
{
	const cJSON *item = cJSON_GetObjectItemCaseSensitive(record->account, name);

	return cJSON_IsNumber(item) ? item->valuedouble : NAN;
}

const char *lab_record_build(const struct lab_record *record)
{
	const char *build = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(record->line, "build"));

	return build ? build : "";
}

/* ---- lines ---- */

static char *line_of(cJSON *object)
{
	char *text = cJSON_PrintUnformatted(object), *line;

	cJSON_Delete(object);
	if (!text || asprintf(&line, "%s\n", text) < 0)
		abort();
	free(text);
	return line;
}

char *lab_record_line(const char *key, const char *build, const struct lab_result *result)
{
	char *account = NULL, *line;
	size_t size;
	FILE *f = open_memstream(&account, &size);

	if (!f)
		abort();
	lab_result_json(result, f);
	/* One object, "{...}\n", which gets two more members at its front. */
	if (fclose(f) || asprintf(&line, "{\"cell\":\"%s\",\"build\":\"%s\",%s", key, build, account + 1) < 0)
		abort();
	free(account);
	return line;
}

char *lab_plan_line(const struct lab_sweep *sweep)
{
	cJSON *line = cJSON_CreateObject(), *plan = cJSON_AddObjectToObject(line, "sweep"),
	      *cells = cJSON_AddArrayToObject(plan, "cells");

	for (unsigned i = 0; i < sweep->cells; i++) {
		const char *pair[2] = { sweep->cell[i].key, sweep->cell[i].label };

		if (!sweep->cell[i].why)
			cJSON_AddItemToArray(cells, cJSON_CreateStringArray(pair, 2));
	}
	return line_of(line);
}

/* ---- taking lines in ---- */

struct lab_record *lab_results_find(const struct lab_results *results, const char *key)
{
	for (unsigned i = 0; i < results->count; i++)
		if (!strcmp(results->record[i].key, key))
			return &results->record[i];
	return NULL;
}

static const struct lab_planned *planned(const struct lab_results *results, const char *key)
{
	for (unsigned i = 0; i < results->plans; i++)
		if (!strcmp(results->planned[i].key, key))
			return &results->planned[i];
	return NULL;
}

static bool good_key(const char *key)
{
	return key && strlen(key) == LAB_KEY_SIZE - 1 && strspn(key, "0123456789abcdef") == LAB_KEY_SIZE - 1;
}

static bool take_plan(struct lab_results *results, const cJSON *plan, struct lab_error *error)
{
	const cJSON *cell;

	cJSON_ArrayForEach(cell, cJSON_GetObjectItemCaseSensitive(plan, "cells")) {
		const char *key = cJSON_GetStringValue(cJSON_GetArrayItem(cell, 0)),
			   *label = cJSON_GetStringValue(cJSON_GetArrayItem(cell, 1));
		struct lab_record *record;

		if (!good_key(key) || !label)
			return lab_fail(error, "the sweep's list of cells is broken");
		if (planned(results, key))
			continue;
		results->planned = realloc(results->planned, (results->plans + 1) * sizeof(*results->planned));
		if (!results->planned)
			abort();
		memcpy(results->planned[results->plans].key, key, LAB_KEY_SIZE);
		results->planned[results->plans++].label = strdup(label);
		record = lab_results_find(results, key);
		if (record)
			record->label = results->planned[results->plans - 1].label;
	}
	return true;
}

/* Do two records give other numbers for the same cell? Which, and what. */
static bool contradicts(const struct lab_record *old, const struct lab_record *new, struct lab_error *error)
{
	const cJSON *item;

	if (cJSON_Compare(old->account, new->account, true))
		return false;
	cJSON_ArrayForEach(item, new->account) {
		double was = lab_record_number(old, item->string);

		if (isnan(was) || was != item->valuedouble) {
			lab_fail(error,
				 "cell %s (%.150s) has two contradicting results: %s is %.15g in one and %.15g in the "
				 "other "
				 "(builds %s and %s); remove one of them",
				 new->key, old->label ? old->label : "no label", item->string, was, item->valuedouble,
				 lab_record_build(old), lab_record_build(new));
			return true;
		}
	}
	lab_fail(error,
		 "cell %s has two contradicting results: one of them lacks numbers that the other has (builds %s and "
		 "%s); remove one "
		 "of "
		 "them",
		 new->key, lab_record_build(old), lab_record_build(new));
	return true;
}

static bool add(struct lab_results *results, const struct lab_record *record, const char *line)
{
	if (results->count == results->room) {
		results->room = results->room ? results->room * 2 : 64;
		results->record = realloc(results->record, results->room * sizeof(*record));
		if (!results->record)
			abort();
	}
	results->record[results->count] = *record;
	results->record[results->count++].text = strdup(line);
	return true;
}

bool lab_results_take(struct lab_results *results, const char *line, struct lab_error *error)
{
	struct lab_record record = { .line = cJSON_Parse(line) };
	const char *key = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(record.line, "cell"));
	const cJSON *plan = cJSON_GetObjectItemCaseSensitive(record.line, "sweep");
	struct lab_record *old;
	bool ok;

	record.settings = cJSON_GetObjectItemCaseSensitive(record.line, "settings");
	record.account = cJSON_GetObjectItemCaseSensitive(record.line, "account");
	if (cJSON_IsObject(plan)) {
		ok = take_plan(results, plan, error);
		cJSON_Delete(record.line);
		return ok;
	}
	if (!good_key(key) || !cJSON_IsObject(record.settings) || !cJSON_IsObject(record.account)) {
		cJSON_Delete(record.line);
		return lab_fail(error, "it is not a result of vellum lab sweep");
	}
	memcpy(record.key, key, LAB_KEY_SIZE);
	record.label = planned(results, key) ? planned(results, key)->label : NULL;
	old = lab_results_find(results, key);
	if (!old)
		return add(results, &record, line);
	ok = !contradicts(old, &record, error);
	results->repeated += ok;
	cJSON_Delete(record.line);
	return ok;
}

/* Is text the beginning of a line of ours? (A file of someone else's is not to be cut.) */
static bool torn_line(const char *text)
{
	static const char *const begin[] = { "{\"cell\":\"", "{\"sweep\":{" };

	for (unsigned i = 0; i < 2; i++)
		if (!strncmp(text, begin[i], strlen(text) < strlen(begin[i]) ? strlen(text) : strlen(begin[i])))
			return true;
	return false;
}

bool lab_results_read(struct lab_results *results, const char *file, uint64_t *whole, struct lab_error *error)
{
	FILE *f = fopen(file, "r");
	struct lab_error inner = { "" };
	char *line = NULL;
	size_t room = 0;
	ssize_t n = 0;
	unsigned number = 0;
	uint64_t good = 0;
	bool ok = true;

	if (!f)
		return lab_fail(error, "cannot read the results %s: %s", file, strerror(errno));
	while (ok && (n = getline(&line, &room, f)) > 0 && line[n - 1] == '\n') {
		number++;
		line[n - 1] = '\0';
		ok = strlen(line) == (size_t)n - 1 ? lab_results_take(results, line, &inner)
						   : lab_fail(&inner, "it holds a zero byte");
		good += (uint64_t)n;
	}
	if (ok && n > 0 && !torn_line(line)) {
		number++;
		ok = lab_fail(&inner, "it is not a result of vellum lab sweep");
	}
	if (!ok)
		lab_fail(error, "%.150s, line %u: %.330s", file, number, inner.text);
	else if (ferror(f))
		ok = lab_fail(error, "cannot read the results %s: %s", file, strerror(errno));
	if (whole)
		*whole = good;
	free(line);
	fclose(f);
	return ok;
}

void lab_results_free(struct lab_results *results)
{
	for (unsigned i = 0; i < results->count; i++) {
		cJSON_Delete(results->record[i].line);
		free(results->record[i].text);
	}
	for (unsigned i = 0; i < results->plans; i++)
		free(results->planned[i].label);
	free(results->record);
	free(results->planned);
	memset(results, 0, sizeof(*results));
}
