/* mmu/mechanisms.h - the mechanisms, by their operations. */
#ifndef VELLUM_MMU_MECHANISMS_H
#define VELLUM_MMU_MECHANISMS_H

#include "mmu/mmu.h"

extern const struct mmu_ops mmu_ept;
extern const struct mmu_ops mmu_npt;
extern const struct mmu_ops mmu_shadow;
extern const struct mmu_ops mmu_vtlb;
extern const struct mmu_ops mmu_brute;

#endif
