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

#endif
