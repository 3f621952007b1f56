#include "vm/exit/cpuid.h"

#include "dev/irq/lapic.h"
#include "emulate/emulate.h"
#include "mmu/walk.h"
#include "lib/mutants/mutate.h"

/* Leaf 1, ECX: SSE3 PCLMULQDQ SSSE3 FMA CX16 SSE4.1 SSE4.2 MOVBE POPCNT AES XSAVE AVX F16C. RDRAND
 * if it is not hidden. Not MONITOR, VMX, SMX, EIST, TM2, DTES64, DS-CPL, PDCM, DCA: nothing here makes them work. */
#define L1_ECX_PASS (BIT(0) | BIT(1) | BIT(9) | BIT(12) | BIT(13) | BIT(19) | BIT(20) | BIT(22) | BIT(23) | BIT(25) | BIT(26) | BIT(28) | BIT(29))
#define L1_ECX_PCID BIT(17)
#define L1_ECX_X2APIC BIT(21)
#define L1_ECX_TSC_DEADLINE BIT(24)
#define L1_ECX_XSAVE BIT(26)
#define L1_ECX_OSXSAVE BIT(27)
#define L1_ECX_RDRAND BIT(30)
#define L1_ECX_HYPERVISOR BIT(31)
/* Leaf 1, EDX: FPU VME DE PSE TSC MSR PAE MCE CX8 APIC SEP MTRR PGE MCA CMOV PAT PSE-36 CLFSH MMX FXSR SSE SSE2 SS. */
#define L1_EDX_APIC BIT(9)
#define L1_EDX_PASS (MASK(9, 0) | MASK(17, 11) | BIT(19) | MASK(27, 23))

/* Leaf 7, EBX: FSGSBASE BMI1 AVX2 SMEP BMI2 ERMS ADX SMAP CLFLUSHOPT CLWB SHA, and AVX-512. RDSEED as RDRAND. Not HLE, RTM, MPX,
 * PQM, PT. */
#define L7_EBX_PASS (BIT(0) | BIT(3) | BIT(5) | BIT(8) | BIT(9) | BIT(19) | BIT(23) | BIT(24) | BIT(29) | \
		     BIT(16) | BIT(17) | BIT(21) | BIT(28) | BIT(30) | BIT(31))
#define L7_EBX_AVX512 (BIT(16) | BIT(17) | BIT(21) | BIT(28) | BIT(30) | BIT(31))
#define L7_EBX_SMEP BIT(7)
#define L7_EBX_INVPCID BIT(10)
#define L7_EBX_RDSEED BIT(18)
#define L7_EBX_SMAP BIT(20)
/* Leaf 7, ECX: AVX512_VBMI UMIP VBMI2 GFNI VAES VPCLMULQDQ VNNI BITALG VPOPCNTDQ. */
#define L7_ECX_PASS (BIT(1) | BIT(2) | BIT(6) | BIT(8) | BIT(9) | BIT(10) | BIT(11) | BIT(12) | BIT(14))
#define L7_ECX_AVX512 (BIT(1) | BIT(6) | BIT(11) | BIT(12) | BIT(14))
#define L7_ECX_PKU BIT(3)
#define L7_ECX_OSPKE BIT(4)
/* Leaf 7, EDX: nothing. Fast short REP MOV (bit 4) is a promise about speed that Bochs announces and that Linux 6.1 then trips over. */

/* 0x80000001, ECX: LAHF LZCNT PREFETCHW; EDX: SYSCALL NX LM. */
#define E1_ECX_PASS (BIT(0) | BIT(5) | BIT(8))
#define E1_EDX_PASS (BIT(11) | BIT(20) | BIT(29))
#define E1_EDX_1G BIT(26)
#define E1_EDX_RDTSCP BIT(27)

#define XCR0_X87 BIT(0)
#define XCR0_SSE BIT(1)
#define XCR0_AVX BIT(2)
#define XCR0_AVX512 (BIT(5) | BIT(6) | BIT(7))
#define XCR0_PKRU BIT(9)

#define L7_EBX_TSC_ADJUST BIT(1)
#define LEAF_TSC 0x15
#define LEAF_FREQUENCY 0x16
#define EXTENDED 0x80000000u

