/* What actors wait for, and what they are told at their points. */
#include "mmu/lock.h"
#include "mmu/mutate.h"
#include "test/oracle/weave_inside.h"

/* WV3: who was kicked comes out where its instruction ends. */
void weave_come_out(struct vcpu *v)
{
	if (v->kicked && v->stage == STAGE_INSIDE)
		leave(v);
}

void weave_touch(struct world *w, const void *at, size_t size, bool write)
{
	if (weave_exact(w))
		w->watch->touch(at, size, write);
}

void weave_occupies(struct world *w, const struct m_cpu *cpu, bool change)
{
	if (weave_exact(w) && cpu)
		weave_touch(w, &w->weave->occupied[cpu - w->cpu], 1, change);
}

void weave_changed(struct world *w, uint64_t word)
{
	if (weave_exact(w))
		weave_touch(w, &w->weave->changed[word % WORDS_OF_TABLE], 1, true);
}

void weave_searched(struct world *w, uint64_t word)
{
	if (weave_exact(w))
		weave_touch(w, &w->weave->changed[word % WORDS_OF_TABLE], 1, false);
}

void weave_marked(const struct vcpu *v, uint64_t va)
{
	enum x_mode mode = x_mode(&v->regs);

	for (unsigned level = 1; weave_exact(v->vm->world) && mode != X_NONE && level <= 5; level++)
		if (level <= x_top(mode))
			weave_searched(v->vm->world, (uint64_t)x_index(mode, level, va) * x_entry_size(mode) / 8);
}

void weave_marked_all(struct world *w)
{
	if (weave_exact(w))
		weave_touch(w, w->weave->changed, sizeof(w->weave->changed), false);
}

void weave_written(struct world *w, uint64_t gfn)
{
	if (weave_exact(w))
		weave_touch(w, &w->weave->written[gfn % WORDS_OF_TABLE], 1, true);
}

void weave_collected(struct world *w)
{
	if (weave_exact(w))
		weave_touch(w, w->weave->written, sizeof(w->weave->written), false);
}

void weave_point(struct world *w, enum point kind)
{
	struct weave *b = w->weave;

	if (b && b->now && !b->alone)
		weave_pass(b, kind, false);
}

void weave_wait(struct weave *b, enum wait what, const void *on)
{
	struct actor *a = b->now;

	a->waits = what;
	a->on = on;
	/* Whoever tries every order has to know of what is waited for before the step begins that needs it. */
	if (b->watch)
		weave_pass(b, POINT_STEP, false);
	while (!weave_may_come(b, a))
		weave_pass(b, POINT_STEP, true);
	a->waits = WAIT_NONE;
}

/* ---- the lock, kicks, entries ---- */

/* Whether it is, only who asks can change. */
static bool mine(const struct weave *b)
{
	bool was = weave_quiet(b->w, true), is = b->locked == b->now;

	weave_quiet(b->w, was);
	return is;
}

void weave_lock(struct world *w, struct vm *vm)
{
	struct weave *b = w->weave;

	if (!b->now)
		return;
	if (mine(b))
		fail(w, "the VM's lock is taken twice");
	if (!b->watch)
		weave_point(w, POINT_LOCK);
	weave_wait(b, WAIT_LOCK, vm);
	b->locked = b->now;
}

void weave_unlock(struct world *w, struct vm *vm)
{
	struct weave *b = w->weave;

	(void)vm;
	if (!b->now)
		return;
	if (!mine(b))
		fail(w, "the VM's lock is released by who has not taken it");
	b->locked = NULL;
	weave_point(w, POINT_UNLOCK);
}

bool weave_holds(struct world *w)
{
	return w->weave && w->weave->now ? mine(w->weave) : w->vm[0].locked || w->vm[1].locked;
}

/* As below_kick of the hypervisor: whoever is not in its guest is not waited for. */
void weave_kick(struct world *w, struct vcpu *v)
{
	struct weave *b = w->weave;

	if (!b->now) {
		leave(v);
		return;
	}
	weave_point(w, POINT_KICK);
	if (v->stage == STAGE_OUT)
		return;
	v->kicked = true;
	MUTANT(KICK_WAIT, weave_wait(b, WAIT_OUT, v));
	if (v->in && v->stage == STAGE_INSIDE)
		leave(v);
}

static bool out_of_date(const struct vcpu *v)
{
	return v->mmu.intercepts_changed || v->mmu.root_changed || tag_work_pending(&v->mmu, v->cpu);
}

static void catch_up(struct vcpu *v)
{
	v->entering = true;
	mmu_enter(&v->mmu, v->cpu);
	v->entering = false;
	load_controls(v);
}

