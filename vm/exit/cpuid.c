#include "vm/exit/cpuid.h"

#include "dev/irq/lapic.h"
#include "emulate/emulate.h"
#include "mmu/walk.h"
#include "lib/mutants/mutate.h"

/* Leaf 1, ECX; and RDRAND, if it is not hidden. Not MONITOR, VMX, SMX, EIST, TM2, DTES64, DS-CPL, PDCM, DCA: nothing
 * here makes them work. */
#define PASS_1_ECX \
	(CPUID_1_ECX_SSE3 | CPUID_1_ECX_PCLMULQDQ | CPUID_1_ECX_SSSE3 | CPUID_1_ECX_FMA | CPUID_1_ECX_CMPXCHG16B | \
	 CPUID_1_ECX_SSE4_1 | CPUID_1_ECX_SSE4_2 | CPUID_1_ECX_MOVBE | CPUID_1_ECX_POPCNT | CPUID_1_ECX_AESNI | \
	 CPUID_1_ECX_XSAVE | CPUID_1_ECX_AVX | CPUID_1_ECX_F16C)
#define PASS_1_EDX \
	(CPUID_1_EDX_FPU | CPUID_1_EDX_VME | CPUID_1_EDX_DE | CPUID_1_EDX_PSE | CPUID_1_EDX_TSC | CPUID_1_EDX_MSR | \
	 CPUID_1_EDX_PAE | CPUID_1_EDX_MCE | CPUID_1_EDX_CX8 | CPUID_1_EDX_APIC | CPUID_1_EDX_SEP | CPUID_1_EDX_MTRR | \
	 CPUID_1_EDX_PGE | CPUID_1_EDX_MCA | CPUID_1_EDX_CMOV | CPUID_1_EDX_PAT | CPUID_1_EDX_PSE36 | \
	 CPUID_1_EDX_CLFSH | CPUID_1_EDX_MMX | CPUID_1_EDX_FXSR | CPUID_1_EDX_SSE | CPUID_1_EDX_SSE2 | CPUID_1_EDX_SS)
/* Leaf 7, EBX; and RDSEED, as RDRAND. Not HLE, RTM, MPX, PQM, PT. */
#define PASS_7_EBX \
	(CPUID_7_EBX_FSGSBASE | CPUID_7_EBX_BMI1 | CPUID_7_EBX_AVX2 | CPUID_7_EBX_BMI2 | CPUID_7_EBX_ERMS | \
	 CPUID_7_EBX_ADX | CPUID_7_EBX_CLFLUSHOPT | CPUID_7_EBX_CLWB | CPUID_7_EBX_SHA | CPUID_7_EBX_AVX512)
#define PASS_7_ECX \
	(CPUID_7_ECX_UMIP | CPUID_7_ECX_GFNI | CPUID_7_ECX_VAES | CPUID_7_ECX_VPCLMULQDQ | CPUID_7_ECX_AVX512)
/* Leaf 7, EDX: nothing. Fast short REP MOV (bit 4) is a promise about speed that Bochs announces and that Linux 6.1
 * then trips over. */
#define PASS_80000001_ECX (CPUID_80000001_ECX_LAHF | CPUID_80000001_ECX_LZCNT | CPUID_80000001_ECX_PREFETCHW)
#define PASS_80000001_EDX (CPUID_80000001_EDX_SYSCALL | CPUID_80000001_EDX_NX | CPUID_80000001_EDX_LM)
/* Leaf 0xd, subleaf 1. Not XSAVES. */
#define PASS_D_1_EAX (CPUID_D_1_EAX_XSAVEOPT | CPUID_D_1_EAX_XSAVEC | CPUID_D_1_EAX_XGETBV1)

/* Bits of CR4 that every guest's CPU has. */
#define CR4_ALWAYS \
	(CR4_VME | CR4_PVI | CR4_TSD | CR4_DE | CR4_PSE | CR4_PAE | CR4_MCE | CR4_PGE | CR4_PCE | CR4_OSFXSR | \
	 CR4_OSXMMEXCPT)

