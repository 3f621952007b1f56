/* mmu/overlay.c - a page of RAM in whose place the guest fetches instructions from another frame: a copy of it in which
 * some are replaced. The RAM keeps what the guest has put there, and the overlay is gone by dropping it. It belongs to
 * the VM, not to a mechanism, and outlives a change of that.
 *
 * OV1 Leaves of an overlaid page name the overlay's frame, are of 4 KBytes, and never writable. Whatever the hypervisor
 *     does for the guest finds the RAM.
 * OV2 When an overlay was set, nobody fetches from the RAM any more; when it was dropped, nobody reaches its frame:
 *     leaves are dropped and flushed before the call returns.
 * OV3 A write to the page, by whomever, drops the overlay first. So does what takes the page or its slot away, and a
 *     guest that turns paging on or off, or PAE: the instructions in the frame may hold linear addresses.
 * OV4 Where EPT has execute-only leaves, the frame can only be fetched from. A read of data is answered from the RAM by
 *     emulation; of so many, and where it is not an instruction's, the overlay is dropped. Elsewhere reads find the
 *     frame.
 * OV5 While mmu_watch() is on, the page faults of the guest's supervisor exit, and so does turning paging on or off.
 * OV6 A covered page is a device's for the guest's accesses: no leaf leads to what is below, which is the slot's as
 *     ever for the hypervisor, for devices and for walks. It has no overlay. */
#include "mmu/inside.h"
#include "mmu/mutate.h"

#define READS_MAX 256

bool overlay_covers(const struct mmu_vm *vm, gfn_t gfn)
{
	for (unsigned n = 0; n < vm->covers; n++)
		if (vm->covered[n].v == gfn.v)
			return true;
	return false;
}

static struct mmu_overlay *find(struct mmu_vm *vm, gfn_t gfn)
{
	for (unsigned n = 0; n < vm->overlays; n++)
		if (vm->overlay[n].gfn.v == gfn.v)
			return &vm->overlay[n];
	return NULL;
}

char *overlay_beside(struct mmu_vm *vm, gpa_t gpa)
{
	const struct slot *slot = &vm->slots.slot[__atomic_load_n(&vm->slots.last, __ATOMIC_RELAXED)];
	uint64_t offset = gpa.v - (slot->base.v << PAGE_SHIFT);

	if (offset >> PAGE_SHIFT >= slot->pages || slot->kind != SLOT_RAM || !slot->overlays ||
	    !MUTANT_OR(OVERLAY_BESIDE_LOG, !slot->dirty) || !MUTANT_OR(OVERLAY_BESIDE, !find(vm, gpa_gfn(gpa))))
		return NULL;
	if (slot->linear)
		return slot->linear + offset;
	return slot->block ? slot_block_at(slot, gpa) : NULL;
}

/* OV1: no large leaf has an overlaid page in it, whose number differs from this one's in the bits apart. */
static uint8_t order_beside(uint8_t order, uint64_t apart)
{
	while (order && !(apart >> order))
		order--;
	return order;
}

void overlay_show(struct mmu_vm *vm, gfn_t gfn, struct mmu_page *page)
{
	for (unsigned n = 0; n < vm->overlays; n++) {
		uint64_t apart = vm->overlay[n].gfn.v ^ gfn.v;

		MUTANT(OVERLAY_LARGE, page->order = order_beside(page->order, apart));
		if (apart)
			continue;
		page->hfn = vm->overlay[n].frame;
		page->owned = page->writable = false;
		/* OV4; SDM, "EPT Misconfigurations": where the CPU lacks it, no leaf is executable and not readable. */
		page->no_read = vm->ops->nested && vm->caps->ept_execute_only;
	}
	for (unsigned n = 0; n < vm->covers; n++)
		MUTANT(COVER_LARGE, page->order = order_beside(page->order, vm->covered[n].v ^ gfn.v));
}

bool overlay_read(struct mmu_vm *vm, gfn_t gfn, unsigned access)
{
	struct mmu_overlay *o = find(vm, gfn);

	if ((access & (MMU_LINEAR | MMU_TABLE)) != MMU_LINEAR || ++o->reads > READS_MAX)
		return false;
	vm->counters.overlay_reads++;
	return true;
}

/* ---- setting and dropping ---- */

/* While a slot has any, its leaves are made with a look at each page. */
static void add_to_slot(struct slot *slot)
{
	if (!slot->overlays++)
		slot->linear_frame_kept = slot->linear_frame;
	slot->linear_frame = HFN(0);
}

static void take_from_slot(struct slot *slot)
{
	if (!--slot->overlays)
		slot->linear_frame = slot->linear_frame_kept;
}

/* OV2. SDM, "Operations that Invalidate TLBs and Paging-Structure Caches": until one the CPU may use what it has cached
 * of the old leaf. */
static void unmap_and_flush(struct mmu_vm *vm, gfn_t gfn)
{
	MUTANT(OVERLAY_UNMAP, vm->ops->unmap(vm, gfn, 1));
	MUTANT(OVERLAY_KICK, tag_synchronize(vm, NULL));
}

static void drop(struct mmu_vm *vm, struct mmu_overlay *o)
{
	gfn_t gfn = o->gfn;

	take_from_slot(slots_find(&vm->slots, gfn));
	*o = vm->overlay[--vm->overlays];
	vm->counters.overlays_dropped++;
	unmap_and_flush(vm, gfn);
}

