/* vm/memory/owner.c - a directory with a word for each 2 MBytes of the machine, and frames with a word for each frame
 * of those that are not all one guest's. */
#include "vm/memory/owner.h"

#include "host/cpu/spinlock.h"
#include "lib/mutants/mutate.h"

/* A word: what it says in the lowest bits; then the guest frame (36 bits) or the number of users; then the virtual
 * machine's number. In the directory also the frame of the words of a block. */
#define KIND MASK(1, 0)
#define IS_PAGE 1ull
#define IS_SHARED 2ull
#define IS_SPLIT 3ull
#define NUMBER_SHIFT 4
#define NUMBER MASK(39, NUMBER_SHIFT)
#define VM_SHIFT 40

static struct {
	struct spinlock lock;
	struct {
		uint64_t word;
		uint64_t named; /* words of its frames that name somebody, once it is split */
	} *dir;
	uint64_t blocks;
	struct owner_sums shared;
} owners;

bool owners_init(void)
{
	uint64_t blocks = align_up(frames_end() >> PAGE_SHIFT, FRAMES_BLOCK) / FRAMES_BLOCK;

	owners.dir = frames_take(blocks * sizeof(*owners.dir));
	owners.blocks = blocks;
	return owners.dir;
}

static uint64_t *words_of(uint64_t block) { return frames_ptr(HFN(block >> PAGE_SHIFT)); }

static uint64_t page_word(unsigned vm, gfn_t gfn)
{
	return IS_PAGE | gfn.v << NUMBER_SHIFT | (uint64_t)vm << VM_SHIFT;
}

static gfn_t gfn_of(uint64_t word) { return GFN((word & NUMBER) >> NUMBER_SHIFT); }

/* What is said of the frame; the lock is held. */
static uint64_t word_of(hfn_t frame)
{
	uint64_t block = frame.v / FRAMES_BLOCK, in = frame.v % FRAMES_BLOCK;

	if (block >= owners.blocks)
		return 0;
	if ((owners.dir[block].word & KIND) == IS_SPLIT)
		return words_of(owners.dir[block].word)[in];
	return owners.dir[block].word ? owners.dir[block].word + (in << NUMBER_SHIFT) : 0;
}

struct frame_owner owner_of(hfn_t frame)
{
	struct frame_owner o = { .kind = OWNER_NOBODY };
	uint64_t word;

	spin_lock(&owners.lock);
	word = word_of(frame);
	spin_unlock(&owners.lock);
	if ((word & KIND) == IS_PAGE)
		o = (struct frame_owner){ OWNER_PAGE, (unsigned)(word >> VM_SHIFT), gfn_of(word), 1 };
	else if ((word & KIND) == IS_SHARED)
		o = (struct frame_owner){ .kind = OWNER_SHARED, .users = gfn_of(word).v };
	return o;
}

/* The words of the frames of a block that is nobody's as a whole, or one guest's. false: no memory. The lock is held,
 * and given up where memory is taken. */
static bool split(uint64_t block)
{
	uint64_t *words, whole;
	hfn_t f;

	if ((owners.dir[block].word & KIND) == IS_SPLIT)
		return true;
	spin_unlock(&owners.lock);
	f = frames_alloc();
	spin_lock(&owners.lock);
	if (hfn_is_none(f))
		return (owners.dir[block].word & KIND) == IS_SPLIT;
	whole = owners.dir[block].word;
	if ((whole & KIND) == IS_SPLIT) {
		frames_free(f, 1);
		return true;
	}
	words = frames_ptr(f);
	owners.dir[block].named = whole ? FRAMES_BLOCK : 0;
	for (uint64_t i = 0; whole && i < FRAMES_BLOCK; i++)
		words[i] = whole + (i << NUMBER_SHIFT);
	owners.dir[block].word = f.v << PAGE_SHIFT | IS_SPLIT;
	return true;
}

bool owner_split(hfn_t first)
{
	bool ok;

	spin_lock(&owners.lock);
	ok = split(first.v / FRAMES_BLOCK);
	spin_unlock(&owners.lock);
	return ok;
}

/* The frame of words goes back when nobody is named there any more; the lock is held. */
static void forget_if_empty(uint64_t block)
{
	if (owners.dir[block].named)
		return;
	frames_free(HFN(owners.dir[block].word >> PAGE_SHIFT), 1);
	owners.dir[block].word = 0;
}

