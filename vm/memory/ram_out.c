#include "vm/memory/ram_out.h"

#include "lib/mutants/mutate.h"
#include "vm/memory/owner.h"
#include "vm/memory/packed.h"
#include "vm/memory/ram_elsewhere.h"
#include "vm/memory/ram_inside.h"
#include "vm/memory/reclaim.h"
#include "vm/memory/swap.h"
#include "vm/seam.h"
#include "vm/vm.h"

/* ---- ageing (RO4) ---- */

static unsigned left_in(const struct ram *r, gfn_t gfn, unsigned unit)
{
	return (unsigned)min_u64(unit - gfn.v % unit, r->base.v + r->pages - gfn.v);
}

static void unmap(struct ram *r, gfn_t gfn, unsigned pages) { mmu_unmap(&r->vm->mmu, gfn, pages); }

/* What CPUs do with these pages shows from now on: by flags, or because they have to ask. */
static void forget_use(struct ram *r, gfn_t gfn, unsigned pages)
{
	uint64_t used[SLOT_BLOCK_PAGES / 64];

	if (!VM_LEFT_OUT_OR(AGE_FLAGS, mmu_age(&r->vm->mmu, gfn, pages, used, true)))
		VM_MUTANT(AGE_UNMAPS, unmap(r, gfn, pages));
}

static bool is_aged(const struct ram *r, gfn_t gfn, unsigned pages)
{
	uint64_t block = block_of(r, gfn), *word = word_of(r, gfn), any = 0;

	if (is_one_piece(r, block))
		return block_is_aged(r, block);
	for (unsigned i = 0; word && i < pages; i++)
		any |= __atomic_load_n(&word[i], __ATOMIC_RELAXED) & AGED;
	return any;
}

void ram_note_used(struct ram *r, gfn_t gfn, unsigned pages)
{
	uint64_t used[SLOT_BLOCK_PAGES / 64], block = block_of(r, gfn), *word;

	if (!is_aged(r, gfn, pages) || !mmu_age(&r->vm->mmu, gfn, pages, used, false))
		return;
	word = is_one_piece(r, block) ? NULL : word_of(r, gfn);
	for (unsigned n = 0; n < (pages + 63) / 64; n++) {
		if (used[n] && !word)
			ram_set_aged(r, block, false);
		for (; word && used[n]; used[n] &= used[n] - 1)
			__atomic_fetch_and(&word[64 * n + __builtin_ctzll(used[n])], ~AGED, __ATOMIC_ACQ_REL);
	}
}

/* RO5. One that lies alone in a shared frame is as good as its own. */
static bool may_go(uint64_t word, bool shared)
{
	struct frame_owner o;

	if (!(word & HERE) || (word & WRITABLE))
		return word & HERE;
	o = owner_of(frame_in(word));
	return VM_LEFT_OUT_OR(GO_MERGING, o.kind == OWNER_SHARED) && (shared || o.users == 1);
}

static bool is_fresh(const uint64_t *word, bool shared)
{
	uint64_t is = __atomic_load_n(word, __ATOMIC_ACQUIRE);

	return !(is & AGED) && may_go(is, shared);
}

unsigned ram_age(struct ram *r, gfn_t gfn, bool shared)
{
	uint64_t block = block_of(r, gfn), *word = word_of(r, gfn);
	unsigned pages = left_in(r, gfn, RAM_GROUP);
	uint64_t fresh = 0;

	if (is_one_piece(r, block)) {
		forget_use(r, block_gfn(r, block), SLOT_BLOCK_PAGES);
		ram_set_aged(r, block, true);
		return left_in(r, gfn, SLOT_BLOCK_PAGES);
	}
	if (!word)
		return left_in(r, gfn, SLOT_BLOCK_PAGES);
	ram_note_used(r, gfn, pages);
	for (unsigned i = 0; i < pages; i++)
		fresh |= (uint64_t)is_fresh(&word[i], shared) << i;
	if (fresh)
		forget_use(r, gfn, pages);
	for (; fresh; fresh &= fresh - 1)
		__atomic_fetch_or(&word[__builtin_ctzll(fresh)], AGED, __ATOMIC_ACQ_REL);
	return pages;
}

/* ---- going (RO1) ---- */

