/* lab/show/verdict.c - which of the results is the fastest, and whether that is known. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "lab/show/units.h"
#include "lab/show/view.h"
#include "lab/machine/estimate.h"

static double setting(const struct lab_record *r, const char *key)
{
	const char *text = lab_record_setting(r, key);

	return text ? atof(text) : NAN;
}

/* false: the record has not what an estimate takes (it is of an older build). */
static bool parts_of(const struct lab_record *r, struct lab_parts *p)
{
	uint64_t window = 0, walkers = 0;
	double sampled = 0;
	char name[24];

	if (!lab_record_setting(r, "machine.window") || !lab_record_setting(r, "machine.walkers") ||
	    !lab_parse_count(lab_record_setting(r, "machine.window"), &window) ||
	    !lab_parse_count(lab_record_setting(r, "machine.walkers"), &walkers))
		return false;
	*p = (struct lab_parts){
		.program = lab_record_number(r, "cycles.base"), .kernel = lab_record_number(r, "cycles.kernel"),
		.data = lab_record_number(r, "cycles.data"),
		.data_dram = lab_record_number(r, "data.dram") * setting(r, "machine.dram_cycles"),
		.l2_tlb = lab_record_number(r, "cycles.l2_tlb"),
		.exits = lab_record_number(r, "cycles.exits"),
		.hypervisor = lab_record_number(r, "cycles.hypervisor") + lab_record_number(r, "cycles.populate"),
		.flushes = lab_record_number(r, "cycles.flushes") - lab_record_number(r, "cycles.beside"),
		.wakeups = lab_record_number(r, "cycles.wakeups"),
		.walks = lab_record_number(r, "cycles.walks"),
		.walks_dram = lab_record_number(r, "cycles.walks_dram"), .walk_count = lab_record_number(r, "walks"),
		.instructions = lab_record_number(r, "instructions"), .cpi = setting(r, "machine.cpi"),
		.walkers = (double)walkers, .window = (double)window, .dependence = lab_record_number(r, "dependence"),
		.dependence_low = lab_record_number(r, "dependence.low"),
		.dependence_high = lab_record_number(r, "dependence.high"),
		.unpriced_data = lab_record_number(r, "cycles.unpriced_data"),
		.unpriced_walks = lab_record_number(r, "cycles.unpriced_walks"),
	};
	for (unsigned i = 0; i < LAB_SAMPLE_PARTS; i++) {
		snprintf(name, sizeof(name), "sample.part%u", i);
		p->sample[i] = lab_record_number(r, name);
		sampled += p->sample[i];
	}
	return !isnan(p->program + p->kernel + p->data + p->l2_tlb + p->exits + p->hypervisor + p->flushes +
		      p->wakeups + p->walks + p->walks_dram + p->data_dram + p->walk_count + p->instructions + p->cpi +
		      p->dependence + p->dependence_low + p->dependence_high + p->unpriced_data +
		      p->unpriced_walks + sampled);
}

/* ---- what is assumed, and what can be chosen ---- */

/* Settings of the model, not of what it models: prices and rates that are recalled or assumed, and what is priced at
 * all. Of two values at most one is true, and none is faster than the other. */
static bool is_assumption(const char *key)
{
	static const char *const keys[] = {
		"dependence", "machine.data_cache", "machine.data_sample", "machine.cpi", "machine.l2_hit",
		"machine.psc_hit", "machine.ntlb_hit", "hv.cpi", "hv.exit_period", "hv.tick_exits", "guest.cpuids",
		"guest.khugepaged_period",
	};
	size_t n = strlen(key);

	for (unsigned i = 0; i < sizeof(keys) / sizeof(keys[0]); i++)
		if (!strcmp(keys[i], key))
			return true;
	return !strncmp(key, "hv.path_", 8) || !strncmp(key, "guest.path_", 11) ||
	       (!strncmp(key, "machine.", 8) && n > 7 && !strcmp(key + n - 7, "_cycles"));
}

/* Do the records agree in what is assumed (or, if !assumed, in all that can be chosen)? Natively nothing of hv.* is
 * anything. */
