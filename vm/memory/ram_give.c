/* vm/memory/ram_give.c - pages of RAM that their guest does without: what it has put into its balloon, or said to be
 * free (dev/virtio/balloon.h). */
#include "vm/memory/ram.h"

#include "host/cpu/percpu.h"
#include "host/memory/frames.h"
#include "lib/mutants/mutate.h"
#include "vm/memory/owner.h"
#include "vm/memory/ram_inside.h"
#include "vm/memory/ram_join.h"
#include "vm/memory/reclaim.h"
#include "vm/vm.h"

/* All of a block that is in one piece (RA3). */
static void give_block(struct ram *r, uint64_t block)
{
	hfn_t frame = r->block[block].frame;

	spin_lock(&r->lock);
	ram_lies_nowhere(r, block);
	if (r->part[block])
		ram_join_note(r);
	note_resident(r, -(int64_t)SLOT_BLOCK_PAGES);
	spin_unlock(&r->lock);
	VM_MUTANT(GIVE_BLOCK_GONE, mmu_block_gone(&r->vm->mmu));
	VM_MUTANT(GIVE_BLOCK_UNMAPS, mmu_unmap(&r->vm->mmu, block_gfn(r, block), SLOT_BLOCK_PAGES));
	owner_clear_block(frame);
	frames_free(frame, FRAMES_BLOCK);
}

static uint64_t give_page(struct ram *r, gfn_t gfn)
{
	const uint64_t *word = word_of(r, gfn);
	hfn_t frame;

	if (VM_KEPT(HELD_GIVEN, is_held(r, gfn)) || !word || !__atomic_load_n(word, __ATOMIC_ACQUIRE))
		return 0;
	frame = ram_drop(r, gfn);
	if (hfn_is_none(frame))
		return 0;
	frames_free(frame, 1);
	return 1;
}

uint64_t ram_give(struct vm *vm, gfn_t gfn, uint64_t pages)
{
	struct ram *r = ram_of(vm, gfn);
	uint64_t block, freed = 0;

	BUG_ON(gfn.v % SLOT_BLOCK_PAGES + pages > SLOT_BLOCK_PAGES);
	BUG_ON(vm->frozen_by != this_cpu() || !reclaim_is_held());
	if (!r)
		return 0;
	/* RAM begins with a block; behind its end in its last one there is nothing. */
	block = block_of(r, gfn);
	if (is_one_piece(r, block) && pages == SLOT_BLOCK_PAGES &&
	    !VM_KEPT(HELD_BLOCK_GIVEN, block_has_held(r, block))) {
		give_block(r, block);
		return pages;
	}
	if (is_one_piece(r, block) && !VM_KEPT(GIVE_SPLIT, ram_split(r, gfn)))
		return 0;
	for (uint64_t i = 0; i < pages; i++)
		freed += give_page(r, GFN(gfn.v + i));
	return freed;
}
