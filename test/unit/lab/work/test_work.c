/* The workloads: the same seed gives the same stream, another seed another one; each does what it claims; every stream
 * obeys lab/machine/event.h and can be run by the guest OS. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "lab/os/inside.h"
#include "lab/work/work.h"
#include "test/unit/lab/os_cpu.h"

typedef void each_function(void *ctx, const struct lab_batch *b, const struct lab_event *e);

static uint64_t run(const char *description, uint64_t seed, uint64_t limit, each_function *each, void *ctx)
{
	struct lab_error error = { "" };
	struct lab_source *s = lab_source_open(description, seed, limit, &error);
	struct lab_batch *b = malloc(sizeof(*b));
	uint64_t accesses = 0;

	if (!s)
		fail_msg("%s: %s", description, error.text);
	while (lab_source_next(s, b)) {
		assert_true(b->events > 0 && b->events <= LAB_BATCH_EVENTS && b->calls <= LAB_BATCH_CALLS);
		for (unsigned i = 0; i < b->events; i++) {
			accesses += lab_event_accesses(&b->event[i]);
			each(ctx, b, &b->event[i]);
		}
	}
	assert_null(lab_source_error(s));
	lab_source_close(s);
	free(b);
	return accesses;
}

/* Small ones of all kinds. */
static const char *const small[] = {
	"chase:size=1M",
	"gups:size=1M,updates=5000",
	"seq:size=1M,write=30",
	"zipf:keys=5000,ops=3000",
	"bfs:scale=10,searches=2",
	"fork:children=5,size=256K",
	"fork:children=5,size=256K,exec=1",
	"mmap:ops=60,live=7,size=40K",
	"ring:processes=5,pages=9,switches=300",
	"faults:size=300K,passes=3",
	"faults:size=300K,passes=3,advise=1",
	"boot:kernel=1M,processes=4,heap=64K,work=300",
	"bfs:scale=8,rmat=0",
	"grow:size=300K,step=8K,ops=500",
};
enum { SMALL = sizeof(small) / sizeof(small[0]) };

/* ---- determinism ---- */

static void hash_event(void *ctx, const struct lab_batch *b, const struct lab_event *e)
{
	uint64_t *hash = ctx;

	*hash = work_mix(*hash ^ e->addr) + ((uint64_t)e->fetches << 32 | (unsigned)e->kind << 16 | e->size);
	if (e->kind == LAB_CALL)
		*hash = work_mix(*hash ^ b->call[e->addr].kind) + b->call[e->addr].addr + b->call[e->addr].length;
}

static void test_seeds(void **state)
{
	(void)state;
	for (unsigned i = 0; i < SMALL; i++) {
		uint64_t one = 0, again = 0, other = 0;

		assert_int_equal(run(small[i], 7, 0, hash_event, &one), run(small[i], 7, 0, hash_event, &again));
		run(small[i], 8, 0, hash_event, &other);
		assert_int_equal(one, again);
		if (strncmp(small[i], "faults", 6)) /* nothing in it is random */
			assert_int_not_equal(one, other);
	}
}

static void count_nothing(void *ctx, const struct lab_batch *b, const struct lab_event *e)
{
	(void)ctx;
	(void)b;
	(void)e;
}

static void test_limit_and_huge_heaps(void **state)
{
	static const char *const huge[] = {
		"chase:size=4T,init=0", "gups:size=4T,init=0", "seq:size=4T,init=0", "zipf:keys=8G,value=512,init=0",
	};

	(void)state;
	for (unsigned i = 0; i < sizeof(huge) / sizeof(huge[0]); i++) {
		uint64_t made = run(huge[i], 1, 100000, count_nothing, NULL);

		assert_true(made >= 100000 && made < 101000);
	}
}

/* ---- what the workloads claim ---- */

static void test_permutation(void **state)
{
	static const uint64_t sizes[] = { 1, 2, 3, 10, 64, 1000, 4096, 65537, 99999 };
	static uint8_t seen[100000];

	(void)state;
	for (unsigned i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		struct permutation p = permutation_make(sizes[i], i);

		memset(seen, 0, sizeof(seen));
		for (uint64_t n = 0; n < sizes[i]; n++) {
			uint64_t at = permutation_at(&p, n);

			assert_true(at < sizes[i]);
			assert_int_equal(seen[at]++, 0);
		}
	}
}

struct chase_seen {
	bool measuring;
	uint8_t count[1 << 14];
	uint64_t hops, last, near;
};

