/* The lab's engine: the fast implementation gives what the plain one gives, to the bit, on every workload, on random
 * streams and random machines; the laws hold; the same run gives the same account; and a few accounts are as they
 * were. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "lab/lab.h"
#include "lib/base.h"

static uint64_t chance(uint64_t *state)
{
	*state = *state * 6364136223846793005ull + 1442695040888963407ull;
	return *state >> 24;
}

/* ---- a random stream: accesses, and calls that map, unmap, protect, fork and switch ---- */

#define AREA 0x10000000000ull
#define AREA_PAGES 2048u
#define CODE 0x400000ull

struct stream {
	struct lab_source source;
	uint64_t state, left;
	uint32_t process, processes;
	bool begun;
};

static void call(struct lab_batch *b, struct lab_call c)
{
	b->event[b->events++] = (struct lab_event){ .kind = LAB_CALL, .addr = b->calls };
	b->call[b->calls++] = c;
}

static void begin(struct lab_batch *b)
{
	call(b, (struct lab_call){ .kind = LAB_SWITCH });
	call(b, (struct lab_call){ .kind = LAB_MMAP, .addr = AREA, .length = AREA_PAGES * 4096, .prot = 3 });
	call(b, (struct lab_call){ .kind = LAB_MMAP, .addr = CODE, .length = 64 * 4096, .prot = 5, .file = 1 });
	b->event[b->events++] = (struct lab_event){ .kind = LAB_FETCH, .addr = CODE, .fetches = 7 };
}

static void random_call(struct stream *s, struct lab_batch *b)
{
	uint64_t page = chance(&s->state) % (AREA_PAGES - 64), pages = chance(&s->state) % 63 + 1;
	struct lab_call c = { .process = s->process, .addr = AREA + page * 4096, .length = pages * 4096, .prot = 3 };

	switch (chance(&s->state) % 6) {
	case 0:
		c.kind = LAB_MMAP;
		call(b, c);
		break;
	case 1:
		c.kind = LAB_MUNMAP;
		call(b, c);
		c.kind = LAB_MMAP;
		call(b, c);
		break;
	case 2:
		c.kind = LAB_MPROTECT;
		c.prot = LAB_PROT_READ;
		call(b, c);
		c.prot = 3;
		call(b, c);
		break;
	case 3:
		c.kind = LAB_MADVISE;
		c.prot = LAB_ADVICE_DONTNEED;
		call(b, c);
		break;
	case 4:
		if (s->processes < 4)
			call(b, (struct lab_call){ .kind = LAB_FORK, .process = s->processes++ });
		break;
	default:
		s->process = chance(&s->state) % s->processes;
		call(b, (struct lab_call){ .kind = LAB_SWITCH, .process = s->process });
		b->event[b->events++] = (struct lab_event){ .kind = LAB_FETCH, .addr = CODE, .fetches = 2 };
	}
}

static bool stream_next(struct lab_source *source, struct lab_batch *b)
{
	struct stream *s = (struct stream *)(void *)source;

	b->events = b->calls = 0;
	if (!s->begun)
		begin(b);
	s->begun = true;
	for (; s->left && b->events < 1000 && b->calls < LAB_BATCH_CALLS - 4; s->left--) {
		uint64_t n = chance(&s->state), page = n & 1024 ? n % 40 : n % AREA_PAGES;

		if (n % 211 == 0)
			random_call(s, b);
		if (n % 17 == 0)
			b->event[b->events++] = (struct lab_event){ .kind = LAB_FETCH,
								    .addr = CODE + n / 17 % 64 * 4096,
								    .fetches = 3 };
		b->event[b->events++] = (struct lab_event){ .kind = n >> 20 & 1,
							    .addr = AREA + page * 4096 + (n >> 30 & 4095 & ~7ull),
							    .fetches = n >> 13 & 3,
							    .size = 8 };
	}
	return b->events > 0;
}

static const char *stream_error(struct lab_source *source)
{
	(void)source;
	return NULL;
}

static void stream_close(struct lab_source *source)
{
	free(source);
}

