/* lab/machine/assoc.h - a cache of the fast hardware: an array of sets with exact LRU.
 *
 * The order of use is kept in one of two ways. With up to 16 ways, as a word a set: the numbers of its ways, four bits
 * each, the most recent one lowest; the next to go is at hand without a search. Otherwise, and where hits are many and
 * fills few (the L1 TLBs), as stamps: a hit stores the time and moves nothing.
 *
 * S1: of the ways that are empty none is in front of one that is not; a stamp of 0 is an empty way's.
 * S2: the same tag is in a set once. */
#ifndef VELLUM_LAB_ASSOC_H
#define VELLUM_LAB_ASSOC_H

#include <emmintrin.h>

#include "lab/machine/machine.h"

struct assoc {
	uint64_t *tag, *a, *b; /* [sets * ways]; a and b: what the tag stands for; b may be NULL; tag 0: empty */
	uint32_t *narrow;      /* of memory caches, instead of tag, where 32 bits will do: half the host's own cache */
	uint64_t *order;       /* [sets]; NULL: stamps */
	uint64_t *stamp;       /* [sets * ways] */
	uint64_t *clock;       /* of the stamps */
	uint32_t sets, ways;
	uint32_t mask;         /* sets - 1, where power */
	uint32_t last;         /* the shift of the last way's number in order */
	bool power;
	uint32_t live;         /* valid entries */
	uint32_t live_of[LAB_SIZES];
	uint32_t globals;      /* of them, those with global tags */
	uint64_t own_clock;
};

/* stamps: keep them also where a word would do. clock: whose; NULL: its own. false: out of memory. */
bool assoc_init(struct assoc *c, struct lab_geometry g, bool with_b, uint64_t *stamps);
void assoc_fini(struct assoc *c);
/* Empties a way that is in use. */
void assoc_drop(struct assoc *c, size_t set, unsigned way);

static inline size_t assoc_set(const struct assoc *c, uint64_t key)
{
	return likely(c->power) ? key & c->mask : key % c->sets;
}

/* The bit of order at which the number of the way ends (SWAR: the lowest nibble that is equal is found exactly). */
static inline unsigned order_find(uint64_t order, unsigned way)
{
	uint64_t x = order ^ way * 0x1111111111111111ull;

	return (unsigned)__builtin_ctzll((x - 0x1111111111111111ull) & ~x & 0x8888888888888888ull) - 3;
}

static inline uint64_t order_front(uint64_t order, unsigned way)
{
	unsigned at;
	uint64_t below;

	if ((order & 15) == way)
		return order;
	at = order_find(order, way);
	below = BIT(at) - 1;
	return (order & ~(below << 4 | 15)) | (order & below) << 4 | way;
}

/* The last way becomes the first. */
static inline uint64_t order_turn(uint64_t order, unsigned last)
{
	return (order << 4 & ((BIT(last) - 1) << 4 | 15)) | order >> last;
}

static inline void assoc_use(struct assoc *c, size_t set, unsigned way)
{
	if (c->order)
		c->order[set] = order_front(c->order[set], way);
	else
		c->stamp[set * c->ways + way] = ++*c->clock;
}

static inline unsigned find_among(const uint64_t *tags, unsigned ways, uint64_t tag)
{
	for (unsigned i = 0; i < ways; i++)
		if (tags[i] == tag)
			return i;
	return ways;
}

/* Where the tag is in its set; ways: nowhere. */
static inline unsigned assoc_find(const struct assoc *c, size_t set, uint64_t tag)
{
	const uint64_t *t = c->tag + set * c->ways;

	if (c->ways == 4)
		return t[0] == tag ? 0 : t[1] == tag ? 1 : t[2] == tag ? 2 : t[3] == tag ? 3 : 4;
	return find_among(t, c->ways, tag);
}

/* The least recently used way of stamps, or an empty one. */
static inline unsigned oldest(const uint64_t *stamp, unsigned ways)
{
	unsigned at = 0;

	for (unsigned i = 1; i < ways; i++)
		at = stamp[i] < stamp[at] ? i : at;
	return at;
}

