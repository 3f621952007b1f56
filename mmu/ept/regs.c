/* mmu/ept/regs.c - the guest's paging registers under EPT: mostly the CPU's own business. What is left: register loads
 * that exited for another reason and were carried out by the hypervisor, and guests without paging on a CPU that cannot
 * run them so.
 *
 * E5  A register load that the hypervisor carried out flushes what the instruction would have (SDM, "Operations that
 *     Invalidate TLBs and Paging-Structure Caches").
 * E6  On a CPU without "unrestricted guest", a guest without paging runs on an identity map in a page of the mechanism
 *     that its guest-physical memory shows, with CR0.PG and CR4 forced, EFER.LME hidden, and its CR3 kept from the
 *     hardware. */
#include "mmu/ept/ept.h"
#include "mmu/inside.h"
#include "mmu/log.h"
#include "mmu/mutate.h"

#define IDENTITY_ENTRIES 1024
#define IDENTITY_ENTRY (PTE_P | PTE_W | PTE_U | PTE_A | PTE_D | PTE_PS)

/* A directory of 4-MByte pages that maps the low 4 GBytes to themselves. Written anew each time: the guest might have
 * found it. */
static bool write_identity_map(struct mmu_vcpu *vcpu)
{
	uint32_t *entries = ept_identity_map(vcpu->vm);

	for (uint32_t i = 0; entries && i < IDENTITY_ENTRIES; i++)
		entries[i] = i << 22 | IDENTITY_ENTRY;
	return entries != NULL;
}

static void run_unpaged(struct mmu_vcpu *vcpu)
{
	struct mmu_intercepts *in = &vcpu->intercepts;
	const uint64_t hostile = CR4_PAE | CR4_LA57 | CR4_PCIDE | CR4_SMEP | CR4_SMAP | CR4_PKE;

	vcpu->root.cr3 = align_down(vcpu->vm->config.identity_map.v, PAGE_SIZE);
	in->cr3_load = in->cr3_store = true;
	in->cr0_force_mask = in->cr0_force_value = CR0_PE | CR0_PG;
	in->cr4_force_mask = CR4_PSE | hostile;
	in->cr4_force_value = CR4_PSE;
	in->cr4_owned = CR4_PSE | hostile;
	/* VM entry wants LMA = LME where CR0.PG is set (SDM, "Checks on Guest Control Registers, Debug Registers, and
	 * MSRs"). */
	in->efer_force_mask = EFER_LME | EFER_LMA;
}

/* OV5, OV3. */
static void watch(struct mmu_intercepts *in)
{
	in->page_fault = true;
	in->pf_mask = PFERR_U;
	in->pf_match = 0;
	in->cr0_owned |= CR0_PG;
	in->cr4_owned |= CR4_PAE;
}

bool ept_apply_regs(struct mmu_vcpu *vcpu)
{
	const struct walk_regs *r = &vcpu->regs;
	struct mmu_intercepts in = {
		.ept = true, .unrestricted = mmu_unrestricted(vcpu->vm), .log = log_buffer(vcpu),
	};
	bool ok = true;

	vcpu->intercepts = in;
	if (!in.unrestricted)
		vcpu->intercepts.cr0_owned = CR0_PE | CR0_PG;
	if (vcpu->vm->watched)
		MUTANT(OVERLAY_WATCH, watch(&vcpu->intercepts));
	vcpu->root.cr3 = r->cr3;
	vcpu->root.load_pdptes = walk_mode(r) == PAGING_PAE;
	if (vcpu->root.load_pdptes)
		memcpy(vcpu->root.pdpte, r->pdpte, sizeof(r->pdpte));
	if (!(r->cr0 & CR0_PG) && !in.unrestricted) {
		ok = write_identity_map(vcpu);
		run_unpaged(vcpu);
	}
	vcpu->intercepts_changed = vcpu->root_changed = true;
	return ok;
}

/* E5. EFER is not among what that section names: what is cached may stay, as on a CPU. (LMA goes with CR0.PG.) */
static void flush_for(struct mmu_vcpu *vcpu, const struct walk_regs *old, bool cr3_write, bool keep_tlb)
{
	const struct walk_regs *new = &vcpu->regs;
	uint64_t cr4 = old->cr4 ^ new->cr4;

	if (((old->cr0 ^ new->cr0) & CR0_PG) || (cr4 & (CR4_PGE | CR4_PAE | CR4_LA57)) ||
	    (cr4 & old->cr4 & CR4_PCIDE) || (cr4 & new->cr4 &CR4_SMEP))
		tag_request_all(vcpu, TAG_REGISTER);
	else if (cr3_write && !keep_tlb)
		tag_request_nonglobal(vcpu);
}

void ept_regs_changed(struct mmu_vcpu *vcpu, const struct walk_regs *old, bool cr3_write, bool keep_tlb)
{
	if (cr3_write)
		vcpu->vm->counters.cr3_loads++;
	if (!ept_apply_regs(vcpu))
		vcpu->stuck = "a guest without paging has no identity map to run on";
	MUTANT(EPT_REGS_FLUSH, flush_for(vcpu, old, cr3_write, keep_tlb));
}

void ept_invlpg(struct mmu_vcpu *vcpu, gva_t gva)
{
	/* INVLPG drops all parts of a large page, and all paging-structure caches; INVVPID of an address drops less. */
	(void)gva;
	MUTANT(EPT_INVLPG_FLUSH, tag_request_all(vcpu, TAG_ADDRESS));
}
