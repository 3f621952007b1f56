/* lab/machine/assoc.h - a cache of translations of the fast hardware, or of table entries: sets with exact LRU by
 * stamps. A hit stores the time and moves nothing; what goes next is searched for, in four ways mostly.
 *
 * SE2: the same tag is in a set once; an empty entry has the tag 0 and the stamp 0. */
#ifndef VELLUM_LAB_ASSOC_H
#define VELLUM_LAB_ASSOC_H

#include "lab/machine/machine.h"

struct assoc_entry {
	uint64_t tag, a, b; /* a and b: what the tag stands for */
	uint64_t stamp;
};

struct assoc {
	struct assoc_entry *entry;      /* [sets * ways] */
	uint32_t sets, ways;
	uint32_t mask;                  /* sets - 1, where power */
	uint32_t live;                  /* valid entries */
	uint32_t live_of[2][LAB_SIZES]; /* of them, by size: those of an address space, and global ones */
	bool power;
};

/* false: out of memory. */
bool assoc_init(struct assoc *c, struct lab_geometry g);
void assoc_fini(struct assoc *c);
/* The counts of entries, after a tag has taken the place of another of another size, or of none (0). */
void assoc_recount(struct assoc *c, uint64_t old, uint64_t new);
/* Empties an entry that is in use. */
void assoc_drop(struct assoc *c, struct assoc_entry *e);

static inline struct assoc_entry *assoc_set(const struct assoc *c, uint64_t key)
{
	return &c->entry[(likely(c->power) ? key & c->mask : key % c->sets) * c->ways];
}

static inline bool is_global(uint64_t tag) { return tag >> 63; }
static inline bool assoc_holds(const struct assoc *c, unsigned size)
{
	return c->live_of[0][size] | c->live_of[1][size];
}

/* The entry of a set with the tag; NULL: there is none. What machines mostly have, 4 and 8 ways, is written out. */
static inline struct assoc_entry *assoc_find_in(struct assoc_entry *set, unsigned ways, uint64_t tag)
{
	if (ways == 4)
		return set[0].tag == tag ? set :
		       set[1].tag == tag ? set + 1 :
		       set[2].tag == tag ? set + 2 :
		       set[3].tag == tag ? set + 3 : NULL;
	if (ways == 8)
		return set[0].tag == tag ? set :
		       set[1].tag == tag ? set + 1 :
		       set[2].tag == tag ? set + 2 :
		       set[3].tag == tag ? set + 3 :
		       set[4].tag == tag ? set + 4 :
		       set[5].tag == tag ? set + 5 :
		       set[6].tag == tag ? set + 6 :
		       set[7].tag == tag ? set + 7 : NULL;
	for (struct assoc_entry *e = set; e < set + ways; e++)
		if (e->tag == tag)
			return e;
	return NULL;
}

static inline struct assoc_entry *assoc_find(const struct assoc *c, struct assoc_entry *set, uint64_t tag)
{
	return assoc_find_in(set, c->ways, tag);
}

static inline struct assoc_entry *older(struct assoc_entry *a, struct assoc_entry *b)
{
	return b->stamp < a->stamp ? b : a;
}

static inline struct assoc_entry *oldest4(struct assoc_entry *e)
{
	return older(older(e, e + 1), older(e + 2, e + 3));
}

/* The least recently used one of a set, or an empty one. */
static inline struct assoc_entry *assoc_oldest_in(struct assoc_entry *set, unsigned ways)
{
	struct assoc_entry *old = set;

	if (ways == 4)
		return oldest4(set);
	if (ways == 8)
		return older(oldest4(set), oldest4(set + 4));
	for (struct assoc_entry *e = set + 1; e < set + ways; e++)
		old = older(old, e);
	return old;
}

static inline struct assoc_entry *assoc_oldest(const struct assoc *c, struct assoc_entry *set)
{
	return assoc_oldest_in(set, c->ways);
}

/* Puts an entry in place of what is there. */
static inline void assoc_replace(struct assoc *c, struct assoc_entry *e, uint64_t now, uint64_t tag, uint64_t a,
				 uint64_t b)
{
	/* Mostly one like it goes. */
	if (unlikely((e->tag ^ tag) >> 61))
		assoc_recount(c, e->tag, tag);
	*e = (struct assoc_entry){ tag, a, b, now };
}

#endif
