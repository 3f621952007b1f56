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
 * added as those of independent quantities. Two runs on one machine are compared under the same parameters, so that
 * what they share cancels. What both would wait for their data, where it has no price, makes their distance a smaller
 * part of the time, and changes no order: that end of the range which is nearer to 1 is as if each access that walked
 * (in the run that walks more) waited for memory in both. */
#ifndef VELLUM_LAB_ESTIMATE_H
#define VELLUM_LAB_ESTIMATE_H

/* What a run's time is made of: cycles, as struct lab_result names them. */
struct lab_parts {
	double program, kernel, data, l2_tlb, exits, hypervisor, flushes, wakeups;
	double walks, walks_dram; /* all of them; what memory took of them */
	/* What memory took of the data's accesses. data is without what hits in the L1 cache would have taken. */
	double data_dram;
	/* machine.data_cache=off: what the data would take if each access that walked were answered by memory (0: it
	 * has been priced). In no estimate of one run. */
	double unpriced;
	double walk_count, instructions, cpi, walkers, window; /* window: instructions */
	double dependence, dependence_low, dependence_high;
};

struct lab_estimate {
	double best, low, high;
};

/* lab_parts.unpriced, of this many walks that ended in a translation. */
static inline double lab_unpriced(double translated, double dram_cycles, double l1_cycles)
{
	return translated * (dram_cycles > l1_cycles ? dram_cycles - l1_cycles : 0);
}
/* From this part of the time on it is said that the data has no price. */
#define LAB_UNPRICED_SAID 0.1

/* Cycles. */
struct lab_estimate lab_estimate(const struct lab_parts *p);
/* The time of b divided by that of a, on the same machine. */
struct lab_estimate lab_estimate_ratio(const struct lab_parts *a, const struct lab_parts *b);

/* The parameters that are varied, and how far: factors of a price; overlap has its own range. */
struct lab_uncertain {
	const char *name;
	double low, high;
};
extern const struct lab_uncertain lab_uncertain[]; /* ends with a NULL name */

#endif