static void see_hop(void *ctx, const struct lab_batch *b, const struct lab_event *e)
{
	struct chase_seen *s = ctx;

	if (e->kind == LAB_CALL)
		s->measuring |= b->call[e->addr].kind == LAB_MEASURE;
	if (!s->measuring || e->kind != LAB_READ)
		return;
	assert_true(e->addr >= WORK_HEAP && e->addr < WORK_HEAP + (1 << 20));
	s->count[(e->addr - WORK_HEAP) / 64]++;
	s->near += s->hops && e->addr - s->last + 4096 < 8192;
	s->last = e->addr;
	s->hops++;
}

/* Each object once a pass, and not in an order that a neighbour would be next to. */
static void test_chase(void **state)
{
	static struct chase_seen s;

	(void)state;
	run("chase:size=1M,object=64,passes=2", 3, 0, see_hop, &s);
	assert_int_equal(s.hops, 2 << 14);
	for (unsigned i = 0; i < 1 << 14; i++)
		assert_int_equal(s.count[i], 2);
	assert_true(s.near < s.hops / 64); /* of 256 pages, about 2 in 256 */
}

static void test_zipf(void **state)
{
	struct work w = { .seed = 5 };
	struct zipf z = zipf_make(100000, 0.99);
	unsigned first = 0, second = 0, hundred = 0, draws = 400000;
	double all = 0, top = 0;

	(void)state;
	work_seed(&w);
	for (unsigned i = 1; i <= 100000; i++) {
		all += 1 / __builtin_pow(i, 0.99);
		top += i <= 100 ? 1 / __builtin_pow(i, 0.99) : 0;
	}
	assert_true(z.zeta > all * 0.999 && z.zeta < all * 1.001);
	for (unsigned i = 0; i < draws; i++) {
		uint64_t rank = zipf_next(&z, &w);

		assert_true(rank < 100000);
		first += rank == 0;
		second += rank == 1;
		hundred += rank < 100;
	}
	assert_true(first > 0.95 * draws / all && first < 1.05 * draws / all);
	assert_true(second > 0.45 * draws / all && second < 0.56 * draws / all);
	assert_true(hundred > 0.93 * draws * top / all && hundred < 1.07 * draws * top / all);
}

struct spread {
	unsigned count[256], all;
};

static void see_update(void *ctx, const struct lab_batch *b, const struct lab_event *e)
{
	struct spread *s = ctx;

	(void)b;
	if (e->kind != LAB_WRITE || e->addr < WORK_HEAP || e->addr >= WORK_STACK - WORK_STACK_BYTES)
		return;
	s->count[(e->addr - WORK_HEAP) >> 12]++;
	s->all++;
}

static void test_gups_is_uniform(void **state)
{
	struct spread s = { .all = 0 };

	(void)state;
	run("gups:size=1M,updates=100000,init=0", 9, 0, see_update, &s);
	assert_int_equal(s.all, 100000);
	for (unsigned i = 0; i < 256; i++)
		assert_true(s.count[i] > 290 && s.count[i] < 500); /* 390 expected, 5 standard deviations of 20 */
}

struct counted {
	uint64_t calls[LAB_CALLS], parents;
};

static void count_calls(void *ctx, const struct lab_batch *b, const struct lab_event *e)
{
	struct counted *c = ctx;

	if (e->kind == LAB_CALL)
		c->calls[b->call[e->addr].kind]++;
	/* bfs: a vertex gets its parent, once it is visited */
	if (e->kind == LAB_WRITE && e->addr >= WORK_HEAP + 8 * 1024 * 17 && e->addr < WORK_HEAP + 8 * 1024 * 18)
		c->parents++;
}

static void test_calls(void **state)
{
	struct counted c = { .parents = 0 };

	(void)state;
	run("fork:children=5,size=256K", 1, 0, count_calls, &c);
	assert_int_equal(c.calls[LAB_FORK], 5);
	assert_int_equal(c.calls[LAB_EXIT], 5);
	c = (struct counted){ .parents = 0 };
	run("mmap:ops=60,live=7,size=40K", 1, 0, count_calls, &c);
	assert_int_equal(c.calls[LAB_MMAP], 62);
	assert_int_equal(c.calls[LAB_MUNMAP], 53);
	c = (struct counted){ .parents = 0 };
	run("ring:processes=5,pages=9,switches=300", 1, 0, count_calls, &c);
	assert_int_equal(c.calls[LAB_SYSCALL], 300);
	assert_int_equal(c.calls[LAB_FORK], 4);
	c = (struct counted){ .parents = 0 };
	run("bfs:scale=10,init=0,rmat=0", 1, 0, count_calls, &c);
	/* all but the root: with 16 edges from each, everything is reached */
	assert_true(c.parents > 1000 && c.parents < 1024);
}

