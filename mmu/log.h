/* mmu/log.h - what the dirty log (mmu/log.c) offers inside of mmu/. The VM's lock is held, alone. */
#ifndef VELLUM_MMU_LOG_H
#define VELLUM_MMU_LOG_H

#include "mmu/mmu.h"

/* Are writes to logged pages found by the dirty flags of their leaves, which are writable therefore (LG1)? */
static inline bool log_by_flags(const struct mmu_vm *vm) { return vm->log_by > MMU_LOG_PROTECT; }
/* And is what these say lost with them (LG2)? What the CPU has set by itself it has also written down, with
 * page-modification logging. */
static inline bool log_loses(const struct mmu_vm *vm) { return vm->logs && vm->log_by == MMU_LOG_FLAGS; }

/* Where the vCPU's CPU writes its log; 0: it keeps none. */
hpa_t log_buffer(const struct mmu_vcpu *v);
/* The vCPU is about to be made; it is no more. false: no memory for its log. */
bool log_vcpu_begins(struct mmu_vcpu *v);
void log_vcpu_ends(struct mmu_vcpu *v);
/* The VM is about to go over to ops, and no vCPU runs: what the old mechanism's tables say is in the logs (LG2), and
 * the way is one that ops has. false: no memory; nothing has changed. */
bool log_switch(struct mmu_vm *vm, const struct mmu_ops *ops);
/* The slot goes, with its log. */
void log_slot_goes(struct mmu_vm *vm, struct slot *slot);
/* Kicked: where nothing is logged any more, what CPUs still have in their logs is nobody's. */
void log_settle(struct mmu_vm *vm);

#endif
