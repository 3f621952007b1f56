#include "host/memory/frames.h"

#include "host/cpu/spinlock.h"
#include "lib/mutants/mutate.h"
#include "host/memory/paging.h"

uint64_t frames_base READ_MOSTLY;

static struct {
	struct spinlock lock;
	/* Two bitmaps, one bit a frame, set when it is free, and when it is free and clear (FR2): 4 MiB of bitmaps for
	 * 64 GiB. In RAM, where boot_info_read() has found room for them. */
	hpa_t map;
	uint64_t mapped;  /* frames that it has bits for, a multiple of 64 */
	uint64_t end;     /* no frame at or above this is RAM */
	uint64_t hint;    /* no free single frame in a word below this one */
	uint64_t blocks;  /* no free block of 2 MiB from this one on */
	uint64_t total;
	uint64_t available;
} frames;

static inline uint64_t *free_map(void) { return frames_at(frames.map); }

static inline uint64_t *clear_map(void) { return free_map() + frames.mapped / 64; }

static bool is_free(uint64_t f) { return free_map()[f / 64] >> (f % 64) & 1; }

static void set_free(uint64_t f)
{
	free_map()[f / 64] |= BIT(f % 64);
	frames.available++;
}

static void set_used(uint64_t f)
{
	free_map()[f / 64] &= ~BIT(f % 64);
	VM_MUTANT(FRAMES_DIRTY, clear_map()[f / 64] &= ~BIT(f % 64));
	frames.available--;
}

static uint64_t frames_below(uint64_t end)
{
	return align_up(min_u64(end, FRAMES_BYTES_MAX) >> PAGE_SHIFT, FRAMES_BLOCK);
}

uint64_t frames_map_bytes(uint64_t end) { return align_up(2 * frames_below(end) / 8, PAGE_SIZE); }

void frames_init(uint64_t map, uint64_t end)
{
	frames.map = HPA(map);
	frames.mapped = frames_below(end);
	memset(free_map(), 0, frames_map_bytes(end));
}

uint64_t frames_end(void) { return frames.end << PAGE_SHIFT; }

void frames_add(uint64_t base, uint64_t end)
{
	uint64_t first = align_up(base, PAGE_SIZE) >> PAGE_SHIFT;
	uint64_t last = min_u64(end >> PAGE_SHIFT, frames.mapped);

	for (uint64_t f = first; f < last; f++)
		if (!is_free(f))
			set_free(f);
	frames.end = max_u64(frames.end, last);
	frames.blocks = frames.mapped / FRAMES_BLOCK;
	frames.total = frames.available;
}

void frames_reserve(uint64_t base, uint64_t end)
{
	uint64_t last = min_u64(align_up(end, PAGE_SIZE) >> PAGE_SHIFT, frames.end);

	for (uint64_t f = base >> PAGE_SHIFT; f < last; f++)
		if (is_free(f))
			set_used(f);
}

hfn_t frames_alloc(void)
{
	hfn_t found = HFN_NONE;
	bool clear = false;

	spin_lock(&frames.lock);
	for (uint64_t w = frames.hint; w * 64 < frames.end; w++) {
		if (!free_map()[w])
			continue;
		found = HFN(w * 64 + (uint64_t)__builtin_ctzll(free_map()[w]));
		clear = clear_map()[w] >> (found.v % 64) & 1;
		set_used(found.v);
		frames.hint = w;
		break;
	}
	spin_unlock(&frames.lock);
	if (!hfn_is_none(found) && !clear)
		memset(frames_ptr(found), 0, PAGE_SIZE);
	return found;
}

/* ---- blocks ---- */

#define BLOCK_WORDS (FRAMES_BLOCK / 64)

static bool all_set(const uint64_t *word)
{
	uint64_t all = ~0ull;

	for (unsigned i = 0; i < BLOCK_WORDS; i++)
		all &= word[i];
	return all == ~0ull;
}

static void set_block(uint64_t *map, uint64_t block, uint64_t value)
{
	for (unsigned i = 0; i < BLOCK_WORDS; i++)
		map[block * BLOCK_WORDS + i] = value;
}

static bool is_free_block(uint64_t b) { return all_set(&free_map()[b * BLOCK_WORDS]); }
static bool is_clear_block(uint64_t b) { return all_set(&clear_map()[b * BLOCK_WORDS]); }

