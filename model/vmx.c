/* VM entries and exits, INVVPID and INVEPT. */
#include "model/inside.h"

const struct m_geometry m_geometry_adversarial = {
	.of = {
		[M_TLB_4K] = { 8, 24 }, [M_TLB_2M] = { 4, 16 }, [M_TLB_1G] = { 1, 16 },
		[M_PSC_2] = { 4, 16 }, [M_PSC_3] = { 1, 32 }, [M_PSC_4] = { 1, 24 }, [M_PSC_5] = { 1, 16 },
		[M_NTLB_4K] = { 8, 24 }, [M_NTLB_2M] = { 2, 16 }, [M_NTLB_1G] = { 1, 8 },
		[M_NPSC_2] = { 2, 16 }, [M_NPSC_3] = { 1, 16 }, [M_NPSC_4] = { 1, 8 }, [M_NPSC_5] = { 1, 8 },
	},
	.adversarial = true,
};

const struct m_geometry m_geometry_plain = {
	.of = {
		[M_TLB_4K] = { 16, 4 }, [M_TLB_2M] = { 8, 4 }, [M_TLB_1G] = { 1, 4 },
		[M_PSC_2] = { 8, 4 }, [M_PSC_3] = { 1, 4 }, [M_PSC_4] = { 1, 2 }, [M_PSC_5] = { 1, 2 },
		[M_NTLB_4K] = { 16, 4 }, [M_NTLB_2M] = { 4, 4 }, [M_NTLB_1G] = { 1, 4 },
		[M_NPSC_2] = { 4, 4 }, [M_NPSC_3] = { 1, 4 }, [M_NPSC_4] = { 1, 2 }, [M_NPSC_5] = { 1, 2 },
	},
};

bool m_cpu_init(struct m_cpu *cpu, struct phys *phys, const struct mmu_caps *caps, const struct m_geometry *g)
{
	*cpu = (struct m_cpu){ .phys = phys, .caps = caps, .adversarial = g->adversarial, .chance = 1 };
	for (unsigned i = 0; i < M_CLASSES; i++)
		if (!m_cache_init(&cpu->cache[i], g->of[i].sets, g->of[i].ways))
			return false;
	return true;
}

void m_cpu_fini(struct m_cpu *cpu)
{
	for (unsigned i = 0; i < M_CLASSES; i++)
		m_cache_fini(&cpu->cache[i]);
}

/* SDM, "Checks on VMX Controls": the extended-page-table pointer. */
static const char *check_eptp(const struct mmu_caps *caps, uint64_t eptp)
{
	unsigned type = eptp & X_EPTP_TYPE, length = (eptp >> X_EPTP_LENGTH_SHIFT & 7) + 1;

	/* APM, "Canonicalization and Consistency Checks": N_CR3. */
	if (caps->npt)
		return eptp & (MASK(11, 0) | MASK(63, caps->maxphyaddr)) ? "N_CR3: reserved bits" : NULL;
	if (!caps->ept)
		return "EPT on a CPU without";
	if (type != 0 && !(type == 6 && caps->ept_wb))
		return "EPTP: memory type";
	if (length != 4 && !(length == 5 && caps->ept_5level))
		return "EPTP: walk length";
	if (eptp & X_EPTP_AD && !caps->ept_ad)
		return "EPTP: accessed and dirty flags on a CPU without";
	if (eptp & (MASK(11, 7) | MASK(63, caps->maxphyaddr)))
		return "EPTP: reserved bits";
	return NULL;
}

/* SDM, "Checks on Guest Control Registers, Debug Registers, and MSRs", what concerns paging. */
static const char *check_guest(const struct mmu_caps *caps, const struct m_vmcs *v)
{
	const struct x_regs *r = &v->guest;
	bool pg = r->cr0 & X_CR0_PG;

	if (pg && !(r->cr0 & X_CR0_PE))
		return "CR0.PG without PE";
	if ((!pg || !(r->cr0 & X_CR0_PE)) && !(v->ept && caps->unrestricted_guest))
		return "CR0.PG or PE clear without unrestricted guest";
	if (r->cr3 & MASK(63, caps->maxphyaddr))
		return "CR3: bits beyond the physical-address width";
	if (r->efer & X_EFER_LMA && (!pg || !(r->cr4 & X_CR4_PAE)))
		return "EFER.LMA without paging or PAE";
	if (pg && !(r->efer & X_EFER_LMA) != !(r->efer & X_EFER_LME))
		return "EFER.LMA and LME differ with paging";
	if (r->cr4 & X_CR4_PCIDE && !(r->efer & X_EFER_LMA))
		return "CR4.PCIDE outside IA-32e mode";
	if ((r->cr4 & X_CR4_PCIDE && !caps->pcid) || (r->cr4 & X_CR4_LA57 && !caps->la57) ||
	    (r->cr4 & X_CR4_SMEP && !caps->smep) || (r->cr4 & X_CR4_SMAP && !caps->smap) ||
	    (r->cr4 & X_CR4_PKE && !caps->pku) || (r->efer & X_EFER_NXE && !caps->nx))
		return "a feature that the CPU lacks";
	return NULL;
}