static void set_leaf1(struct cpuid_policy *p, bool nested, bool random, const struct mmu_caps *caps)
{
	struct cpuid h = cpuid(1, 0), *l = &p->basic[1];

	l->eax = h.eax;
	l->ebx = (h.ebx & 0xffff) | 1u << 16;
	VM_MUTANT(CPUID_PASS_1C, h.ecx &= (uint32_t)(L1_ECX_PASS | (VM_LEFT_OUT_OR(CPUID_RDRAND, random) ? L1_ECX_RDRAND : 0)));
	l->ecx = (uint32_t)(h.ecx | L1_ECX_X2APIC | L1_ECX_TSC_DEADLINE | L1_ECX_HYPERVISOR);
	if (VM_LEFT_OUT_OR(CPUID_PCID, nested) && caps->pcid)
		l->ecx |= (uint32_t)L1_ECX_PCID;
	l->edx = (uint32_t)((VM_LEFT_OUT_OR(CPUID_PASS_1D, false) ? h.edx : h.edx & L1_EDX_PASS) | L1_EDX_APIC);
	p->has_xsave = l->ecx & L1_ECX_XSAVE;
}

static void set_leaf7(struct cpuid_policy *p, bool nested, bool random, const struct hvm_caps *cpu)
{
	const struct mmu_caps *caps = &cpu->mmu;
	struct cpuid h = cpuid(7, 0), *l = &p->basic[7];
	uint32_t ebx = h.ebx, ecx = h.ecx;

	VM_MUTANT(CPUID_PASS_7B, ebx &= (uint32_t)(L7_EBX_PASS | (VM_LEFT_OUT_OR(CPUID_RDSEED, random) ? L7_EBX_RDSEED : 0)));
	VM_MUTANT(CPUID_PASS_7C, ecx &= (uint32_t)L7_ECX_PASS);

	p->has_invpcid = VM_LEFT_OUT_OR(CPUID_INVPCID, nested) && caps->pcid && (h.ebx & L7_EBX_INVPCID) &&
			 VM_LEFT_OUT_OR(CPUID_INVPCID_CONTROL, cpu->invpcid);
	ebx |= (uint32_t)((caps->smep ? L7_EBX_SMEP : 0) | (caps->smap ? L7_EBX_SMAP : 0) | (p->has_invpcid ? L7_EBX_INVPCID : 0) |
			  L7_EBX_TSC_ADJUST);
	ecx |= (uint32_t)(VM_LEFT_OUT_OR(CPUID_PKU, nested) && caps->pku ? L7_ECX_PKU : 0);
	if (VM_KEPT(CPUID_AVX512, !(p->xcr0_offered & XCR0_AVX512))) {
		ebx &= (uint32_t)~L7_EBX_AVX512;
		ecx &= (uint32_t)~L7_ECX_AVX512;
	}
	*l = (struct cpuid){ 0, ebx, ecx, 0 };
}

static void set_xsave(struct cpuid_policy *p, bool nested, const struct mmu_caps *caps)
{
	struct cpuid h0 = cpuid(0xd, 0), h1 = cpuid(0xd, 1);
	uint64_t known = XCR0_X87 | XCR0_SSE | XCR0_AVX | XCR0_AVX512 | (VM_LEFT_OUT_OR(XCR0_PKU, nested) && caps->pku ? XCR0_PKRU : 0);

	if (!p->has_xsave)
		return;
	p->xcr0_offered = h0.eax | (uint64_t)h0.edx << 32;
	VM_MUTANT(XCR0_KNOWN, p->xcr0_offered &= known);
	if (VM_KEPT(XCR0_ALL_512, (p->xcr0_offered & XCR0_AVX512) != XCR0_AVX512))
		p->xcr0_offered &= ~XCR0_AVX512;
	p->xsave[0] = (struct cpuid){ (uint32_t)p->xcr0_offered, 0, 576, (uint32_t)(p->xcr0_offered >> 32) };
	/* XSAVEOPT, XSAVEC, XGETBV(1); not XSAVES. */
	p->xsave[1] = (struct cpuid){ h1.eax & (VM_LEFT_OUT_OR(XSAVE_XSAVES, false) ? 15 : 7), 0, 0, 0 };
	for (unsigned n = 2; n < CPUID_XSAVE_COUNT; n++) {
		if (VM_KEPT(XSAVE_OFFERED, !(p->xcr0_offered & BIT(n))))
			continue;
		p->xsave[n] = cpuid(0xd, n);
		if (p->xsave[n].eax + p->xsave[n].ebx > p->xsave[0].ecx)
			p->xsave[0].ecx = p->xsave[n].eax + p->xsave[n].ebx;
	}
}

