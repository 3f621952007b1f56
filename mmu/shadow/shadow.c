/* mmu/shadow/shadow.c - the mechanisms `shadow` and `brute`: the engine's life, and changes from the host's side.
 *
 * `shadow`: guest tables are write-protected and kept in sync, last-level ones may go out of sync; pages are found
 * again by role across CR3 loads. `brute`: guest tables cannot be reached at all by the guest's own accesses once they
 * are used; each read and write of them is carried out by the hypervisor. No out-of-date entry can exist. */
#include "mmu/mechanisms.h"
#include "mmu/mutate.h"
#include "mmu/shadow/shadow.h"

static const struct shadow_policy shadow_policy = { .unsync = true, .prefetch = 32, .flood = 4 };
static const struct shadow_policy in_sync_policy = { .prefetch = 32, .flood = 4 };
static const struct shadow_policy brute_policy = { .track_reads = true, .flood = 4, .keep_named = true };

/* ---- life ---- */

static bool vm_init(struct mmu_vm *vm, const struct shadow_policy *policy)
{
	hfn_t self = mmu_table_alloc(vm), empty;
	struct shadow *s;

	if (hfn_is_none(self))
		return false;
	empty = mmu_table_alloc(vm);
	if (hfn_is_none(empty)) {
		mmu_table_free(vm, self);
		return false;
	}
	s = mmu_table_ptr(vm, self);
	*s = (struct shadow){ .vm = vm, .policy = policy, .self = self, .empty = empty,
			      .mmio_epoch = hw_mmio_epoch(vm), .shape = 1,
			      .alone = { .s = s, .count = &vm->counters } };
	s->work = vm->config.work ? vm->config.work : MMU_WORK;
	slab_init(&s->pages, vm, SPAGE_SHIFT);
	rmap_init(&s->rmap, vm);
	vm->priv = s;
	return true;
}

static bool shadow_vm_init(struct mmu_vm *vm)
{
	return vm_init(vm, vm->config.in_sync ? &in_sync_policy : &shadow_policy);
}

static bool brute_vm_init(struct mmu_vm *vm) { return vm_init(vm, &brute_policy); }

/* No vCPU runs on any of it any more, so nothing is unlinked piece by piece. */
static void vm_destroy(struct mmu_vm *vm)
{
	struct shadow *s = shadow_of(vm);

	for (struct spage *sp = s->newest; sp; sp = sp->older) {
		mmu_table_free(vm, sp->frame);
		mmu_table_free(vm, sp->link_frame);
		if (!hfn_is_none(sp->guest_frame))
			mmu_table_free(vm, sp->guest_frame);
	}
	slab_destroy(&s->pages);
	rmap_destroy(&s->rmap);
	mmu_table_free(vm, s->empty);
	mmu_table_free(vm, s->self);
	vm->priv = NULL;
}

static bool vcpu_init(struct mmu_vcpu *vcpu)
{
	struct mmu_vm *vm = vcpu->vm;
	struct shadow *s = shadow_of(vm);
	hfn_t self = mmu_table_alloc(vm), pae = mmu_table_alloc_low(vm);
	struct shadow_vcpu *v;

	if (hfn_is_none(self) || hfn_is_none(pae)) {
		if (!hfn_is_none(self))
			mmu_table_free(vm, self);
		if (!hfn_is_none(pae))
			mmu_table_free_low(vm, pae);
		return false;
	}
	v = mmu_table_ptr(vm, self);
	*v = (struct shadow_vcpu){ .pae_frame = pae, .pae = mmu_table_ptr(vm, pae), .spurious.gva = HW_NOT_SPURIOUS,
				   .self = self };
	shadow_tighten(s, vcpu);
	s->maxphyaddr = vcpu->regs.maxphyaddr;
	s->has_1g = vcpu->regs.has_1g;
	vcpu->priv = v;
	vcpu->intercepts = hw_intercepts(vcpu);
	vcpu->root.cr3 = ~0ull;
	if (shadow_load_root(vcpu)) {
		/* It has no translations yet, so nothing may be out of date for it; what was dropped to make room does
		 * not concern it. */
		shadow_sync_root(vcpu);
		v->upper_seen = s->upper_drops;
		vcpu->intercepts.invlpg = s->unsync_present > 0;
		/* The others, too, where a sync made entries. (While mechanisms are switched, nothing is out of
		 * sync.) */
		if (s->unsync_present)
			shadow_update_invlpg(s, vcpu);
		return true;
	}
	mmu_table_free_low(vm, pae);
	mmu_table_free(vm, self);
	vcpu->priv = NULL;
	return false;
}

