/* vm/exit/mmu.c - page faults, EPT violations and EPT misconfigurations: to the heart, and what it decided. */
#include "vm/vm.h"

#include "lib/mutants/mutate.h"

static ALWAYS_INLINE void step(struct vcpu *v, gpa_t gpa)
{
	v->emulated_gpa = gpa;
	VM_MUTANT(EMULATED_MMIO_PAGE, v->fault_gpa = GPA(align_down(gpa.v, PAGE_SIZE)));
	v->emulated_fault = true;
	emulation_step(v);
	v->emulated_fault = false;
}

/* It may be patched, as far as is known. */
static __attribute__((noinline, cold)) void access_tpr(struct vcpu *v, gpa_t gpa)
{
	uint64_t rip = hvm_rip(&v->hvm);

	if (patch_try(v))
		return;
	if (!apic_served_anyhow(v, gpa))
		step(v, gpa);
	patch_remember(v, rip);
}

static void emulate(struct vcpu *v, gpa_t gpa)
{
	/* It is the delivery of an event that reached gpa, not the instruction at RIP. Where the CPU can be let at a
	 * page table for as long, it goes on by itself; else the event is delivered by hand. */
	if (VM_KEPT(DELIVERY, v->event.info & EVENT_VALID)) {
		if (!mmu_loosen(&v->vm->mmu, gpa))
			emulation_deliver(v);
		return;
	}
	if (hvm_exit_delivery_anew(&v->hvm) && mmu_loosen(&v->vm->mmu, gpa))
		return;
	if (unlikely(gpa.v == v->patch_watched))
		access_tpr(v, gpa);
	else
		step(v, gpa);
}

void exit_emulate_mmio(struct vcpu *v, gpa_t gpa)
{
	v->emulated_mmio = true;
	VM_MUTANT(EMULATED_MMIO_PAGE, v->fault_gpa = GPA(align_down(gpa.v, PAGE_SIZE)));
	emulate(v, gpa);
	v->emulated_mmio = false;
}

static void act_on_outcome(struct vcpu *v, const struct mmu_result *r)
{
	switch (r->outcome) {
	case MMU_FIXED:
	case MMU_RETRY:
	case MMU_SPURIOUS:
		break;
	case MMU_INJECT:
		if (unlikely(v->vm->patch.data) && r->exception.vector == VECTOR_PF &&
		    VM_KEPT(PATCH_FAULT, patch_fault(v, r->exception.cr2)))
			break;
		if (r->exception.vector == VECTOR_PF)
			event_page_fault(v, r->exception.error, r->exception.cr2);
		else
			event_exception(v, r->exception.vector, true, r->exception.error);
		break;
	case MMU_EMULATE:
		if (!apic_served(v, r->gpa))
			emulate(v, r->gpa);
		break;
	case MMU_STOP:
		vm_end(v->vm, VM_STATUS_STOPPED, "stopped: %s", r->why);
		break;
	}
}

/* An IRET that faults has already unblocked NMIs (SDM, "Information About NMI Unblocking Due to IRET"): it finds them
 * blocked when it is executed again. The guest's own handler of the fault runs with them unblocked, as without the
 * exit. Where the exit came during the delivery of an event the bit is undefined. */
static void restore_nmi_blocking(struct vcpu *v, bool unblocked, enum mmu_outcome outcome)
{
	if (VM_KEPT(IRET_NMI, unblocked) && VM_LEFT_OUT_OR(IRET_NMI_INJECT, outcome != MMU_INJECT) &&
	    VM_LEFT_OUT_OR(IRET_NMI_DELIVERY, !(hvm_exit_delivery(&v->hvm) & EVENT_VALID)))
		hvm_set_blocking(&v->hvm, hvm_blocking(&v->hvm) | BLOCKING_NMI);
}

static uint64_t operand(const struct vcpu *v, unsigned n) { return n == GPR_RSP ? hvm_rsp(&v->hvm) : v->hvm.gpr[n]; }

