/* svm/caps.h - what this CPU's AMD-V can do, read once from CPUID. APM, "Enabling SVM"; volume 3, "Function
 * 8000_000Ah - SVM Features". */
#ifndef VELLUM_SVM_CAPS_H
#define VELLUM_SVM_CAPS_H

#include "hvm/types.h"

struct svm_caps {
	struct hvm_caps hvm;
	/* ASIDs are 1 to asids - 1; the last is for vCPUs without a tag of their own. */
	uint32_t asids;
	bool flush_by_asid, pause_filter, pause_threshold;
	bool next_rip; /* an exit tells what is behind the instruction; else hvm_exit_lacks_length() */
	/* bits of CR4 that stay as the host has them while a guest runs: MCE, without which a machine check shuts
	 * down */
	uint64_t cr4_host;
	uint64_t efer_may; /* bits of EFER that VMRUN takes */
};

/* Is this a CPU with AMD-V, usable or not? */
bool svm_offered(void);
/* Reads those of the calling CPU; all CPUs of a machine are alike. NULL, or one sentence that says what is missing. */
const char *svm_caps_read(struct svm_caps *caps);

#endif