bool overlay_drop(struct mmu_vm *vm, gfn_t first, uint64_t pages)
{
	bool any = false;

	for (unsigned n = vm->overlays; n--;)
		if (vm->overlay[n].gfn.v - first.v < pages) {
			drop(vm, &vm->overlay[n]);
			any = true;
		}
	return any;
}

/* Copied when nobody can write the page any more without the lock. */
bool mmu_overlay_set(struct mmu_vm *vm, gfn_t gfn, hfn_t frame)
{
	struct mmu_overlay o = { .gfn = gfn, .frame = frame };
	struct mmu_page page;
	bool ok;

	mmu_lock_alone(vm);
	page = mmu_peek(vm, gfn);
	ok = page.kind == MMU_MEMORY && page.slot->kind == SLOT_RAM && !find(vm, gfn) &&
	     !overlay_covers(vm, gfn) && vm->overlays < MMU_OVERLAYS_MAX;
	if (ok) {
		vm->overlay[vm->overlays++] = o;
		add_to_slot(page.slot);
		vm->counters.overlays_set++;
		unmap_and_flush(vm, gfn);
		memcpy(mmu_table_ptr(vm, frame), mmu_table_ptr(vm, page.ram), PAGE_SIZE);
	}
	mmu_unlock(vm);
	return ok;
}

bool mmu_overlay_drop(struct mmu_vm *vm, gfn_t first, uint64_t pages)
{
	bool any;

	mmu_lock_alone(vm);
	any = overlay_drop(vm, first, pages);
	mmu_unlock(vm);
	return any;
}

bool mmu_overlaid(struct mmu_vm *vm, gfn_t gfn)
{
	bool is;

	mmu_lock(vm);
	is = find(vm, gfn);
	mmu_unlock(vm);
	return is;
}

/* ---- covered pages ---- */

bool mmu_cover(struct mmu_vm *vm, gfn_t gfn)
{
	struct slot *slot;
	bool ok;

	mmu_lock_alone(vm);
	slot = slots_find(&vm->slots, gfn);
	ok = slot && slot->kind < SLOT_MMIO && !overlay_covers(vm, gfn) && vm->covers < MMU_COVERED_MAX;
	if (ok) {
		overlay_drop(vm, gfn, 1);
		vm->covered[vm->covers++] = gfn;
		add_to_slot(slot);
		MUTANT(COVER_UNMAP, vm->ops->unmap(vm, gfn, 1));
		MUTANT(COVER_KICK, tag_synchronize(vm, NULL));
	}
	mmu_unlock(vm);
	return ok;
}

static bool uncover(struct mmu_vm *vm, gfn_t gfn)
{
	for (unsigned n = 0; n < vm->covers; n++)
		if (vm->covered[n].v == gfn.v) {
			vm->covered[n] = vm->covered[--vm->covers];
			take_from_slot(slots_find(&vm->slots, gfn));
			return true;
		}
	return false;
}

/* Nothing is mapped of it. */
bool mmu_uncover(struct mmu_vm *vm, gfn_t gfn)
{
	bool was;

	mmu_lock_alone(vm);
	was = uncover(vm, gfn);
	mmu_unlock(vm);
	return was;
}

void overlay_forget_covers(struct mmu_vm *vm, const struct slot *slot)
{
	for (unsigned n = vm->covers; n--;)
		if (vm->covered[n].v - slot->base.v < slot->pages)
			uncover(vm, vm->covered[n]);
}

void mmu_watch(struct mmu_vm *vm, bool on)
{
	mmu_lock_alone(vm);
	vm->watched = on;
	for (struct mmu_vcpu *v = vm->ops->nested ? vm->vcpus : NULL; v; v = v->next) {
		struct walk_regs same = v->regs;

		mmu_prepare(vm);
		vm->ops->regs_changed(v, &same, false, false);
	}
	mmu_unlock(vm);
}

/* ---- checks ---- */

const char *overlay_audit(struct mmu_vm *vm)
{
	for (unsigned n = 0; n < vm->slots.count; n++) {
		const struct slot *s = &vm->slots.slot[n];
		unsigned found = 0;

		for (unsigned i = 0; i < vm->overlays; i++)
			found += vm->overlay[i].gfn.v - s->base.v < s->pages;
		for (unsigned i = 0; i < vm->covers; i++)
			found += vm->covered[i].v - s->base.v < s->pages;
		if (found != s->overlays)
			return "OV1: a slot does not know how many of its pages are overlaid";
		if (found && (s->kind >= SLOT_MMIO || s->linear_frame.v))
			return "OV1: leaves for a page with an overlay are made without a look at it";
	}
	for (unsigned n = 0; n < vm->overlays; n++)
		if (!slots_find(&vm->slots, vm->overlay[n].gfn) || find(vm, vm->overlay[n].gfn) != &vm->overlay[n])
			return "OV1: an overlay is of no page, or of one that has another";
	for (unsigned n = 0; n < vm->covers; n++)
		if (!slots_find(&vm->slots, vm->covered[n]) || find(vm, vm->covered[n]))
			return "OV6: a page is covered that is none, or that has an overlay";
	return NULL;
}