/* Without CR4.OSXSAVE there is no state of AVX's: what needs it is not offered. */
static bool has_xstate(const struct hvm_caps *cpu) { return VM_LEFT_OUT_OR(CPUID_XSTATE, cpu->cr4_may & CR4_OSXSAVE); }

static void set_leaf1(struct cpuid_policy *p, bool nested, bool random, const struct hvm_caps *cpu)
{
	struct cpuid h = cpuid(CPUID_LEAF_VERSION, 0), *l = &p->basic[CPUID_LEAF_VERSION];

	l->eax = h.eax;
	/* brand and CLFLUSH line are the host's; the initial APIC ID is added to each answer */
	l->ebx = (h.ebx & 0xffff) | p->cpus << 16;
	VM_MUTANT(CPUID_PASS_1C, h.ecx &= (uint32_t)(PASS_1_ECX |
						(VM_LEFT_OUT_OR(CPUID_RDRAND, random) ? CPUID_1_ECX_RDRAND : 0)));
	if (!has_xstate(cpu))
		h.ecx &= (uint32_t)~(CPUID_1_ECX_XSAVE | CPUID_1_ECX_AVX | CPUID_1_ECX_FMA | CPUID_1_ECX_F16C);
	l->ecx = (uint32_t)(h.ecx | CPUID_1_ECX_X2APIC | CPUID_1_ECX_TSC_DEADLINE | CPUID_1_ECX_HYPERVISOR);
	if (VM_LEFT_OUT_OR(CPUID_PCID, nested) && cpu->mmu.pcid)
		l->ecx |= (uint32_t)CPUID_1_ECX_PCID;
	l->edx = (uint32_t)((VM_LEFT_OUT_OR(CPUID_PASS_1D, false) ? h.edx : h.edx & PASS_1_EDX) | CPUID_1_EDX_APIC);
	/* The number of logical CPUs counts only with it. */
	if (VM_KEPT(CPUID_HTT, p->cpus > 1))
		l->edx |= (uint32_t)CPUID_1_EDX_HTT;
	p->has_xsave = l->ecx & CPUID_1_ECX_XSAVE;
}

/* SDM, "CPUID - CPU Identification": leaf 7. What needs a register of XCR0's is offered with it. INVPCID and PKU
 * are the guest's own paging's: with nested paging only. */
static void set_leaf7(struct cpuid_policy *p, bool nested, bool random, const struct hvm_caps *cpu)
{
	const struct mmu_caps *caps = &cpu->mmu;
	struct cpuid h = cpuid(CPUID_LEAF_FEATURES, 0), *l = &p->basic[CPUID_LEAF_FEATURES];
	uint32_t ebx = h.ebx, ecx = h.ecx;

	VM_MUTANT(CPUID_PASS_7B, ebx &= (uint32_t)(PASS_7_EBX |
					      (VM_LEFT_OUT_OR(CPUID_RDSEED, random) ? CPUID_7_EBX_RDSEED : 0)));
	VM_MUTANT(CPUID_PASS_7C, ecx &= (uint32_t)PASS_7_ECX);
	if (!has_xstate(cpu)) {
		ebx &= (uint32_t)~CPUID_7_EBX_AVX2;
		ecx &= (uint32_t)~(CPUID_7_ECX_VAES | CPUID_7_ECX_VPCLMULQDQ);
	}
	p->has_invpcid = VM_LEFT_OUT_OR(CPUID_INVPCID, nested) && caps->pcid && (h.ebx & CPUID_7_EBX_INVPCID) &&
			 VM_LEFT_OUT_OR(CPUID_INVPCID_CONTROL, cpu->invpcid);
	ebx |= (uint32_t)((caps->smep ? CPUID_7_EBX_SMEP : 0) | (caps->smap ? CPUID_7_EBX_SMAP : 0) |
			  (p->has_invpcid ? CPUID_7_EBX_INVPCID : 0) |
			  CPUID_7_EBX_TSC_ADJUST);
	ecx |= (uint32_t)(VM_LEFT_OUT_OR(CPUID_PKU, nested) && caps->pku ? CPUID_7_ECX_PKU : 0);
	if (VM_KEPT(CPUID_AVX512, !(p->xcr0_offered & XCR0_AVX512))) {
		ebx &= (uint32_t)~CPUID_7_EBX_AVX512;
		ecx &= (uint32_t)~CPUID_7_ECX_AVX512;
	}
	*l = (struct cpuid){ 0, ebx, ecx, 0 };
}

