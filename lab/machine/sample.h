/* lab/machine/sample.h - an estimate of what the program's own cache misses would take, where they have no price
 * (machine.data_cache=off). A second set of memory caches takes a sample of the lines: data, and the references of
 * walks, which compete there as with machine.data_cache=on. Nothing else of the account depends on it.
 *
 * A page has 64 lines. A cache whose number of sets is a multiple of 64 keeps lines of different places in their pages
 * in different sets. So a few of these places are a few sets of each cache, with all that comes there: what is found in
 * them is what machine.data_cache=on finds, access by access. With other caches all lines are in the sample.
 *
 * The sample has 8 places. Programs lay out what they have at distances that are powers of two, so they are chosen by
 * the power of two that divides the line's number: the first line of a page and the middle one, each for itself; one of
 * the two that 16 divides, one of the four that 8 does and no more, one of eight, one of sixteen, and two of the 32 odd
 * ones.
 *
 * The error follows from how much the places differ (lab/machine/estimate.h). Two runs of one stream have the same
 * places in the sample: the error of their difference follows from how much the differences differ, which is far less.
 *
 * SM1: a line that is in the sample competes with all that are in its sets, and with no others.
 * SM2: weights add up to the lines of a page. */
#ifndef VELLUM_LAB_SAMPLE_H
#define VELLUM_LAB_SAMPLE_H

#include "lab/lab.h"
#include "lib/base.h"

enum { LAB_PAGE_LINES = 64, LAB_LINE_SHIFT = 6 };

struct lab_sample {
	uint64_t lines; /* a bit for each line of a page that is in it; 0: there is no sample */
};

/* What the second caches answered, by the line's place in its page, not weighted. walks_alone: what the first ones
 * answered of the same references. */
struct lab_sampled {
	uint64_t data[LAB_PAGE_LINES][LAB_PLACES], walks[LAB_PAGE_LINES][LAB_PLACES],
		walks_alone[LAB_PAGE_LINES][LAB_PLACES];
};

static inline unsigned lab_line_of(uint64_t address) { return address >> LAB_LINE_SHIFT & (LAB_PAGE_LINES - 1); }

/* address: of any kind, as pages of all kinds begin at lines of number 0. */
static inline bool lab_in_sample(uint64_t lines, uint64_t address)
{
	return lines >> lab_line_of(address) & 1;
}

/* The sample for such a machine. */
struct lab_sample lab_sample_of(const struct lab_machine_config *machine);
/* How many lines one in the sample stands for. */
unsigned lab_sample_weight(struct lab_sample sample, unsigned line);
/* Of which of the LAB_SAMPLE_PARTS parts of a sample (lab/machine/estimate.h) a line in it is. */
unsigned lab_sample_part(struct lab_sample sample, unsigned line);

#endif
