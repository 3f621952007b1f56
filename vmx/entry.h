/* vmx/entry.h - what vmx/entry.S and C share: offsets in struct vmx_vcpu, and which guards take the long way. */
#ifndef VELLUM_VMX_ENTRY_H
#define VELLUM_VMX_ENTRY_H

#include "hvm/entry.h"
#include "hvm/guards.h"

#define OFFSET_ENTER 160
#define OFFSET_ENTER_AGAIN 168
#define OFFSET_HOST_RSP 176
#define OFFSET_LAUNCHED 184

/* Those that the short way in and out (vmx_enter_again, vmx_exit_entry) does not do. */
#define GUARDS_LONG_WAY (GUARD_L1D | GUARD_VERW | GUARD_SPEC_CTRL | GUARD_SPEC_CTRL_EACH | GUARD_RSB | GUARD_RSB_ONE)

#endif
