/* lab/machine/fast.h - the fast implementation of the translation hardware. Every cache is an array of sets, each kept
 * in the order of use, most recent first: exact LRU without time stamps, and what is at the front costs one comparison.
 *
 * The *filter* before the L1 TLBs holds, by page number, translations known to be at the front of their set: an access
 * to one of them changes nothing but a count (Y2), so the loop only counts it. Whatever changes the front of a set
 * drops the filter's slot for what was there. */
#ifndef VELLUM_LAB_FAST_H
#define VELLUM_LAB_FAST_H

#include <emmintrin.h>

#include "lab/machine/machine.h"

struct assoc {
	uint64_t *tag, *a, *b; /* [sets * ways]; a and b: what the tag stands for; b may be NULL */
	uint32_t *narrow;      /* of memory caches, instead of tag, where 32 bits will do: half the host's own cache */
	uint32_t sets, ways;
	uint32_t mask;         /* sets - 1 where that is a power of two, else 0 */
	bool power;
	uint32_t live;         /* valid entries */
	uint32_t live_of[LAB_SIZES];
};

#define FILTER_4K 64
#define FILTER_2M 32
#define FILTER_1G 8
#define FILTER_NONE (~0ull)

/* Slots hold address >> shift of the page. Rows: 0 user read, 1 user write, 2 kernel read, 3 kernel write, 4 user
 * fetch, 5 kernel fetch. */
struct filter {
	uint64_t p4k[6][FILTER_4K];
	uint64_t p2m[6][FILTER_2M];
	uint64_t p1g[6][FILTER_1G];
};

struct fast {
	struct filter filter;
	struct assoc tlb[8];
	unsigned tlbs;
	struct assoc *l1[2][LAB_SIZES]; /* [0: data, 1: instructions][size]; NULL: none holds that size */
	uint8_t l1_size[2][LAB_SIZES];  /* the size at which the L1 keeps a page of that size */
	struct assoc *l2[LAB_SIZES];
	struct assoc psc[6], npsc[6];   /* by the level of the entry */
	struct assoc ntlb;
	struct assoc cache[3];          /* tags are lines plus one */
	uint64_t first_vm_frame, vm_frames; /* for narrow tags: frames numbered without gaps */
	/* a bit for each class of GBytes of which pieces of larger guest pages were cached */
	uint64_t parts[4];
};

static inline unsigned filter_row(enum lab_kind kind, bool user)
{
	return kind == LAB_FETCH ? (user ? 4 : 5) : (user ? 0 : 2) + (kind == LAB_WRITE);
}

static inline uint64_t *assoc_set(const struct assoc *c, uint64_t *array, uint64_t key)
{
	return &array[(c->power ? key & c->mask : key % c->sets) * c->ways];
}

/* Where the tag is in its set; ways: nowhere. */
static inline unsigned assoc_find(const struct assoc *c, const uint64_t *set, uint64_t tag)
{
	for (unsigned i = 0; i < c->ways; i++)
		if (set[i] == tag)
			return i;
	return c->ways;
}

/* Moves element `at` of a set to the front. */
static inline void to_front(uint64_t *set, unsigned at)
{
	uint64_t v = set[at];

	for (; at > 0; at--)
		set[at] = set[at - 1];
	set[0] = v;
}

static inline void assoc_use(const struct assoc *c, uint64_t key, unsigned at)
{
	if (at == 0)
		return;
	to_front(assoc_set(c, c->tag, key), at);
	to_front(assoc_set(c, c->a, key), at);
	if (c->b)
		to_front(assoc_set(c, c->b, key), at);
}

/* Puts an entry at the front, in the place of one with the same tag, or of an empty one, or of the last. */
static inline void assoc_put(struct assoc *c, uint64_t key, unsigned size, uint64_t tag, uint64_t a, uint64_t b)
{
	uint64_t *set = assoc_set(c, c->tag, key);
	unsigned at = assoc_find(c, set, tag);

	if (at == c->ways) {
		at = assoc_find(c, set, 0);
		if (at == c->ways) {
			at--;
			c->live_of[tag_size(set[at])]--;
		} else {
			c->live++;
		}
		c->live_of[size]++;
	}
	assoc_use(c, key, at);
	set[0] = tag;
	*assoc_set(c, c->a, key) = a;
	if (c->b)
		*assoc_set(c, c->b, key) = b;
}

/* Empties place `at` of a set. The rest keeps its order; the empty place goes behind it. */
static inline void assoc_drop(struct assoc *c, uint64_t *tag, uint64_t *a, uint64_t *b, unsigned at)
{
	c->live--;
	c->live_of[tag_size(tag[at])]--;
	for (; at + 1 < c->ways; at++) {
		tag[at] = tag[at + 1];
		a[at] = a[at + 1];
		if (b)
			b[at] = b[at + 1];
	}
	tag[at] = 0;
}

