/* vmx/exits.h - what the exit reasons of VT-x are called, and what they ask for in the terms of hvm/types.h. */
#ifndef VELLUM_VMX_EXITS_H
#define VELLUM_VMX_EXITS_H

#include "hvm/types.h"

/* By basic exit reason. */
extern const char *const vmx_exit_names[HVM_EXIT_CODES];  /* NULL: there is none of this number */
extern const uint8_t vmx_exit_kinds[HVM_EXIT_CODES];      /* enum hvm_exit_kind */
/* An instruction by which a guest's code tells the hypervisor something at any privilege level, HVM_EXIT_ABSENT:
 * VMRESUME (SDM, "Instructions That Cause VM Exits Unconditionally"). */
static const uint8_t vmx_tell_insn[] = { 0x0f, 0x01, 0xc3 };

#endif
