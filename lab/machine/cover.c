/* lab/machine/cover.c - does an invalidation cover a cached translation? SDM, "Operations that Invalidate TLBs and
 * Paging-Structure Caches" and, for VPIDs and EPT, "Operations that Invalidate Cached Mappings". */
#include "lab/machine/machine.h"

bool lab_covers(const struct lab_cover *c, uint64_t tag, uint64_t entry)
{
	unsigned shift = size_shift(tag_size(tag)), compare = shift;
	uint64_t address = tag_page(tag) << shift;

	if (!c->linear || (!c->all_vpids && tag_vpid(tag) != c->vpid))
		return false;
	if (tag & TAG_GLOBAL ? !c->globals : !c->all_pcids && tag_pcid(tag) != c->pcid)
		return false;
	if (!c->one_address)
		return true;
	if (c->pieces && entry & PART_OF_2M)
		compare = 21;
	if (c->pieces && entry & PART_OF_1G)
		compare = 30;
	return ((address ^ c->gva) & MASK(56, compare)) == 0;
}

bool lab_covers_psc(const struct lab_cover *c, uint64_t tag, unsigned level)
{
	if (!c->linear || (!c->all_vpids && tag_vpid(tag) != c->vpid) || (!c->all_pcids && tag_pcid(tag) != c->pcid))
		return false;
	return !c->one_address || c->psc_all ||
	       (((tag_page(tag) << level_shift(level)) ^ c->gva) & MASK(56, level_shift(level))) == 0;
}

bool lab_covers_nested(const struct lab_cover *c, uint64_t tag, unsigned shift)
{
	if (!c->guest_physical || (!c->all_vms && (tag & TAG_ASID_MASK) != c->vm))
		return false;
	return !c->one_gpa || (((tag_page(tag) << shift) ^ c->gpa) & MASK(56, shift)) == 0;
}
