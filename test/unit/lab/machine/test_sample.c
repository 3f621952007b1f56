/* The range of a run whose data has no price (machine.data_cache=off): it holds the time of the same run with data that
 * has one. */
#include <math.h>
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

/* Small caches, so that small programs leave them. */
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
	double difference;

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
			/* Not just any range: what the sample says is what it is, as far as it says that it knows. */
			difference = fabs(off.cycles_unpriced_data - on.cycles_data);
			if (difference > 1.2 * off.sample_error * off.cycles_unpriced_data + 0.01 * on.cycles_data)
				fail_msg("%s, %s, %s: the sample says %.4g, %.2g off; it is %.4g", workloads[w],
					 machines[i][0], machines[i][1], off.cycles_unpriced_data, off.sample_error,
					 on.cycles_data);
		}
	}
}

/* Weights add up to a page's lines, and parts are as many as there are. */
static void test_plan(void **state)
{
	static const char *const odd[] = { "machine.l1_cache=32K/full", "machine.l2_cache=24K/8",
					   "machine.l1_cache=0" };
	struct lab_config c;
	struct lab_sample s;
	unsigned weights = 0, parts = 0, by_power[7] = { 0 };

	(void)state;
	lab_config_init(&c);
	s = lab_sample_of(&c.machine);
	for (unsigned line = 0; line < LAB_PAGE_LINES; line++) {
		weights += lab_sample_weight(s, line);
		if (!lab_sample_weight(s, line))
			continue;
		/* Of lines that the same power of two divides, no more than there are. */
		by_power[line ? __builtin_ctz(line) : 6] += lab_sample_weight(s, line);
		parts |= 1u << lab_sample_part(s, line);
	}
	for (unsigned i = 0; i < 7; i++)
		assert_int_equal(by_power[i], i < 6 ? 32u >> i : 1);
	assert_int_equal(weights, LAB_PAGE_LINES);
	assert_int_equal(parts, (1u << LAB_SAMPLE_PARTS) - 1);
	/* Without an L3 cache that, too; but where lines of several places share a set, all are in it. */
	set(&c, "machine.l3_cache=0");
	assert_int_equal(lab_sample_of(&c.machine).lines, s.lines);
	for (unsigned i = 0; i < ARRAY_SIZE(odd); i++) {
		lab_config_init(&c);
		set(&c, odd[i]);
		s = lab_sample_of(&c.machine);
		assert_true(s.lines == ~0ull);
		for (unsigned line = 0; line < LAB_PAGE_LINES; line++)
			assert_true(lab_sample_weight(s, line) == 1 && lab_sample_part(s, line) == 0);
	}
	set(&c, "machine.data_cache=on");
	assert_int_equal(lab_sample_of(&c.machine).lines, 0);
	set(&c, "machine.data_cache=off");
	set(&c, "machine.data_sample=off");
	assert_int_equal(lab_sample_of(&c.machine).lines, 0);
	assert_int_equal(lab_sample_weight(lab_sample_of(&c.machine), 0), 0);
}

/* All lines in the sample: it is the same as with a price, to the last cycle, whichever implementation it is. */
static void test_all(void **state)
{
	static const char *const caches[] = { "machine.l2_cache=24K/8", "machine.l1_cache=32K/full",
					      "machine.l1_cache=0" };
	static const char *const programs[] = { "workload=zipf:keys=32K,ops=20K", "workload=boot:processes=2" };
	static struct lab_result off, on;
	double more;

	(void)state;
	for (unsigned i = 0; i < ARRAY_SIZE(caches) * ARRAY_SIZE(programs) * 2; i++) {
		struct lab_config c;

		lab_config_init(&c);
		set(&c, programs[i / 2 % ARRAY_SIZE(programs)]);
		set(&c, caches[i / 2 / ARRAY_SIZE(programs)]);
		set(&c, i % 2 ? "plain=on" : "plain=off");
		run(&c, "machine.data_cache=on", &on);
		run(&c, "machine.data_cache=off", &off);
		assert_int_equal(off.sample_lines, LAB_PAGE_LINES);
		assert_true(off.sample_error == 0);
		assert_true(fabs(off.cycles_unpriced_data - on.cycles_data) <= 1e-9 * on.cycles_data);
		/* Data may also bring tables in that walks then find. */
		more = on.cycles_walk_guest + on.cycles_walk_ept - off.cycles_walk_guest - off.cycles_walk_ept;
		if (fabs(off.cycles_unpriced_walks - fmax(0, more)) > 1)
			fail_msg("%s, %s: walks take %.9g more, the sample says %.9g", c.workload,
				 caches[i / 2 / ARRAY_SIZE(programs)], more, off.cycles_unpriced_walks);
	}
}

