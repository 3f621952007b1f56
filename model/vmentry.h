/* model/vmentry.h - would a CPU enter this guest? The checks of the SDM's chapter "VM Entries" over a VMCS that is
 * given as a function, so that the same code looks at the VMCS in memory of test/vm/ and, in debug builds of the
 * hypervisor, at the real one before each entry.
 *
 * Written from the manual, with its own names for fields and bits: a wrong constant in vmx/ must not be right here by
 * inclusion. It shares no code with vmx/ and vm/. Where the manual leaves a rule to the processor ("A processor may
 * require"), the rule is demanded.
 *
 * VE1  vmentry_check reads no field that the CPU described by the capabilities does not have: VMREAD of it would fail.
 * VE2  It changes nothing. */
#ifndef VELLUM_MODEL_VMENTRY_H
#define VELLUM_MODEL_VMENTRY_H

#include "lib/base.h"

/* Bits of a control field that must be 1, and that may be 1. SDM, "VMX Capability Reporting Facility". */
struct vmentry_bits {
	uint32_t must, may;
};

/* What the CPU can do, as its capability MSRs say. */
struct vmentry_caps {
	struct vmentry_bits pin, proc, proc2, exit, entry;
	uint64_t cr0_fixed0, cr0_fixed1, cr4_fixed0, cr4_fixed1;
	/* IA32_VMX_BASIC, IA32_VMX_MISC, IA32_VMX_EPT_VPID_CAP (0 without EPT and VPID) */
	uint64_t basic, misc, ept_vpid;
	uint8_t physical_bits, linear_bits;
	bool sgx, rtm;
};

struct vmentry {
	const struct vmentry_caps *caps;
	/* VMREAD by encoding (SDM, "Field Encoding in VMCS"). */
	uint64_t (*read)(void *ctx, uint32_t field);
	/* n bytes of host-physical memory, for the MSR areas and for PDPTEs that CR3 names; NULL: there is none, which
	 * breaks the rule.
	 */
	const void *(*memory)(void *ctx, uint64_t hpa, unsigned n);
	void *ctx;
};

/* Fills what the MSRs tell; the rest (physical_bits, linear_bits, sgx, rtm) is the caller's, who asks CPUID. */
void vmentry_caps_read(struct vmentry_caps *caps, uint64_t (*rdmsr)(void *ctx, uint32_t msr), void *ctx);

/* NULL: a CPU enters. Else the rule that is broken: the title of the manual's section, a colon, a sentence. A constant
 * string. */
const char *vmentry_check(const struct vmentry *e);

#endif
