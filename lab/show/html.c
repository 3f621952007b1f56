/* lab/show/html.c - results as one HTML page. For a performance engineer: first the question's answer (predicted time,
 * as ranges), then where the cycles go, then why (walks, exits), then the table and what all of it was computed
 * with. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "lab/show/units.h"
#include "lab/show/view.h"
#include "tool/base/chart.h"

static const char head[] =
	"<meta charset=\"utf-8\"/>\n<meta name=\"viewport\" content=\"width=device-width\"/>\n<style>\n"
	"body { font-family: sans-serif; color: #222; background: #fff; max-width: 1080px; margin: 2em auto; "
	"padding: 0 1em; line-height: 1.4 }\n"
	"table { border-collapse: collapse; font-size: 13px }\n"
	"th, td { padding: 3px 8px; border-bottom: 1px solid #ccc; text-align: right; white-space: nowrap }\n"
	"th.t, td.t { text-align: left }\nthead th { border-bottom: 2px solid #222 }\n"
	".wide { overflow-x: auto }\nsvg { max-width: 100%; height: auto }\n.n { color: #555 }\n"
	"@media print { body { max-width: none; margin: 0 } .wide { overflow: visible } table { font-size: 9px } "
	"svg, tr { break-inside: avoid } }\n</style>\n";

/* Parts of cycles.most, as lab/sweep/result.h sums them (but for cycles.beside, which it takes away). What walks take
 * comes last: it may be hidden. */
static const struct { const char *number, *name;
} parts[] = {
	{ "cycles.base", "program" },
	{ "cycles.kernel", "guest kernel" },
	{ "cycles.data", "data" },
	{ "cycles.l2_tlb", "L2 TLB hits" },
	{ "cycles.exits", "exits and entries" },
	{ "cycles.hypervisor", "hypervisor" },
	{ "cycles.flushes", "INVVPID, INVEPT" },
	{ "cycles.populate", "host's page faults" },
	{ "cycles.wakeups", "waking of CPUs" },
	{ "cycles.walk_guest", "walks: guest or shadow tables" },
	{ "cycles.walk_ept", "walks: EPT" },
};
enum { PARTS = sizeof(parts) / sizeof(parts[0]) };

static char **labels(const struct lab_view *v)
{
	char **label = calloc(v->count + 1, sizeof(*label));

	if (!label)
		abort();
	for (unsigned i = 0; i < v->count; i++)
		label[i] = lab_view_label(v, i);
	return label;
}

static double *numbers(unsigned count)
{
	double *n = calloc(count + 1, sizeof(*n));

	if (!n)
		abort();
	return n;
}

static void time_chart(const struct lab_view *v, char **label, FILE *out)
{
	double *low = numbers(v->count), *high = numbers(v->count);
	double longest = 0;
	const struct lab_unit *unit;
	char said[60];
	struct chart_ranges chart = { "Predicted time", NULL, v->count, (const char *const *)label, low, high };

	for (unsigned i = 0; i < v->count; i++) {
		low[i] = lab_record_number(v->record[i], "seconds.low");
		high[i] = lab_record_number(v->record[i], "seconds.high");
		longest = high[i] > longest ? high[i] : longest;
	}
	unit = lab_time_unit(longest);
	for (unsigned i = 0; i < v->count; i++) {
		low[i] *= unit->each;
		high[i] *= unit->each;
	}
	snprintf(said, sizeof(said), "%s; the range of the estimate", unit->name);
	chart.unit = said;
	chart_ranges(&chart, out);
	free(low);
	free(high);
}

static void cycles_chart(const struct lab_view *v, char **label, FILE *out)
{
	const char *name[PARTS];
	double *value = numbers(v->count * PARTS), *mark = numbers(v->count);
	struct chart_bars chart = { "Where the cycles go",
				    "cycles an access",
				    v->count,
				    PARTS,
				    (const char *const *)label,
				    name,
				    value,
				    mark,
				    "the least: walks hidden" };

	for (unsigned p = 0; p < PARTS; p++)
		name[p] = parts[p].name;
	for (unsigned i = 0; i < v->count; i++) {
		double accesses = lab_record_number(v->record[i], "accesses");

		if (lab_record_number(v->record[i], "cycles.beside") > 0)
			chart.unit = "cycles an access, those that one CPU makes while another wakes among them";
		for (unsigned p = 0; p < PARTS; p++)
			value[i * PARTS + p] = lab_record_number(v->record[i], parts[p].number) / accesses;
		mark[i] = lab_record_number(v->record[i], "cycles.least") / accesses;
	}
	chart_bars(&chart, out);
	free(value);
	free(mark);
}

/* A chart of the numbers whose names begin with prefix, an access or a million; none where all are zero. */
static void family_chart(const struct lab_view *v, char **label, const char *title, const char *unit,
			 const char *prefix, double scale, FILE *out)
{
	const char *name[64];
	unsigned n = 0;
	double *value, any = 0;

	for (unsigned i = 0; lab_result_name(i) && n < 64; i++) {
		const char *rest = lab_result_name(i) + strlen(prefix);
		bool some = false;

		if (strncmp(lab_result_name(i), prefix, strlen(prefix)) || strchr(rest, '.'))
			continue;
		for (unsigned r = 0; r < v->count; r++)
			some |= lab_record_number(v->record[r], lab_result_name(i)) > 0;
		if (some)
			name[n++] = rest;
	}
	value = numbers(v->count * n);
	for (unsigned r = 0; r < v->count; r++) {
		for (unsigned i = 0; i < n; i++) {
			char full[128];

			snprintf(full, sizeof(full), "%s%s", prefix, name[i]);
			value[r * n + i] = lab_record_number(v->record[r], full) * scale /
					   lab_record_number(v->record[r], "accesses");
			any = fmax(any, value[r * n + i]);
		}
	}
	if (any > 0) {
		struct chart_bars chart = { title, unit,  v->count, n,	 (const char *const *)label,
					    name,  value, NULL,	    NULL };

		chart_bars(&chart, out);
	}
	free(value);
}