static void transition(struct m_cpu *cpu)
{
	struct m_cover c = { .linear = true, .combined = true, .all_ep4ta = true, .all_pcids = true, .vpid = 0 };

	if (!cpu->vmcs->vpid)
		m_invalidate(cpu, &c, NULL);
}

const char *m_entry(struct m_cpu *cpu, struct m_vmcs *vmcs)
{
	const char *why = vmcs->ept ? check_eptp(cpu->caps, vmcs->eptp) : NULL;

	BUG_ON(cpu->vmcs);
	if (!why)
		why = check_guest(cpu->caps, vmcs);
	if (!why && vmcs->vpid && !cpu->caps->vpid)
		why = "VPID on a CPU without";
	if (!why && vmcs->pml && (!vmcs->ept || !cpu->caps->pml))
		why = "page-modification logging without EPT, or on a CPU without";
	if (!why && vmcs->pml & (MASK(11, 0) | MASK(63, cpu->caps->maxphyaddr)))
		why = "the PML address";
	if (why)
		return why;
	cpu->vmcs = vmcs;
	cpu->regs = vmcs->guest;
	cpu->regs.maxphyaddr = cpu->caps->maxphyaddr;
	cpu->regs.page_1g = cpu->caps->page_1g;
	if (x_mode(&cpu->regs) == X_PAE) {
		if (!vmcs->ept && m_load_pdptes(cpu, &cpu->regs, cpu->regs.pdpte).event != M_OK)
			why = "PDPTEs";
		for (unsigned i = 0; vmcs->ept && i < 4; i++)
			if (!x_pdpte_ok(&cpu->regs, cpu->regs.pdpte[i]))
				why = "PDPTEs";
		if (why) {
			cpu->vmcs = NULL;
			return why;
		}
	}
	transition(cpu);
	return NULL;
}

void m_exit(struct m_cpu *cpu)
{
	struct m_vmcs *v = cpu->vmcs;

	BUG_ON(!v);
	transition(cpu);
	v->guest = cpu->regs;
	cpu->vmcs = NULL;
}

static void by_software(struct m_cpu *cpu, const struct m_cover *c)
{
	unsigned wrong = 0;

	cpu->stats.flushes++;
	m_invalidate(cpu, c, cpu->account ? &wrong : NULL);
	if (cpu->account && !wrong)
		cpu->stats.flushes_idle++;
}

bool m_invvpid(struct m_cpu *cpu, unsigned type, uint16_t vpid, uint64_t va)
{
	struct m_cover c = { .linear = true, .combined = true, .all_ep4ta = true, .all_pcids = true, .vpid = vpid };

	if (type > 3 || (type != 2 && !vpid) || (type == 0 && !x_canonical(X_4LEVEL, va)))
		return false;
	c.one_address = type == 0;
	c.va = va;
	c.globals_any_pcid = type == 0;
	c.all_vpids_but_0 = type == 2;
	c.keep_globals = type == 3;
	by_software(cpu, &c);
	return true;
}

bool m_invept(struct m_cpu *cpu, unsigned type, uint64_t eptp)
{
	struct m_cover c = {
		.guest_physical = true, .combined = true, .all_pcids = true, .ep4ta = eptp & X_ADDRESS_MASK
	};

	/* SDM, INVEPT: type 1 wants an EPTP that a VM entry would take. */
	if ((type != 1 && type != 2) || (type == 1 && check_eptp(cpu->caps, eptp)))
		return false;
	c.all_ep4ta = type == 2;
	c.all_vpids = true;
	by_software(cpu, &c);
	return true;
}
