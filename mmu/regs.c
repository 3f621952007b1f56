/* mmu/regs.c - the guest's loads of CR0, CR3, CR4 and IA32_EFER: first checked, with all the #GP conditions that SDM
 * gives for MOV to control registers, for WRMSR of IA32_EFER ("Initializing IA-32e Mode") and for the PDPTE registers
 * ("PDPTE Registers"), then done, which cannot fail.
 *
 * RG1  A load that faults changes nothing.
 * RG2  EFER.LMA = EFER.LME and CR0.PG, always.
 * RG3  The PDPTEs are loaded by MOV to CR3 under PAE paging, and by those writes to CR0 and CR4 that SDM names, at no
 *      other time. */
#include "lib/canonical.h"
#include "lib/x86_rules.h"
#include "mmu/inside.h"
#include "mmu/mutate.h"

#define CR0_KNOWN \
	(CR0_PE | CR0_MP | CR0_EM | CR0_TS | CR0_ET | CR0_NE | CR0_WP | CR0_AM | CR0_NW | CR0_CD | CR0_PG)
#define CR0_PDPTE_BITS (CR0_CD | CR0_NW | CR0_PG)
#define CR4_PDPTE_BITS (CR4_PAE | CR4_PGE | CR4_PSE | CR4_SMEP)

static bool paging_pae(const struct walk_regs *r)
{
	return walk_mode(r) == PAGING_PAE;
}

/* Reads the four PDPTEs that cr3 names into pdpte. false: one has a reserved bit set. What cannot be read reads as
 * ones. */
static bool load_pdptes(struct mmu_vm *vm, const struct walk_regs *r, uint64_t cr3, uint64_t pdpte[4])
{
	memset(pdpte, 0xff, 4 * sizeof(pdpte[0]));
	mmu_guest_read(vm, GPA(cr3 & CR3_PDPT), pdpte, 4 * sizeof(pdpte[0]));
	return pdptes_fit(pdpte, r->maxphyaddr);
}

/* Only this vCPU's own CPU looks at its registers, so they need no lock. */
static struct mmu_result tell(struct mmu_vcpu *vcpu, const struct walk_regs *old, bool cr3_write, bool keep_tlb)
{
	mmu_lock_alone_as(vcpu);
	vcpu->stuck = NULL;
	mmu_prepare(vcpu->vm);
	vcpu->vm->ops->regs_changed(vcpu, old, cr3_write, keep_tlb);
	MUTANT(OVERLAY_REGS, overlay_regs_changed(vcpu->vm, old, &vcpu->regs));
	mmu_unlock(vcpu->vm);
	return vcpu->stuck ? mmu_stop(vcpu->stuck) : mmu_done(MMU_FIXED);
}

struct mmu_result mmu_vcpu_reset(struct mmu_vcpu *vcpu, const struct walk_regs *regs)
{
	struct walk_regs old = vcpu->regs;
	struct mmu_result r;

	ASSERT(!(regs->cr0 & CR0_PG));
	vcpu->regs = *regs;
	mmu_forget(vcpu);
	r = tell(vcpu, &old, false, false);
	vcpu->intercepts_changed = vcpu->root_changed = true;
	return r;
}

static struct mmu_result commit(struct mmu_vcpu *vcpu, const struct walk_regs *new)
{
	struct walk_regs old = vcpu->regs;

	vcpu->regs = *new;
	return tell(vcpu, &old, false, false);
}

/* Beside cr0_fits(): CET needs WP. IA-32e mode begins with PAE set and outside of 64-bit code; it ends with PCIDE clear
 * and outside of it (SDM, MOV - Move to/from Control Registers; "Initializing IA-32e Mode", "Switching Out of IA-32e
 * Mode Operation"). */
static bool cr0_valid(const struct walk_regs *old, uint64_t value)
{
	if (!cr0_fits(value))
		return false;
	if (!(value & CR0_WP) && (old->cr4 & CR4_CET))
		return false;
	if ((value & CR0_PG) && !(old->cr0 & CR0_PG) && (old->efer & EFER_LME))
		return (old->cr4 & CR4_PAE) && !old->cs_l;
	if (!(value & CR0_PG) && (old->cr0 & CR0_PG))
		return !(old->cr4 & CR4_PCIDE) && !((old->efer & EFER_LMA) && old->cs_l);
	return true;
}

struct mmu_result mmu_set_cr0(struct mmu_vcpu *vcpu, uint64_t value)
{
	struct walk_regs new = vcpu->regs;

	if (!cr0_valid(&vcpu->regs, value))
		return mmu_inject_gp();
	/* Reserved bits of the low half are ignored; ET is fixed. */
	new.cr0 = (value & CR0_KNOWN) | CR0_ET;
	new.efer &= ~EFER_LMA;
	if ((new.cr0 & CR0_PG) && (new.efer & EFER_LME))
		new.efer |= EFER_LMA;
	if (paging_pae(&new) && ((new.cr0 ^ vcpu->regs.cr0) & CR0_PDPTE_BITS) &&
	    !MUTANT_OR(PDPTE_CR0, load_pdptes(vcpu->vm, &new, new.cr3, new.pdpte)))
		return mmu_inject_gp();
	return commit(vcpu, &new);
}

