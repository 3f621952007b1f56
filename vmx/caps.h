/* vmx/caps.h - what this CPU's VT-x can do, read once from the capability MSRs. SDM, "VMX Capability Reporting
 * Facility". */
#ifndef VELLUM_VMX_CAPS_H
#define VELLUM_VMX_CAPS_H

#include "hvm/types.h"

/* IA32_VMX_BASIC (SDM, "Basic VMX Information"). */
#define BASIC_REVISION MASK(30, 0)
#define BASIC_TRUE_CONTROLS BIT(55) /* there are MSRs that tell what of the default1 class may be 0, as CR3 exits */

/* IA32_VMX_EPT_VPID_CAP (SDM, "VPID and EPT Capabilities"). */
#define CAP_EXECUTE_ONLY BIT(0)
#define CAP_WALK_4 BIT(6)
#define CAP_WALK_5 BIT(7)
#define CAP_EPT_WB BIT(14)
#define CAP_EPT_2M BIT(16)
#define CAP_EPT_1G BIT(17)
#define CAP_INVEPT BIT(20)
#define CAP_EPT_AD BIT(21)
#define CAP_INVEPT_SINGLE BIT(25)
#define CAP_INVEPT_ALL BIT(26)
#define CAP_INVVPID BIT(32)
#define CAP_INVVPID_ADDRESS BIT(40)
#define CAP_INVVPID_SINGLE BIT(41)
#define CAP_INVVPID_ALL BIT(42)
#define CAP_INVVPID_RETAINING BIT(43)

/* A control field: bits that must be 1, bits that may be 1. */
struct vmx_control_caps {
	uint32_t must;
	uint32_t may;
};

struct vmx_caps {
	struct hvm_caps hvm;
	uint32_t revision;
	struct vmx_control_caps pin, proc, proc2, exit, entry;
	/* VM entry and exit switch IA32_EFER and IA32_PAT by controls; else by MSR areas (vmx/msrs.h) */
	bool switches_msrs;
	unsigned preemption_shift; /* the preemption timer counts once in 1 << preemption_shift TSC ticks */
	uint64_t cr0_fixed0, cr0_fixed1, cr4_fixed0, cr4_fixed1;
	/* bits of CR4 that stay as the host has them while a guest runs: MCE, without which a machine check shuts
	 * down */
	uint64_t cr4_host;
};

/* Reads those of the calling CPU; all CPUs of a machine are alike. NULL, or one sentence that says what is missing. */
const char *vmx_caps_read(struct vmx_caps *caps);
/* The value of a control field: wanted, with what must be set added and what may not be set taken away. SDM,
 * "Algorithms for Determining VMX Capabilities". */
uint32_t vmx_control(struct vmx_control_caps caps, uint32_t wanted);

#endif
