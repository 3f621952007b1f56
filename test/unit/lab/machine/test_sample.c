/* The range of a run whose data has no price (machine.data_cache=off): it holds the time of the same run with data that
 * has one. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "lab/lab.h"
#include "lab/machine/machine.h"

static void set(struct lab_config *c, const char *assignment)
{
	struct lab_error error = { "" };

	if (!lab_config_assign(c, assignment, &error))
		fail_msg("%s", error.text);
}

static void run(struct lab_config *c, const char *data_cache, struct lab_result *r)
{
	struct lab_error error = { "" };

	set(c, data_cache);
	if (!lab_run(c, r, NULL, NULL, &error))
		fail_msg("%s: %s", c->workload, error.text);
}

/* Small caches, so that small programs leave them; of each program more batches than the first ones, which are all in
 * the sample. */
static const char *const workloads[] = {
	"workload=chase:size=4M,passes=5",          /* waits for memory */
	"workload=chase:size=4M,passes=20,object=1K", /* in few sets */
	"workload=chase:size=512K,passes=40",       /* lies in the L3 cache */
	"workload=gups:size=16M,updates=300K", "workload=gups:size=512K,updates=300K",
	"workload=seq:size=2M,passes=16",           /* twice the L3 cache, over and over */
	"workload=seq:size=128K,passes=250",        /* lies in the L2 cache */
	"workload=zipf:keys=32K,ops=150K", "workload=bfs:scale=14",
	"workload=boot:processes=4", "workload=grow:size=12M,ops=300K", "workload=fork:children=40",
};

static const char *const machines[][4] = {
	{ "hv.mmu=native", "guest.pages=4k" }, { "hv.mmu=native", "guest.pages=2m" },
	{ "hv.mmu=ept", "guest.pages=4k", "hv.pages=4k" }, { "hv.mmu=ept", "guest.pages=2m", "hv.pages=2m" },
	{ "hv.mmu=shadow", "guest.pages=4k" },
};

static void test_range(void **state)
{
	static struct lab_result off, on;

	(void)state;
	for (unsigned w = 0; w < ARRAY_SIZE(workloads); w++) {
		for (unsigned i = 0; i < ARRAY_SIZE(machines); i++) {
			struct lab_config c;

			lab_config_init(&c);
			set(&c, workloads[w]);
			set(&c, "machine.l3_cache=1M/16");
			for (unsigned k = 0; k < 4 && machines[i][k]; k++)
				set(&c, machines[i][k]);
			run(&c, "machine.data_cache=on", &on);
			assert_true(on.cycles_unpriced_data == 0 && on.cycles_priced == on.cycles_estimate);
			run(&c, "machine.data_cache=off", &off);
			if (!(off.cycles_low <= on.cycles_estimate && on.cycles_estimate <= off.cycles_high))
				fail_msg("%s, %s, %s: %.4g to %.4g does not hold %.4g", workloads[w], machines[i][0],
					 machines[i][1], off.cycles_low, off.cycles_high, on.cycles_estimate);
			/* The best estimate is without, and the lower end has what a chain's walks take. */
			assert_true(off.cycles_priced >= off.cycles_estimate && off.cycles_low <= off.cycles_estimate);
			if (off.dependence_low == 1)
				assert_true(off.cycles_low >= 0.65 * off.cycles_most);
			/* Not just any range: no more than what is far off. */
			assert_true(off.cycles_high < 8 * on.cycles_estimate);
		}
	}
}

static uint64_t batches_in(struct lab_machine *m, uint64_t from, uint64_t to, uint64_t *weight)
{
	uint64_t n = 0;

	for (uint64_t i = from; i < to; i++) {
		lab_sample_next(m);
		n += m->sample.on;
		*weight += m->sample.on ? m->sample.weight : 0;
	}
	return n;
}

static void ignore(void *hardware, unsigned cache)
{
	(void)cache;
	++*(unsigned *)hardware;
}

/* The weights add up to the batches that they stand for, in each part of the plan; caches are emptied when as much has
 * come in meanwhile. */
static void test_plan(void **state)
{
	static const struct lab_hardware hardware = { .forget = ignore };
	struct lab_config c;
	static struct lab_counts counts;
	unsigned forgotten = 0;
	struct lab_machine m = { .config = &c, .hardware = &hardware, .hw = &forgotten, .cores = 1,
				 .counts = &counts };
	uint64_t weight = 0;

	(void)state;
	lab_config_init(&c);
	assert_int_equal(batches_in(&m, 0, 64, &weight), 64);
	assert_int_equal(weight, 64);
	assert_int_equal(batches_in(&m, 64, 128, &weight), 2 * 2);
	assert_int_equal(weight, 128);
	assert_int_equal(batches_in(&m, 128, 256, &weight), 4 * 2);
	assert_int_equal(weight, 256);
	for (uint64_t begin = 256; begin < 4096; begin += 64)
		assert_int_equal(batches_in(&m, begin, begin + 64, &weight), 4);
	assert_int_equal(weight, 4096);
	assert_int_equal(m.counts->sampled.stretches, 6 + 60 - (m.sample.counts ? 1 : 0));
	assert_int_equal(forgotten, 0);
	m.sample = (struct lab_sample){ 0 };
	batches_in(&m, 0, 64, &weight);
	m.sample.answered[LAB_DRAM] = 1000000;
	batches_in(&m, 64, 192, &weight);
	assert_true(forgotten >= 2);
	c.machine.data_cache = true;
	m.sample = (struct lab_sample){ 0 };
	assert_int_equal(batches_in(&m, 0, 1000, &weight), 0);
}

int main(void)
{
	static const struct CMUnitTest tests[] = { cmocka_unit_test(test_range), cmocka_unit_test(test_plan) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
