/* lab/machine/sample.h - what the program's own cache misses would take, where they have no price
 * (machine.data_cache=off): of a sample of its stream, in stretches of whole batches, data goes through a second set of
 * memory caches, together with the references of walks; both then compete there as with machine.data_cache=on. Nothing
 * else of the account depends on it.
 *
 * The first 64 batches of what is measured are all in the sample, then stretches: one in each period, at a place that
 * is drawn. Periods are of 32 batches, and of 64 from the 256th on: so no part of a run that is as long as two periods
 * is without. A stretch is a sixteenth of its period. Its first half only makes the caches warm; longer ones that are
 * rarer make them warmer, and miss what programs do in turns. Between stretches they keep what they have, until as
 * many lines would have come in meanwhile as they hold, by the rate of the stretch before: then they are emptied. So a
 * line that was used last outside of the sample is taken for missed: of programs whose data mostly fits the caches, the
 * sample says too much rather than too little.
 *
 * How far it may be off follows from how much stretches differ: for the variance of any weighted sum of what the places
 * answered, the sums of the products of each two of them are enough.
 *
 * SM1: each count is weighted by the batches that it stands for, and an integer (Y3).
 * SM2: no line is taken for present that twice as many others have come in after as the cache holds. */
#ifndef VELLUM_LAB_SAMPLE_H
#define VELLUM_LAB_SAMPLE_H

#include "lab/lab.h"
#include "lib/base.h"

struct lab_sample {
	bool on;          /* the current batch is in the sample */
	bool counts;      /* and not only to make the caches warm */
	uint64_t weight;  /* of what is counted; 0: the caches get warm */
	uint64_t batches; /* begun since the measurement did */
	uint64_t last;    /* of these, in the latest stretch; */
	uint64_t end;     /* where it ended; */
	uint64_t answered[LAB_PLACES];    /* and what answered in it, not weighted */
	uint64_t before[LAB_PLACES];      /* lab_sampled.data when the latest stretch began to count */
	uint64_t missed[LAB_PLACES - 1];  /* lines that came into each cache between stretches, since it was emptied */
};

/* What the second caches answered, weighted. walks_alone: what the first ones answered of the same references. */
struct lab_sampled {
	uint64_t data[LAB_PLACES], walks[LAB_PLACES], walks_alone[LAB_PLACES];
	bool whole;         /* all batches were in it */
	uint64_t stretches; /* that stand for others; and sums over them of the products of what data came to in each */
	uint64_t products[LAB_PLACES][LAB_PLACES];
};

static inline void lab_sampled(struct lab_sample *s, uint64_t counts[LAB_PLACES], unsigned place)
{
	s->answered[place]++;
	counts[place] += s->weight;
}

#endif
