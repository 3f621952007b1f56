/* vm/memory/ram_audit.c - is the reverse map right (OW1, RA1)? */
#include "lib/fmt.h"
#include "vm/live/live.h"
#include "vm/memory/ram.h"
#include "vm/memory/ram_inside.h"
#include "vm/vm.h"

/* Also of a page that is going. */
static hfn_t held(const struct ram *r, gfn_t gfn)
{
	uint64_t block = block_of(r, gfn), word = word_now(r, gfn);

	if (is_one_piece(r, block))
		return HFN(r->block[block].frame.v + gfn.v % SLOT_BLOCK_PAGES);
	return word & (HERE | GOING) ? frame_in(word) : HFN_NONE;
}

/* Pages of all virtual machines that lie in the frame. */
static uint64_t pages_in(hfn_t frame)
{
	uint64_t pages = 0;

	for (unsigned id = 0; id < machine.vm_count; id++) {
		const struct vm *vm = vm_at(id);

		for (unsigned n = 0; vm && n < ARRAY_SIZE(vm->ram); n++)
			for (uint64_t i = 0; vm->ram[n].vm && i < vm->ram[n].pages; i++)
				pages += held(&vm->ram[n], GFN(vm->ram[n].base.v + i)).v == frame.v;
	}
	return pages;
}

/* While a virtual machine is moved, the other container's pages are not found. */
static bool shared_by_all(const struct vm *vm, hfn_t frame, uint64_t users)
{
	uint64_t found = pages_in(frame);

	return users == found || (users > found && live_is_double(vm));
}

struct audited {
	uint64_t own, here, shared;
};

static bool audit_page(struct ram *r, gfn_t gfn, struct audited *a)
{
	hfn_t f = held(r, gfn);
	struct frame_owner o;

	if (hfn_is_none(f))
		return true;
	o = owner_of(f);
	a->here++;
	a->own += o.kind == OWNER_PAGE;
	a->shared += o.kind == OWNER_SHARED;
	if (o.kind == OWNER_SHARED)
		return shared_by_all(r->vm, f, o.users);
	return o.kind == OWNER_PAGE && o.vm == r->vm->id && o.gfn.v == gfn.v;
}

bool ram_audit(struct vm *vm, char *why, size_t size)
{
	uint64_t own = 0;

	for (unsigned n = 0; n < ARRAY_SIZE(vm->ram); n++) {
		struct ram *r = &vm->ram[n];
		struct audited a = { 0 };

		for (uint64_t i = 0; r->vm && i < r->pages; i++) {
			gfn_t gfn = GFN(r->base.v + i);

			if (audit_page(r, gfn, &a))
				continue;
			fmt(why, size,
			    "OW1: the frame of page 0x%lx is not said to be its own, or counts others than share it",
			    gfn.v);
			return false;
		}
		own += a.own;
		if (!r->vm || (a.here == r->resident && a.shared == r->shared))
			continue;
		fmt(why, size, "RA1: %lu pages are in memory, %lu of them shared, and %lu and %lu are counted", a.here,
		    a.shared, r->resident, r->shared);
		return false;
	}
	/* While it is moved the other container has frames of the same name. */
	if (own == owner_count(vm->id) || (own < owner_count(vm->id) && live_is_double(vm)))
		return true;
	fmt(why, size, "OW1: %lu frames are said to be its pages', and %lu are", owner_count(vm->id), own);
	return false;
}
