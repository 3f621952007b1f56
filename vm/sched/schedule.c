/* vm/sched/schedule.c - which vCPU runs on a CPU when it has several, how long, and when the host's own affairs have
 * their turn.
 *
 * SC1  Of those that can run, the one for which CPUs have worked least has the next slice: an exit that takes longer
 *      than a slice is paid back by its own vCPU. Who slept is not given what it did not use, but for one slice; nor is
 *      who was paused, or held, or is new.
 * SC2  While a vCPU runs, nobody else's timers interrupt it; they are looked at when its slice ends. So a neighbour
 *      that programs timers without end costs it nothing. (Alone on its CPU it runs until its own timers; the alarm of
 *      one that sleeps comes when it is due, but not before the slice ends.)
 * SC3  The host's interrupts are let in once a slice at the latest: at an exit, by the TSC; where the CPU has a
 *      preemption timer, it makes that exit. A guest may keep them out by exits that follow each other (SDM, "Priority
 *      Among Concurrent Events": interrupts come last), and so may an emulator that masks them while the guest's IF is
 *      0.
 * SC4  What is counted is weighed: a tick is the more for a vCPU the less weight its VM has, and the more of the VM's
 *      vCPUs are awake, so that VMs of the same weight have the same share of what they all want, however many vCPUs
 *      they have.
 * SC5  Who spins gives the CPU away where another vCPU of its VM, which may hold what it waits for, waits for a CPU.
 *      That one is favoured by a slice at most, when its CPU next chooses. Where that is another CPU, whoever waits
 *      here goes before who spins, by a slice at most. */
#include "vm/vm.h"

#include "host/device/disk.h"
#include "host/device/lapic.h"
#include "vm/control/control.h"
#include "vm/life/life.h"
#include "vm/live/live.h"
#include "lib/mutants/mutate.h"

#define SLICES_PER_SECOND 100

void schedule_init(void) { machine.slice = machine.tsc_hz / SLICES_PER_SECOND; }

/* WA4 in vm/memory/swap.h. */
static bool waits_for_area(const struct vcpu *v)
{
	return __atomic_load_n(&machine.swaps_over, __ATOMIC_SEQ_CST) < v->swap_awaited;
}

/* One that is over has its last turn: also one that a device has reset while it slept, or that was paused (RL3 in
 * vm/run.c). */
bool schedule_runnable(const struct vcpu *v)
{
	if (VM_KEPT(LAST_TURN, v->vm->ended))
		return true;
	if (v->debug.held || VM_KEPT(RUN_SWAPPING, waits_for_area(v)))
		return false;
	return VM_LEFT_OUT_OR(RUN_FROZEN, !v->vm->frozen_by) && VM_LEFT_OUT_OR(RUN_PAUSED, !v->vm->paused) &&
	       (VM_LEFT_OUT_OR(RUN_HALTED, !__atomic_load_n(&v->halted, __ATOMIC_RELAXED)) || vcpu_requested(v));
}

/* Its CPU has looked at v. What it cannot have for long, paused or held by a debugger, is no credit; the moment that a
 * VM is frozen takes none away. */
static bool look(struct vcpu *v)
{
	bool can = schedule_runnable(v);

	if (VM_KEPT(FAIR_HELD, !can && !v->vm->frozen_by))
		v->slept = true;
	return can;
}

/* Could another vCPU of the ring run now? All of them are looked at: who is alone is chosen by nobody for long. */
static bool others_runnable(const struct percpu *cpu)
{
	bool some = false;

	for (struct vcpu *v = cpu->run_queue->ring; v != cpu->run_queue; v = v->ring)
		some |= look(v);
	return some;
}

/* ---- the CPU's timer ---- */

void schedule_arm_idle(const struct percpu *cpu)
{
	uint64_t next = sleepers_next(cpu);

	if (VM_KEPT(IDLE_UNTOLD, cpu->untold) ||
	    VM_KEPT(IDLE_UNSETTLED, __atomic_load_n(&machine.unsettled, __ATOMIC_RELAXED) && cpu->id == 0))
		next = min_u64(next, rdtsc() + schedule_slice());
	if (cpu->id == 0)
		next = min_u64(next, disk_host_due());
	next = live_or(cpu, next);
	lapic_host_timer(next);
}

void schedule_disk_begun(void)
{
	if (this_cpu()->id != 0 && cpuset_next(&cpus_idle, 0) == 0)
		lapic_host_kick(percpu_of(0)->apic_id);
}

/* SC2. The one that runs is the ring's first; its alarm is set before its entry (cover_own_alarm in vm/run.c) where its
 *     clock stands still. */
