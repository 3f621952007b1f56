/* lab/work/work.h - what the built-in workloads share: their parameters, random numbers, and how they write events.
 *
 * A workload is a generator: step() writes the events of its next operation, at most WORK_STEP_EVENTS of them, until it
 * says that it is done. The last process does not exit: what it has mapped is still there when the run is accounted
 * for.
 *
 * W1: the stream depends on the parameters and the seed alone.
 * W2: memory does not grow with the heap that is pretended: what would be a big array is a function, such as a
 *     permutation of a few rounds. (bfs keeps a bit and four bytes a vertex.) */
#ifndef VELLUM_LAB_WORK_H
#define VELLUM_LAB_WORK_H

#include <stddef.h>

#include "lab/machine/event.h"

enum { WORK_KEYS = 12, WORK_STEP_EVENTS = 160, WORK_STEP_CALLS = 12 };

/* Where things are in a workload's process. */
#define WORK_CODE 0x400000ull
#define WORK_HEAP 0x010000000000ull
#define WORK_STACK 0x7ffffffde000ull
enum { WORK_CODE_PAGES = 32, WORK_STACK_BYTES = 132 << 10, WORK_FILE_CODE = 1, WORK_FILE_LIBRARY = 2 };

struct work;
struct work_kind {
	const char *name;
	unsigned state;                 /* bytes of its own */
	/* Checks the parameters and writes the beginning of the stream. */
	bool (*begin)(struct work *w, struct lab_error *error);
	bool (*step)(struct work *w);   /* false: done */
	void (*end)(struct work *w);    /* frees what begin() made; may be NULL */
};

struct work {
	struct lab_source source; /* first */
	const struct work_kind *kind;
	uint64_t param[WORK_KEYS]; /* in the order of the keys in lab_workloads */
	uint64_t seed, limit, made;
	uint64_t random[2];
	struct lab_batch *batch;
	unsigned until_call;       /* operations until the main loop calls something elsewhere */
	uint64_t at;               /* work_touch_all: what comes next */
	bool done;
	void *state;
};

/* ---- writing events ---- */

static inline void work_event(struct work *w, struct lab_event e)
{
	w->batch->event[w->batch->events++] = e;
	w->made += lab_event_accesses(&e);
}

void work_call(struct work *w, struct lab_call call);
/* Code runs at page `page` of the program: `count` instructions. */
void work_run(struct work *w, unsigned page, unsigned count);
void work_fetch(struct work *w, uint64_t addr, unsigned count); /* ... anywhere */
/* One that reaches into the next page. */
void work_access_two(struct work *w, enum lab_kind kind, uint64_t addr, unsigned size, unsigned count);
/* An access, and `count` instructions of the same code after it. */
static inline void work_access(struct work *w, enum lab_kind kind, uint64_t addr, unsigned size, unsigned count)
{
	if ((addr & 0xfff) + size > 4096)
		work_access_two(w, kind, addr, size, count);
	else
		work_event(w, (struct lab_event){
				      .addr = addr, .kind = kind, .size = (uint8_t)size, .fetches = count });
}
/* The program's own overhead in an operation: now and then its main loop calls a function on another page. */
void work_overhead(struct work *w);
/* Maps the program and its stack in the process that runs. */
void work_program(struct work *w);
void work_map(struct work *w, uint64_t addr, uint64_t bytes, unsigned flags);
/* Writes to the next pages of the heap, of so many bytes, so that they are there before the account begins; true when
 * all are. */
bool work_touch_all(struct work *w, uint64_t bytes);

/* ---- random things (lab/work/random.c) ---- */

uint64_t work_mix(uint64_t x);
void work_seed(struct work *w);
uint64_t work_random(struct work *w);
/* Below n, without a division. n up to 2^63. */
uint64_t work_below(struct work *w, uint64_t n);

/* A permutation of [0, n), n up to 2^62: a generalised Feistel network over a rectangle that is hardly larger than
 * n. */
struct permutation {
	uint64_t n, columns, rows, key;
};
struct permutation permutation_make(uint64_t n, uint64_t key);
uint64_t permutation_at(const struct permutation *p, uint64_t i);

/* Zipf: rank 0 the most frequent (Gray et al., "Quickly Generating Billion-Record Synthetic Databases", 1994). */
struct zipf {
	uint64_t n;
	double theta, alpha, zeta, eta, half;
};
struct zipf zipf_make(uint64_t n, double theta);
uint64_t zipf_next(const struct zipf *z, struct work *w);

extern const struct work_kind work_chase, work_gups, work_seq, work_zipf, work_bfs, work_fork, work_mmap, work_ring,
	work_faults, work_boot, work_grow;

#endif
