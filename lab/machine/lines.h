/* lab/machine/lines.h - a cache of memory of the fast hardware: which lines it holds, in sets with exact LRU.
 *
 * With up to 16 ways the order of use is a word a set: the numbers of its ways, four bits each, the most recent one
 * lowest. The next to go is at hand without a search, and a use moves four bits and no lines. With more ways there are
 * stamps.
 *
 * SE1: a way that holds no line is behind all that hold one. */
#ifndef VELLUM_LAB_LINES_H
#define VELLUM_LAB_LINES_H

#include <emmintrin.h>

#include "lab/machine/machine.h"

struct lines {
	uint64_t *wide;   /* [sets * ways]: the number of the line plus one; or */
	uint32_t *narrow; /* a number of 32 bits, where that will do: half the host's own cache. 0: empty */
	uint64_t *order;  /* [sets]; NULL: */
	uint64_t *stamp;  /* [sets * ways] */
	uint64_t clock;
	uint32_t sets, ways;
	uint32_t mask;    /* sets - 1, where power */
	uint32_t last;    /* the shift of the last way's number in order */
	uint64_t all;     /* the bits of all ways' numbers */
	bool power;
};

bool lines_init(struct lines *c, struct lab_geometry g, bool narrow);
void lines_fini(struct lines *c);
/* Any number of ways, any kind of number. */
bool lines_touch_any(struct lines *c, size_t set, uint64_t number);

static inline size_t lines_set(const struct lines *c, uint64_t line)
{
	return likely(c->power) ? line & c->mask : line % c->sets;
}

/* The way's number goes to the front (SWAR: the lowest nibble that is equal is found exactly). */
static inline uint64_t order_front(uint64_t order, unsigned way)
{
	uint64_t x = order ^ way * 0x1111111111111111ull, below;
	unsigned at = (unsigned)__builtin_ctzll((x - 0x1111111111111111ull) & ~x & 0x8888888888888888ull) - 3;

	below = BIT(at) - 1;
	return (order & ~(below << 4 | 15)) | (order & below) << 4 | way;
}

/* A bit for each of eight numbers that is the key. */
static inline unsigned equal8(const uint32_t *set, __m128i key)
{
	__m128i low = _mm_loadu_si128((const __m128i *)(const void *)set);
	__m128i high = _mm_loadu_si128((const __m128i *)(const void *)(set + 4));
	__m128i both = _mm_packs_epi32(_mm_cmpeq_epi32(low, key), _mm_cmpeq_epi32(high, key));

	return (unsigned)_mm_movemask_epi8(_mm_packs_epi16(both, both)) & 255;
}

/* 8 or 16 ways, which most caches have: the last way becomes the first by a rotation of the order. */
static inline bool lines_touch_some(struct lines *c, size_t set, uint32_t number, unsigned ways)
{
	const __m128i key = _mm_set1_epi32((int)number);
	uint32_t *t = c->narrow + set * ways;
	uint64_t order = c->order[set];
	unsigned found;

	if (t[order & 15] == number)
		return true;
	found = equal8(t, key);
	if (ways == 16)
		found |= equal8(t + 8, key) << 8;
	if (found) {
		c->order[set] = order_front(order, (unsigned)__builtin_ctz(found));
		return true;
	}
	order = ways == 16 ? order << 4 | order >> 60 : (uint32_t)(order << 4) | order >> 28;
	c->order[set] = order;
	t[order & 15] = number;
	return false;
}

/* A look-up that fills, by the line and its narrow number. true: it was there. */
static inline bool lines_touch(struct lines *c, uint64_t line, uint32_t number)
{
	size_t set = lines_set(c, line);

	if (c->ways == 8)
		return lines_touch_some(c, set, number, 8);
	return c->ways == 16 ? lines_touch_some(c, set, number, 16) : lines_touch_any(c, set, number);
}

#endif