static bool agree(const struct lab_view *v, unsigned a, unsigned b, bool assumed)
{
	for (unsigned i = 0; i < v->varies; i++) {
		const char *x = lab_view_setting(v->record[a], v->varied[i]);
		const char *y = lab_view_setting(v->record[b], v->varied[i]);
		bool any = x && y && assumed && (!strcmp(x, "-") || !strcmp(y, "-"));

		if (is_assumption(v->varied[i]) == assumed && !any && (!x || !y || strcmp(x, y)))
			return false;
	}
	return true;
}

/* The view, with those of the settings that vary that are assumed, or the others. The caller frees what varied is. */
static struct lab_view part_of(const struct lab_view *v, bool assumed)
{
	struct lab_view part = *v;

	part.varied = calloc(v->varies + 1, sizeof(*part.varied));
	if (!part.varied)
		abort();
	part.varies = 0;
	for (unsigned i = 0; i < v->varies; i++)
		if (is_assumption(v->varied[i]) == assumed)
			part.varied[part.varies++] = v->varied[i];
	return part;
}

static bool is_native(const struct lab_record *r)
{
	const char *mmu = lab_record_setting(r, "hv.mmu");

	return mmu && !strcmp(mmu, "native");
}

/* ---- which is faster ---- */

/* Only runs of the same program on the same machine are compared. How many cycles a program's instructions take on
 * another machine is not known. */
static bool comparable(const struct lab_record *a, const struct lab_record *b)
{
	static const char *const same[] = { "workload", "seed", "limit", "warmup", "hv.vms", "machine.preset" };

	for (unsigned i = 0; i < sizeof(same) / sizeof(same[0]); i++) {
		const char *x = lab_record_setting(a, same[i]), *y = lab_record_setting(b, same[i]);

		if (!x || !y || strcmp(x, y))
			return false;
	}
	return true;
}

struct rival {
	unsigned record;
	struct lab_estimate ratio; /* its time over the fastest's */
	struct lab_estimate more;  /* and less it, seconds; NAN: clocks differ */
	bool by_data;              /* which of the two is faster is known but for how long data is waited for */
};

static struct lab_estimate times(struct lab_estimate e, double factor)
{
	return (struct lab_estimate){ e.best * factor, e.low * factor, e.high * factor };
}

/* Nearer than this they are as fast. */
#define SAME 0.001

enum standing { AS_FAST, PERHAPS, SLOWER }; /* SLOWER: or, at that end of its range, as fast */

static enum standing standing_of(struct lab_estimate ratio)
{
	return ratio.low <= 1 - SAME ? PERHAPS : ratio.high < 1 + SAME ? AS_FAST : SLOWER;
}

static enum standing standing(const struct rival *r)
{
	return standing_of(r->ratio);
}

/* Seconds, not cycles, where clocks differ. */
static struct rival compare(const struct lab_record *a, const struct lab_record *b)
{
	const struct lab_estimate none = { NAN, NAN, NAN };
	struct rival r = { .ratio = none, .more = none };
	double ghz = setting(a, "machine.ghz"), clock = ghz / setting(b, "machine.ghz");
	struct lab_parts pa, pb;

	if (!parts_of(a, &pa) || !parts_of(b, &pb))
		return r;
	r.ratio = times(lab_estimate_ratio(&pa, &pb), clock);
	if (clock == 1)
		r.more = times(lab_estimate_difference(&pa, &pb), 1e-9 / ghz);
	pa.unpriced_data = pa.unpriced_walks = pb.unpriced_data = pb.unpriced_walks = 0;
	r.by_data = standing(&r) == PERHAPS && standing_of(times(lab_estimate_ratio(&pa, &pb), clock)) != PERHAPS;
	return r;
}

/* "+0.25", "+3.1", "+310". */
static const char *two_digits(double number, char text[16])
{
	snprintf(text, 16, fabs(number) < 9.95 ? "%+.2g" : "%+.0f", number);
	return text;
}

static const char *percent(double ratio, char text[16]) { return two_digits(100 * (ratio - 1), text); }

/* A difference of times. */
static void say_more(struct lab_estimate more, FILE *out)
{
	const struct lab_unit *unit = lab_time_unit(fmax(fabs(more.low), fabs(more.high)));
	const double number[] = { more.best, more.low, more.high };
	char text[3][16];

	for (unsigned i = 0; i < 3; i++)
		two_digits(number[i] * unit->each, text[i]);
	fprintf(out, ", %s %s (%s to %s)", text[0], unit->symbol, text[1], text[2]);
}

