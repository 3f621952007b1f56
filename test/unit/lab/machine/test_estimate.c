/* The estimate of a run's time, and which of two runs is faster: by what the model of overlap says, at its ends. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "lab/machine/estimate.h"

/* A million walks of 40 cycles in 10 million instructions. */
static const struct lab_parts usual = { .program = 5e6, .kernel = 1e6, .walks = 40e6, .walk_count = 1e6,
					.instructions = 10e6, .cpi = 0.5, .walkers = 1, .window = 192 };

static bool near(double a, double b) { return fabs(a - b) <= 1e-9 * fabs(b); }

/* Parts of which two stand for more and for less, so that the sample's error is this part of it. */
static void spread_sample(struct lab_parts *p, double error)
{
	static const double weight[LAB_SAMPLE_PARTS] = { 1, 1, 2, 4, 8, 16, 16, 16 };
	/* Of the last three one is as it should be: 4.3 * sqrt(720 d^2 / 256). */
	double d = error * p->unpriced_data / (4.3 * sqrt(720.0 / 256));

	for (unsigned i = 0; i < LAB_SAMPLE_PARTS; i++)
		p->sample[i] = p->unpriced_data * weight[i] / 64 + (i == 5 ? d : i == 6 ? -d : 0);
}

static void test_overlap(void **state)
{
	struct lab_parts p = usual;

	(void)state;
	/* A dependent chain sees every cycle of its walks. */
	p.dependence = p.dependence_low = p.dependence_high = 1;
	assert_true(near(lab_estimate(&p).best, 46e6));
	/* Where nothing waits, walks shorter than the window are hidden, but the walker has to make them. */
	p.dependence = p.dependence_low = p.dependence_high = 0;
	assert_true(near(lab_estimate(&p).best, 40e6));
	p.walkers = 8;
	assert_true(near(lab_estimate(&p).best, 6e6));
	/* Of longer ones, what reaches beyond it (192 * 0.5 cycles) is seen, as many at a time as the window has. */
	p.walks = 196e6;
	assert_true(near(lab_estimate(&p).best, fmax(6e6 + 100e6 / 8, 196e6 / 8)));
	p.dependence = 0.5;
	assert_true(near(lab_estimate(&p).best, 6e6 + (196e6 - 48e6) / 4.5));
	p.walk_count = p.walks = 0;
	assert_true(near(lab_estimate(&p).best, 6e6));
}

static void test_error(void **state)
{
	struct lab_parts p = usual;
	struct lab_estimate e;

	(void)state;
	p.walks = p.walk_count = p.kernel = 0;
	p.exits = 3e6;
	p.hypervisor = 2e6;
	e = lab_estimate(&p);
	assert_true(near(e.best, 10e6));
	/* Two errors of 12 and 10 %, of logarithms, in quadrature. */
	assert_true(near(log(e.high / e.best), hypot(log(1.12), log(1.10))));
	assert_true(near(log(e.low / e.best), -hypot(log(0.91), log(0.94))));
	/* Waking a CPU is known within a factor of two. */
	p.exits = p.hypervisor = 0;
	p.wakeups = 5e6;
	e = lab_estimate(&p);
	assert_true(near(e.best, 10e6) && near(e.high, 15e6) && near(e.low, 7.5e6));
	/* The program's own accesses: a million to memory at 200 cycles instead of 4, others in nearer caches. */
	p.wakeups = 0;
	p.data_dram = 200e6;
	p.data = p.data_dram - 4e6 + 9e6;
	e = lab_estimate(&p);
	assert_true(near(e.best, 210e6));
	assert_true(near(log(e.high / e.best), hypot(log(260.0 / 210), log(211.25 / 210))));
	assert_true(near(log(e.low / e.best), -hypot(log(160.0 / 210), log(209.0 / 210))));
	/* Overlap, and what a walk's references take: of 40 million cycles 0.8 and 1.25 times as many. */
	p = usual;
	p.kernel = 0;
	p.dependence = 0.5;
	p.dependence_low = 0;
	p.dependence_high = 1;
	e = lab_estimate(&p);
	assert_true(near(e.best, fmax(5e6 + 20e6, 40e6)));
	assert_true(near(log(e.high / e.best), hypot(log(45.0 / 40), log(1.25))));
	assert_true(near(log(e.low / e.best), log(0.8)));
}

static void test_ratio(void **state)
{
	struct lab_parts a = usual, b = usual;
	struct lab_estimate e;

	(void)state;
	a.walks = b.walks = a.walk_count = b.walk_count = 0;
	e = lab_estimate_ratio(&a, &b);
	assert_true(e.best == 1 && e.low == 1 && e.high == 1);
	/* More exits are slower, whatever an exit costs. */
	b.exits = 1e6;
	e = lab_estimate_ratio(&a, &b);
	assert_true(near(e.best, 7.0 / 6) && e.low > 1.05 && e.high < 1.3);
	/* Fewer exits and more of the hypervisor: that depends on prices. */
	a.hypervisor = 1.05e6;
	e = lab_estimate_ratio(&a, &b);
	assert_true(e.best < 1 && e.low < 1 && e.high > 1);
}