/* ---- what comes between two uses of a line ---- */

#define CODE 0x10000000000ull
#define DATA 0x20000000000ull
enum { PLACE = 5, PAGES = 512, ROUNDS = 4000 };

/* Of the pages of which the leaf table's entry lies in its line of this place: one of each region that a table maps. */
static uint64_t nth_page(uint64_t area, unsigned n)
{
	return area + ((uint64_t)(n % 64) << 21) + (uint64_t)(PLACE * 8 + n / 64 % 8) * 4096;
}

struct between {
	struct lab_source source; /* first */
	bool fetches;             /* what comes between are fetches, or reads */
	unsigned round;
};

static void add(struct lab_batch *b, enum lab_kind kind, uint64_t addr, unsigned fetches)
{
	b->event[b->events++] = (struct lab_event){ .kind = (uint8_t)kind, .addr = addr, .fetches = fetches,
						    .size = 8 };
}

static bool between_next(struct lab_source *source, struct lab_batch *b)
{
	struct between *t = (struct between *)(void *)source;
	static const struct lab_call calls[] = {
		{ .kind = LAB_SWITCH },
		{ .kind = LAB_MMAP, .addr = DATA, .length = 1ull << 28, .prot = 3 },
		{ .kind = LAB_MMAP, .addr = CODE, .length = 1ull << 28, .prot = 5, .file = 1 },
	};

	b->events = b->calls = 0;
	if (t->round == ROUNDS)
		return false;
	for (unsigned i = 0; !t->round && i < ARRAY_SIZE(calls); i++) {
		add(b, LAB_CALL, b->calls, 0);
		b->call[b->calls++] = calls[i];
	}
	if (!t->round)
		add(b, LAB_FETCH, CODE, 1);
	for (unsigned end = t->round + 100; t->round < end; t->round++) {
		add(b, LAB_READ, DATA + PLACE * 64, 2);
		if (t->fetches) {
			add(b, LAB_FETCH, nth_page(CODE, t->round % PAGES), 2);
			add(b, LAB_FETCH, CODE, 1);
		} else {
			add(b, LAB_READ, nth_page(DATA, t->round % PAGES) + 64, 2);
		}
	}
	return true;
}

static const char *between_error(struct lab_source *source)
{
	(void)source;
	return NULL;
}

static void between_close(struct lab_source *source) { (void)source; }

static void run_between(struct lab_config *c, bool fetches, bool plain, struct lab_result *r)
{
	static const struct lab_source_ops ops = { between_next, between_error, between_close };
	struct between t = { .source.ops = &ops, .fetches = fetches };
	struct lab_source *source = &t.source;
	struct lab_error error = { "" };

	c->plain = plain;
	if (!lab_run_sources(c, &source, r, NULL, NULL, &error))
		fail_msg("%s", error.text);
}

/* In caches of one way, each walk's reference takes the place of the line that is used before it and after it: it is
 * missed each time, by both implementations. */
static void test_between(void **state)
{
	static const char *const caches[] = { "machine.l1_cache=4K/1", "machine.l2_cache=4K/1", "machine.l3_cache=4K/1",
					      "hv.mmu=native", "guest.memory=2G" };
	static struct lab_result fast, plain;
	struct lab_config c;

	(void)state;
	lab_config_init(&c);
	for (unsigned i = 0; i < ARRAY_SIZE(caches); i++)
		set(&c, caches[i]);
	for (unsigned fetches = 0; fetches < 2; fetches++) {
		run_between(&c, fetches, true, &plain);
		run_between(&c, fetches, false, &fast);
		assert_int_equal(fast.sample_lines, LAB_SAMPLE_PARTS);
		for (unsigned i = 0; i < LAB_SAMPLE_PARTS; i++)
			assert_true(fast.sample_part[i] == plain.sample_part[i]);
		/* The part of the line stands for 16. */
		assert_true(fast.sample_part[6] > 0.9 * 16 * ROUNDS * (c.machine.dram_cycles - c.machine.l1_cycles));
	}
}

int main(void)
{
	static const struct CMUnitTest tests[] = { cmocka_unit_test(test_range), cmocka_unit_test(test_plan),
					   cmocka_unit_test(test_all),
					   cmocka_unit_test(test_between) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