static struct lab_source *stream_new(uint64_t seed, uint64_t length)
{
	static const struct lab_source_ops ops = { stream_next, stream_error, stream_close };
	struct stream *s = calloc(1, sizeof(*s));

	*s = (struct stream){ .source.ops = &ops, .state = seed * 77 + 1, .left = length, .processes = 1 };
	return &s->source;
}

/* ---- running ---- */

static void set(struct lab_config *c, const char *assignment)
{
	struct lab_error error = { "" };

	if (!lab_config_assign(c, assignment, &error))
		fail_msg("%s", error.text);
}

/* Runs c, or where length is not 0, random streams of that length. */
static void run(struct lab_config *c, bool plain, uint64_t length, struct lab_result *r)
{
	struct lab_source *source[15];
	struct lab_error error = { "" };
	bool ok;

	memset(r, 0, sizeof(*r));
	c->plain = plain;
	for (unsigned i = 0; length && i < c->hv.vms; i++)
		source[i] = stream_new(c->seed + i, length);
	ok = length ? lab_run_sources(c, source, r, NULL, NULL, &error) : lab_run(c, r, NULL, NULL, &error);
	for (unsigned i = 0; length && i < c->hv.vms; i++)
		lab_source_close(source[i]);
	if (!ok)
		fail_msg("%s, %s, seed %llu: %s", c->workload, c->hv.mechanism, (unsigned long long)c->seed,
			 error.text);
	r->config.plain = false;
}

static bool of_sample(const char *s) { return strstr(s, "priced") || strstr(s, ".high") || strstr(s, "sample."); }

/* The sample changes nothing else; where nothing is in it, all goes through the filter. */
static void compare_unsampled(struct lab_config *c, uint64_t length, const struct lab_result *sampled)
{
	struct lab_result *r = malloc(sizeof(*r));
	const char *name;

	c->machine.data_sample = false;
	run(c, false, length, r);
	c->machine.data_sample = true;
	for (unsigned i = 0; (name = lab_result_name(i)); i++)
		if (!of_sample(name) && lab_result_value(sampled, name) != lab_result_value(r, name))
			fail_msg("%s, seed %llu: a sample changes %s", c->workload, (unsigned long long)c->seed, name);
	free(r);
}

static void compare(struct lab_config *c, uint64_t length)
{
	struct lab_result *fast = malloc(sizeof(*fast)), *plain = malloc(sizeof(*plain));
	const char *name;

	run(c, false, length, fast);
	run(c, true, length, plain);
	for (unsigned i = 0; (name = lab_result_name(i)); i++)
		if (lab_result_value(fast, name) != lab_result_value(plain, name))
			fail_msg("%s under %s, seed %llu: %s is %.17g, plainly %.17g", c->workload, c->hv.mechanism,
				 (unsigned long long)c->seed, name, lab_result_value(fast, name),
				 lab_result_value(plain, name));
	assert_memory_equal(fast, plain, sizeof(*fast));
	compare_unsampled(c, length, fast);
	free(fast);
	free(plain);
}

static const char *const mechanisms[] = { "hv.mmu=native", "hv.mmu=ept", "hv.mmu=shadow", "hv.mmu=vtlb",
					  "hv.mmu=brute" };

static void test_workloads(void **state)
{
	static const char *const workloads[] = {
		"chase:size=512K", "gups:size=1M,updates=2000", "seq:size=256K", "zipf:keys=500,ops=800", "bfs:scale=6",
		"fork:children=2,size=256K", "mmap:ops=20", "ring:switches=60", "faults:size=256K",
		"boot:processes=1,kernel=1M,heap=64K,work=200", "grow:size=2M,step=64K,ops=600",
	};

	(void)state;
	for (unsigned w = 0; w < ARRAY_SIZE(workloads); w++) {
		for (unsigned i = 0; i < ARRAY_SIZE(mechanisms); i++) {
			struct lab_config c;

			lab_config_init(&c);
			set(&c, mechanisms[i]);
			snprintf(c.workload, sizeof(c.workload), "%s", workloads[w]);
			if (w & 1)
				set(&c, "guest.pages=2m");
			if (w >= 8)
				set(&c, "guest.pti=on");
			if (w & 2)
				set(&c, "hv.pages=4k");
			compare(&c, 0);
		}
	}
}

