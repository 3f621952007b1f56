/* mmu/mechanisms.c - the table of mechanisms, the best first. A new mechanism is one file and one line here. */
#include "mmu/mechanisms.h"

const struct mmu_ops *const mmu_mechanisms[] = {
	&mmu_ept,
	&mmu_npt,
	&mmu_shadow,
	&mmu_vtlb,
	&mmu_brute,
	NULL,
};

const struct mmu_ops *mmu_mechanism_by_name(const char *name)
{
	for (unsigned i = 0; mmu_mechanisms[i]; i++)
		if (strcmp(mmu_mechanisms[i]->name, name) == 0)
			return mmu_mechanisms[i];
	return NULL;
}
