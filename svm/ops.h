/* svm/ops.h - the SVM instructions that C uses; VMRUN and what stands around it is in svm/entry.S. APM, volume 3,
 * "System Instruction Reference". */
#ifndef VELLUM_SVM_OPS_H
#define VELLUM_SVM_OPS_H

#include "mmu/addr.h"

/* Saves FS, GS, TR, LDTR and the MSRs of SYSCALL and SYSENTER into the VMCB at hpa. */
static inline void vmsave(hpa_t vmcb) { __asm__ volatile("vmsave %0" : : "a"(vmcb.v) : "memory"); }

/* Drops what the TLB has for an address under a tag. */
static inline void invlpga(uint64_t gva, uint32_t asid)
{
	__asm__ volatile("invlpga %0, %1" : : "a"(gva), "c"(asid) : "memory");
}

#endif
