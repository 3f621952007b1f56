/* model/vmentry_host.c - SDM, "Checks on VMX Controls and Host-State Area", the host-state area. The CPU that enters is
 * in IA-32e mode. */
#include "model/vmentry_inside.h"

#define SECTION "Checks on Host Control Registers, MSRs, and SSP"

static const char *check_registers(const struct entering *g)
{
	const struct vmentry_caps *c = g->caps;
	uint64_t cr0 = get(g, F_HOST_CR0), cr4 = get(g, F_HOST_CR4);

	BROKEN_IF((~cr0 & c->cr0_fixed0) || (cr0 & ~c->cr0_fixed1), "host CR0 has its fixed bits");
	BROKEN_IF((~cr4 & c->cr4_fixed0) || (cr4 & ~c->cr4_fixed1), "host CR4 has its fixed bits");
	BROKEN_IF((cr4 & B_CR4_CET) && !(cr0 & B_CR0_WP), "host CR4.CET needs CR0.WP");
	BROKEN_IF(get(g, F_HOST_CR3) >> c->physical_bits, "host CR3 is within the physical-address width");
	BROKEN_IF(!canonical(g, get(g, F_HOST_SYSENTER_ESP)), "host IA32_SYSENTER_ESP is canonical");
	BROKEN_IF(!canonical(g, get(g, F_HOST_SYSENTER_EIP)), "host IA32_SYSENTER_EIP is canonical");
	BROKEN_IF((g->exit & CX_LOAD_PAT) && bad_pat(get(g, F_HOST_PAT)), "host IA32_PAT has memory types only");
	if (g->exit & CX_LOAD_EFER) {
		uint64_t efer = get(g, F_HOST_EFER), both = B_EFER_LME | B_EFER_LMA;

		BROKEN_IF(efer & ~B_EFER_DEFINED, "reserved bits of host IA32_EFER are 0");
		BROKEN_IF((efer & both) != (g->exit & CX_HOST_64 ? both : 0),
			  "host IA32_EFER.LMA and LME are as the host's address space");
	}
	return NULL;
}

#undef SECTION
#define SECTION "Checks on Host Segment and Descriptor-Table Registers"

static const char *check_segments(const struct entering *g)
{
	for (uint32_t f = F_HOST_ES; f <= F_HOST_TR; f += 2)
		BROKEN_IF(get(g, f) & 7, "RPL and TI of host selectors are 0");
	BROKEN_IF(!get(g, F_HOST_CS) || !get(g, F_HOST_TR), "host CS and TR are not null");
	BROKEN_IF(!get(g, F_HOST_SS) && !(g->exit & CX_HOST_64), "host SS is not null outside 64-bit mode");
	for (uint32_t f = F_HOST_FS_BASE; f <= F_HOST_IDTR_BASE; f += 2)
		BROKEN_IF(!canonical(g, get(g, f)), "host bases of FS, GS, TR, GDTR and IDTR are canonical");
	return NULL;
}

#undef SECTION
#define SECTION "Checks Related to Address-Space Size"

static const char *check_size(const struct entering *g)
{
	uint64_t cr4 = get(g, F_HOST_CR4), rip = get(g, F_HOST_RIP);

	BROKEN_IF(!(g->exit & CX_HOST_64), "who enters in IA-32e mode comes back to it");
	BROKEN_IF(!(cr4 & B_CR4_PAE), "host CR4.PAE is set for a 64-bit host");
	BROKEN_IF(!canonical(g, rip), "host RIP is canonical");
	return NULL;
}

const char *vmentry_check_host(const struct entering *g)
{
	BROKEN_BY(check_registers(g));
	BROKEN_BY(check_segments(g));
	return check_size(g);
}