/* A heap that grows gets no large page when it is touched, so only khugepaged can make them: all of them, and nearly
 * all walks are saved. */
static void test_grown(void **state)
{
	struct lab_result *small = malloc(sizeof(*small)), *large = malloc(sizeof(*large));
	struct lab_config c;

	(void)state;
	lab_config_init(&c);
	set(&c, "workload=grow:size=12M,ops=300K");
	set(&c, "guest.pages=2m");
	set(&c, "guest.khugepaged=0");
	run(&c, false, 0, small);
	set(&c, "guest.khugepaged_period=5K");
	set(&c, "guest.khugepaged=2");
	run(&c, false, 0, large);
	assert_int_equal(small->os.os_collapsed, 0);
	assert_int_equal(small->os.os_pages_2m, 0);
	assert_int_equal(large->os.os_collapsed, 6);
	assert_int_equal(large->os.os_pages_2m, 6);
	assert_int_equal(large->os.os_held_2m, 6);
	assert_true(large->cycles_khugepaged == 6 * 2097152 * c.machine.copy_byte_cycles);
	assert_int_equal(small->os.os_small_waiting + small->os.os_small_edge, small->os.os_held_4k -
			 small->os.os_small_file - small->os.os_small_stack);
	assert_true(small->os.os_small_waiting >= 6 * 400);
	assert_true(large->walks * 10 < small->walks);
	free(small);
	free(large);
	set(&c, "workload=grow:size=4M,step=256K,ops=4000");
	set(&c, "guest.khugepaged_period=300");
	for (unsigned i = 0; i < ARRAY_SIZE(mechanisms); i++) {
		set(&c, mechanisms[i]);
		compare(&c, 0);
	}
}

static const char *const choices[][6] = {
	{ "machine.l1d_4k=64/4", "machine.l1d_4k=60/5", "machine.l1d_4k=16/full", "machine.l1d_4k=3/1",
	  "machine.l1d_4k=8/2" },
	{ "machine.l1d_2m=32/4", "machine.l1d_2m=0", "machine.l1d_2m=6/2", "machine.l1d_2m=2/full" },
	{ "machine.l1d_1g=4/full", "machine.l1d_1g=0" },
	{ "machine.l1d_unified=off", "machine.l1d_unified=on" },
	{ "machine.l1i_4k=128/8", "machine.l1i_4k=7/full", "machine.l1i_4k=6/3" },
	{ "machine.l1i_2m=8/full", "machine.l1i_2m=0" },
	{ "machine.l1i_unified=off", "machine.l1i_unified=on" },
	{ "machine.l2=1024/8", "machine.l2=0", "machine.l2=96/12", "machine.l2=1536/12", "machine.l2=25/5" },
	{ "machine.l2_holds=4k+2m", "machine.l2_holds=4k", "machine.l2_holds=4k+2m+1g", "machine.l2_holds=none" },
	{ "machine.l2_1g=0", "machine.l2_1g=16/4" },
	{ "machine.psc_pd=32/4", "machine.psc_pd=0", "machine.psc_pd=9/3" },
	{ "machine.psc_pdpt=4/full", "machine.psc_pdpt=0", "machine.psc_pml4=0" },
	{ "machine.npsc_pd=32/4", "machine.npsc_pd=0", "machine.npsc_pd=5/full", "machine.npsc_pdpt=0" },
	{ "machine.ntlb=32/4", "machine.ntlb=0", "machine.ntlb=3/full" },
	{ "machine.l1_cache=32K/8", "machine.l1_cache=0", "machine.l1_cache=3K/6" },
	{ "machine.l3_cache=8M/16", "machine.l3_cache=0", "machine.l3_cache=24K/12" },
	{ "machine.data_cache=off", "machine.data_cache=off", "machine.data_cache=on" },
	{ "guest.pages=4k", "guest.pages=2m", "guest.pages=1g" },
	{ "hv.pages=4k", "hv.pages=2m", "hv.pages=1g" },
	{ "hv.fragmentation=0", "hv.fragmentation=50%", "hv.fragmentation=1" },
	{ "guest.fragmentation=0", "guest.fragmentation=0.3" },
	{ "hv.vpid=on", "hv.vpid=off" },
	{ "hv.in_sync=off", "hv.in_sync=on" },
	{ "machine.l2_cache=256K/8", "machine.l2_cache=48K/24", "machine.l2_cache=24K/3" },
	{ "guest.pcid=on", "guest.pcid=off" },
	{ "guest.pti=off", "guest.pti=on" },
	{ "guest.global=on", "guest.global=off" },
	{ "guest.levels=4", "guest.levels=5" },
	{ "hv.ept_levels=4", "hv.ept_levels=5" },
	{ "machine.npsc_pml5=0", "machine.npsc_pml5=2/full" },
	{ "hv.exit_period=0", "hv.exit_period=501" },
	{ "guest.tick=0", "guest.tick=997" },
	{ "guest.khugepaged_period=500", "guest.khugepaged=0" },
	{ "hv.table_frames=0", "hv.table_frames=192" },
	{ "warmup=0", "warmup=700" },
	{ "guest.cpus=1", "guest.cpus=1", "guest.cpus=3", "guest.cpus=2" },
	{ "guest.idle=halt", "guest.idle=poll" },
	{ "hv.interrupts=trap", "hv.interrupts=apicv", "hv.interrupts=ipiv" },
	/* Lines of memory have numbers of 32 bits, or more. */
	{ "guest.memory=4G", "guest.memory=1G", "guest.memory=64M", "guest.memory=256G" },
};

