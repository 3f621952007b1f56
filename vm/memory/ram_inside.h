/* vm/memory/ram_inside.h - what a page's word says, for the files that RAM is made of (vm/memory/ram.h). */
#ifndef VELLUM_VM_MEMORY_RAM_INSIDE_H
#define VELLUM_VM_MEMORY_RAM_INSIDE_H

#include "vm/memory/owner.h"
#include "vm/memory/ram.h"
#include "vm/memory/share.h"

/* A page's word; 0: it is nothing. Changed with .lock held, but for AGED, which comes and goes by atomic operations.
 *
 *   HERE and WRITABLE   its own frame; AGED or not
 *   HERE                protected (RA5): its own frame, while its VM is frozen; else a shared one. AGED or not
 *   GOING and WRITABLE  on its way out of its own frame
 *   GOING               on its way out of a shared one, which has counted it still
 *   OUT                 a place of the area
 *   ELSEWHERE           in another container's RAM, or nothing there (ram_elsewhere.h)
 *
 * Whose a frame is the reverse map says (OW1), which changes in the same hold of the lock as the word. */
#define HERE BIT(0)     /* in the frame whose address the word has */
#define WRITABLE BIT(1) /* whoever writes to it may; without it, a write gets it a frame of its own first */
#define GOING BIT(2)    /* it is in that frame still, and nobody has it (RO1) */
#define OUT BIT(3)      /* it is in the area, in the place whose number the word has instead */
#define AGED BIT(4)     /* of one that is HERE: nobody has asked for it since it was aged (RO4) */
#define ELSEWHERE BIT(6) /* it has not come yet */

static inline uint64_t first_block(const struct ram *r) { return r->base.v / SLOT_BLOCK_PAGES; }
static inline uint64_t block_of(const struct ram *r, gfn_t gfn) { return gfn.v / SLOT_BLOCK_PAGES - first_block(r); }

static inline gfn_t block_gfn(const struct ram *r, uint64_t block)
{
	return GFN((first_block(r) + block) * SLOT_BLOCK_PAGES);
}

static inline uint64_t block_count(const struct ram *r)
{
	return align_up(r->base.v + r->pages, SLOT_BLOCK_PAGES) / SLOT_BLOCK_PAGES - first_block(r);
}

/* Is all of it in the RAM? */
static inline bool block_is_whole(const struct ram *r, uint64_t block)
{
	uint64_t first = block_gfn(r, block).v;

	return first >= r->base.v && first + SLOT_BLOCK_PAGES <= r->base.v + r->pages;
}

/* Is a block in one piece? One that is aged (RO4) has no address in its slot_block: so whoever accesses it asks page(),
 * which gives it back. Changed with .lock held. */
enum ram_piece { IN_PAGES, IN_ONE_PIECE, IN_ONE_PIECE_AGED };

static inline enum ram_piece piece_of(const struct ram *r, uint64_t block)
{
	return __atomic_load_n(&r->piece[block], __ATOMIC_ACQUIRE);
}

static inline bool is_one_piece(const struct ram *r, uint64_t block) { return piece_of(r, block) != IN_PAGES; }
static inline bool block_is_aged(const struct ram *r, uint64_t block)
{
	return piece_of(r, block) == IN_ONE_PIECE_AGED;
}

/* RA6; also whether the block has one. */
static inline bool is_held(const struct ram *r, gfn_t gfn) { return gfn.v - r->held.v < r->held_pages; }
static inline bool block_has_held(const struct ram *r, uint64_t block)
{
	return r->held_pages && block_of(r, r->held) == block;
}

/* NULL: nothing of its block is in memory, or all of it in one piece; which it may also be with words, that are 0 then
 * (ram_join.h). */
static inline uint64_t *word_of(const struct ram *r, gfn_t gfn)
{
	uint64_t *part = __atomic_load_n(&r->part[block_of(r, gfn)], __ATOMIC_ACQUIRE);

	return part ? &part[gfn.v % SLOT_BLOCK_PAGES] : NULL;
}

/* 0 also of a page of a block in one piece. */
static inline uint64_t word_now(const struct ram *r, gfn_t gfn)
{
	const uint64_t *word = word_of(r, gfn);

	return word ? __atomic_load_n(word, __ATOMIC_ACQUIRE) : 0;
}

static inline hfn_t frame_in(uint64_t word) { return HFN(word >> PAGE_SHIFT); }

/* RA4; the lock is held. So many pages more are in memory; of those that are, so many more in shared frames, which are
 * not the VM's own. */
static inline void note_resident(struct ram *r, int64_t pages)
{
	r->resident += (uint64_t)pages;
	share_note(-pages);
}

static inline void note_shared(struct ram *r, int64_t pages)
{
	r->shared += (uint64_t)pages;
	share_note(pages);
}

/* vm/memory/ram.c. The block lies there, in one piece, from now on; .lock is held. */
void ram_lies_at(struct ram *r, uint64_t block, hfn_t frame);
/* It is in one piece no more; .lock is held. What knows its address is the caller's to tell. */
void ram_lies_nowhere(struct ram *r, uint64_t block);
/* One in one piece is aged, or not aged any more; another stays as it is. */
void ram_set_aged(struct ram *r, uint64_t block, bool aged);
/* The block, in one piece, is told of page by page; what knows its address is the caller's to tell.
 * false: there is no memory for that. */
bool ram_open(struct ram *r, uint64_t block);
/* vm/memory/ram_share.c. Of a page that is in memory no more: its frame is nobody's. false: others share it still. */
bool ram_disown(struct ram *r, gfn_t gfn, hfn_t frame);
/* A frame of its own for a page that is protected: a copy, or the one that it has. What is
 * mapped of it is the caller's to unmap. true also if it is not protected, or not in memory, any more; false: there is
 * no frame for it. */
bool ram_unshare(struct ram *r, gfn_t gfn);

#endif
