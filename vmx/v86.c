/* vmx/v86.c - real mode by virtual-8086 mode. SDM, "Checks on Guest Segment Registers", "Checks on Guest RIP, RFLAGS,
 * and SSP", "Virtual-8086 Mode", "Class 1 - Hardware Interrupt and Exception Handling
 * in Virtual-8086 Mode".
 *
 * With IOPL 0 each CLI, STI, PUSHF, POPF, INT n and IRET is #GP, so that the guest does not see this IOPL, nor that
 * RFLAGS.VM is set. So is an access to a port that no bit map of a TSS allows (SDM, "I/O Permission Bit Map"); one that
 * is allowed exits as from any mode. Every exception exits, those of INT3 and INTO too, and nothing else is delivered:
 * the CPU does not look at the IDT, which so stays the guest's, nor at the rest of the TSS. */
#include "vmx/v86.h"

#include "vmx/guest.h"

#define ALL_EXCEPTIONS MASK(31, 0)

static bool delivers(const struct vmx_vcpu *v) { return v->proc2 & PROC2_VIRTUAL_INTERRUPTS; }

/* SDM, "Evaluation of Pending Virtual Interrupts": there is none to deliver while RVI is 0. */
static void hide_interrupts(const struct vmx_vcpu *v, struct hvm_v86 *was)
{
	if (!delivers(v))
		return;
	was->interrupts = vmread(VMCS_GUEST_INTERRUPT_STATUS);
	VM_MUTANT(V86_INTERRUPTS, vmwrite(VMCS_GUEST_INTERRUPT_STATUS, was->interrupts & ~INTERRUPT_STATUS_RVI));
}

static void intercept_all(struct hvm_v86 *was)
{
	was->exceptions = vmread(VMCS_EXCEPTION_BITMAP);
	was->pf_mask = vmread(VMCS_PF_ERROR_MASK);
	was->pf_match = vmread(VMCS_PF_ERROR_MATCH);
	VM_MUTANT(V86_EXCEPTIONS, vmwrite(VMCS_EXCEPTION_BITMAP, ALL_EXCEPTIONS));
	vmwrite(VMCS_PF_ERROR_MASK, 0);
	vmwrite(VMCS_PF_ERROR_MATCH, 0);
}

/* What is accessed beyond faults, and is done as real mode has it. */
static void cut_limit(unsigned n, struct hvm_v86 *was)
{
	was->limit[n] = (uint32_t)vmread(VMCS_GUEST_ES_LIMIT + 2 * n);
	VM_MUTANT(V86_CUT, vmwrite(VMCS_GUEST_ES_LIMIT + 2 * n, 0xffff));
}

void vmx_v86_begin(const struct vmx_vcpu *v, const struct hvm_tss *tss, struct hvm_v86 *was)
{
	const struct segment_state tr = { 0, tss->limit, SEGMENT_TSS_BUSY, tss->base };

	was->rflags = vmread(VMCS_GUEST_RFLAGS);
	vmwrite(VMCS_GUEST_RFLAGS, (was->rflags & ~RFLAGS_IOPL) | RFLAGS_VM);
	for (unsigned n = SEG_ES; n <= SEG_GS; n++) {
		was->access[n] = (uint32_t)vmread(VMCS_GUEST_ES_ACCESS + 2 * n);
		vmwrite(VMCS_GUEST_ES_ACCESS + 2 * n, SEGMENT_V86);
		if (unlikely(was->access[n] & SEGMENT_G))
			cut_limit(n, was);
	}
	was->tr = vmx_get_segment(SEG_TR);
	vmx_set_segment(SEG_TR, &tr);
	/* SYSENTER would leave virtual-8086 mode; with a CS of 0 it is #GP ("Performing Fast Calls to System Procedures
	 * with the SYSENTER and SYSEXIT Instructions"). */
	was->sysenter_cs = vmread(VMCS_GUEST_SYSENTER_CS);
	VM_MUTANT(V86_SYSENTER, vmwrite(VMCS_GUEST_SYSENTER_CS, 0));
	intercept_all(was);
	hide_interrupts(v, was);
}

/* A load of a segment register in real mode changes its base alone. */
static void give_back(unsigned n, const struct hvm_v86 *was)
{
	vmwrite(VMCS_GUEST_ES_ACCESS + 2 * n, was->access[n]);
	if (unlikely(was->access[n] & SEGMENT_G))
		VM_MUTANT(V86_LIMITS_BACK, vmwrite(VMCS_GUEST_ES_LIMIT + 2 * n, was->limit[n]));
}

void vmx_v86_end(const struct vmx_vcpu *v, const struct hvm_v86 *was)
{
	uint64_t rflags = vmread(VMCS_GUEST_RFLAGS);

	vmwrite(VMCS_GUEST_RFLAGS, (rflags & ~(RFLAGS_VM | RFLAGS_IOPL)) | (was->rflags & RFLAGS_IOPL));
	for (unsigned n = SEG_ES; n <= SEG_GS; n++)
		give_back(n, was);
	vmx_set_segment(SEG_TR, &was->tr);
	vmwrite(VMCS_GUEST_SYSENTER_CS, was->sysenter_cs);
	vmwrite(VMCS_EXCEPTION_BITMAP, was->exceptions);
	vmwrite(VMCS_PF_ERROR_MASK, was->pf_mask);
	vmwrite(VMCS_PF_ERROR_MATCH, was->pf_match);
	if (delivers(v))
		vmwrite(VMCS_GUEST_INTERRUPT_STATUS, was->interrupts);
}
