/* lab/machine/filter.h - the *filter* before the L1 TLBs of the fast hardware: by page number, translations that an L1
 * TLB holds, each with the place of its stamp. An access that it answers changes nothing but that stamp and a count
 * (Y2), so the loop makes it by itself.
 *
 * N1: a slot names what a look-up of the L1 TLB would find: an entry that leaves the TLB, or that another one comes in
 *     before, is forgotten here first. */
#ifndef VELLUM_LAB_FILTER_H
#define VELLUM_LAB_FILTER_H

#include "lab/machine/machine.h"

enum { FILTER_SLOTS = 256, FILTER_ROWS = 8 }; /* slots: as filter_slot() has it */
#define FILTER_NONE (~0ull)

/* Rows: 0 user read, 1 user write, 2 kernel read, 3 kernel write, 4 user fetch, 5 kernel fetch. */
struct filter_slot {
	uint64_t page; /* address >> shift of the page */
	uint64_t *stamp;
};
struct filter {
	struct filter_slot slot[LAB_SIZES][FILTER_SLOTS][FILTER_ROWS];
	uint64_t used[LAB_SIZES][FILTER_SLOTS / 64]; /* slots that may not be empty */
	bool any[2][LAB_SIZES];                      /* some were, of addresses below and from 2^63 on */
};

/* Programs put things at distances that are powers of two: the slot is a hash (Fibonacci's), of
 * those bits of the number that a tag has, too. */
static inline unsigned filter_slot(uint64_t page) { return (uint32_t)page * 0x9e3779b1u >> 24; }

static inline unsigned filter_row(enum lab_kind kind, bool user)
{
	return kind == LAB_FETCH ? (user ? 4 : 5) : (user ? 0 : 2) + (kind == LAB_WRITE);
}

static inline struct filter_slot *filter_at(struct filter *f, unsigned row, unsigned size, uint64_t gva)
{
	return &f->slot[size][filter_slot(gva >> size_shift(size))][row];
}

static inline bool filter_knows(const struct filter_slot *s, unsigned size, uint64_t gva)
{
	return s->page == gva >> size_shift(size);
}

static inline struct filter_slot *filter_set(struct filter *f, unsigned row, unsigned size, uint64_t gva,
					     uint64_t *stamp)
{
	uint64_t page = gva >> size_shift(size);
	unsigned slot = filter_slot(page);

	f->slot[size][slot][row] = (struct filter_slot){ page, stamp };
	f->used[size][slot / 64] |= BIT(slot % 64);
	f->any[gva >> 63][size] = true;
	return &f->slot[size][slot][row];
}

static inline void filter_empty(struct filter *f, unsigned size, unsigned slot)
{
	for (unsigned row = 0; row < FILTER_ROWS; row++)
		f->slot[size][slot][row].page = FILTER_NONE;
}

/* What is known of the page, or of others in its slots. */
static inline void filter_forget(struct filter *f, unsigned size, uint64_t page)
{
	unsigned slot = filter_slot(page);

	if (f->used[size][slot / 64] & BIT(slot % 64)) {
		f->used[size][slot / 64] &= ~BIT(slot % 64);
		filter_empty(f, size, slot);
	}
}

/* Of this size and larger ones. */
static inline void filter_forget_address(struct filter *f, uint64_t gva, unsigned smallest)
{
	for (unsigned size = smallest; size < LAB_SIZES; size++)
		if (f->any[gva >> 63][size])
			filter_forget(f, size, gva >> size_shift(size));
}

static inline void filter_clear(struct filter *f)
{
	for (unsigned size = 0; size < LAB_SIZES; size++) {
		for (unsigned i = 0; i < FILTER_SLOTS / 64; i++) {
			for (uint64_t used = f->used[size][i]; used; used &= used - 1)
				filter_empty(f, size, 64 * i + (unsigned)__builtin_ctzll(used));
			f->used[size][i] = 0;
		}
		f->any[0][size] = f->any[1][size] = false;
	}
}

#endif
