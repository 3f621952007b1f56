/* mmu/mmu.c - the front: what all mechanisms share of a VM's and a vCPU's life, of faults and of host-side changes. */
#include "mmu/inside.h"
#include "mmu/log.h"
#include "mmu/mutate.h"

#define GPA_BITS 48 /* what tables of four levels translate */

const char *mmu_unsupported(const struct mmu_ops *ops, const struct mmu_caps *caps, const struct mmu_config *config)
{
	const char *why = ops->unsupported(caps);

	return why || !ops->config_unsupported ? why : ops->config_unsupported(caps, config);
}

static void no_lock(void *ctx, struct mmu_vm *vm)
{
	(void)ctx;
	(void)vm;
}

bool mmu_vm_init(struct mmu_vm *vm, const struct mmu_ops *ops, const struct mmu_below *below,
		 const struct mmu_caps *caps, const struct mmu_config *config, struct vpid_pool *vpids)
{
	memset(vm, 0, sizeof(*vm));
	vm->ops = ops;
	vm->below = below;
	vm->lock = below->lock ? below->lock : no_lock;
	vm->unlock = below->unlock ? below->unlock : no_lock;
	vm->caps = caps;
	vm->config = *config;
	if (!vm->config.gpa_bits)
		vm->config.gpa_bits = GPA_BITS;
	vm->vpids = vpids;
	if (!reserve_init(vm))
		return false;
	if (ops->vm_init(vm))
		return true;
	reserve_destroy(vm);
	return false;
}

void mmu_vm_destroy(struct mmu_vm *vm)
{
	BUG_ON(vm->vcpus);
	vm->ops->vm_destroy(vm);
	ASSERT(vm->table_pages == 0);
	reserve_destroy(vm);
}

static uint16_t take_vpid(struct mmu_vm *vm)
{
	uint16_t vpid;

	if (!vm->config.vpid || !vm->vpids || !tag_usable(vm->caps))
		return 0;
	vpid = vpid_alloc(vm->vpids);
	if (vpid == 0)
		vm->counters.vpid_exhausted++;
	return vpid;
}

static void count_vcpus(struct mmu_vm *vm)
{
	vm->several = vm->vcpus && vm->vcpus->next;
	for (struct mmu_vcpu *v = vm->vcpus; v; v = v->next)
		v->beside_others = vm->several;
}

bool mmu_vcpu_init(struct mmu_vcpu *vcpu, struct mmu_vm *vm, const struct walk_regs *regs)
{
	bool ok;

	memset(vcpu, 0, sizeof(*vcpu));
	mmu_forget(vcpu);
	for (unsigned n = 0; n < ARRAY_SIZE(vcpu->mmio); n++)
		vcpu->mmio[n].gfn = GFN(~0ull);
	vcpu->repaired_gfn = GFN(~0ull);
	vcpu->vm = vm;
	vcpu->count = &vm->counters;
	vcpu->regs = *regs;
	vcpu->tag.vpid = take_vpid(vm);
	vcpu->tag.last_cpu = TAG_NO_CPU;
	vcpu->root.vpid = vcpu->tag.vpid;
	mmu_lock_alone(vm);
	reserve_add_low(vm);
	mmu_prepare(vm);
	ok = log_vcpu_begins(vcpu) && vm->ops->vcpu_init(vcpu);
	if (ok) {
		vcpu->next = vm->vcpus;
		vm->vcpus = vcpu;
		count_vcpus(vm);
	} else {
		log_vcpu_ends(vcpu);
		reserve_drop_low(vm);
	}
	mmu_unlock(vm);
	if (!ok && vcpu->tag.vpid)
		vpid_free(vm->vpids, vcpu->tag.vpid);
	if (!ok)
		vcpu->vm = NULL;
	vcpu->intercepts_changed = vcpu->root_changed = true;
	return ok;
}

void mmu_vcpu_destroy(struct mmu_vcpu *vcpu)
{
	struct mmu_vm *vm = vcpu->vm;

	mmu_lock_alone(vm);
	mmu_counters_keep(vcpu);
	for (struct mmu_vcpu **v = &vm->vcpus; *v; v = &(*v)->next) {
		if (*v == vcpu) {
			*v = vcpu->next;
			break;
		}
	}
	count_vcpus(vm);
	vm->ops->vcpu_destroy(vcpu);
	log_vcpu_ends(vcpu);
	reserve_drop_low(vm);
	mmu_unlock(vm);
	if (vcpu->tag.vpid)
		vpid_free(vm->vpids, vcpu->tag.vpid);
}

