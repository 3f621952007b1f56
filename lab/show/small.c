/* lab/show/small.c - why memory does not lie in large pages though they were asked for: notes under a table. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "lab/show/view.h"
#include "lib/base.h"

enum { NOTES_MOST = 6, LABELS_MOST = 4 };

static bool asks_for_large(const struct lab_record *r, const char *key)
{
	const char *pages = lab_view_setting(r, key);

	return pages && strcmp(pages, "4k") && strcmp(pages, "-");
}

/* The reasons that count for something, the greatest first: "27 % of stacks". */
static void say_reasons(const struct lab_record *r, double all, FILE *out)
{
	static const struct {
		const char *name, *help;
	} reasons[] = {
#define C(name, help) { #name, help },
		LAB_OS_SMALL(C)
#undef C
	};
	double last = INFINITY;

	for (unsigned shown = 0; shown < 3; shown++) {
		unsigned best = ARRAY_SIZE(reasons);
		double most = 0.01 * all;

		for (unsigned i = 0; i < ARRAY_SIZE(reasons); i++) {
			double n = lab_record_number(r, reasons[i].name);

			if (n > most && n < last) {
				most = n;
				best = i;
			}
		}
		if (best == ARRAY_SIZE(reasons))
			return;
		last = most;
		fprintf(out, "%s %.0f %% %s", shown ? "," : ":", 100 * most / all, reasons[best].help);
	}
}

/* In the guest; pages of 4K. true: something was said. */
static bool say_guest(const struct lab_record *r, FILE *out)
{
	double large = lab_record_number(r, "large_share"), small = lab_record_number(r, "os_held_4k");

	if (!asks_for_large(r, "guest.pages") || !(large < 90) || !(small > 0))
		return false;
	fprintf(out, "%.3g %% of the guest's memory lay in 4K at its peak", 100 - large);
	say_reasons(r, small / (1 - large / 100), out);
	return true;
}

/* Of nested paging's entries, which are as large as the backing. */
static bool say_host(const struct lab_record *r, bool also, FILE *out)
{
	const char *mmu = lab_record_setting(r, "hv.mmu"), *pieces = lab_record_setting(r, "hv.fragmentation");
	double n[3] = { lab_record_number(r, "mmu.mapped_4k"), lab_record_number(r, "mmu.mapped_2m"),
			lab_record_number(r, "mmu.mapped_1g") };

	if (!mmu || strcmp(mmu, "ept") || !pieces || !strcmp(pieces, "0") || !asks_for_large(r, "hv.pages") ||
	    isnan(n[0] + n[1] + n[2]) || n[0] + n[1] + n[2] == 0)
		return false;
	fprintf(out, "%sof the host's entries %.0f are of 4K, %.0f of 2M, %.0f of 1G (hv.fragmentation=%s)",
		also ? "; " : "", n[0], n[1], n[2], pieces);
	return true;
}

/* NULL: there is nothing to say. The caller frees. */
static char *note_of(const struct lab_record *r)
{
	char *text = NULL;
	size_t size;
	FILE *out = open_memstream(&text, &size);
	bool any;

	if (!out)
		abort();
	any = say_guest(r, out);
	any |= say_host(r, any, out);
	fclose(out);
	if (any)
		return text;
	free(text);
	return NULL;
}

/* Of which records the note is, from the first on: "ept, guest.pages=2m; shadow, guest.pages=2m". The caller frees. */
static char *labels_of(const struct lab_view *v, char *const *note, unsigned first)
{
	unsigned same = 0;
	char *text = NULL;
	size_t size;
	FILE *out = open_memstream(&text, &size);

	if (!out)
		abort();
	for (unsigned i = first; i < v->count; i++) {
		if (!note[i] || strcmp(note[i], note[first]) || same++ >= LABELS_MOST)
			continue;
		char *label = lab_view_label(v, i);

		fprintf(out, "%s%s", same > 1 ? "; " : "", label);
		free(label);
	}
	if (same > LABELS_MOST)
		fprintf(out, "; and %u other%s", same - LABELS_MOST, same - LABELS_MOST == 1 ? "" : "s");
	fclose(out);
	return text;
}

static bool was_said(char *const *note, unsigned at)
{
	for (unsigned i = 0; i < at; i++)
		if (note[i] && !strcmp(note[i], note[at]))
			return true;
	return false;
}

/* What is the same of several is said once. */
void lab_view_small(const struct lab_view *v, void (*line)(const char *text, FILE *out), FILE *out)
{
	char **note = calloc(v->count + 1, sizeof(*note)), *labels, *text;
	unsigned notes = 0;

	if (!note)
		abort();
	for (unsigned i = 0; i < v->count; i++)
		note[i] = note_of(v->record[i]);
	for (unsigned i = 0; i < v->count; i++) {
		if (!note[i] || was_said(note, i) || notes++ >= NOTES_MOST)
			continue;
		labels = labels_of(v, note, i);
		if (asprintf(&text, "%s: %s.", labels, note[i]) < 0)
			abort();
		line(text, out);
		free(text);
		free(labels);
	}
	if (notes > NOTES_MOST) {
		if (asprintf(&text, "(Small pages of %u more: --columns large_share,os_small_..., --csv.)",
			     notes - NOTES_MOST) < 0)
			abort();
		line(text, out);
		free(text);
	}
	for (unsigned i = 0; i < v->count; i++)
		free(note[i]);
	free(note);
}
