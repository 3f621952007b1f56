/* vm/memory/memory.c - a virtual machine's RAM when it is made: to be taken when it is touched, or taken at once
 * (prealloc); and when it is over. */
#include "vm/memory/memory.h"

#include "host/memory/frames.h"
#include "lib/mutants/mutate.h"
#include "vm/memory/owner.h"
#include "vm/vm.h"

unsigned vm_take_memory(struct extent *extent, uint64_t pages)
{
	uint64_t done = 0, piece = pages;
	unsigned count = 0;

	while (done < pages) {
		uint64_t align = piece >= GIB >> PAGE_SHIFT ? GIB >> PAGE_SHIFT : piece >= 512 ? 512 : 1;
		hfn_t run = HFN_NONE;

		for (; align && hfn_is_none(run); align = align == GIB >> PAGE_SHIFT ? 512 : align == 512 ? 1 : 0)
			run = frames_alloc_run(piece, align);
		if (hfn_is_none(run)) {
			piece = align_up(piece / 2, 512);
			if (piece <= 512)
				break;
			continue;
		}
		if (count == VM_EXTENTS_MAX) {
			frames_free(run, piece);
			break;
		}
		extent[count++] = (struct extent){ done, piece, run };
		VM_MUTANT(RAM_CLEAR, memset(frames_ptr(run), 0, piece << PAGE_SHIFT));
		done += piece;
		piece = min_u64(piece, pages - done);
	}
	if (done == pages)
		return count;
	while (count--) {
		frames_free(extent[count].hfn, extent[count].pages);
		extent[count] = (struct extent){ 0, 0, HFN(0) };
	}
	return 0;
}

bool memory_own(struct vm *vm, const struct extent *e, gfn_t base)
{
	gfn_t gfn = GFN(base.v + e->first);

	for (uint64_t i = 0; i < e->pages;) {
		hfn_t f = HFN(e->hfn.v + i);
		uint64_t step = f.v % FRAMES_BLOCK == 0 && e->pages - i >= FRAMES_BLOCK ? FRAMES_BLOCK : 1;

		if (step == FRAMES_BLOCK)
			owner_set_block(f, vm->id, GFN(gfn.v + i));
		else if (!owner_set(f, vm->id, GFN(gfn.v + i)))
			return false;
		i += step;
	}
	vm->preallocated += e->pages;
	return true;
}

static bool add_at_once(struct vm *vm, unsigned which, struct backing_extents *backing, uint64_t base, uint64_t bytes)
{
	unsigned count = vm_take_memory(vm->extent[which], bytes >> PAGE_SHIFT);
	struct slot slot = {
		.base = gpa_gfn(GPA(base)),
		.pages = bytes >> PAGE_SHIFT,
		.kind = SLOT_RAM,
		.type = MEMTYPE_WB,
		.backing = &backing->backing,
	};

	if (!count)
		return false;
	for (unsigned i = 0; i < count; i++)
		if (!memory_own(vm, &vm->extent[which][i], slot.base))
			return false;
	backing_extents_init(backing, slot.base, vm->extent[which], count);
	/* In one piece, for as long as the slot is there: read without a look-up. */
	if (count == 1) {
		slot.linear_frame = vm->extent[which][0].hfn;
		slot.linear = frames_ptr(slot.linear_frame);
	}
	return slots_add(&vm->mmu.slots, &slot);
}

/* ---- taken when it is touched ---- */

static bool add_lazily(struct vm *vm, struct ram *r, uint64_t base, uint64_t bytes)
{
	struct slot slot;

	return ram_init(r, vm, gpa_gfn(GPA(base)), bytes >> PAGE_SHIFT, &slot) && slots_add(&vm->mmu.slots, &slot);
}

static bool add_ram(struct vm *vm, unsigned which, struct backing_extents *backing, uint64_t base, uint64_t bytes)
{
	if (memory_at_once(vm))
		return add_at_once(vm, which, backing, base, bytes);
	return add_lazily(vm, &vm->ram[which], base, bytes);
}

bool memory_create(struct vm *vm)
{
	bool ok = !memory_at_once(vm) || frames_available() << PAGE_SHIFT >= vm->config->mem;

	if (!memory_at_once(vm))
		frames_clear_ahead(vm->config->mem >> PAGE_SHIFT >> 9);
	ok = ok && (firmware_given(vm) ? firmware_add_low_ram(vm)
				       : add_ram(vm, VM_EXTENTS_LOW, &vm->low_backing, 0, vm->low_ram));
	if (ok && (!vm->high_ram || add_ram(vm, VM_EXTENTS_HIGH, &vm->high_backing, 4 * GIB, vm->high_ram)))
		return true;
	vm_end(vm, VM_STATUS_BAD_IMAGE,
	       "cannot give it %lu MB of RAM at once: the machine has %lu MB left; ask for less with mem, or leave "
	       "out prealloc",
	       vm->config->mem >> 20, frames_available() >> 8);
	return false;
}

/* ---- given back ---- */

static void disown(const struct extent *e)
{
	for (uint64_t i = 0; i < e->pages;) {
		hfn_t f = HFN(e->hfn.v + i);
		uint64_t step = f.v % FRAMES_BLOCK == 0 && e->pages - i >= FRAMES_BLOCK ? FRAMES_BLOCK : 1;

		if (step == FRAMES_BLOCK)
			owner_clear_block(f);
		else
			owner_clear(f);
		i += step;
	}
}

void memory_release(struct vm *vm)
{
	for (unsigned n = 0; n < ARRAY_SIZE(vm->ram); n++)
		VM_MUTANT(RELEASE_LAZY, ram_release(&vm->ram[n]));
	for (unsigned which = 0; which < ARRAY_SIZE(vm->extent); which++) {
		for (unsigned i = 0; i < VM_EXTENTS_MAX; i++) {
			const struct extent *e = &vm->extent[which][i];

			if (!VM_KEPT(RELEASE_RAM, e->pages))
				continue;
			if (which <= VM_EXTENTS_HIGH)
				disown(e);
			frames_free(e->hfn, e->pages);
		}
	}
}
