/* lab/machine/estimate.c - see lab/machine/estimate.h. */
#include "lab/machine/estimate.h"

#include <math.h>
#include <stdbool.h>
#include <stddef.h>

enum { EXIT, HYPERVISOR, MEMORY, CACHES, KERNEL, WAKEUPS, SAMPLE, PROGRAM, OVERLAP, PARAMETERS };

/* The parameters that are varied, and how far: factors of a price. The ranges are those of the sources in docs/lab.md,
 * or, where there is none, what such quantities are found to be. */
static const struct {
	double low, high;
} uncertain[PARAMETERS] = {
	[EXIT] = { 0.7, 1.4 },        /* machine.exit_cycles */
	[HYPERVISOR] = { 0.7, 1.5 },  /* hv.cpi */
	[MEMORY] = { 0.75, 1.25 },    /* machine.dram_cycles */
	[CACHES] = { 0.8, 1.25 },     /* machine.l1_cycles to l3_cycles, l2_hit, psc_hit */
	[KERNEL] = { 0.7, 1.5 },      /* guest.path_* */
	[WAKEUPS] = { 0.5, 2 },       /* machine.ipi_cycles, wake_cycles */
	[SAMPLE] = { 1, 1 },          /* what a sample of the data's misses says, but for its own error */
	[PROGRAM] = { 0.6, 2 },       /* machine.cpi */
	[OVERLAP] = { 0, 1 },         /* dependence: its own range */
};

/* The time with these factors; dependence: as it is. */
static double time_with(const struct lab_parts *p, const double factor[PARAMETERS], double dependence)
{
	double walks = (p->walks - p->walks_dram) * factor[CACHES] + p->walks_dram * factor[MEMORY] +
		       p->unpriced_walks * factor[SAMPLE] * factor[MEMORY];
	double each, hidden, window, overlap = 1, seen = 0;
	double data = (p->data - p->data_dram) * factor[CACHES] + p->data_dram * factor[MEMORY] +
		      p->unpriced_data * factor[SAMPLE] * factor[MEMORY];
	double others = p->program * factor[PROGRAM] + p->kernel * factor[KERNEL] + data +
			p->exits * factor[EXIT] + p->hypervisor * factor[HYPERVISOR] + p->flushes +
			p->wakeups * factor[WAKEUPS] +
			p->l2_tlb * factor[CACHES] * dependence;

	if (p->walk_count > 0) {
		each = walks / p->walk_count;
		window = p->window * p->cpi * factor[PROGRAM];
		hidden = (1 - dependence) * fmin(each, window);
		if (p->instructions > 0)
			overlap = fmin(p->walkers, fmax(1, p->walk_count / p->instructions * p->window));
		overlap = 1 + (overlap - 1) * (1 - dependence);
		seen = p->walk_count * (each - hidden) / overlap;
	}
	return fmax(others + seen, walks / fmax(1, p->walkers));
}

/* The variance of three values of which each stands for so many. */
static double variance(const double part[3], const double weight[3])
{
	double mean = 0, square = 0;

	for (unsigned i = 0; i < 3; i++)
		mean += part[i] / weight[i] / 3;
	for (unsigned i = 0; i < 3; i++)
		square += (part[i] / weight[i] - mean) * (part[i] / weight[i] - mean) / 2;
	return square;
}

double lab_sample_error(const double part[LAB_SAMPLE_PARTS])
{
	/* What parts stand for, from the third on. The first two stand for themselves, and are not in doubt. */
	static const double weight[LAB_SAMPLE_PARTS] = { 1, 1, 2, 4, 8, 16, 16, 16 };
	/* Student's t at 95 % of two sides, of two degrees of freedom. */
	const double student = 4.3;
	/* Of n that are drawn of N, and their sum times N / n: N^2 / n (1 - n / N). */
	const double few = 2 * 2 - 2 + 4 * 4 - 4 + 8 * 8 - 8, many = 16 * 16 - 16 + 32 * 32 / 2 - 32;

	return student * sqrt(few * variance(part + 2, weight + 2) + many * variance(part + 5, weight + 5));
}

enum measure { RATIO, DIFFERENCE };

/* How far a parameter is varied in a run: a sample also by its own error. */
static double end_of(const struct lab_parts *p, unsigned parameter, bool upper)
{
	double error, end = upper ? uncertain[parameter].high : uncertain[parameter].low;

	if (parameter != SAMPLE || !(p->unpriced_data > 0))
		return end;
	error = lab_sample_error(p->sample) / p->unpriced_data;
	return upper ? 1 + error : fmax(0, 1 - error);
}

