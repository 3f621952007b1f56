/* A comparison as one page that needs nothing else. */
#include "tool/compare/compare.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "tool/base/chart.h"
#include "tool/base/output.h"
#include "tool/run/report.h"

enum { REASONS = 10 };          /* in the chart of exits; the others are one part */

static const char style[] =
	"body{font-family:sans-serif;line-height:1.45;color:#222;background:#fff;max-width:1000px;margin:2em "
	"auto;padding:0 1em}"
	"table{border-collapse:collapse;font-size:13px}th,td{padding:3px 9px;border-bottom:1px solid "
	"#ccc;text-align:right;vertical-align:top}"
	"th:first-child,td:first-child{text-align:left}td.why{text-align:left;color:#9b2c00}caption{text-"
	"align:left;font-weight:bold;padding:6px 0}"
	"svg{max-width:100%;height:auto;display:block;margin:14px 0}code{background:#f2f2f2;padding:1px 4px}"
	".wide{overflow-x:auto}@media print{body{max-width:none;margin:0}section,svg,tr{break-inside:avoid}}";

/* The cells that succeeded, and among them those with a hypervisor. */
struct rows {
	const struct cell *cell[COMPARE_CELLS];
	const char *label[COMPARE_CELLS];
	unsigned count;
};

static struct rows *rows_of(const struct comparison *c, bool native_too)
{
	struct rows *rows = allocate(sizeof *rows);

	rows->count = 0;
	for (size_t i = 0; i < c->count; i++)
		if (c->cells[i].state == CELL_OK && (native_too || !compare_is_native(&c->cells[i].is))) {
			rows->label[rows->count] = c->cells[i].label;
			rows->cell[rows->count++] = &c->cells[i];
		}
	return rows;
}

static void draw(const char *title, const char *unit, const struct rows *rows, const char *const *parts,
		 unsigned part_count, const double *values, FILE *out)
{
	struct chart_bars chart = { .title = title,
				    .unit = unit,
				    .rows = rows->count,
				    .parts = part_count,
				    .row = rows->label,
				    .part = parts,
				    .value = values };

	chart_bars(&chart, out);
}

static void instructions_chart(const struct comparison *c, FILE *out)
{
	static const char *const parts[] = { "in the guest", "in the hypervisor" };
	struct rows *rows = rows_of(c, true);
	double *values = allocate(2 * COMPARE_CELLS * sizeof *values);

	for (unsigned i = 0; i < rows->count; i++) {
		values[2 * i] = (double)rows->cell[i]->measure.all.guest;
		values[2 * i + 1] = (double)rows->cell[i]->measure.all.hypervisor;
	}
	draw("Instructions", "instructions", rows, parts, 2, values, out);
	free(values);
	free(rows);
}

/* The reasons that are most frequent over all rows, then "all others". */
static unsigned pick_reasons(const struct rows *rows, const char *parts[REASONS + 1])
{
	unsigned count = 0;

	for (unsigned wanted = 0; wanted < REASONS; wanted++) {
		const char *best = NULL;
		uint64_t best_count = 0;

		for (unsigned i = 0; i < rows->count; i++)
			for (size_t k = 0; k < rows->cell[i]->measure.reason_count; k++) {
				const struct reason_count *r = &rows->cell[i]->measure.reasons[k];
				bool have = r->count <= best_count;

				for (unsigned p = 0; p < count; p++)
					have |= strcmp(parts[p], r->name) == 0;
				if (!have) {
					best = r->name;
					best_count = r->count;
				}
			}
		if (best == NULL)
			break;
		parts[count++] = best;
	}
	parts[count] = "all others";
	return count + 1;
}

static void exits_chart(const struct comparison *c, FILE *out)
{
	struct rows *rows = rows_of(c, false);
	const char *parts[REASONS + 1];
	unsigned count = pick_reasons(rows, parts);
	double *values = allocate((REASONS + 1) * COMPARE_CELLS * sizeof *values);

	for (unsigned i = 0; i < rows->count; i++) {
		for (unsigned p = 0; p < count; p++)
			values[i * count + p] = 0;
		for (size_t k = 0; k < rows->cell[i]->measure.reason_count; k++) {
			const struct reason_count *r = &rows->cell[i]->measure.reasons[k];
			unsigned p = 0;

			while (p + 1 < count && strcmp(parts[p], r->name) != 0)
				p++;
			values[i * count + p] += (double)r->count;
		}
	}
	draw("VM exits by reason", "VM exits", rows, parts, count, values, out);
	free(values);
	free(rows);
}

