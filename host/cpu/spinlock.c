/* host/cpu/spinlock.c - waiting for a lock, and counting that (WL1). */
#include "host/cpu/spinlock.h"

#include "host/cpu/percpu.h"

static void count(uint64_t since)
{
	struct percpu *cpu = this_cpu();

	cpu->lock_waits++;
	cpu->lock_ticks += rdtsc() - since;
}

void flag_wait(const bool *flag)
{
	uint64_t since;

	if (!__atomic_load_n(flag, __ATOMIC_ACQUIRE))
		return;
	since = rdtsc();
	while (__atomic_load_n(flag, __ATOMIC_ACQUIRE))
		cpu_relax();
	count(since);
}

void spin_wait(struct spinlock *l)
{
	uint64_t since = rdtsc();

	do {
		while (__atomic_load_n(&l->held, __ATOMIC_RELAXED))
			cpu_relax();
	} while (__atomic_exchange_n(&l->held, true, __ATOMIC_ACQUIRE));
	count(since);
}

void fair_wait(struct fair_lock *l, uint32_t ticket)
{
	uint64_t since = rdtsc();

	while (__atomic_load_n(&l->served, __ATOMIC_ACQUIRE) != ticket)
		cpu_relax();
	count(since);
}
