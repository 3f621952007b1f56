/* A translation is shown to be cached by changing the entry in memory and finding the old answer. */
#ifndef VELLUM_TEST_MODEL_CACHED_H
#define VELLUM_TEST_MODEL_CACHED_H

#include "test/unit/model/machine.h"

#define OLD frame(DATA)
#define NEW frame(DATA2)

/* Address 0 is cached as OLD; memory says NEW. */
static inline void cache_and_change(struct machine *m, uint64_t flags)
{
	poke(m, L1, 0, OLD | RWU | flags);
	run(m);
	reaches(m, 0, READ, OLD);
	poke(m, L1, 0, NEW | RWU | flags);
	reaches(m, 0, READ, OLD);
}

#endif
