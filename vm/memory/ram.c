/* vm/memory/ram.c - a guest's RAM: blocks in one piece, and words for the pages of the others. */
#include "vm/memory/ram.h"

#include "lib/mutants/mutate.h"
#include "vm/memory/owner.h"
#include "vm/memory/ram_elsewhere.h"
#include "vm/memory/ram_inside.h"
#include "vm/memory/ram_join.h"
#include "vm/memory/ram_out.h"
#include "vm/memory/reclaim.h"
#include "vm/memory/swap.h"
#include "vm/vm.h"

#define ORDER_BLOCK 9
#define POPULATE_TRIES 8 /* it may go again before it has been looked at */

static uint64_t room_pages(const struct ram *r)
{
	uint64_t each = sizeof(*r->block) + sizeof(*r->part) + sizeof(*r->piece);

	return pages_for(block_count(r) * each);
}

/* ---- a block in one piece ---- */

void ram_lies_at(struct ram *r, uint64_t block, hfn_t frame)
{
	struct slot_block *b = &r->block[block];

	b->frame = frame;
	__atomic_store_n(&b->at, frames_ptr(frame), __ATOMIC_RELEASE);
	__atomic_store_n(&r->piece[block], IN_ONE_PIECE, __ATOMIC_RELEASE);
}

void ram_lies_nowhere(struct ram *r, uint64_t block)
{
	__atomic_store_n(&r->piece[block], IN_PAGES, __ATOMIC_RELEASE);
	__atomic_store_n(&r->block[block].at, NULL, __ATOMIC_RELEASE);
}

void ram_set_aged(struct ram *r, uint64_t block, bool aged)
{
	struct slot_block *b = &r->block[block];

	spin_lock(&r->lock);
	if (is_one_piece(r, block)) {
		char *at = VM_KEPT(AGE_HIDES_BLOCK, aged) ? NULL : frames_ptr(b->frame);

		__atomic_store_n(&b->at, at, __ATOMIC_RELEASE);
		__atomic_store_n(&r->piece[block], aged ? IN_ONE_PIECE_AGED : IN_ONE_PIECE, __ATOMIC_RELEASE);
	}
	spin_unlock(&r->lock);
}

/* ---- what the heart asks ---- */

static bool page(struct backing *backing, uint64_t index, struct backing_page *out)
{
	struct ram *r = container_of(backing, struct ram, backing);
	gfn_t gfn = GFN(r->base.v + index);
	uint64_t block = block_of(r, gfn), *word, is;

	if (likely(is_one_piece(r, block))) {
		if (unlikely(block_is_aged(r, block)))
			ram_set_aged(r, block, false);
		*out = (struct backing_page){ HFN(r->block[block].frame.v + gfn.v % SLOT_BLOCK_PAGES), ORDER_BLOCK,
					      true };
		return true;
	}
	word = word_of(r, gfn);
	is = word ? __atomic_load_n(word, __ATOMIC_ACQUIRE) : 0;
	if (!(is & HERE))
		return false;
	if (unlikely(is & AGED))
		VM_MUTANT(RAM_ASKED, __atomic_fetch_and(word, ~AGED, __ATOMIC_ACQ_REL));
	*out = (struct backing_page){ frame_in(is), 0, is & WRITABLE };
	return true;
}

/* RO4. A block in one piece has one mark. */
static void used(struct backing *backing, uint64_t index, uint64_t pages)
{
	struct ram *r = container_of(backing, struct ram, backing);

	for (uint64_t i = index, step; i < index + pages; i += step) {
		gfn_t gfn = GFN(r->base.v + i);
		uint64_t block = block_of(r, gfn), *word = word_of(r, gfn);

		if (block_is_aged(r, block))
			ram_set_aged(r, block, false);
		step = is_one_piece(r, block) ? SLOT_BLOCK_PAGES - gfn.v % SLOT_BLOCK_PAGES : 1;
		if (word && step == 1 && (__atomic_load_n(word, __ATOMIC_ACQUIRE) & AGED))
			__atomic_fetch_and(word, ~AGED, __ATOMIC_ACQ_REL);
	}
}

/* The lock is held, in these. */

static bool is_here(const struct ram *r, gfn_t gfn)
{
	return is_one_piece(r, block_of(r, gfn)) || (word_now(r, gfn) & HERE);
}