static void table(const struct lab_view *v, FILE *out)
{
	fputs("<div class=\"wide\"><table><thead><tr>", out);
	for (unsigned c = 0; c < v->columns; c++) {
		char *heading;

		fprintf(out, "<th%s>",
			v->count && lab_column_value(v->record[0], v->column[c]).text ? " class=\"t\"" : "");
		heading = lab_column_heading(v, v->column[c]);
		chart_escape(heading, out);
		free(heading);
		fputs("</th>", out);
	}
	fputs("</tr></thead><tbody>\n", out);
	for (unsigned i = 0; i < v->count; i++) {
		fputs("<tr>", out);
		for (unsigned c = 0; c < v->columns; c++) {
			struct lab_value value = lab_column_shown(v, i, v->column[c]);
			char low[32], high[32];

			if (value.text) {
				fputs("<td class=\"t\">", out);
				chart_escape(value.text, out);
			} else if (isnan(value.low)) {
				fputs("<td>-", out);
			} else {
				chart_number(value.low, low);
				chart_number(value.high, high);
				fprintf(out, "<td>%s%s%s", low, value.low != value.high ? " \xe2\x80\x93 " : "",
					value.low != value.high ? high : "");
			}
			fputs("</td>", out);
		}
		fputs("</tr>\n", out);
	}
	fputs("</tbody></table></div>\n", out);
}

/* What is common to all, and for the machines where they differ, their names alone. */
static void settings(const struct lab_view *v, FILE *out)
{
	bool machines = false;

	for (unsigned i = 0; i < v->varies; i++)
		machines |= !strcmp(v->varied[i], "machine.preset");
	fputs("<details><summary>Settings that all cells share</summary><table><tbody>\n", out);
	for (unsigned i = 0; v->count && lab_config_key(i); i++) {
		const char *key = lab_config_key(i), *value = lab_record_setting(v->record[0], key);
		bool varied = machines && !strncmp(key, "machine.", 8);

		for (unsigned k = 0; k < v->varies; k++)
			varied |= !strcmp(v->varied[k], key);
		if (varied || !value)
			continue;
		fputs("<tr><td class=\"t\">", out);
		chart_escape(key, out);
		fputs("</td><td class=\"t\">", out);
		chart_escape(value, out);
		fputs("</td></tr>\n", out);
	}
	fputs("</tbody></table></details>\n", out);
}

static void verdict(const struct lab_view *v, FILE *out)
{
	char *text = NULL;
	size_t size;
	FILE *f = open_memstream(&text, &size);

	if (!f)
		abort();
	lab_view_verdict(v, f);
	fclose(f);
	if (size) {
		fputs("<p><b>", out);
		chart_escape(text, out);
		fputs("</b></p>\n", out);
	}
	free(text);
}

static void paragraph(const char *text, FILE *out)
{
	fputs("<p class=\"n\">", out);
	chart_escape(text, out);
	fputs("</p>\n", out);
}

/* What all are of and on, as far as they have it in common. */
static void in_common(const struct lab_view *v, FILE *out)
{
	static const struct { const char *before, *key; } facts[] = {
		{ " of ", "workload" }, { " on ", "machine.preset" }, { ", hv.mmu=", "hv.mmu" },
		{ ", hv.pages=", "hv.pages" }, { ", guest.pages=", "guest.pages" },
	};

	for (unsigned f = 0; v->count && f < sizeof(facts) / sizeof(facts[0]); f++) {
		const char *value = lab_view_setting(v->record[0], facts[f].key);
		bool varied = false;

		for (unsigned i = 0; i < v->varies; i++)
			varied |= !strcmp(v->varied[i], facts[f].key);
		if (varied || !value || !strcmp(value, "-"))
			continue;
		fprintf(out, "%s<code>", facts[f].before);
		chart_escape(value, out);
		fputs("</code>", out);
	}
}

void lab_view_html(const struct lab_view *v, FILE *out)
{
	char **label = labels(v);

	fprintf(out, "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<title>");
	chart_escape(v->title, out);
	fprintf(out, "</title>\n%s</head>\n<body>\n<h1>", head);
	chart_escape(v->title, out);
	fprintf(out, "</h1>\n<p>%u configuration%s", v->count, v->count == 1 ? "" : "s");
	in_common(v, out);
	fputs(". Times are predictions of a model, given as ranges: of how well a CPU hides its page walks behind "
	      "other "
	      "work, and of prices that are not known better. Runs are compared under the same prices, so the order of "
	      "two "
	      "may be known though their ranges overlap. Counts are exact for the modelled machine.</p>\n",
	      out);
	verdict(v, out);
	for (unsigned i = 0; i < v->notes; i++)
		paragraph(v->note[i], out);
	lab_view_small(v, paragraph, out);
	time_chart(v, label, out);
	cycles_chart(v, label, out);
	family_chart(v, label, "VM exits", "exits in a million accesses", "exits.", 1e6, out);
	family_chart(v, label, "Walks that a flush caused", "refills in 1000 accesses", "refills.", 1000, out);
	table(v, out);
	settings(v, out);
	fputs("</body>\n</html>\n", out);
	for (unsigned i = 0; i < v->count; i++)
		free(label[i]);
	free(label);
}