/* A machine that nobody built, and everything else by chance. */
static void random_config(struct lab_config *c, uint64_t seed)
{
	uint64_t s = seed * 0x9e3779b97f4a7c15ull;

	lab_config_init(c);
	set(c, "machine.la57=on");
	set(c, "machine.ept_5level=on");
	set(c, mechanisms[seed % ARRAY_SIZE(mechanisms)]);
	for (unsigned i = 0; i < ARRAY_SIZE(choices); i++) {
		unsigned n = 0;

		while (n < 6 && choices[i][n])
			n++;
		set(c, choices[i][chance(&s) % n]);
	}
	c->seed = seed;
	if (seed % ARRAY_SIZE(mechanisms) && chance(&s) & 1 && c->guest.cpus == 1) {
		c->hv.vms = 1 + chance(&s) % 3;
		c->hv.quantum = 100 + chance(&s) % 900;
	}
}

/* So many seeds have whatever memory they choose; among them each mechanism has 256 GBytes. A GByte is set aside for
 * the tables of such a guest, and clearing that takes longer than all the rest. */
#define LARGE_MEMORY_SEEDS 40

static void test_random(void **state)
{
	const char *runs = getenv("LAB_RANDOM_RUNS");
	unsigned n = runs ? (unsigned)atoi(runs) : 100;

	(void)state;
	for (unsigned seed = 1; seed <= n; seed++) {
		struct lab_config c;

		random_config(&c, seed);
		if (seed > LARGE_MEMORY_SEEDS && c.guest.memory > 4ull << 30)
			set(&c, "guest.memory=4G");
		compare(&c, 2500);
	}
}

static void test_again(void **state)
{
	struct lab_result *a = malloc(sizeof(*a)), *b = malloc(sizeof(*b));
	struct lab_config c;

	(void)state;
	random_config(&c, 7);
	run(&c, false, 4000, a);
	run(&c, false, 4000, b);
	assert_memory_equal(a, b, sizeof(*a));
	c.seed++;
	run(&c, false, 4000, b);
	assert_true(a->walks != b->walks || a->references != b->references);
	free(a);
	free(b);
}

/* ---- as it was ---- */

