/* host/cpu/speculation.h - what must be done around a guest so that it learns nothing by what the CPU does
 * speculatively, on this CPU.
 *
 * After Intel's "Deep Dive" documents and guidance: "L1 Terminal Fault" (flush at VM entry; CVE-2018-3646),
 * "Microarchitectural Data Sampling" (CVE-2018-12126, -12127, -12130, CVE-2019-11091) and "Processor MMIO Stale Data
 * Vulnerabilities" (CVE-2022-21123, -21125, -21166) (VERW), "Indirect Branch Restricted Speculation" and "Indirect
 * Branch Predictor Barrier" (CVE-2017-5715), "Retpoline: A Branch Target Injection Mitigation" (filling the RSB),
 * "Post-barrier Return Stack Buffer Predictions" (one call after an exit; CVE-2022-26373), "Speculative Store Bypass"
 * (CVE-2018-3639). docs/security.md argues each.
 *
 * SP1  A measure is on only where its check of CPUID and IA32_ARCH_CAPABILITIES says that the CPU can do it.
 * SP2  What the CPU needs and cannot do is said, never passed over. */
#ifndef VELLUM_HOST_SPECULATION_H
#define VELLUM_HOST_SPECULATION_H

#include "lib/base.h"
#include "lib/x86_cpuid.h"
#include "lib/x86_msr.h"

/* The measures, by number and as a set of bits; vm/config/mitigations.c has the names, in the same order. */
enum measure {
	MEASURE_REGISTERS, /* general registers are cleared after an exit */
	MEASURE_L1D,
	MEASURE_VERW,
	MEASURE_IBRS,      /* the host runs with IBRS */
	MEASURE_RSB,
	MEASURE_IBPB,
	MEASURE_GUEST,     /* the guest is offered the CPU's own controls */
	MEASURES,
};

struct speculation_cpu {
	uint32_t l7_edx;            /* CPUID.(7,0):EDX; 0 where there is no leaf 7 */
	bool rtm;                   /* CPUID.(7,0):EBX */
	uint64_t arch_capabilities; /* 0 where there is no such MSR */
};

struct speculation {
	uint32_t can, needs;         /* sets of measures */
	/* why it is needed, or is not; why it cannot be had, where it is needed and cannot */
	const char *why[MEASURES];
	uint64_t spec_host;          /* IA32_SPEC_CTRL while the host runs, with MEASURE_IBRS */
	uint32_t guest_l7_edx;       /* what a guest may be offered, with MEASURE_GUEST */
	uint64_t guest_arch_capabilities;
	uint64_t guest_spec_ctrl;    /* the bits of IA32_SPEC_CTRL that it may then set */
	bool enhanced_ibrs;
};

/* What these facts ask for. A pure function. */
void speculation_judge(const struct speculation_cpu *cpu, struct speculation *s);
/* The facts of the calling CPU. */
struct speculation_cpu speculation_read(void);

#endif
