/* The actors, the points at which one gives way to another, and what they wait for. */
#include "test/oracle/weave_inside.h"

#include <stdlib.h>
#include <string.h>

#include "test/fiber.h"

/* Of a table that is emptied, who tries all points tries that many. */
#define STORES_IN_A_ROW 4

/* ---- from stack to stack ---- */

static void arrived(struct weave *b, void *fake, bool from_driver)
{
	const void *bottom;
	size_t size;

	if (fiber_arrive(fake, &bottom, &size) && from_driver) {
		b->driver_bottom = bottom;
		b->driver_size = size;
	}
}

static bool from_driver;

/* The world's notes on the step under way are each actor's own. */
static void go_to(struct weave *b, struct actor *to)
{
	struct actor *from = b->now;

	from->by_host = b->w->by_host;
	from->accessing = b->w->accessing;
	b->w->by_host = to->by_host;
	b->w->accessing = to->accessing;
	b->now = to;
	from_driver = false;
	if (b->w->c.halves && !b->watch)
		gm_settle_halves(&b->w->vm[0], b->w->c.halves);
	fiber_leave(&from->fake, to->stack, WEAVE_STACK_SIZE);
	fiber_switch(&from->stands, to->stands);
	arrived(b, from->fake, from_driver);
}

static void go_to_driver(struct weave *b)
{
	struct actor *from = b->now;

	weave_quiet(b->w, true);
	b->now = NULL;
	fiber_leave(from->done ? NULL : &from->fake, b->driver_bottom, b->driver_size);
	fiber_switch(&from->stands, b->driver);
	arrived(b, from->fake, true);
}

/* ---- who may come ---- */

static bool in_instruction(const struct vcpu *v) { return v->stage == STAGE_ENTERING || v->stage == STAGE_WALKING; }

static bool all_parked(const struct weave *b, const struct actor *but)
{
	for (unsigned i = 0; i < b->actors; i++) {
		const struct actor *a = &b->actor[i];

		if (a != but && !a->done && a->waits != WAIT_THAW && a->waits != WAIT_CPU && a->waits != WAIT_ALONE)
			return false;
	}
	return true;
}

bool weave_all_quiet(const struct weave *b)
{
	bool quiet = !b->locked && !b->alone;

	for (unsigned i = 0; i < b->actors; i++)
		quiet &= !in_instruction(b->actor[i].v) && !b->actor[i].v->pending &&
			 !b->actor[i].v->mmu.beside;
	return quiet;
}

/* WV2 */
bool weave_may_come(const struct weave *b, const struct actor *a)
{
	if (a->done)
		return false;
	switch (a->waits) {
	case WAIT_NONE:
		return true;
	case WAIT_LOCK:
		return !b->locked;
	case WAIT_OUT:
		return !in_instruction(a->on);
	case WAIT_CPU:
		return !b->cpu[a->v->cpu] && !b->freezing;
	case WAIT_PAGE:
		return !((const struct page *)a->on)->busy;
	case WAIT_THAW:
		return !b->freezing;
	case WAIT_FROZEN:
		return all_parked(b, a);
	case WAIT_ALONE:
		/* Who is alone may have to enter its guest, which waits for the thaw. */
		return !b->freezing && weave_all_quiet(b);
	case WAIT_WORD:
		return *(const bool *)a->on;
	case WAIT_FLAG:
		return !*(const bool *)a->on;
	}
	return false;
}

static unsigned others(struct weave *b, struct actor *list[VCPUS])
{
	unsigned n = 0, from = (unsigned)(b->now - b->actor);

	for (unsigned i = 1; i < b->actors; i++) {
		struct actor *a = &b->actor[(from + i) % b->actors];

		if (weave_may_come(b, a))
			list[n++] = a;
	}
	return n;
}

/* ---- the choice ---- */

static const struct choice *given(const struct weave *b, unsigned actor, uint32_t point)
{
	const struct schedule *s = b->schedule;

	for (size_t i = 0; i < s->givens; i++)
		if (s->given[i].round == b->round && s->given[i].actor == actor && s->given[i].point == point)
			return &s->given[i];
	return NULL;
}