static inline bool is_global(uint64_t tag) { return tag >> 63; }

/* Takes the place of the least recently used entry of the set; the tag is not there. */
static inline unsigned assoc_add(struct assoc *c, size_t set, unsigned size, uint64_t tag, uint64_t a, uint64_t b)
{
	size_t first = set * c->ways;
	unsigned way;
	uint64_t old;

	if (c->order) {
		c->order[set] = order_turn(c->order[set], c->last);
		way = c->order[set] & 15;
	} else {
		way = oldest(c->stamp + first, c->ways);
		c->stamp[first + way] = ++*c->clock;
	}
	old = c->tag[first + way];
	if (likely(old)) {
		c->live_of[tag_size(old)]--;
		c->globals -= is_global(old);
	} else {
		c->live++;
	}
	c->live_of[size]++;
	c->globals += is_global(tag);
	c->tag[first + way] = tag;
	c->a[first + way] = a;
	if (c->b)
		c->b[first + way] = b;
	return way;
}

/* The same, or in the place of the entry with the same tag. */
static inline unsigned assoc_put(struct assoc *c, size_t set, unsigned size, uint64_t tag, uint64_t a)
{
	unsigned way = assoc_find(c, set, tag);

	if (way == c->ways)
		return assoc_add(c, set, size, tag, a, 0);
	assoc_use(c, set, way);
	c->a[set * c->ways + way] = a;
	return way;
}

/* ---- caches of memory: tags alone */

static inline unsigned narrow_find(const uint32_t *set, unsigned ways, uint32_t tag)
{
	const __m128i key = _mm_set1_epi32((int)tag);
	unsigned i = 0;

	for (; i + 8 <= ways; i += 8) {
		__m128i low = _mm_loadu_si128((const __m128i *)(const void *)(set + i));
		__m128i high = _mm_loadu_si128((const __m128i *)(const void *)(set + i + 4));
		__m128i both = _mm_packs_epi32(_mm_cmpeq_epi32(low, key), _mm_cmpeq_epi32(high, key));
		int found = _mm_movemask_epi8(both);

		if (found)
			return i + (unsigned)__builtin_ctz((unsigned)found) / 2;
	}
	for (; i < ways; i++)
		if (set[i] == tag)
			return i;
	return ways;
}

/* A look-up that fills. true: it was there. */
static inline bool narrow_touch(struct assoc *c, uint64_t line, uint32_t tag)
{
	size_t set = assoc_set(c, line);
	uint32_t *t = c->narrow + set * c->ways;
	uint64_t order;
	unsigned way;

	if (unlikely(!c->order)) {
		way = narrow_find(t, c->ways, tag);
		order = way < c->ways;
		way = order ? way : oldest(c->stamp + set * c->ways, c->ways);
		c->stamp[set * c->ways + way] = ++*c->clock;
		t[way] = tag;
		return order;
	}
	order = c->order[set];
	if (t[order & 15] == tag)
		return true;
	way = narrow_find(t, c->ways, tag);
	if (way < c->ways) {
		c->order[set] = order_front(order, way);
		return true;
	}
	c->order[set] = order = order_turn(order, c->last);
	t[order & 15] = tag;
	return false;
}

static inline bool wide_touch(struct assoc *c, uint64_t line)
{
	size_t set = assoc_set(c, line);
	unsigned way = assoc_find(c, set, line + 1);

	if (way < c->ways) {
		assoc_use(c, set, way);
		return true;
	}
	if (c->order) {
		c->order[set] = order_turn(c->order[set], c->last);
		way = c->order[set] & 15;
	} else {
		way = oldest(c->stamp + set * c->ways, c->ways);
		c->stamp[set * c->ways + way] = ++*c->clock;
	}
	c->tag[set * c->ways + way] = line + 1;
	return false;
}

#endif
