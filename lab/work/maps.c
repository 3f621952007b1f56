/* lab/work/maps.c - workloads that keep the kernel's memory management busy: mmap, faults, grow. */
#include <stdlib.h>

#include "lab/work/work.h"

/* ---- mmap: ops, live, size. Places for regions lie 64 times the average apart, and are taken by turns. */

struct churn {
	uint64_t *pages; /* of the region in each place; 0: none */
	uint64_t op, page;
	bool started;
};

static bool mmap_begin(struct work *w, struct lab_error *error)
{
	struct churn *c = w->state;

	if (!w->param[1] || w->param[1] > 1 << 16 || w->param[2] < 4096 || w->param[2] > 1ull << 30)
		return lab_fail(error, "mmap takes 1 to 65536 live regions of 4K to 1G bytes");
	c->pages = calloc(w->param[1], sizeof(*c->pages));
	return c->pages || lab_fail(error, "no memory");
}

static void mmap_end(struct work *w) { free(((struct churn *)w->state)->pages); }

static bool mmap_step(struct work *w)
{
	struct churn *c = w->state;
	uint64_t place = c->op % w->param[1], base = WORK_HEAP + place * ((2 * w->param[2] + 4095) & ~4095ull);

	if (!c->started) {
		work_call(w, (struct lab_call){ .kind = LAB_SWITCH });
		work_program(w);
		c->started = true;
		return true;
	}
	if (c->op == w->param[0])
		return false;
	if (!c->page) {
		if (c->pages[place])
			work_call(w, (struct lab_call){
					     .kind = LAB_MUNMAP, .addr = base, .length = c->pages[place] << 12 });
		c->pages[place] = 1 + work_below(w, 2 * (w->param[2] >> 12) - 1);
		work_map(w, base, c->pages[place] << 12, 0);
		work_run(w, 2, 30);
	}
	for (unsigned i = 0; i < 32 && c->page < c->pages[place]; i++, c->page++) {
		work_access(w, LAB_WRITE, base + (c->page << 12) + work_below(w, 511) * 8, 8, 4);
		work_access(w, LAB_READ, base + (c->page << 12), 8, 6);
	}
	if (c->page == c->pages[place]) {
		c->page = 0;
		c->op++;
		work_overhead(w);
	}
	return true;
}

const struct work_kind work_mmap = { "mmap", sizeof(struct churn), mmap_begin, mmap_step, mmap_end };

/* ---- faults: size, passes, advise ---- */

struct storm {
	uint64_t pass;
	bool mapped, started;
};

static bool faults_begin(struct work *w, struct lab_error *error)
{
	return (w->param[0] >= 4096 && w->param[0] <= 64ull << 40) || lab_fail(error, "faults takes 4K to 64T bytes");
}

static bool faults_step(struct work *w)
{
	struct storm *s = w->state;
	uint64_t bytes = (w->param[0] + 4095) & ~4095ull;

	if (!s->started) {
		work_call(w, (struct lab_call){ .kind = LAB_SWITCH });
		work_program(w);
		s->started = true;
	}
	if (s->pass == w->param[1])
		return false;
	if (!s->mapped) {
		work_map(w, WORK_HEAP, bytes, 0);
		work_run(w, 0, 8);
		s->mapped = true;
		w->at = 0;
	}
	if (!work_touch_all(w, bytes))
		return true;
	w->at = 0;
	s->pass++;
	s->mapped = w->param[2] != 0;
	if (s->mapped)
		work_call(w, (struct lab_call){ .kind = LAB_MADVISE,
						.addr = WORK_HEAP,
						.length = bytes,
						.prot = LAB_ADVICE_DONTNEED });
	else
		work_call(w, (struct lab_call){ .kind = LAB_MUNMAP, .addr = WORK_HEAP, .length = bytes });
	work_run(w, 0, 4);
	return true;
}

const struct work_kind work_faults = { "faults", sizeof(struct storm), faults_begin, faults_step, NULL };

/* ---- grow: size, step, ops. In the first half of the operations the heap grows to its size, a step at a time, each
 * written when it is new; all the time, objects anywhere in what there is are read and changed. So the first page of
 * each 2 MBytes is touched when the heap does not reach to their end: no large page is to be had then. */

struct grown {
	uint64_t op, end; /* bytes of the heap so far */
	bool started;
};

static bool grow_begin(struct work *w, struct lab_error *error)
{
	return (w->param[1] >= 4096 && w->param[1] <= 512 << 10 && w->param[1] % 4096 == 0 &&
		w->param[0] >= w->param[1] && w->param[0] <= 4ull << 40 && w->param[2] >= 2) ||
	       lab_fail(error, "grow takes a size of up to 4T, reached in steps of 4K to 512K, whole pages, and at "
			       "least 2 operations");
}

static void grow_heap(struct work *w, struct grown *g)
{
	uint64_t from = g->end;

	g->end += w->param[1];
	work_call(w, (struct lab_call){ .kind = LAB_BRK, .addr = WORK_HEAP + g->end });
	for (; from < g->end; from += 4096)
		work_access(w, LAB_WRITE, WORK_HEAP + from, 8, 4);
}

static bool grow_step(struct work *w)
{
	struct grown *g = w->state;
	uint64_t steps = w->param[0] / w->param[1], at;

	if (!g->started) {
		work_call(w, (struct lab_call){ .kind = LAB_SWITCH });
		work_program(w);
		work_call(w, (struct lab_call){ .kind = LAB_BRK, .addr = WORK_HEAP });
		g->started = true;
		return true;
	}
	if (g->op == w->param[2])
		return false;
	if (g->end < steps * w->param[1] &&
	    (double)g->op * 2 * (double)steps >= (double)g->end / (double)w->param[1] * (double)w->param[2]) {
		grow_heap(w, g);
		return true;
	}
	g->op++;
	at = WORK_HEAP + work_below(w, g->end / 64) * 64;
	work_access(w, LAB_READ, at, 8, 3);
	work_access(w, LAB_WRITE, at + 8, 8, 5);
	work_overhead(w);
	return true;
}

const struct work_kind work_grow = { "grow", sizeof(struct grown), grow_begin, grow_step, NULL };
