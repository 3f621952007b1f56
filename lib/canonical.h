/* lib/canonical.h - which linear addresses there are in 64-bit mode (SDM, "Canonical Addressing"). */
#ifndef VELLUM_LIB_CANONICAL_H
#define VELLUM_LIB_CANONICAL_H

#include <stdbool.h>
#include <stdint.h>

#include "lib/x86.h"

#define LINEAR_BITS 48
#define LINEAR_BITS_LA57 57

/* How many bits a linear address has, where CR4.LA57 counts. */
static inline unsigned linear_bits(uint64_t cr4) { return cr4 & CR4_LA57 ? LINEAR_BITS_LA57 : LINEAR_BITS; }

/* Are all bits above these the same as the last of them? */
static inline bool is_canonical_in(uint64_t address, unsigned bits)
{
	return (uint64_t)((int64_t)(address << (64 - bits)) >> (64 - bits)) == address;
}

#endif
