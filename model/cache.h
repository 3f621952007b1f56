/* model/cache.h - one cache of translations: a TLB or a paging-structure cache, any number of sets and ways.
 *
 * Entries are those of SDM, "Information That May Be Cached": linear mappings (no EPT), guest-physical mappings (EPT
 * alone) and combined mappings (both), each either a translation or a paging-structure-cache entry.
 *
 * M2: an adversarial cache may hold several versions of one translation at once; an invalidation removes all of them.
 *     */
#ifndef VELLUM_MODEL_CACHE_H
#define VELLUM_MODEL_CACHE_H

#include "lib/base.h"

enum m_kind { M_LINEAR, M_GUEST_PHYSICAL, M_COMBINED };

enum m_flag {
	MF_W = 1, MF_U = 2, MF_XD = 4, MF_G = 8, MF_D = 16, /* from linear paging */
	/* from EPT: rights, and the leaf's dirty flag (or A/D flags off) */
	MF_ER = 32, MF_EW = 64, MF_EX = 128, MF_ED = 256,
};

struct m_entry {
	uint64_t page;    /* the address shifted by shift */
	uint64_t addr;    /* host-physical: of the page, or of the table that comes next */
	uint64_t gaddr;   /* the same as guest-physical address; combined entries only */
	uint64_t ep4ta;   /* tag; 0 for linear entries */
	/* the table that the walk began at, and the level it began with: for the account of flushes only */
	uint64_t root;
	uint64_t stamp;   /* of the last use */
	uint16_t vpid, pcid;
	uint16_t flags;
	uint8_t shift;    /* of what is cached */
	/* of the page as linear paging specifies it: one INVLPG removes all fragments of a large page */
	uint8_t gshift;
	uint8_t kind, mode, top;
	uint8_t ept_top;  /* levels of EPT that the walk went through; 0: none */
	uint8_t pkey, pat;
	uint8_t ept_type; /* EPT memory type, and 8 for "ignore PAT" */
};

#define M_WAYS_MAX 63

struct m_cache {
	unsigned sets, ways, live, words;
	uint64_t *used; /* by bit: the entries that hold something; as many words, and one that is 0 */
	struct m_entry *e;
};

bool m_cache_init(struct m_cache *c, unsigned sets, unsigned ways);
void m_cache_fini(struct m_cache *c);

/* The first entry of the page's set. */
static inline unsigned m_cache_set(const struct m_cache *c, uint64_t page)
{
	return (unsigned)page % c->sets * c->ways;
}

/* Of the set that begins there, by bit: the ways that hold something. */
static inline uint64_t m_cache_used(const struct m_cache *c, unsigned first)
{
	const uint64_t *at = &c->used[first / 64];
	unsigned shift = first % 64;

	return (at[0] >> shift | (shift ? at[1] << (64 - shift) : 0)) & (BIT(c->ways) - 1);
}

/* The same place, tags and kind, whatever it says. */
static inline bool m_same_key(const struct m_entry *a, const struct m_entry *b)
{
	return a->page == b->page && a->shift == b->shift && a->kind == b->kind && a->ep4ta == b->ep4ta &&
	       a->vpid == b->vpid && (a->pcid == b->pcid || (a->flags & b->flags & MF_G));
}

/* Adds e. many: keep other versions of the same key, and let chance say what must go; otherwise the oldest goes. */
void m_cache_insert(struct m_cache *c, const struct m_entry *e, bool many, uint64_t chance);
/* The entry is gone. */
static inline void m_cache_drop(struct m_cache *c, struct m_entry *e)
{
	unsigned i = (unsigned)(e - c->e);

	c->used[i / 64] &= ~BIT(i % 64);
	c->live--;
}

#endif