static void note(struct choice *list, size_t *count, size_t room, struct choice c)
{
	if (list && *count < room)
		list[*count] = c;
	*count += 1;
}

/* NULL: the actor goes on. WV1. */
static struct actor *choose(struct weave *b, enum point kind, bool must)
{
	struct schedule *s = b->schedule;
	struct actor *a = b->now, *to, *list[VCPUS];
	unsigned self = (unsigned)(a - b->actor), n;
	const struct choice *g = s->givens ? given(b, self, a->points) : NULL;
	uint64_t r = mix(s->seed ^ (uint64_t)b->round << 40 ^ (uint64_t)self << 32 ^ a->points);
	struct choice c = { .round = b->round, .point = a->points, .actor = (uint8_t)self, .kind = (uint8_t)kind };
	bool by_chance = s->kinds && (must || ((s->kinds >> kind & 1) && r % s->rate == 0));

	n = must || by_chance || g ? others(b, list) : 0;
	if (!n)
		return NULL;
	to = by_chance ? list[(r >> 32) % n] : must ? list[0] : NULL;
	for (unsigned i = 0; g && i < n; i++)
		if (list[i] == &b->actor[g->to])
			to = list[i];
	if (to) {
		c.to = (uint8_t)(to - b->actor);
		note(s->taken, &s->takens, s->room, c);
	}
	return to;
}

/* Of those who are not done, by bit: who can come, and who waits. */
static unsigned who_can(const struct weave *b, unsigned *waited)
{
	unsigned can = 0;

	*waited = 0;
	for (unsigned i = 0; i < b->actors; i++) {
		if (weave_may_come(b, &b->actor[i]))
			can |= 1u << i;
		if (!b->actor[i].done && b->actor[i].waits != WAIT_NONE)
			*waited |= 1u << i;
	}
	return can;
}

/* Whoever is to be tried comes. */
static void ask(struct weave *b, enum point kind)
{
	unsigned waited, can;
	int who;

	if (b->w->c.halves)
		gm_settle_halves(&b->w->vm[0], b->w->c.halves);
	b->watch->quiet(true);
	if (b->w->failed)
		go_to_driver(b);
	b->now->points++;
	b->now->stores = kind == POINT_STORE ? b->now->stores + 1 : 0;
	can = who_can(b, &waited);
	who = b->watch->go(b->watch->ctx, can, waited, b->now->stores > STORES_IN_A_ROW);
	if (!can)
		fail(b->w, "nobody can go on: all wait for each other");
	if (who < 0)
		go_to_driver(b);
	if (&b->actor[who] != b->now) {
		b->turns++;
		TRACE("   -> vcpu %d\n", who);
		go_to(b, &b->actor[who]);
	}
	if (b->w->failed)
		go_to_driver(b);
	b->watch->quiet(false);
}

void weave_pass(struct weave *b, enum point kind, bool must)
{
	struct actor *to;

	if (b->watch) {
		ask(b, kind);
		return;
	}

	if (b->w->failed)
		go_to_driver(b);
	b->now->points++;
	to = choose(b, kind, must);
	if (!to && must)
		fail(b->w, "nobody can go on: all wait for each other");
	if (!to && must)
		go_to_driver(b);
	if (!to)
		return;
	b->turns++;
	TRACE("   -> vcpu %u\n", (unsigned)(to - b->actor));
	go_to(b, to);
	/* Others failed meanwhile: what they have left is in no state to go on with. */
	if (b->w->failed)
		go_to_driver(b);
}

/* ---- actors ---- */

/* WV4 */
static void take_cpu(struct weave *b)
{
	weave_wait(b, WAIT_CPU, NULL);
	b->cpu[b->now->v->cpu] = b->now;
}

static void give_cpu(struct weave *b) { b->cpu[b->now->v->cpu] = NULL; }

void weave_migrate(struct vcpu *v, unsigned cpu)
{
	struct weave *b = v->vm->world->weave;

	if (v->cpu == cpu)
		return;
	if (b->now)
		give_cpu(b);
	v->cpu = cpu;
	if (b->now)
		take_cpu(b);
}

