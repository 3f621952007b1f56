/* model/vmentry_msrs.c - SDM, "Loading MSRs" at a VM entry, as far as it depends on what the area holds. */
#include "model/vmentry_inside.h"

#define SECTION "Loading MSRs"

/* SDM, "Format of an MSR Entry". */
struct msr_slot {
	uint32_t msr, reserved;
	uint64_t value;
};

#define M_PAT 0x277u
#define M_EFER 0xc0000080u
#define M_FS_BASE 0xc0000100u
#define M_GS_BASE 0xc0000101u

static const char *check_slot(const struct entering *g, const struct msr_slot *s)
{
	BROKEN_IF(s->msr == M_FS_BASE || s->msr == M_GS_BASE, "the bases of FS and GS are not loaded from the area");
	BROKEN_IF(s->msr >> 8 == 8, "registers of the x2APIC are not loaded from the area");
	BROKEN_IF(s->reserved, "bits 63:32 of an entry are 0");
	BROKEN_IF(s->msr == M_PAT && bad_pat(s->value), "IA32_PAT has memory types only");
	BROKEN_IF(s->msr == M_EFER && (s->value & ~B_EFER_DEFINED), "reserved bits of IA32_EFER are 0");
	/* WRMSR does not change LMA, and cannot change LME under paging: the entry has set both by "IA-32e mode
	 * guest". */
	BROKEN_IF(s->msr == M_EFER && (g->cr0 & B_CR0_PG) && !(s->value & B_EFER_LME) != !g->ia32e,
		  "with paging, IA32_EFER.LME is as the control \"IA-32e mode guest\"");
	return NULL;
}

const char *vmentry_check_msrs(const struct entering *g)
{
	uint64_t count = get(g, F_ENTRY_LOAD_COUNT), at;

	if (!count)
		return NULL;
	at = get(g, F_ENTRY_LOAD);
	for (uint64_t n = 0; n < count; n++) {
		const struct msr_slot *s = g->e->memory(g->e->ctx, at + n * sizeof(*s), sizeof(*s));

		BROKEN_IF(!s, "the MSR-load area is memory");
		BROKEN_BY(check_slot(g, s));
	}
	return NULL;
}