static void test_golden(void **state)
{
	static const struct {
		const char *mechanism;
		uint64_t walks, references, exits, flag_updates;
	} golden[] = {
		{ "hv.mmu=native", 13459, 30246, 0, 807 },
		{ "hv.mmu=ept", 20374, 67375, 2937, 807 },
		{ "hv.mmu=shadow", 26689, 65791, 15129, 0 },
	};
	struct lab_result *r = malloc(sizeof(*r));

	(void)state;
	for (unsigned i = 0; i < ARRAY_SIZE(golden); i++) {
		struct lab_config c;

		lab_config_init(&c);
		set(&c, golden[i].mechanism);
		set(&c, "hv.pages=4k");
		set(&c, "machine.l1i_4k=128/8");
		run(&c, false, 20000, r);
		if (r->walks != golden[i].walks || r->references != golden[i].references ||
		    r->exits_all != golden[i].exits || r->flag_updates != golden[i].flag_updates)
			fail_msg("%s: { %llu, %llu, %llu, %llu } (if that is meant, write it down here)",
				 golden[i].mechanism, (unsigned long long)r->walks, (unsigned long long)r->references,
				 (unsigned long long)r->exits_all, (unsigned long long)r->flag_updates);
	}
	free(r);
}

/* ---- the laws are checked, and refuse a wrong account ---- */

static void test_laws(void **state)
{
	struct lab_result *r = malloc(sizeof(*r));
	struct lab_config c;
	uint64_t *const counts[] = { &r->walks,
				     &r->references,
				     &r->accesses,
				     &r->retries,
				     &r->l1_hits[0],
				     &r->walks_faulted,
				     &r->guest_references[1][2],
				     &r->psc_hits[2],
				     &r->npsc_hits[0],
				     &r->exits_all };

	(void)state;
	lab_config_init(&c);
	run(&c, false, 3000, r);
	for (unsigned i = 0; i < ARRAY_SIZE(counts); i++) {
		struct lab_error error = { "" };

		assert_true(lab_result_check(r, &error));
		++*counts[i];
		assert_false(lab_result_check(r, &error));
		assert_non_null(strstr(error.text, "the account is wrong"));
		--*counts[i];
	}
	r->cycles_kernel += r->cycles_most * 1e-6;
	assert_false(lab_result_check(r, NULL));
	free(r);
}

static void test_refusals(void **state)
{
	static const char *const impossible[][2] = {
		{ "machine.preset=penryn", "has no EPT" }, { "hv.mmu=npt", "npt cannot run on this" },
		{ "guest.levels=5", "5-level" },	   { "hv.ept_levels=5", "no EPT tables of five levels" },
		{ "hv.ept_levels=3", "must be 4 or 5" },   { "hv.vms=16", "hv.vms" },
		{ "guest.memory=3M", "guest.memory" },	   { "machine.l1d_4k=0", "machine.l1d_4k" },
		{ "hv.quantum=0", "hv.quantum" },	   { "workload=nothing", "nothing" },
		{ "machine.walkers=0", "walkers" },	   { "guest.cpus=0", "guest.cpus must be from 1 to 8" },
		{ "guest.cpus=9", "must be from 1 to 8" }, { "guest.idle=mwait", "it takes halt or poll" },
		{ "hv.interrupts=avic", "it takes trap, apicv or ipiv" },
	};

	(void)state;
	for (unsigned i = 0; i < ARRAY_SIZE(impossible); i++) {
		struct lab_error error = { "" };
		struct lab_result r;
		struct lab_config c;

		lab_config_init(&c);
		set(&c, impossible[i][0]);
		assert_false(lab_run(&c, &r, NULL, NULL, &error));
		if (!strstr(error.text, impossible[i][1]))
			fail_msg("%s: %s", impossible[i][0], error.text);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_golden),	  cmocka_unit_test(test_again), cmocka_unit_test(test_laws),
		cmocka_unit_test(test_refusals),  cmocka_unit_test(test_grown), cmocka_unit_test(test_random),
		cmocka_unit_test(test_workloads),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
