/* lab/work/memory.c - workloads that are all about where in a heap the next access goes: chase, gups, seq, zipf. */
#include "lab/work/work.h"

/* The heap's size must be something that a process can have. */
static bool check_size(uint64_t bytes, struct lab_error *error)
{
	return (bytes >= 4096 && bytes <= 64ull << 40) ||
	       lab_fail(error, "the heap must have between 4K and 64T bytes");
}

/* The stream's first events; the heap is there afterwards, and written where init says so. */
enum phase { START, INIT, MEASURE, RUN };
struct heap {
	enum phase phase;
	uint64_t bytes;
	bool init;
};

/* true: the workload itself is to go on. */
static bool heap_begins(struct work *w, struct heap *h)
{
	switch (h->phase) {
	case START:
		work_call(w, (struct lab_call){ .kind = LAB_SWITCH });
		work_program(w);
		work_map(w, WORK_HEAP, (h->bytes + 4095) & ~4095ull, 0);
		h->phase = h->init ? INIT : RUN;
		return false;
	case INIT:
		if (work_touch_all(w, h->bytes))
			h->phase = MEASURE;
		return false;
	case MEASURE:
		work_call(w, (struct lab_call){ .kind = LAB_MEASURE });
		work_run(w, 0, 1);
		h->phase = RUN;
		return false;
	default:
		return true;
	}
}

static inline bool heap_ready(struct work *w, struct heap *h)
{
	return h->phase == RUN || heap_begins(w, h);
}

/* ---- chase: size, object, passes, init ---- */

struct chase {
	struct heap heap;
	struct permutation order; /* the list's n-th object is at place order(n) */
	uint64_t hop, hops;
};

static bool chase_begin(struct work *w, struct lab_error *error)
{
	struct chase *c = w->state;
	uint64_t object = w->param[1];

	if (!check_size(w->param[0], error))
		return false;
	if (object < 8 || object > w->param[0])
		return lab_fail(error, "an object of chase has at least 8 bytes, and at most all of them");
	c->heap = (struct heap){ .bytes = w->param[0], .init = w->param[3] };
	c->order = permutation_make(w->param[0] / object, w->seed);
	c->hops = c->order.n * w->param[2];
	return true;
}

static bool chase_step(struct work *w)
{
	struct chase *c = w->state;

	if (!heap_ready(w, &c->heap))
		return true;
	if (c->hop == c->hops)
		return false;
	work_access(w, LAB_READ, WORK_HEAP + permutation_at(&c->order, c->hop++ % c->order.n) * w->param[1], 8, 4);
	return true;
}

const struct work_kind work_chase = { "chase", sizeof(struct chase), chase_begin, chase_step, NULL };

/* ---- gups: size, updates, init ---- */

struct gups {
	struct heap heap;
	uint64_t words, update;
};

static bool gups_begin(struct work *w, struct lab_error *error)
{
	struct gups *g = w->state;

	if (!check_size(w->param[0], error))
		return false;
	g->heap = (struct heap){ .bytes = w->param[0], .init = w->param[2] };
	g->words = w->param[0] / 8;
	return true;
}

static bool gups_step(struct work *w)
{
	struct gups *g = w->state;
	uint64_t at;

	if (!heap_ready(w, &g->heap))
		return true;
	if (g->update++ == w->param[1])
		return false;
	at = WORK_HEAP + 8 * work_below(w, g->words);
	work_access(w, LAB_READ, at, 8, 2);
	work_access(w, LAB_WRITE, at, 8, 5);
	return true;
}

const struct work_kind work_gups = { "gups", sizeof(struct gups), gups_begin, gups_step, NULL };

/* ---- seq: size, stride, passes, write, init ---- */

struct seq {
	struct heap heap;
	uint64_t at, pass;
};

static bool seq_begin(struct work *w, struct lab_error *error)
{
	struct seq *s = w->state;

	if (!check_size(w->param[0], error))
		return false;
	if (!w->param[1] || w->param[3] > 100)
		return lab_fail(error, "seq needs a stride of at least 1 and at most 100 percent of writes");
	s->heap = (struct heap){ .bytes = w->param[0], .init = w->param[4] };
	return true;
}

static bool seq_step(struct work *w)
{
	struct seq *s = w->state;
	bool write;

	if (!heap_ready(w, &s->heap))
		return true;
	if (s->pass == w->param[2])
		return false;
	write = w->param[3] && work_below(w, 100) < w->param[3];
	work_access(w, write ? LAB_WRITE : LAB_READ, WORK_HEAP + (s->at & ~7ull), 8, 3);
	s->at += w->param[1];
	if (s->at >= w->param[0]) {
		s->at = 0;
		s->pass++;
	}
	work_overhead(w);
	return true;
}

const struct work_kind work_seq = { "seq", sizeof(struct seq), seq_begin, seq_step, NULL };

/* ---- zipf: keys, value, theta, ops, update, init ---- */

struct store {
	struct heap heap;
	struct zipf zipf;
	struct permutation buckets, places; /* of a key: its bucket, the place of its value */
	uint64_t values, op;                /* where the values begin */
};

static bool zipf_begin(struct work *w, struct lab_error *error)
{
	struct store *s = w->state;
	uint64_t keys = w->param[0], value = w->param[1];

	if (keys < 16 || keys >> 36 || value < 8 || value > 1 << 20 || w->param[2] < 1 || w->param[2] > 99 ||
	    w->param[4] > 100)
		return lab_fail(error, "zipf takes 16 to 64G keys, values of 8 bytes to 1M, theta 1 to 99, and at most "
				       "100 percent of updates");
	s->values = (16 * keys + 4095) & ~4095ull;
	s->heap = (struct heap){ .bytes = s->values + keys * value, .init = w->param[5] };
	s->zipf = zipf_make(keys, (double)w->param[2] / 100);
	s->buckets = permutation_make(keys, w->seed);
	s->places = permutation_make(keys, w->seed + 1);
	return check_size(s->heap.bytes, error);
}

static bool zipf_step(struct work *w)
{
	struct store *s = w->state;
	uint64_t key, at;
	bool write;

	if (!heap_ready(w, &s->heap))
		return true;
	if (s->op++ == w->param[3])
		return false;
	key = zipf_next(&s->zipf, w);
	write = work_below(w, 100) < w->param[4];
	work_run(w, 0, 20);
	work_access(w, LAB_READ, WORK_HEAP + 16 * permutation_at(&s->buckets, key), 16, 6);
	at = WORK_HEAP + s->values + permutation_at(&s->places, key) * w->param[1];
	work_run(w, 1, 4);
	for (uint64_t i = 0; i < w->param[1] && i < 64 * 64; i += 64)
		work_access(w, write ? LAB_WRITE : LAB_READ, at + i,
			    w->param[1] - i < 64 ? (unsigned)(w->param[1] - i) : 64, 3);
	work_overhead(w);
	return true;
}

const struct work_kind work_zipf = { "zipf", sizeof(struct store), zipf_begin, zipf_step, NULL };
