/* test/vm/shadow/vmx/ops.h - vmx/ops.h for the bench: the VMX instructions are functions of the software CPU, its VMCS
 * is in memory (test/vm/vmcs.c). */
#ifndef VELLUM_TEST_VM_OPS_H
#define VELLUM_TEST_VM_OPS_H

#include "host/device/console.h"
#include "mmu/addr.h"
#include "vmx/vmcs.h"

_Noreturn void vmx_access_failed(enum vmcs_field field, bool write);

uint64_t vmread(enum vmcs_field field);
static inline void vmread_to(uint64_t *to, enum vmcs_field field) { *to = vmread(field); }
void vmwrite(enum vmcs_field field, uint64_t v);
bool vmxon(hpa_t region);
void vmxoff(void);
bool vmclear(hpa_t vmcs);
bool vmptrld(hpa_t vmcs);
bool invept_insn(uint64_t type, uint64_t eptp);
bool invvpid_insn(uint64_t type, uint16_t vpid, uint64_t gva);

#endif
