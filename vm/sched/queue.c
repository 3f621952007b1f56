/* vm/sched/queue.c - the virtual CPUs that live on a CPU: a ring that is its own, and what others give
 * to it (CQ1 to CQ3 in vm/sched/schedule.h). Those that sleep are elsewhere (vm/sched/sleep.c). */
#include "vm/vm.h"

#include "host/device/lapic.h"
#include "lib/mutants/mutate.h"

/* ---- from any CPU ---- */

void queue_put(struct percpu *cpu, struct vcpu *v)
{
	struct vcpu *first = __atomic_load_n(&cpu->arrivals, __ATOMIC_RELAXED);

	do
		v->ring = first;
	while (!__atomic_compare_exchange_n(&cpu->arrivals, &first, v, false, __ATOMIC_SEQ_CST, __ATOMIC_RELAXED));
}

/* SC1. The floor is that of when somebody last left that CPU: it may be far below what who runs there has had. */
void queue_add(struct vcpu *v)
{
	v->fair = __atomic_load_n(&v->cpu->fair_floor, __ATOMIC_RELAXED);
	VM_MUTANT(FAIR_NEW, v->slept = true);
	queue_put(v->cpu, v);
}

/* ---- on its own ---- */

static void link_last(struct percpu *cpu, struct vcpu *v)
{
	struct vcpu *last = cpu->run_queue;

	BUG_ON(v->on_ring); /* HA2 */
	v->on_ring = true;
	if (!last) {
		cpu->run_queue = v->ring = v->ring_before = v;
		return;
	}
	v->ring = last->ring;
	v->ring_before = last;
	v->ring->ring_before = last->ring = v;
}

/* Can anybody of the ring run? */
static bool is_busy(const struct percpu *cpu)
{
	const struct vcpu *i = cpu->run_queue;

	do {
		if (schedule_runnable(i))
			return true;
		i = i->ring;
	} while (i != cpu->run_queue);
	return false;
}

/* CPUs count time each for itself. Who comes, and is not on the ring yet, comes near the others there, so that neither
 * it nor they wait for long. But it may be so many slices before or behind them, of the one that is counted most for
 * each; else what one has had less elsewhere would be lost. */
#define SLICES_APART 4

static uint64_t farthest_apart(const struct percpu *cpu, const struct vcpu *v)
{
	uint64_t ticks = SLICES_APART * schedule_slice(), most = schedule_weighed(v, ticks);
	const struct vcpu *i = cpu->run_queue;

	do {
		most = max_u64(most, VM_KEPT(APART_OF_ALL, true) ? schedule_weighed(i, ticks) : 0);
		i = i->ring;
	} while (i != cpu->run_queue);
	return most;
}

static void bring_near(struct percpu *cpu, struct vcpu *v)
{
	uint64_t apart;

	if (!v->moves || !cpu->run_queue || !is_busy(cpu))
		return;
	VM_MUTANT(COMES_TO_NOW, schedule_floor(cpu));
	apart = farthest_apart(cpu, v);
	VM_MUTANT(COMES_BEHIND, v->fair = max_u64(v->fair, cpu->fair_floor - min_u64(cpu->fair_floor, apart)));
	VM_MUTANT(COMES_BEFORE, v->fair = min_u64(v->fair, cpu->fair_floor + apart));
}

void queue_remove(struct percpu *cpu, struct vcpu *v)
{
	if (cpu->run_queue == v)
		cpu->run_queue = v->ring == v ? NULL : v->ring_before;
	v->ring_before->ring = v->ring;
	v->ring->ring_before = v->ring_before;
	v->on_ring = false;
}

/* CQ1, CQ3. To the CPU itself goes who wanders on a machine with one: by all the steps of a move, the flush of what an
 * earlier visit left among them. */
static void give_to(struct vcpu *v, struct percpu *to)
{
	struct percpu *cpu = this_cpu();

	ASSERT(v->cpu == cpu && !v->running && (to != cpu || v->vm->config->migrate_every));
	if (unlikely(to == cpu) && v->mmu.tag.last_cpu != TAG_NO_CPU)
		VM_MUTANT(MOVE_TO_ITSELF, v->mmu.tag.last_cpu = TAG_ELSEWHERE);
	if (v->on_ring)
		queue_remove(cpu, v);
	VM_MUTANT(MOVE_LEAVES, vcpu_leave_cpu(v));
	__atomic_store_n(&v->moves, v->moves + 1, __ATOMIC_RELAXED);
	v->came = true;
	v->move_to = NULL;
	/* It has left, whoever asked. Else its first turn there would end at once. */
	VM_MUTANT(MOVE_HAS_LEFT, __atomic_fetch_and(&v->requests, ~REQUEST_SWITCH, __ATOMIC_SEQ_CST));
	__atomic_store_n(&v->cpu, to, __ATOMIC_SEQ_CST);
	queue_put(to, v);
	VM_MUTANT(MOVE_KICK, lapic_host_kick(to->apic_id));
}

void vcpu_move(struct vcpu *v, struct percpu *to)
{
	if (v->running) {
		v->move_to = to;
		VM_MUTANT(MOVE_ASKS, vcpu_note(v, REQUEST_SWITCH));
	} else if (to == v->cpu) {
		v->move_to = NULL;
	} else if (v->on_ring || VM_KEPT(MOVE_ASLEEP, sleep_end(v->cpu, v))) {
		give_to(v, to);
	} else {
		v->move_to = to;
	}
}

void vcpu_depart(struct vcpu *v)
{
	struct percpu *to = v->move_to;

	v->move_to = NULL;
	if (to != v->cpu || v->vm->config->migrate_every)
		give_to(v, to);
}

void queue_rest(struct percpu *cpu, struct vcpu *v)
{
	queue_remove(cpu, v);
	if (!sleep_begin(cpu, v))
		link_last(cpu, v);
}

static void arrive(struct percpu *cpu, struct vcpu *v)
{
	sleep_arrived(cpu, v);
	/* Who was woken has a request, mostly, and would not fall asleep. */
	if (v->halted && !v->move_to && !vcpu_requested(v) && VM_KEPT(ARRIVES_ASLEEP, sleep_begin(cpu, v)))
		return;
	bring_near(cpu, v);
	link_last(cpu, v);
	if (unlikely(v->move_to))
		VM_MUTANT(MOVES_ON, vcpu_depart(v));
}

bool queue_accept(struct percpu *cpu)
{
	struct vcpu *v, *next, *in_turn = NULL;

	if (likely(!__atomic_load_n(&cpu->arrivals, __ATOMIC_RELAXED)))
		return false;
	v = __atomic_exchange_n(&cpu->arrivals, NULL, __ATOMIC_SEQ_CST);
	if (likely(!v->ring)) {
		arrive(cpu, v);
		return true;
	}
	for (; v; v = next) {
		next = v->ring;
		v->ring = in_turn;
		in_turn = v;
	}
	for (v = in_turn; v; v = next) {
		next = v->ring;
		arrive(cpu, v);
	}
	return true;
}
