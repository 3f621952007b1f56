/* Crossings: short sequences of two vCPUs, in every order in which one may come in the middle of the other's steps. */
#include "test/oracle/explore/crossings.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "mmu/mechanisms.h"
#include "test/caps.h"
#include "test/oracle/explore/acts.h"
#include "test/oracle/explore/explore.h"
#include "test/oracle/weave_inside.h"

/* ---- one run ---- */

struct run {
	const struct crossing *c;
	struct config config;
	struct schedule s;
	struct explore *x;
	struct watcher watch;
	struct world *w;
	uint64_t most;  /* executions; 0: as many as there are */
	bool finished;
	struct explore_count count;
};

/* What no step's doing depends on: what is counted, and what each actor has of its own while it runs (go_to). */
static void leave_out(struct world *w)
{
	footprint_forget_ranges();
	footprint_leave_out(&w->account, sizeof(w->account), true);
	footprint_leave_out(&w->now, sizeof(w->now), false);
	footprint_leave_out(&w->by_host, sizeof(w->by_host), false);
	footprint_leave_out(&w->accessing, sizeof(w->accessing), false);
	footprint_leave_out(&w->stepping, sizeof(w->stepping), false);
	footprint_leave_out(&w->storing, sizeof(w->storing), false);
	footprint_leave_out(&w->vm[0].before, sizeof(struct mmu_counters), false);
	footprint_leave_out(&w->vm[0].mmu.counters, sizeof(struct mmu_counters), false);
	for (unsigned i = 0; i < w->c.vcpus; i++)
		footprint_leave_out(&w->vm[0].vcpu[i].mmu.counters, sizeof(struct mmu_counters), false);
	for (unsigned i = 0; i < CPUS; i++)
		footprint_leave_out(&w->cpu[i].stats, sizeof(w->cpu[i].stats), false);
}

#define DRIVER_STACK (1u << 20)

static bool set_up(struct run *r)
{
	struct world *w = world_make(&r->config);

	r->w = w;
	if (!w)
		return false;
	weave_set(weave_make(w), acts_do);
	weave_watch(w->weave, &r->watch);
	leave_out(w);
	for (unsigned i = 0; i < w->c.vcpus; i++)
		footprint_private(w->weave->actor[i].stack, WEAVE_STACK_SIZE);
	footprint_private((char *)__builtin_frame_address(0) - DRIVER_STACK, 2 * DRIVER_STACK);
	for (unsigned k = 0; k < CPUS; k++)
		m_cpu_seed(&w->cpu[k], 7 + k);
	acts_begin(w, r->c);
	return !w->failed;
}

static void run_once(void *ctx)
{
	struct run *r = ctx;
	const struct crossing *c = r->c;
	struct world *w = r->w;
	struct part part[VCPUS] = { { c->part[0], acts_length(c->part[0], PART_MOST) },
				     { c->part[1], acts_length(c->part[1], PART_MOST) } };

	uint64_t state = 0;

	undo_begin();
	weave_round(w, 0, &r->s, part);
	explore_over(r->x);
	if (explore_whole(r->x)) {
		state = acts_state(w);
		if (!w->failed)
			check_audit(w);
		if (!w->failed)
			acts_look_at_all(w);
	}
	if (w->failed)
		return;
	undo_all();
	if (explore_whole(r->x))
		explore_note(r->x, state);
}

static void tell(const struct run *r, const char *why)
{
	printf("FAILED: mechanism %s, seed 0, step 0: %s%s\n  %s\n", r->config.ops->name, r->c->name,
	       r->config.mmu.vpid ? "" : ", without VPID", why);
	for (size_t i = 0, n = 1; explore_step(r->x, i) >= 0; i++, n++)
		if (explore_step(r->x, i) != explore_step(r->x, i + 1)) {
			printf("  %zu steps of vCPU %d\n", n, explore_step(r->x, i));
			n = 0;
		}
}

/* FP2: behind all runs the world is as it was before the first, but for what is counted. */
static void check_undone(struct world *w, struct world *began)
{
	began->account = w->account;
	if (memcmp(began, w, sizeof(*w)) != 0)
		fail(w, "what a run wrote was not undone");
	free(began);
}

static void all_runs(void *ctx)
{
	struct world *began = malloc(sizeof(*began));
	struct run *r = ctx;

	BUG_ON(!began);
	if (!set_up(r)) {
		free(began);
		return;
	}
	memcpy(began, r->w, sizeof(*began));
	while (!r->w->failed && !r->finished && (!r->most || r->count.executions < r->most)) {
		r->finished = !explore_next(r->x);
		if (!r->finished)
			run_once(r);
		r->count = explore_count(r->x);
	}
	if (r->w->failed)
		free(began);
	else
		check_undone(r->w, began);
}

static int go(void *ctx, unsigned enabled, unsigned waited, bool in_a_row)
{
	return explore_go(ctx, enabled, waited, in_a_row);
}

