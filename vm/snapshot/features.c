/* vm/snapshot/features.c - what the guest was told that its CPU is, in a snapshot, and whether this CPU can be that
 * one. */
#include "vm/snapshot/snapshot.h"

#include "host/cpu/x86.h"
#include "lib/mutants/mutate.h"
#include "vm/exit/cpuid.h"

static void leaf_fields(struct fields *s, struct cpuid *l)
{
	state_u32(s, &l->eax);
	state_u32(s, &l->ebx);
	state_u32(s, &l->ecx);
	state_u32(s, &l->edx);
}

static void leaves_fields(struct fields *s, struct cpuid *l, unsigned count)
{
	state_same(s, count, "it has another number of leaves");
	for (unsigned n = 0; n < count; n++)
		leaf_fields(s, &l[n]);
}

void cpuid_state(struct fields *s, struct cpuid_policy *p)
{
	state_begin(s, "cpuid", 1);
	state_u32(s, &p->max_basic);
	state_unsigned(s, &p->cpus);
	leaves_fields(s, p->basic, CPUID_BASIC_COUNT);
	leaves_fields(s, p->extended, CPUID_EXTENDED_COUNT);
	leaves_fields(s, p->cache, ARRAY_SIZE(p->cache));
	leaves_fields(s, p->xsave, CPUID_XSAVE_COUNT);
	leaf_fields(s, &p->hypervisor);
	state_u64(s, &p->xcr0_offered);
	state_u64(s, &p->cr4_offered);
	state_u64(s, &p->efer_offered);
	state_u8(s, &p->maxphyaddr);
	state_bool(s, &p->has_1g);
	state_bool(s, &p->has_rdtscp);
	state_bool(s, &p->has_invpcid);
	state_bool(s, &p->has_xsave);
	state_u64(s, &p->lapic_features);
	state_u32(s, &p->emulate_features);
	state_check(s, p->max_basic < CPUID_BASIC_COUNT, "it has another number of leaves");
	state_end(s);
}

/* ---- features ---- */

enum place { L1_ECX, L1_EDX, L7_EBX, L7_ECX, L7_EDX, E1_ECX, E1_EDX, D1_EAX, PLACES };

static uint32_t bits_at(const struct cpuid_policy *p, enum place n)
{
	switch (n) {
	case L1_ECX: return p->basic[CPUID_LEAF_VERSION].ecx;
	case L1_EDX: return p->basic[CPUID_LEAF_VERSION].edx;
	case L7_EBX: return p->basic[CPUID_LEAF_FEATURES].ebx;
	case L7_ECX: return p->basic[CPUID_LEAF_FEATURES].ecx;
	case L7_EDX: return p->basic[CPUID_LEAF_FEATURES].edx;
	case E1_ECX: return p->extended[1].ecx;
	case E1_EDX: return p->extended[1].edx;
	default: return p->xsave[1].eax;
	}
}

