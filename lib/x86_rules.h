/* lib/x86_rules.h - what values registers can have, where more than one room asks. */
#ifndef VELLUM_LIB_X86_RULES_H
#define VELLUM_LIB_X86_RULES_H

#include <stdbool.h>
#include <stdint.h>

#include "lib/x86.h"

/* Bits 63:32 are reserved; paging needs PE, NW needs CD (SDM, MOV - Move to/from Control Registers). */
static inline bool cr0_fits(uint64_t cr0)
{
	return !(cr0 >> 32) && (!(cr0 & CR0_PG) || (cr0 & CR0_PE)) && (!(cr0 & CR0_NW) || (cr0 & CR0_CD));
}

/* Where the page of 4 MBytes is that a page-directory entry of 4 bytes names (SDM, "32-Bit Paging": PSE-36). */
static inline uint64_t pde_4m_address(uint64_t pde) { return (pde & MASK(31, 22)) | (pde & MASK(20, 13)) << 19; }

/* Has none of those that are present a reserved bit set (SDM, "PDPTE Registers")? */
static inline bool pdptes_fit(const uint64_t pdpte[4], unsigned maxphyaddr)
{
	uint64_t reserved = PDPTE_RESERVED | MASK(63, maxphyaddr);

	for (unsigned n = 0; n < 4; n++)
		if ((pdpte[n] & PTE_P) && (pdpte[n] & reserved))
			return false;
	return true;
}

#endif
