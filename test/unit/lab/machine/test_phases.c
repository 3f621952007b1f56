/* Programs with phases, whose data has no price (machine.data_cache=off): a phase that misses the caches does not fall
 * through the sample, wherever it lies, and the run's range holds the time of the same run with data that has one. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "lab/lab.h"
#include "lab/machine/estimate.h"
#include "lab/machine/machine.h"

#define AREA 0x10000000000ull
#define AREA_BYTES (64ull << 20)
#define CODE 0x400000ull
#define OBJECT 112u /* what an allocation of 100 bytes takes */
#define OBJECTS (AREA_BYTES / OBJECT)

/* A batch holds fewer accesses than those of real programs, so that there are many phases in few. */
enum { BATCH = 512, PHASES = 6 };

enum what {
	SMALL,    /* a loop over 4 KBytes */
	RANDOM,   /* reads at random of 64 MBytes */
	ALLOCATE, /* writes of objects, one after the other, all over the 64 MBytes and again */
	TOUCH     /* of objects at random, each read and written */
};

struct phase {
	enum what what;
	unsigned batches;
};

static const struct phase programs[][PHASES] = {
	{ { SMALL, 1300 }, { RANDOM, 500 } },
	{ { RANDOM, 400 }, { SMALL, 2600 } },
	{ { SMALL, 1150 }, { RANDOM, 700 }, { SMALL, 1000 } },
	{ { RANDOM, 100 }, { SMALL, 40 }, { RANDOM, 60 }, { SMALL, 1500 }, { RANDOM, 600 } },
	{ { ALLOCATE, 600 }, { TOUCH, 1300 } },
	{ { SMALL, 70 }, { RANDOM, 90 } },
	{ { SMALL, 2200 }, { RANDOM, 200 }, { SMALL, 400 }, { RANDOM, 400 }, { SMALL, 100 } },
};

struct phased {
	struct lab_source source; /* first */
	const struct phase *phase;
	unsigned made; /* batches of the phase */
	uint64_t at, random;
	bool begun;
};

static uint64_t next_random(struct phased *p)
{
	p->random = p->random * 6364136223846793005ull + 1442695040888963407ull;
	return p->random >> 33;
}

static void call(struct lab_batch *b, struct lab_call c)
{
	b->event[b->events++] = (struct lab_event){ .kind = LAB_CALL, .addr = b->calls };
	b->call[b->calls++] = c;
}

static void data(struct lab_batch *b, enum lab_kind kind, uint64_t offset)
{
	b->event[b->events++] = (struct lab_event){ .kind = (uint8_t)kind, .addr = AREA + (offset & ~7ull),
						    .fetches = 3, .size = 8 };
}

static void step(struct phased *p, struct lab_batch *b)
{
	uint64_t object;

	p->at++;
	switch (p->phase->what) {
	case SMALL: data(b, LAB_READ, p->at * 8 % 4096); break;
	case RANDOM: data(b, LAB_READ, next_random(p) % AREA_BYTES); break;
	case ALLOCATE: data(b, LAB_WRITE, p->at / 4 % OBJECTS * OBJECT + p->at % 4 * 8); break;
	default:
		object = next_random(p) % OBJECTS * OBJECT;
		data(b, LAB_READ, object);
		data(b, LAB_WRITE, object);
	}
}

static bool phased_next(struct lab_source *source, struct lab_batch *b)
{
	struct phased *p = (struct phased *)(void *)source;

	b->events = b->calls = 0;
	if (!p->phase->batches)
		return false;
	if (!p->begun) {
		call(b, (struct lab_call){ .kind = LAB_SWITCH });
		call(b, (struct lab_call){ .kind = LAB_MMAP, .addr = AREA, .length = AREA_BYTES, .prot = 3 });
		call(b, (struct lab_call){ .kind = LAB_MMAP, .addr = CODE, .length = 4096, .prot = 5, .file = 1 });
		b->event[b->events++] = (struct lab_event){ .kind = LAB_FETCH, .addr = CODE, .fetches = 1 };
	}
	p->begun = true;
	while (b->events < BATCH)
		step(p, b);
	if (++p->made == p->phase->batches) {
		p->made = 0;
		p->phase++;
	}
	return true;
}

static const char *phased_error(struct lab_source *source)
{
	(void)source;
	return NULL;
}

static void phased_close(struct lab_source *source) { (void)source; }

static void run(struct lab_config *c, const struct phase *program, bool priced, struct lab_result *r)
{
	static const struct lab_source_ops ops = { phased_next, phased_error, phased_close };
	struct phased p = { .source.ops = &ops, .phase = program, .random = 1 };
	struct lab_source *source = &p.source;
	struct lab_error error = { "" };

	c->machine.data_cache = priced;
	if (!lab_run_sources(c, &source, r, NULL, NULL, &error))
		fail_msg("%s", error.text);
}

static const char *const machines[][3] = {
	{ "hv.mmu=native", "guest.pages=4k" }, { "hv.mmu=native", "guest.pages=2m" },
	{ "hv.mmu=ept", "guest.pages=4k", "hv.pages=4k" }, { "hv.mmu=ept", "guest.pages=2m", "hv.pages=2m" },
};

static struct lab_config config_of(unsigned machine)
{
	struct lab_config c;
	struct lab_error error = { "" };

	lab_config_init(&c);
	for (unsigned k = 0; k < 3 && machines[machine][k]; k++)
		if (!lab_config_assign(&c, machines[machine][k], &error))
			fail_msg("%s", error.text);
	return c;
}

static void test_range(void **state)
{
	static struct lab_result off, on;

	(void)state;
	for (unsigned p = 0; p < ARRAY_SIZE(programs); p++) {
		for (unsigned i = 0; i < ARRAY_SIZE(machines); i++) {
			struct lab_config c = config_of(i);

			run(&c, programs[p], true, &on);
			run(&c, programs[p], false, &off);
			if (!(off.cycles_low <= on.cycles_estimate && on.cycles_estimate <= off.cycles_high))
				fail_msg("program %u, %s, %s: %.4g to %.4g does not hold %.4g", p, machines[i][0],
					 machines[i][1], off.cycles_low, off.cycles_high, on.cycles_estimate);
			/* By the sample itself, not by a wide error. */
			if (!(off.cycles_priced > 0.97 * on.cycles_estimate &&
			      off.cycles_priced < 1.03 * on.cycles_estimate && off.sample_error < 0.3))
				fail_msg("program %u, %s, %s: the sample says %.4g, it is %.4g", p, machines[i][0],
					 machines[i][1], off.cycles_priced, on.cycles_estimate);
		}
	}
}

int main(void)
{
	static const struct CMUnitTest tests[] = { cmocka_unit_test(test_range) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