void schedule_arm_running(const struct percpu *cpu)
{
	struct vcpu *v = cpu->run_queue;
	uint64_t others = max_u64(cpu->slice_end, VM_KEPT(SLEEPERS_ARMED, true) ? sleepers_next(cpu) : UINT64_MAX);
	uint64_t next;

	/* RL1: to be looked at before its next entry, where its clock stands until then; else it is looked at now, and
	 * who arms an earlier one says so behind it. */
	__atomic_store_n(&v->timers.earlier, VM_KEPT(ARM_AGAIN, v->vm->clock.guest_only), __ATOMIC_SEQ_CST);
	next = v->vm->clock.stopped ? UINT64_MAX : schedule_alarm(v);
	if (VM_KEPT(SLICE_ARMED, v->ring != v))
		others = cpu->slice_end;
	lapic_host_timer(live_or(cpu, min_u64(next, others)));
}

static void run_locked(struct vcpu *v, struct timers *t)
{
	spin_lock(&v->vm->device_lock);
	timers_run(t, clock_now(&v->vm->clock));
	spin_unlock(&v->vm->device_lock);
}

/* Without the lock where nothing is due: an alarm that is armed now is looked at again (RL1). */
void schedule_run_timers(struct vcpu *v)
{
	uint64_t now = clock_now(&v->vm->clock);

	if (likely(v->vm->vcpu_count == 1)) {
		if (timers_next(&v->timers) <= now)
			run_locked(v, &v->timers);
		return;
	}
	if (timers_next(&v->timers) <= now)
		timers_run(&v->timers, now);
	if (v->id == 0 && VM_KEPT(DEVICE_TIMERS, timers_next(&v->vm->device_timers) <= now))
		run_locked(v, &v->vm->device_timers);
}

static void run_timers(const struct percpu *cpu)
{
	struct vcpu *v = cpu->run_queue;

	do {
		schedule_run_timers(v);
		v = v->ring;
	} while (VM_KEPT(TIMERS_OF_ALL, v != cpu->run_queue));
}

static void end_slice(struct percpu *cpu)
{
	if (cpus_count() > 1) {
		balance_to_idle(cpu);
		balance_evenly(cpu);
	}
	if (others_runnable(cpu))
		VM_MUTANT(SLICE_ENDS, vcpu_note(cpu->run_queue, REQUEST_SWITCH));
}

void vm_timer_interrupt(void)
{
	struct percpu *cpu = this_cpu();
	uint64_t now = rdtsc();

	cpu->timer_fired = false;
	VM_MUTANT(SLEEPERS_DUE, sleepers_look(cpu));
	queue_accept(cpu);
	if (!cpu->run_queue)
		return;
	run_timers(cpu);
	if (VM_LEFT_OUT_OR(SLICE_OVER, now >= cpu->slice_end)) {
		/* Again and again while there are others: one may come to be able to run at any time. */
		cpu->slice_end = now + schedule_slice();
		if (cpu->run_queue->running)
			end_slice(cpu);
	}
	schedule_arm_running(cpu);
}

void vm_host_turn(struct vcpu *v)
{
	struct percpu *cpu = v->cpu;

	VM_MUTANT(HOST_WINDOW, irq_window());
	v->host_turn = rdtsc() + schedule_slice();
	if (VM_KEPT(HOST_TIMER, cpu->timer_fired))
		vm_timer_interrupt();
	if (cpus_count() > 1) {
		balance_turn(cpu);
		VM_MUTANT(TURN_BALANCES, balance_evenly(cpu));
	}
	VM_MUTANT(HOST_BALANCE, balance_poll(cpu));
	if (unlikely(cpu->id == 0 && rdtsc() >= disk_host_due()))
		disk_host_look();
	VM_MUTANT(HOST_LIFE, life_poll(cpu));
	VM_MUTANT(HOST_CONTROL, control_poll(cpu));
	VM_MUTANT(HOST_TELL, vm_tell(cpu));
}

/* ---- whose turn it is ---- */

uint64_t schedule_weighed(const struct vcpu *v, uint64_t ticks)
{
	const struct vm *vm = v->vm;
	const struct vcpu *u;
	uint64_t awake = 1;

	for_each_vcpu(u, vm)
		awake += VM_KEPT(WEIGHS_AWAKE, u != v && !__atomic_load_n(&u->halted, __ATOMIC_RELAXED));
	if (VM_LEFT_OUT_OR(WEIGHS, false))
		return ticks * awake;
	return ticks * awake * CONFIG_WEIGHT_DEFAULT / __atomic_load_n(&vm->weight, __ATOMIC_RELAXED);
}

/* SC5: the one that another waits for, unless it has had more than best by a slice. */
static struct vcpu *favour(struct vcpu *best, struct vcpu *favoured)
{
	bool may = favoured && favoured->fair <= best->fair + schedule_weighed(favoured, schedule_slice());

	return VM_KEPT(FAVOURED, may) ? favoured : best;
}

static inline uint64_t fair_of(const struct percpu *cpu, const struct vcpu *v, uint64_t slice)
{
	uint64_t least = cpu->fair_floor - min_u64(cpu->fair_floor, slice);

	return VM_KEPT(FAIR_SLEPT, v->slept) ? max_u64(v->fair, least) : v->fair;
}