static bool explore(struct run *r)
{
	char why[800];
	bool ok;

	acts_forget();
	r->watch = (struct watcher){ .go = go, .touch = footprint_touch, .quiet = footprint_quiet, .ctx = r->x };
	ok = run_guarded(all_runs, r, why);
	if (ok && r->w && r->w->failed) {
		ok = false;
		memcpy(why, r->w->why, sizeof(why));
	}
	if (!ok)
		tell(r, why);
	if (ok && r->w) {
		weave_free(r->w->weave);
		world_free(r->w);
		free(r->w);
	}
	return ok;
}

/* ---- all of them ---- */

static struct config config_of(const struct mmu_ops *ops, bool vpid)
{
	struct config c = config_from_seed(0, ops);

	c.caps = caps_all();
	c.caps.maxphyaddr = 39;
	c.caps.pku = c.caps.pcid = false;
	c.caps.ept_ad = vpid; /* without, walks of tables are no writes to them */
	c.caps.pml = vpid;
	if (ops == &mmu_npt)
		caps_be_amds(&c.caps);
	c.mmu = (struct mmu_config){ .page_limit = PAGE_LIMIT_2M, .vpid = vpid };
	c.vms = 1;
	c.vcpus = 2;
	c.cpus = 3;
	c.races = c.big_ram = c.refusing = c.starved = c.wide = c.top = c.linear = c.blocks = c.touching = false;
	c.adversarial = false; /* what is cached is used, whenever it is wanted */
	c.switching = true;
	c.mode_fixed = true;
	c.mode = X_4LEVEL;
	return c;
}

/* What came of all of one mechanism's. */
struct sum { uint64_t executions, pruned, plain; unsigned tried, finished; };

/* In every order; where those are too many, also in all orders with one change that nobody has to wait for. */
static bool cross(struct run *r, bool each, struct sum *sum)
{
	struct run plain = { .c = r->c, .config = r->config, .x = explore_make_plain(1) };
	const char *how = r->config.mmu.vpid ? "" : ", without VPID";
	bool ok;

	r->x = explore_make(EXPLORE_RIGHT);
	ok = explore(r) && (r->finished || !r->w || explore(&plain));
	explore_free(r->x);
	explore_free(plain.x);
	sum->executions += r->count.executions;
	sum->pruned += r->count.pruned;
	sum->plain += plain.count.executions;
	sum->tried++;
	sum->finished += r->finished;
	if (each)
		printf("%-7s %7llu executions, %4llu pruned, at most %3llu steps, %s: %s%s\n", r->config.ops->name,
		       (unsigned long long)r->count.executions, (unsigned long long)r->count.pruned,
		       (unsigned long long)r->count.steps_most, r->finished ? "exhaustive" : "cut off", r->c->name,
		       how);
	return ok;
}

bool crossings(const struct mmu_ops *ops, const char *only, uint64_t most, bool each)
{
	struct sum sum = { 0 };
	bool ok = true;

	for (unsigned i = 0; i < crossing_count && ok; i++)
		for (unsigned vpid = 0; vpid < 2 && ok; vpid++) {
			struct run r = { .c = &crossing_all[i], .config = config_of(ops, vpid),
					 .most = i < CROSSINGS_SHORT ? 0 : most };

			if (only && !strstr(crossing_all[i].name, only))
				continue;
			r.config.halves = acts_halves(&crossing_all[i]);
			ok = cross(&r, each, &sum);
		}
	printf("%-7s %llu executions, %llu pruned: %u of %u crossings exhaustive; %llu executions of the others with "
	       "at most 1 change\n", ops->name, (unsigned long long)sum.executions, (unsigned long long)sum.pruned,
	       sum.finished, sum.tried, (unsigned long long)sum.plain);
	return ok;
}

/* Is each state that the plain search finds found by the other, too? */
static bool found(const struct explore *plain, const struct explore *reduced)
{
	size_t n, m, k = 0;
	const uint64_t *s = explore_states(plain, &n), *t = explore_states(reduced, &m);

	for (size_t i = 0; i < n; i++) {
		while (k < m && t[k] < s[i])
			k++;
		if (k == m || t[k] != s[i])
			return false;
	}
	return n > 1;
}

bool crossing_compare(const struct mmu_ops *ops, const char *name, unsigned changes, enum explore_fault fault)
{
	struct run plain = { .config = config_of(ops, false), .x = explore_make_plain(changes) };
	struct run reduced = { .config = plain.config, .x = explore_make(fault) };
	size_t n, m;
	bool ok;

	for (unsigned i = 0; i < crossing_count; i++)
		if (strcmp(crossing_all[i].name, name) == 0)
			plain.c = reduced.c = &crossing_all[i];
	BUG_ON(!plain.c);
	ok = explore(&plain) && explore(&reduced) && found(plain.x, reduced.x);
	explore_states(plain.x, &n);
	explore_states(reduced.x, &m);
	if (!fault)
		printf("%-7s %10llu executions with at most %u change%s end in %zu states, the %llu of the reduced "
		       "search in %zu, which %s these: %s\n", ops->name, (unsigned long long)plain.count.executions,
		       changes, changes == 1 ? "" : "s", n, (unsigned long long)reduced.count.executions, m,
		       ok ? "hold" : "DO NOT HOLD", name);
	explore_free(plain.x);
	explore_free(reduced.x);
	return ok;
}
