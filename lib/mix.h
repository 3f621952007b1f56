/* lib/mix.h - numbers that look random from numbers that do not. */
#ifndef VELLUM_LIB_MIX_H
#define VELLUM_LIB_MIX_H

#include <stdint.h>

/* Spreads what varies over all bits, one to one: the finalizer of SplitMix64. */
static inline uint64_t mix(uint64_t x)
{
	x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9ull;
	x = (x ^ x >> 27) * 0x94d049bb133111ebull;
	return x ^ x >> 31;
}

#endif
