/* vm/exit/apic.c - what is left to do where the CPU serves the guest's local APIC itself (vm/tpr.c): accesses to other
 * registers than the TPR, and a TPR that has become low enough for an interrupt that waits. SDM, "Virtualizing
 * Memory-Mapped APIC Accesses" and "TPR Virtualization". */
#include "vm/vm.h"

#include "lib/mutants/mutate.h"

/* The guest has written its TPR, after which an interrupt may be delivered. */
void exit_tpr_below(struct vcpu *v)
{
	exit_requeue_event(v);
	spin_lock(&v->vm->device_lock);
	VM_MUTANT(TPR_LOWERED, lapic_tpr_lowered(&v->lapic));
	spin_unlock(&v->vm->device_lock);
}

void exit_apic_access(struct vcpu *v)
{
	struct hvm_apic_access a = hvm_exit_apic_access(&v->hvm);

	VM_MUTANT(APIC_QUEUED, exit_requeue_event(v));
	exit_emulate_mmio(v, GPA(gfn_gpa(v->vm->tpr.place).v | a.offset));
}
