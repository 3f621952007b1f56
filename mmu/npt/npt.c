/* mmu/npt/npt.c - the form of AMD's nested tables, for the mechanism `npt`, which is that of mmu/ept/ otherwise: the
 * CPU walks them as it walks its own, as a user's access (APM, "Nested Paging"; "Nested Table Walk").
 *
 * NT1 A leaf has U, as all that leads to it, A until it is aged (S23), and with W also D, so that the CPU has nothing
 *     else to set in it. Its type is by the host's PAT, of which entries 0, 1 and 3 are write-back, write-through
 *     and uncached as a CPU begins; there is no other type. The guest's is put upon it.
 * NT2 An MMIO page is a present leaf with the highest address bit, which is reserved where the CPU has fewer than 52,
 *     and the slots' generation (S14). Where it has 52, there is no such leaf, and each access faults anew. */
#include "mmu/ept/ept.h"

#define FORMAT(levels) \
	{ \
		.root_level = (levels), .root_bits = 9, PT_OWN_FORMAT \
	}

static uint64_t type_flags(const struct mmu_page *page)
{
	switch (page->slot->type) {
	case MEMTYPE_WB: return 0;
	case MEMTYPE_WT: return PTE_PWT;
	default: return PTE_PCD | PTE_PWT;
	}
}

static uint64_t leaf_of(const struct mmu_page *page, gfn_t gfn, unsigned shift)
{
	uint64_t first = page->hfn.v, leaf = PTE_P | PTE_U | PTE_A;

	MUTANT(NPT_MAP_FIRST, first -= gfn.v & (BIT(shift - PAGE_SHIFT) - 1));
	MUTANT(NPT_MAP_TYPE, leaf |= type_flags(page));
	leaf |= hfn_hpa(HFN(first)).v;
	if (MUTANT_OR(NPT_MAP_WRITABLE, page->writable))
		leaf |= PTE_W | PTE_D;
	if (page->no_fetch)
		MUTANT(NPT_MAP_FETCH, leaf |= PTE_NX);
	return shift > PAGE_SHIFT ? leaf | PTE_PS : leaf;
}

/* The generation: 3 bits of it in ignored ones, 11 in those above the address, the others in the address. */
static uint64_t mmio(const struct mmu_vm *vm)
{
	uint64_t g = vm->slots.generation;

	if (vm->caps->maxphyaddr > 51)
		return 0;
	return PTE_P | PT_OWN_MMIO | (g & 7) << 9 | (g >> 3 & 0x7ff) << 52 | g >> 14 << 12;
}

static uint64_t mmio_high(const struct mmu_vm *vm)
{
	(void)vm;
	return PT_OWN_MMIO;
}

static uint64_t pointer(const struct mmu_vm *vm, const struct pt *pt)
{
	(void)vm;
	return hfn_hpa(pt->root).v;
}

static const char *wrong(const struct mmu_page *page, uint64_t leaf)
{
	if (!(leaf & PTE_NX) && page->no_fetch)
		return "E1: a leaf of the local APIC's page is executable";
	if ((leaf & (PTE_PCD | PTE_PWT)) != type_flags(page))
		return "E1: a leaf has another memory type than its slot";
	if (page->no_read || !(leaf & PTE_U) || (leaf & PTE_W && !(leaf & PTE_D)))
		return "NT1: a leaf has not the flag that the CPU would set, or cannot be read";
	return NULL;
}

const struct nested_form npt_form = {
	.four = FORMAT(4),
	.write = PTE_W,
	.leaf = leaf_of,
	.mmio = mmio,
	.mmio_high = mmio_high,
	.pointer = pointer,
	.wrong = wrong,
	.whole = PTE_P | PTE_W | PTE_U | PTE_A | PTE_D,
};
