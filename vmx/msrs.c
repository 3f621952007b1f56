#include "vmx/msrs.h"

#include "host/cpu/x86.h"
#include "host/memory/frames.h"
#include "lib/mutants/mutate.h"

/* One entry of an area (SDM, "Format of an MSR Entry"). */
struct msr_entry {
	uint32_t msr;
	uint32_t reserved;
	uint64_t value;
};

enum { ENTRY_EFER, ENTRY_PAT, ENTRY_COUNT };

/* Both areas, in one frame, at multiples of 16 bytes (SDM, "Checks on VMX Controls"). Nothing is stored at exits: the
 * guest's writes of these MSRs exit, so that its values are known, and EFER.LMA changes only with CR0.PG, which such
 * CPUs do not let a guest change by itself. */
struct vmx_msr_areas {
	struct msr_entry guest[ENTRY_COUNT];
	struct msr_entry host[ENTRY_COUNT];
};

/* SDM, "VM-Exit Controls for MSRs", "VM-Entry Controls for MSRs": areas, where the controls that switch them are not
 * there. */
bool vmx_msrs_init(struct vmx_vcpu *v)
{
	hfn_t f;

	if (v->caps->switches_msrs)
		return true;
	f = frames_alloc();
	if (hfn_is_none(f))
		return false;
	v->msr_areas = frames_ptr(f);
	return true;
}

void vmx_msrs_destroy(struct vmx_vcpu *v)
{
	if (v->msr_areas)
		VM_MUTANT(AREAS_FREED, frames_free(frames_of_ptr(v->msr_areas), 1));
}

void vmx_msrs_start(struct vmx_vcpu *v)
{
	struct vmx_msr_areas *a = v->msr_areas;
	uint32_t count = VM_KEPT(AREAS_COUNT, a) ? ENTRY_COUNT : 0;

	VM_MUTANT(AREAS_STORE, vmwrite(VMCS_EXIT_MSR_STORE_COUNT, 0));
	vmwrite(VMCS_EXIT_MSR_LOAD_COUNT, count);
	vmwrite(VMCS_ENTRY_MSR_LOAD_COUNT, count);
	if (!a) {
		VM_MUTANT(HOST_EFER, vmwrite(VMCS_HOST_EFER, rdmsr(MSR_EFER)));
		VM_MUTANT(HOST_PAT, vmwrite(VMCS_HOST_PAT, rdmsr(MSR_PAT)));
		return;
	}
	a->guest[ENTRY_EFER].msr = a->host[ENTRY_EFER].msr = MSR_EFER;
	a->guest[ENTRY_PAT].msr = a->host[ENTRY_PAT].msr = MSR_PAT;
	VM_MUTANT(AREAS_HOST_EFER, a->host[ENTRY_EFER].value = rdmsr(MSR_EFER));
	VM_MUTANT(AREAS_HOST_PAT, a->host[ENTRY_PAT].value = rdmsr(MSR_PAT));
	vmwrite(VMCS_ENTRY_MSR_LOAD_ADDRESS, frames_hpa(a->guest).v);
	vmwrite(VMCS_EXIT_MSR_LOAD_ADDRESS, frames_hpa(a->host).v);
}

uint64_t vmx_get_efer(const struct vmx_vcpu *v)
{
	return v->msr_areas ? v->msr_areas->guest[ENTRY_EFER].value : vmread(VMCS_GUEST_EFER);
}

void vmx_set_efer(struct vmx_vcpu *v, uint64_t efer)
{
	if (v->msr_areas)
		v->msr_areas->guest[ENTRY_EFER].value = efer;
	else
		vmwrite(VMCS_GUEST_EFER, efer);
}

uint64_t vmx_get_pat(const struct vmx_vcpu *v)
{
	return v->msr_areas ? v->msr_areas->guest[ENTRY_PAT].value : vmread(VMCS_GUEST_PAT);
}

void vmx_set_pat(struct vmx_vcpu *v, uint64_t pat)
{
	if (v->msr_areas)
		v->msr_areas->guest[ENTRY_PAT].value = pat;
	else
		vmwrite(VMCS_GUEST_PAT, pat);
}
