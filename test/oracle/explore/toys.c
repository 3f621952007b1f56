/* Programs of two actors, so small that every interleaving of theirs can be made: what the explorer makes of them is
 * what there is. And what the compiler tells of an access is what was accessed. */
#include "test/oracle/explore/crossings.h"

#include <stdlib.h>
#include <string.h>

#include "test/oracle/explore/explore.h"

enum toy_op { TOY_END, TOY_READ, TOY_WRITE, TOY_ADD, TOY_LOCK, TOY_UNLOCK, TOY_HEAR };

#define OPS_MOST 6u
#define VARIABLES 3u

struct toy_step { uint8_t op, at; };
struct toy { struct toy_step step[EXPLORE_ACTORS][OPS_MOST + 1]; };

struct toy_state {
	uint64_t value[VARIABLES];
	uint8_t locked;
	uint64_t got[EXPLORE_ACTORS];
	unsigned at[EXPLORE_ACTORS];
};

/* ---- how one runs ---- */

static const struct toy_step *next_step(const struct toy *t, const struct toy_state *s, unsigned who)
{
	return &t->step[who][s->at[who]];
}

/* Does it wait for the lock, or for a variable that is not 0? */
static bool waits(const struct toy_step *p) { return p->op == TOY_LOCK || p->op == TOY_HEAR; }

static bool can(const struct toy_state *s, const struct toy_step *p)
{
	return p->op == TOY_LOCK ? !s->locked : p->op == TOY_HEAR ? s->value[p->at] != 0 : p->op != TOY_END;
}

/* What steps of toys touch is told by them. */
static uint64_t cells[VARIABLES + 1];

static void do_toy(const struct toy *t, struct toy_state *s, unsigned who)
{
	const struct toy_step *p = next_step(t, s, who);
	bool lock = p->op == TOY_LOCK || p->op == TOY_UNLOCK, reads = p->op == TOY_READ || p->op == TOY_HEAR;
	uint64_t *v = &s->value[p->at];

	footprint_touch(&cells[lock ? VARIABLES : p->at], 8, !reads);
	if (reads || p->op == TOY_ADD)
		s->got[who] = mix(s->got[who] ^ *v);
	if (p->op == TOY_WRITE)
		*v = 1 + who + 2 * s->at[who];
	if (p->op == TOY_ADD)
		*v += 3 + who;
	if (lock)
		s->locked = p->op == TOY_LOCK;
	s->at[who]++;
}

static uint64_t state_of(const struct toy_state *s)
{
	uint64_t h = s->locked;

	for (unsigned i = 0; i < VARIABLES; i++)
		h = mix(h ^ s->value[i]);
	for (unsigned i = 0; i < EXPLORE_ACTORS; i++)
		h = mix(h ^ s->got[i] ^ (uint64_t)s->at[i] << 56);
	return h;
}

/* ---- by the explorer ---- */

static void run_toy(struct explore *x, const struct toy *t)
{
	struct toy_state s = { 0 };
	int who = 0;

	while (who >= 0 && (next_step(t, &s, 0)->op || next_step(t, &s, 1)->op)) {
		unsigned enabled = 0, waited = 0;

		for (unsigned i = 0; i < EXPLORE_ACTORS; i++) {
			enabled |= (unsigned)can(&s, next_step(t, &s, i)) << i;
			waited |= (unsigned)waits(next_step(t, &s, i)) << i;
		}
		who = explore_go(x, enabled, waited, false);
		if (who >= 0)
			do_toy(t, &s, (unsigned)who);
	}
	explore_over(x);
	if (explore_whole(x))
		explore_note(x, state_of(&s));
}

/* ---- by making every interleaving ---- */

struct plain {
	const struct toy *t;
	struct explore *traces, *states; /* sets */
	uint8_t order[2 * OPS_MOST];
};

