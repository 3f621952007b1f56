/* Dynamic partial-order reduction for two actors. */
#include "test/oracle/explore/explore.h"

#include <stdlib.h>
#include <string.h>

#include "lib/base.h"

#define STEPS_MOST 4096u

/* Where a step began. */
struct node {
	uint8_t enabled, waited; /* by actor */
	uint8_t todo, done;      /* who is to be tried from here, who was, the present one excepted */
	uint8_t sleep;           /* who need not be: it is the same as where it was tried before */
	uint8_t actor;
	unsigned changes;        /* before it, that nobody had to wait for */
	/* what each did, or was found to do before, from here */
	struct footprint own[EXPLORE_ACTORS];
	const struct footprint *print[EXPLORE_ACTORS];
	/* behind its step: how many steps of each come before it, in every run that is the same */
	uint32_t clock[EXPLORE_ACTORS];
};

struct explore {
	struct node node[STEPS_MOST];
	size_t steps, given; /* of the run; so many of them are as they were, the last one excepted */
	size_t last[EXPLORE_ACTORS], before_last; /* each one's last step, + 1 */
	bool given_up, begun, whole;
	enum explore_fault fault;
	bool plain;
	unsigned changes;        /* the most */
	uint64_t *state;
	size_t states, room;
	struct explore_count count;
};

struct explore *explore_make(enum explore_fault fault)
{
	struct explore *x = calloc(1, sizeof(*x));

	BUG_ON(!x);
	x->fault = fault;
	return x;
}

struct explore *explore_make_plain(unsigned changes)
{
	struct explore *x = explore_make(EXPLORE_RIGHT);

	x->plain = true;
	x->changes = changes;
	return x;
}

void explore_free(struct explore *x)
{
	for (size_t i = 0; i < STEPS_MOST; i++)
		for (unsigned k = 0; k < EXPLORE_ACTORS; k++)
			footprint_free(&x->node[i].own[k]);
	free(x->state);
	free(x);
}

bool explore_whole(const struct explore *x) { return x->whole; }

struct explore_count explore_count(const struct explore *x) { return x->count; }

int explore_step(const struct explore *x, size_t n) { return n < x->steps ? x->node[n].actor : -1; }

void explore_note(struct explore *x, uint64_t state)
{
	size_t i = x->states;

	while (i && x->state[i - 1] > state)
		i--;
	if (i && x->state[i - 1] == state)
		return;
	if (x->states == x->room) {
		x->room = x->room ? 2 * x->room : 64;
		x->state = realloc(x->state, x->room * sizeof(*x->state));
		BUG_ON(!x->state);
	}
	memmove(&x->state[i + 1], &x->state[i], (x->states - i) * sizeof(*x->state));
	x->state[i] = state;
	x->states++;
}

const uint64_t *explore_states(const struct explore *x, size_t *count)
{
	*count = x->states;
	return x->state;
}

/* Do steps depend on each other? */
static bool depend(const struct explore *x, const struct footprint *a, const struct footprint *b)
{
	return footprint_conflict(a, b, x->fault == EXPLORE_WRITES_ONLY);
}

bool explore_next(struct explore *x)
{
	if (!x->begun) {
		x->begun = true;
		return true;
	}
	while (x->steps) {
		struct node *n = &x->node[x->steps - 1];
		unsigned left;

		n->done |= 1u << n->actor;
		left = n->todo & n->enabled & ~n->done & ~n->sleep;
		if (left) {
			n->actor = (uint8_t)__builtin_ctz(left);
			x->given = x->steps;
			x->steps = 0;
			return true;
		}
		x->steps--;
	}
	return false;
}