/* The time with this parameter at an end of its range; PARAMETERS: with all as they are. */
static double time_at(const struct lab_parts *p, unsigned parameter, bool upper)
{
	double factor[PARAMETERS] = { 1, 1, 1, 1, 1, 1, 1, 1, 1 };

	if (parameter == OVERLAP)
		return time_with(p, factor, upper ? p->dependence_high : p->dependence_low);
	if (parameter < PARAMETERS)
		factor[parameter] = end_of(p, parameter, upper);
	return time_with(p, factor, p->dependence);
}

/* log of the time of b over that of a, or of b alone; or the one less the other. */
static double measure(enum measure what, const struct lab_parts *a, const struct lab_parts *b, unsigned parameter,
		      bool upper)
{
	double tb = time_at(b, parameter, upper), ta = a ? time_at(a, parameter, upper) : 1;

	return what == DIFFERENCE ? tb - ta : log(fmax(1, tb)) - log(fmax(1, ta));
}

/* A measure, and the squares of its errors, added. */
struct spread {
	double best, down, up;
};

/* What comes of a parameter at either end of its range. */
static void add_error(struct spread *s, double one, double other)
{
	double low = fmin(0, fmin(one, other) - s->best), high = fmax(0, fmax(one, other) - s->best);

	s->down += low * low;
	s->up += high * high;
}

/* The estimate of one run is for the machine.cpi that was given; where two are compared it is varied too. */
static struct spread vary(enum measure what, const struct lab_parts *a, const struct lab_parts *b)
{
	struct spread s = { .best = measure(what, a, b, PARAMETERS, false) };

	for (unsigned i = 0; i < PARAMETERS; i++)
		if (i != PROGRAM || a)
			add_error(&s, measure(what, a, b, i, false), measure(what, a, b, i, true));
	return s;
}

static struct lab_estimate estimate_of(enum measure what, const struct spread *s)
{
	double low = s->best - sqrt(s->down), high = s->best + sqrt(s->up);

	if (what == DIFFERENCE)
		return (struct lab_estimate){ s->best, low, high };
	return (struct lab_estimate){ exp(s->best), exp(low), exp(high) };
}

static struct lab_estimate estimate(enum measure what, const struct lab_parts *a, const struct lab_parts *b)
{
	struct spread s = vary(what, a, b);

	return estimate_of(what, &s);
}

/* To each what its own sample says. How far off that is, is of both; what is more in one of them, by the differences of
 * the parts. */
static struct lab_estimate estimate_with_data(enum measure what, const struct lab_parts *a, const struct lab_parts *b)
{
	struct spread s = vary(what, a, b);
	struct lab_parts less = *b, more = *b;
	double difference[LAB_SAMPLE_PARTS], error;

	for (unsigned i = 0; i < LAB_SAMPLE_PARTS; i++)
		difference[i] = b->sample[i] - a->sample[i];
	error = lab_sample_error(difference);
	less.unpriced_data = fmax(0, less.unpriced_data - error);
	more.unpriced_data += error;
	add_error(&s, measure(what, a, &less, PARAMETERS, false), measure(what, a, &more, PARAMETERS, false));
	return estimate_of(what, &s);
}

static struct lab_parts without_data(const struct lab_parts *p)
{
	struct lab_parts without = *p;

	without.unpriced_data = without.unpriced_walks = 0;
	return without;
}

static bool has_unpriced(const struct lab_parts *p)
{
	return p->unpriced_data > 0 || p->unpriced_walks > 0;
}

struct lab_estimate lab_estimate_priced(const struct lab_parts *p)
{
	return estimate(RATIO, NULL, p);
}

struct lab_estimate lab_estimate(const struct lab_parts *p)
{
	struct lab_parts without = without_data(p);
	struct lab_estimate e = estimate(RATIO, NULL, &without);

	if (has_unpriced(p))
		e.high = fmax(e.high, estimate(RATIO, NULL, p).high);
	return e;
}

static void widen(struct lab_estimate *e, struct lab_estimate by)
{
	e->low = fmin(e->low, by.low);
	e->high = fmax(e->high, by.high);
}

static struct lab_estimate compare(enum measure what, const struct lab_parts *a, const struct lab_parts *b)
{
	struct lab_parts without_a = without_data(a), without_b = without_data(b);
	struct lab_estimate e = estimate(what, &without_a, &without_b);

	if (has_unpriced(a) || has_unpriced(b))
		widen(&e, estimate_with_data(what, a, b));
	return e;
}

struct lab_estimate lab_estimate_ratio(const struct lab_parts *a, const struct lab_parts *b)
{
	return compare(RATIO, a, b);
}

struct lab_estimate lab_estimate_difference(const struct lab_parts *a, const struct lab_parts *b)
{
	return compare(DIFFERENCE, a, b);
}
