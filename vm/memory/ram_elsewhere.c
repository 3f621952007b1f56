#include "vm/memory/ram_elsewhere.h"

#include "host/memory/frames.h"
#include "lib/mutants/mutate.h"
#include "vm/memory/owner.h"
#include "vm/memory/ram_inside.h"
#include "vm/memory/reclaim.h"
#include "vm/memory/swap.h"
#include "vm/seam.h"
#include "vm/vm.h"

/* ---- expected (EL1) ---- */

static uint64_t pages_in(const struct ram *r, uint64_t block)
{
	return min_u64(SLOT_BLOCK_PAGES, r->base.v + r->pages - block_gfn(r, block).v);
}

/* Of what the making of the container has left there. */
static void clear(struct ram *r, uint64_t block)
{
	if (!is_one_piece(r, block) && !r->part[block])
		return;
	reclaim_hold();
	vm_freeze(r->vm);
	ram_give(r->vm, block_gfn(r, block), pages_in(r, block));
	vm_thaw(r->vm);
	reclaim_let_go();
}

static bool is_expected(const struct ram *r, uint64_t block) { return word_now(r, block_gfn(r, block)) & ELSEWHERE; }

static bool expect_block(struct ram *r, const struct ram *from, uint64_t block)
{
	bool any = is_one_piece(from, block) || __atomic_load_n(&from->part[block], __ATOMIC_ACQUIRE);

	if (!any || is_expected(r, block))
		return true;
	clear(r, block);
	if (!r->part[block] && !VM_LEFT_OUT_OR(EXPECT_ALLOWED, share_allows(r->vm, 1))) /* RA4 */
		return false;
	if (!ram_split(r, block_gfn(r, block)))
		return false;
	for (uint64_t i = 0; i < pages_in(r, block); i++)
		__atomic_store_n(&r->part[block][i], ELSEWHERE, __ATOMIC_RELEASE);
	return true;
}

bool ram_expect(struct ram *r, const struct ram *from, uint64_t *at, unsigned blocks)
{
	for (; blocks && *at < block_count(r); blocks--, (*at)++)
		if (!expect_block(r, from, *at))
			return false;
	return true;
}

void ram_expect_from(struct ram *r, struct ram *from)
{
	r->coming.next = 0;
	r->coming.from = from;
}

void ram_expect_left(struct ram *r)
{
	spin_lock(&r->coming.lock);
	r->coming.left = true;
	spin_unlock(&r->coming.lock);
}

/* ---- it comes: .coming.lock is held, but where it says otherwise ---- */

static bool is_elsewhere(const struct ram *r, gfn_t gfn) { return word_now(r, gfn) & ELSEWHERE; }

static void becomes_nothing(struct ram *r, gfn_t gfn)
{
	spin_lock(&r->lock);
	__atomic_store_n(word_of(r, gfn), 0, __ATOMIC_RELEASE);
	spin_unlock(&r->lock);
}

/* In a frame of its own, which was nobody's. false: there is no memory to say whose it is. */
static bool comes_to(struct ram *r, gfn_t gfn, hfn_t frame)
{
	bool said;

	spin_lock(&r->lock);
	said = owner_set(frame, r->vm->id, gfn);
	if (said) {
		__atomic_store_n(word_of(r, gfn), frame.v << PAGE_SHIFT | WRITABLE | HERE, __ATOMIC_RELEASE);
		note_resident(r, 1);
	}
	spin_unlock(&r->lock);
	return said;
}

/* A page of the other RAM that lies in a frame of its own is nothing there any more; nobody reaches it (EL2). */
static void free_there(struct ram *from, gfn_t gfn)
{
	uint64_t *word = word_of(from, gfn), was;

	spin_lock(&from->lock);
	was = *word;
	__atomic_store_n(word, 0, __ATOMIC_RELEASE);
	note_resident(from, -1);
	spin_unlock(&from->lock);
	owner_clear(frame_in(was));
	VM_MUTANT(FETCH_FREES, frames_free(frame_in(was), 1));
}

