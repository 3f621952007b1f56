/* test/caps.h - the capabilities of a CPU that has everything that a mechanism may know of. */
#ifndef VELLUM_TEST_CAPS_H
#define VELLUM_TEST_CAPS_H

#include "mmu/caps.h"

static inline struct mmu_caps caps_all(void)
{
	return (struct mmu_caps){
		.maxphyaddr = 40,
		.nx = true,
		.page_1g = true,
		.smep = true,
		.smap = true,
		.pku = true,
		.pcid = true,
		.la57 = true,
		.ept = true,
		.ept_execute_only = true,
		.ept_wb = true,
		.ept_2m = true,
		.ept_1g = true,
		.ept_5level = true,
		.ept_ad = true,
		.invept = true,
		.invept_single = true,
		.invept_all = true,
		.vpid = true,
		.invvpid = true,
		.invvpid_address = true,
		.invvpid_single = true,
		.invvpid_all = true,
		.invvpid_single_retaining_globals = true,
		.unrestricted_guest = true,
	};
}

/* A CPU of AMD's: nested tables as its own, with flags, and no flush of theirs alone. */
static inline void caps_be_amds(struct mmu_caps *k)
{
	k->npt = true;
	k->ept = k->ept_execute_only = k->ept_5level = k->invept_single = k->ept_ad = k->pml = false;
	k->ept_wb = k->ept_2m = k->invept = k->invept_all = k->unrestricted_guest = true;
	k->ept_1g = k->page_1g;
	k->invvpid_all = true;
}

#endif