/* RL2 of vm/run.c: it is said to be in its guest before the last look at what was requested. */
bool weave_enter(struct vcpu *v)
{
	struct world *w = v->vm->world;
	struct weave *b = w->weave;

	weave_come_out(v);
	while (!v->in && !w->failed) {
		if (b->now && b->freezing && b->freezing != b->now)
			weave_wait(b, WAIT_THAW, NULL);
		MUTANT(ENTRY_SAID, v->stage = STAGE_ENTERING);
		v->kicked = false;
		weave_point(w, POINT_ENTRY);
		if (out_of_date(v)) {
			v->stage = STAGE_OUT;
			catch_up(v);
			if (!MUTANT_OR(ENTRY_LOOK, false))
				continue;
		}
		weave_point(w, POINT_ENTRY);
		if (!enter_now(v))
			return false;
		weave_come_out(v);
	}
	v->since = w->now;
	v->turns = b->turns;
	if (w->accessing == v)
		weave_marked(v, v->last_va);
	return !w->failed;
}

bool weave_undisturbed(const struct vcpu *v)
{
	const struct weave *b = v->vm->world->weave;

	if (weave_exact(v->vm->world))
		return !spec_changed_since(v);
	return !b || v->turns == b->turns;
}

/* The CPU in the guest is about to read an entry. */
void weave_walk(void *ctx)
{
	struct world *w = ctx;
	struct weave *b = w->weave;

	if (!b->now || b->now->v->stage != STAGE_INSIDE)
		return;
	b->now->v->stage = STAGE_WALKING;
	weave_point(w, POINT_WALK);
	b->now->v->stage = STAGE_INSIDE;
}

/* ---- what else is waited for ---- */

void weave_wait_page(struct world *w, struct page *p)
{
	if (w->weave && w->weave->now)
		weave_wait(w->weave, WAIT_PAGE, p);
}

void weave_alone(struct world *w)
{
	struct weave *b = w->weave;

	if (!b || !b->now)
		return;
	if (!b->alone)
		weave_wait(b, WAIT_ALONE, NULL);
	b->alone++;
}

void weave_together(struct world *w)
{
	if (w->weave && w->weave->now)
		w->weave->alone--;
}

bool weave_try_alone(struct world *w)
{
	struct weave *b = w->weave;

	if (!b || !b->now)
		return true;
	/* Who happens to be quiet depends on more than the order of what matters. */
	if (b->watch)
		return false;
	if (!b->alone && !weave_all_quiet(b))
		return false;
	b->alone++;
	return true;
}

void weave_freeze(struct world *w)
{
	struct weave *b = w->weave;

	if (!b || !b->now)
		return;
	while (b->freezing)
		weave_wait(b, WAIT_THAW, NULL);
	b->freezing = b->now;
	weave_wait(b, WAIT_FROZEN, NULL);
}

void weave_thaw(struct world *w)
{
	if (w->weave && w->weave->now)
		w->weave->freezing = NULL;
}

void weave_say(struct world *w, unsigned what) { w->weave->said[what % 8] = true; }

void weave_hear(struct world *w, unsigned what)
{
	if (w->weave->now)
		weave_wait(w->weave, WAIT_WORD, &w->weave->said[what % 8]);
}

struct m_cpu *weave_cpu(struct world *w)
{
	struct weave *b = w->weave;

	return b->now ? &w->cpu[b->now->v->cpu] : NULL;
}

uint64_t weave_turns(const struct world *w) { return w->weave->turns; }

bool weave_beside_now(const struct world *w)
{
	for (const struct mmu_vcpu *v = w->vm[0].mmu.vcpus; v; v = v->next)
		if (mmu_is_beside(v))
			return true;
	return false;
}

/* With the lock, and alone, unless all that others look at is their own; guest memory, with the lock. A fault that is
 * served beside: an entry of its vCPU's own tables. */
static bool may_store(const struct weave *b, bool to_guest)
{
	const struct mmu_vm *vm = &b->w->vm[0].mmu;

	if (mine(b))
		return to_guest || vm->ops->own_tables || !weave_beside_now(b->w);
	return mmu_is_beside(&b->now->v->mmu) && vm->ops->own_tables;
}

void weave_stored_to(void *ctx, bool to_guest)
{
	struct world *w = ctx;
	struct weave *b = w->weave;

	for (unsigned i = 0; to_guest && i < b->actors; i++)
		if (!b->now || b->now == &b->actor[i])
			gm_settle(b->actor[i].v);

	if (!b->now)
		return;
	if (!may_store(b, to_guest))
		fail(w, "what others look at is stored to by who is neither alone nor beside others");
	weave_point(w, POINT_STORE);
}

void weave_beside_step(void *ctx) { weave_point(ctx, POINT_BESIDE); }

void weave_wait_while(struct world *w, const bool *flag)
{
	if (w->weave && w->weave->now)
		weave_wait(w->weave, WAIT_FLAG, flag);
	else if (*flag)
		fail(w, "nobody will end what is waited for");
}
