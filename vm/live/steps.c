/* vm/live/steps.c - the steps of a move, from the log of the old container to its end. */
#include "vm/live/inside.h"

#include "host/device/console.h"
#include "host/memory/frames.h"
#include "lib/fmt.h"
#include "lib/mutants/mutate.h"
#include "vm/control/control.h"
#include "vm/device/console.h"
#include "vm/life/life.h"
#include "vm/snapshot/snapshot.h"

#define CPU_PAGES 4u /* for the registers of a vCPU */

void live_fail(const char *why)
{
	fmt(live.why, sizeof(live.why), "%s", why);
	live.failed = true;
	live.ended = live_is_over(live.from);
	live_go_on(live_is_over(live.from) ? LIVE_DROPS : LIVE_UNDOES);
}

/* ---- its parts ---- */

static void give_registers(void)
{
	for (unsigned n = 0; n < ARRAY_SIZE(live.registers); n++) {
		if (live.registers[n].bytes)
			VM_MUTANT(LIVE_REGISTERS_FREED,
				  frames_free(frames_of_ptr(live.registers[n].bytes), CPU_PAGES));
		live.registers[n] = (struct live_cpu){ .bytes = NULL };
	}
}

bool live_take_registers(const struct vm *vm)
{
	for (unsigned n = 0; n < vm->vcpu_count; n++) {
		hfn_t f = frames_alloc_run(CPU_PAGES, 1);

		if (hfn_is_none(f))
			return false;
		live.registers[n].bytes = frames_ptr(f);
	}
	return true;
}

static void begin_log(void)
{
	const char *why;

	vm_freeze(live.from);
	why = save_begin_here(live.from, live.follows);
	vm_thaw(live.from);
	if (why)
		live_fail(why);
	else
		live_go_on(live.follows ? LIVE_EXPECTS : LIVE_COPIES);
}

static void expect(void)
{
	if (!live_expect(live.from, live.to, &live.expected))
		live_fail(LIVE_NO_WORDS);
	else if (live.expected.ram == ARRAY_SIZE(live.to->ram))
		live_go_on(LIVE_COPIES);
}

/* Few pages are left, or copying these would leave none of what may be copied for another round, or it has been tried
 * often enough. */
static bool converged(uint64_t left)
{
	return left <= LIVE_FEW || live.account.pages + 2 * left > live.account.used / 2 * LIVE_HALVES ||
	       live.account.rounds >= LIVE_ROUNDS;
}

static void next_round(void)
{
	if (!live.account.rounds)
		live.account.used = live.account.pages;
	live.account.rounds++;
	vm_freeze(live.from);
	save_collect(live.from);
	vm_thaw(live.from);
	if (converged(live.from->save.left))
		live_go_on(LIVE_STOPS);
}

static void copy(enum live_state behind)
{
	if (!live_copy(live.from, live.to, &live.account))
		live_fail(live_is_over(live.to) ? live.to->end_text : "there is no memory for its RAM");
	else if (live.from->save.left)
		return;
	else if (behind == LIVE_STOPS)
		next_round();
	else
		live_go_on(behind);
}

/* SN2. */
static void stop(void)
{
	struct vm *vm = live.from;
	const char *why;

	if (!vm->live.stands) {
		live.stood_from = rdtsc();
		vm_stand(vm, true);
	}
	if (VM_KEPT(LIVE_STANDS, vm_any_runs(vm)) || !save_prepare(vm, &why))
		return;
	live.cpu = 0;
	if (why)
		live_fail(why);
	else
		live_go_on(LIVE_RESTS);
}

static void take_cpu(void)
{
	struct vcpu *v = live.from->vcpu[live.cpu], *before = vcpu_visit(v);
	struct live_cpu *to = &live.registers[live.cpu];

	if (!v->started)
		vcpu_begin(v);
	vcpu_sync_heart(v);
	to->used = save_cpu(v, to->bytes, CPU_PAGES << PAGE_SHIFT);
	vcpu_visited(before);
	if (!to->used)
		live_fail("there is no room for its registers");
	else if (++live.cpu == live.from->vcpu_count)
		live_go_on(LIVE_HANDS);
}

/* ---- the new container takes over ---- */

static void add_account(struct live_account *all, const struct live_account *one)
{
	all->count++;
#define A(name) all->name += one->name;
	LIVE_ACCOUNT(A)
#undef A
	all->longest = max_u64(all->longest, one->stood);
}

/* Other CPUs find its vCPUs when they are kicked because it is not paused any more. */
static void start_machine(struct vm *vm)
{
	struct percpu *self = this_cpu();
	struct vcpu *v;

	for_each_vcpu(v, vm) {
		bool here = v->cpu == self;

		queue_add(v);
		if (here && self->run_queue && self->run_queue->running)
			VM_MUTANT(LIVE_SWITCH, vcpu_note(self->run_queue, REQUEST_SWITCH));
	}
	vm_pause(vm, live.from->live.paused);
	if (vm->id == machine.console)
		platform_console_event(CONSOLE_GUEST);
}

