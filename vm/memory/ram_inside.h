/* vm/memory/ram_inside.h - what a page's word says, for the files that RAM is made of (vm/memory/ram.h). */
#ifndef VELLUM_VM_MEMORY_RAM_INSIDE_H
#define VELLUM_VM_MEMORY_RAM_INSIDE_H

#include "vm/memory/ram.h"
#include "vm/memory/share.h"

/* A page's word; 0: it is nothing. Changed with .lock held, but for AGED. */
#define HERE BIT(0)     /* in the frame whose address the word has */
#define WRITABLE BIT(1)
#define GOING BIT(2)    /* it is in that frame still, and nobody has it (RO1) */
#define OUT BIT(3)      /* it is in the area, in the place whose number the word has instead */
#define AGED BIT(4)     /* of one that is HERE: nobody has asked for it since it was unmapped (RO4) */

static inline uint64_t first_block(const struct ram *r) { return r->base.v / SLOT_BLOCK_PAGES; }
static inline uint64_t block_of(const struct ram *r, gfn_t gfn) { return gfn.v / SLOT_BLOCK_PAGES - first_block(r); }

static inline gfn_t block_gfn(const struct ram *r, uint64_t block)
{
	return GFN((first_block(r) + block) * SLOT_BLOCK_PAGES);
}

/* NULL: nothing of its block is in memory, or all of it in one piece. */
static inline uint64_t *word_of(const struct ram *r, gfn_t gfn)
{
	uint64_t *part = __atomic_load_n(&r->part[block_of(r, gfn)], __ATOMIC_ACQUIRE);

	return part ? &part[gfn.v % SLOT_BLOCK_PAGES] : NULL;
}

static inline hfn_t frame_in(uint64_t word) { return HFN(word >> PAGE_SHIFT); }

static inline void note_resident(struct ram *r, int64_t pages)
{
	r->resident += (uint64_t)pages;
	share_note(-pages);
}

#endif
