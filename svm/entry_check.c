#include "svm/entry_check.h"

#include "lib/memtype.h"
#include "lib/mutants/mutate.h"

/* APM, "Canonicalization and Consistency Checks": of registers alone. */
static const char *check_registers(const struct svm_caps *caps, const struct vmcb *c)
{
	if (VM_KEPT(SVM_CHECK_SVME, !(c->efer & EFER_SVME)))
		return "EFER.SVME is zero";
	if (VM_KEPT(SVM_CHECK_CR0_CACHE, !(c->cr0 & CR0_CD) && (c->cr0 & CR0_NW)))
		return "CR0.CD is zero and CR0.NW is set";
	if (VM_KEPT(SVM_CHECK_CR0_HIGH, c->cr0 >> 32))
		return "CR0[63:32] are not zero";
	if (VM_KEPT(SVM_CHECK_CR3, (c->efer & EFER_LMA) && (c->cr3 & ~MASK(caps->hvm.mmu.maxphyaddr - 1, 0))))
		return "an MBZ bit of CR3 is set";
	if (VM_KEPT(SVM_CHECK_CR4, c->cr4 & ~caps->hvm.cr4_may))
		return "an MBZ bit of CR4 is set";
	if (VM_KEPT(SVM_CHECK_DR6, c->dr6 >> 32))
		return "DR6[63:32] are not zero";
	if (VM_KEPT(SVM_CHECK_DR7, c->dr7 >> 32))
		return "DR7[63:32] are not zero";
	if (VM_KEPT(SVM_CHECK_EFER, c->efer & ~caps->efer_may))
		return "an MBZ bit of EFER is set";
	return NULL;
}

/* The same: of what IA-32e mode needs. */
static const char *check_mode(const struct vmcb *c)
{
	const uint16_t long_default = (SEGMENT_L | SEGMENT_DB) >> 4;

	if (!(c->efer & EFER_LME) || !(c->cr0 & CR0_PG))
		return NULL;
	if (VM_KEPT(SVM_CHECK_PAE, !(c->cr4 & CR4_PAE)))
		return "EFER.LME and CR0.PG are set and CR4.PAE is zero";
	if (VM_KEPT(SVM_CHECK_PE, !(c->cr0 & CR0_PE)))
		return "EFER.LME and CR0.PG are set and CR0.PE is zero";
	if (VM_KEPT(SVM_CHECK_CS, (c->segment[SEG_CS].attributes & long_default) == long_default))
		return "EFER.LME, CR0.PG, CR4.PAE, CS.L and CS.D are all set";
	return NULL;
}

/* The same; and "Nested Paging and VMRUN/#VMEXIT" of N_CR3 and G_PAT. */
static const char *check_controls(const struct svm_caps *caps, const struct vmcb *c)
{
	uint64_t above = ~MASK(caps->hvm.mmu.maxphyaddr - 1, 0);

	if (VM_KEPT(SVM_CHECK_VMRUN, !(c->intercepts[1] & INTERCEPT_VMRUN)))
		return "the VMRUN intercept bit is clear";
	if (VM_KEPT(SVM_CHECK_ASID, !c->asid || c->asid >= caps->asids))
		return "the ASID is zero, or none that the CPU has";
	if (VM_KEPT(SVM_CHECK_MAPS, ((c->io_map + 3 * PAGE_SIZE - 1) | (c->msr_map + 2 * PAGE_SIZE - 1)) & above))
		return "the MSR or IOIO intercept table extends beyond the physical addresses";
	if (VM_KEPT(SVM_CHECK_NESTED, (c->nested_control & NESTED_PAGING) && (c->nested_cr3 & above)))
		return "an MBZ bit of N_CR3 is set";
	if (VM_KEPT(SVM_CHECK_PAT, (c->nested_control & NESTED_PAGING) && !memtypes_valid(c->pat, true)))
		return "G_PAT has an illegal type";
	return NULL;
}

/* APM, "Event Injection". */
static const char *check_event(const struct vmcb *c)
{
	uint32_t e = (uint32_t)c->event_injection, vector = e & EVENT_VECTOR;

	if (!(e & EVENT_VALID))
		return NULL;
	switch (e & EVENT_TYPE) {
	case EVENT_TYPE_EXTERNAL:
	case EVENT_TYPE_NMI:
	case EVENT_TYPE_SOFTWARE_INTERRUPT:
		return NULL;
	case EVENT_TYPE_HARDWARE_EXCEPTION:
		if (VM_KEPT(SVM_CHECK_VECTOR, vector >= VECTOR_FIRST_INTERRUPT || vector == VECTOR_NMI))
			return "the event to be injected is no exception";
		return NULL;
	default:
		return VM_KEPT(SVM_CHECK_TYPE, true) ? "the event to be injected has a reserved type" : NULL;
	}
}

const char *svm_entry_check(const struct svm_vcpu *v)
{
	const char *broken = check_registers(v->caps, v->vmcb);

	if (!broken)
		broken = check_mode(v->vmcb);
	if (!broken)
		broken = check_controls(v->caps, v->vmcb);
	return broken ? broken : check_event(v->vmcb);
}