static bool toys_depend(const struct toy_step *a, const struct toy_step *b)
{
	bool lock_a = a->op == TOY_LOCK || a->op == TOY_UNLOCK, lock_b = b->op == TOY_LOCK || b->op == TOY_UNLOCK;
	bool read_a = a->op == TOY_READ || a->op == TOY_HEAR, read_b = b->op == TOY_READ || b->op == TOY_HEAR;

	if (lock_a || lock_b)
		return lock_a && lock_b;
	return a->at == b->at && !(read_a && read_b);
}

/* Which of those that depend on each other came first is all that there is to a trace. */
static uint64_t trace_of(const struct plain *p, unsigned steps)
{
	unsigned place[EXPLORE_ACTORS][OPS_MOST + 1], n[EXPLORE_ACTORS] = { 0, 0 };
	uint64_t h = steps;

	for (unsigned i = 0; i < steps; i++)
		place[p->order[i]][n[p->order[i]]++] = i;
	for (unsigned i = 0; i < n[0]; i++)
		for (unsigned k = 0; k < n[1]; k++)
			if (toys_depend(&p->t->step[0][i], &p->t->step[1][k]))
				h = mix(h ^ (i << 8 | k << 4 | (place[0][i] < place[1][k])));
	return h;
}

static void make_all(struct plain *p, struct toy_state s, unsigned steps)
{
	bool any = false;

	for (unsigned who = 0; who < EXPLORE_ACTORS; who++) {
		struct toy_state then = s;

		if (!can(&s, next_step(p->t, &s, who)))
			continue;
		any = true;
		p->order[steps] = (uint8_t)who;
		do_toy(p->t, &then, who);
		make_all(p, then, steps + 1);
	}
	if (any)
		return;
	explore_note(p->traces, trace_of(p, steps));
	explore_note(p->states, state_of(&s));
}

/* ---- the one against the other ---- */

static bool same(const struct explore *a, const struct explore *b)
{
	size_t n, m;
	const uint64_t *s = explore_states(a, &n), *t = explore_states(b, &m);

	return n == m && (!n || memcmp(s, t, n * sizeof(*s)) == 0);
}

/* As many runs as traces, and the same states. known: so many; 0: as many as there are. */
static bool try_toy(const struct toy *t, enum explore_fault fault, size_t known, size_t *traces)
{
	struct plain p = { .t = t, .traces = explore_make(EXPLORE_RIGHT), .states = explore_make(EXPLORE_RIGHT) };
	struct explore *x = explore_make(fault);
	bool right;

	make_all(&p, (struct toy_state){ 0 }, 0);
	while (explore_next(x))
		run_toy(x, t);
	explore_states(p.traces, traces);
	right = explore_count(x).executions == *traces && same(x, p.states) && (!known || *traces == known);
	explore_free(x);
	explore_free(p.traces);
	explore_free(p.states);
	return right;
}

#define R(at) { TOY_READ, at }
#define W(at) { TOY_WRITE, at }
#define LOCK { TOY_LOCK, 0 }
#define UNLOCK { TOY_UNLOCK, 0 }

static const struct { struct toy toy; size_t traces; } known[] = {
	{ { { { W(0), W(0), W(0) }, { W(1), W(1), W(1) } } }, 1 },
	{ { { { R(0), R(0), R(0) }, { R(0), R(0) } } }, 1 },
	{ { { { W(0) }, { R(0), R(0) } } }, 3 },
	{ { { { W(0), W(0) }, { W(0), W(0) } } }, 6 },
	{ { { { W(0), W(0), W(0) }, { W(0), W(0), W(0) } } }, 20 },
	{ { { { W(0), R(1) }, { W(1), R(0) } } }, 4 - 1 },
	{ { { { LOCK, W(0), W(0), UNLOCK }, { LOCK, W(0), W(0), UNLOCK } } }, 2 },
	{ { { { LOCK, W(0), UNLOCK, R(1) }, { W(1), LOCK, W(0), UNLOCK } } }, 3 },
	{ { { { W(0), W(1) }, { { TOY_HEAR, 0 }, R(1) } } }, 2 },
};

