/* mmu/resolve.c - what a guest frame is for an access: memory (and how large a leaf may be), a device's, or memory that
 * has to be brought in first. The one place where slots, backing and dirty log meet. */
#include "mmu/inside.h"
#include "mmu/log.h"
#include "mmu/mutate.h"
#include "mmu/table/seam.h"

static bool logged_clean(const struct slot *slot, uint64_t index)
{
	return slot->dirty && !(__atomic_load_n(&slot->dirty[index / 64], __ATOMIC_RELAXED) & BIT(index % 64));
}

/* Faults that are served beside each other mark pages of one word. */
static bool set_dirty(uint64_t *word, uint64_t bit)
{
	uint64_t was = __atomic_load_n(word, __ATOMIC_RELAXED);

	seam_beside();
	if (MUTANT_OR(LOG_MARK_ATOMIC, false))
		__atomic_store_n(word, was | bit, __ATOMIC_RELAXED);
	else
		was = __atomic_fetch_or(word, bit, __ATOMIC_RELAXED);
	return !(was & bit);
}

void mmu_mark_dirty(struct mmu_vm *vm, struct slot *slot, gfn_t gfn)
{
	uint64_t index = gfn.v - slot->base.v;

	if (!logged_clean(slot, index))
		return;
	if (set_dirty(&slot->dirty[index / 64], BIT(index % 64)))
		__atomic_fetch_add(&vm->counters.log_dirtied, 1, __ATOMIC_RELAXED);
}

static void mark_by_fault(struct mmu_vcpu *vcpu, struct slot *slot, gfn_t gfn)
{
	vcpu->count->log_faults += logged_clean(slot, gfn.v - slot->base.v);
	mmu_mark_dirty(vcpu->vm, slot, gfn);
}

/* false: the page is not in memory. */
static bool look_up(struct mmu_vm *vm, struct slot *slot, gfn_t gfn, struct mmu_page *page)
{
	struct backing_page b;
	uint64_t index = gfn.v - slot->base.v;

	if (!slot->backing->page(slot->backing, index, &b))
		return false;
	page->kind = MMU_MEMORY;
	page->hfn = page->ram = b.hfn;
	page->order = b.order;
	page->owned = slot->kind != SLOT_ROM && b.writable;
	page->writable = page->owned && MUTANT_OR(LOG_CLEAN, log_by_flags(vm) || !logged_clean(slot, index));
	if (unlikely(slot->overlays))
		MUTANT(OVERLAY_SHOW, overlay_show(vm, gfn, page));
	page->block = page->order;
	if (unlikely(slot->dirty))
		MUTANT(LOG_LARGE, page->order = 0);
	return true;
}

/* Nothing has been mapped of a page that was not in memory, so that nothing is to be dropped when it comes. */
static bool touch(struct mmu_vm *vm, struct slot *slot, gfn_t gfn, struct mmu_page *page)
{
	return slot->backing->touch && slot->backing->touch(slot->backing, gfn.v - slot->base.v) &&
	       look_up(vm, slot, gfn, page);
}

struct mmu_page mmu_peek(struct mmu_vm *vm, gfn_t gfn)
{
	struct mmu_page page = { .kind = MMU_DEVICE, .slot = slots_find(&vm->slots, gfn) };

	if (page.slot && page.slot->kind < SLOT_MMIO && !look_up(vm, page.slot, gfn, &page))
		page.kind = MMU_WAIT;
	return page;
}

struct mmu_page mmu_peek_leaf(struct mmu_vm *vm, gfn_t gfn)
{
	if (unlikely(vm->covers) && !MUTANT_OR(COVER_PEEK, !overlay_covers(vm, gfn)))
		return (struct mmu_page){ .kind = MMU_DEVICE };
	return mmu_peek(vm, gfn);
}

static struct mmu_page ask_for(struct mmu_vcpu *vcpu, gfn_t gfn, bool write, struct mmu_page page)
{
	mmu_want(vcpu, gfn, write);
	page.kind = MMU_WAIT;
	return page;
}

