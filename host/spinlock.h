/* host/spinlock.h - ticket locks. Taken with interrupts off, always (the hypervisor runs with interrupts off but for two
 * instructions in its idle loop). The order in which they may nest is in docs/architecture.md. */
#ifndef VELLUM_HOST_SPINLOCK_H
#define VELLUM_HOST_SPINLOCK_H

#include "host/x86.h"

struct spinlock {
	uint32_t next;
	uint32_t owner;
};

static inline void spin_lock(struct spinlock *l)
{
	uint32_t ticket = __atomic_fetch_add(&l->next, 1, __ATOMIC_RELAXED);

	while (unlikely(__atomic_load_n(&l->owner, __ATOMIC_ACQUIRE) != ticket))
		cpu_relax();
}

static inline void spin_unlock(struct spinlock *l)
{
	__atomic_store_n(&l->owner, l->owner + 1, __ATOMIC_RELEASE);
}

#endif
