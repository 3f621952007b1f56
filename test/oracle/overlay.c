/* Overlays (mmu/overlay.c) set and dropped at any time, and what the guests may see of them. Some sequences only, by
 * their seed: steps that are others' elsewhere. */
#include <string.h>

#include "test/oracle/oracle.h"

bool overlay_config(const struct config *c) { return c->seed % 16 == 5 || c->seed % 16 == 11; }

bool overlay_instead(const struct config *c, const struct step *s)
{
	bool some = s->op == OP_DROP || s->op == OP_PROTECT;

	return overlay_config(c) && (s->b & 16 ? some || s->op == OP_LOG_COLLECT || s->op == OP_SWAP_OUT : some);
}

uint64_t overlay_frame(const struct vm *vm, uint64_t gfn)
{
	for (unsigned n = 0; n < vm->mmu.overlays; n++)
		if (vm->mmu.overlay[n].gfn.v == gfn)
			return vm->mmu.overlay[n].frame.v;
	return 0;
}

bool overlay_covered(const struct vm *vm, uint64_t gfn)
{
	for (unsigned n = 0; n < vm->mmu.covers; n++)
		if (vm->mmu.covered[n].v == gfn)
			return true;
	return false;
}

bool overlay_hidden(const struct vm *vm) { return vm->mmu.ops->nested && vm->world->c.caps.ept_execute_only; }

/* A frame of the VM's for it that none has now. */
static uint64_t free_frame(struct vm *vm)
{
	for (unsigned n = 0; n < MMU_OVERLAYS_MAX; n++) {
		bool used = false;

		if (!vm->overlay_frame[n])
			vm->overlay_frame[n] = host_frame(vm->world);
		for (unsigned i = 0; i < vm->mmu.overlays; i++)
			used |= vm->mmu.overlay[i].frame.v == vm->overlay_frame[n];
		if (!used)
			return vm->overlay_frame[n];
	}
	return 0;
}

static void set(struct vm *vm, uint64_t gfn)
{
	struct ram *r = ram_find(vm, gfn);
	struct page *p = page_find(vm, gfn);
	uint64_t frame = free_frame(vm), race = vm->world->race;
	bool must, is;

	if (!frame || gfn == IDENTITY_GFN)
		return;
	for (unsigned i = 0; i < vm->world->c.vcpus; i++)
		leave(&vm->vcpu[i]);
	vm->world->race = 0;
	must = r && r->kind == SLOT_RAM && p && p->in && !overlay_frame(vm, gfn) && !overlay_covered(vm, gfn);
	is = mmu_overlay_set(&vm->mmu, GFN(gfn), HFN(frame));
	vm->world->race = race;
	if (is != must)
		fail(vm->world, "mmu_overlay_set says %d of gfn %llx", is, (unsigned long long)gfn);
	for (unsigned n = 0; n < MMU_OVERLAYS_MAX; n++)
		if (is && vm->overlay_frame[n] == frame)
			vm->overlaid_ram[n] = p->hfn;
	if (is)
		cover(vm->world, COVER_OVERLAID);
}

/* One that there is, or any few pages. */
static void drop(struct vm *vm, uint64_t gfn, const struct step *s)
{
	unsigned n = vm->mmu.overlays, pages = 1 + (s->a >> 4 & 3);

	if (n && s->b & 8)
		gfn = vm->mmu.overlay[s->v % n].gfn.v;
	mmu_overlay_drop(&vm->mmu, GFN(gfn), pages);
	for (uint64_t i = 0; i < pages && !vm->world->race; i++)
		if (overlay_frame(vm, gfn + i))
			fail(vm->world, "an overlay is there that was dropped");
}

/* OV6: a page of RAM or ROM becomes a device's, or is what it was again. Mostly not those that tables of the guest are
 * in: an access through one is no access to it. */
static void cover_or_not(struct vm *vm, uint64_t gfn, const struct step *s)
{
	struct ram *r = ram_find(vm, gfn);
	bool must = r && r->kind < SLOT_MMIO && !overlay_covered(vm, gfn) && vm->mmu.covers < MMU_COVERED_MAX;

	if (gfn == IDENTITY_GFN || layout_level(gfn) || layout_is_pdpt(gfn))
		return;
	if (vm->mmu.covers && (s->b & 8 || vm->mmu.covers > 3)) {
		if (!mmu_uncover(&vm->mmu, vm->mmu.covered[s->v % vm->mmu.covers]))
			fail(vm->world, "a covered page cannot be uncovered");
		return;
	}
	if (mmu_cover(&vm->mmu, GFN(gfn)) != must)
		fail(vm->world, "mmu_cover says %d of gfn %llx", !must, (unsigned long long)gfn);
	if (must)
		cover(vm->world, COVER_COVERED);
}

void overlay_step(struct vcpu *v, uint64_t gfn, const struct step *s)
{
	struct vm *vm = v->vm;
	struct outcome x = spec_walk(vm, &v->regs, v->last_va, v->last_access);

	if (s->b & 96 && !x.fault)
		gfn = x.gpa >> PAGE_SHIFT;
	if ((s->a & 12) == 12)
		cover_or_not(vm, gfn, s);
	else if (s->a & 3)
		set(vm, gfn);
	else
		drop(vm, gfn, s);
}

/* OV3: an overlay is of the page that was there when it was set. */
static bool of_another(const struct vm *vm, uint64_t gfn, uint64_t frame, uint64_t ram)
{
	for (unsigned n = 0; n < MMU_OVERLAYS_MAX; n++)
		if (vm->overlay_frame[n] == frame && vm->overlaid_ram[n] != ram) {
			fail(vm->world, "page %llx was taken away, and has its overlay", (unsigned long long)gfn);
			return true;
		}
	return false;
}

bool overlay_place(struct vm *vm, const struct observed *o, uint64_t gpa, struct x_access a, uint64_t *hfn)
{
	uint64_t frame = overlay_frame(vm, gpa >> PAGE_SHIFT);

	if (overlay_covered(vm, gpa >> PAGE_SHIFT))
		return o->how == SEEN_EMULATED;
	if (!frame)
		return true;
	if (of_another(vm, gpa >> PAGE_SHIFT, frame, *hfn))
		return false;
	if (o->how == SEEN_EMULATED) {
		if (vm->mmu.ops == mmu_mechanism_by_name("brute"))
			return true; /* it may be a table as well */
		cover(vm->world, COVER_OVERLAY_READ);
		return overlay_hidden(vm) && !a.write && !a.fetch;
	}
	if (a.write || (overlay_hidden(vm) && !a.fetch))
		return false; /* OV3, OV4 */
	cover(vm->world, COVER_OVERLAY_REACHED);
	*hfn = frame;
	return true;
}

bool overlay_fault(struct vcpu *v, const struct observed *o, struct x_access a)
{
	bool missed = o->how == SEEN_FAULT && !a.user && v->vm->mmu.watched;

	if (missed)
		fail(v->vm->world, "%s: a supervisor's page fault did not exit (OV5)", v->vm->mmu.ops->name);
	return !missed;
}
