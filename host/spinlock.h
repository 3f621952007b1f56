/* host/spinlock.h - locks that are held for a few hundred instructions at most. Taken with interrupts off, always (the
 * hypervisor runs with interrupts off but for two instructions in its idle loop). The order in which they may nest is
 * in docs/architecture.md. */
#ifndef VELLUM_HOST_SPINLOCK_H
#define VELLUM_HOST_SPINLOCK_H

#include "host/x86.h"

struct spinlock {
	bool held;
};

static inline void spin_lock(struct spinlock *l)
{
	while (unlikely(__atomic_exchange_n(&l->held, true, __ATOMIC_ACQUIRE)))
		while (__atomic_load_n(&l->held, __ATOMIC_RELAXED))
			cpu_relax();
}

/* false: somebody holds it. */
static inline bool spin_trylock(struct spinlock *l) { return !__atomic_exchange_n(&l->held, true, __ATOMIC_ACQUIRE); }

static inline void spin_unlock(struct spinlock *l) { __atomic_store_n(&l->held, false, __ATOMIC_RELEASE); }

#endif
