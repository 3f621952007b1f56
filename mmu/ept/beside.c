/* mmu/ept/beside.c - the EPT violations and misconfigurations that are answered beside other vCPUs', without the VM's
 * lock (mmu/lock.h): the leaf of a page whose table exists, and the leaf that says that a page is a device's.
 *
 * Tables are neither freed nor split meanwhile, for that is done alone. An entry that gains needs no flush (E3), so
 * that nothing of it concerns another CPU (BE2). What asks for more - a table, a split, a page to be brought in, an
 * overlay, an old generation - is left to the lock. */
#include "mmu/ept/ept.h"

static bool answer(struct mmu_result *r, struct mmu_result with)
{
	*r = with;
	return true;
}

/* Of a page that is nobody's memory: cached, where there is a place for it (E4). */
static bool device(struct mmu_vcpu *vcpu, gpa_t gpa, struct mmu_result *r)
{
	const struct ept_vm *e = vcpu->vm->priv;
	struct pt_position at = pt_lookup(&e->pt, gpa.v, 1);
	uint64_t value = e->form->mmio(vcpu->vm);

	if (!value || at.value || at.level > 1)
		return false;
	if (pt_replace(at.entry, 0, value))
		vcpu->counters.mmio_cached++;
	return answer(r, mmu_emulate(gpa));
}

/* The page is memory, for the access. */
static bool leaf(struct mmu_vcpu *vcpu, const struct mmu_fault *fault, const struct mmu_page *page,
		 struct mmu_result *r)
{
	const struct ept_vm *e = vcpu->vm->priv;
	struct pt_position at = pt_lookup(&e->pt, fault->gpa.v, 1);

	if (pt_special(e->pt.format, at.value))
		return false;
	if (at.leaf && (!(fault->access & MMU_WRITE) || (at.value & e->form->write)))
		return answer(r, mmu_done(MMU_SPURIOUS));
	if (at.level > ept_leaf_level(vcpu->vm, fault->gpa, page))
		return false;
	if (!pt_replace(at.entry, at.value,
			ept_leaf_instead(e->form->leaf(page, gpa_gfn(fault->gpa), pt_shift(at.level)), &at)))
		return answer(r, mmu_done(MMU_RETRY));
	ept_count_leaf(&vcpu->counters, at.level);
	return answer(r, mmu_done(MMU_FIXED));
}

static bool violation(struct mmu_vcpu *vcpu, const struct mmu_fault *fault, struct mmu_result *r)
{
	const struct ept_vm *e = vcpu->vm->priv;
	gfn_t gfn = gpa_gfn(fault->gpa);
	const struct slot *slot;
	struct mmu_page page;

	if (fault->pdptes || fault->gpa.v >= pt_limit(e->pt.format) || ept_is_identity_map(vcpu->vm, gfn))
		return false;
	slot = slots_find(&vcpu->vm->slots, gfn);
	if (slot && slot->kind == SLOT_MMIO)
		return device(vcpu, fault->gpa, r);
	if (!slot)
		return answer(r, mmu_emulate(fault->gpa));
	if (slot->kind == SLOT_APIC || slot->overlays)
		return false;
	page = mmu_resolve(vcpu, gfn, fault->access);
	if (page.kind == MMU_DEVICE) /* a write to ROM */
		return answer(r, mmu_emulate(fault->gpa));
	return page.kind == MMU_MEMORY && leaf(vcpu, fault, &page, r);
}

/* A device's page that is known (S14). */
static bool misconfig(struct mmu_vcpu *vcpu, const struct mmu_fault *fault, struct mmu_result *r)
{
	const struct ept_vm *e = vcpu->vm->priv;
	uint64_t value;

	if (fault->pdptes || fault->gpa.v >= pt_limit(e->pt.format))
		return false;
	value = pt_lookup(&e->pt, fault->gpa.v, 1).value;
	if (!pt_special(e->pt.format, value) || !MUTANT_OR(EPT_GENERATION, value == e->form->mmio(vcpu->vm)))
		return false;
	mmu_know_mmio(vcpu, gpa_gfn(fault->gpa));
	return answer(r, mmu_emulate(fault->gpa));
}

bool ept_beside(struct mmu_vcpu *vcpu, const struct mmu_fault *fault, struct mmu_result *r)
{
	struct mmu_counters *c = &vcpu->counters;
	bool done = false;

	if (fault->kind == MMU_FAULT_EPT_VIOLATION && (done = violation(vcpu, fault, r)))
		c->ept_violations++;
	else if (fault->kind == MMU_FAULT_EPT_MISCONFIG && (done = misconfig(vcpu, fault, r)))
		c->ept_misconfigs++;
	return done;
}