/* Data that has no price, the same in both, makes percentages smaller, and the difference no other. */
static void test_difference(void **state)
{
	struct lab_parts a = usual, b = usual;
	struct lab_estimate priced, e;

	(void)state;
	a.walks = b.walks = a.walk_count = b.walk_count = 0;
	e = lab_estimate_difference(&a, &b);
	assert_true(e.best == 0 && e.low == 0 && e.high == 0);
	b.exits += 1e6;
	priced = lab_estimate_difference(&a, &b);
	assert_true(near(priced.best, 1e6) && near(priced.low, 0.7e6) && near(priced.high, 1.4e6));
	a.unpriced_data = b.unpriced_data = 900e6;
	spread_sample(&a, 0.5);
	spread_sample(&b, 0.5);
	e = lab_estimate_difference(&a, &b);
	assert_true(near(e.best, priced.best) && near(e.low, priced.low) && near(e.high, priced.high));
	e = lab_estimate_difference(&b, &a);
	assert_true(near(e.best, -1e6) && near(e.low, -1.4e6) && near(e.high, -0.7e6));
	/* What walks take more is a difference. */
	b.dependence = b.dependence_low = b.dependence_high = 1;
	b.walks = b.walk_count = 1e6;
	b.unpriced_walks = 50e6;
	e = lab_estimate_difference(&a, &b);
	assert_true(near(e.best, 2e6) && e.high > 52e6);
}

/* Data that has no price is what a run's range reaches up to, and is in neither its best estimate nor its lower end. */
static void test_unpriced_run(void **state)
{
	struct lab_parts p = usual, all = usual;
	struct lab_estimate priced, e;

	(void)state;
	/* A chain, of which a million accesses wait for memory, and walks for 10 million cycles more. */
	p.dependence = p.dependence_low = p.dependence_high = 1;
	all.dependence = all.dependence_low = all.dependence_high = 1;
	all.unpriced_data = 226e6;
	all.unpriced_walks = 10e6;
	priced = lab_estimate(&p);
	e = lab_estimate(&all);
	assert_true(e.best == priced.best && e.low == priced.low);
	assert_true(near(lab_estimate_priced(&all).best, 46e6 + 236e6));
	assert_true(near(e.high, lab_estimate_priced(&all).high) && e.high > 282e6 * 1.15 && e.high < 282e6 * 1.3);
	/* A sample whose parts differ makes it wider upwards, and nothing else of it. */
	spread_sample(&all, 0.4);
	assert_true(near(lab_sample_error(all.sample), 0.4 * 226e6));
	assert_true(lab_estimate(&all).high > 282e6 * 1.35 && lab_estimate(&all).high < 282e6 * 1.6);
	spread_sample(&all, 3);
	assert_true(lab_estimate(&all).high > 282e6 * 3 && lab_estimate(&all).low == e.low);
	/* The chain's walks are in the lower end: all but the errors of their prices. */
	assert_true(e.low > 6e6 + 0.7 * 40e6);
	/* As if it were priced: the same estimate with machine.data_cache=on. */
	p.data = p.data_dram = 226e6;
	p.walks += 10e6;
	assert_true(near(lab_estimate(&p).best, lab_estimate_priced(&all).best));
}

/* Data that has no price makes a distance smaller. */
static void test_unpriced(void **state)
{
	struct lab_parts a = usual, b = usual;
	struct lab_estimate priced, e;

	(void)state;
	a.walks = a.walk_count = 0;
	b.dependence = b.dependence_low = b.dependence_high = 1;
	priced = lab_estimate_ratio(&a, &b);
	assert_true(priced.low > 1);
	/* 6 million cycles and 40, and the 226 that both would wait. */
	b.unpriced_data = a.unpriced_data = 226e6;
	e = lab_estimate_ratio(&a, &b);
	assert_true(e.best == priced.best && e.high == priced.high);
	assert_true(e.low > 1 && e.low < 1 + (priced.low - 1) / 10 && e.low < 272.0 / 232);
	/* A sample that may be far off is so in both: it is the same lines'. */
	spread_sample(&a, 2);
	spread_sample(&b, 2);
	assert_true(lab_estimate_ratio(&a, &b).low < e.low && lab_estimate_ratio(&a, &b).low > 1);
	assert_true(lab_estimate_ratio(&a, &b).high >= e.high);
	spread_sample(&a, 0);
	spread_sample(&b, 0);
	/* What walks take more where they compete with data is a difference. */
	b.unpriced_walks = 4e9;
	assert_true(lab_estimate_ratio(&a, &b).high > priced.high * 1.2);
	/* The other way round, it is the upper end that comes nearer. */
	b.unpriced_walks = 0;
	e = lab_estimate_ratio(&b, &a);
	a.unpriced_data = b.unpriced_data = 0;
	priced = lab_estimate_ratio(&b, &a);
	assert_true(priced.high < 1 && e.high > priced.high && e.high < 1 && e.low == priced.low);
}

