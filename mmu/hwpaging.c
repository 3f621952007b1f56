/* mmu/hwpaging.c - the CPU's own paging under the mechanisms without EPT. */
#include "mmu/hwpaging.h"
#include "mmu/mutate.h"

/* HW3: so many address bits below the CPU's width are set, if there are places for so many above it: what they were
 *     goes there. */
#define MMIO_HIGH_BITS 5u
/* The generation: 3 ignored bits, and 11 that are ignored (long mode) or reserved as well (PAE). */
#define MMIO_LOW_SHIFT 9
#define MMIO_HIGH_SHIFT 52
#define MMIO_GENERATION_BITS 14

#define FORMAT(levels, bits, root) \
	{ \
		.root_level = (levels), .root_bits = (bits), .root_table = (root), PT_OWN_FORMAT \
	}

/* PDPTEs of PAE paging have no rights, and no accessed flag. */
const struct pt_format hw_format_pae = FORMAT(3, 2, PTE_P);
const struct pt_format hw_format_4level = FORMAT(4, 9, 0);
static const struct pt_format format_5level = FORMAT(5, 9, 0);

const struct pt_format *hw_format(const struct walk_regs *r)
{
	switch (walk_mode(r)) {
	case PAGING_5LEVEL:
		return &format_5level;
	case PAGING_4LEVEL:
		return &hw_format_4level;
	case PAGING_NONE:
	case PAGING_32BIT:
	case PAGING_PAE:
		break;
	}
	return &hw_format_pae;
}

const char *hw_unsupported(const struct mmu_caps *caps)
{
	if (!caps->nx && (caps->smep || caps->smap))
		return "the CPU has SMEP or SMAP but no execute-disable bit";
	return NULL;
}

struct mmu_intercepts hw_intercepts(const struct mmu_vcpu *vcpu)
{
	const struct walk_regs *r = &vcpu->regs;
	struct mmu_intercepts in = { .page_fault = true, .cr3_load = true, .cr3_store = true, .invlpg = true };

	/* Whatever changes what the guest's tables mean, loads PDPTEs (CR0.CD and NW too) or flushes must be seen. */
	in.cr0_owned = CR0_PE | CR0_PG | CR0_WP | CR0_CD | CR0_NW;
	in.cr0_force_mask = in.cr0_force_value = CR0_PG | CR0_WP;
	in.unrestricted = vcpu->vm->caps->paged_real_mode;
	if (!in.unrestricted)
		in.cr0_force_mask = in.cr0_force_value |= CR0_PE;
	in.cr4_owned = CR4_PSE | CR4_PAE | CR4_PGE | CR4_LA57 | CR4_PCIDE | CR4_SMEP | CR4_SMAP | CR4_PKE;
	in.cr4_force_mask = CR4_PAE | CR4_PCIDE | CR4_PKE;
	in.cr4_force_value = CR4_PAE;
	/* Without paging none of these has an effect, and in the tables that the CPU walks all of them would. */
	if (!(r->cr0 & CR0_PG))
		in.cr4_force_mask |= CR4_SMEP | CR4_SMAP | CR4_PGE;
	if (vcpu->vm->caps->nx)
		in.efer_force_mask = in.efer_force_value = EFER_NXE;
	if (!(r->efer & EFER_LMA)) {
		/* VM entry wants LMA = LME where CR0.PG is set (SDM, "Checks on Guest Control Registers, Debug
		 * Registers, and MSRs"). LA57 means nothing here, but VM entry need not know. */
		in.efer_force_mask |= EFER_LME | EFER_LMA;
		in.cr4_force_mask |= CR4_LA57;
	}
	return in;
}

/* SDM, "Operations that Invalidate TLBs and Paging-Structure Caches", for CR0 and CR4; and what is part of roles (S1),
 * so that other tables are used from now on: CR0.WP, CR4.PSE, EFER. */
bool hw_regs_flush_all(const struct walk_regs *old, const struct walk_regs *new)
{
	return ((old->cr0 ^ new->cr0) & (CR0_PG | CR0_WP)) ||
	       ((old->cr4 ^ new->cr4) & (CR4_PGE | CR4_PAE | CR4_PSE | CR4_SMEP | CR4_SMAP | CR4_LA57)) ||
	       ((old->efer ^ new->efer) & (EFER_NXE | EFER_LMA));
}

enum tag_reason hw_regs_why(const struct walk_regs *old, const struct walk_regs *new)
{
	return old->cr0 == new->cr0 && old->cr4 == new->cr4 ? TAG_TABLES : TAG_REGISTER;
}

struct access hw_access(const struct mmu_vcpu *vcpu, uint32_t error)
{
	struct access a = { .write = error & PFERR_W, .fetch = error & PFERR_I, .user = error & PFERR_U };

	/* A supervisor access while CPL is 3 is an implicit one (SDM, "Determination of Access Rights"). */
	a.implicit = !a.user && vcpu->regs.cpl == 3;
	return a;
}

bool hw_maybe_implicit(const struct mmu_vcpu *vcpu, uint32_t error)
{
	const struct walk_regs *r = &vcpu->regs;

	return (error & (PFERR_P | PFERR_RSVD | PFERR_I | PFERR_U)) == PFERR_P && r->cpl != 3 && r->ac &&
	       (r->cr4 & CR4_SMAP);
}

