/* mmu/lock.c - alone and beside (mmu/lock.h). */
#include "mmu/lock.h"
#include "mmu/mutate.h"

/* How often who finds somebody alone waits for that before it queues. */
#define BESIDE_TRIES 4

void mmu_wait_while(const struct mmu_vm *vm, const bool *flag)
{
	if (vm->below->wait) {
		vm->below->wait(vm->below->ctx, flag);
		return;
	}
	while (__atomic_load_n(flag, __ATOMIC_ACQUIRE))
		__builtin_ia32_pause();
}

/* BE1, BE3. */
static void drain(const struct mmu_vm *vm)
{
	for (const struct mmu_vcpu *v = vm->vcpus; v; v = v->next)
		while (__atomic_load_n(&v->beside, __ATOMIC_SEQ_CST))
			mmu_wait_while(vm, &v->beside);
}

void mmu_be_alone(struct mmu_vm *vm)
{
	if (!vm->below->lock)
		return;
	MUTANT(ALONE_SAID, __atomic_store_n(&vm->alone, true, __ATOMIC_SEQ_CST));
	seam_beside();
	MUTANT(ALONE_WAITS, drain(vm));
}

/* BE1, BE4. Without a lock nobody comes beside. */
bool mmu_beside_begin(struct mmu_vcpu *vcpu)
{
	const struct mmu_vm *vm = vcpu->vm;

	for (unsigned tries = 0; vm->below->lock && tries < BESIDE_TRIES; tries++) {
		MUTANT(BESIDE_SAID, __atomic_store_n(&vcpu->beside, true, __ATOMIC_SEQ_CST));
		seam_beside();
		if (MUTANT_OR(BESIDE_LOOK, !__atomic_load_n(&vm->alone, __ATOMIC_SEQ_CST))) {
			vcpu->count = &vcpu->counters;
			return true;
		}
		__atomic_store_n(&vcpu->beside, false, __ATOMIC_RELEASE);
		mmu_wait_while(vm, &vm->alone);
	}
	return false;
}

void mmu_beside_end(struct mmu_vcpu *vcpu)
{
	seam_beside();
	vcpu->count = &vcpu->vm->counters;
	__atomic_store_n(&vcpu->beside, false, __ATOMIC_RELEASE);
}

static void add(struct mmu_counters *sum, const struct mmu_counters *c)
{
#define C(name, help) sum->name += __atomic_load_n(&c->name, __ATOMIC_RELAXED);
	MMU_COUNTERS(C)
#undef C
}

struct mmu_counters mmu_counters(const struct mmu_vm *vm)
{
	struct mmu_counters sum = { 0 };

	add(&sum, &vm->counters);
	for (const struct mmu_vcpu *v = vm->vcpus; v; v = v->next)
		add(&sum, &v->counters);
	return sum;
}

void mmu_counters_keep(struct mmu_vcpu *vcpu)
{
	add(&vcpu->vm->counters, &vcpu->counters);
	vcpu->counters = (struct mmu_counters){ 0 };
}
