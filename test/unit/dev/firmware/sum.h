/* What tests of firmware's tables have in common: the checksum, and little-endian numbers. */
#ifndef VELLUM_TEST_SUM_H
#define VELLUM_TEST_SUM_H

#include "lib/base.h"

static inline uint16_t u16(const uint8_t *p) { return (uint16_t)(p[0] | p[1] << 8); }
static inline uint32_t u32(const uint8_t *p) { return p[0] | p[1] << 8 | p[2] << 16 | (uint32_t)p[3] << 24; }

static inline bool sums_to_zero(const uint8_t *p, size_t n)
{
	uint8_t sum = 0;

	while (n--)
		sum = (uint8_t)(sum + *p++);
	return !sum;
}

#endif