uint64_t schedule_fair(const struct percpu *cpu, const struct vcpu *v) { return fair_of(cpu, v, schedule_slice()); }

/* The same as fairest() where there is one. */
static struct vcpu *only(struct percpu *cpu, uint64_t slice)
{
	struct vcpu *v = cpu->run_queue;

	if (!look(v))
		return NULL;
	v->fair = fair_of(cpu, v, slice);
	v->slept = false;
	__atomic_store_n(&cpu->fair_least, v->fair, __ATOMIC_RELAXED);
	balance_say_crowded(cpu, false);
	return v;
}

/* SC5: what counts of its account where one is chosen. */
static inline uint64_t standing(const struct vcpu *v)
{
	return v->fair + (unlikely(v->gives_way) ? schedule_weighed(v, schedule_slice()) : 0);
}

static struct vcpu *fairest(struct percpu *cpu)
{
	struct vcpu *v = cpu->run_queue, *best = NULL, *favoured = NULL;
	uint64_t least = UINT64_MAX;
	unsigned movable = 0;

	do {
		v = v->ring;
		if (!look(v))
			continue;
		v->fair = schedule_fair(cpu, v);
		v->slept = false;
		movable += !v->pin;
		if (unlikely(__atomic_load_n(&v->favoured, __ATOMIC_RELAXED)))
			favoured = v;
		least = min_u64(least, v->fair);
		if (!best || VM_KEPT(FAIR_LEAST, standing(v) < standing(best)))
			best = v;
	} while (v != cpu->run_queue);
	if (!best)
		return NULL;
	__atomic_store_n(&cpu->fair_least, least, __ATOMIC_RELAXED);
	best = favour(best, favoured);
	balance_say_crowded(cpu, movable > (best->pin ? 0u : 1u));
	return best;
}

struct vcpu *schedule_pick(struct percpu *cpu)
{
	uint64_t slice = schedule_slice();
	struct vcpu *v;

	queue_accept(cpu);
	v = cpu->run_queue;
	if (v)
		v = likely(v->ring == v) ? only(cpu, slice) : fairest(cpu);
	if (!v)
		return NULL;
	cpu->run_queue = v;
	__atomic_store_n(&v->favoured, false, __ATOMIC_RELAXED);
	v->gives_way = false;
	v->came = false;
	cpu->slice_end = rdtsc() + slice;
	if (unlikely(v->ring != v && balance_crowded(cpu) && cpuset_any(&cpus_idle)))
		VM_MUTANT(PICK_GIVES, balance_to_idle(cpu));
	schedule_arm_running(cpu);
	return v;
}

/* The floor goes up with the least that one of those has which want the CPU all the time: also while v alone did, and
 * nobody was picked. fair: what v has had by now. */
static void raise_floor(struct percpu *cpu, const struct vcpu *v, uint64_t fair)
{
	uint64_t least = fair;

	for (const struct vcpu *i = v->ring; i != v; i = i->ring)
		if (schedule_runnable(i) && !i->slept)
			least = min_u64(least, i->fair);
	__atomic_store_n(&cpu->fair_floor, max_u64(cpu->fair_floor, least), __ATOMIC_RELAXED);
}

void schedule_floor(struct percpu *cpu)
{
	const struct vcpu *v = cpu->run_queue;

	if (v && v->running && v->run_start)
		raise_floor(cpu, v, v->fair + schedule_weighed(v, rdtsc() - v->run_start));
}

void schedule_account(struct vcpu *v, uint64_t ticks)
{
	VM_MUTANT(FAIR_TICKS, v->fair += schedule_weighed(v, ticks));
	v->slept = v->halted || v->vm->paused || waits_for_area(v);
	VM_MUTANT(FAIR_RAISED, raise_floor(v->cpu, v, v->fair));
	__atomic_store_n(&v->lock_waits, v->lock_waits + v->cpu->lock_waits, __ATOMIC_RELAXED);
	__atomic_store_n(&v->lock_ticks, v->lock_ticks + v->cpu->lock_ticks, __ATOMIC_RELAXED);
}

/* ---- one that waits for another ---- */

void schedule_yield(struct vcpu *v)
{
	bool elsewhere = false;
	struct vcpu *u;

	for_each_vcpu(u, v->vm) {
		if (u == v || __atomic_load_n(&u->running, __ATOMIC_RELAXED) || !schedule_runnable(u))
			continue;
		VM_MUTANT(YIELD_FAVOURS, __atomic_store_n(&u->favoured, true, __ATOMIC_RELAXED));
		if (__atomic_load_n(&u->cpu, __ATOMIC_RELAXED) == v->cpu)
			VM_MUTANT(YIELD_LEAVES, vcpu_note(v, REQUEST_SWITCH));
		else
			elsewhere = true;
	}
	if (VM_KEPT(YIELD_ELSEWHERE, elsewhere) && others_runnable(v->cpu)) {
		VM_MUTANT(YIELD_BEHIND, v->gives_way = true);
		vcpu_note(v, REQUEST_SWITCH);
	}
}
