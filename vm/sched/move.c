/* vm/sched/move.c - virtual CPUs that are told where to go: from outside (vm/control/), or by their machine's
 * description, which has them wander for ever. The latter is there to be tested with: it does no guest any good. */
#include "vm/vm.h"

#include "lib/mutants/mutate.h"

void vcpu_pin(struct vcpu *v, struct percpu *cpu)
{
	__atomic_store_n(&v->pin, cpu, __ATOMIC_RELAXED);
	if (cpu)
		vcpu_move(v, cpu);
}

static void arm(struct vcpu *v)
{
	timer_arm(&v->timers, &v->wander,
		  timers_now(&v->timers) + v->vm->config->migrate_every * (machine.tsc_hz / 1000) / 1000);
}

static void wander(void *dev, uint64_t now)
{
	(void)now;
	vcpu_request(dev, REQUEST_MOVE);
}

void wander_init(struct vm *vm)
{
	struct vcpu *v;

	if (!vm->config->migrate_every)
		return;
	for_each_vcpu(v, vm) {
		v->wander = (struct timer){ .fire = wander, .dev = v };
		arm(v);
	}
}

void vcpu_wander(struct vcpu *v)
{
	arm(v);
	if (VM_LEFT_OUT_OR(WANDER_PINNED, !v->pin))
		vcpu_move(v, percpu_of((v->cpu->id + 1) % cpus_count()));
}