/* OW2. */
static bool add_block(struct ram *r, uint64_t block, hfn_t frame)
{
	if (is_one_piece(r, block) || r->part[block])
		return false;
	owner_set_block(frame, r->vm->id, block_gfn(r, block));
	ram_lies_at(r, block, frame);
	note_resident(r, SLOT_BLOCK_PAGES);
	return true;
}

static bool add_page(struct ram *r, gfn_t gfn, hfn_t frame)
{
	uint64_t *word = word_of(r, gfn);

	if (!word || *word || !owner_set(frame, r->vm->id, gfn))
		return false;
	__atomic_store_n(word, frame.v << PAGE_SHIFT | WRITABLE | HERE, __ATOMIC_RELEASE);
	note_resident(r, 1);
	return true;
}

static bool wants_block(const struct ram *r, uint64_t block)
{
	return block_is_whole(r, block) && !r->part[block] && !is_one_piece(r, block) && reclaim_spares_block(r->vm) &&
	       share_allows(r->vm, FRAMES_BLOCK);
}

static bool touch(struct backing *backing, uint64_t index)
{
	struct ram *r = container_of(backing, struct ram, backing);
	gfn_t gfn = GFN(r->base.v + index);
	bool here;

	spin_lock(&r->lock);
	here = is_here(r, gfn);
	if (!here && wants_block(r, block_of(r, gfn))) {
		hfn_t f = frames_alloc_clear_block();

		here = !hfn_is_none(f) && add_block(r, block_of(r, gfn), f);
	}
	spin_unlock(&r->lock);
	return here;
}

/* The frame of words of a block that is to be told of page by page. */
static bool have_words(struct ram *r, uint64_t block)
{
	hfn_t f;

	if (r->part[block])
		return true;
	f = frames_alloc();
	if (hfn_is_none(f))
		return false;
	spin_lock(&r->lock);
	if (r->part[block] || is_one_piece(r, block)) {
		spin_unlock(&r->lock);
		frames_free(f, 1);
		return true;
	}
	__atomic_store_n(&r->part[block], frames_ptr(f), __ATOMIC_RELEASE);
	if (block_is_whole(r, block))
		ram_join_note(r);
	spin_unlock(&r->lock);
	return true;
}

/* What others have brought in meanwhile stays, and what was taken for nothing goes back. */
static bool bring_block(struct ram *r, uint64_t block)
{
	hfn_t f = wants_block(r, block) ? frames_alloc_block() : HFN_NONE;
	bool added;

	if (hfn_is_none(f))
		return false;
	spin_lock(&r->lock);
	added = add_block(r, block, f);
	spin_unlock(&r->lock);
	if (!added)
		frames_free(f, FRAMES_BLOCK);
	return added;
}

static bool bring_page(struct ram *r, gfn_t gfn)
{
	bool added, here;
	hfn_t f;

	if (!share_allows(r->vm, 2) || !have_words(r, block_of(r, gfn)))
		return false;
	f = frames_alloc();
	if (hfn_is_none(f))
		return false;
	spin_lock(&r->lock);
	added = add_page(r, gfn, f);
	here = added || is_here(r, gfn);
	spin_unlock(&r->lock);
	if (!added)
		frames_free(f, 1);
	return here;
}

/* POPULATE_NONE: there is no frame for it, or it cannot be read. */
static enum populated bring(struct ram *r, gfn_t gfn)
{
	switch (ram_bring_back(r, gfn)) {
	case RAM_BACK: return POPULATE_DONE;
	case RAM_COMES: return POPULATE_LATER;
	case RAM_NOT_OUT:
		return bring_block(r, block_of(r, gfn)) || bring_page(r, gfn) ? POPULATE_DONE : POPULATE_NONE;
	case RAM_LOST:
		vm_end(r->vm, VM_STATUS_STOPPED,
		       "stopped: page 0x%lx of its RAM cannot be read back from the swap area", gfn.v);
		break;
	case RAM_SHORT: break;
	}
	return POPULATE_NONE;
}

static enum populated own(struct ram *r, gfn_t gfn) { return ram_unshare(r, gfn) ? POPULATE_DONE : POPULATE_NONE; }