static void set_caches(struct cpuid_policy *p, uint32_t host_max)
{
	for (unsigned n = 0; host_max >= 4 && n < ARRAY_SIZE(p->cache); n++) {
		p->cache[n] = cpuid(4, n);
		VM_MUTANT(CPUID_CORES, p->cache[n].eax &= 0x3fff); /* one core, shared by one logical CPU */
	}
	if (host_max >= 2)
		p->basic[2] = cpuid(2, 0);
}

static void set_extended(struct cpuid_policy *p, const struct hvm_caps *cpu)
{
	const struct mmu_caps *caps = &cpu->mmu;
	uint32_t host_max = cpuid(EXTENDED, 0).eax;
	struct cpuid h1 = cpuid(EXTENDED + 1, 0);
	uint32_t edx = VM_LEFT_OUT_OR(CPUID_PASS_81D, false) ? h1.edx : h1.edx & (uint32_t)E1_EDX_PASS;

	p->has_1g = caps->page_1g;
	p->has_rdtscp = (h1.edx & E1_EDX_RDTSCP) && VM_LEFT_OUT_OR(CPUID_RDTSCP, cpu->rdtscp);
	edx |= (uint32_t)((p->has_1g ? E1_EDX_1G : 0) | (p->has_rdtscp ? E1_EDX_RDTSCP : 0));
	p->extended[0] = (struct cpuid){ EXTENDED + CPUID_EXTENDED_COUNT - 1, 0, 0, 0 };
	p->extended[1] = (struct cpuid){ 0, 0, VM_LEFT_OUT_OR(CPUID_PASS_81C, false) ? h1.ecx : h1.ecx & (uint32_t)E1_ECX_PASS, edx };
	for (unsigned n = 2; n <= 6; n++)
		if (n != 5 && host_max >= EXTENDED + n)
			p->extended[n] = cpuid(EXTENDED + n, 0);
	p->extended[7].edx = BIT(8); /* the TSC never stops and never changes its rate */
	p->extended[8].eax = caps->maxphyaddr | 48u << 8;
	p->maxphyaddr = caps->maxphyaddr;
	p->efer_offered = BIT(0) | EFER_LME | EFER_LMA | (VM_LEFT_OUT_OR(EFER_NX, edx & BIT(20)) ? EFER_NXE : 0);
}

/* The CR4 bits whose features the answers above offer; the guest may set no other. */
static uint64_t cr4_offered(const struct cpuid_policy *p, uint64_t cr4_fixed1)
{
	const struct cpuid *l1 = &p->basic[1], *l7 = &p->basic[7];
	uint64_t bits = MASK(10, 0); /* VME … OSXMMEXCPT */

	bits |= (VM_LEFT_OUT_OR(CR4_OFFERED_PCID, l1->ecx & L1_ECX_PCID) ? CR4_PCIDE : 0) | (l1->ecx & L1_ECX_XSAVE ? CR4_OSXSAVE : 0);
	bits |= (VM_LEFT_OUT_OR(CR4_OFFERED_SMEP, l7->ebx & L7_EBX_SMEP) ? CR4_SMEP : 0) |
		(VM_LEFT_OUT_OR(CR4_OFFERED_SMAP, l7->ebx & L7_EBX_SMAP) ? CR4_SMAP : 0) | (l7->ebx & BIT(0) ? BIT(16) : 0);
	bits |= (VM_LEFT_OUT_OR(CR4_OFFERED_PKE, l7->ecx & L7_ECX_PKU) ? CR4_PKE : 0) | (l7->ecx & BIT(2) ? BIT(11) : 0);
	return VM_LEFT_OUT_OR(CR4_POSSIBLE, false) ? bits : bits & cr4_fixed1;
}

static uint32_t emulate_features(const struct cpuid_policy *p)
{
	return (p->basic[7].ebx & BIT(3) ? EMULATE_HAS_TZCNT : 0) | (p->extended[1].ecx & BIT(5) ? EMULATE_HAS_LZCNT : 0) |
	       (p->basic[1].ecx & BIT(23) ? EMULATE_HAS_POPCNT : 0) | (p->basic[1].ecx & BIT(22) ? EMULATE_HAS_MOVBE : 0);
}

