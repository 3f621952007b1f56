/* model/vmentry_guest.c - SDM, "Checks on the Guest State Area": control registers, descriptor-table registers, RIP and
 * RFLAGS, PDPTEs. */
#include "model/vmentry_inside.h"

#define SECTION "Checks on Guest Control Registers, Debug Registers, and MSRs"

static const char *check_cr0(const struct entering *g)
{
	uint64_t must = g->caps->cr0_fixed0 & ~(g->unrestricted ? B_CR0_PE | B_CR0_PG : 0);

	BROKEN_IF((~g->cr0 & must) || (g->cr0 & ~g->caps->cr0_fixed1),
		  "CR0 has the bits that are fixed in VMX operation");
	BROKEN_IF((g->cr0 & B_CR0_PG) && !(g->cr0 & B_CR0_PE), "CR0.PG needs CR0.PE");
	return NULL;
}

static const char *check_cr4(const struct entering *g)
{
	BROKEN_IF((~g->cr4 & g->caps->cr4_fixed0) || (g->cr4 & ~g->caps->cr4_fixed1),
		  "CR4 has the bits that are fixed in VMX operation");
	BROKEN_IF((g->cr4 & B_CR4_CET) && !(g->cr0 & B_CR0_WP), "CR4.CET needs CR0.WP");
	if (g->ia32e)
		BROKEN_IF(!(g->cr0 & B_CR0_PG) || !(g->cr4 & B_CR4_PAE), "an IA-32e guest has CR0.PG and CR4.PAE");
	else
		BROKEN_IF(g->cr4 & B_CR4_PCIDE, "CR4.PCIDE is 0 outside IA-32e mode");
	return NULL;
}

static const char *check_efer(const struct entering *g)
{
	uint64_t efer = get(g, F_EFER);

	BROKEN_IF(efer & ~B_EFER_DEFINED, "reserved bits of IA32_EFER are 0");
	BROKEN_IF(!(efer & B_EFER_LMA) != !g->ia32e, "IA32_EFER.LMA is as the control \"IA-32e mode guest\"");
	BROKEN_IF((g->cr0 & B_CR0_PG) && !(efer & B_EFER_LME) != !(efer & B_EFER_LMA),
		  "with paging, IA32_EFER.LME is as LMA");
	return NULL;
}

/* Bits of IA32_DEBUGCTL that some CPU has: LBR, BTF, TR, BTS, BTINT, BTS_OFF_OS, BTS_OFF_USR, freezing, uncore PMI,
 * SMM, RTM. */
#define DEBUGCTL_DEFINED (BIT(0) | BIT(1) | MASK(15, 6))

const char *vmentry_check_registers(const struct entering *g)
{
	BROKEN_BY(check_cr0(g));
	BROKEN_BY(check_cr4(g));
	BROKEN_IF(get(g, F_CR3) >> g->caps->physical_bits, "CR3 is within the physical-address width");
	BROKEN_IF((g->entry & CE_LOAD_DEBUG) && (get(g, F_DEBUGCTL) & ~DEBUGCTL_DEFINED),
		  "reserved bits of IA32_DEBUGCTL are 0");
	BROKEN_IF((g->entry & CE_LOAD_DEBUG) && get(g, F_DR7) >> 32, "bits 63:32 of DR7 are 0");
	BROKEN_IF(!canonical(g, get(g, F_SYSENTER_ESP)), "IA32_SYSENTER_ESP is canonical");
	BROKEN_IF(!canonical(g, get(g, F_SYSENTER_EIP)), "IA32_SYSENTER_EIP is canonical");
	BROKEN_IF((g->entry & CE_LOAD_PAT) && bad_pat(get(g, F_PAT)), "IA32_PAT has memory types only");
	return g->entry & CE_LOAD_EFER ? check_efer(g) : NULL;
}

#undef SECTION
#define SECTION "Checks on Guest Descriptor-Table Registers"

const char *vmentry_check_tables(const struct entering *g)
{
	BROKEN_IF(!canonical(g, get(g, F_GDTR_BASE)), "the base of GDTR is canonical");
	BROKEN_IF(!canonical(g, get(g, F_IDTR_BASE)), "the base of IDTR is canonical");
	BROKEN_IF(get(g, F_GDTR_LIMIT) >> 16, "bits 31:16 of GDTR's limit are 0");
	BROKEN_IF(get(g, F_IDTR_LIMIT) >> 16, "bits 31:16 of IDTR's limit are 0");
	return NULL;
}

#undef SECTION
#define SECTION "Checks on Guest RIP, RFLAGS, and SSP"

const char *vmentry_check_rip(const struct entering *g)
{
	uint64_t rip = get(g, F_RIP), above = rip >> g->caps->linear_bits;
	bool long64 = g->ia32e && (get(g, F_ACCESS + 2 * CS) & A_L);

	BROKEN_IF(!long64 && rip >> 32, "bits 63:32 of RIP are 0 outside 64-bit code");
	/* Not "canonical": the first byte after the lower half passes, and faults when it is fetched. */
	BROKEN_IF(long64 && above != 0 && above != ~0ull >> g->caps->linear_bits,
		  "bits of RIP beyond the linear-address width are the same");
	BROKEN_IF((g->rflags & (MASK(63, 22) | BIT(15) | BIT(5) | BIT(3))) || !(g->rflags & B_FIXED),
		  "reserved bits of RFLAGS are as they must be");
	BROKEN_IF(g->v86 && (g->ia32e || !(g->cr0 & B_CR0_PE)), "RFLAGS.VM is 0 in IA-32e mode and in real mode");
	BROKEN_IF(injects(g, TYPE_EXTERNAL) && !(g->rflags & B_IF),
		  "RFLAGS.IF is 1 where an external interrupt is injected");
	return NULL;
}

#undef SECTION
#define SECTION "Checks on Guest Page-Directory-Pointer-Table Entries"

const char *vmentry_check_pdptes(const struct entering *g)
{
	uint64_t reserved = MASK(2, 1) | MASK(8, 5) | ~(BIT(g->caps->physical_bits) - 1), pdpte[4];

	if (!(g->cr0 & B_CR0_PG) || !(g->cr4 & B_CR4_PAE) || g->ia32e)
		return NULL;
	if (g->proc2 & C2_EPT) {
		for (unsigned n = 0; n < 4; n++)
			pdpte[n] = get(g, F_PDPTE + 2 * n);
	} else {
		const void *table = g->e->memory(g->e->ctx, get(g, F_CR3) & MASK(31, 5), sizeof(pdpte));

		BROKEN_IF(!table, "CR3 names memory");
		memcpy(pdpte, table, sizeof(pdpte));
	}
	for (unsigned n = 0; n < 4; n++)
		BROKEN_IF((pdpte[n] & 1) && (pdpte[n] & reserved), "reserved bits of a PDPTE that is present are 0");
	return NULL;
}