/* In the order of enum mmu_outcome. */
#define OUTCOME(name, n) \
	_Static_assert(offsetof(struct mmu_counters, name) == \
		       offsetof(struct mmu_counters, outcome_fixed) + 8 * (n), #name)
OUTCOME(outcome_retry, MMU_RETRY);
OUTCOME(outcome_spurious, MMU_SPURIOUS);
OUTCOME(outcome_inject, MMU_INJECT);
OUTCOME(outcome_emulate, MMU_EMULATE);
OUTCOME(outcome_stop, MMU_STOP);

static void count_outcome(struct mmu_counters *c, enum mmu_outcome outcome) { (&c->outcome_fixed)[outcome]++; }

struct mmu_result mmu_fault_locked(struct mmu_vcpu *vcpu, const struct mmu_fault *fault)
{
	struct mmu_vm *vm = vcpu->vm;
	enum populated how;
	struct mmu_result r;

	mmu_lock_alone_as(vcpu);
	vm->counters.faults++;
	/* A walk and its access may have to bring in a page for each table and one for the data, and may lose some
	 * again. */
	for (unsigned tries = 0;; tries++) {
		vcpu->populate.wanted = false;
		mmu_prepare(vm);
		r = vm->ops->fault(vcpu, fault);
		if (!vcpu->populate.wanted)
			break;
		how = tries == MMU_POPULATE_TRIES * (WALK_LEVELS_MAX + 1)
			      ? POPULATE_LATER
			      : mmu_populate(vm, vcpu->populate.gfn, vcpu->populate.write);
		if (how == POPULATE_DONE)
			continue;
		r = how == POPULATE_LATER ? mmu_done(MMU_RETRY)
					  : mmu_stop("there is no host memory for a page of the guest");
		break;
	}
	count_outcome(&vm->counters, r.outcome);
	mmu_unlock(vm);
	return r;
}

/* true: answered without the lock. */
static bool fault_beside(struct mmu_vcpu *vcpu, const struct mmu_fault *fault, struct mmu_result *r)
{
	bool done;

	if (!vcpu->vm->ops->beside || !mmu_beside_begin(vcpu))
		return false;
	vcpu->populate.wanted = false;
	done = vcpu->vm->ops->beside(vcpu, fault, r);
	mmu_beside_end(vcpu);
	if (done) {
		vcpu->counters.faults++;
		count_outcome(&vcpu->counters, r->outcome);
	}
	return done;
}

struct mmu_result mmu_fault_of_several(struct mmu_vcpu *vcpu, const struct mmu_fault *fault)
{
	struct mmu_result r;

	return fault_beside(vcpu, fault, &r) ? r : mmu_fault_locked(vcpu, fault);
}

/* ---- host-side changes ---- */

void mmu_unmap(struct mmu_vm *vm, gfn_t first, uint64_t pages)
{
	mmu_lock_alone(vm);
	MUTANT(OVERLAY_UNMAPPED, overlay_drop(vm, first, pages));
	vm->ops->unmap(vm, first, pages);
	MUTANT(UNMAP_KICK, tag_synchronize(vm, NULL));
	mmu_unlock(vm);
}

void mmu_write_protect(struct mmu_vm *vm, gfn_t first, uint64_t pages)
{
	mmu_lock_alone(vm);
	vm->ops->write_protect(vm, first, pages);
	MUTANT(PROTECT_KICK, tag_synchronize(vm, NULL));
	mmu_unlock(vm);
}

bool mmu_age(struct mmu_vm *vm, gfn_t first, uint64_t pages, uint64_t *used, bool clear)
{
	bool can;

	memset(used, 0, (pages + 63) / 64 * sizeof(used[0]));
	mmu_lock_alone(vm);
	vm->ages |= clear;
	can = vm->ops->age && vm->ops->age(vm, first, pages, used, clear);
	if (can && clear)
		MUTANT(AGE_KICK, tag_synchronize(vm, NULL));
	mmu_unlock(vm);
	return can;
}

void mmu_tell_used(struct mmu_vm *vm, gfn_t first, uint64_t pages)
{
	const struct slot *slot = slots_find(&vm->slots, first);

	if (slot && slot->backing && slot->backing->used)
		slot->backing->used(slot->backing, first.v - slot->base.v,
				    min_u64(pages, slot->base.v + slot->pages - first.v));
}

void mmu_block_gone(struct mmu_vm *vm)
{
	mmu_lock_alone(vm);
	vm->slots.generation++;
	while (__atomic_load_n(&vm->readers, __ATOMIC_SEQ_CST))
		__builtin_ia32_pause();
	mmu_unlock(vm);
}

bool mmu_slot_add(struct mmu_vm *vm, const struct slot *slot)
{
	uint64_t limit = BIT(vm->config.gpa_bits - PAGE_SHIFT);
	bool ok;

	if (slot->base.v > limit || slot->pages > limit - slot->base.v)
		return false;
	mmu_lock_alone(vm);
	/* Where there was no slot nothing is mapped, nor are accesses to nowhere cached: nothing to drop. */
	ok = slots_add(&vm->slots, slot);
	mmu_unlock(vm);
	return ok;
}

bool mmu_slot_remove(struct mmu_vm *vm, gfn_t base)
{
	struct slot *slot;
	bool ok = false;

	mmu_lock_alone(vm);
	slot = slots_find(&vm->slots, base);
	if (slot && slot->base.v == base.v) {
		overlay_drop(vm, base, slot->pages);
		overlay_forget_covers(vm, slot);
		log_slot_goes(vm, slot);
		MUTANT(SLOT_REMOVE_UNMAP, vm->ops->unmap(vm, base, slot->pages));
		MUTANT(SLOT_KICK, tag_synchronize(vm, NULL));
		log_settle(vm);
		ok = slots_remove(&vm->slots, base);
	}
	mmu_unlock(vm);
	return ok;
}

/* ---- switching ---- */

/* Exchanges what the two mechanisms own of the vCPU. */
static void exchange_faces(struct mmu_vcpu *v)
{
	struct mmu_face other = v->other;

	v->other = (struct mmu_face){ v->intercepts, v->root, v->priv };
	v->intercepts = other.intercepts;
	v->root = other.root;
	v->priv = other.priv;
}

/* Builds the new mechanism's vCPUs beside the old ones; undoes it where memory runs out. */
static bool build_vcpus(struct mmu_vm *vm)
{
	for (struct mmu_vcpu *v = vm->vcpus; v; v = v->next) {
		v->other = (struct mmu_face){ .root.vpid = v->tag.vpid };
		exchange_faces(v);
		if (vm->ops->vcpu_init(v))
			continue;
		exchange_faces(v);
		for (struct mmu_vcpu *u = vm->vcpus; u != v; u = u->next) {
			vm->ops->vcpu_destroy(u);
			exchange_faces(u);
		}
		return false;
	}
	return true;
}

static void drop_old(struct mmu_vm *vm, const struct mmu_ops *old_ops, void *old_priv)
{
	const struct mmu_ops *new_ops = vm->ops;
	void *new_priv = vm->priv;

	vm->ops = old_ops;
	vm->priv = old_priv;
	for (struct mmu_vcpu *v = vm->vcpus; v; v = v->next) {
		exchange_faces(v);
		old_ops->vcpu_destroy(v);
		exchange_faces(v);
		v->intercepts_changed = v->root_changed = true;
		MUTANT(SWITCH_FLUSH, tag_request_all(v, TAG_TABLES));
	}
	old_ops->vm_destroy(vm);
	vm->ops = new_ops;
	vm->priv = new_priv;
}

/* The new mechanism is built beside the old one: that is an operation of its own. */
static bool make_room(struct mmu_vm *vm, const struct mmu_ops *ops)
{
	uint32_t need = max_u64(ops->need, vm->ops->need);

	for (struct mmu_vcpu *v = vm->vcpus; v; v = v->next)
		need += ops->need;
	if (reserve_count(&vm->reserve) < need)
		reserve_refill(vm, need);
	return reserve_raise(vm, ops);
}

bool mmu_switch(struct mmu_vm *vm, const struct mmu_ops *ops)
{
	const struct mmu_ops *old_ops = vm->ops;
	enum mmu_log_method old_way = vm->log_by;
	void *old_priv = vm->priv;
	bool ok;

	mmu_lock_alone(vm);
	ok = make_room(vm, ops) && log_switch(vm, ops);
	vm->ops = ops;
	vm->priv = NULL;
	ok = ok && ops->vm_init(vm);
	if (ok && !build_vcpus(vm)) {
		ops->vm_destroy(vm);
		ok = false;
	}
	if (ok) {
		drop_old(vm, old_ops, old_priv);
		vm->counters.switches++;
	} else {
		vm->ops = old_ops;
		vm->priv = old_priv;
		vm->log_by = old_way;
	}
	mmu_unlock(vm);
	return ok;
}

bool mmu_unshadow(struct mmu_vm *vm, gpa_t gpa)
{
	bool ok;

	mmu_lock_alone(vm);
	ok = overlay_drop(vm, gpa_gfn(gpa), 1) || (vm->ops->unshadow && vm->ops->unshadow(vm, gpa_gfn(gpa)));
	mmu_unlock(vm);
	return ok;
}

bool mmu_loosen(struct mmu_vm *vm, gpa_t gpa)
{
	bool ok;

	mmu_lock_alone(vm);
	ok = overlay_drop(vm, gpa_gfn(gpa), 1) || (vm->ops->loosen && vm->ops->loosen(vm, gpa_gfn(gpa)));
	mmu_unlock(vm);
	return ok;
}

uint64_t mmu_table_pages(const struct mmu_vm *vm)
{
	return vm->table_pages;
}