/* ---- the streams, run by the guest OS ---- */

struct machine {
	struct lab_cpu *cpu;
	struct lab_os *os;
	struct lab_error error;
	uint64_t code;
	bool code_known, alive;
};

static void touch(struct machine *m, uint64_t addr, bool write)
{
	uint64_t frame;
	uint32_t code;

	for (unsigned tries = 0; !cpu_access(m->cpu, addr, write, &frame, &code); tries++)
		if (tries == 3 || !lab_os_page_fault(m->os, addr, code, &m->error))
			fail_msg("at %#lx: %s", (unsigned long)addr, m->error.text);
}

static void execute(void *ctx, const struct lab_batch *b, const struct lab_event *e)
{
	struct machine *m = ctx;

	if (e->kind == LAB_CALL) {
		const struct lab_call *c = &b->call[e->addr];

		assert_true(m->alive || c->kind == LAB_SWITCH);
		m->alive = c->kind != LAB_EXIT;
		m->code_known &= c->kind != LAB_SWITCH && c->kind != LAB_EXEC && c->kind != LAB_EXIT;
		if (c->kind != LAB_MEASURE && !lab_os_call(m->os, c, &m->error))
			fail_msg("%s", m->error.text);
	} else {
		assert_true(m->alive);
		assert_true((e->addr & 4095) + e->size <= 4096);
		assert_true(m->code_known || e->kind == LAB_FETCH);
		m->code_known = true;
		if (e->kernel)
			assert_true(e->addr >= LAB_DIRECT_MAP + (16 << 20) &&
				    e->addr < LAB_DIRECT_MAP + (128ull << 20));
		else
			touch(m, e->addr, e->kind == LAB_WRITE);
	}
	assert_true(m->code_known || !e->fetches);
}

static void test_streams_run(void **state)
{
	struct machine m = { .cpu = calloc(1, sizeof(struct lab_cpu)) };
	char why[256] = "";

	(void)state;
	for (unsigned i = 0; i < SMALL; i++) {
		struct lab_config config = { .seed = 1 };

		cpu_reset(m.cpu, 4, i & 1, 128ull << 20);
		config.guest.pages = i & 2 ? 21 : 12;
		config.guest.pcid = i & 1;
		config.guest.global = true;
		config.guest.flush_ceiling = 33;
		m.os = lab_os_new(m.cpu, &config, false, &m.error);
		m.alive = m.code_known = false;
		if (!m.os)
			fail_msg("%s", m.error.text);
		run(small[i], 3, 0, execute, &m);
		if (!os_audit(m.os, why, sizeof(why)))
			fail_msg("%s: %s", small[i], why);
		lab_os_delete(m.os);
	}
	cpu_reset(m.cpu, 4, true, 0);
	free(m.cpu);
}

static void test_refusals(void **state)
{
	static const char *const bad[][2] = {
		{ "nothing", "there are chase, gups" },
		{ "gups:size=", "needs a number" },
		{ "gups:colour=3", "no parameter colour; it has size" },
		{ "chase:object=1", "at least 8" },
		{ "chase:size=1", "between" },
		{ "bfs:scale=40", "4 to 28" },
		{ "trace:", "which trace" },
		{ "trace:test/unit/data/small-1.0.vtrace,skip=x", "needs a number" },
		{ "trace:test/unit/data/small-1.0.vtrace,skip=1G", "more cannot" },
		{ "trace:/nonexistent", "cannot be opened" },
		{ "zipf:theta=100", "theta" },
		{ "mmap:live=0", "live" },
		{ "ring:processes=0", "ring" },
	};

	(void)state;
	for (unsigned i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		struct lab_error error = { "" };

		assert_null(lab_source_open(bad[i][0], 1, 0, &error));
		if (!strstr(error.text, bad[i][1]))
			fail_msg("%s: %s", bad[i][0], error.text);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_permutation),
		cmocka_unit_test(test_chase),
		cmocka_unit_test(test_zipf),
		cmocka_unit_test(test_gups_is_uniform),
		cmocka_unit_test(test_calls),
		cmocka_unit_test(test_seeds),
		cmocka_unit_test(test_limit_and_huge_heaps),
		cmocka_unit_test(test_streams_run),
		cmocka_unit_test(test_refusals),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