static void set_xsave(struct cpuid_policy *p, bool nested, const struct mmu_caps *caps)
{
	struct cpuid h0 = cpuid(CPUID_LEAF_XSTATE, 0), h1 = cpuid(CPUID_LEAF_XSTATE, 1);
	uint64_t known = XCR0_X87 | XCR0_SSE | XCR0_AVX | XCR0_AVX512 |
			 (VM_LEFT_OUT_OR(XCR0_PKU, nested) && caps->pku ? XCR0_PKRU : 0);

	if (!p->has_xsave)
		return;
	p->xcr0_offered = h0.eax | (uint64_t)h0.edx << 32;
	VM_MUTANT(XCR0_KNOWN, p->xcr0_offered &= known);
	/* Its three parts are enabled together or not at all (SDM, "Extended Control Registers (Including XCR0)"). */
	if (VM_KEPT(XCR0_ALL_512, (p->xcr0_offered & XCR0_AVX512) != XCR0_AVX512))
		p->xcr0_offered &= ~XCR0_AVX512;
	p->xsave[0] = (struct cpuid){ (uint32_t)p->xcr0_offered, 0, XSAVE_HEADER_END,
				      (uint32_t)(p->xcr0_offered >> 32) };
	h1.eax &= (uint32_t)(PASS_D_1_EAX | (VM_LEFT_OUT_OR(XSAVE_XSAVES, false) ? CPUID_D_1_EAX_XSAVES : 0));
	p->xsave[1] = (struct cpuid){ h1.eax, 0, 0, 0 };
	for (unsigned n = 2; n < CPUID_XSAVE_COUNT; n++) {
		if (VM_KEPT(XSAVE_OFFERED, !(p->xcr0_offered & BIT(n))))
			continue;
		p->xsave[n] = cpuid(CPUID_LEAF_XSTATE, n);
		if (p->xsave[n].eax + p->xsave[n].ebx > p->xsave[0].ecx)
			p->xsave[0].ecx = p->xsave[n].eax + p->xsave[n].ebx;
	}
}

/* Bits of an APIC ID that tell the cores of a package apart. */
static unsigned core_bits(const struct cpuid_policy *p)
{
	unsigned bits = 0;

	while (1u << bits < p->cpus)
		bits++;
	return bits;
}

/* Cores of one thread; caches above the second level are the package's. What is said are the largest numbers of IDs,
 * which are powers of two (SDM, "CPUID - CPU Identification", leaf 4). */
static uint32_t sharing(const struct cpuid_policy *p, uint32_t eax)
{
	uint32_t others = (1u << core_bits(p)) - 1;

	return others << CPUID_4_EAX_CORES_SHIFT |
	       (CPUID_4_EAX_LEVEL(eax) > 2 ? others << CPUID_4_EAX_SHARED_SHIFT : 0);
}

static void set_caches(struct cpuid_policy *p, uint32_t host_max)
{
	for (unsigned n = 0; host_max >= CPUID_LEAF_CACHE && n < ARRAY_SIZE(p->cache); n++) {
		p->cache[n] = cpuid(CPUID_LEAF_CACHE, n);
		if (!(p->cache[n].eax & CPUID_4_EAX_TYPE))
			continue;
		VM_MUTANT(CPUID_CORES, p->cache[n].eax &= (uint32_t)~CPUID_4_EAX_SHARING);
		VM_MUTANT(CPUID_SHARED, p->cache[n].eax |= sharing(p, p->cache[n].eax));
	}
	if (host_max >= CPUID_LEAF_TLB)
		p->basic[CPUID_LEAF_TLB] = cpuid(CPUID_LEAF_TLB, 0);
}

