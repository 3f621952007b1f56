/* mmu/ept/ept.h - what the files of the mechanism share. Its formats: SDM, "EPT Translation Mechanism" and
 * "Extended-Page-Table Pointer" (lib/x86.h). */
#ifndef VELLUM_MMU_EPT_H
#define VELLUM_MMU_EPT_H

#include "mmu/mmu.h"
#include "mmu/mutate.h"
#include "mmu/table/ptformat.h"

/* A page that is never right (E4): W and X without R. */
#define EPT_MMIO (EPT_W | EPT_X)
/* What such an entry has for an address: the last 16 MBytes of what the CPU can address, where no memory is. */
static inline uint64_t ept_mmio_high(const struct mmu_vm *vm) { return MASK(vm->caps->maxphyaddr - 1, 24); }
/* One of the slots' present generation: 9 bits of it in the places of type and flags, 11 in ignored bits, 12 in the
 * lowest of the address. */
static inline uint64_t ept_mmio_leaf(const struct mmu_vm *vm)
{
	uint64_t g = vm->slots.generation, leaf = EPT_MMIO | (g & 0x1ff) << 3 | (g >> 9 & 0x7ff) << 52 | g >> 20 << 12;

	MUTANT(MMIO_HIGH, leaf |= ept_mmio_high(vm));
	return leaf;
}

/* The guest's registers under EPT (mmu/ept/regs.c). */

/* The page that is shown at config.identity_map; NULL: none. */
void *ept_identity_map(struct mmu_vm *vm);

/* Sets root and intercepts from vcpu->regs. false: the guest does not page, the CPU cannot run it like that, and there
 * is no identity map. */
bool ept_apply_regs(struct mmu_vcpu *vcpu);
void ept_regs_changed(struct mmu_vcpu *vcpu, const struct walk_regs *old, bool cr3_write, bool keep_tlb);
void ept_invlpg(struct mmu_vcpu *vcpu, gva_t gva);

/* E1, E2, E4 on all tables but the identity map's page (mmu/ept/audit.c). */
bool ept_audit(const struct pt *pt, hfn_t identity, char *why, size_t size);

#endif