static enum populated populate(struct backing *backing, uint64_t index, bool write)
{
	struct ram *r = container_of(backing, struct ram, backing);
	gfn_t gfn = GFN(r->base.v + index);
	struct backing_page now;

	for (unsigned tries = 0; tries < POPULATE_TRIES; tries++) {
		reclaim_note(r->vm);
		bool here = page(backing, index, &now);
		enum populated how;

		if (here && (!write || now.writable))
			return POPULATE_DONE;
		how = here ? own(r, gfn) : bring(r, gfn);
		if (how == POPULATE_LATER)
			return how;
		if (how == POPULATE_NONE)
			break;
	}
	if (page(backing, index, &now) && (!write || now.writable))
		return POPULATE_DONE;
	if (reclaim_can_wait(r->vm))
		return POPULATE_LATER;
	vm_end(r->vm, VM_STATUS_STOPPED,
	       "the machine has no memory left for it: %lu MB of its %lu MB of RAM are in use",
	       ram_resident(r->vm) >> 8, r->vm->config->mem >> 20);
	return POPULATE_NONE;
}

/* ---- its life ---- */

bool ram_init(struct ram *r, struct vm *vm, gfn_t base, uint64_t pages, struct slot *slot)
{
	uint64_t blocks;

	*r = (struct ram){ .backing = { .page = page, .touch = touch, .populate = populate, .used = used },
			   .base = base, .pages = pages };
	blocks = block_count(r);
	r->room = frames_alloc_run(room_pages(r), 1);
	if (hfn_is_none(r->room))
		return false;
	memset(frames_ptr(r->room), 0, room_pages(r) << PAGE_SHIFT);
	r->vm = vm;
	r->block = frames_ptr(r->room);
	r->part = (uint64_t **)(void *)(r->block + blocks);
	r->piece = (uint8_t *)(r->part + blocks);
	share_join(r);
	*slot = (struct slot){ .base = base, .pages = pages, .kind = SLOT_RAM, .type = MEMTYPE_WB,
			       .backing = &r->backing, .block = r->block };
	return true;
}

static void release_part(struct ram *r, uint64_t block)
{
	for (unsigned i = 0; i < SLOT_BLOCK_PAGES; i++) {
		uint64_t word = r->part[block][i];

		if (word & OUT)
			VM_MUTANT(RELEASE_SWAPPED, swap_release(word >> PAGE_SHIFT));
		else if ((word & (HERE | GOING)) && ram_disown(r, GFN(block_gfn(r, block).v + i), frame_in(word)))
			frames_free(frame_in(word), 1);
	}
	frames_free(frames_of_ptr(r->part[block]), 1);
}

void ram_release(struct ram *r)
{
	if (!r->vm)
		return;
	VM_MUTANT(RELEASE_SETTLES, ram_settle(r));
	share_leave(r);
	for (uint64_t n = 0; n < block_count(r); n++) {
		if (is_one_piece(r, n)) {
			owner_clear_block(r->block[n].frame);
			frames_free(r->block[n].frame, FRAMES_BLOCK);
		}
		if (r->part[n])
			release_part(r, n);
	}
	frames_free(r->room, room_pages(r));
	r->vm = NULL;
}

struct ram *ram_of(struct vm *vm, gfn_t gfn)
{
	for (unsigned n = 0; n < ARRAY_SIZE(vm->ram); n++) {
		struct ram *r = &vm->ram[n];

		if (r->vm && gfn.v - r->base.v < r->pages)
			return r;
	}
	return NULL;
}

uint64_t ram_shared(const struct vm *vm)
{
	uint64_t pages = 0;

	for (unsigned n = 0; n < ARRAY_SIZE(vm->ram); n++)
		if (vm->ram[n].vm)
			pages += vm->ram[n].shared;
	return pages;
}

uint64_t ram_resident(const struct vm *vm)
{
	uint64_t pages = vm->preallocated;

	for (unsigned n = 0; n < ARRAY_SIZE(vm->ram); n++)
		if (vm->ram[n].vm)
			pages += vm->ram[n].resident;
	return pages;
}

uint64_t ram_swapped(const struct vm *vm)
{
	uint64_t pages = 0;

	for (unsigned n = 0; n < ARRAY_SIZE(vm->ram); n++)
		if (vm->ram[n].vm)
			pages += vm->ram[n].swapped;
	return pages;
}

