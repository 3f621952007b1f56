/* lab/machine/sample.h - what the program's own cache misses would take, where they have no price
 * (machine.data_cache=off): of a sample of the caches' sets, found by a second set of memory caches, through which the
 * data in them goes and the references of walks; both then compete there as with machine.data_cache=on. Nothing else of
 * the account depends on it.
 *
 * A page has 64 lines. A cache whose number of sets is a multiple of 64 keeps lines of different places in their pages
 * in different sets, whatever pages these are: so some of these places are some of the sets of all the caches, wholly,
 * and what is found there is what machine.data_cache=on finds there, access by access, from the beginning to the end.
 * The sample are 8 places, by which power of two divides the line's number, as programs lay out what they have at
 * distances that are such powers: the first line of a page and the middle one, each for itself; one of the two that 16
 * divides, one of the four that 8 does and no more, one of eight, one of sixteen, and two of the 32 odd ones. With
 * other caches all lines are in it.
 *
 * How far it may be off follows from how much these differ (lab/machine/estimate.h). Two runs of one stream have the
 * same places in the sample, so of their difference it follows from how much the differences differ, which is far less.
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