static void set_extended(struct cpuid_policy *p, const struct hvm_caps *cpu)
{
	const struct mmu_caps *caps = &cpu->mmu;
	uint32_t host_max = cpuid(CPUID_LEAF_EXTENDED, 0).eax;
	struct cpuid h1 = cpuid(CPUID_LEAF_EXTENDED_FEATURES, 0);
	uint32_t edx = VM_LEFT_OUT_OR(CPUID_PASS_81D, false) ? h1.edx : h1.edx & (uint32_t)PASS_80000001_EDX;

	VM_MUTANT(CPUID_PASS_81C, h1.ecx &= (uint32_t)PASS_80000001_ECX);
	p->has_1g = caps->page_1g;
	p->has_rdtscp = (h1.edx & CPUID_80000001_EDX_RDTSCP) && VM_LEFT_OUT_OR(CPUID_RDTSCP, cpu->rdtscp);
	edx |= (uint32_t)((p->has_1g ? CPUID_80000001_EDX_PAGE1GB : 0) |
			  (p->has_rdtscp ? CPUID_80000001_EDX_RDTSCP : 0));
	p->extended[0] = (struct cpuid){ CPUID_LEAF_EXTENDED + CPUID_EXTENDED_COUNT - 1, 0, 0, 0 };
	p->extended[1] = (struct cpuid){ 0, 0, h1.ecx, edx };
	for (unsigned n = 2; n <= 6; n++)
		if (n != 5 && host_max >= CPUID_LEAF_EXTENDED + n) /* the brand string, and the L2 cache; 5 is AMD's */
			p->extended[n] = cpuid(CPUID_LEAF_EXTENDED + n, 0);
	p->extended[7].edx = CPUID_80000007_EDX_INVARIANT_TSC;
	p->extended[8].eax = caps->maxphyaddr | 48u << 8; /* linear addresses: 57 bits are not offered */
	p->maxphyaddr = caps->maxphyaddr;
	p->efer_offered = EFER_SCE | EFER_LME | EFER_LMA |
			  (VM_LEFT_OUT_OR(EFER_NX, edx & CPUID_80000001_EDX_NX) ? EFER_NXE : 0);
}

/* The CR4 bits whose features the answers above offer; the guest may set no other. */
static uint64_t cr4_offered(const struct cpuid_policy *p, uint64_t cr4_fixed1)
{
	const struct cpuid *l1 = &p->basic[CPUID_LEAF_VERSION], *l7 = &p->basic[CPUID_LEAF_FEATURES];
	uint64_t bits = CR4_ALWAYS;

	bits |= (VM_LEFT_OUT_OR(CR4_OFFERED_PCID, l1->ecx & CPUID_1_ECX_PCID) ? CR4_PCIDE : 0) |
		(l1->ecx & CPUID_1_ECX_XSAVE ? CR4_OSXSAVE : 0);
	bits |= (VM_LEFT_OUT_OR(CR4_OFFERED_SMEP, l7->ebx & CPUID_7_EBX_SMEP) ? CR4_SMEP : 0) |
		(VM_LEFT_OUT_OR(CR4_OFFERED_SMAP, l7->ebx & CPUID_7_EBX_SMAP) ? CR4_SMAP : 0) |
		(l7->ebx & CPUID_7_EBX_FSGSBASE ? CR4_FSGSBASE : 0);
	bits |= (VM_LEFT_OUT_OR(CR4_OFFERED_PKE, l7->ecx & CPUID_7_ECX_PKU) ? CR4_PKE : 0) |
		(l7->ecx & CPUID_7_ECX_UMIP ? CR4_UMIP : 0);
	/* SDM, "VMX-Fixed Bits in CR4". */
	return VM_LEFT_OUT_OR(CR4_POSSIBLE, false) ? bits : bits & cr4_fixed1;
}