bool assoc_init(struct assoc *c, struct lab_geometry g, bool with_b);
void assoc_fini(struct assoc *c);

void fast_filter_clear(struct filter *f);

/* An invalidation of one address must look everywhere only where pieces of a larger page may be. */
static inline bool parts_at(const struct fast *f, uint64_t gva)
{
	unsigned class = (gva >> 30 ^ gva >> 38 ^ gva >> 46) & 255;

	return f->parts[class / 64] & BIT(class % 64);
}
static inline void parts_note(struct fast *f, uint64_t gva)
{
	unsigned class = (gva >> 30 ^ gva >> 38 ^ gva >> 46) & 255;

	f->parts[class / 64] |= BIT(class % 64);
}
/* The translation with this tag is no longer at the front of its set. */
static inline void filter_forget(struct filter *f, uint64_t tag)
{
	uint64_t page = tag_page(tag);

	for (unsigned row = 0; row < 6; row++) {
		switch (tag_size(tag)) {
		case LAB_4K: f->p4k[row][page % FILTER_4K] = FILTER_NONE; break;
		case LAB_2M: f->p2m[row][page % FILTER_2M] = FILTER_NONE; break;
		default: f->p1g[row][page % FILTER_1G] = FILTER_NONE; break;
		}
	}
}

/* A number for the line of hpa that no other line has, in 32 bits. */
static inline uint32_t narrow_tag(const struct fast *f, uint64_t hpa)
{
	uint64_t frame = hpa >> PAGE_SHIFT, region = frame >> LAB_VM_HFN_SHIFT;

	if (region)
		frame = f->first_vm_frame + (region - 1) * f->vm_frames + (frame & (BIT(LAB_VM_HFN_SHIFT) - 1));
	return (uint32_t)(frame << 6 | (hpa >> 6 & 63)) + 1;
}

static inline unsigned narrow_find(const uint32_t *set, unsigned ways, uint32_t tag)
{
	const __m128i key = _mm_set1_epi32((int)tag);
	unsigned i = 0;

	for (; i + 4 <= ways; i += 4) {
		__m128i four = _mm_loadu_si128((const __m128i *)(const void *)(set + i));
		int found = _mm_movemask_ps(_mm_castsi128_ps(_mm_cmpeq_epi32(four, key)));

		if (found)
			return i + (unsigned)__builtin_ctz((unsigned)found);
	}
	for (; i < ways; i++)
		if (set[i] == tag)
			return i;
	return ways;
}

static inline bool narrow_touch(struct assoc *c, uint64_t line, uint32_t tag)
{
	uint32_t *set = &c->narrow[(c->power ? line & c->mask : line % c->sets) * c->ways];
	unsigned at;

	if (set[0] == tag)
		return true;
	at = narrow_find(set, c->ways, tag);
	memmove(set + 1, set, (at < c->ways ? at : at - 1) * sizeof(*set));
	set[0] = tag;
	return at < c->ways;
}

static inline unsigned cache_touch(struct assoc *c, uint64_t line)
{
	uint64_t *set = assoc_set(c, c->tag, line);
	unsigned at = assoc_find(c, set, line + 1);
	bool hit = at < c->ways;

	if (!hit)
		at--;
	to_front(set, at);
	set[0] = line + 1;
	return hit;
}

/* A reference through the caches: what answers. A miss fills. */
static inline unsigned fast_place(struct fast *f, uint64_t hpa)
{
	const struct assoc *last = &f->cache[2];
	uint64_t line = hpa >> 6;

	if (f->cache[0].narrow || f->cache[1].narrow || last->narrow) {
		uint32_t tag = narrow_tag(f, hpa);

		/* The largest array is the one that is not at hand. */
		if (last->sets)
			__builtin_prefetch(
				&last->narrow[(last->power ? line & last->mask : line % last->sets) * last->ways]);
		for (unsigned i = 0; i < 3; i++)
			if (f->cache[i].sets && narrow_touch(&f->cache[i], line, tag))
				return i;
		return LAB_DRAM;
	}
	for (unsigned i = 0; i < 3; i++)
		if (f->cache[i].sets && cache_touch(&f->cache[i], hpa >> 6))
			return i;
	return LAB_DRAM;
}

/* The walk that follows when no TLB answers. */
struct lab_translation fast_walk(struct lab_machine *m, uint64_t gva, enum lab_kind kind, bool user);
/* Puts what it found into the TLBs. */
void fast_fill(struct lab_machine *m, uint64_t gva, enum lab_kind kind, bool user, unsigned size, uint64_t tag,
	       uint64_t a);
struct lab_translation fast_translate(struct lab_machine *m, uint64_t gva, enum lab_kind kind, bool user);

#endif