bool owner_set(hfn_t frame, unsigned vm, gfn_t gfn)
{
	uint64_t block = frame.v / FRAMES_BLOCK;
	bool ok;

	spin_lock(&owners.lock);
	ok = split(block);
	if (ok) {
		uint64_t *word = &words_of(owners.dir[block].word)[frame.v % FRAMES_BLOCK];

		BUG_ON(*word); /* OW1 */
		*word = page_word(vm, gfn);
		owners.dir[block].named++;
	}
	spin_unlock(&owners.lock);
	return ok;
}

void owner_set_block(hfn_t first, unsigned vm, gfn_t gfn)
{
	spin_lock(&owners.lock);
	BUG_ON(owners.dir[first.v / FRAMES_BLOCK].word);
	owners.dir[first.v / FRAMES_BLOCK].word = page_word(vm, gfn);
	spin_unlock(&owners.lock);
}

void owner_clear(hfn_t frame)
{
	uint64_t block = frame.v / FRAMES_BLOCK;

	spin_lock(&owners.lock);
	BUG_ON((owners.dir[block].word & KIND) != IS_SPLIT);
	words_of(owners.dir[block].word)[frame.v % FRAMES_BLOCK] = 0;
	owners.dir[block].named--;
	forget_if_empty(block);
	spin_unlock(&owners.lock);
}

void owner_clear_block(hfn_t first)
{
	uint64_t *block = &owners.dir[first.v / FRAMES_BLOCK].word;

	spin_lock(&owners.lock);
	if ((*block & KIND) == IS_SPLIT)
		frames_free(HFN(*block >> PAGE_SHIFT), 1);
	*block = 0;
	spin_unlock(&owners.lock);
}

static uint64_t *shared_word(hfn_t frame)
{
	uint64_t block = owners.dir[frame.v / FRAMES_BLOCK].word;

	BUG_ON((block & KIND) != IS_SPLIT);
	return &words_of(block)[frame.v % FRAMES_BLOCK];
}

void owner_share(hfn_t frame, uint64_t users)
{
	spin_lock(&owners.lock);
	*shared_word(frame) = IS_SHARED | users << NUMBER_SHIFT;
	owners.shared.frames++;
	owners.shared.pages += users;
	spin_unlock(&owners.lock);
}

bool owner_join(hfn_t frame)
{
	bool shared;

	spin_lock(&owners.lock);
	shared = (owners.dir[frame.v / FRAMES_BLOCK].word & KIND) == IS_SPLIT && (word_of(frame) & KIND) == IS_SHARED;
	if (VM_LEFT_OUT_OR(OWNER_STILL, shared)) {
		*shared_word(frame) += 1ull << NUMBER_SHIFT;
		owners.shared.pages++;
	}
	spin_unlock(&owners.lock);
	return shared;
}

struct owner_sums owner_shared(void)
{
	struct owner_sums sums;

	spin_lock(&owners.lock);
	sums = owners.shared;
	spin_unlock(&owners.lock);
	return sums;
}

bool owner_leave(hfn_t frame, unsigned vm, gfn_t gfn)
{
	uint64_t *word;
	bool last;

	spin_lock(&owners.lock);
	word = shared_word(frame);
	BUG_ON((*word & KIND) != IS_SHARED);
	last = gfn_of(*word).v == 1;
	if (last)
		*word = page_word(vm, gfn);
	else
		*word -= 1ull << NUMBER_SHIFT;
	owners.shared.frames -= last;
	owners.shared.pages--;
	spin_unlock(&owners.lock);
	return last;
}

uint64_t owner_count(unsigned vm)
{
	uint64_t count = 0;

	spin_lock(&owners.lock);
	for (uint64_t f = 0; f < owners.blocks * FRAMES_BLOCK; f++) {
		uint64_t word;

		if (!owners.dir[f / FRAMES_BLOCK].word) {
			f += FRAMES_BLOCK - 1;
			continue;
		}
		word = word_of(HFN(f));
		count += (word & KIND) == IS_PAGE && word >> VM_SHIFT == vm;
	}
	spin_unlock(&owners.lock);
	return count;
}
