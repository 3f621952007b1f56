/* vm/sched/balance.c - virtual CPUs that go to another CPU of themselves: to one that sleeps, while they wait; and so
 * that all of the machine have what is theirs. A CPU gives away what is its own (CQ1 in vm/sched/schedule.h); who wants
 * something kicks it.
 *
 * BA1  No CPU sleeps for longer than a slice while a vCPU that may run on it waits for another CPU. Who goes to sleep
 *      says so (cpus_idle), and then kicks a CPU that has said that somebody waits there (cpus_crowded); who comes to
 *      have somebody waiting gives it to one that sleeps.
 * BA2  Who waits while others of the machine that want a CPU all the time have had more by two slices is given to the
 *      CPU that is the farthest before it. So 3 that work on 2 CPUs have two thirds of one each. Who slept has had what
 *      it forfeits (SC1); and who has come has a turn before it goes on: else two CPUs whose slices end in turn would
 *      give it to each other for ever. Where all spin and give way no slice ends, and it is looked at as often.
 * BA3  A CPU whose vCPUs cannot have what is theirs (more weight than a CPU can give) does not save it up: where one
 *      waits that may go, it can have it on another CPU.
 * BA4  Who is pinned stays. */
#include "vm/vm.h"

#include "host/device/lapic.h"
#include "lib/mutants/mutate.h"

#define SLICES_BEHIND 2
#define SLICES_SAVED 8

struct cpuset cpus_idle, cpus_crowded;

/* ---- CPUs that sleep ---- */

/* The CPU that this was now is nobody else's to give to. NULL: there is none. */
static struct percpu *take_idle(void)
{
	for (unsigned n = 0; (n = cpuset_next(&cpus_idle, n)) < CPUS_MAX; n++) {
		bool mine = true;

		VM_MUTANT(IDLE_TAKEN, mine = cpuset_remove(&cpus_idle, n));
		if (mine)
			return percpu_of(n);
	}
	return NULL;
}

void balance_sleep(struct percpu *cpu)
{
	unsigned crowded;

	__atomic_store_n(&cpu->fair_least, UINT64_MAX, __ATOMIC_RELAXED);
	balance_say_crowded(cpu, false);
	cpuset_add(&cpus_idle, cpu->id);
	crowded = cpuset_next(&cpus_crowded, 0);
	if (crowded < CPUS_MAX)
		VM_MUTANT(SLEEP_ASKS, lapic_host_kick(percpu_of(crowded)->apic_id));
}

/* ---- who waits ---- */

static uint64_t has_had(const struct percpu *cpu, const struct vcpu *v)
{
	return VM_KEPT(GOES_SLEPT, true) ? schedule_fair(cpu, v) : v->fair;
}

/* The one that has had least of those that wait for this CPU and may go; the ring's first has it. NULL: there is
 * none. evenly: who has just come stays. */
static struct vcpu *spare(const struct percpu *cpu, bool evenly)
{
	struct vcpu *least = NULL;

	for (struct vcpu *v = cpu->run_queue->ring; v != cpu->run_queue; v = v->ring) {
		bool may_go = VM_LEFT_OUT_OR(GOES_PINNED, !v->pin) && !v->vm->ended &&
			      !VM_KEPT(GOES_ON, evenly && v->came);

		if (may_go && schedule_runnable(v) && (!least || has_had(cpu, v) < has_had(cpu, least)))
			least = v;
	}
	return least;
}

void balance_to_idle(struct percpu *cpu)
{
	struct vcpu *v;

	while ((v = spare(cpu, false))) {
		struct percpu *to = take_idle();

		if (!to)
			break;
		VM_MUTANT(GOES_IDLE, vcpu_move(v, to));
	}
	balance_say_crowded(cpu, v != NULL);
}

/* The CPU whose vCPUs have had most; least: of what the one has that has had least of them. */
static struct percpu *farthest(const struct percpu *cpu, uint64_t *least)
{
	struct percpu *best = NULL;

	*least = 0;
	for (unsigned n = 0; n < cpus_count(); n++) {
		struct percpu *other = percpu_of(n);
		uint64_t its = __atomic_load_n(&other->fair_least, __ATOMIC_RELAXED);

		if (other == cpu || its == UINT64_MAX || its < *least)
			continue;
		*least = its;
		best = other;
	}
	return best;
}

void balance_evenly(struct percpu *cpu)
{
	uint64_t least;
	struct percpu *to = farthest(cpu, &least);
	struct vcpu *v = to ? spare(cpu, true) : NULL;

	if (v && VM_LEFT_OUT_OR(GOES_BEHIND,
				least > has_had(cpu, v) + schedule_weighed(v, SLICES_BEHIND * schedule_slice())))
		VM_MUTANT(GOES_EVENLY, vcpu_move(v, to));
}

/* BA3: all of them, so that they stay as they are to each other. */
static void bring_along(struct percpu *cpu, uint64_t by)
{
	struct vcpu *v = cpu->run_queue;

	do {
		v->fair += by;
		v = v->ring;
	} while (v != cpu->run_queue);
	__atomic_store_n(&cpu->fair_floor, cpu->fair_floor + by, __ATOMIC_RELAXED);
	__atomic_store_n(&cpu->fair_least, cpu->fair_least + by, __ATOMIC_RELAXED);
}

void balance_turn(struct percpu *cpu)
{
	struct vcpu *v = cpu->run_queue;
	uint64_t least, saved = schedule_weighed(v, SLICES_SAVED * schedule_slice());

	/* Alone, it may be long before it leaves and is accounted for. */
	if (v->ring == v)
		VM_MUTANT(ALONE_TOLD, __atomic_store_n(&cpu->fair_least,
						       v->fair + schedule_weighed(v, rdtsc() - v->run_start),
						       __ATOMIC_RELAXED));
	if (VM_KEPT(NOT_SAVED, farthest(cpu, &least) && least > saved && cpu->fair_least < least - saved) &&
	    VM_LEFT_OUT_OR(SAVED_WHERE_WAITING, !spare(cpu, false)))
		bring_along(cpu, least - saved - cpu->fair_least);
}

void balance_attend(struct percpu *cpu)
{
	if (queue_accept(cpu))
		VM_MUTANT(ARRIVAL_ARMED, schedule_arm_running(cpu));
	balance_to_idle(cpu);
}
