/* mmu/caps.h - everything a mechanism may know of the CPU, read once (from the capability MSRs by vmx/, made up by the
 * model), so that tests cover CPUs that nobody has. */
#ifndef VELLUM_MMU_CAPS_H
#define VELLUM_MMU_CAPS_H

#include "lib/base.h"

struct mmu_caps {
	uint8_t maxphyaddr; /* host-physical address width, bits */

	/* Paging of the CPU itself, which shadow tables use. */
	bool nx;
	bool page_1g;
	bool smep;
	bool smap;
	bool pku;
	bool pcid;
	bool la57;

	/* EPT (SDM, "VPID and EPT Capabilities"). */
	bool ept;
	bool ept_execute_only;
	bool ept_wb;     /* EPT paging structures may be WB; else UC */
	bool ept_2m;
	bool ept_1g;
	bool ept_5level; /* EPT tables of five levels, besides those of four */
	bool ept_ad;     /* accessed and dirty flags for EPT */
	bool pml;        /* page-modification logging; with ept_ad only */
	bool invept;
	bool invept_single;
	bool invept_all;

	/* VPID. Only meaningful where vpid is set. */
	bool vpid;
	bool invvpid;
	bool invvpid_address;
	bool invvpid_single;
	bool invvpid_all;
	bool invvpid_single_retaining_globals;

	bool unrestricted_guest;

	/* AMD's nested tables, which have the format of the CPU's own; what EPT's may have as an option is said above
	 * for them as well (ept_2m, ept_1g). */
	bool npt;
	bool paged_real_mode; /* CR0.PG without PE: a guest in real mode runs on the mechanism's tables */
};

#endif
