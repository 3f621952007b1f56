/* vmx/entry_check.h - would a CPU enter with this VMCS? */
#ifndef VELLUM_VMX_ENTRY_CHECK_H
#define VELLUM_VMX_ENTRY_CHECK_H

#include "hvm/types.h"

/* Puts the VMCS, which is loaded, through the manual's checks at VM entry (model/vmentry.h), on a machine of CPUs with
 * these capabilities. NULL, or the rule that is broken. Debug builds do it before every entry: emulators leave some of
 * the checks out, and a state that passes there ends a virtual machine on a CPU. */
const char *vmx_entry_check(const struct hvm_caps *caps);

#endif
