/* vm/queue.c - the virtual CPUs that live on a CPU: a ring that is its own, and what others give to it (CQ1 to CQ3 in
 * vm/schedule.h). */
#include "vm/vm.h"

#include "host/lapic.h"
#include "lib/mutants/mutate.h"

/* ---- from any CPU ---- */

static void put(struct percpu *cpu, struct vcpu *v)
{
	struct vcpu *first = __atomic_load_n(&cpu->arrivals, __ATOMIC_RELAXED);

	do
		v->ring = first;
	while (!__atomic_compare_exchange_n(&cpu->arrivals, &first, v, false, __ATOMIC_SEQ_CST, __ATOMIC_RELAXED));
}

void queue_add(struct vcpu *v)
{
	VM_MUTANT(FAIR_NEW, v->fair = __atomic_load_n(&v->cpu->fair_floor, __ATOMIC_RELAXED));
	put(v->cpu, v);
}

/* ---- on its own ---- */

static void link_last(struct percpu *cpu, struct vcpu *v)
{
	v->ring = cpu->run_queue ? cpu->run_queue->ring : v;
	if (cpu->run_queue)
		cpu->run_queue->ring = v;
	else
		cpu->run_queue = v;
	v->on_ring = true;
}

/* Could another than v run here? */
static bool busy_beside(const struct percpu *cpu, const struct vcpu *v)
{
	const struct vcpu *i = cpu->run_queue;

	do {
		if (i != v && schedule_runnable(i))
			return true;
		i = i->ring;
	} while (i != cpu->run_queue);
	return false;
}

/* The time that CPUs count goes on differently on each. Beside others, who comes is not so far before or behind them
 * that it, or they, would wait for long. */
#define SLICES_APART 4

static void bring_near(struct percpu *cpu, struct vcpu *v)
{
	uint64_t apart = schedule_weighed(v, SLICES_APART * schedule_slice());

	if (!v->moves || !busy_beside(cpu, v))
		return;
	VM_MUTANT(COMES_BEHIND, v->fair = max_u64(v->fair, cpu->fair_floor - min_u64(cpu->fair_floor, apart)));
	VM_MUTANT(COMES_BEFORE, v->fair = min_u64(v->fair, cpu->fair_floor + apart));
}

void queue_remove(struct percpu *cpu, struct vcpu *v)
{
	struct vcpu *before = v;

	while (before->ring != v)
		before = before->ring;
	before->ring = v->ring;
	if (cpu->run_queue == v)
		cpu->run_queue = v->ring == v ? NULL : before;
	v->on_ring = false;
}

/* CQ1, CQ3. */
static void give(struct vcpu *v, struct percpu *to)
{
	struct percpu *cpu = this_cpu();

	ASSERT(v->cpu == cpu && !v->running && to != cpu);
	queue_remove(cpu, v);
	VM_MUTANT(MOVE_LEAVES, vcpu_leave_cpu(v));
	__atomic_store_n(&v->moves, v->moves + 1, __ATOMIC_RELAXED);
	v->move_to = NULL;
	__atomic_store_n(&v->cpu, to, __ATOMIC_SEQ_CST);
	put(to, v);
	VM_MUTANT(MOVE_KICK, lapic_host_kick(to->apic_id));
}

void vcpu_move(struct vcpu *v, struct percpu *to)
{
	if (v->running) {
		v->move_to = to;
		VM_MUTANT(MOVE_ASKS, vcpu_note(v, REQUEST_SWITCH));
	} else if (!v->on_ring) {
		v->move_to = to;
	} else if (to != v->cpu) {
		give(v, to);
	}
}

void vcpu_depart(struct vcpu *v)
{
	struct percpu *to = v->move_to;

	v->move_to = NULL;
	if (to != v->cpu)
		give(v, to);
}

bool queue_accept(struct percpu *cpu)
{
	struct vcpu *v, *next, *in_turn = NULL;

	if (likely(!__atomic_load_n(&cpu->arrivals, __ATOMIC_RELAXED)))
		return false;
	v = __atomic_exchange_n(&cpu->arrivals, NULL, __ATOMIC_SEQ_CST);
	for (; v; v = next) {
		next = v->ring;
		v->ring = in_turn;
		in_turn = v;
	}
	for (v = in_turn; v; v = next) {
		next = v->ring;
		link_last(cpu, v);
		bring_near(cpu, v);
		if (unlikely(v->move_to))
			VM_MUTANT(MOVES_ON, vcpu_depart(v));
	}
	return true;
}
