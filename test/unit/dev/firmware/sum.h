/* The checksum that firmware's tables have. */
#ifndef VELLUM_TEST_SUM_H
#define VELLUM_TEST_SUM_H

#include "lib/base.h"

static inline bool sums_to_zero(const uint8_t *p, size_t n)
{
	uint8_t sum = 0;

	while (n--)
		sum = (uint8_t)(sum + *p++);
	return !sum;
}

#endif
