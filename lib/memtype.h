/* lib/memtype.h - memory types, as the PAT, MTRRs and EPT encode them. SDM, "Memory Cache Control". */
#ifndef VELLUM_LIB_MEMTYPE_H
#define VELLUM_LIB_MEMTYPE_H

#include <stdbool.h>
#include <stdint.h>

enum memtype {
	MEMTYPE_UC = 0,
	MEMTYPE_WC = 1,
	MEMTYPE_WT = 4,
	MEMTYPE_WP = 5,
	MEMTYPE_WB = 6,
	MEMTYPE_UC_MINUS = 7, /* of the PAT alone */
};

/* Is it one that an MTRR can have? 2 and 3 are reserved. */
static inline bool memtype_valid(uint64_t t)
{
	return t == MEMTYPE_UC || t == MEMTYPE_WC || (t >= MEMTYPE_WT && t <= MEMTYPE_WB);
}

/* The eight types of IA32_PAT, or with uc_minus clear those of a fixed MTRR (SDM, "IA32_PAT MSR", "Fixed Range
 * MTRRs"). */
static inline bool memtypes_valid(uint64_t v, bool uc_minus)
{
	for (unsigned n = 0; n < 8; n++, v >>= 8)
		if (!memtype_valid(v & 0xff) && !(uc_minus && (v & 0xff) == MEMTYPE_UC_MINUS))
			return false;
	return true;
}

#endif