static void take_block(uint64_t b)
{
	set_block(free_map(), b, 0);
	VM_MUTANT(FRAMES_DIRTY_BLOCK, set_block(clear_map(), b, 0));
	frames.available -= FRAMES_BLOCK;
}

/* The highest that is free, which is not taken yet: frames.blocks - 1. false: there is none. */
static bool find_block(void)
{
	while (frames.blocks && !is_free_block(frames.blocks - 1))
		frames.blocks--;
	return frames.blocks;
}

hfn_t frames_alloc_clear_block(void)
{
	hfn_t found = HFN_NONE;

	spin_lock(&frames.lock);
	if (find_block() && is_clear_block(frames.blocks - 1)) {
		take_block(--frames.blocks);
		found = HFN(frames.blocks * FRAMES_BLOCK);
	}
	spin_unlock(&frames.lock);
	return found;
}

hfn_t frames_alloc_block(void)
{
	bool clear = false;
	uint64_t b = ~0ull;

	spin_lock(&frames.lock);
	if (find_block()) {
		b = --frames.blocks;
		clear = is_clear_block(b);
		take_block(b);
	}
	spin_unlock(&frames.lock);
	if (b == ~0ull)
		return HFN_NONE;
	if (!clear)
		memset(frames_ptr(HFN(b * FRAMES_BLOCK)), 0, FRAMES_BLOCK << PAGE_SHIFT);
	return HFN(b * FRAMES_BLOCK);
}

/* Without the lock while it clears: the block is nobody else's then. */
static void clear_block(uint64_t b)
{
	take_block(b);
	spin_unlock(&frames.lock);
	memset(frames_ptr(HFN(b * FRAMES_BLOCK)), 0, FRAMES_BLOCK << PAGE_SHIFT);
	spin_lock(&frames.lock);
	set_block(free_map(), b, ~0ull);
	set_block(clear_map(), b, ~0ull);
	frames.available += FRAMES_BLOCK;
	frames.blocks = max_u64(frames.blocks, b + 1);
}

void frames_clear_ahead(uint64_t blocks)
{
	spin_lock(&frames.lock);
	for (uint64_t b = frames.mapped / FRAMES_BLOCK; blocks && b-- > 0;) {
		if (!is_free_block(b))
			continue;
		blocks--;
		if (!is_clear_block(b))
			clear_block(b);
	}
	spin_unlock(&frames.lock);
}

/* The first used frame in [first, first + count), or first + count. */
static uint64_t run_breaks_at(uint64_t first, uint64_t count)
{
	uint64_t f = first;

	while (f < first + count) {
		if (f % 64 == 0 && first + count - f >= 64 && free_map()[f / 64] == ~0ull)
			f += 64;
		else if (is_free(f))
			f++;
		else
			return f;
	}
	return f;
}

/* Runs come from the top, so that single frames (tables) and runs (guests' RAM) do not cut each other up. */
static hfn_t alloc_run_below(uint64_t end, uint64_t count, uint64_t align)
{
	hfn_t found = HFN_NONE;
	uint64_t first;

	spin_lock(&frames.lock);
	if (count && count <= end) {
		for (first = align_down(end - count, align);; first -= align) {
			if (run_breaks_at(first, count) == first + count) {
				found = HFN(first);
				break;
			}
			if (first < align)
				break;
		}
	}
	if (!hfn_is_none(found))
		for (uint64_t i = 0; i < count; i++)
			set_used(found.v + i);
	spin_unlock(&frames.lock);
	return found;
}

hfn_t frames_alloc_run(uint64_t count, uint64_t align) { return alloc_run_below(frames.end, count, align); }

hfn_t frames_alloc_run_low(uint64_t count, uint64_t align)
{
	return alloc_run_below(min_u64(frames.end, 4 * GIB >> PAGE_SHIFT), count, align);
}

void frames_free(hfn_t first, uint64_t count)
{
	spin_lock(&frames.lock);
	for (uint64_t i = 0; i < count; i++) {
		BUG_ON(is_free(first.v + i));
		set_free(first.v + i);
	}
	frames.hint = min_u64(frames.hint, first.v / 64);
	frames.blocks = max_u64(frames.blocks, (first.v + count - 1) / FRAMES_BLOCK + 1);
	spin_unlock(&frames.lock);
}

uint64_t frames_total(void) { return frames.total; }
uint64_t frames_available(void) { return frames.available; }