static void tables_chart(const struct comparison *c, FILE *out)
{
	static const char *const parts[] = { "memory of the mechanism's tables" };
	struct rows *rows = rows_of(c, false);
	double *values = allocate(COMPARE_CELLS * sizeof *values);

	for (unsigned i = 0; i < rows->count; i++)
		values[i] = 4 * (double)rows->cell[i]->measure.all.table_pages;
	draw("Memory for tables", "KB", rows, parts, 1, values, out);
	free(values);
	free(rows);
}

static void flushes_chart(const struct comparison *c, FILE *out)
{
	static const char *const parts[] = { "INVVPID", "INVEPT" };
	struct rows *rows = rows_of(c, false);
	double *values = allocate(2 * COMPARE_CELLS * sizeof *values);

	for (unsigned i = 0; i < rows->count; i++) {
		values[2 * i] = (double)rows->cell[i]->measure.all.invvpid;
		values[2 * i + 1] = (double)rows->cell[i]->measure.all.invept;
	}
	draw("Flushes", "instructions INVVPID and INVEPT", rows, parts, 2, values, out);
	free(values);
	free(rows);
}

/* Is it compared by which method the priority register is virtualized? */
static bool compares_tpr(const struct comparison *c)
{
	for (size_t i = 0; i < c->count; i++)
		if (c->cells[i].is.value[AXIS_TPR][0] != 0)
			return true;
	return false;
}

static void tpr_chart(const struct comparison *c, FILE *out)
{
	static const char *const parts[TPR_EXITS] = { "reads", "writes", "at the threshold", "EOIs that the CPU did" };
	struct rows *rows = rows_of(c, false);
	double *values = allocate(TPR_EXITS * COMPARE_CELLS * sizeof *values);

	for (unsigned i = 0; i < rows->count; i++)
		for (unsigned p = 0; p < TPR_EXITS; p++)
			values[i * TPR_EXITS + p] = (double)rows->cell[i]->measure.tpr[p];
	draw("Exits for the priority register, in the whole run", "VM exits", rows, parts, TPR_EXITS, values, out);
	free(values);
	free(rows);
}

/* ---- tables ---- */

static void cell_text(const char *tag, const char *value, FILE *out)
{
	fprintf(out, "<%s>", tag);
	chart_escape(value, out);
	fprintf(out, "</%s>", tag[0] == 't' && tag[1] == 'h' ? "th" : "td");
}

static void cell_number(uint64_t value, FILE *out)
{
	char buffer[32];

	fprintf(out, "<td>%s</td>", grouped(value, buffer));
}

static void times_native(const struct part *part, const struct part *native, FILE *out)
{
	if (native != NULL && native->guest != 0)
		fprintf(out, "<td>%.2f</td>", (double)(part->guest + part->hypervisor) / (double)native->guest);
	else
		fprintf(out, "<td>\xe2\x80\x93</td>");
}

static void summary(const struct comparison *c, FILE *out)
{
	fprintf(out,
		"<div class=\"wide\"><table><caption>What it cost</caption><tr><th "
		"scope=\"col\">configuration</th><th>instructions in the guest</th>"
		"<th>in the hypervisor</th><th>times native</th><th>VM exits</th><th>by the mechanism</th><th>tables, "
		"KB</th><th>INVVPID</th>"
		"<th>INVEPT</th></tr>\n");
	for (size_t i = 0; i < c->count; i++) {
		const struct cell *cell = &c->cells[i], *native = compare_native(c, cell);
		const struct measure *m = &cell->measure;

		fprintf(out, "<tr>");
		cell_text("th scope=\"row\"", cell->label, out);
		if (cell->state != CELL_OK) {
			fprintf(out, "<td class=\"why\" colspan=\"8\">failed: ");
			chart_escape(cell->why != NULL ? cell->why : "did not run", out);
			fprintf(out, "</td></tr>\n");
			continue;
		}
		cell_number(m->all.guest, out);
		cell_number(m->all.hypervisor, out);
		times_native(&m->all, native != NULL ? &native->measure.all : NULL, out);
		if (compare_is_native(&cell->is)) {
			fprintf(out, "<td colspan=\"5\">no hypervisor</td></tr>\n");
			continue;
		}
		cell_number(m->all.exits, out);
		cell_number(m->all.mechanism_exits, out);
		cell_number(4 * m->all.table_pages, out);
		cell_number(m->all.invvpid, out);
		cell_number(m->all.invept, out);
		fprintf(out, "</tr>\n");
	}
	fprintf(out, "</table></div>\n");
}