/* A block that has not been used since it was aged is told of page by page; none of them has been. */
static bool open_block(struct ram *r, gfn_t gfn)
{
	VM_MUTANT(TAKE_USED_BLOCK, ram_note_used(r, block_gfn(r, block_of(r, gfn)), SLOT_BLOCK_PAGES));
	if (!VM_LEFT_OUT_OR(TAKE_COLD_BLOCK, block_is_aged(r, block_of(r, gfn))) || !ram_split(r, gfn))
		return false;
	unmap(r, block_gfn(r, block_of(r, gfn)), SLOT_BLOCK_PAGES); /* at once, for all are about to go */
	return true;
}

static bool begin_to_go(struct ram *r, uint64_t *word, bool shared)
{
	uint64_t is = __atomic_load_n(word, __ATOMIC_ACQUIRE);
	bool went = VM_LEFT_OUT_OR(TAKE_COLD, is & AGED) && may_go(is, shared);

	vm_seam();
	spin_lock(&r->lock);
	/* Somebody may have asked for it just now. */
	went = went && __atomic_compare_exchange_n(word, &is, (is & ~(HERE | AGED)) | GOING, false, __ATOMIC_SEQ_CST,
						   __ATOMIC_SEQ_CST);
	spin_unlock(&r->lock);
	return went;
}

unsigned ram_take(struct ram *r, gfn_t gfn, bool shared, struct ram_going *list, unsigned *n, unsigned most)
{
	unsigned pages, before = *n, i = 0;
	uint64_t *word;

	if (is_one_piece(r, block_of(r, gfn)) && !open_block(r, gfn))
		return left_in(r, gfn, SLOT_BLOCK_PAGES);
	word = word_of(r, gfn);
	if (!word)
		return left_in(r, gfn, SLOT_BLOCK_PAGES);
	pages = left_in(r, gfn, RAM_GROUP);
	VM_MUTANT(TAKE_USED, ram_note_used(r, gfn, pages));
	for (; i < pages && *n < most; i++)
		if (!VM_KEPT(HELD_STAYS, is_held(r, GFN(gfn.v + i))) && begin_to_go(r, &word[i], shared))
			list[(*n)++] = (struct ram_going){ GFN(gfn.v + i), frame_in(word[i]) };
	/* Who asked just before may be using it still, with the heart's lock held. */
	if (*n > before)
		VM_MUTANT(TAKE_UNMAPS, unmap(r, gfn, i));
	return i;
}

/* ---- gone ---- */

static bool is_zero(hfn_t frame)
{
	const uint64_t *p = frames_ptr(frame);

	for (unsigned i = 0; i < PAGE_SIZE / sizeof(*p); i += 8)
		if (p[i] | p[i + 1] | p[i + 2] | p[i + 3] | p[i + 4] | p[i + 5] | p[i + 6] | p[i + 7])
			return false;
	return true;
}

/* RO2. Its word becomes this one, and its frame is free. false: it has been taken back. */
static bool settle(struct ram *r, const struct ram_going *g, uint64_t becomes)
{
	uint64_t *word = word_of(r, g->gfn), is;
	bool still;

	vm_seam();
	spin_lock(&r->lock);
	is = *word;
	still = VM_LEFT_OUT_OR(SETTLE_STILL, (is & ~WRITABLE) == (g->frame.v << PAGE_SHIFT | GOING));
	if (still) {
		__atomic_store_n(word, becomes, __ATOMIC_RELEASE);
		if (VM_KEPT(SETTLE_SHARED, !(is & WRITABLE)))
			note_shared(r, -1);
		note_resident(r, -1);
		r->swapped += becomes != 0;
		*(becomes ? &r->count.went : &r->count.zeroes) += 1;
	}
	spin_unlock(&r->lock);
	if (!still)
		return false;
	if (ram_disown(r, g->gfn, g->frame))
		frames_free(g->frame, 1);
	return true;
}

static void take_back(struct ram *r, gfn_t gfn)
{
	uint64_t *word = word_of(r, gfn);

	spin_lock(&r->lock);
	if (*word & GOING)
		__atomic_store_n(word, (*word & ~GOING) | HERE, __ATOMIC_RELEASE);
	spin_unlock(&r->lock);
}

/* ---- on its way: what the command that is under way is about, with the area's lock held ---- */

static struct {
	struct ram *ram;   /* NULL: nothing is */
	uint64_t place;    /* the first one that is written or read */
	unsigned count;    /* pages that the command has */
	/* Of what goes: all of it, in page[]; of which so many are done. */
	unsigned pages, done;
	struct ram_going page[SWAP_MOST];
	gfn_t gfn;         /* of what comes: the first */
	bool unread;       /* the last that was to come could not be read */
} moving;