struct hw_rights hw_rights(const struct walk_regs *r, const struct walk_result *w, struct access a)
{
	struct hw_rights rights = { .acc = (w->user ? ACC_U : 0) | (w->executable ? ACC_X : 0) };

	if (w->writable) {
		/* The first write must be seen, to set the dirty flag. */
		if (MUTANT_OR(HW_DIRTY, w->dirty))
			rights.acc |= ACC_W;
		return rights;
	}
	if (!a.write || a.user || (r->cr0 & CR0_WP))
		return rights;
	/* S8: the CPU runs with WP set, so a supervisor may write only what is writable, and then a user must not reach
	 *     it. */
	rights.acc |= ACC_W;
	if (!w->user)
		return rights;
	if (r->cr4 & CR4_SMAP) {
		rights.emulate = true;
		return rights;
	}
	rights.flipped = true;
	MUTANT(HW_FLIP, rights.acc &= ~ACC_U);
	if (r->cr4 & CR4_SMEP)
		rights.acc &= ~ACC_X;
	return rights;
}

/* With A, and D where it can be written (S4), so that the CPU writes to a table of its own accord only where a leaf was
 * aged (S23). */
uint64_t hw_leaf(const struct mmu_caps *caps, gfn_t gfn, hfn_t hfn, unsigned shift, unsigned acc, unsigned pat_index,
		 bool global)
{
	uint64_t first = hfn.v, leaf = PTE_P | PTE_A;

	MUTANT(HW_FIRST, first -= gfn.v & (BIT(shift - PAGE_SHIFT) - 1));
	leaf |= hfn_hpa(HFN(first)).v;
	if (acc & ACC_U)
		leaf |= PTE_U;
	if (acc & ACC_W)
		leaf |= PTE_W | PTE_D;
	if (!(acc & ACC_X) && caps->nx)
		MUTANT(HW_NO_EXEC, leaf |= PTE_NX);
	if (global)
		leaf |= PTE_G;
	if (pat_index & 1)
		leaf |= PTE_PWT;
	if (pat_index & 2)
		leaf |= PTE_PCD;
	if (pat_index & 4)
		leaf |= shift > PAGE_SHIFT ? PTE_PAT_LARGE : PTE_PAT;
	return shift > PAGE_SHIFT ? leaf | PTE_PS : leaf;
}

/* ---- MMIO ---- */

/* 0 where there is no place even for one. */
static unsigned high_bits(const struct mmu_caps *caps)
{
	return caps->maxphyaddr < 51 ? (unsigned)min_u64(MMIO_HIGH_BITS, 51u - caps->maxphyaddr) : 0;
}

/* What is left of the address below the bits that are set, and where the rest is. */
static uint64_t low_mask(const struct mmu_caps *caps)
{
	return MASK(caps->maxphyaddr - high_bits(caps) - 1, PAGE_SHIFT);
}
static uint64_t moved_mask(const struct mmu_caps *caps) { return MASK(50, caps->maxphyaddr); }

uint64_t hw_mmio_high(const struct mmu_caps *caps)
{
	return MASK(caps->maxphyaddr - 1, caps->maxphyaddr - high_bits(caps));
}

bool hw_mmio_possible(const struct mmu_caps *caps, gfn_t gfn)
{
	return high_bits(caps) && !(gfn_gpa(gfn).v >> (51 - high_bits(caps)));
}

static uint64_t generation_bits(const struct mmu_vm *vm)
{
	uint64_t g = vm->slots.generation & (BIT(MMIO_GENERATION_BITS) - 1);

	return (g & 7) << MMIO_LOW_SHIFT | (g >> 3) << MMIO_HIGH_SHIFT;
}

uint64_t hw_mmio_leaf(const struct mmu_vm *vm, gfn_t gfn, unsigned acc)
{
	const struct mmu_caps *caps = vm->caps;
	uint64_t gpa = gfn_gpa(gfn).v, leaf = PT_OWN_MMIO | PTE_P | (gpa & low_mask(caps)) | generation_bits(vm);

	leaf |= (gpa & ~low_mask(caps)) << high_bits(caps);
	MUTANT(MMIO_HIGH, leaf |= hw_mmio_high(caps));
	return leaf | (acc & ACC_U ? PTE_U : 0) | (acc & ACC_W ? PTE_W : 0);
}

bool hw_mmio_current(const struct mmu_vm *vm, uint64_t leaf)
{
	const uint64_t mask = 7ull << MMIO_LOW_SHIFT | MASK(62, MMIO_HIGH_SHIFT);

	return (leaf & mask) == generation_bits(vm);
}

gfn_t hw_mmio_gfn(const struct mmu_caps *caps, uint64_t leaf)
{
	return gpa_gfn(GPA((leaf & low_mask(caps)) | (leaf & moved_mask(caps)) >> high_bits(caps)));
}

uint32_t hw_mmio_epoch(const struct mmu_vm *vm)
{
	return vm->slots.generation >> MMIO_GENERATION_BITS;
}

/* SDM, "Determination of Access Rights". */
bool hw_mmio_allows(const struct walk_regs *r, uint64_t leaf, struct access a)
{
	if (a.fetch || (a.write && !(leaf & PTE_W)))
		return false;
	if (a.user)
		return leaf & PTE_U;
	/* What SMAP says depends on more than the leaf knows. */
	return !(leaf & PTE_U) || !(r->cr4 & CR4_SMAP);
}
