/* vmx/cpu.h - VMX operation on a logical CPU. */
#ifndef VELLUM_VMX_CPU_H
#define VELLUM_VMX_CPU_H

#include "vmx/caps.h"

/* Puts the calling CPU into VMX operation, for good. Allocates its VMXON region. NULL, or one sentence that says why it
 * cannot be. */
const char *vmx_cpu_enable(const struct vmx_caps *caps);

#endif
