/* vm/sched/freeze.c - all virtual CPUs of a virtual machine stop, for what must find none of them running: another
 * mechanism, a change of its memory map, another way to virtualize the TPR.
 *
 * A vCPU runs from where run() of vm/run.c takes it up to where it has left (vcpu.running): in its guest, or in the
 * handler of an exit. Whatever a vCPU that does not run is made of is in memory: what the guest changed in its paging
 * registers is in the heart, and what the heart changed is written before it next enters.
 *
 * FZ1  While a VM is frozen, none of its vCPUs runs, but for one of the CPU that has frozen it, which is in a handler;
 *      that one's registers are in the heart, too.
 * FZ2  Who takes up a vCPU says that it runs, and then looks whether the VM is frozen; who freezes a VM says so, and
 *      then looks which vCPUs run. One of the two sees the other.
 * FZ3  A CPU that waits, to freeze a VM or for its vCPUs to stop, has parked its own vCPU, of whatever VM: that one
 *      counts as stopped, and does not go on while its VM is frozen by another. So of two that want the same at once
 *      one is first, and nobody waits in a circle.
 * FZ4  No lock is held by who freezes, but for the reclaimer's (RC3), for which one waits parked. */
#include "vm/vm.h"

#include "host/device/lapic.h"
#include "lib/mutants/mutate.h"
#include "vm/live/live.h"

void vcpu_sync_heart(struct vcpu *v)
{
	VM_MUTANT(HEART_WRITTEN, vcpu_bring_up_to_date(v));
	VM_MUTANT(HEART_READ, hvm_sync_paging(&v->hvm, &v->mmu));
}

void vcpu_catch_up(struct vcpu *v)
{
	if (v->tpr_stale)
		hvm_set_tpr(&v->hvm, &v->start.tpr);
	if (v->undecided)
		emulated_decide(v);
	v->tpr_stale = v->undecided = false;
}

void vcpu_decide(struct vcpu *v)
{
	struct vcpu *before;

	v->undecided = VM_KEPT(DECIDE_ELSEWHERE, v->cpu != this_cpu());
	if (v->undecided)
		return;
	before = vcpu_visit(v);
	emulated_decide(v);
	vcpu_visited(before);
}

/* The one that this CPU runs; it is loaded. NULL: none. */
static struct vcpu *own(void)
{
	struct vcpu *v = this_cpu()->run_queue;

	return v && v->running ? v : NULL;
}

static void park(struct vcpu *v)
{
	ASSERT(this_cpu()->loaded == v);
	VM_MUTANT(PARK_SYNCS, vcpu_sync_heart(v));
	VM_MUTANT(PARK, __atomic_store_n(&v->parked, true, __ATOMIC_SEQ_CST));
}

static void unpark(struct vcpu *v)
{
	for (;;) {
		__atomic_store_n(&v->parked, false, __ATOMIC_SEQ_CST);
		if (VM_LEFT_OUT_OR(UNPARK_WAITS, !vm_frozen_by_another(v->vm)))
			break;
		__atomic_store_n(&v->parked, true, __ATOMIC_SEQ_CST);
		while (vm_frozen_by_another(v->vm))
			cpu_relax();
	}
	if (VM_KEPT(UNPARK_TPR, v->tpr_stale || v->undecided))
		vcpu_catch_up(v);
}

void vcpu_wait_parked(bool (*over)(void))
{
	struct vcpu *self = own();

	if (over())
		return;
	if (self)
		park(self);
	while (!over())
		cpu_relax();
	if (self)
		unpark(self);
}

static bool stopped(const struct vcpu *v)
{
	return v->cpu == this_cpu() || !__atomic_load_n(&v->running, __ATOMIC_SEQ_CST) ||
	       __atomic_load_n(&v->parked, __ATOMIC_SEQ_CST);
}

void vm_freeze(struct vm *vm)
{
	struct percpu *cpu = this_cpu(), *nobody = NULL;
	struct vcpu *self = own(), *v;

	if (vm->frozen_by == cpu) {
		vm->frozen_depth++;
		return;
	}
	if (self)
		park(self);
	while (!__atomic_compare_exchange_n(&vm->frozen_by, &nobody, cpu, false, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST)) {
		nobody = NULL;
		cpu_relax();
	}
	vm->frozen_depth = 1;
	for_each_vcpu(v, vm)
		if (!stopped(v))
			VM_MUTANT(FREEZE_REQUEST, vcpu_request(v, REQUEST_SWITCH));
	for_each_vcpu(v, vm)
		while (VM_KEPT(FREEZE_WAITS, !stopped(v)))
			cpu_relax();
}