static const struct part *same_phase(const struct cell *cell, const char *name)
{
	for (size_t k = 0; cell != NULL && k < cell->measure.phase_count; k++)
		if (strcmp(cell->measure.phases[k].name, name) == 0)
			return &cell->measure.phases[k];
	return NULL;
}

static void phases(const struct comparison *c, FILE *out)
{
	fprintf(out, "<div class=\"wide\"><table><caption>Phase by phase</caption><tr><th "
		     "scope=\"col\">configuration</th><th>phase</th><th>steps</th>"
		     "<th>instructions in the guest</th><th>in the hypervisor</th><th>times native</th><th>VM "
		     "exits</th></tr>\n");
	for (size_t i = 0; i < c->count; i++) {
		const struct cell *native = compare_native(c, &c->cells[i]);

		for (size_t k = 0; c->cells[i].state == CELL_OK && k < c->cells[i].measure.phase_count; k++) {
			const struct part *phase = &c->cells[i].measure.phases[k];

			fprintf(out, "<tr>");
			cell_text("th scope=\"row\"", c->cells[i].label, out);
			cell_text("td", phase->name, out);
			cell_number(phase->steps, out);
			cell_number(phase->guest, out);
			cell_number(phase->hypervisor, out);
			times_native(phase, same_phase(native, phase->name), out);
			cell_number(phase->exits, out);
			fprintf(out, "</tr>\n");
		}
	}
	fprintf(out, "</table></div>\n");
}

static void reasons(const struct comparison *c, FILE *out)
{
	fprintf(out, "<div class=\"wide\"><table><caption>VM exits, all reasons</caption><tr><th "
		     "scope=\"col\">configuration</th><th>reason</th>"
		     "<th>exits</th><th>instructions in the hypervisor</th><th>each</th></tr>\n");
	for (size_t i = 0; i < c->count; i++)
		for (size_t k = 0; c->cells[i].state == CELL_OK && k < c->cells[i].measure.reason_count; k++) {
			const struct reason_count *r = &c->cells[i].measure.reasons[k];

			fprintf(out, "<tr>");
			cell_text("th scope=\"row\"", c->cells[i].label, out);
			cell_text("td", r->name, out);
			cell_number(r->count, out);
			cell_number(r->ticks, out);
			cell_number(r->count != 0 ? (r->ticks + r->count / 2) / r->count : 0, out);
			fprintf(out, "</tr>\n");
		}
	fprintf(out, "</table></div>\n");
}

static void crossing_part(const struct comparison *c, FILE *out)
{
	struct crossing *x = allocate(sizeof *x);
	char *sentence, *prices;
	size_t shown = 0;

	for (size_t k = 0; k < CROSSING_KINDS; k++) {
		if (!compare_crossing(c, &crossing_kinds[k], x))
			continue;
		if (shown++ == 0)
			fprintf(out, "<section><h2>Context switches against page-table edits</h2>\n<p>A turn is what "
				     "one of two "
				     "processes does between two context switches: it reads 32 pages, then edits its "
				     "page tables so "
				     "many times. <code>vtlb</code> loses all its tables at each switch and fills them "
				     "again by "
				     "faults; <code>shadow</code> keeps them, and has to follow each edit; "
				     "<code>brute</code> exits "
				     "for each access to an entry.</p>\n");
		sentence = crossing_sentence(x);
		prices = crossing_prices(x);
		fprintf(out, "<p>%s ", x->kind->explained);
		chart_escape(sentence, out);
		fprintf(out, "</p>\n<p>");
		chart_escape(prices, out);
		fprintf(out, "</p>\n");
		crossing_chart(x, out);
		free(sentence);
		free(prices);
	}
	if (shown > 0)
		fprintf(out, "</section>\n");
	free(x);
}