static void write_next(void);

/* RO2. */
static void written(bool good)
{
	bool went = VM_LEFT_OUT_OR(PUT_OUT_WRITTEN, good);

	for (unsigned i = 0; i < moving.count; i++) {
		const struct ram_going *g = &moving.page[moving.done + i];

		if (went && settle(moving.ram, g, (moving.place + i) << PAGE_SHIFT | OUT))
			continue;
		VM_MUTANT(PUT_OUT_RELEASES, swap_release(moving.place + i));
		if (!went)
			VM_MUTANT(PUT_OUT_BACK, take_back(moving.ram, g->gfn));
	}
	moving.done += moving.count;
	write_next();
}

/* As many as find places in a row; those for which there is none stay. */
static void write_next(void)
{
	const struct ram_going *g = &moving.page[moving.done];

	moving.count = moving.done < moving.pages ? swap_take(moving.pages - moving.done, &moving.place) : 0;
	for (unsigned i = 0; i < moving.count; i++)
		memcpy((char *)swap_buffer() + i * PAGE_SIZE, frames_ptr(g[i].frame), PAGE_SIZE);
	if (moving.count) {
		swap_write(moving.place, moving.count, written);
		return;
	}
	for (; moving.done < moving.pages; moving.done++)
		VM_MUTANT(PUT_OUT_BACK_FULL, take_back(moving.ram, moving.page[moving.done].gfn));
	moving.ram = NULL;
}

/* RO2. false: it is still going, or has been taken back. */
static bool pack(struct ram *r, const struct ram_going *g)
{
	uint64_t place, began = rdtsc();
	bool went;

	if (!packed_takes() || !swap_take(1, &place))
		return false;
	went = packed_put(r->vm, place, frames_ptr(g->frame)) && settle(r, g, place << PAGE_SHIFT | OUT);
	if (!went)
		swap_release(place);
	r->count.packed += went;
	r->count.pack_ticks += rdtsc() - began;
	return went;
}

unsigned ram_put_out(struct ram *r, const struct ram_going *list, unsigned n)
{
	unsigned done = 0;

	BUG_ON(n > SWAP_MOST);
	swap_lock();
	swap_finish();
	moving.pages = moving.done = 0;
	for (unsigned i = 0; i < n; i++) {
		if (VM_KEPT(PUT_OUT_ZERO, is_zero(list[i].frame)))
			done += settle(r, &list[i], 0);
		else if (pack(r, &list[i]))
			done++;
		else
			moving.page[moving.pages++] = list[i];
	}
	moving.ram = r;
	write_next();
	done += moving.ram ? moving.pages : 0;
	swap_unlock();
	return done;
}

void ram_settle(const struct ram *r)
{
	swap_lock();
	if (moving.ram == r)
		swap_finish();
	swap_unlock();
}

/* ---- back ---- */

static bool is_out_at(const uint64_t *word, uint64_t place)
{
	return __atomic_load_n(word, __ATOMIC_ACQUIRE) == (place << PAGE_SHIFT | OUT);
}

/* Pages from gfn on that went one behind the other come back so, where nobody has to wait for that. */
static unsigned in_a_row(const struct ram *r, gfn_t gfn, uint64_t place)
{
	const uint64_t *word = word_of(r, gfn);
	unsigned most = reclaim_affords(RAM_AHEAD) ? left_in(r, gfn, RAM_AHEAD) : 1, n = 1;

	while (n < most && is_out_at(&word[n], place + n) && !packed_has(place + n))
		n++;
	return n;
}

/* The page is out, at this place, which is so as long as the area's lock is held, and has been read, or is packed.
 * Those behind the first have not been asked for. */
static bool put_back(struct ram *r, gfn_t gfn, uint64_t place, unsigned behind)
{
	uint64_t *word = word_of(r, gfn);
	hfn_t frame = frames_alloc();
	bool put = false;

	if (hfn_is_none(frame))
		return false;
	if (!VM_KEPT(PACKED_GOT, packed_get(place, frames_ptr(frame))))
		memcpy(frames_ptr(frame), (char *)swap_buffer() + behind * PAGE_SIZE, PAGE_SIZE);
	spin_lock(&r->lock);
	if (owner_set(frame, r->vm->id, gfn)) {
		__atomic_store_n(word, frame.v << PAGE_SHIFT | WRITABLE | HERE | (behind ? AGED : 0), __ATOMIC_RELEASE);
		note_resident(r, 1);
		r->swapped--;
		r->count.came++;
		put = true;
	}
	spin_unlock(&r->lock);
	if (put)
		VM_MUTANT(BACK_RELEASES, swap_release(place));
	else
		frames_free(frame, 1);
	return put;
}