static void test_parts(void **state)
{
	double part[LAB_SAMPLE_PARTS] = { 500, 0, 2, 4, 8, 16, 16, 16 };

	(void)state;
	/* What lies at one in each page or two alone is not in doubt, nor is what lies at each 2^n-th line alike. */
	assert_true(lab_sample_error(part) < 1e-9);
	part[5] = part[6] = part[7] = 0;
	assert_true(lab_sample_error(part) < 1e-9);
	part[5] = 16;
	assert_true(near(lab_sample_error(part), 4.3 * sqrt(720.0 / 3)));
	part[5] = 0;
	part[4] = 0;
	assert_true(near(lab_sample_error(part), 4.3 * sqrt(70.0 / 3)));
}

/* Samples of the same lines: what they are off by together says nothing of which waits more, what they differ by in
 * each part does. */
static void test_paired(void **state)
{
	struct lab_parts a = usual, b;
	struct lab_estimate e;

	(void)state;
	a.walks = a.walk_count = 0;
	b = a;
	/* 50 % off, each of them, and 1 % more of each part in b. */
	a.unpriced_data = 200e6;
	b.unpriced_data = 202e6;
	spread_sample(&a, 0.5);
	spread_sample(&b, 0.5);
	assert_true(near(lab_sample_error(a.sample), 100e6));
	e = lab_estimate_difference(&a, &b);
	assert_true(e.best == 0 && e.low == 0 && e.high > 2e6 && e.high < 4e6);
	e = lab_estimate_difference(&b, &a);
	assert_true(e.best == 0 && e.high == 0 && e.low < -2e6 && e.low > -4e6);
	assert_true(lab_estimate_ratio(&a, &b).low == 1 && lab_estimate_ratio(&a, &b).high > 1.005);
	/* The same sums, of parts that differ another way: which waits more is not known. */
	b.sample[5] -= 20e6;
	b.sample[7] += 20e6;
	e = lab_estimate_difference(&a, &b);
	assert_true(e.low < -50e6 && e.high > 50e6);
	/* Exits that are 1 million cycles more, where data that is the same may be 100 off: known. */
	b = a;
	b.exits += 1e6;
	e = lab_estimate_difference(&a, &b);
	assert_true(e.low > 0.6e6 && e.high < 1.5e6);
}

/* A filter of which most has never been written to: with pages of 4K its reads share the page of zeros, which the L1
 * cache has; with pages of 2M they miss, so that data takes 41 and 1301 % of the time more. */
static void test_moved(void **state)
{
	struct lab_parts large = { .program = 26.05e6, .kernel = 7.01e6, .l2_tlb = 0.44e6, .walks = 0.04e6,
				   .walk_count = 1435, .instructions = 52.1e6, .cpi = 0.5, .walkers = 1, .window = 192,
				   .dependence = 0.5, .dependence_low = 0.2, .dependence_high = 0.9,
				   .unpriced_data = 433.25e6 }, small = large;
	struct lab_estimate without, e;

	(void)state;
	spread_sample(&large, 0.023);
	small.kernel = 13.49e6;
	small.walks = 21.91e6;
	small.walk_count = 1.894e6;
	small.unpriced_data = 19.91e6;
	small.unpriced_walks = 1.9e6;
	spread_sample(&small, 0.031);
	assert_true(fabs(lab_estimate_priced(&large).best / lab_estimate(&large).best - 14.01) < 0.01);
	assert_true(fabs(lab_estimate_priced(&small).best / lab_estimate(&small).best - 1.41) < 0.01);
	/* Hidden wholly, 4K is slower; waited for, 2M: not known. */
	e = lab_estimate_ratio(&large, &small);
	assert_true(e.best > 1.4 && e.high > 1.4 && e.low < 0.2 && e.low > 0.1);
	assert_true(lab_estimate_difference(&large, &small).low < -395e6);
	/* The other way round it is the upper end. */
	e = lab_estimate_ratio(&small, &large);
	assert_true(e.best < 1 && e.high > 6 && e.low < 0.8);
	/* Where the data waits for the same, the answer is known, however little is known of how long that is. */
	small.unpriced_data = large.unpriced_data;
	spread_sample(&small, 0.6);
	spread_sample(&large, 0.6);
	assert_true(lab_estimate_ratio(&large, &small).low > 1);
	assert_true(lab_estimate_difference(&large, &small).low > 0);
	/* Where all has its price there is nothing to differ. */
	small.unpriced_data = small.unpriced_walks = large.unpriced_data = 0;
	without = lab_estimate_ratio(&large, &small);
	assert_true(without.low > 1 && near(without.low * lab_estimate_ratio(&small, &large).high, 1));
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_overlap), cmocka_unit_test(test_error), cmocka_unit_test(test_ratio),
		cmocka_unit_test(test_difference), cmocka_unit_test(test_moved), cmocka_unit_test(test_paired),
		cmocka_unit_test(test_parts),
		cmocka_unit_test(test_unpriced_run), cmocka_unit_test(test_unpriced),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
