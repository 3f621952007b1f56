/* model/vmentry.c - the order of the checks. SDM, "VM Entries": controls, host state, guest state, loading of MSRs. */
#include "model/vmentry_inside.h"

enum {
	M_BASIC = 0x480, M_PIN, M_PROC, M_EXIT, M_ENTRY, M_MISC, M_CR0_FIXED0, M_CR0_FIXED1, M_CR4_FIXED0, M_CR4_FIXED1,
	M_PROC2 = 0x48b, M_EPT_VPID = 0x48c, M_TRUE_PIN = 0x48d, M_TRUE_PROC, M_TRUE_EXIT, M_TRUE_ENTRY,
};

void vmentry_caps_read(struct vmentry_caps *c, uint64_t (*rdmsr)(void *ctx, uint32_t msr), void *ctx)
{
	bool exact;
	const struct { struct vmentry_bits *bits; uint32_t msr, exact; } controls[] = {
		{ &c->pin, M_PIN, M_TRUE_PIN }, { &c->proc, M_PROC, M_TRUE_PROC },
		{ &c->exit, M_EXIT, M_TRUE_EXIT }, { &c->entry, M_ENTRY, M_TRUE_ENTRY },
	};

	c->basic = rdmsr(ctx, M_BASIC);
	exact = c->basic & CAP_BASIC_TRUE;
	for (unsigned i = 0; i < ARRAY_SIZE(controls); i++) {
		uint64_t v = rdmsr(ctx, exact ? controls[i].exact : controls[i].msr);

		*controls[i].bits = (struct vmentry_bits){ (uint32_t)v, (uint32_t)(v >> 32) };
	}
	c->proc2 = (struct vmentry_bits){ 0, 0 };
	c->ept_vpid = 0;
	if (c->proc.may & C_SECONDARY)
		c->proc2.may = (uint32_t)(rdmsr(ctx, M_PROC2) >> 32);
	if (c->proc2.may & (C2_EPT | C2_VPID))
		c->ept_vpid = rdmsr(ctx, M_EPT_VPID);
	c->misc = rdmsr(ctx, M_MISC);
	c->cr0_fixed0 = rdmsr(ctx, M_CR0_FIXED0);
	c->cr0_fixed1 = rdmsr(ctx, M_CR0_FIXED1);
	c->cr4_fixed0 = rdmsr(ctx, M_CR4_FIXED0);
	c->cr4_fixed1 = rdmsr(ctx, M_CR4_FIXED1);
}

static void read_common(struct entering *g)
{
	uint64_t event = get(g, F_EVENT);

	g->pin = get(g, F_PIN);
	g->proc = get(g, F_PROC);
	g->proc2 = (g->proc & C_SECONDARY) && (g->caps->proc.may & C_SECONDARY) ? get(g, F_PROC2) : 0;
	g->exit = get(g, F_EXIT);
	g->entry = get(g, F_ENTRY);
	g->cr0 = get(g, F_CR0);
	g->cr4 = get(g, F_CR4);
	g->rflags = get(g, F_RFLAGS);
	g->event = event & DELIVERS ? event : 0;
	g->ia32e = g->entry & CE_IA32E;
	g->v86 = g->rflags & B_VM;
	g->unrestricted = g->proc2 & C2_UNRESTRICTED;
}

const char *vmentry_check(const struct vmentry *e)
{
	static const char *(*const checks[])(const struct entering *) = {
		vmentry_check_execution,      vmentry_check_ept,    vmentry_check_exit_controls,
		vmentry_check_entry_controls, vmentry_check_host,   vmentry_check_registers,
		vmentry_check_segments,	      vmentry_check_tables, vmentry_check_rip,
		vmentry_check_state,	      vmentry_check_pdptes, vmentry_check_msrs,
	};
	struct entering g = { .e = e, .caps = e->caps };

	read_common(&g);
	for (unsigned i = 0; i < ARRAY_SIZE(checks); i++)
		BROKEN_BY(checks[i](&g));
	return NULL;
}