void vm_thaw(struct vm *vm)
{
	struct vcpu *self = own(), *v;

	if (VM_KEPT(THAW_LAST, --vm->frozen_depth))
		return;
	__atomic_store_n(&vm->frozen_by, NULL, __ATOMIC_SEQ_CST);
	/* Their CPUs may have gone to sleep. */
	for_each_vcpu(v, vm)
		if (v->cpu != this_cpu())
			VM_MUTANT(THAW_KICK, vcpu_request(v, 0));
	if (self)
		unpark(self);
}

/* ---- pausing ---- */

bool vm_any_runs(const struct vm *vm)
{
	const struct vcpu *v;

	for_each_vcpu(v, vm)
		if (__atomic_load_n(&v->running, __ATOMIC_SEQ_CST))
			return true;
	return false;
}

/* The clock of a VM that is paused stands still from when its last vCPU has left. */
static void stop_clock_if_paused(struct vm *vm)
{
	spin_lock(&vm->pause_lock);
	if (vm->paused && VM_LEFT_OUT_OR(PAUSE_LAST, !vm_any_runs(vm)))
		VM_MUTANT(PAUSE_STOPS, clock_stop(&vm->clock, rdtsc()));
	spin_unlock(&vm->pause_lock);
}

void vcpu_has_left(struct vcpu *v)
{
	struct vm *vm = v->vm;

	__atomic_store_n(&v->running, false, __ATOMIC_SEQ_CST);
	if (__atomic_load_n(&vm->paused, __ATOMIC_SEQ_CST))
		VM_MUTANT(CLOCK_PAUSED, stop_clock_if_paused(vm));
}

/* The clock goes on before a vCPU does; that of a VM whose clock is its own goes on when it next enters its guest, or
 * sleeps. */
static void go_on(struct vm *vm)
{
	spin_lock(&vm->pause_lock);
	if (vm->paused && VM_LEFT_OUT_OR(RESUME_OWN, vm_asleep(vm) || !vm->clock.guest_only) && !vm_any_runs(vm))
		VM_MUTANT(RESUME_GOES, clock_go(&vm->clock, rdtsc()));
	VM_MUTANT(SAVE_LET_GO, vm->save.stands = false);
	__atomic_store_n(&vm->paused, false, __ATOMIC_SEQ_CST);
	spin_unlock(&vm->pause_lock);
}

static void pause(struct vm *vm, bool on)
{
	struct vcpu *v;

	if (on) {
		__atomic_store_n(&vm->paused, true, __ATOMIC_SEQ_CST);
		stop_clock_if_paused(vm);
	} else {
		go_on(vm);
	}
	for_each_vcpu(v, vm)
		VM_MUTANT(PAUSE_LEAVES, vcpu_request(v, on ? REQUEST_SWITCH : 0));
}

void vm_pause(struct vm *vm, bool on)
{
	bool stands;

	spin_lock(&vm->pause_lock);
	stands = vm->live.stands;
	vm->live.paused = on;
	spin_unlock(&vm->pause_lock);
	if (!VM_KEPT(STAND_HOLDS, stands))
		pause(vm, on);
}

void vm_stand(struct vm *vm, bool on)
{
	spin_lock(&vm->pause_lock);
	if (on)
		vm->live.paused = vm->paused;
	vm->live.stands = on;
	spin_unlock(&vm->pause_lock);
	pause(vm, on || VM_KEPT(STAND_PAUSED, vm->live.paused));
}

/* ---- a look at another ---- */

struct vcpu *vcpu_visit(struct vcpu *v)
{
	struct percpu *cpu = this_cpu();
	struct vcpu *before = cpu->loaded;

	if (VM_KEPT(VISIT_LOADS, before != v)) {
		hvm_load(&v->hvm);
		cpu->loaded = v;
	}
	return before;
}

void vcpu_visited(struct vcpu *before)
{
	struct percpu *cpu = this_cpu();

	if (VM_KEPT(VISIT_RESTORES, before && before != cpu->loaded)) {
		hvm_load(&before->hvm);
		cpu->loaded = before;
	}
}