static void vcpu_destroy(struct mmu_vcpu *vcpu)
{
	struct shadow_vcpu *v = vcpu->priv;

	shadow_drop_root(vcpu);
	mmu_table_free_low(vcpu->vm, v->pae_frame);
	mmu_table_free(vcpu->vm, v->self);
	vcpu->priv = NULL;
}

/* ---- the host's side ---- */

/* A table whose frame changes hands is read anew. */
static void clear_pages_of(struct shadow *s, struct gframe *g)
{
	for (struct spage *sp = spage_at(s, g->pages); sp; sp = spage_at(s, sp->next_of_gfn))
		if (!(sp->role & ROLE_DIRECT))
			spage_clear(s, sp);
}

static void unmap(struct mmu_vm *vm, gfn_t first, uint64_t pages)
{
	struct shadow *s = shadow_of(vm);
	gfn_t end = GFN(first.v + pages < first.v ? ~0ull : first.v + pages);
	gfn_t at = GFN(align_down(first.v, PAGE_TABLE_ENTRIES));
	struct gframe *g;

	/* From the beginning of the block, where a large leaf is listed. */
	for (; (g = rmap_next(&s->rmap, &at, end)); at.v++) {
		if (at.v < first.v && !g->large)
			continue;
		if (g->leaves || g->large)
			MUTANT(SHADOW_UNMAP, rmap_zap(s, at, UINT32_MAX));
		if (at.v >= first.v && g->tracked)
			MUTANT(UNMAP_CLEAR, clear_pages_of(s, g));
	}
	if (s->stale)
		MUTANT(SHADOW_UNMAP_FLUSH, shadow_flush_all(s, NULL));
	shadow_update_invlpg(s, NULL);
}

static void write_protect(struct mmu_vm *vm, gfn_t first, uint64_t pages)
{
	struct shadow *s = shadow_of(vm);
	gfn_t end = GFN(first.v + pages < first.v ? ~0ull : first.v + pages);
	gfn_t at = GFN(align_down(first.v, PAGE_TABLE_ENTRIES));
	struct gframe *g;

	for (; (g = rmap_next(&s->rmap, &at, end)); at.v++)
		if (at.v < first.v ? g->large : g->leaves || g->large)
			rmap_protect(s, at, UINT32_MAX);
	if (s->stale)
		MUTANT(SHADOW_PROTECT_FLUSH, shadow_flush_all(s, NULL));
	shadow_update_invlpg(s, NULL);
}

static bool unshadow(struct mmu_vm *vm, gfn_t gfn)
{
	struct shadow *s = shadow_of(vm);
	struct gframe *g = rmap_gframe(&s->rmap, gfn, false);
	struct spage *next;
	bool ok = true;

	shadow_tighten(s, NULL);
	for (struct spage *sp = g ? spage_at(s, g->pages) : NULL; sp; sp = next) {
		next = spage_at(s, sp->next_of_gfn);
		if (sp->role & ROLE_DIRECT)
			continue;
		ok &= !sp->roots;
		if (!sp->roots)
			spage_zap(s, sp);
	}
	shadow_commit(s, NULL);
	shadow_update_invlpg(s, NULL);
	return ok;
}

#define OPS(mechanism, init) \
	{ \
		.name = (mechanism), .need = SHADOW_NEED, .least = SHADOW_LEAST, .ample = SHADOW_AMPLE, \
		.relieve = shadow_relieve, .cr4_unsupported = CR4_PCIDE | CR4_PKE, .unsupported = hw_unsupported, \
		.vm_init = (init), .vm_destroy = vm_destroy, .vcpu_init = vcpu_init, .vcpu_destroy = vcpu_destroy, \
		.fault = shadow_fault, .beside = shadow_beside, .regs_changed = shadow_regs_changed, \
		.invlpg = shadow_invlpg, .unmap = unmap, \
		.write_protect = write_protect, .guest_written = shadow_guest_written, \
		.guest_writes = shadow_guest_writes, .flags_writes = shadow_flags_writes, \
		.flags_written = shadow_flags_written, .flags_concern = shadow_flags_concern, \
		.unshadow = unshadow, .loosen = shadow_loosen, .age = leaf_age, \
		.audit = shadow_audit, \
	}

const struct mmu_ops mmu_shadow = OPS("shadow", shadow_vm_init);
const struct mmu_ops mmu_brute = OPS("brute", brute_vm_init);
