/* mmu/hwpaging.h - what the mechanisms without EPT have in common: the paging mode that the CPU really runs in, its
 * table formats, and what must be intercepted.
 *
 * A guest outside of long mode (without paging, 32-bit paging, PAE) runs on PAE tables; a guest in long mode on as many
 * levels as its own tables have.
 *
 * HW1  The CPU runs with CR0.PG, CR0.WP and EFER.NXE set and CR4.PAE set, whatever the guest wrote, and with CR0.PE
 *      where it cannot page in real mode; CR4.SMEP and
 *      CR4.SMAP follow the guest while it pages, so that what depends on RFLAGS.AC is judged by the CPU at each access.
 * HW2  An MMIO page is a present leaf with a reserved address bit, the guest frame, the rights, and the slots'
 *      generation (S14).
 * HW3  What such a leaf has for an address is beyond any memory, whatever guest frame it stands for: the highest bits
 *      of the CPU's width are set (hw_mmio_high), and the guest frame's bits there are above. A CPU with "L1 Terminal
 *      Fault" (CVE-2018-3646) takes the address of an entry with a reserved bit for one of memory, until it faults. */
#ifndef VELLUM_MMU_HWPAGING_H
#define VELLUM_MMU_HWPAGING_H

#include "mmu/inside.h"
#include "mmu/table/ptformat.h"

/* Rights as they accumulate over a walk. */
#define ACC_U 1u
#define ACC_W 2u
#define ACC_X 4u
#define ACC_ALL 7u

extern const struct pt_format hw_format_pae, hw_format_4level;

/* Of the tables that a guest with these registers runs on. */
const struct pt_format *hw_format(const struct walk_regs *r);
/* NULL, or what this CPU lacks to run guests on shadow tables. */
const char *hw_unsupported(const struct mmu_caps *caps);
/* What to intercept and to force for a guest with these registers. */
struct mmu_intercepts hw_intercepts(const struct mmu_vcpu *vcpu);
/* The bits of the registers whose change changes what tables mean, or flushes everything. */
bool hw_regs_flush_all(const struct walk_regs *old, const struct walk_regs *new);
/* The reason of that flush: EFER alone flushes nothing on a CPU, but other tables are used for it. */
enum tag_reason hw_regs_why(const struct walk_regs *old, const struct walk_regs *new);

/* The access that an intercepted page fault was about. */
struct access hw_access(const struct mmu_vcpu *vcpu, uint32_t error);
/* It was the supervisor's, RFLAGS.AC is set, and so the error code does not say whether it was an implicit one, to
 * which SMAP applies all the same. */
bool hw_maybe_implicit(const struct mmu_vcpu *vcpu, uint32_t error);

/* What a leaf may allow for a successful walk. emulate: no leaf can be right (SMAP with CR0.WP = 0). */
struct hw_rights {
	uint8_t acc;   /* ACC_* */
	bool flipped;  /* user turned into supervisor, so that CR0.WP = 0 has its effect (S8) */
	bool emulate;
};
struct hw_rights hw_rights(const struct walk_regs *r, const struct walk_result *w, struct access a);

/* A leaf at shift (12 or 21) for the frame of the access, gfn being the guest frame of the access itself. */
uint64_t hw_leaf(const struct mmu_caps *caps, gfn_t gfn, hfn_t hfn, unsigned shift, unsigned acc, unsigned pat_index,
		 bool global);

/* The first frame that a leaf of this level maps. (A large leaf has its PAT flag where a small one has an address
 * bit.) */
static inline hfn_t hw_leaf_frame(uint64_t leaf, unsigned level)
{
	return HFN((leaf & MASK(PT_OWN_MMIO_BIT - 1, pt_shift(level))) >> PAGE_SHIFT);
}

/* MMIO leaves: not possible on a CPU without two reserved bits to spare, nor for a frame that is beyond its width. */
bool hw_mmio_possible(const struct mmu_caps *caps, gfn_t gfn);
/* The address bits that are set in all of them (HW3). */
uint64_t hw_mmio_high(const struct mmu_caps *caps);
uint64_t hw_mmio_leaf(const struct mmu_vm *vm, gfn_t gfn, unsigned acc);
bool hw_mmio_current(const struct mmu_vm *vm, uint64_t leaf);
gfn_t hw_mmio_gfn(const struct mmu_caps *caps, uint64_t leaf);
/* Generations that look the same in a leaf have the same epoch only while they are the same: drop all MMIO leaves when
 * it changes. */
uint32_t hw_mmio_epoch(const struct mmu_vm *vm);
/* The cached leaf answers the access: the emulator may go to work without a walk. */
bool hw_mmio_allows(const struct walk_regs *r, uint64_t leaf, struct access a);

#endif
