/* vmx/msrs.h - the guest's IA32_EFER and IA32_PAT, whichever way the CPU switches them at VM entry and exit: by fields
 * of the VMCS, or, on CPUs before Nehalem, by the MSR areas. SDM, "VM-Entry Controls for MSRs" and "VM-Exit Controls
 * for MSRs". */
#ifndef VELLUM_VMX_MSRS_H
#define VELLUM_VMX_MSRS_H

#include "vmx/vcpu.h"

/* Allocates the areas, if this CPU needs them. false: no memory. */
bool vmx_msrs_init(struct vmx_vcpu *v);
void vmx_msrs_destroy(struct vmx_vcpu *v);
/* Writes the fields of a new VMCS that have to do with these MSRs. */
void vmx_msrs_start(struct vmx_vcpu *v);

/* As the CPU runs the guest with; the guest's own IA32_EFER is in mmu->regs. */
uint64_t vmx_get_efer(const struct vmx_vcpu *v);
void vmx_set_efer(struct vmx_vcpu *v, uint64_t efer);
uint64_t vmx_get_pat(const struct vmx_vcpu *v);
void vmx_set_pat(struct vmx_vcpu *v, uint64_t pat);

#endif
