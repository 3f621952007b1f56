/* vm/exit/mmu.c - page faults, EPT violations and EPT misconfigurations: to the heart, and what it decided. */
#include "vm/vm.h"

#include "lib/mutants/mutate.h"

#define VECTOR_PF 14
#define QUALIFICATION_WRITE BIT(1)
#define QUALIFICATION_GVA_VALID BIT(7)
#define QUALIFICATION_GVA_TRANSLATED BIT(8)
#define QUALIFICATION_NMI_UNBLOCKED BIT(12)

static void emulate(struct vcpu *v, gpa_t gpa)
{
	/* It is the delivery of an event that reached gpa, not the instruction at RIP. Where the CPU can be let at a page table for as long, it
	 * goes on by itself; else the event is delivered by hand. */
	if (VM_KEPT(DELIVERY, v->event.info & INFO_VALID)) {
		if (!mmu_loosen(&v->vm->mmu, gpa))
			emulation_deliver(v);
		return;
	}
	v->emulated_gpa = gpa;
	v->fault_gpa = GPA(align_down(gpa.v, PAGE_SIZE));
	v->emulated_fault = true;
	emulation_step(v);
	v->emulated_fault = false;
}

static void conclude(struct vcpu *v, const struct mmu_result *r)
{
	switch (r->outcome) {
	case MMU_FIXED:
	case MMU_RETRY:
	case MMU_SPURIOUS:
		break;
	case MMU_INJECT:
		if (r->exception.vector == VECTOR_PF)
			event_page_fault(v, r->exception.error, r->exception.cr2);
		else
			event_exception(v, r->exception.vector, true, r->exception.error);
		break;
	case MMU_EMULATE:
		emulate(v, r->gpa);
		break;
	case MMU_STOP:
		vm_end(v->vm, VM_STATUS_STOPPED, "stopped: %s", r->why);
		break;
	}
}

/* An IRET that faults has already unblocked NMIs (SDM, "Information for VM Exits Due to EPT violations"): it finds them blocked when it is
 * executed again. The guest's own handler of the fault runs with them unblocked, as without the exit. */
static void restore_nmi_blocking(bool unblocked, enum mmu_outcome outcome)
{
	if (VM_KEPT(IRET_NMI, unblocked) && VM_LEFT_OUT_OR(IRET_NMI_INJECT, outcome != MMU_INJECT) &&
	    VM_LEFT_OUT_OR(IRET_NMI_DELIVERY, !(vmread(VMCS_IDT_VECTORING_INFO) & INFO_VALID)))
		vmwrite(VMCS_GUEST_INTERRUPTIBILITY, vmread(VMCS_GUEST_INTERRUPTIBILITY) | BLOCKING_NMI);
}

static void give_to_heart(struct vcpu *v, struct mmu_fault *fault, bool nmi_unblocked)
{
	struct mmu_result r;

	VM_MUTANT(FAULT_QUEUED, exit_requeue_event(v));
	fault->pdptes = fault->kind != MMU_FAULT_PAGE && !(vmread(VMCS_ENTRY_CONTROLS) & ENTRY_IA32E);
	fault->delivery = v->event.info & INFO_VALID;
	r = mmu_fault(&v->mmu, fault);
	restore_nmi_blocking(nmi_unblocked, r.outcome);
	conclude(v, &r);
}

void exit_ept_violation(struct vcpu *v)
{
	struct mmu_fault fault = {
		.kind = MMU_FAULT_EPT_VIOLATION,
		.qualification = vmread(VMCS_EXIT_QUALIFICATION),
		.gpa = GPA(vmread(VMCS_GUEST_PHYSICAL_ADDRESS)),
	};
	uint64_t translated = QUALIFICATION_GVA_VALID | QUALIFICATION_GVA_TRANSLATED;

	if (fault.qualification & QUALIFICATION_GVA_VALID)
		fault.gva = GVA(vmread(VMCS_GUEST_LINEAR_ADDRESS));
	v->fault_known = (fault.qualification & translated) == translated;
	v->fault_write = fault.qualification & QUALIFICATION_WRITE;
	v->fault_page = fault.gva;
	v->fault_gpa = GPA(align_down(fault.gpa.v, PAGE_SIZE));
	give_to_heart(v, &fault, fault.qualification & QUALIFICATION_NMI_UNBLOCKED);
	v->fault_known = false; /* it was true of this instruction only */
}

void exit_ept_misconfig(struct vcpu *v)
{
	struct mmu_fault fault = {
		.kind = MMU_FAULT_EPT_MISCONFIG,
		.gpa = GPA(vmread(VMCS_GUEST_PHYSICAL_ADDRESS)),
	};

	give_to_heart(v, &fault, false);
}

void exit_page_fault(struct vcpu *v, uint64_t info)
{
	struct mmu_fault fault = {
		.kind = MMU_FAULT_PAGE,
		.error = (uint32_t)vmread(VMCS_EXIT_INTERRUPTION_ERROR),
		.gva = GVA(vmread(VMCS_EXIT_QUALIFICATION)),
	};

	if (v->mmu.intercepts.ept)
		vmx_sync_paging(&v->vmx, &v->mmu);
	else
		vmx_sync_access(&v->mmu);
	v->fault_page = fault.gva;
	/* Who may write may read, but not the other way round. */
	v->fault_known = v->fault_write = fault.error & PFERR_W;
	give_to_heart(v, &fault, info & INFO_NMI_UNBLOCKED);
	v->fault_known = false;
}