void cpuid_policy_init(struct cpuid_policy *p, const struct hvm_caps *cpu, uint64_t tsc_hz, bool nested, bool random)
{
	struct cpuid h = cpuid(0, 0);
	const struct mmu_caps *caps = &cpu->mmu;
	uint32_t mhz = (uint32_t)(tsc_hz / 1000000);

	memset(p, 0, sizeof(*p));
	p->max_basic = LEAF_FREQUENCY;
	p->basic[0] = (struct cpuid){ p->max_basic, h.ebx, h.ecx, h.edx };
	set_leaf1(p, nested, random, caps);
	set_caches(p, h.eax);
	p->basic[6].eax = BIT(2); /* the APIC timer always runs */
	if (VM_LEFT_OUT_OR(CPUID_HAS_D, h.eax >= 0xd))
		set_xsave(p, nested, caps);
	if (VM_LEFT_OUT_OR(CPUID_HAS_7, h.eax >= 7)) /* else TSC_ADJUST would need a leaf of its own */
		set_leaf7(p, nested, random, cpu);
	/* The TSC counts the "crystal" itself, so that its rate is exact and needs no measuring. */
	p->basic[LEAF_TSC] = (struct cpuid){ 1, 1, (uint32_t)min_u64(tsc_hz, UINT32_MAX), 0 };
	p->basic[LEAF_FREQUENCY] = (struct cpuid){ mhz, mhz, mhz, 0 };
	p->hypervisor = (struct cpuid){ 0x40000000, 0x6c6c6556, 0x65566d75, 0x6d756c6c }; /* "VellumVellum" */
	set_extended(p, cpu);
	p->cr4_offered = cr4_offered(p, cpu->cr4_may);
	p->lapic_features = LAPIC_X2APIC | LAPIC_TSC_DEADLINE;
	p->emulate_features = emulate_features(p);
}

static struct cpuid topology(uint32_t id, uint32_t subleaf)
{
	struct cpuid r = { 0, 0, subleaf & 0xff, id };

	if (subleaf < 2) {
		r.ebx = 1;
		r.ecx |= (subleaf + 1) << 8; /* SMT, then core */
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
	r.ebx = 576;
	for (unsigned n = 2; n < CPUID_XSAVE_COUNT; n++) {
		const struct cpuid *c = &p->xsave[n];

		if (VM_KEPT(XSAVE_ENABLED, !(xcr0 & BIT(n))))
			continue;
		if (subleaf == 0)
			r.ebx = (uint32_t)max_u64(r.ebx, c->eax + c->ebx);
		else
			r.ebx = (c->ecx & 2 ? (uint32_t)align_up(r.ebx, 64) : r.ebx) + c->eax;
	}
	return r;
}

struct cpuid cpuid_answer(const struct cpuid_policy *p, uint32_t leaf, uint32_t subleaf, const struct cpuid_state *state)
{
	struct cpuid r;

	if (leaf >= EXTENDED && leaf < EXTENDED + CPUID_EXTENDED_COUNT)
		return p->extended[leaf - EXTENDED];
	if (leaf >= 0x40000000 && leaf < 0x40000100)
		return leaf == 0x40000000 ? p->hypervisor : (struct cpuid){ 0 };
	/* Above the highest basic leaf, Intel's CPUs answer with the highest. */
	if (VM_KEPT(CPUID_HIGHEST, leaf > p->max_basic))
		leaf = p->max_basic;
	switch (leaf) {
	case 1:
		r = p->basic[1];
		r.ebx |= state->apic_id << 24;
		if (VM_KEPT(CPUID_OSXSAVE, state->cr4 & CR4_OSXSAVE))
			r.ecx |= (uint32_t)L1_ECX_OSXSAVE;
		if (VM_KEPT(CPUID_APIC, !state->apic_enabled))
			r.edx &= (uint32_t)~L1_EDX_APIC;
		return r;
	case 4:
		return VM_LEFT_OUT_OR(CPUID_CACHE_END, subleaf < ARRAY_SIZE(p->cache)) ? p->cache[subleaf] : (struct cpuid){ 0 };
	case 7:
		r = VM_KEPT(CPUID_SUBLEAF, subleaf) ? (struct cpuid){ 0 } : p->basic[7];
		if (!subleaf && VM_KEPT(CPUID_OSPKE, state->cr4 & CR4_PKE))
			r.ecx |= (uint32_t)L7_ECX_OSPKE;
		return r;
	case 0xb:
		return topology(state->apic_id, subleaf);
	case 0xd:
		return xsave_answer(p, subleaf, state->xcr0);
	default:
		return p->basic[leaf];
	}
}