/* Steps at random, of which some are done with the lock held. */
static struct toy toy_random(uint64_t *random)
{
	struct toy t = { 0 };

	for (unsigned who = 0; who < EXPLORE_ACTORS; who++) {
		uint64_t r = next_random(random);
		unsigned from = r >> 8 & 3, to = from + 1 + (r >> 12 & 3);

		for (unsigned i = 0; i < OPS_MOST - (r >> 16 & 1); i++) {
			uint64_t q = next_random(random);

			t.step[who][i] = (struct toy_step){ (uint8_t)(TOY_READ + q % 3), (uint8_t)(q >> 8 & 1) };
			if (r & 1 && i == from && to < OPS_MOST - 1)
				t.step[who][i].op = TOY_LOCK;
			if (r & 1 && i == to && to < OPS_MOST - 1)
				t.step[who][i].op = TOY_UNLOCK;
		}
	}
	return t;
}

#define TOYS 400u

/* false: something is not as it is. */
static bool all_toys(enum explore_fault fault, size_t *traces)
{
	uint64_t random = 1;
	size_t n;

	*traces = 0;
	for (unsigned i = 0; i < ARRAY_SIZE(known); i++)
		if (!try_toy(&known[i].toy, fault, known[i].traces, &n)) {
			if (!fault)
				printf("FAILED: toy %u has %zu traces and should have %zu, or they are not explored\n",
				       i, n, known[i].traces);
			return false;
		}
	for (unsigned i = 0; i < TOYS; i++) {
		struct toy t = toy_random(&random);

		if (!try_toy(&t, fault, 0, &n)) {
			if (!fault)
				printf("FAILED: toy %u at random, of %zu traces, is not explored\n", i, n);
			return false;
		}
		*traces += n;
	}
	return true;
}

/* ---- what the compiler tells ---- */

struct one { uint64_t v; };
struct probe { uint64_t word, many[40]; struct one one; uint8_t byte; };

static __attribute__((noinline)) struct one one_of(uint64_t v) { return (struct one){ v + 1 }; }

static bool told(void)
{
	static struct probe to, from, before;
	static uint64_t atomic;
	struct footprint f = { 0 };
	bool right;

	before = to;
	undo_begin();
	footprint_record(true);
	to.word = from.word + 1;
	to.byte++;
	to.one = one_of(from.word);
	memcpy(to.many, from.many, sizeof(to.many));
	__atomic_exchange_n(&atomic, 7, __ATOMIC_SEQ_CST);
	footprint_record(false);
	footprint_take(&f);
	right = footprint_holds(&f, &to.word, 8, true) && footprint_holds(&f, &from.word, 8, false) &&
		footprint_holds(&f, &to.byte, 1, true) && footprint_holds(&f, &to.one, sizeof(to.one), true) &&
		footprint_holds(&f, to.many, sizeof(to.many), true) &&
		footprint_holds(&f, from.many, sizeof(from.many), false) && footprint_holds(&f, &atomic, 8, true) &&
		!footprint_holds(&f, &from.byte, 1, false);
	footprint_free(&f);
	undo_all();
	return right && memcmp(&to, &before, sizeof(to)) == 0 && !atomic;
}

bool toys(void)
{
	size_t traces, n;

	if (!told()) {
		printf("FAILED: what was accessed is not told, or not undone\n");
		return false;
	}
	/* From here on they tell themselves. */
	footprint_quiet(true);
	if (!all_toys(EXPLORE_RIGHT, &traces))
		return false;
	for (enum explore_fault fault = EXPLORE_RIGHT + 1; fault < EXPLORE_FAULTS; fault++)
		if (all_toys(fault, &n)) {
			printf("FAILED: fault %d of the explorer is not seen\n", (int)fault);
			return false;
		}
	footprint_quiet(false);
	printf("%u programs of two actors, %zu traces: each made once, the states as of every interleaving; %u faults "
	       "of the explorer seen\n", TOYS, traces, (unsigned)EXPLORE_FAULTS - 1);
	return true;
}
