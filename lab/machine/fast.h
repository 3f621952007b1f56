/* lab/machine/fast.h - the fast implementation of the translation hardware, over caches that keep exact LRU without
 * moving their entries (lab/machine/assoc.h, lab/machine/lines.h) and a filter before the L1 TLBs
 * (lab/machine/filter.h). */
#ifndef VELLUM_LAB_FAST_H
#define VELLUM_LAB_FAST_H

#include "lab/machine/assoc.h"
#include "lab/machine/filter.h"
#include "lab/machine/lines.h"

struct fast {
	uint64_t clock;                 /* of the stamps */
	struct assoc tlb[8];
	unsigned tlbs;
	struct assoc *l1[2][LAB_SIZES]; /* [0: data, 1: instructions][size]; NULL: none holds that size */
	uint8_t l1_size[2][LAB_SIZES];  /* the size at which the L1 keeps a page of that size */
	struct assoc *l2[LAB_SIZES];
	struct assoc psc[6], npsc[6];   /* by the level of the entry */
	struct assoc ntlb;
	struct lines cache[3];
	struct lines beside[3];         /* lab/machine/sample.h */
	/* By place in its page, the line of the sample that was used last: a use of the same again changes nothing, as
	 * long as no translation does and no walk comes between (is_recent()). */
	uint64_t recent[LAB_PAGE_LINES];
	uint64_t epoch;                 /* of such; in the bits that recent_key() leaves */
	bool narrow;
	/* The shape that most machines have, which walks are compiled for: paging-structure caches of 4 ways for PD
	 * entries, one set of 4 for PDPT entries and one of 2 for PML4 entries, a nested TLB of 4 ways, memory caches
	 * of 8, 8 and 16 ways; all sets powers of two. */
	bool usual;
	/* By region of host memory (lab/machine/memory.h): makes of a line's number one in 32 bits, without gaps. */
	uint32_t renumber[LAB_VMS_MAX + 1];
	/* a bit for each class of GBytes of which pieces of larger guest pages were cached */
	uint64_t parts[4];
	/* The latest look-up met the page's tag without the rights: what fills may find it there. */
	bool stale;
	/* There were global translations of addresses below 2^63. */
	bool low_globals;
	struct filter filter;
};

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

/* Addresses have 57 bits at most, which are sign-extended. */
enum { RECENT_SHIFT = 51 };

static inline uint64_t recent_key(const struct fast *f, uint64_t gva)
{
	return (gva >> LAB_LINE_SHIFT & (BIT(RECENT_SHIFT) - 1)) | f->epoch;
}

static inline bool is_recent(const struct fast *f, uint64_t gva)
{
	return f->recent[lab_line_of(gva)] == recent_key(f, gva);
}

/* What was used last of the sample is not known any more. */
static inline void recent_forget(struct fast *f)
{
	f->epoch += BIT(RECENT_SHIFT);
	if (unlikely(!f->epoch)) {
		memset(f->recent, 0, sizeof(f->recent));
		f->epoch = BIT(RECENT_SHIFT);
	}
}

/* A number for the line of hpa that no other line has, in 32 bits; not 0. */
static inline uint32_t narrow_number(const struct fast *f, uint64_t hpa)
{
	return (uint32_t)(hpa >> 6) + f->renumber[hpa >> (LAB_VM_HFN_SHIFT + PAGE_SHIFT)];
}

/* For the usual shape. */
static inline unsigned usual_place(struct fast *f, struct lines cache[3], uint64_t hpa)
{
	uint32_t number = narrow_number(f, hpa);
	uint64_t line = hpa >> 6;

	if (lines_touch_some(&cache[0], line & cache[0].mask, number, 8))
		return LAB_L1;
	__builtin_prefetch(&cache[2].narrow[(line & cache[2].mask) * 16]);
	if (lines_touch_some(&cache[1], line & cache[1].mask, number, 8))
		return LAB_L2;
	return lines_touch_some(&cache[2], line & cache[2].mask, number, 16) ? LAB_L3 : LAB_DRAM;
}

/* A reference through the caches: what answers. A miss fills. */
static inline unsigned fast_place(const struct fast *f, struct lines cache[3], uint64_t hpa)
{
	const struct lines *last = &cache[2];
	uint64_t line = hpa >> 6;
	uint32_t number;

	if (unlikely(!f->narrow)) {
		for (unsigned i = 0; i < 3; i++)
			if (cache[i].sets && lines_touch_any(&cache[i], lines_set(&cache[i], line), line + 1))
				return i;
		return LAB_DRAM;
	}
	number = narrow_number(f, hpa);
	if (cache[0].sets && lines_touch(&cache[0], line, number))
		return LAB_L1;
	/* The largest array is the one that is not at hand. */
	if (last->sets)
		__builtin_prefetch(&last->narrow[lines_set(last, line) * last->ways]);
	if (cache[1].sets && lines_touch(&cache[1], line, number))
		return LAB_L2;
	if (last->sets && lines_touch(&cache[2], line, number))
		return LAB_L3;
	return LAB_DRAM;
}

/* The walk that follows when no TLB answers. */
struct lab_translation fast_walk(struct lab_machine *m, uint64_t gva, enum lab_kind kind, bool user);
/* Puts what it found into the TLBs. */
void fast_fill(struct lab_machine *m, uint64_t gva, enum lab_kind kind, bool user, unsigned size, uint64_t tag,
	       uint64_t a);
struct lab_translation fast_translate(struct lab_machine *m, uint64_t gva, enum lab_kind kind, bool user);
/* lab/machine/fast_flush.c */
uint64_t fast_invalidate(struct lab_machine *m, const struct lab_cover *cover, enum lab_flush cause);

#endif