static void say_rival(const struct lab_view *v, const char *before, const struct rival *r, FILE *out)
{
	char *label = lab_view_label(v, r->record), best[16], low[16], high[16];

	fprintf(out, "%s\n  %s takes %s %% (%s to %s %%)", before, label, percent(r->ratio.best, best),
		percent(r->ratio.low, low), percent(r->ratio.high, high));
	if (!isnan(r->more.best))
		say_more(r->more, out);
	free(label);
}

static bool same_mmu(const struct lab_view *v, unsigned a, unsigned b)
{
	const char *x = lab_record_setting(v->record[a], "hv.mmu"), *y = lab_record_setting(v->record[b], "hv.mmu");

	return x && y && !strcmp(x, y);
}

/* Of each mechanism of which nothing has been said, the one that takes least. */
static void say_mechanisms(const struct lab_view *v, unsigned best, unsigned next, const struct rival *rival,
			   unsigned rivals, FILE *out)
{
	for (unsigned i = 0; i < rivals; i++) {
		const struct rival *r = &rival[i];
		bool said = standing(r) != SLOWER || same_mmu(v, best, r->record) || same_mmu(v, next, r->record);

		for (unsigned k = 0; k < rivals; k++)
			said |= same_mmu(v, rival[k].record, r->record) &&
				(standing(&rival[k]) == PERHAPS || rival[k].ratio.best < r->ratio.best ||
				 (rival[k].ratio.best == r->ratio.best && k < i));
		if (!said)
			say_rival(v, ";", r, out);
	}
}

/* Those that may be as fast, and the nearest of those known to be slower. among: of which they are all, or "". */
static void print_verdict(const struct lab_view *v, const char *among, unsigned best, const struct rival *rival,
			  unsigned rivals, FILE *out)
{
	const struct rival *next = NULL;
	char *label = lab_view_label(v, best);
	unsigned count[3] = { 0, 0, 0 };
	bool by_data = false;

	for (unsigned i = 0; i < rivals; i++) {
		count[standing(&rival[i])]++;
		by_data |= rival[i].by_data;
		if (standing(&rival[i]) == SLOWER && (!next || rival[i].ratio.best < next->ratio.best))
			next = &rival[i];
	}
	if (count[PERHAPS])
		fprintf(out, "Verdict: %swhich is the fastest is not known. By the estimate %s is", among, label);
	else
		fprintf(out, "Verdict: %sthe fastest is %s", among, label);
	free(label);
	if (count[AS_FAST])
		fprintf(out, ",\n  with %u that take%s as long within %g %%", count[AS_FAST],
			count[AS_FAST] == 1 ? "s" : "", 100 * SAME);
	for (unsigned i = 0, shown = 0; i < rivals && shown < 3; i++)
		if (standing(&rival[i]) == PERHAPS)
			say_rival(v, shown++ ? "," : "; but", &rival[i], out);
	if (count[PERHAPS] > 3)
		fprintf(out, ",\n  and %u other%s", count[PERHAPS] - 3, count[PERHAPS] == 4 ? "" : "s");
	if (by_data)
		fprintf(out, ";\n  that hangs on how long the program waits for its data, of which one has more to "
			     "wait for: machine.data_cache=on tells");
	if (next && count[PERHAPS] && count[SLOWER] > 1)
		fprintf(out, "; %u are known to be slower, the nearest:", count[SLOWER]);
	else if (next)
		fputs(count[PERHAPS] ? "; known to be slower:" : "; the next,", out);
	if (next)
		say_rival(v, "", next, out);
	if (next)
		say_mechanisms(v, best, next->record, rival, rivals, out);
	fprintf(out, ".\n");
}

/* Of these records, which is the fastest? Returns its number. */
static unsigned rank(const struct lab_view *v, const char *among, const unsigned *member, unsigned members, FILE *out)
{
	struct rival *rival = calloc(members + 1, sizeof(*rival));
	unsigned best = member[0], rivals = 0;

	if (!rival)
		abort();
	for (unsigned i = 1; i < members; i++)
		if (lab_record_number(v->record[member[i]], "seconds.estimate") <
		    lab_record_number(v->record[best], "seconds.estimate"))
			best = member[i];
	for (unsigned i = 0; i < members; i++) {
		struct rival r = compare(v->record[best], v->record[member[i]]);

		r.record = member[i];
		/* Not itself, nor what is of an older build. */
		if (r.record != best && !isnan(r.ratio.best))
			rival[rivals++] = r;
	}
	if (rivals)
		print_verdict(v, among, best, rival, rivals, out);
	free(rival);
	return best;
}

