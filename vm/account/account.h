/* vm/account/account.h - what a virtual machine has cost: all of it, or one phase of what its guest does.
 *
 * A guest says where a phase begins by a byte to port MARK_PORT: 1 to PHASES_MAX - 1 begin (or continue) the phase of
 * that number, any other value ends the one that is open. A machine without such a port ignores it. A phase's account
 * is the sum of the counters between its marks; the OUT that begins it counts with what was before, the OUT that ends
 * it with the phase. */
#ifndef VELLUM_VM_ACCOUNT_H
#define VELLUM_VM_ACCOUNT_H

#include "mmu/counters.h"
#include "hvm/types.h"
#include "lib/ports.h"
#include "vm/account/trace.h"

#define PHASES_MAX 40

struct exit_stat {
	uint64_t count;
	uint64_t ticks; /* TSC, from the exit to the next entry */
};

struct account {
	uint64_t run_ticks; /* on a CPU, in the guest and in the hypervisor */
	struct exit_stat exits[HVM_EXIT_CODES];
	struct mmu_counters mmu;
	uint64_t table_pages; /* as many as there were when it was closed */
};

/* Of one method of virtualizing the TPR. */
struct tpr_account {
	uint64_t reads, writes; /* of the TPR, that were made for the guest */
	uint64_t threshold;     /* exits behind writes that have let something in, or could */
	uint64_t eois;          /* exits behind EOIs that the CPU has done itself */
};
#define TPR_METHODS 5 /* enum config_tpr */
struct tpr_accounts {
	bool had[TPR_METHODS]; /* methods that were chosen */
	struct tpr_account of[TPR_METHODS]; /* each, up to its end */
	struct tpr_account since; /* of all together, when the present one was chosen */
};
/* Exits that accesses to the TPR have caused. */
static inline uint64_t tpr_account_exits(const struct tpr_account *a) { return a->reads + a->writes + a->threshold; }

struct vm;
struct phases;
struct mmu_ops;

/* Adds the port. false: the table of ports is full. */
bool phases_init(struct vm *vm);
/* Gives the accounts' memory back. */
void phases_free(struct vm *vm);
/* Closes what is open, now that the guest has stopped. */
void phases_end(struct vm *vm);
/* The same for the time under each mechanism, of a VM that has gone over to another. before: from which, just now. */
void account_mechanism(struct vm *vm, const struct mmu_ops *before);
const struct account *mechanism_account(const struct vm *vm, const struct mmu_ops *ops);
bool mechanism_until_now(const struct vm *vm, const struct mmu_ops *ops, struct account *account);
/* The account of a phase until now, on the CPU of the VM's vCPU; false: there is none. */
bool phases_until_now(const struct vm *vm, unsigned phase, struct account *account);
/* The account of a phase, or NULL. */
const struct account *phases_account(const struct vm *vm, unsigned phase);

/* How often its vCPUs' CPUs waited for locks, and how long, ticks, in turns that are over. */
struct lock_count { uint64_t waits, ticks; };
struct lock_count stats_locks(const struct vm *vm);

/* vm/account/tpr.c: another method is about to be chosen. The VM is frozen, or has not run. */
void account_tpr(struct vm *vm, unsigned next);
/* The account of a method until now. false: it has never been chosen. Takes no lock. */
bool stats_tpr_method(const struct vm *vm, unsigned method, struct tpr_account *account);
/* Accesses that patching has left to the trap for that reason (enum patch_left): of several CPUs' all, none of which is
 * looked at. */
uint64_t stats_left(const struct vm *vm, unsigned reason);

#endif
