#include "host/cpu/speculation.h"

#include "lib/mutants/mutate.h"

/* What a guest may know of its CPU. Left out are promises about what only the host can do. */
#define GUEST_ARCH \
	(ARCH_RDCL_NO | ARCH_IBRS_ALL | ARCH_RSBA | ARCH_SKIP_L1DFL | ARCH_SSB_NO | ARCH_MDS_NO | \
	 ARCH_PSCHANGE_MC_NO | ARCH_TAA_NO | ARCH_SBDR_SSDP_NO | ARCH_FBSDP_NO | ARCH_PSDP_NO | ARCH_FB_CLEAR | \
	 ARCH_RRSBA | ARCH_BHI_NO | ARCH_PBRSB_NO | ARCH_RFDS_NO | ARCH_RFDS_CLEAR)
#define GUEST_L7_EDX \
	(CPUID_7_EDX_MD_CLEAR | CPUID_7_EDX_SPEC_CTRL | CPUID_7_EDX_STIBP | CPUID_7_EDX_ARCH_CAPABILITIES | \
	 CPUID_7_EDX_SSBD)

static void set(struct speculation *s, enum measure m, bool needs, bool can, const char *why)
{
	s->needs |= needs ? (uint32_t)BIT(m) : 0;
	s->can |= can ? (uint32_t)BIT(m) : 0;
	s->why[m] = why;
}

/* "L1 Terminal Fault": CVE-2018-3646. */
static void judge_l1d(const struct speculation_cpu *cpu, struct speculation *s)
{
	bool can = VM_LEFT_OUT_OR(L1D_CAN, cpu->l7_edx & CPUID_7_EDX_L1D_FLUSH);

	if (VM_KEPT(L1D_RDCL_NO, cpu->arch_capabilities & ARCH_RDCL_NO))
		set(s, MEASURE_L1D, false, can, "RDCL_NO");
	else if (VM_KEPT(L1D_SKIP, cpu->arch_capabilities & ARCH_SKIP_L1DFL))
		set(s, MEASURE_L1D, false, can, "SKIP_L1DFL_VMENTRY: who runs below this hypervisor flushes");
	else
		set(s, MEASURE_L1D, true, can,
		    can ? "no RDCL_NO" : "no RDCL_NO, and no IA32_FLUSH_CMD: the microcode is too old");
}

/* MDS; on CPUs without it, what VERW serves besides: TAA (CVE-2019-11135), MMIO stale data, RFDS (CVE-2023-28746). */
static void judge_verw(const struct speculation_cpu *cpu, struct speculation *s)
{
	uint64_t a = cpu->arch_capabilities;
	bool can =
		VM_LEFT_OUT_OR(VERW_CAN, cpu->l7_edx & CPUID_7_EDX_MD_CLEAR) || (a & (ARCH_FB_CLEAR | ARCH_RFDS_CLEAR));

	if (VM_KEPT(VERW_MDS, !(a & ARCH_MDS_NO)))
		set(s, MEASURE_VERW, true, can,
		    can ? "no MDS_NO" : "no MDS_NO, and no MD_CLEAR: the microcode is too old");
	else if (VM_KEPT(VERW_TAA, cpu->rtm && !(a & ARCH_TAA_NO)))
		set(s, MEASURE_VERW, true, can,
		    can ? "RTM without TAA_NO" : "RTM without TAA_NO, and no MD_CLEAR: the microcode is too old");
	else if (VM_KEPT(VERW_FB, a & ARCH_FB_CLEAR))
		set(s, MEASURE_VERW, true, can, "FB_CLEAR");
	else if (VM_KEPT(VERW_RFDS, a & ARCH_RFDS_CLEAR))
		set(s, MEASURE_VERW, true, can, "RFDS_CLEAR");
	else
		set(s, MEASURE_VERW, false, can, "MDS_NO");
}

/* The return stack buffer can be filled on any CPU. Where indirect jumps cannot be protected it alone would close one
 * of two doors. */
static void judge_branches(const struct speculation_cpu *cpu, struct speculation *s)
{
	bool can = VM_LEFT_OUT_OR(IBRS_CAN, cpu->l7_edx & CPUID_7_EDX_SPEC_CTRL), ssbd = cpu->l7_edx & CPUID_7_EDX_SSBD;
	uint64_t a = cpu->arch_capabilities;

	s->enhanced_ibrs = VM_LEFT_OUT_OR(IBRS_ENHANCED, can) && (a & ARCH_IBRS_ALL);
	s->spec_host = can ? SPEC_CTRL_IBRS : 0;
	set(s, MEASURE_IBRS, true, can,
	    s->enhanced_ibrs ? "IBRS_ALL" : can ? "SPEC_CTRL" : "no IA32_SPEC_CTRL: the microcode is too old");
	set(s, MEASURE_IBPB, true, can, can ? "SPEC_CTRL" : "no IA32_PRED_CMD: the microcode is too old");
	if (VM_KEPT(RSB_ALONE, !can))
		set(s, MEASURE_RSB, false, true, "of no use without ibrs");
	else if (!s->enhanced_ibrs)
		set(s, MEASURE_RSB, true, true, "IBRS that is not enhanced");
	else
		set(s, MEASURE_RSB, VM_LEFT_OUT_OR(RSB_PBRSB_NO, !(a & ARCH_PBRSB_NO)), true,
		    a & ARCH_PBRSB_NO ? "PBRSB_NO" : "no PBRSB_NO");
	s->guest_spec_ctrl = (can ? SPEC_CTRL_IBRS : 0) | (cpu->l7_edx & CPUID_7_EDX_STIBP ? SPEC_CTRL_STIBP : 0) |
			     (ssbd ? SPEC_CTRL_SSBD : 0);
}

static void judge_guest(const struct speculation_cpu *cpu, struct speculation *s)
{
	uint32_t offered = cpu->l7_edx & (VM_LEFT_OUT_OR(GUEST_FEATURES, false) ? UINT32_MAX : (uint32_t)GUEST_L7_EDX);

	s->guest_l7_edx = offered;
	s->guest_arch_capabilities =
		cpu->arch_capabilities & (VM_LEFT_OUT_OR(GUEST_PROMISES, false) ? UINT64_MAX : GUEST_ARCH);
	/* A guest's own guests are not there: nothing that it enters is to be flushed for. */
	if (offered & CPUID_7_EDX_ARCH_CAPABILITIES)
		VM_MUTANT(GUEST_SKIP, s->guest_arch_capabilities |= ARCH_SKIP_L1DFL);
	set(s, MEASURE_GUEST, offered, offered, offered ? "the CPU has them" : "the CPU has none");
}

void speculation_judge(const struct speculation_cpu *cpu, struct speculation *s)
{
	*s = (struct speculation){ 0 };
	set(s, MEASURE_REGISTERS, true, true, "always");
	judge_l1d(cpu, s);
	judge_verw(cpu, s);
	judge_branches(cpu, s);
	judge_guest(cpu, s);
}
