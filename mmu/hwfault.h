/* mmu/hwfault.h - an intercepted page fault, as the mechanisms without EPT answer it: by a cached MMIO leaf, or by a
 * walk of the guest's tables and a change of the mechanism's own. What a mechanism does itself is in a struct hw_fixer,
 * which is a constant where these functions are used, so that no call goes through a pointer.
 *
 * S3  Each fault ends in one outcome. One that changes nothing is spurious: the walker allows the access, the tables
 *     do, and the CPU did not. Either the CPU used something older than the tables; that is flushed, so that it cannot
 *     be so a second time, unless somebody edited entries meanwhile. Or SMAP stopped an implicit access, which the
 *     error code does not tell (SDM, "Determination of Access Rights"). */
#ifndef VELLUM_MMU_HWFAULT_H
#define VELLUM_MMU_HWFAULT_H

#include "mmu/hwpaging.h"
#include "mmu/mutate.h"
#include "mmu/tag.h"

struct hw_fixer {
	/* The last-level entry of the mechanism's tables for gva; 0: none. */
	uint64_t (*leaf)(struct mmu_vcpu *vcpu, gva_t gva);
	/* The walk succeeded. MMU_SPURIOUS: there was nothing to change. */
	struct mmu_result (*fix)(struct mmu_vcpu *vcpu, gva_t gva, struct access access, const struct walk_result *w);
	/* The guest gets the fault, which drops what is cached for the address (SDM, "Operations that Invalidate
	 * TLBs and Paging-Structure Caches"). */
	void (*refused)(struct mmu_vcpu *vcpu, gva_t gva);
};

/* The last fault, if it was spurious. */
struct hw_spurious {
	uint64_t gva; /* HW_NOT_SPURIOUS: it was not */
	uint64_t edits;
};
#define HW_NOT_SPURIOUS (~0ull)

/* The access that reserved bits in an MMIO leaf stopped. true: answered. */
static ALWAYS_INLINE bool hw_cached_mmio(struct mmu_vcpu *vcpu, const struct mmu_fault *fault,
					 struct hw_spurious *last, const struct hw_fixer *fixer, struct mmu_result *r)
{
	gva_t gva = fault->gva;
	gfn_t gfn;
	uint64_t leaf;

	if (!(fault->error & PFERR_RSVD))
		return false;
	leaf = fixer->leaf(vcpu, gva);
	/* What is special is so in every format. */
	if (!pt_special(&hw_format_4level, leaf) || !hw_mmio_allows(&vcpu->regs, leaf, hw_access(vcpu, fault->error)))
		return false;
	if (!MUTANT_OR(MMIO_GENERATION, hw_mmio_current(vcpu->vm, leaf))) {
		if (!mmu_is_beside(vcpu)) /* else it is looked at again */
			vcpu->vm->counters.mmio_stale++;
		return false;
	}
	last->gva = HW_NOT_SPURIOUS;
	gfn = hw_mmio_gfn(vcpu->vm->caps, leaf);
	mmu_know_mmio(vcpu, gfn);
	*r = mmu_emulate(gpa_add(gfn_gpa(gfn), gva.v & (PAGE_SIZE - 1)));
	return true;
}

static ALWAYS_INLINE struct mmu_result hw_walk_and_fix(struct mmu_vcpu *vcpu, gva_t gva, struct access access,
						const struct hw_fixer *fixer)
{
	struct walk_memory memory = mmu_walk_memory(vcpu);
	struct walk_result w = walk(&vcpu->regs, &memory, gva, access, true);

	if (vcpu->populate.wanted || w.retry)
		return mmu_done(MMU_RETRY);
	if (w.ok)
		return fixer->fix(vcpu, gva, access, &w);
	fixer->refused(vcpu, gva);
	return mmu_inject_pf(w.error, gva);
}

/* A fault that no cached leaf answered. last: the vCPU's. edits: how often entries were edited that the CPU may have
 * used. */
static ALWAYS_INLINE struct mmu_result hw_page_fault(struct mmu_vcpu *vcpu, const struct mmu_fault *fault,
					      struct hw_spurious *last, const uint64_t *edits,
					      const struct hw_fixer *fixer)
{
	struct access access = hw_access(vcpu, fault->error);
	bool again = last->gva == fault->gva.v, again_implicit = false;
	uint64_t now;
	struct mmu_result r;

	last->gva = HW_NOT_SPURIOUS;
	for (;;) {
		r = hw_walk_and_fix(vcpu, fault->gva, access, fixer);
		if (likely(r.outcome != MMU_SPURIOUS) || again_implicit)
			return r;
		now = __atomic_load_n(edits, __ATOMIC_RELAXED);
		if (!again || last->edits != now || !hw_maybe_implicit(vcpu, fault->error))
			break;
		access.implicit = again_implicit = true;
	}
	*last = (struct hw_spurious){ fault->gva.v, now };
	MUTANT(SPURIOUS_FLUSH, tag_request_address(vcpu, fault->gva, TAG_TABLES));
	return r;
}

#endif
