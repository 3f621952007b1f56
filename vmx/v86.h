/* vmx/v86.h - a guest in real mode, on a CPU that can only run it in virtual-8086 mode: the fields of the VMCS that is
 * current become those that VM entry wants for that, and again what they were. */
#ifndef VELLUM_VMX_V86_H
#define VELLUM_VMX_V86_H

#include "vmx/vcpu.h"

void vmx_v86_begin(const struct vmx_vcpu *v, const struct hvm_tss *tss, struct hvm_v86 *was);
void vmx_v86_end(const struct vmx_vcpu *v, const struct hvm_v86 *was);

#endif
