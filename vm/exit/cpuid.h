/* vm/exit/cpuid.h - what the guest's CPUID says: of the host's features, those that Vellum makes work. */
#ifndef VELLUM_VM_CPUID_H
#define VELLUM_VM_CPUID_H

#include "host/cpu/x86.h"
#include "hvm/types.h"

#define CPUID_BASIC_COUNT 0x17 /* 0 .. 0x16 */
#define CPUID_EXTENDED_COUNT 9
#define CPUID_XSAVE_COUNT 32

/* The answers, made once; the few that depend on the guest's state are finished at run time. */
struct cpuid_policy {
	uint32_t max_basic;
	unsigned cpus;
	struct cpuid basic[CPUID_BASIC_COUNT];
	struct cpuid extended[CPUID_EXTENDED_COUNT];
	struct cpuid cache[4];                 /* leaf 4 */
	struct cpuid xsave[CPUID_XSAVE_COUNT]; /* leaf 0xd */
	struct cpuid hypervisor;               /* leaf 0x40000000 */
	uint64_t xcr0_offered;
	uint64_t cr4_offered;
	uint64_t efer_offered;
	uint8_t maxphyaddr;
	bool has_1g;
	bool has_rdtscp;
	bool has_invpcid;
	bool has_xsave;
	uint64_t lapic_features;               /* LAPIC_* of dev/irq/lapic.h */
	uint32_t emulate_features;             /* EMULATE_HAS_* of emulate/emulate.h */
};

/* What a virtual machine's CPUs are, on this host. nested: the guest's own paging reaches the CPU (EPT): paging
 * features of the CPU are offered; else only those that shadow paging supports. random: RDRAND and RDSEED are offered
 * where the CPU has them. cpus: cores of one package, of a thread each, 1 to 64; their APIC IDs are 0 and up. */
void cpuid_policy_init(struct cpuid_policy *p, const struct hvm_caps *cpu, uint64_t tsc_hz, unsigned cpus, bool nested,
		       bool random);

/* What some bits of the answers follow, of the virtual CPU that asks: CR4, XCR0 and IA32_APIC_BASE; and who it is. */
struct cpuid_state {
	uint64_t cr4, xcr0;
	bool apic_enabled;
	uint32_t apic_id; /* the initial one */
};

/* The answer for leaf and subleaf. */
struct cpuid cpuid_answer(const struct cpuid_policy *p, uint32_t leaf, uint32_t subleaf,
			  const struct cpuid_state *state);

/* Does the answer depend on nothing but the leaf? Then it is here; else NULL. */
static inline const struct cpuid *cpuid_constant(const struct cpuid_policy *p, uint32_t leaf)
{
	/* The first for OSXSAVE, the others for their subleaves. */
	const uint32_t dependent = 1u << CPUID_LEAF_VERSION | 1u << CPUID_LEAF_CACHE | 1u << CPUID_LEAF_FEATURES |
				   1u << CPUID_LEAF_TOPOLOGY | 1u << CPUID_LEAF_XSTATE;

	if (leaf < CPUID_BASIC_COUNT && leaf <= p->max_basic && !(dependent >> leaf & 1))
		return &p->basic[leaf];
	return NULL;
}

#endif
