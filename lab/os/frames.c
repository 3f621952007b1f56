/* lab/os/frames.c - the guest's physical memory: 2-MByte blocks, whole or split, as a buddy allocator would leave them.
 * Small pages come from blocks that are broken already (fragmented ones first), so that whole blocks last. */
#include <stdlib.h>
#include <string.h>

#include "lab/os/inside.h"
#include "lib/mix.h"

enum { RESERVED_BLOCKS = 16, BLOCKS_IN_GIANT = 512 }; /* 32 MBytes: firmware, the kernel's image */

static bool fragmented(const struct frames *f, uint64_t block)
{
	return (double)(mix(block + f->seed * 0x9e3779b97f4a7c15ull) >> 11) * 0x1p-53 < f->fragmentation;
}

bool frames_init(struct frames *f, uint64_t memory, double fragmentation, uint64_t seed)
{
	memset(f, 0, sizeof(*f));
	f->blocks = f->partial = f->limit = memory >> 21;
	f->fragmentation = fragmentation;
	f->seed = seed;
	f->state = calloc(f->blocks + 1, 1);
	f->split = calloc(f->blocks + 1, sizeof(*f->split));
	f->next_whole = f->next_fragmented = RESERVED_BLOCKS;
	if (f->state)
		memset(f->state, BLOCK_RESERVED, f->blocks < RESERVED_BLOCKS ? f->blocks : RESERVED_BLOCKS);
	return f->state && f->split;
}

void frames_fini(struct frames *f)
{
	for (uint64_t b = 0; f->split && b < f->blocks; b++)
		free(f->split[b]);
	free(f->split);
	free(f->state);
	free(f->freed);
	free(f->giants);
	free(f->refs.key);
	free(f->refs.extra);
}

/* ---- extra references: a hash table with linear probing ---- */

static uint64_t refs_at(const struct refs *r, uint64_t frame)
{
	uint64_t i = mix(frame) & (r->room - 1);

	while (r->key[i] && r->key[i] != frame + 1)
		i = (i + 1) & (r->room - 1);
	return i;
}

static bool refs_grow(struct refs *r)
{
	struct refs old = *r;

	r->room = old.room ? 2 * old.room : 1024;
	r->key = calloc(r->room, sizeof(*r->key));
	r->extra = calloc(r->room, sizeof(*r->extra));
	if (!r->key || !r->extra) {
		free(r->key);
		free(r->extra);
		*r = old;
		return false;
	}
	for (uint64_t i = 0; i < old.room; i++) {
		if (old.key[i]) {
			uint64_t at = refs_at(r, old.key[i] - 1);

			r->key[at] = old.key[i];
			r->extra[at] = old.extra[i];
		}
	}
	free(old.key);
	free(old.extra);
	return true;
}

static uint32_t refs_get(const struct refs *r, uint64_t frame)
{
	uint64_t at = r->room ? refs_at(r, frame) : 0;

	return r->room && r->key[at] ? r->extra[at] : 0;
}

static bool refs_add(struct refs *r, uint64_t frame, uint32_t by)
{
	uint64_t at;

	if (2 * r->used >= r->room && !refs_grow(r))
		return false;
	at = refs_at(r, frame);
	r->used += !r->key[at];
	r->key[at] = frame + 1;
	r->extra[at] += by;
	return true;
}

/* Empties a place, and moves up what a search would miss from then on. */
static void refs_remove(struct refs *r, uint64_t at)
{
	uint64_t mask = r->room - 1;

	r->used--;
	for (uint64_t i = (at + 1) & mask;; i = (i + 1) & mask) {
		uint64_t home;

		r->key[at] = 0;
		r->extra[at] = 0;
		for (; r->key[i]; i = (i + 1) & mask) {
			home = mix(r->key[i] - 1) & mask;
			if (((i - home) & mask) >= ((i - at) & mask))
				break;
		}
		if (!r->key[i])
			return;
		r->key[at] = r->key[i];
		r->extra[at] = r->extra[i];
		at = i;
	}
}

/* true: there was an extra reference, and now there is one less. */
static bool refs_drop(struct refs *r, uint64_t frame)
{
	uint64_t at = r->room ? refs_at(r, frame) : 0;

	if (!r->room || !r->key[at])
		return false;
	if (!--r->extra[at])
		refs_remove(r, at);
	return true;
}

/* ---- blocks ---- */

static bool push(uint64_t **list, uint64_t *count, uint64_t *room, uint64_t value)
{
	if (*count == *room) {
		uint64_t more = *room ? 2 * *room : 64;
		uint64_t *grown = realloc(*list, more * sizeof(**list));

		if (!grown)
			return false;
		*list = grown;
		*room = more;
	}
	(*list)[(*count)++] = value;
	return true;
}

static uint64_t fresh(const struct frames *f, uint64_t *next, bool want)
{
	for (; *next < f->limit; ++*next)
		if (fragmented(f, *next) == want && f->state[*next] == BLOCK_FREE)
			return (*next)++;
	return UINT64_MAX;
}

static uint64_t whole_block(struct frames *f)
{
	return f->freed_count ? f->freed[--f->freed_count] : fresh(f, &f->next_whole, false);
}

bool frames_whole_left(const struct frames *f)
{
	uint64_t next = f->next_whole;

	return f->freed_count || fresh(f, &next, false) != UINT64_MAX;
}

static void list_partial(struct frames *f, uint64_t block)
{
	struct split *s = f->split[block];

	if (s->listed)
		return;
	s->listed = true;
	s->next = f->partial;
	f->partial = block;
}

