/* vm/life/release.c - what a virtual machine held goes back to the machine when it is over. */
#include "vm/vm.h"

#include "host/device/console.h"
#include "host/memory/frames.h"
#include "vm/device/disk.h"
#include "vm/device/flash.h"
#include "vm/life/life.h"
#include "vm/device/net.h"
#include "vm/device/virtio.h"
#include "vm/memory/memory.h"
#include "vm/memory/reclaim.h"
#include "vm/memory/swap.h"
#include "lib/mutants/mutate.h"

static void release_vcpu(struct vcpu *v)
{
	if (VM_KEPT(RELEASE_ROOTS, v->mmu.vm))
		mmu_vcpu_destroy(&v->mmu);
	if (VM_KEPT(RELEASE_STATE, hvm_vcpu_exists(&v->hvm)))
		hvm_vcpu_destroy(&v->hvm);
	if (v->fpu)
		resident_free(v);
}

void vm_release(struct vm *vm)
{
	struct vcpu *v;

	VM_MUTANT(RELEASE_HELD, reclaim_hold()); /* RC3 */
	for_each_vcpu(v, vm)
		release_vcpu(v);
	disks_release(vm);
	nets_release(vm);
	virtio_release(vm);
	VM_MUTANT(RELEASE_DIRTY, dirty_free(vm));
	VM_MUTANT(RELEASE_SAVE, save_free(vm));
	merge_free(vm);
	if (VM_KEPT(RELEASE_TABLES, vm->has_mmu))
		mmu_vm_destroy(&vm->mmu);
	if (!VM_KEPT(RELEASE_SOURCE, vm->live.source))
		memory_release(vm);
	reclaim_let_go();
	tpr_free(vm);
	VM_MUTANT(RELEASE_PHASES, phases_free(vm));
	trace_free(vm);
	if (VM_KEPT(RELEASE_TESTDEV, vm->testdev))
		frames_give(vm->testdev, sizeof(struct testdev));
}

void vm_free(struct vm *vm)
{
	for (unsigned i = 0; i < vm->vcpu_count; i++)
		VM_MUTANT(RELEASE_VCPU, frames_give(vm->vcpu[i], sizeof(struct vcpu)));
	VM_MUTANT(RELEASE_VM, frames_give(vm, sizeof(struct vm)));
}

void vm_release_all(void)
{
	for (unsigned n = 0; n < machine.vm_count; n++)
		if (vm_at(n))
			life_forget(n);
	disks_end();
	nets_end();
	machine.vm_count = 0;
	if (VM_KEPT(RELEASE_SAID, frames_available() != machine.frames_before))
		console_log("of %lu free frames only %lu came back", machine.frames_before, frames_available());
	swap_end();
	vm_flash_release();
}