static uint32_t emulate_features(const struct cpuid_policy *p)
{
	return (p->basic[CPUID_LEAF_FEATURES].ebx & CPUID_7_EBX_BMI1 ? EMULATE_HAS_TZCNT : 0) |
	       (p->extended[1].ecx & CPUID_80000001_ECX_LZCNT ? EMULATE_HAS_LZCNT : 0) |
	       (p->basic[CPUID_LEAF_VERSION].ecx & CPUID_1_ECX_POPCNT ? EMULATE_HAS_POPCNT : 0) |
	       (p->basic[CPUID_LEAF_VERSION].ecx & CPUID_1_ECX_MOVBE ? EMULATE_HAS_MOVBE : 0) |
	       (p->basic[CPUID_LEAF_FEATURES].ebx & CPUID_7_EBX_BMI2 ? EMULATE_HAS_BMI2 : 0) |
	       (p->basic[CPUID_LEAF_FEATURES].ebx & CPUID_7_EBX_ADX ? EMULATE_HAS_ADX : 0) |
	       (p->basic[CPUID_LEAF_VERSION].ecx & CPUID_1_ECX_SSE4_2 ? EMULATE_HAS_CRC32 : 0);
}

void cpuid_policy_init(struct cpuid_policy *p, const struct hvm_caps *cpu, uint64_t tsc_hz, unsigned cpus, bool nested,
		       bool random)
{
	struct cpuid h = cpuid(CPUID_LEAF_BASIC, 0);
	const struct mmu_caps *caps = &cpu->mmu;
	uint32_t mhz = (uint32_t)(tsc_hz / 1000000);

	memset(p, 0, sizeof(*p));
	p->cpus = cpus;
	p->max_basic = CPUID_LEAF_FREQUENCY;
	p->basic[CPUID_LEAF_BASIC] = (struct cpuid){ p->max_basic, h.ebx, h.ecx, h.edx };
	set_leaf1(p, nested, random, cpu);
	set_caches(p, h.eax);
	p->basic[CPUID_LEAF_THERMAL].eax = CPUID_6_EAX_ARAT; /* the local APIC's timer never stops */
	if (VM_LEFT_OUT_OR(CPUID_HAS_D, h.eax >= CPUID_LEAF_XSTATE))
		set_xsave(p, nested, caps);
	/* Behind set_xsave(): AVX-512 is offered only with its state. */
	/* Else TSC_ADJUST would need a leaf of its own. */
	if (VM_LEFT_OUT_OR(CPUID_HAS_7, h.eax >= CPUID_LEAF_FEATURES))
		set_leaf7(p, nested, random, cpu);
	/* The TSC counts the "crystal" itself, so that its rate is exact and needs no measuring. */
	p->basic[CPUID_LEAF_TSC] = (struct cpuid){ 1, 1, (uint32_t)min_u64(tsc_hz, UINT32_MAX), 0 };
	p->basic[CPUID_LEAF_FREQUENCY] = (struct cpuid){ mhz, mhz, mhz, 0 };
	/* "VellumVellum" */
	p->hypervisor = (struct cpuid){ CPUID_LEAF_HYPERVISOR, 0x6c6c6556, 0x65566d75, 0x6d756c6c };
	set_extended(p, cpu);
	p->cr4_offered = cr4_offered(p, cpu->cr4_may);
	p->lapic_features = LAPIC_X2APIC | LAPIC_TSC_DEADLINE;
	p->emulate_features = emulate_features(p);
}

/* Extended topology (SDM, "CPUID - CPU Identification"): a level's number of CPUs, and how many bits of the ID are
 * shifted out to get to the next level's. */
static struct cpuid topology(const struct cpuid_policy *p, uint32_t id, uint32_t subleaf)
{
	struct cpuid r = { 0, 0, subleaf & 0xff, id };

