/* svm/cpu.h - SVM on a logical CPU: what belongs to it, and the flushes that its next VMRUN makes. */
#ifndef VELLUM_SVM_CPU_H
#define VELLUM_SVM_CPU_H

#include "mmu/below.h"
#include "svm/caps.h"

/* What a CPU keeps for its guests. A flush by tag is made by the next VMRUN, with whatever tag that has: it flushes its
 * own alone where no other is due. */
struct svm_cpu {
	hpa_t host;          /* a VMCB with the host's FS, GS, TR and LDTR, and what VMSAVE saves besides */
	uint32_t flush_asid; /* 0: none */
	bool flush_all;
	bool flush_nonglobal; /* with flush_asid: its global translations may stay */
};

struct svm_cpu *svm_this_cpu(void);

/* Switches SVM on for the calling CPU, for good. Allocates its host save area. NULL, or one sentence that says why it
 * cannot be. */
const char *svm_cpu_enable(const struct svm_caps *caps);

/* What INVVPID and INVEPT are for the heart (struct mmu_below), with an ASID for a VPID; always true. */
bool svm_flush_tag(enum tag_flush type, uint16_t asid, gva_t gva);
bool svm_flush_nested(void);
/* What the VMRUN of a vCPU with this ASID, on the calling CPU, has to flush: TLB_* (svm/vmcb.h). */
uint8_t svm_take_flush(uint32_t asid);

#endif