static bool is_zero(hfn_t frame)
{
	const uint64_t *p = frames_ptr(frame);

	for (unsigned i = 0; i < PAGE_SIZE / sizeof(*p); i++)
		if (p[i])
			return false;
	return true;
}

static bool copy(struct ram *r, gfn_t gfn, hfn_t there)
{
	hfn_t frame = VM_LEFT_OUT_OR(FETCH_KEPT, share_allows(r->vm, 1)) ? frames_alloc() : HFN_NONE;

	if (hfn_is_none(frame))
		return false;
	VM_MUTANT(FETCH_COPIES, memcpy(frames_ptr(frame), frames_ptr(there), PAGE_SIZE));
	if (comes_to(r, gfn, frame))
		return true;
	frames_free(frame, 1);
	return false;
}

/* The other RAM's block is told of page by page; what has come of it is free (EL4). */
static bool open_there(struct ram *r, uint64_t block)
{
	struct ram *from = r->coming.from;

	if (!ram_open(from, block))
		return false;
	for (uint64_t i = 0; i < SLOT_BLOCK_PAGES; i++) {
		gfn_t gfn = GFN(block_gfn(r, block).v + i);

		if (!is_elsewhere(r, gfn))
			VM_MUTANT(FETCH_FREES_OPENED, free_there(from, gfn));
	}
	return true;
}

/* The page goes over with its frame, which has the same name in both containers (OW1). */
static bool keep(struct ram *r, gfn_t gfn)
{
	struct ram *from = r->coming.from;
	uint64_t *word, is;
	bool shared;

	if (is_one_piece(from, block_of(from, gfn)) && !open_there(r, block_of(from, gfn)))
		return false;
	word = word_of(from, gfn);
	spin_lock(&r->lock);
	spin_lock(&from->lock);
	is = *word;
	shared = owner_of(frame_in(is)).kind == OWNER_SHARED;
	__atomic_store_n(word, 0, __ATOMIC_RELEASE);
	__atomic_store_n(word_of(r, gfn), frame_in(is).v << PAGE_SHIFT | HERE | (shared ? 0 : WRITABLE),
			 __ATOMIC_RELEASE);
	note_resident(from, -1);
	note_resident(r, 1);
	if (VM_KEPT(FETCH_SHARED, shared)) {
		note_shared(from, -1);
		note_shared(r, 1);
	}
	spin_unlock(&from->lock);
	spin_unlock(&r->lock);
	r->coming.kept++;
	return true;
}

enum coming { COMES_NOT, COMES_AS_NOTHING, COMES };

/* EL4. */
static enum coming come(struct ram *r, gfn_t gfn)
{
	struct ram *from = r->coming.from;
	bool whole = is_one_piece(from, block_of(from, gfn));
	hfn_t there = ram_frame(from, gfn);
	bool shared, zero;

	if (hfn_is_none(there)) {
		becomes_nothing(r, gfn);
		return COMES_AS_NOTHING;
	}
	shared = !whole && owner_of(there).kind == OWNER_SHARED;
	if (VM_KEPT(FETCH_TOGETHER, shared))
		return keep(r, gfn) ? COMES : COMES_NOT;
	zero = is_zero(there);
	if (zero)
		becomes_nothing(r, gfn);
	else if (!copy(r, gfn, there))
		return keep(r, gfn) ? COMES : COMES_NOT;
	if (!whole)
		free_there(from, gfn);
	return zero ? COMES_AS_NOTHING : COMES;
}

/* The place in the area is this RAM's from now on; the area's lock is held, too. */
static void come_out(struct ram *r, gfn_t gfn)
{
	struct ram *from = r->coming.from;
	uint64_t *word;

	if (!VM_LEFT_OUT_OR(FETCH_OUT_STILL, is_elsewhere(r, gfn)) || !(word_now(from, gfn) & OUT))
		return;
	word = word_of(from, gfn);
	spin_lock(&r->lock);
	spin_lock(&from->lock);
	__atomic_store_n(word_of(r, gfn), *word, __ATOMIC_RELEASE);
	__atomic_store_n(word, 0, __ATOMIC_RELEASE);
	from->swapped--;
	r->swapped++;
	spin_unlock(&from->lock);
	spin_unlock(&r->lock);
}

