/* The highest vector of a set, as plain models of a local APIC have it; -1: there is none. */
#ifndef VELLUM_TEST_HIGHEST_H
#define VELLUM_TEST_HIGHEST_H

#include <stdbool.h>

static inline int highest(const bool set[256])
{
	for (int v = 255; v >= 0; v--)
		if (set[v])
			return v;
	return -1;
}

#endif
