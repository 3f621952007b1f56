/* vm/memory/ram_share.c - pages of a guest's RAM that come to lie in one frame with others: the steps, of which
 * vm/memory/merge.c makes a merge; and how they part. */
#include "vm/memory/ram_inside.h"

#include "lib/mutants/mutate.h"
#include "vm/vm.h"

/* ---- a write ---- */

/* From a frame that is shared to a copy, which has been taken for it; the lock is held. false: there is no memory to
 * say whose it is. *used: the page lies in the copy now. The frame that it had goes when the last that share it leave;
 * until this page is unmapped it is another's, or this one's still (S11). */
static bool part(struct ram *r, gfn_t gfn, hfn_t copy, bool *used)
{
	uint64_t *word = word_of(r, gfn);
	hfn_t old = frame_in(*word);

	if (!owner_set(copy, r->vm->id, gfn))
		return false;
	VM_MUTANT(RAM_COPIES, memcpy(frames_ptr(copy), frames_ptr(old), PAGE_SIZE));
	*used = VM_LEFT_OUT_OR(RAM_LAST_SHARER, !owner_leave(old, r->vm->id, gfn));
	if (!*used)
		owner_clear(copy);
	__atomic_store_n(word, (*used ? copy : old).v << PAGE_SHIFT | WRITABLE | HERE, __ATOMIC_RELEASE);
	VM_MUTANT(RAM_PARTED, note_shared(r, -1));
	__atomic_fetch_add(&r->vm->merge.account.parted, 1, __ATOMIC_RELAXED);
	return true;
}

bool ram_unshare(struct ram *r, gfn_t gfn)
{
	hfn_t copy = share_allows(r->vm, 1) ? frames_alloc() : HFN_NONE;
	bool done = true, used = false;
	uint64_t word;

	spin_lock(&r->lock);
	word = word_now(r, gfn);
	if (VM_LEFT_OUT_OR(RAM_STILL_HERE, word & HERE) && !(word & WRITABLE)) {
		if (owner_of(frame_in(word)).kind == OWNER_PAGE)
			__atomic_fetch_or(word_of(r, gfn), WRITABLE, __ATOMIC_ACQ_REL);
		else
			done = !hfn_is_none(copy) && part(r, gfn, copy, &used);
	}
	spin_unlock(&r->lock);
	if (!used && !hfn_is_none(copy))
		frames_free(copy, 1);
	return done;
}

bool ram_is_protected(const struct ram *r, gfn_t gfn)
{
	uint64_t word = word_now(r, gfn);

	return (word & (HERE | GOING)) && !(word & WRITABLE);
}

bool ram_disown(struct ram *r, gfn_t gfn, hfn_t frame)
{
	if (owner_of(frame).kind == OWNER_SHARED && !owner_leave(frame, r->vm->id, gfn))
		return false;
	owner_clear(frame);
	return true;
}

/* ---- a merge ---- */

void ram_protect_run(struct ram *r, gfn_t gfn, uint64_t pages)
{
	uint64_t *word = word_of(r, gfn);

	spin_lock(&r->lock);
	for (uint64_t i = 0; i < pages; i++)
		if (VM_LEFT_OUT_OR(RAM_PROTECTS_HERE, word[i] & HERE) &&
		    !VM_KEPT(HELD_WRITABLE, is_held(r, GFN(gfn.v + i))))
			__atomic_fetch_and(&word[i], ~WRITABLE, __ATOMIC_ACQ_REL);
	spin_unlock(&r->lock);
	VM_MUTANT(RAM_PROTECTS, mmu_write_protect(&r->vm->mmu, gfn, pages));
}

/* RA5; the lock is held. */
static bool is_still(const uint64_t *word)
{
	return (*word & HERE) && VM_LEFT_OUT_OR(RAM_STILL, !(*word & WRITABLE)) &&
	       owner_of(frame_in(*word)).kind == OWNER_PAGE;
}

bool ram_link(struct ram *r, gfn_t gfn, hfn_t frame)
{
	uint64_t *word = word_of(r, gfn);
	bool still;

	spin_lock(&r->lock);
	still = is_still(word);
	if (still) {
		__atomic_store_n(word, frame.v << PAGE_SHIFT | HERE | (*word & AGED), __ATOMIC_RELEASE);
		note_shared(r, 1);
	}
	spin_unlock(&r->lock);
	return still;
}

bool ram_forget(struct ram *r, gfn_t gfn)
{
	uint64_t *word = word_of(r, gfn);
	bool still;

	spin_lock(&r->lock);
	still = is_still(word);
	if (still) {
		__atomic_store_n(word, 0, __ATOMIC_RELEASE);
		note_resident(r, -1);
	}
	spin_unlock(&r->lock);
	return still;
}

bool ram_offer(struct ram *r, gfn_t gfn)
{
	uint64_t *word = word_of(r, gfn);
	bool still;

	spin_lock(&r->lock);
	still = is_still(word);
	if (still) {
		owner_share(frame_in(*word), 1);
		note_shared(r, 1);
	}
	spin_unlock(&r->lock);
	return still;
}

void ram_unprotect(struct ram *r, gfn_t gfn)
{
	uint64_t *word = word_of(r, gfn);

	spin_lock(&r->lock);
	if (is_still(word))
		__atomic_fetch_or(word, WRITABLE, __ATOMIC_ACQ_REL);
	spin_unlock(&r->lock);
}
