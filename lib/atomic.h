/* lib/atomic.h - memory that others read and write at the same time, 1, 2, 4 or 8 bytes of it, aligned: they see all of
 * a store or nothing (SDM, "Guaranteed Atomic Operations"). */
#ifndef VELLUM_LIB_ATOMIC_H
#define VELLUM_LIB_ATOMIC_H

#include "lib/base.h"

/* size: 4 or 8, as page-table entries have. */
static inline uint64_t load_entry(const void *p, unsigned size)
{
	if (size == 4)
		return __atomic_load_n((const uint32_t *)p, __ATOMIC_ACQUIRE);
	return __atomic_load_n((const uint64_t *)p, __ATOMIC_ACQUIRE);
}

/* As LOCK CMPXCHG: *p becomes desired where it is *expected, else *expected what it is. true: exchanged. */
static inline bool compare_exchange(void *p, uint64_t *expected, uint64_t desired, unsigned size)
{
#define COMPARE_EXCHANGE(type) \
	{ \
		type want = (type)*expected; \
		bool done = __atomic_compare_exchange_n((type *)p, &want, (type)desired, false, __ATOMIC_SEQ_CST, \
							__ATOMIC_SEQ_CST); \
\
		*expected = want; \
		return done; \
	}

	switch (size) {
	case 1:
		COMPARE_EXCHANGE(uint8_t)
	case 2:
		COMPARE_EXCHANGE(uint16_t)
	case 4:
		COMPARE_EXCHANGE(uint32_t)
	default:
		COMPARE_EXCHANGE(uint64_t)
	}
#undef COMPARE_EXCHANGE
}

#endif