static void act(struct weave *b)
{
	struct actor *a = b->now;

	for (unsigned i = 0; i < a->part.steps; i++) {
		take_cpu(b);
		if (!b->watch)
			weave_point(b->w, POINT_STEP);
		weave_come_out(a->v);
		b->todo(a->v, &a->part.step[i]);
		b->w->by_host = false;
		b->w->accessing = NULL;
		give_cpu(b);
		if (b->w->failed)
			go_to_driver(b);
	}
}

static bool all_done(const struct weave *b)
{
	bool was = weave_quiet(b->w, true), all = true;

	for (unsigned i = 0; i < b->actors; i++)
		all &= b->actor[i].done;
	weave_quiet(b->w, was);
	return all;
}

/* The stack that it begins on was just left for. */
static struct weave *beginning;

static void actor_main(void)
{
	struct weave *b = beginning;
	struct actor *list[VCPUS];

	arrived(b, NULL, from_driver);
	if (b->watch)
		b->watch->quiet(false);
	for (;;) {
		act(b);
		b->now->done = true;
		if (b->watch ? !all_done(b) : others(b, list) > 0)
			weave_pass(b, POINT_STEP, true);
		else
			go_to_driver(b);
	}
}

static void prepare(struct weave *b, unsigned i, const struct part *part)
{
	struct actor *a = &b->actor[i];

	a->part = *part;
	a->done = false;
	a->waits = WAIT_NONE;
	a->points = a->stores = 0;
	a->by_host = false;
	a->accessing = NULL;
	a->v = &b->w->vm[0].vcpu[i];
	a->v->kicked = false;
	a->v->pending = NULL;
	a->stands = fiber_make(a->stack, WEAVE_STACK_SIZE, actor_main);
}

void weave_round(struct world *w, uint32_t round, struct schedule *s, const struct part *parts)
{
	struct weave *b = w->weave;
	unsigned first = s->seed ? mix(s->seed + round) % b->actors : 0;

	b->schedule = s;
	b->round = round;
	b->locked = b->freezing = NULL;
	b->alone = 0;
	memset(b->cpu, 0, sizeof(b->cpu));
	memset(b->said, 0, sizeof(b->said));
	for (unsigned i = 0; i < b->actors; i++)
		prepare(b, i, &parts[i]);
	beginning = b;
	weave_quiet(w, true);
	if (b->watch)
		first = (unsigned)b->watch->go(b->watch->ctx, (1u << b->actors) - 1, 0, false);
	b->now = &b->actor[first];
	from_driver = true;
	fiber_leave(&b->driver_fake, b->now->stack, WEAVE_STACK_SIZE);
	fiber_switch(&b->driver, b->now->stands);
	arrived(b, b->driver_fake, false);
	b->now = NULL;
	if (b->watch) {
		b->watch->quiet(false);
		return;
	}
	for (unsigned i = 0; i < b->actors && !w->failed; i++)
		if (!b->actor[i].done)
			fail(w, "nobody can go on: all wait for each other");
}

void (*weave_stored)(void *ctx, bool to_guest);
void (*weave_beside)(void *ctx);
void *weave_stored_ctx;

struct weave *weave_make(struct world *w)
{
	struct weave *b = calloc(1, sizeof(*b));

	BUG_ON(!b);
	b->w = w;
	b->actors = w->c.vcpus;
	for (unsigned i = 0; i < b->actors; i++) {
		b->actor[i].stack = malloc(WEAVE_STACK_SIZE);
		BUG_ON(!b->actor[i].stack);
		b->actor[i].v = &w->vm[0].vcpu[i];
	}
	w->weave = b;
	w->phys.watch = weave_walk;
	w->phys.watch_ctx = w;
	weave_stored = weave_stored_to;
	weave_beside = weave_beside_step;
	weave_stored_ctx = w;
	return b;
}

void weave_watch(struct weave *b, const struct watcher *watch) { b->watch = b->w->watch = watch; }

void weave_set(struct weave *b, weave_do *todo) { b->todo = todo; }

void weave_free(struct weave *b)
{
	weave_stored = NULL;
	weave_beside = NULL;
	b->w->phys.watch = NULL;
	b->w->weave = NULL;
	for (unsigned i = 0; i < b->actors; i++)
		free(b->actor[i].stack);
	free(b);
}