/* By their names in Linux' /proc/cpuinfo; what has none here is told by its bit. */
static const struct {
	enum place at;
	uint64_t bits;
	const char *name;
} names[] = {
	{ L1_ECX, CPUID_1_ECX_SSE3, "sse3" }, { L1_ECX, CPUID_1_ECX_PCLMULQDQ, "pclmulqdq" },
	{ L1_ECX, CPUID_1_ECX_SSSE3, "ssse3" }, { L1_ECX, CPUID_1_ECX_FMA, "fma" },
	{ L1_ECX, CPUID_1_ECX_SSE4_1, "sse4_1" }, { L1_ECX, CPUID_1_ECX_SSE4_2, "sse4_2" },
	{ L1_ECX, CPUID_1_ECX_MOVBE, "movbe" }, { L1_ECX, CPUID_1_ECX_POPCNT, "popcnt" },
	{ L1_ECX, CPUID_1_ECX_AESNI, "aes" }, { L1_ECX, CPUID_1_ECX_XSAVE, "xsave" },
	{ L1_ECX, CPUID_1_ECX_AVX, "avx" }, { L1_ECX, CPUID_1_ECX_F16C, "f16c" },
	{ L1_ECX, CPUID_1_ECX_RDRAND, "rdrand" }, { L1_ECX, CPUID_1_ECX_PCID, "pcid" },
	{ L7_EBX, CPUID_7_EBX_FSGSBASE, "fsgsbase" }, { L7_EBX, CPUID_7_EBX_BMI1, "bmi1" },
	{ L7_EBX, CPUID_7_EBX_AVX2, "avx2" }, { L7_EBX, CPUID_7_EBX_SMEP, "smep" },
	{ L7_EBX, CPUID_7_EBX_BMI2, "bmi2" }, { L7_EBX, CPUID_7_EBX_ERMS, "erms" },
	{ L7_EBX, CPUID_7_EBX_INVPCID, "invpcid" }, { L7_EBX, CPUID_7_EBX_RDSEED, "rdseed" },
	{ L7_EBX, CPUID_7_EBX_ADX, "adx" }, { L7_EBX, CPUID_7_EBX_SMAP, "smap" },
	{ L7_EBX, CPUID_7_EBX_CLFLUSHOPT, "clflushopt" }, { L7_EBX, CPUID_7_EBX_CLWB, "clwb" },
	{ L7_EBX, CPUID_7_EBX_SHA, "sha_ni" }, { L7_EBX, CPUID_7_EBX_AVX512, "avx512" },
	{ L7_ECX, CPUID_7_ECX_UMIP, "umip" }, { L7_ECX, CPUID_7_ECX_PKU, "pku" },
	{ L7_ECX, CPUID_7_ECX_GFNI, "gfni" }, { L7_ECX, CPUID_7_ECX_VAES, "vaes" },
	{ E1_ECX, CPUID_80000001_ECX_LZCNT, "lzcnt" }, { E1_EDX, CPUID_80000001_EDX_NX, "nx" },
	{ E1_EDX, CPUID_80000001_EDX_RDTSCP, "rdtscp" }, { E1_EDX, CPUID_80000001_EDX_PAGE1GB, "pdpe1gb" },
	{ E1_EDX, CPUID_80000001_EDX_LM, "lm" }, { D1_EAX, CPUID_D_1_EAX_XSAVEOPT, "xsaveopt" },
	{ D1_EAX, CPUID_D_1_EAX_XSAVEC, "xsavec" },
};

/* The first that was shown and cannot be had, by its name; "": all can. */
static const char *missing_of(uint32_t missing, enum place at)
{
	if (!missing)
		return "";
	for (unsigned n = 0; n < ARRAY_SIZE(names); n++)
		if (names[n].at == at && (missing & names[n].bits))
			return names[n].name;
	return "one that has no name here";
}

/* Where the components of XSAVE's image lie must be the same: images are in the guest's memory. */
static bool same_layout(const struct cpuid_policy *shown, const struct cpuid_policy *can)
{
	for (unsigned n = 2; n < CPUID_XSAVE_COUNT; n++)
		if ((shown->xcr0_offered & BIT(n)) && (shown->xsave[n].eax != can->xsave[n].eax ||
						       shown->xsave[n].ebx != can->xsave[n].ebx))
			return false;
	return !(shown->xcr0_offered & ~can->xcr0_offered);
}

const char *cpuid_lacks(const struct cpuid_policy *shown, const struct cpuid_policy *can)
{
	for (enum place n = L1_ECX; n < PLACES; n++) {
		uint32_t missing = bits_at(shown, n) & ~bits_at(can, n);

		if (VM_KEPT(RESTORE_FEATURES, missing))
			return missing_of(missing, n);
	}
	if (VM_KEPT(RESTORE_LAYOUT, !same_layout(shown, can)))
		return "the same state of vector registers";
	if (VM_KEPT(RESTORE_OFFERED, (shown->cr4_offered & ~can->cr4_offered) ||
		    (shown->efer_offered & ~can->efer_offered) ||
		    shown->maxphyaddr > can->maxphyaddr || shown->maxphyaddr < 32 ||
		    shown->lapic_features != can->lapic_features))
		return "as wide addresses, or as many bits of its control registers";
	return NULL;
}