struct mmu_result mmu_set_cr3(struct mmu_vcpu *vcpu, uint64_t value)
{
	struct walk_regs *r = &vcpu->regs, old;
	const struct walk_regs *before = r; /* but for CR3, and the PDPTEs, they are the same */
	uint64_t pdpte[4];
	bool keep_tlb = false;

	/* Outside IA-32e mode CR3 has 32 bits, of which none is reserved; in it those above the physical address are,
	 * and bit 63 is an order with PCIDs (SDM, MOV - Move to/from Control Registers). */
	if (r->efer & EFER_LMA) {
		if (r->cr4 & CR4_PCIDE) {
			keep_tlb = value & CR3_NO_FLUSH;
			value &= ~CR3_NO_FLUSH;
		}
		if (value & MASK(63, r->maxphyaddr))
			return mmu_inject_gp();
	} else {
		value &= MASK(31, 0);
	}
	/* SDM, "PDPTE Registers". */
	if (paging_pae(r)) {
		if (!load_pdptes(vcpu->vm, r, value, pdpte))
			return mmu_inject_gp();
		old = *r;
		before = &old;
		MUTANT(PDPTE_CR3, memcpy(r->pdpte, pdpte, sizeof(pdpte)));
	}
	r->cr3 = value;
	return tell(vcpu, before, true, keep_tlb);
}

/* In IA-32e mode PAE stays, and LA57 as it is; PCIDE can be set there only, and while CR3 names PCID 0; CET needs
 * WP (SDM, "Paging-Mode Enabling", "Process-Context Identifiers (PCIDs)", MOV - Move to/from Control Registers). */
static bool cr4_valid(const struct walk_regs *old, uint64_t value)
{
	uint64_t changed = old->cr4 ^ value;

	if ((value >> 32) || (value & old->cr4_reserved))
		return false;
	if (old->efer & EFER_LMA) {
		if (!(value & CR4_PAE) || (changed & CR4_LA57))
			return false;
	} else if (value & CR4_PCIDE) {
		return false;
	}
	if ((changed & value & CR4_PCIDE) && (old->cr3 & CR3_PCID))
		return false;
	return !(value & CR4_CET) || (old->cr0 & CR0_WP);
}

/* A bit that the mechanism does not support is one that the CPU has not: CPUID does not offer it either. The PDPTEs:
 * SDM, "PDPTE Registers". */
struct mmu_result mmu_set_cr4(struct mmu_vcpu *vcpu, uint64_t value)
{
	struct walk_regs new = vcpu->regs;

	if (!cr4_valid(&vcpu->regs, value) || (value & vcpu->vm->ops->cr4_unsupported))
		return mmu_inject_gp();
	new.cr4 = value;
	if (paging_pae(&new) && ((new.cr4 ^ vcpu->regs.cr4) & CR4_PDPTE_BITS) &&
	    !MUTANT_OR(PDPTE_CR4, load_pdptes(vcpu->vm, &new, new.cr3, new.pdpte)))
		return mmu_inject_gp();
	return commit(vcpu, &new);
}

struct mmu_result mmu_set_efer(struct mmu_vcpu *vcpu, uint64_t value)
{
	struct walk_regs new = vcpu->regs;

	/* Reserved bits, and those that CPUID does not offer (SDM, WRMSR: "Protected Mode Exceptions"). */
	if ((value & ~(EFER_SCE | EFER_LME | EFER_LMA | EFER_NXE)) || (value & new.efer_reserved))
		return mmu_inject_gp();
	/* LME changes without paging only (SDM, "Paging-Mode Enabling"). */
	if (((value ^ new.efer) & EFER_LME) && (new.cr0 & CR0_PG))
		return mmu_inject_gp();
	/* LMA is the CPU's; what is written to it is ignored. */
	new.efer = (value & ~EFER_LMA) | (new.efer & EFER_LMA);
	return commit(vcpu, &new);
}

/* Compatibility mode needs no case of its own: its linear addresses have 32 bits, which are canonical. */
static bool canonical(const struct walk_regs *r, gva_t gva)
{
	return is_canonical_in(gva.v, walk_mode(r) == PAGING_5LEVEL ? LINEAR_BITS_LA57 : LINEAR_BITS);
}

void mmu_invlpg(struct mmu_vcpu *vcpu, gva_t gva)
{
	if (walk_mode(&vcpu->regs) < PAGING_4LEVEL)
		gva.v &= MASK(31, 0);
	else if (!MUTANT_OR(INVLPG_CANONICAL, canonical(&vcpu->regs, gva)))
		return;
	mmu_lock_alone_as(vcpu);
	vcpu->vm->counters.invlpg++;
	vcpu->vm->ops->invlpg(vcpu, gva);
	mmu_unlock(vcpu->vm);
}

void mmu_sync_regs(struct mmu_vcpu *vcpu, uint64_t cr0, uint64_t cr3, uint64_t cr4, const uint64_t pdpte[4])
{
	struct walk_regs *r = &vcpu->regs;

	mmu_sync_control_regs(vcpu, cr0, cr3, cr4);
	if (pdpte && paging_pae(r))
		memcpy(r->pdpte, pdpte, sizeof(r->pdpte));
}
