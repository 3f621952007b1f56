/* lab/machine/estimate.h - how long a run takes, as one number with an error, and which of two is faster.
 *
 * What is exact are counts; prices and overlap are not. The model of overlap: a walk of w cycles is hidden behind other
 * work as far as the window of instructions reaches (window instructions at machine.cpi), but for the part d of walks
 * that what follows waits for (a pointer that was loaded). Walks that wait for nothing are made by several walkers at a
 * time, as many as the window has of them. So of each walk (w - (1 - d) min(w, window)) / m cycles are seen, with m
 * from 1 to machine.walkers; and however well they are hidden, the walkers must make them all. A hit in the L2 TLB is
 * hidden as far as nothing waits for it.
 *
 * The error: each parameter that is recalled or assumed is varied by itself over its range, and the deviations are
 * added as those of independent quantities. What a sample says (lab/machine/sample.h) has an error of its own, by how
 * much its parts differ. Two runs on one machine are compared under the same parameters, so that what they share
 * cancels.
 *
 * Data that has no price (machine.data_cache=off) may be hidden wholly, as the best estimate and the lower end have it,
 * or be waited for wholly: the upper end is that of the range as if it were priced. Of two runs both count: without it
 * in both, and with it in both, to each what its own sample says. As both samples are of the same lines, the error of
 * their difference is that of the differences of their parts. */
#ifndef VELLUM_LAB_ESTIMATE_H
#define VELLUM_LAB_ESTIMATE_H

#include "lab/lab.h"

/* What a run's time is made of: cycles, as struct lab_result names them. */
struct lab_parts {
	double program, kernel, data, l2_tlb, exits, hypervisor, flushes, wakeups;
	double walks, walks_dram; /* all of them; what memory took of them */
	/* What memory took of the data's accesses. data is without what hits in the L1 cache would have taken. */
	double data_dram;
	/* machine.data_cache=off: what the data would take, and what walks would take more, sharing the caches with it.
	 * As a sample says (lab/machine/sample.h); 0: all is priced. In no best estimate. */
	double unpriced_data, unpriced_walks;
	double sample[LAB_SAMPLE_PARTS]; /* what each of its parts adds to unpriced_data */
	double walk_count, instructions, cpi, walkers, window; /* window: instructions */
	double dependence, dependence_low, dependence_high;
};

struct lab_estimate {
	double best, low, high;
};

/* How far the sum of a sample's parts may be off, at 95 %. It follows from how much those that stand for 16 lines
 * differ, and how much those that stand for 2, 4 and 8. */
double lab_sample_error(const double part[LAB_SAMPLE_PARTS]);
/* Cycles. The upper end is that with what has no price. */
struct lab_estimate lab_estimate(const struct lab_parts *p);
/* The same as if all had its price. */
struct lab_estimate lab_estimate_priced(const struct lab_parts *p);
/* The time of b divided by that of a, on the same machine. */
struct lab_estimate lab_estimate_ratio(const struct lab_parts *a, const struct lab_parts *b);
/* The time of b less that of a, cycles. Data that both wait for alike is in neither: what it takes does not widen
 * this. */
struct lab_estimate lab_estimate_difference(const struct lab_parts *a, const struct lab_parts *b);

#endif
