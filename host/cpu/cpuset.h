/* host/cpu/cpuset.h - a set of CPUs, by their numbers, which any CPU changes at any time. */
#ifndef VELLUM_HOST_CPUSET_H
#define VELLUM_HOST_CPUSET_H

#include "host/cpu/percpu.h"

#define CPUSET_WORDS (CPUS_MAX / 64)

struct cpuset {
	uint64_t word[CPUSET_WORDS];
};

static inline bool cpuset_has(const struct cpuset *s, unsigned cpu)
{
	return __atomic_load_n(&s->word[cpu / 64], __ATOMIC_RELAXED) >> cpu % 64 & 1;
}

static inline void cpuset_add(struct cpuset *s, unsigned cpu)
{
	__atomic_fetch_or(&s->word[cpu / 64], BIT(cpu % 64), __ATOMIC_SEQ_CST);
}

/* Was it in the set? Of several that take it out at once, one hears that. */
static inline bool cpuset_remove(struct cpuset *s, unsigned cpu)
{
	return __atomic_fetch_and(&s->word[cpu / 64], ~BIT(cpu % 64), __ATOMIC_SEQ_CST) & BIT(cpu % 64);
}

/* The first that is not below cpu; CPUS_MAX: none. */
static inline unsigned cpuset_next(const struct cpuset *s, unsigned cpu)
{
	for (; cpu < CPUS_MAX; cpu = (cpu / 64 + 1) * 64) {
		uint64_t rest = __atomic_load_n(&s->word[cpu / 64], __ATOMIC_SEQ_CST) >> cpu % 64;

		if (rest)
			return cpu + (unsigned)__builtin_ctzll(rest);
	}
	return CPUS_MAX;
}

static inline bool cpuset_any(const struct cpuset *s)
{
	uint64_t all = 0;

	for (unsigned n = 0; n < CPUSET_WORDS; n++)
		all |= __atomic_load_n(&s->word[n], __ATOMIC_RELAXED);
	return all;
}

#endif
