/* mmu/audit.c - checks what all mechanisms have in common: the bookkeeping of VPIDs and flushes (T1, T2), and of frames
 * (RV1, RV2), and of overlays (OV1). Then the mechanism checks its own. */
#include "lib/fmt.h"
#include "mmu/inside.h"

static bool vpid_given(const struct vpid_pool *pool, uint16_t vpid)
{
	return pool && (pool->used[vpid / 64] >> vpid % 64 & 1);
}

static const char *check_tag(const struct mmu_vm *vm, const struct mmu_vcpu *v)
{
	const struct tag_state *t = &v->tag;

	if (v->root.vpid != t->vpid)
		return "T1: a vCPU runs under another VPID than its own";
	if (t->vpid && !vpid_given(vm->vpids, t->vpid))
		return "T1: a VPID is in use that was not given";
	for (const struct mmu_vcpu *u = v->next; u; u = u->next)
		if (t->vpid && u->tag.vpid == t->vpid)
			return "T1: two vCPUs have one VPID";
	if ((t->flush_vpid || t->flush_nonglobal || t->address_count) && !tag_requested(v))
		return "T2: a flush is due, and the next entry would not look";
	if (v->root.nested && t->last_cpu < TAG_CPUS_MAX && !tag_requested(v) &&
	    !tag_cpus_have(&vm->ept_flushed_on, t->last_cpu))
		return "T2: an INVEPT is due, and the next entry would not look";
	return NULL;
}

static const char *check_reserve(const struct mmu_vm *vm)
{
	uint64_t held = vm->table_pages + reserve_count(&vm->reserve);

	if (held < vm->reserve.least)
		return "RV1: the VM holds fewer frames than are its own";
	return held > vm->reserve.limit ? "RV2: the VM holds more frames than it may" : NULL;
}

bool mmu_audit(struct mmu_vm *vm, char *why, size_t size)
{
	const char *broken;
	bool ok;

	mmu_lock_alone(vm);
	broken = check_reserve(vm);
	if (!broken)
		broken = overlay_audit(vm);
	for (const struct mmu_vcpu *v = vm->vcpus; v && !broken; v = v->next)
		broken = check_tag(vm, v);
	if (broken)
		fmt(why, size, "%s", broken);
	ok = !broken && (!vm->ops->audit || vm->ops->audit(vm, why, size));
	mmu_unlock(vm);
	return ok;
}