/* Could the access to gpa have been a load of PDPTEs? That is made by MOV to CR3 under PAE paging, from where its
 * operand says; by MOV to CR0 and CR4, from where CR3 does (SDM, "PDPTE Registers"). */
static __attribute__((noinline)) bool is_pdptes_of(const struct vcpu *v, gpa_t gpa)
{
	bool found = VM_LEFT_OUT_OR(PDPTES_CR3, !((hvm_hardware_cr3(&v->hvm) ^ gpa.v) & CR3_PDPT));

	if (found || !(hvm_hardware_cr4(&v->hvm) & CR4_PAE))
		return found;
	for (unsigned n = 0; n < GPR_R8 && !found; n++)
		found = VM_LEFT_OUT_OR(PDPTES_OPERAND, !((operand(v, n) ^ gpa.v) & CR3_PDPT));
	return found;
}

static inline bool may_load_pdptes(const struct vcpu *v, gpa_t gpa)
{
	return !hvm_in_long_mode(&v->hvm) && !(gpa.v >> 32) && is_pdptes_of(v, gpa);
}

static void give_to_heart(struct vcpu *v, struct mmu_fault *fault, bool nmi_unblocked)
{
	struct mmu_result r;

	VM_MUTANT(FAULT_QUEUED, exit_requeue_event(v));
	fault->pdptes = fault->kind != MMU_FAULT_PAGE && may_load_pdptes(v, fault->gpa);
	fault->delivery = (v->event.info & EVENT_VALID) || hvm_exit_delivery_anew(&v->hvm);
	v->faulting = true;
	r = mmu_fault(&v->mmu, fault);
	v->faulting = false;
	restore_nmi_blocking(v, nmi_unblocked, r.outcome);
	act_on_outcome(v, &r);
}

/* Where a load of PDPTEs could lead to the local APIC's page, there is no MMIO leaf, and each access is a violation.
 * What is served here is no such load: the operand of the instruction leads there. */
static inline bool known_violation(struct vcpu *v, gpa_t gpa)
{
	if (likely(!mmu_is_known_mmio(&v->mmu, gpa)))
		return false;
	/* Elsewhere the heart makes the leaf, also where that of a known page has gone with a mechanism's tables. */
	if (!may_load_pdptes(v, gpa))
		return false;
	if (unlikely(hvm_exit_delivery(&v->hvm) & EVENT_VALID))
		VM_MUTANT(KNOWN_VIOLATION_QUEUED, exit_requeue_event(v));
	if (!apic_served(v, gpa))
		return false;
	mmu_count_known_mmio(&v->mmu, MMU_FAULT_EPT_VIOLATION);
	return true;
}

void exit_nested_fault(struct vcpu *v)
{
	struct hvm_nested_fault f = hvm_exit_nested_fault(&v->hvm);
	struct mmu_fault fault = {
		.kind = MMU_FAULT_EPT_VIOLATION,
		.access = f.access,
		.gva = f.gva,
		.gpa = f.gpa,
	};

	if (known_violation(v, f.gpa))
		return;
	v->fault_known = f.translated;
	v->fault_write = f.access & MMU_WRITE;
	v->fault_page = f.gva;
	v->fault_gpa = GPA(align_down(f.gpa.v, PAGE_SIZE));
	give_to_heart(v, &fault, f.nmi_unblocked);
	v->fault_known = false; /* it was true of this instruction only */
}

/* The log of the pages that the CPU makes dirty: whatever was on its way is done again. */
void exit_log_full(struct vcpu *v)
{
	VM_MUTANT(LOG_QUEUED, exit_requeue_event(v));
	restore_nmi_blocking(v, hvm_exit_log_nmi_unblocked(&v->hvm), MMU_RETRY);
	if (mmu_log_full(&v->mmu))
		VM_MUTANT(LOG_RESTARTS, hvm_restart_log(&v->hvm, mmu_log_index(v->mmu.vm)));
}