/* RO3: what is not out any more, or there no more, is passed over. */
static void has_come(bool good)
{
	struct ram *r = moving.ram;

	moving.ram = NULL;
	moving.unread = !good;
	if (VM_KEPT(BACK_READ, !good))
		return;
	for (unsigned i = 0; i < moving.count; i++) {
		gfn_t gfn = GFN(moving.gfn.v + i);

		if (!VM_LEFT_OUT_OR(BACK_OUT_STILL, is_out_at(word_of(r, gfn), moving.place + i)))
			continue;
		if (i ? !reclaim_affords(1) : !share_allows(r->vm, 1))
			break;
		if (!put_back(r, gfn, moving.place + i, i))
			break;
	}
}

static void begin_to_come(struct ram *r, gfn_t gfn, uint64_t place)
{
	moving.ram = r;
	moving.gfn = gfn;
	moving.place = place;
	moving.count = in_a_row(r, gfn, place);
	swap_read(place, moving.count, has_come);
}

/* The area's lock is held. */
static enum ram_back read_back(struct ram *r, gfn_t gfn)
{
	uint64_t word;

	swap_finish();
	word = word_now(r, gfn); /* it may have come by that */
	if (!(word & OUT))
		return RAM_BACK;
	if (!share_allows(r->vm, 1))
		return RAM_SHORT;
	begin_to_come(r, gfn, word >> PAGE_SHIFT);
	swap_finish();
	if (moving.unread)
		return RAM_LOST;
	return word_now(r, gfn) == word ? RAM_SHORT : RAM_BACK;
}

static enum ram_back unpack(struct ram *r, gfn_t gfn, uint64_t word)
{
	uint64_t began = rdtsc();

	if (!share_allows(r->vm, 1) || !put_back(r, gfn, word >> PAGE_SHIFT, 0))
		return RAM_SHORT;
	r->count.unpacked++;
	r->count.unpack_ticks += rdtsc() - began;
	return RAM_BACK;
}

/* The same for a fault that comes again, so that others have their turn meanwhile. */
static enum ram_back call_back(struct ram *r, gfn_t gfn, uint64_t word)
{
	if (!swap_is_busy()) {
		if (!share_allows(r->vm, 1))
			return RAM_SHORT;
		begin_to_come(r, gfn, word >> PAGE_SHIFT);
	}
	reclaim_await();
	return RAM_COMES;
}

enum ram_back ram_bring_back(struct ram *r, gfn_t gfn)
{
	enum ram_back how = RAM_BACK;
	uint64_t word = word_now(r, gfn);
	bool later;

	if (word & GOING) {
		take_back(r, gfn);
		return RAM_BACK;
	}
	if (unlikely(word & ELSEWHERE))
		return ram_fetch(r, gfn, false);
	if (!(word & OUT))
		return RAM_NOT_OUT;
	vm_seam();
	swap_lock();
	/* One that cannot be read is read once more, by who can tell its VM. */
	later = reclaim_may_await(r->vm) && !moving.unread;
	VM_MUTANT(BACK_LOOKS_AGAIN, word = word_now(r, gfn)); /* RO3 */
	if ((word & OUT) && packed_has(word >> PAGE_SHIFT))
		how = unpack(r, gfn, word);
	else if (word & OUT)
		how = later ? call_back(r, gfn, word) : read_back(r, gfn);
	swap_unlock();
	return how;
}

bool ram_is_nothing(struct vm *vm, gfn_t gfn)
{
	const struct ram *r = ram_of(vm, gfn);

	return !r || (!ram_in_one_piece(r, gfn) && !word_now(r, gfn));
}

void ram_forget_out(struct ram *r, gfn_t gfn)
{
	uint64_t *word = word_of(r, gfn), was;

	swap_lock();
	spin_lock(&r->lock);
	was = word ? *word : 0;
	if (was & OUT) {
		__atomic_store_n(word, 0, __ATOMIC_RELEASE);
		r->swapped--;
	}
	spin_unlock(&r->lock);
	if (was & OUT)
		swap_release(was >> PAGE_SHIFT);
	swap_unlock();
}