static bool make_split(struct frames *f, uint64_t block, bool full)
{
	struct split *s = f->split[block] ? f->split[block] : calloc(1, sizeof(*s));

	if (!s)
		return false;
	f->split[block] = s;
	f->state[block] = BLOCK_SPLIT;
	memset(s->used, full ? 0xff : 0, sizeof(s->used));
	s->count = full ? 512 : 0;
	if (!full && fragmented(f, block)) {
		uint64_t other = mix(block ^ f->seed) % 512; /* someone else's, for good */

		s->used[other / 64] |= 1ull << other % 64;
		s->count = 1;
	}
	if (!full)
		list_partial(f, block);
	return true;
}

static uint64_t alloc_small(struct frames *f)
{
	struct split *s;
	uint64_t block, i;

	while (f->partial < f->blocks) { /* a listed block may have filled up, or have become whole again */
		s = f->split[f->partial];
		if (f->state[f->partial] == BLOCK_SPLIT && s->count < 512)
			break;
		f->partial = s->next;
		s->listed = false;
	}
	if (f->partial >= f->blocks) {
		block = fresh(f, &f->next_fragmented, true);
		if (block == UINT64_MAX)
			block = whole_block(f);
		if (block == UINT64_MAX || !make_split(f, block, false))
			return UINT64_MAX;
	}
	block = f->partial;
	s = f->split[block];
	for (i = 0; s->used[i] == UINT64_MAX; i++)
		;
	i = 64 * i + (unsigned)__builtin_ctzll(~s->used[i]);
	s->used[i / 64] |= 1ull << i % 64;
	s->count++;
	f->used++;
	return block * 512 + i;
}

/* From the top of memory, as if set aside at boot. */
static uint64_t alloc_giant(struct frames *f)
{
	uint64_t base = (f->limit / BLOCKS_IN_GIANT - 1) * BLOCKS_IN_GIANT;

	if (f->giants_count)
		return f->giants[--f->giants_count];
	if (f->limit < 2 * BLOCKS_IN_GIANT || base < f->next_whole)
		return UINT64_MAX;
	/* next_fragmented may have passed blocks without taking them. */
	for (uint64_t b = base; b < base + BLOCKS_IN_GIANT; b++)
		if (f->state[b] != BLOCK_FREE)
			return UINT64_MAX;
	memset(f->state + base, BLOCK_GIANT, BLOCKS_IN_GIANT);
	f->limit = base;
	return base * 512;
}

uint64_t frames_alloc(struct frames *f, unsigned level)
{
	uint64_t frame = UINT64_MAX;

	if (level == 1)
		return alloc_small(f);
	if (level == 2) {
		frame = whole_block(f);
		if (frame != UINT64_MAX) {
			f->state[frame] = BLOCK_WHOLE;
			frame *= 512;
		}
	} else {
		frame = alloc_giant(f);
	}
	if (frame != UINT64_MAX)
		f->used += level_size(level) >> 12;
	return frame;
}

static void free_small(struct frames *f, uint64_t frame)
{
	uint64_t block = frame / 512, i = frame % 512;
	struct split *s = f->split[block];

	s->used[i / 64] &= ~(1ull << i % 64);
	s->count--;
	f->used--;
	/* When no room can be had to note that a block is whole, it stays split. */
	if (!s->count && push(&f->freed, &f->freed_count, &f->freed_room, block))
		f->state[block] = BLOCK_FREE;
	else
		list_partial(f, block);
}

bool frames_get(struct frames *f, uint64_t frame, unsigned level)
{
	if (level == 2 && f->state[frame / 512] == BLOCK_SPLIT) {
		for (unsigned i = 0; i < 512; i++)
			if (!refs_add(&f->refs, frame + i, 1))
				return false;
		return true;
	}
	return refs_add(&f->refs, frame, 1);
}

void frames_put(struct frames *f, uint64_t frame, unsigned level)
{
	if (level == 2 && f->state[frame / 512] == BLOCK_SPLIT) {
		for (unsigned i = 0; i < 512; i++)
			frames_put(f, frame + i, 1);
		return;
	}
	if (refs_drop(&f->refs, frame))
		return;
	if (level == 1) {
		free_small(f, frame);
		return;
	}
	f->used -= level_size(level) >> 12;
	if (level == 2) {
		f->state[frame / 512] = BLOCK_FREE;
		if (!push(&f->freed, &f->freed_count, &f->freed_room, frame / 512))
			f->state[frame / 512] = BLOCK_RESERVED;
	} else {
		push(&f->giants, &f->giants_count, &f->giants_room, frame);
	}
}

uint64_t frames_others(const struct frames *f, uint64_t frame, unsigned level)
{
	uint64_t most = 0;

	if (level != 2 || f->state[frame / 512] != BLOCK_SPLIT)
		return refs_get(&f->refs, frame);
	for (unsigned i = 0; i < 512; i++)
		if (refs_get(&f->refs, frame + i) > most)
			most = refs_get(&f->refs, frame + i);
	return most + 1; /* its parts are counted one by one: never to be taken for one page again */
}

bool frames_split(struct frames *f, uint64_t frame)
{
	uint32_t extra = refs_get(&f->refs, frame);

	if (f->state[frame / 512] == BLOCK_SPLIT)
		return true;
	for (unsigned i = 1; extra && i < 512; i++)
		if (!refs_add(&f->refs, frame + i, extra))
			return false;
	return make_split(f, frame / 512, true);
}
