/* lib/xorshift.h - numbers that look random, the same in every run: Marsaglia, "Xorshift RNGs". */
#ifndef VELLUM_LIB_XORSHIFT_H
#define VELLUM_LIB_XORSHIFT_H

#include <stdint.h>

/* The next number, which is the state; never 0, if the state was not. */
static inline uint64_t xorshift(uint64_t *state)
{
	*state ^= *state << 13;
	*state ^= *state >> 7;
	*state ^= *state << 17;
	return *state;
}

#endif
