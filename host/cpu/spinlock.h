/* host/cpu/spinlock.h - locks that are held for a few hundred instructions at most. Taken with interrupts off, always
 * (the hypervisor runs with interrupts off but for two instructions in its idle loop). The order in which they may nest
 * is in docs/architecture.md.
 *
 * WL1  Who takes a free lock at once pays nothing for counting. Who waits counts the ticks, for its CPU
 *      (percpu.lock_ticks).
 * WL2  A struct fair_lock is given in the order of asking. */
#ifndef VELLUM_HOST_SPINLOCK_H
#define VELLUM_HOST_SPINLOCK_H

#include "host/cpu/x86.h"

struct spinlock {
	bool held;
};

/* The lock is somebody's: returns with it. */
void spin_wait(struct spinlock *l);

static inline void spin_lock(struct spinlock *l)
{
	if (unlikely(__atomic_exchange_n(&l->held, true, __ATOMIC_ACQUIRE)))
		spin_wait(l);
}

/* false: somebody holds it. */
static inline bool spin_trylock(struct spinlock *l) { return !__atomic_exchange_n(&l->held, true, __ATOMIC_ACQUIRE); }

static inline void spin_unlock(struct spinlock *l) { __atomic_store_n(&l->held, false, __ATOMIC_RELEASE); }

/* A ticket is drawn, and its turn comes when those before it have been served. */
struct fair_lock {
	uint32_t tickets, served;
};

/* Returns when the ticket's turn has come. */
void fair_wait(struct fair_lock *l, uint32_t ticket);

static inline void fair_lock(struct fair_lock *l)
{
	uint32_t ticket = __atomic_fetch_add(&l->tickets, 1, __ATOMIC_ACQUIRE);

	if (unlikely(ticket != __atomic_load_n(&l->served, __ATOMIC_ACQUIRE)))
		fair_wait(l, ticket);
}

/* One store, by who has the lock: a release, as all stores are (SDM, "Memory Ordering in P6 and More Recent Processor
 * Families"). */
static inline void fair_unlock(struct fair_lock *l)
{
	__asm__ volatile("incl %0" : "+m"(l->served) : : "memory", "cc");
}

/* Returns when *flag has been seen false, counted like a lock: another CPU is about to make it so. */
void flag_wait(const bool *flag);

#endif