/* false: it may have been a load of PDPTEs. */
static inline bool known_mmio(struct vcpu *v, gpa_t gpa)
{
	/* What is served here is no load of PDPTEs: the operand of the instruction leads there. */
	if (likely(apic_served(v, gpa)))
		return true;
	if (may_load_pdptes(v, gpa))
		return false;
	if (gpa.v == v->patch_watched || !device_served(v, gpa))
		exit_emulate_mmio(v, gpa);
	return true;
}

__attribute__((noinline)) void exit_other_misconfig(struct vcpu *v, gpa_t gpa)
{
	if (likely(mmu_is_known_mmio(&v->mmu, gpa)) && known_mmio(v, gpa))
		mmu_count_known_mmio(&v->mmu, MMU_FAULT_EPT_MISCONFIG);
	else
		give_to_heart(v, &(struct mmu_fault){ .kind = MMU_FAULT_EPT_MISCONFIG, .gpa = gpa }, false);
}

/* The display's planes are no memory, whatever the leaf says that was met (VG2 in dev/video/vga.h), and of no leaf more
 * is needed. */
void exit_nested_misconfig(struct vcpu *v)
{
	gpa_t gpa = hvm_exit_gpa(&v->hvm);

	if (unlikely(hvm_exit_delivery(&v->hvm) & EVENT_VALID))
		VM_MUTANT(KNOWN_QUEUED, exit_requeue_event(v));
	if (gpa.v - VGA_APERTURE < VGA_APERTURE_SIZE)
		exit_planes(v, gpa);
	else
		exit_other_misconfig(v, gpa);
}

/* Reserved bits have stopped an access: an MMIO leaf's, or the guest's own. Where its place in the page is a
 * register's, and the local APIC's page was met before, a walk of the instruction's operand tells which; it needs no
 * shadow that is up to date (S17). */
static inline bool known_apic(struct vcpu *v, const struct mmu_fault *fault)
{
	gpa_t gpa = GPA(lapic_base_gpa(&v->lapic) | (fault->gva.v & (PAGE_SIZE - 1)));

	if (!(fault->error & PFERR_RSVD) || VM_KEPT(KNOWN_APIC, !mmu_is_known_mmio(&v->mmu, gpa)))
		return false;
	if (unlikely(hvm_exit_delivery(&v->hvm) & EVENT_VALID))
		VM_MUTANT(KNOWN_APIC_QUEUED, exit_requeue_event(v));
	if (!apic_served(v, gpa))
		return false;
	mmu_count_known_mmio(&v->mmu, MMU_FAULT_PAGE);
	return true;
}

/* The same of the display's planes, which are no memory, whatever the leaf was made for. */
static inline bool known_planes(struct vcpu *v, const struct mmu_fault *fault)
{
	if (!(fault->error & PFERR_RSVD) || likely(!v->vm->video))
		return false;
	if (unlikely(hvm_exit_delivery(&v->hvm) & EVENT_VALID))
		VM_MUTANT(KNOWN_PLANES_QUEUED, exit_requeue_event(v));
	return planes_fault_served(v, fault->gva);
}

void exit_page_fault(struct vcpu *v, uint64_t info)
{
	struct mmu_fault fault = {
		.kind = MMU_FAULT_PAGE,
		.error = (uint32_t)hvm_exit_event_error(&v->hvm),
		.gva = hvm_exit_fault_gva(&v->hvm),
	};

	if (known_planes(v, &fault))
		return;
	if (v->mmu.intercepts.ept)
		hvm_sync_paging(&v->hvm, &v->mmu);
	else
		hvm_sync_access(&v->hvm, &v->mmu);
	if (known_apic(v, &fault))
		return;
	v->fault_page = fault.gva;
	/* Who may write may read, but not the other way round. */
	v->fault_known = v->fault_write = fault.error & PFERR_W;
	give_to_heart(v, &fault, info & EVENT_NMI_UNBLOCKED);
	v->fault_known = false;
}
