/* mmu/lock.h - the VM's lock, and faults that are served beside each other without it.
 *
 * Most faults only add: a leaf where none was, in a table that is there; or they change nothing at all, because the
 * leaf says that it is a device's page. Those of different vCPUs need not wait for each other, but for who takes away:
 * as in KVM's tables for two-dimensional paging, where faults are readers of the lock and share it.
 *
 * BE1  Who serves a fault beside others says so (vcpu.beside) before it looks whether somebody is alone; who is alone
 *      says so (vm.alone) before it looks at each vCPU. So either the one turns back, or the other waits for it.
 * BE2  Beside others tables only gain: an entry that is not present becomes present, or gets rights, by a compare and
 *      exchange with what was read, so that nobody's entry is lost. Tables of the vCPU's own are its own. No frame of a
 *      table is taken or freed, nothing is unmapped, protected or split, no request is made of another vCPU.
 * BE3  Who serves a fault beside waits for nobody but another who does (BE5), so that who is alone waits for some
 *      thousand instructions at most, and for no more than one fault of each vCPU: those that come find vm.alone.
 * BE4  Who turned back waits until nobody is alone, and tries again, a few times; then it queues for the lock, which is
 *      given in the order of asking. So neither side starves. It is not in its guest meanwhile, so that who kicks it
 *      need not wait.
 * BE5  What two faults that are served beside each other would both change in more than one word, one changes at a time
 *      (mmu_hold). Who holds one such part of a table may take one of a list besides, in this order, and waits for
 *      nothing else; so nobody waits in a circle. Who is alone need not hold anything.
 * BE6  A word that is changed beside others is read there by one atomic load, or by who holds what it is a part of; and
 *      what is remembered of look-ups (rmap.recent) is changed alone only, for it is more than one word. */
#ifndef VELLUM_MMU_LOCK_H
#define VELLUM_MMU_LOCK_H

#include "mmu/mmu.h"
#include "mmu/table/seam.h"

/* With the lock faults are served beside still: for who changes no table and nothing that those look at (slots, logs'
 * places, overlays). */
static inline void mmu_lock(struct mmu_vm *vm)
{
	vm->lock(vm->below->ctx, vm);
}

static inline void mmu_unlock(struct mmu_vm *vm)
{
	if (vm->alone)
		__atomic_store_n(&vm->alone, false, __ATOMIC_RELEASE);
	vm->unlock(vm->below->ctx, vm);
}

/* With the lock held: when it returns no fault is served beside, nor will be until the lock is released. */
void mmu_be_alone(struct mmu_vm *vm);
static inline void mmu_alone(struct mmu_vm *vm)
{
	if (unlikely(vm->several) && !vm->alone)
		mmu_be_alone(vm);
}

static inline void mmu_lock_alone(struct mmu_vm *vm)
{
	mmu_lock(vm);
	mmu_alone(vm);
}

/* The same for a call of the vCPU's own: where each has tables of its own, it is alone with the lock. */
static inline void mmu_lock_alone_as(struct mmu_vcpu *vcpu)
{
	mmu_lock(vcpu->vm);
	if (unlikely(vcpu->beside_others) && !vcpu->vm->ops->own_tables)
		mmu_alone(vcpu->vm);
}

/* Returns when *flag has been seen false. */
void mmu_wait_while(const struct mmu_vm *vm, const bool *flag);

/* BE5 */
static inline void mmu_hold(const struct mmu_vm *vm, bool *held)
{
	seam_beside();
	while (__atomic_exchange_n(held, true, __ATOMIC_ACQUIRE))
		mmu_wait_while(vm, held);
}
static inline void mmu_let_go(bool *held)
{
	__atomic_store_n(held, false, __ATOMIC_RELEASE);
	seam_beside();
}

/* Begins to serve a fault beside others. false: it is to be served with the lock. */
bool mmu_beside_begin(struct mmu_vcpu *vcpu);
void mmu_beside_end(struct mmu_vcpu *vcpu);

/* A fault of the vCPU's is being served beside: for its own CPU, and who is alone. */
static inline bool mmu_is_beside(const struct mmu_vcpu *vcpu) { return vcpu->count == &vcpu->counters; }

/* The vCPU ends: what was counted for it stays. */
void mmu_counters_keep(struct mmu_vcpu *vcpu);

/* The fault cannot be served beside: it is left as it is, and asked for again with the lock. */
static inline struct mmu_result mmu_not_beside(struct mmu_vcpu *vcpu)
{
	vcpu->populate.wanted = true;
	return (struct mmu_result){ .outcome = MMU_RETRY };
}

#endif