struct ram_count ram_counts(const struct vm *vm)
{
	const struct ram_count *a = &vm->ram[0].count, *b = &vm->ram[1].count;

	return (struct ram_count){
		.went = a->went + b->went, .zeroes = a->zeroes + b->zeroes, .came = a->came + b->came,
		.packed = a->packed + b->packed, .unpacked = a->unpacked + b->unpacked,
		.pack_ticks = a->pack_ticks + b->pack_ticks, .unpack_ticks = a->unpack_ticks + b->unpack_ticks,
		.joined = a->joined + b->joined, .join_ticks = a->join_ticks + b->join_ticks,
	};
}

void ram_hold(struct vm *vm, gfn_t gfn, uint64_t pages)
{
	struct ram *r = ram_of(vm, gfn);

	if (!r)
		return;
	BUG_ON(gfn.v % SLOT_BLOCK_PAGES + pages > SLOT_BLOCK_PAGES);
	r->held = gfn;
	r->held_pages = pages;
}

/* ---- what takes away (RA2) ---- */

hfn_t ram_frame(struct ram *r, gfn_t gfn)
{
	const struct slot_block *b = &r->block[block_of(r, gfn)];
	uint64_t word;

	if (ram_in_one_piece(r, gfn))
		return HFN(b->frame.v + gfn.v % SLOT_BLOCK_PAGES);
	word = word_now(r, gfn);
	return word & HERE ? frame_in(word) : HFN_NONE;
}

bool ram_in_one_piece(const struct ram *r, gfn_t gfn)
{
	return is_one_piece(r, block_of(r, gfn));
}

/* Words for the pages of one in one piece, and owners'; those that it had, if it was put together. NULL: no
 * memory. */
static uint64_t *words_for(struct ram *r, uint64_t block)
{
	uint64_t *part = r->part[block];
	hfn_t f = part ? HFN_NONE : frames_alloc();

	if (!part && hfn_is_none(f))
		return NULL;
	if (owner_split(r->block[block].frame))
		return part ? part : frames_ptr(f);
	if (!part)
		frames_free(f, 1);
	return NULL;
}

bool ram_open(struct ram *r, uint64_t block)
{
	uint64_t *part = words_for(r, block), aged;

	if (!part)
		return false;
	spin_lock(&r->lock);
	aged = block_is_aged(r, block) ? AGED : 0;
	for (uint64_t i = 0; i < SLOT_BLOCK_PAGES; i++)
		part[i] = (r->block[block].frame.v + i) << PAGE_SHIFT | WRITABLE | HERE | aged;
	__atomic_store_n(&r->part[block], part, __ATOMIC_RELEASE);
	ram_lies_nowhere(r, block);
	spin_unlock(&r->lock);
	return true;
}

/* Its pages stay where they are, and what is mapped of them leads there still. */
bool ram_split(struct ram *r, gfn_t gfn)
{
	uint64_t block = block_of(r, gfn);

	if (!is_one_piece(r, block))
		return have_words(r, block);
	if (!ram_open(r, block))
		return false;
	if (block_is_whole(r, block))
		ram_join_note(r);
	VM_MUTANT(RAM_SPLIT_GONE, mmu_block_gone(&r->vm->mmu));
	return true;
}

hfn_t ram_drop(struct ram *r, gfn_t gfn)
{
	uint64_t *word = word_of(r, gfn), was;

	ram_forget_out(r, gfn);
	ram_forget_elsewhere(r, gfn);
	spin_lock(&r->lock);
	was = *word;
	if (was & (HERE | GOING)) {
		__atomic_store_n(word, 0, __ATOMIC_RELEASE);
		if (owner_of(frame_in(was)).kind == OWNER_SHARED)
			note_shared(r, -1);
		note_resident(r, -1);
	}
	spin_unlock(&r->lock);
	if (!(was & (HERE | GOING)))
		return HFN_NONE;
	VM_MUTANT(RAM_DROP_UNMAPS, mmu_unmap(&r->vm->mmu, gfn, 1));
	return ram_disown(r, gfn, frame_in(was)) ? frame_in(was) : HFN_NONE;
}
