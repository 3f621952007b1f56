/* mmu/ept/form.c - the form of EPT's tables. SDM, "Extended-Page-Table Pointer (EPTP)" and "EPT Translation
 * Mechanism". */
#include "mmu/ept/ept.h"

#define FORMAT(levels) \
	{ \
		.root_level = (levels), .root_bits = 9, .present = EPT_R | EPT_W | EPT_X, .address = PTE_ADDRESS, \
		.leaf = EPT_LARGE, .table = EPT_R | EPT_W | EPT_X, .leaf_only = EPT_LARGE, .accessed = EPT_A, \
		.special_mask = EPT_R | EPT_W | EPT_X, .special = EPT_MMIO, \
	}
/* The formats of entries do not depend on the number of levels. */
const struct pt_format ept_format = FORMAT(4);

static uint64_t ept_pointer(const struct mmu_vm *vm, const struct pt *pt)
{
	uint64_t eptp = hfn_hpa(pt->root).v | (pt->format->root_level - 1ull) << EPTP_WALK_SHIFT;

	eptp |= vm->caps->ept_wb ? MEMTYPE_WB : MEMTYPE_UC;
	return vm->caps->ept_ad ? eptp | EPTP_AD : eptp;
}

static const char *ept_wrong(const struct mmu_page *page, uint64_t leaf)
{
	if ((leaf & EPT_X) && page->no_fetch)
		return "E1: a leaf of the local APIC's page is executable";
	if ((leaf & EPT_TYPE_MASK) >> EPT_TYPE_SHIFT != page->slot->type)
		return "E1: a leaf has another memory type than its slot";
	if (page->no_read)
		return (leaf & EPT_R) ? "OV4: an overlay's frame can be read" : NULL;
	if (!(leaf & EPT_R) || (leaf & EPT_IPAT))
		return "E1: a leaf cannot be read, or ignores the guest's PAT";
	return NULL;
}

const struct nested_form ept_form = {
	.four = FORMAT(4),
	.five = FORMAT(5),
	.write = EPT_W,
	.leaf = ept_make_leaf,
	.mmio = ept_mmio_leaf,
	.mmio_high = ept_mmio_high,
	.pointer = ept_pointer,
	.wrong = ept_wrong,
	.whole = EPT_R | EPT_W | EPT_X | MEMTYPE_WB << EPT_TYPE_SHIFT,
};