/* Its vCPUs have their last turns, whatever kept them from one. */
static void end_old(struct vm *vm)
{
	struct vcpu *v;

	vm->live.left = true;
	__atomic_store_n(&vm->ended, true, __ATOMIC_RELEASE);
	for_each_vcpu(v, vm)
		VM_MUTANT(LIVE_OLD_STOPS, vcpu_request(v, REQUEST_STOP));
}

/* LM2: it may be over until it is said to be ending, by whoever. */
static void hand(void)
{
	struct vm *from = live.from, *to = live.to;
	const char *why;

	if (VM_KEPT(LIVE_UNASKED, control_is_asked())) /* of one of the old vCPUs */
		return;
	why = live.follows ? live_expect_all(from, to) : NULL;
	why = why ? why : live_fill(from, to, live.registers);
	if (why || live_is_over(to)) {
		live_fail(why ? why : to->end_text);
		return;
	}
	if (__atomic_exchange_n(&from->ending, true, __ATOMIC_SEQ_CST)) {
		live_fail("it has ended");
		return;
	}
	if (live.follows)
		live_leave(from, to);
	live_hand(from, to);
	live.account.stood = rdtsc() - live.stood_from;
	live.account.ticks = rdtsc() - live.began;
	add_account(&to->live.account, &live.account);
	machine.place[live.id].vm = to;
	start_machine(to);
	end_old(from);
	live_go_on(live.follows ? LIVE_FOLLOWS : LIVE_ENDS);
}

/* ---- its memory follows (LM6) ---- */

static void follow(void)
{
	struct vm *to = live.to;
	uint64_t before = live_to_follow(to);
	bool all = live_follow(to);

	live_tally(to, &live.account, all ? rdtsc() - live.began : live.account.ticks);
	live.stuck = !all && live_to_follow(to) == before;
	if (!all)
		return;
	live.to = NULL;
	live_go_on(LIVE_ENDS);
}

void live_stays_behind(void)
{
	if (live.to && VM_LEFT_OUT_OR(LIVE_BEHIND, !__atomic_load_n(&live.to->released, __ATOMIC_ACQUIRE)))
		return;
	live.to = NULL;
	/* Its compressed pages are in the account of who is in its place, which is about to be another, or nobody. */
	VM_MUTANT(LIVE_BEHIND_GIVES, live_give_source(live.from));
	live.failed = live.ended = true;
	fmt(live.why, sizeof(live.why), "%s", "it has ended before all of its memory had come");
	live_go_on(LIVE_ENDS);
}

/* ---- the end ---- */

static void over(void)
{
	give_registers();
	live.from = live.to = NULL;
	live_go_on(LIVE_NONE);
	life_let_go();
}

static void undo(void)
{
	vm_freeze(live.from);
	save_end(live.from);
	vm_thaw(live.from);
	if (live.from->live.stands)
		VM_MUTANT(LIVE_GOES_ON, vm_stand(live.from, false));
	live_go_on(LIVE_DROPS);
}

void live_drop(void)
{
	if (live.to) {
		VM_MUTANT(LIVE_DROPPED, vm_release(live.to));
		vm_free(live.to);
	}
	over();
}

/* As life_forget() for one that nobody finds any more. */
static void end_move(void)
{
	if (!__atomic_load_n(&live.from->released, __ATOMIC_ACQUIRE) || control_is_asked())
		return;
	VM_MUTANT(LIVE_SOURCE_FREED, live_give_source(live.from));
	vm_free(live.from);
	over();
}

/* ---- the steps ---- */

/* Until the new one has taken over. */
static bool spoiled(void)
{
	if (live.state >= LIVE_UNDOES)
		return false;
	if (VM_KEPT(LIVE_OVER, live_is_over(live.from)))
		live_fail("it has ended");
	else if (__atomic_load_n(&live.cancel, __ATOMIC_ACQUIRE))
		live_fail("that was called off");
	else if (VM_KEPT(LIVE_DEBUGGED, live.from->debug.attached))
		live_fail("a debugger is attached to it");
	else if (live_is_over(live.to))
		live_fail(live.to->end_text);
	else
		return false;
	return true;
}

void live_step(void)
{
	if (spoiled())
		return;
	switch (live.state) {
	case LIVE_BEGINS: begin_log(); break;
	case LIVE_EXPECTS: expect(); break;
	case LIVE_COPIES: copy(LIVE_STOPS); break;
	case LIVE_STOPS: stop(); break;
	case LIVE_RESTS: copy(LIVE_REGISTERS); break;
	case LIVE_REGISTERS: take_cpu(); break;
	case LIVE_HANDS: hand(); break;
	case LIVE_UNDOES: live_is_over(live.from) ? live_go_on(LIVE_DROPS) : undo(); break;
	case LIVE_DROPS: live_drop(); break;
	case LIVE_FOLLOWS: live.to && !live_is_over(live.to) ? follow() : live_stays_behind(); break;
	case LIVE_ENDS: end_move(); break;
	case LIVE_NONE: break;
	}
}