static const char reading[] =
	"<h2>How to read this</h2>\n<ul>\n"
	"<li>Each row is one run of the same guest with the same workload; every run had to end with the "
	"same result. <b>native</b> is the same "
	"kernel on the same emulated machine without a hypervisor.</li>\n"
	"<li>The numbers are <b>instructions</b> counted by an emulator (Bochs), which are exact and the "
	"same on every machine. An instruction that "
	"repeats (REP) counts once for each repetition.</li>\n"
	"<li>They are <b>not time</b>. What real hardware takes for a VM exit, a TLB miss or a walk "
	"through two dimensions of page tables is not in "
	"them: <code>ept</code>, which causes few exits and makes each TLB miss dearer, looks better here "
	"than it may be, and so do large pages "
	"look less useful.</li>\n"
	"<li>Bochs drops its TLB at each VM entry and exit, with VPID or without: that a VPID keeps "
	"translations does not show. The count of "
	"flushes is what the hypervisor executed.</li>\n"
	"<li>Timers fire by the guest's own clock, which stands still while the hypervisor works: a slower "
	"mechanism gets no more timer interrupts in the same work, as it would on a PC.</li>\n"
	"<li>Exits <i>by the mechanism</i> are page faults, INVLPG, accesses to control registers, EPT "
	"violations and "
	"misconfigurations, the guest's accesses to devices in memory among them. The others (ports, "
	"CPUID, MSRs, interrupts) are those of the "
	"virtual PC.</li>\n</ul>\n";

void compare_html(const struct comparison *c, FILE *out)
{
	bool whole = false;

	for (size_t i = 0; i < c->count; i++)
		whole |= c->cells[i].state == CELL_OK && !c->cells[i].measure.phases_only;
	fprintf(out,
		"<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><meta name=\"viewport\" "
		"content=\"width=device-width\">"
		"<title>Vellum: what memory virtualization costs</title><style>%s</style></head>\n<body>\n"
		"<h1>What memory virtualization costs</h1>\n<p><code>",
		style);
	chart_escape(c->command, out);
	fprintf(out, "</code></p>\n<p>%s instructions an emulated second. Counted %s.</p>\n", c->ips,
		whole ? "over the phases that the workload marks, or over the whole run where it marks none" :
			"over the workload, without the boot before it");
	summary(c, out);
	for (size_t i = 0; i < c->note_count; i++) {
		fprintf(out, "<p>");
		chart_escape(c->notes[i], out);
		fprintf(out, "</p>\n");
	}
	compare_about(c, out);
	fputs(reading, out);
	crossing_part(c, out);
	fprintf(out, "<section><h2>Charts</h2>\n");
	instructions_chart(c, out);
	exits_chart(c, out);
	if (compares_tpr(c))
		tpr_chart(c, out);
	tables_chart(c, out);
	flushes_chart(c, out);
	fprintf(out, "</section>\n<section><h2>Tables</h2>\n");
	phases(c, out);
	reasons(c, out);
	fprintf(out, "</section>\n</body></html>\n");
}

static FILE *open_in(const char *directory, const char *name)
{
	char *path = text("%s/%s.svg", directory, name);
	FILE *file = output_begin(path);

	if (file == NULL)
		die(STATUS_FAILED, "cannot write %s: %s", path, strerror(errno));
	free(path);
	return file;
}

static void close_in(const char *directory, const char *name, FILE *file)
{
	if (!output_end(file))
		die(STATUS_FAILED, "cannot write %s/%s.svg: %s", directory, name, strerror(errno));
}

void compare_svg(const struct comparison *c, const char *directory)
{
	static const struct { const char *name; void (*draw)(const struct comparison *, FILE *);
	} charts[] = {
		{ "instructions", instructions_chart },
		{ "exits", exits_chart },
		{ "tpr", tpr_chart },
		{ "tables", tables_chart },
		{ "flushes", flushes_chart },
	};
	struct crossing *x = allocate(sizeof *x);
	FILE *file;

	make_directory(directory);
	for (size_t i = 0; i < sizeof charts / sizeof *charts; i++) {
		if (charts[i].draw == tpr_chart && !compares_tpr(c))
			continue;
		file = open_in(directory, charts[i].name);
		charts[i].draw(c, file);
		close_in(directory, charts[i].name, file);
	}
	for (size_t k = 0; k < CROSSING_KINDS; k++) {
		if (!compare_crossing(c, &crossing_kinds[k], x))
			continue;
		file = open_in(directory, crossing_kinds[k].file);
		crossing_chart(x, file);
		close_in(directory, crossing_kinds[k].file, file);
	}
	free(x);
}