/* Where a native run is the fastest, the hypervisor's are compared with each other, too. */
static void judge(const struct lab_view *v, unsigned first, bool *done, FILE *out)
{
	unsigned *member = calloc(v->count + 1, sizeof(*member)), members = 0, virtual = 0;

	if (!member)
		abort();
	for (unsigned i = 0; i < v->count; i++) {
		/* A native run stands beside those of each assumption about the hypervisor. */
		if ((done[i] && !is_native(v->record[i])) || !comparable(v->record[first], v->record[i]) ||
		    !agree(v, first, i, true))
			continue;
		done[i] = true;
		member[members++] = i;
	}
	if (members > 1 && is_native(v->record[rank(v, "", member, members, out)])) {
		for (unsigned i = 0; i < members; i++)
			if (!is_native(v->record[member[i]]))
				member[virtual++] = member[i];
		if (virtual > 1)
			rank(v, "under a hypervisor ", member, virtual, out);
	}
	free(member);
}

/* Over what is assumed, a run has a range and no winner. Prints the range of those that are like the first. */
static void say_range(const struct lab_view *v, const struct lab_view *chosen, unsigned first, bool *done, FILE *out)
{
	double least = INFINITY, most = 0, low = INFINITY, high = 0;
	const struct lab_unit *unit;
	unsigned members = 0;
	char *label;

	for (unsigned i = first; i < v->count; i++) {
		if (done[i] || !agree(v, first, i, false))
			continue;
		done[i] = true;
		members++;
		least = fmin(least, lab_record_number(v->record[i], "seconds.estimate"));
		most = fmax(most, lab_record_number(v->record[i], "seconds.estimate"));
		low = fmin(low, lab_record_number(v->record[i], "seconds.low"));
		high = fmax(high, lab_record_number(v->record[i], "seconds.high"));
	}
	if (members < 2)
		return;
	label = lab_view_label(chosen, first);
	unit = lab_time_unit(high);
	fprintf(out, "  %s: %.4g to %.4g %s by the estimate, %.4g to %.4g %s with the errors\n", label,
		least * unit->each, most * unit->each, unit->symbol, low * unit->each, high * unit->each, unit->symbol);
	free(label);
}

static void say_assumptions(const struct lab_view *v, FILE *out)
{
	struct lab_view assumed = part_of(v, true), chosen = part_of(v, false);
	bool *done = calloc(v->count + 1, sizeof(*done));

	if (!done)
		abort();
	if (assumed.varies) {
		fprintf(out, "No verdict over ");
		for (unsigned i = 0; i < assumed.varies; i++)
			fprintf(out, "%s%s", i ? ", " : "", assumed.varied[i]);
		fprintf(out, ": %s, not a choice; none of %s values is the faster one. What the time is over them:\n",
			assumed.varies == 1 ? "this is an assumption of the model"
					    : "these are assumptions of the model",
			assumed.varies == 1 ? "its" : "their");
		for (unsigned i = 0; i < v->count; i++)
			if (!done[i])
				say_range(v, &chosen, i, done, out);
	}
	free(done);
	free(assumed.varied);
	free(chosen.varied);
}

/* Each of the comparisons once. Native runs begin none before the others have taken them in. */
static void judge_all(const struct lab_view *v, FILE *out)
{
	bool *done = calloc(v->count + 1, sizeof(*done));

	if (!done)
		abort();
	for (unsigned native = 0; native < 2; native++)
		for (unsigned i = 0; i < v->count; i++)
			if (!done[i] && is_native(v->record[i]) == (native == 1))
				judge(v, i, done, out);
	free(done);
}

void lab_view_verdict(const struct lab_view *v, FILE *page)
{
	char *text = NULL, *line, *rest;
	size_t size;
	FILE *out = open_memstream(&text, &size);

	if (!out)
		abort();
	judge_all(v, out);
	lab_view_unpriced(v, ftell(out) > 0, out);
	say_assumptions(v, out);
	fclose(out);
	for (line = text; (rest = strchr(line, '\n')); line = rest + 1) {
		*rest = '\0';
		lab_wrapped(line, page);
	}
	free(text);
}
