/* vm/live/live.c - moves to another container: begun, told of, called off; whose the next step is, and when. */
#include "vm/live/inside.h"

#include "host/device/lapic.h"
#include "lib/fmt.h"
#include "lib/mutants/mutate.h"
#include "vm/control/control.h"
#include "vm/life/life.h"
#include "vm/memory/memory.h"

struct live_turn live_turn;

struct live live;

/* ---- whose the next step is ---- */

/* LM5: the last that is done in a step. */
static void pass_to(unsigned cpu, uint64_t due)
{
	live_turn.due = due;
	__atomic_store_n(&live_turn.cpu, cpu + 1, __ATOMIC_RELEASE);
	__atomic_store_n(&control_cpus[cpu], true, __ATOMIC_SEQ_CST);
	if (cpu != this_cpu()->id)
		lapic_host_kick(percpu_of(cpu)->apic_id);
}

/* The CPU that makes the next step. */
static unsigned who(void)
{
	switch (live.state) {
	case LIVE_BEGINS: case LIVE_EXPECTS: case LIVE_COPIES: case LIVE_STOPS: case LIVE_RESTS: case LIVE_UNDOES:
		return vm_home(live.from);
	case LIVE_REGISTERS:
		return __atomic_load_n(&live.from->vcpu[live.cpu]->cpu, __ATOMIC_SEQ_CST)->id;
	case LIVE_FOLLOWS:
		return live.to && !live_is_over(live.to) ? vm_home(live.to) : 0;
	default:
		return 0;
	}
}

/* LM4: could any vCPU have this CPU? */
static bool is_busy(const struct percpu *cpu)
{
	const struct vcpu *first = cpu->run_queue, *v = first;

	for (bool more = first; more; more = v != first) {
		if (v->running || schedule_runnable(v))
			return true;
		v = v->ring;
	}
	return false;
}

uint64_t live_pause(const struct percpu *cpu, uint64_t took) { return VM_KEPT(LIVE_SHARE, is_busy(cpu)) ? took : 0; }

/* Does a step of this state, which has not changed, wait for others? */
static bool waits(enum live_state state, bool copied)
{
	switch (state) {
	case LIVE_EXPECTS: case LIVE_COPIES: case LIVE_RESTS: return false;
	case LIVE_FOLLOWS: return live.stuck || !live.to || live_is_over(live.to);
	default: return !copied;
	}
}

/* Where nothing has come of a step it waits for others, who have the CPU meanwhile. */
#define WAIT_TICKS 20000u

static void step(struct percpu *cpu)
{
	uint64_t begin = rdtsc(), pages = live.account.pages, took, pause;
	enum live_state before = live.state;
	unsigned next;

	if (who() != cpu->id) {
		pass_to(who(), 0);
		return;
	}
	live_step();
	if (live.state == LIVE_NONE) {
		__atomic_store_n(&live_turn.cpu, 0, __ATOMIC_RELEASE);
		return;
	}
	took = rdtsc() - begin;
	pause = live_pause(cpu, took);
	if (live.state == before && waits(before, pages != live.account.pages))
		pause = WAIT_TICKS;
	next = who();
	pass_to(next, begin + took + pause);
	if (next == cpu->id && cpu->run_queue && cpu->run_queue->running)
		schedule_arm_running(cpu);
}

static bool get_busy(void) { return !__atomic_exchange_n(&live.busy, true, __ATOMIC_SEQ_CST); }

void live_serve(struct percpu *cpu)
{
	if (likely(__atomic_load_n(&live_turn.cpu, __ATOMIC_ACQUIRE) != cpu->id + 1))
		return;
	if (!get_busy()) {
		__atomic_store_n(&control_cpus[cpu->id], true, __ATOMIC_SEQ_CST);
		return;
	}
	if (__atomic_load_n(&live_turn.cpu, __ATOMIC_ACQUIRE) == cpu->id + 1) {
		if (rdtsc() >= live_turn.due)
			step(cpu);
		else
			__atomic_store_n(&control_cpus[cpu->id], true, __ATOMIC_SEQ_CST);
	}
	__atomic_store_n(&live.busy, false, __ATOMIC_SEQ_CST);
}

/* ---- asked for ---- */

static const char *cannot(const struct vm *vm, const struct mmu_ops *ops, bool follows)
{
	static char why[100];

	if (live.state != LIVE_NONE) {
		fmt(why, sizeof(why), "%s is being moved; one is at a time", machine.place[live.id].config->name);
		return why;
	}
	if (follows && memory_at_once(vm))
		return "its RAM is taken at once (prealloc), and no page of that can follow: --precopy moves it";
	return switch_refused(vm, ops);
}

const char *live_begin(struct vm *vm, const struct mmu_ops *ops, bool follows)
{
	const char *why;
	struct vm *to;

	ops = ops ? ops : vm->mmu.ops;
	why = cannot(vm, ops, follows);
	if (why)
		return why;
	to = vm_create_second(vm, ops);
	if (!to)
		return "there is no memory for another container";
	life_hold(); /* the machine stays up until nothing of it is left */
	live.from = vm;
	live.to = to;
	live.id = vm->id;
	live.any = true;
	live.failed = live.ended = live.cancel = live.stuck = false;
	live.follows = follows;
	live.expected = (struct live_expected){ 0 };
	live.mmu = ops->name;
	live.account = (struct live_account){ .count = 1 };
	live.began = rdtsc();
	if (live_is_over(to) || !live_take_registers(vm)) {
		fmt(live.why, sizeof(live.why), "%s",
		    live_is_over(to) ? to->end_text : "there is no memory for its registers");
		live_drop();
		return live.why;
	}
	live_go_on(LIVE_BEGINS);
	pass_to(vm_home(vm), 0);
	return NULL;
}

const char *live_cancel(const struct vm *vm)
{
	if (live.state == LIVE_NONE || live.id != vm->id)
		return NULL;
	if (live.state == LIVE_FOLLOWS)
		return "it runs in its new container already, and what is left of its memory follows by itself";
	__atomic_store_n(&live.cancel, true, __ATOMIC_RELEASE);
	return NULL;
}

bool live_tell(const struct vm *vm, struct live_told *told)
{
	const struct vm *from = live.from;

	if (!live.any || live.id != vm->id)
		return false;
	*told = (struct live_told){ .state = live.state, .failed = live.failed,
				    .ended = live.ended, .why = live.why, .mmu = live.mmu, .account = live.account };
	if (from && live.state < LIVE_HANDS)
		told->left = from->save.left;
	else if (live.to && live.state == LIVE_FOLLOWS)
		told->left = live_to_follow(live.to);
	return true;
}

bool live_is_double(const struct vm *vm) { return live.id == vm->id && live.from; }

bool live_is_of(const struct vm *vm)
{
	return __atomic_load_n(&live_turn.cpu, __ATOMIC_ACQUIRE) && live.from == vm && live.state < LIVE_ENDS;
}

void live_forget(const struct vm *vm)
{
	vcpu_wait_parked(get_busy); /* a step may wait for this CPU's vCPU (FZ3) */
	if (live.state != LIVE_NONE && live.from == vm) {
		live_fail("it has ended");
		live_drop();
		__atomic_store_n(&live_turn.cpu, 0, __ATOMIC_RELEASE);
	} else if (live.state == LIVE_FOLLOWS && live.to == vm) {
		live_stays_behind(); /* it has been released */
	} else if (live.id == vm->id && !live.ended) {
		live.any = false;
	}
	__atomic_store_n(&live.busy, false, __ATOMIC_SEQ_CST);
}