/* Is a step of the other's, which the i-th depends on, to be tried behind it? DR2, DR3. */
static void find_races(struct explore *x, size_t i)
{
	struct node *n = &x->node[i];
	unsigned b = n->actor, a = !b;
	uint32_t known = n->clock[a];
	bool found = false;

	for (size_t j = i; j--;) {
		struct node *m = &x->node[j];

		if (m->actor != a)
			continue;
		if (m->clock[a] <= known)
			return;
		if (!depend(x, m->print[a], n->print[b]))
			continue;
		if (!found)
			n->clock[a] = m->clock[a];
		found = true;
		if (m->enabled >> b & 1)
			m->todo |= 1u << b;
		if (!(n->waited >> b & 1) || x->fault == EXPLORE_LAST_ONLY)
			return;
	}
}

/* The run's last step has ended. */
static void end_step(struct explore *x)
{
	const struct node *before = x->before_last ? &x->node[x->before_last - 1] : NULL;
	size_t i = x->steps - 1;
	struct node *n;

	if (!x->steps || x->steps < x->given || x->plain)
		return;
	n = &x->node[i];
	footprint_record(false);
	footprint_take(&n->own[n->actor]);
	n->print[n->actor] = &n->own[n->actor];
	for (unsigned k = 0; k < EXPLORE_ACTORS; k++)
		n->clock[k] = before ? before->clock[k] : 0;
	n->clock[n->actor]++;
	find_races(x, i);
}

/* Who was tried where the last step began, and does nothing that depends on that step, sleeps on. */
static void begin_node(struct explore *x, struct node *n)
{
	const struct node *before = x->steps ? &x->node[x->steps - 1] : NULL;

	n->todo = n->done = n->sleep = 0;
	n->changes = before ? before->changes : 0;
	if (x->plain)
		return;
	for (unsigned k = 0; before && k < EXPLORE_ACTORS; k++) {
		if (k == before->actor || !((before->sleep | before->done) >> k & 1))
			continue;
		if (x->fault != EXPLORE_SLEEPS_ON && depend(x, before->print[k], before->print[before->actor]))
			continue;
		n->sleep |= 1u << k;
		n->print[k] = before->print[k];
	}
}

/* Without reduction. The first comes for nothing. */
static unsigned all_of(const struct explore *x, const struct node *n, bool dull)
{
	return x->plain && !dull && (!x->steps || n->changes < x->changes) ? n->enabled : 0;
}

/* Who came last goes on where it can. */
static int choose(struct explore *x, struct node *n, bool dull)
{
	unsigned can = n->enabled & ~n->sleep;
	unsigned last = x->steps ? x->node[x->steps - 1].actor : 0;

	if (!can)
		return n->enabled ? EXPLORE_GIVE_UP : EXPLORE_STUCK;
	n->actor = can >> last & 1 ? (uint8_t)last : (uint8_t)__builtin_ctz(can);
	n->todo = (uint8_t)(1u << n->actor | all_of(x, n, dull));
	return n->actor;
}

int explore_go(struct explore *x, unsigned enabled, unsigned waited, bool dull)
{
	struct node *n = &x->node[x->steps];
	int who;

	BUG_ON(x->steps == STEPS_MOST);
	end_step(x);
	if (x->steps < x->given) {
		BUG_ON(n->enabled != enabled || n->waited != waited);
	} else {
		begin_node(x, n);
		n->enabled = (uint8_t)enabled;
		n->waited = (uint8_t)waited;
		who = choose(x, n, dull);
		if (who < 0) {
			x->given_up = who == EXPLORE_GIVE_UP;
			return who;
		}
	}
	if (x->steps && n[-1].actor != n->actor && enabled >> n[-1].actor & 1)
		n->changes = n[-1].changes + 1;
	x->before_last = x->last[n->actor];
	x->last[n->actor] = ++x->steps;
	if (x->steps >= x->given && !x->plain)
		footprint_record(true);
	return n->actor;
}

void explore_over(struct explore *x)
{
	if (!x->given_up)
		end_step(x);
	footprint_record(false);
	if (x->given_up)
		x->count.pruned++;
	else
		x->count.executions++;
	if (x->steps > x->count.steps_most)
		x->count.steps_most = x->steps;
	x->whole = !x->given_up;
	x->given_up = false;
	memset(x->last, 0, sizeof(x->last));
}