/* A read of what can only be fetched from: the emulator's, or of the page without its overlay. */
static struct mmu_page hidden_page(struct mmu_vcpu *vcpu, gfn_t gfn, unsigned access, struct mmu_page page)
{
	if (!MUTANT_OR(OVERLAY_READS, overlay_read(vcpu->vm, gfn, access)))
		return ask_for(vcpu, gfn, true, page);
	page.kind = MMU_DEVICE;
	return page;
}

/* No CPU may fetch instructions from the frame: it would find there what nobody has written. */
static struct mmu_page apic_page(struct mmu_vm *vm, struct slot *slot, gfn_t gfn, unsigned access)
{
	struct mmu_page page = { .kind = MMU_DEVICE, .slot = slot };

	if (MUTANT_OR(APIC_FETCH, !(access & MMU_FETCH)) && look_up(vm, slot, gfn, &page))
		MUTANT(APIC_NO_FETCH, page.no_fetch = true);
	return page;
}

struct mmu_page mmu_mappable(struct mmu_vm *vm, gfn_t gfn)
{
	struct mmu_page page = mmu_peek(vm, gfn);

	if (overlay_covers(vm, gfn))
		return (struct mmu_page){ .kind = MMU_DEVICE };
	return page.slot && page.slot->kind == SLOT_APIC ? apic_page(vm, page.slot, gfn, MMU_READ) : page;
}

struct mmu_page mmu_resolve(struct mmu_vcpu *vcpu, gfn_t gfn, unsigned access)
{
	struct mmu_page page = { .kind = MMU_DEVICE, .slot = slots_find(&vcpu->vm->slots, gfn) };
	bool write = access & MMU_WRITE;

	if (unlikely(vcpu->vm->covers) && !MUTANT_OR(COVER_RESOLVE, !overlay_covers(vcpu->vm, gfn)))
		return (struct mmu_page){ .kind = MMU_DEVICE };
	if (!page.slot || page.slot->kind == SLOT_MMIO ||
	    (write && !MUTANT_OR(RESOLVE_ROM, page.slot->kind != SLOT_ROM)))
		return page;
	if (unlikely(page.slot->kind == SLOT_APIC))
		return apic_page(vcpu->vm, page.slot, gfn, access);
	if (!look_up(vcpu->vm, page.slot, gfn, &page) && !touch(vcpu->vm, page.slot, gfn, &page))
		return ask_for(vcpu, gfn, write, page);
	if (unlikely(page.no_read) && !(access & (MMU_WRITE | MMU_FETCH)))
		return hidden_page(vcpu, gfn, access, page);
	if (!write || page.writable)
		return page;
	if (page.owned)
		MUTANT(LOG_MARK_FAULT, mark_by_fault(vcpu, page.slot, gfn));
	look_up(vcpu->vm, page.slot, gfn, &page);
	return page.writable ? page : ask_for(vcpu, gfn, true, page);
}

static inline bool in_slot(const struct slot *slot, uint64_t first, uint64_t pages)
{
	return first >= slot->base.v && first + pages <= slot->base.v + slot->pages;
}

unsigned mmu_leaf_shift(const struct mmu_vm *vm, gfn_t gfn, const struct mmu_page *page, unsigned limit)
{
	static const unsigned shifts[] = { 30, 21 };

	for (unsigned i = 0; i < ARRAY_SIZE(shifts); i++) {
		unsigned order = shifts[i] - PAGE_SHIFT;

		if (shifts[i] > limit || shifts[i] > vm->config.page_limit ||
		    !MUTANT_OR(LARGE_BACKED, order <= page->order))
			continue;
		/* The order says besides that the block lies in the slot, and that its frames are aligned alike (struct
		 * backing_page). */
		ASSERT(in_slot(page->slot, align_down(gfn.v, BIT(order)), BIT(order)) &&
		       !((gfn.v ^ page->hfn.v) & (BIT(order) - 1)));
		return shifts[i];
	}
	return PAGE_SHIFT;
}
