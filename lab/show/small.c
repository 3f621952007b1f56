/* lab/show/small.c - why memory does not lie in large pages though they were asked for: notes under a table. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "lab/show/view.h"
#include "lib/base.h"

enum { NOTES_MOST = 6 };

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
	fprintf(out, "%.3g %% of the guest's memory lies in 4K", 100 - large);
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

void lab_view_small(const struct lab_view *v, void (*line)(const char *text, FILE *out), FILE *out)
{
	unsigned notes = 0;

	for (unsigned i = 0; i < v->count; i++) {
		char *note = note_of(v->record[i]), *label, *text;

		if (note && notes++ < NOTES_MOST) {
			label = lab_view_label(v, i);
			if (asprintf(&text, "%s: %s.", label, note) < 0)
				abort();
			line(text, out);
			free(text);
			free(label);
		}
		free(note);
	}
	if (notes > NOTES_MOST) {
		char text[128];

		snprintf(text, sizeof(text), "(Small pages of %u more: --columns large_share,os_small_..., --csv.)",
			 notes - NOTES_MOST);
		line(text, out);
	}
}
