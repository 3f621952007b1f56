/* A VM goes over to another instance of the heart, as to another container of the machine: the tables, the vCPUs' tags
 * and the mechanism are new, and its pages lie in other frames. The guest goes on with the registers that it had, and
 * nothing that was cached for it counts any more. */
#include <string.h>

#include "test/oracle/weave.h"

/* To a frame of its own, also where it shared one, or came from elsewhere. */
static void page_moves(struct ram *r, uint64_t index)
{
	struct world *w = r->vm->world;
	struct page *p = &r->page[index], was = *p;

	if (!p->in || r->linear || r->kind == SLOT_APIC)
		return;
	p->hfn = host_frame(w);
	p->merged = false;
	memcpy(phys_ptr(&w->phys, p->hfn), phys_ptr(&w->phys, was.hfn), PAGE_SIZE);
	page_forsake(w, &was);
	page_regularity(r, index);
}

static void map_again(struct vm *vm)
{
	for (unsigned k = 0; k < vm->rams; k++) {
		struct slot slot = ram_slot(&vm->ram[k]);

		if (vm->ram[k].present && !mmu_slot_add(&vm->mmu, &slot))
			fail(vm->world, "mmu_slot_add refuses");
	}
}

/* Where there are no frames for tables but its own, nor overlays, which no other instance knows of. */
bool vm_may_move(const struct vm *vm)
{
	return !vm->world->c.starved && !overlay_config(&vm->world->c);
}

void vm_move(struct vm *vm, const struct mmu_ops *to)
{
	struct world *w = vm->world;

	for (unsigned i = 0; i < w->c.vcpus; i++) {
		leave(&vm->vcpu[i]);
		mmu_vcpu_destroy(&vm->vcpu[i].mmu);
	}
	mmu_vm_destroy(&vm->mmu);
	for (unsigned k = 0; k < vm->rams; k++) {
		struct ram *r = &vm->ram[k];

		r->logging = false;
		for (uint64_t block = 0; r->bytes && block < ARRAY_SIZE(r->block); block++)
			r->block[block].at = NULL;
		for (uint64_t i = 0; r->page && i < r->pages; i++)
			page_moves(r, i);
	}
	w->made = false; /* its tables come from below */
	if (!mmu_vm_init(&vm->mmu, to, &w->below, &w->c.caps, &w->c.mmu, w->vpids)) {
		fail(w, "mmu_vm_init refuses");
		return;
	}
	map_again(vm);
	for (unsigned i = 0; i < w->c.vcpus && !w->failed; i++)
		if (!vcpu_boot(&vm->vcpu[i]))
			fail(w, "mmu_vcpu_init refuses");
	w->made = true;
	pages_forget_age(vm);
	cover(w, COVER_MOVED);
}
