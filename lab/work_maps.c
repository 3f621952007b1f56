/* lab/work_maps.c - workloads that keep the kernel's memory management busy: mmap, faults. */
#include <stdlib.h>

#include "lab/work.h"

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
			work_call(w, (struct lab_call){ .kind = LAB_MUNMAP, .addr = base, .length = c->pages[place] << 12 });
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
	if (!work_touch_all(w, WORK_HEAP, bytes))
		return true;
	w->at = 0;
	s->pass++;
	s->mapped = w->param[2] != 0;
	if (s->mapped)
		work_call(w, (struct lab_call){ .kind = LAB_MADVISE, .addr = WORK_HEAP, .length = bytes, .prot = LAB_ADVICE_DONTNEED });
	else
		work_call(w, (struct lab_call){ .kind = LAB_MUNMAP, .addr = WORK_HEAP, .length = bytes });
	work_run(w, 0, 4);
	return true;
}

const struct work_kind work_faults = { "faults", sizeof(struct storm), faults_begin, faults_step, NULL };
