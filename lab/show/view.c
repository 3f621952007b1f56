/* lab/show/view.c - results as CSV and as JSON, and where they go. */
#include "lab/show/view.h"
#include "tool/base/output.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include <cjson/cJSON.h>

/* ---- CSV: the settings that vary, then every number ---- */

void lab_csv_field(const char *text, FILE *out)
{
	if (!strpbrk(text, ",\"\r\n")) {
		fputs(text, out);
		return;
	}
	fputc('"', out);
	for (; *text; text++) {
		if (*text == '"')
			fputc('"', out);
		fputc(*text, out);
	}
	fputc('"', out);
}

/* What another build counted under names of its own is left out of CSV; JSON has it. */
static void write_csv(const struct lab_view *v, FILE *out)
{
	fputs("cell,machine.preset,hv.mmu,workload", out);
	for (unsigned i = 0; i < v->varies; i++)
		if (strcmp(v->varied[i], "machine.preset") && strcmp(v->varied[i], "hv.mmu") &&
		    strcmp(v->varied[i], "workload"))
			fprintf(out, ",%s", v->varied[i]);
	for (unsigned i = 0; lab_result_name(i); i++)
		fprintf(out, ",%s", lab_result_name(i));
	fputc('\n', out);
	for (unsigned r = 0; r < v->count; r++) {
		static const char *const first[] = { "machine.preset", "hv.mmu", "workload" };

		fputs(v->record[r]->key, out);
		for (unsigned i = 0; i < 3; i++) {
			const char *text = lab_record_setting(v->record[r], first[i]);

			fputc(',', out);
			lab_csv_field(text ? text : "", out);
		}
		for (unsigned i = 0; i < v->varies; i++) {
			const char *text = lab_view_setting(v->record[r], v->varied[i]);

			if (!strcmp(v->varied[i], "machine.preset") || !strcmp(v->varied[i], "hv.mmu") ||
			    !strcmp(v->varied[i], "workload"))
				continue;
			fputc(',', out);
			lab_csv_field(text ? text : "", out);
		}
		for (unsigned i = 0; lab_result_name(i); i++) {
			double n = lab_record_number(v->record[r], lab_result_name(i));

			fputc(',', out);
			if (!isnan(n))
				fprintf(out, "%.15g", n);
		}
		fputc('\n', out);
	}
}

/* ---- JSON: what all share, and each cell ---- */

static bool is_varied(const struct lab_view *v, const char *key)
{
	for (unsigned i = 0; i < v->varies; i++)
		if (!strcmp(v->varied[i], key))
			return true;
	/* With the preset, all of the machine changes. */
	if (!strncmp(key, "machine.", 8))
		for (unsigned i = 0; i < v->varies; i++)
			if (!strcmp(v->varied[i], "machine.preset"))
				return true;
	return false;
}

static void write_json(const struct lab_view *v, FILE *out)
{
	cJSON *root = cJSON_CreateObject(), *common = cJSON_AddObjectToObject(root, "common"), *cells;
	char *text;

	for (unsigned i = 0; v->count && lab_config_key(i); i++)
		if (!is_varied(v, lab_config_key(i)) && lab_record_setting(v->record[0], lab_config_key(i)))
			cJSON_AddStringToObject(common, lab_config_key(i),
						lab_record_setting(v->record[0], lab_config_key(i)));
	cells = cJSON_AddArrayToObject(root, "cells");
	for (unsigned r = 0; r < v->count; r++) {
		cJSON *cell = cJSON_CreateObject(), *settings;

		cJSON_AddStringToObject(cell, "cell", v->record[r]->key);
		settings = cJSON_AddObjectToObject(cell, "settings");
		for (unsigned i = 0; lab_config_key(i); i++)
			if (is_varied(v, lab_config_key(i)) && lab_record_setting(v->record[r], lab_config_key(i)))
				cJSON_AddStringToObject(settings, lab_config_key(i),
							lab_record_setting(v->record[r], lab_config_key(i)));
		cJSON_AddItemToObject(cell, "account", cJSON_Duplicate(v->record[r]->account, true));
		cJSON_AddItemToArray(cells, cell);
	}
	text = cJSON_Print(root);
	cJSON_Delete(root);
	if (!text)
		abort();
	fprintf(out, "%s\n", text);
	free(text);
}

/* ---- where they go ---- */

const char lab_output_help[] =
	"  --columns A,B,...  what the table shows; --columns list says what there is\n"
	"  --csv FILE         the results as CSV (-: standard output, instead of the table)\n"
	"  --json FILE        ... as JSON\n"
	"  --html FILE        ... as one HTML page with charts, which needs nothing from outside\n";

bool lab_output_option(struct lab_output *o, int argc, char **argv, int *at, struct lab_error *error)
{
	const struct { const char *name, **where; } options[] = {
		{ "--columns", &o->columns }, { "--csv", &o->csv }, { "--json", &o->json }, { "--html", &o->html },
	};

	for (unsigned i = 0; i < sizeof(options) / sizeof(options[0]); i++) {
		if (strcmp(argv[*at], options[i].name))
			continue;
		if (*at + 1 >= argc)
			return lab_fail(error, "%s needs a value", argv[*at]);
		*options[i].where = argv[*at + 1];
		*at += 2;
		return true;
	}
	return false;
}

static bool write_one(const char *file, void (*write)(const struct lab_view *, FILE *), const struct lab_view *v,
		      struct lab_error *error)
{
	bool standard = file && !strcmp(file, "-"), ok;
	FILE *f;

	if (!file)
		return true;
	f = standard ? stdout : output_begin(file);
	if (!f)
		return lab_fail(error, "cannot write %s: %s", file, strerror(errno));
	write(v, f);
	ok = standard ? output_standard() : output_end(f);
	return ok || lab_fail(error, "cannot write %s: %s", standard ? "the standard output" : file, strerror(errno));
}

bool lab_output_write(const struct lab_output *o, const struct lab_view *v, struct lab_error *error)
{
	bool taken = (o->csv && !strcmp(o->csv, "-")) || (o->json && !strcmp(o->json, "-")) ||
		     (o->html && !strcmp(o->html, "-"));

	if (!taken && !o->no_table &&
	    (!write_one("-", lab_view_table, v, error) || !write_one("-", lab_view_verdict, v, error)))
		return false;
	return write_one(o->csv, write_csv, v, error) && write_one(o->json, write_json, v, error) &&
	       write_one(o->html, lab_view_html, v, error);
}
