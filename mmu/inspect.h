/* mmu/inspect.h - what the CPU would walk now, to be looked at: the hardware tables of whatever mechanism, read and not
 * touched. */
#ifndef VELLUM_MMU_INSPECT_H
#define VELLUM_MMU_INSPECT_H

#include "mmu/mmu.h"

#define MMU_PATH_MAX 5

enum mmu_path_end {
	MMU_PATH_LEAF,
	MMU_PATH_ABSENT,  /* an entry is not present */
	MMU_PATH_MMIO,    /* a cached MMIO leaf: the access exits and is emulated */
	MMU_PATH_NO_ROOT, /* the address is beyond what the tables can map */
};

struct mmu_path_entry {
	hpa_t hpa;      /* where the entry is */
	uint64_t value;
	uint8_t level;  /* 1: the last */
};

struct mmu_path {
	bool nested;    /* nested tables for a guest-physical address; else shadow tables for a linear one */
	bool ept;       /* with nested: their entries are EPT's; else they are those of the CPU's own paging */
	hpa_t root;
	uint8_t count;  /* entries read, from the root */
	struct mmu_path_entry entry[MMU_PATH_MAX];
	enum mmu_path_end end;
	hpa_t hpa;          /* MMU_PATH_LEAF: of the address itself */
	uint8_t page_shift; /* MMU_PATH_LEAF */
};

/* Follows the tables that the vCPU's root names, for gva, or under EPT for gpa. The vCPU is not running. */
void mmu_inspect(struct mmu_vcpu *vcpu, gva_t gva, gpa_t gpa, struct mmu_path *path);

/* What stands behind a guest-physical address whatever the tables say: false: no memory (MMIO, or nothing: *kind says
 * which). */
bool mmu_inspect_backing(struct mmu_vm *vm, gpa_t gpa, const char **kind, hpa_t *hpa);

#endif