/* While the other container's guest stands yet, and may go on there: nothing of it is taken away. By who makes this
 * one, alone. No lock of these is held. */
static bool read_there(struct ram *r, gfn_t gfn)
{
	struct mmu_vm *there = &r->coming.from->vm->mmu;
	hfn_t frame = share_allows(r->vm, 1) ? frames_alloc() : HFN_NONE;

	if (hfn_is_none(frame))
		return false;
	if (mmu_guest_read(there, gfn_gpa(gfn), frames_ptr(frame), PAGE_SIZE) == PAGE_SIZE && comes_to(r, gfn, frame))
		return true;
	frames_free(frame, 1);
	return false;
}

enum ram_back ram_fetch(struct ram *r, gfn_t gfn, bool pushed)
{
	struct ram_coming *c = &r->coming;
	enum coming how = COMES_AS_NOTHING;
	bool out = false;

	if (!c->left)
		return read_there(r, gfn) ? RAM_BACK : RAM_SHORT;
	vm_seam();
	spin_lock(&c->lock);
	if (VM_LEFT_OUT_OR(FETCH_ONCE, is_elsewhere(r, gfn))) {
		out = word_now(c->from, gfn) & OUT;
		how = out ? COMES : come(r, gfn);
		if (how == COMES)
			*(pushed ? &c->pushed : &c->faults) += 1;
	}
	spin_unlock(&c->lock);
	if (!out)
		return how == COMES_NOT ? RAM_SHORT : RAM_BACK;
	vm_seam();
	swap_lock();
	spin_lock(&c->lock);
	come_out(r, gfn);
	spin_unlock(&c->lock);
	swap_unlock();
	return RAM_BACK;
}

void ram_forget_elsewhere(struct ram *r, gfn_t gfn)
{
	struct ram_coming *c = &r->coming;

	if (!is_elsewhere(r, gfn))
		return;
	spin_lock(&c->lock);
	if (VM_KEPT(FETCH_FORGETS, is_elsewhere(r, gfn)))
		becomes_nothing(r, gfn);
	spin_unlock(&c->lock);
}

/* ---- brought ---- */

/* All of the block has come. */
static void free_block_there(struct ram *from, uint64_t block)
{
	hfn_t frame = from->block[block].frame;

	if (!is_one_piece(from, block))
		return;
	spin_lock(&from->lock);
	ram_lies_nowhere(from, block);
	note_resident(from, -(int64_t)SLOT_BLOCK_PAGES);
	spin_unlock(&from->lock);
	owner_clear_block(frame);
	frames_free(frame, FRAMES_BLOCK);
}

/* With the lock, as who fetches may look at it. */
static void block_has_come(struct ram *r, uint64_t block)
{
	spin_lock(&r->coming.lock);
	VM_MUTANT(FETCH_FREES_BLOCK, free_block_there(r->coming.from, block));
	spin_unlock(&r->coming.lock);
}

bool ram_fetch_some(struct ram *r, unsigned looks, unsigned pages)
{
	struct ram_coming *c = &r->coming;

	while (c->from && c->next < r->pages && looks && pages) {
		gfn_t gfn = GFN(r->base.v + c->next);
		uint64_t before = c->pushed;

		if (!word_of(r, gfn)) { /* nothing was there */
			c->next += SLOT_BLOCK_PAGES - gfn.v % SLOT_BLOCK_PAGES;
			looks--;
			continue;
		}
		if (is_elsewhere(r, gfn) && ram_fetch(r, gfn, true) != RAM_BACK)
			return false;
		pages -= c->pushed > before;
		looks--;
		c->next++;
		if (gfn.v % SLOT_BLOCK_PAGES == SLOT_BLOCK_PAGES - 1)
			block_has_come(r, block_of(r, gfn));
	}
	if (c->next < r->pages && c->from)
		return false;
	spin_lock(&c->lock);
	c->from = NULL;
	spin_unlock(&c->lock);
	return true;
}