	if (subleaf < 2)
		r.ecx |= (subleaf + 1) << 8; /* SMT, then core */
	if (subleaf == 0)
		r.ebx = 1;
	if (subleaf == 1) {
		r.eax = VM_LEFT_OUT_OR(CPUID_TOPOLOGY, false) ? 0 : core_bits(p);
		r.ebx = p->cpus;
	}
	return r;
}

static struct cpuid xsave_answer(const struct cpuid_policy *p, uint32_t subleaf, uint64_t xcr0)
{
	struct cpuid r = { 0 };

	if (VM_KEPT(CPUID_XSAVE_END, subleaf >= CPUID_XSAVE_COUNT))
		return r;
	r = p->xsave[subleaf];
	if (!p->has_xsave || subleaf > 1)
		return r;
	/* EBX: the size that the features enabled now need; in compacted form for subleaf 1. */
	r.ebx = XSAVE_HEADER_END;
	for (unsigned n = 2; n < CPUID_XSAVE_COUNT; n++) {
		const struct cpuid *c = &p->xsave[n];

		if (VM_KEPT(XSAVE_ENABLED, !(xcr0 & BIT(n))))
			continue;
		if (subleaf == 0)
			r.ebx = (uint32_t)max_u64(r.ebx, c->eax + c->ebx);
		else
			r.ebx = (c->ecx & CPUID_D_N_ECX_ALIGNED ? (uint32_t)align_up(r.ebx, 64) : r.ebx) + c->eax;
	}
	return r;
}

struct cpuid cpuid_answer(const struct cpuid_policy *p, uint32_t leaf, uint32_t subleaf,
			  const struct cpuid_state *state)
{
	struct cpuid r;

	if (leaf >= CPUID_LEAF_EXTENDED && leaf < CPUID_LEAF_EXTENDED + CPUID_EXTENDED_COUNT)
		return p->extended[leaf - CPUID_LEAF_EXTENDED];
	if (leaf >= CPUID_LEAF_HYPERVISOR && leaf < CPUID_LEAF_HYPERVISOR + 0x100)
		return leaf == CPUID_LEAF_HYPERVISOR ? p->hypervisor : (struct cpuid){ 0 };
	/* Above the highest basic leaf, Intel's CPUs answer with the highest (SDM, CPUID - CPU Identification). */
	if (VM_KEPT(CPUID_HIGHEST, leaf > p->max_basic))
		leaf = p->max_basic;
	switch (leaf) {
	case CPUID_LEAF_VERSION:
		r = p->basic[CPUID_LEAF_VERSION];
		r.ebx |= state->apic_id << 24;
		if (VM_KEPT(CPUID_OSXSAVE, state->cr4 & CR4_OSXSAVE))
			r.ecx |= (uint32_t)CPUID_1_ECX_OSXSAVE;
		if (VM_KEPT(CPUID_APIC, !state->apic_enabled))
			r.edx &= (uint32_t)~CPUID_1_EDX_APIC;
		return r;
	case CPUID_LEAF_CACHE:
		return VM_LEFT_OUT_OR(CPUID_CACHE_END, subleaf < ARRAY_SIZE(p->cache)) ? p->cache[subleaf]
										       : (struct cpuid){ 0 };
	case CPUID_LEAF_FEATURES:
		r = VM_KEPT(CPUID_SUBLEAF, subleaf) ? (struct cpuid){ 0 } : p->basic[CPUID_LEAF_FEATURES];
		if (!subleaf && VM_KEPT(CPUID_OSPKE, state->cr4 & CR4_PKE))
			r.ecx |= (uint32_t)CPUID_7_ECX_OSPKE;
		return r;
	case CPUID_LEAF_TOPOLOGY:
		return topology(p, state->apic_id, subleaf);
	case CPUID_LEAF_XSTATE:
		return xsave_answer(p, subleaf, state->xcr0);
	default:
		return p->basic[leaf];
	}
}
