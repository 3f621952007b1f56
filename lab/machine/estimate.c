/* lab/machine/estimate.c - see lab/machine/estimate.h. */
#include "lab/machine/estimate.h"

#include <math.h>
#include <stdbool.h>
#include <stddef.h>

enum { EXIT, HYPERVISOR, MEMORY, CACHES, KERNEL, WAKEUPS, SAMPLE, PROGRAM, OVERLAP, PARAMETERS };

/* The ranges are those of the sources in docs/lab.md, or, where there is none, what such quantities are found to be. */
const struct lab_uncertain lab_uncertain[] = {
	[EXIT] = { "machine.exit_cycles", 0.7, 1.4 },
	[HYPERVISOR] = { "hv.cpi", 0.7, 1.5 },
	[MEMORY] = { "machine.dram_cycles", 0.75, 1.25 },
	[CACHES] = { "machine.l1_cycles to l3_cycles, l2_hit, psc_hit", 0.8, 1.25 },
	[KERNEL] = { "guest.path_*", 0.7, 1.5 },
	[WAKEUPS] = { "machine.ipi_cycles, wake_cycles", 0.5, 2 },
	[SAMPLE] = { "what a sample of the data's misses says", 0.8, 1 }, /* and by its own error */
	[PROGRAM] = { "machine.cpi", 0.6, 2 },
	[OVERLAP] = { "dependence", 0, 1 },
	[PARAMETERS] = { NULL, 0, 0 },
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

static double dependence_at(const struct lab_parts *p, int overlap)
{
	return overlap < 0 ? p->dependence_low : overlap ? p->dependence_high : p->dependence;
}

enum measure { RATIO, DIFFERENCE };

/* log of the time of b over that of a, or of b alone; or the one less the other. */
static double measure(enum measure what, const struct lab_parts *a, const struct lab_parts *b,
		      const double factor[PARAMETERS], int overlap)
{
	double tb = time_with(b, factor, dependence_at(b, overlap)), ta = 1;

	if (a)
		ta = time_with(a, factor, dependence_at(a, overlap));
	return what == DIFFERENCE ? tb - ta : log(fmax(1, tb)) - log(fmax(1, ta));
}

/* How far a parameter is varied. Of two runs' samples, that of the worse one. */
static double end_of(const struct lab_parts *a, const struct lab_parts *b, unsigned parameter, bool upper)
{
	double end = upper ? lab_uncertain[parameter].high : lab_uncertain[parameter].low, error = b->sample_error;

	if (parameter != SAMPLE)
		return end;
	if (a)
		error = fmax(error, a->sample_error);
	return upper ? fmax(end, 1 + error) : fmin(end, fmax(0, 1 - error));
}

/* The estimate of one run is for the machine.cpi that was given; where two are compared it is varied too. */
static struct lab_estimate estimate(enum measure what, const struct lab_parts *a, const struct lab_parts *b)
{
	double factor[PARAMETERS] = { 1, 1, 1, 1, 1, 1, 1, 1, 1 }, best = measure(what, a, b, factor, 0);
	double down = 0, up = 0;

	for (unsigned i = 0; i < PARAMETERS; i++) {
		double end[2], low, high;

		if (i == PROGRAM && !a)
			continue;
		for (unsigned side = 0; side < 2; side++) {
			if (i != OVERLAP)
				factor[i] = end_of(a, b, i, side);
			end[side] = measure(what, a, b, factor, i != OVERLAP ? 0 : side ? 1 : -1) - best;
			factor[i] = 1;
		}
		low = fmin(0, fmin(end[0], end[1]));
		high = fmax(0, fmax(end[0], end[1]));
		down += low * low;
		up += high * high;
	}
	if (what == DIFFERENCE)
		return (struct lab_estimate){ best, best - sqrt(down), best + sqrt(up) };
	return (struct lab_estimate){ exp(best), exp(best - sqrt(down)), exp(best + sqrt(up)) };
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

/* Without data that has no price in both, and with it in both. */
static struct lab_estimate compare(enum measure what, const struct lab_parts *a, const struct lab_parts *b)
{
	struct lab_parts all_a = *a, all_b = *b, without_a = without_data(a), without_b = without_data(b);
	struct lab_estimate e = estimate(what, &without_a, &without_b), with;

	all_a.unpriced_data = all_b.unpriced_data = fmax(a->unpriced_data, b->unpriced_data);
	if (!has_unpriced(a) && !has_unpriced(b))
		return e;
	with = estimate(what, &all_a, &all_b);
	e.low = fmin(e.low, with.low);
	e.high = fmax(e.high, with.high);
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
