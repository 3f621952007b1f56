/* mmu/table/ptformat.h - one algorithm for every kind of hardware page table that the mechanisms build: look up, reach,
 * split, visit, free. What differs between EPT, 4-level, 5-level and PAE tables is in a descriptor.
 *
 * PF1  An entry is changed by one 8-byte store; a table is complete before an entry names it.
 * PF2  Splitting builds the whole child, then exchanges the large entry for it (S10).
 * PF3  Nothing here flushes and nothing frees a frame that the hardware may still walk: the caller takes the subtree's
 *      entry away, flushes, and then calls pt_free (S11). */
#ifndef VELLUM_MMU_PTFORMAT_H
#define VELLUM_MMU_PTFORMAT_H

#include "mmu/mmu.h"
#include "mmu/mutate.h"
#include "mmu/table/seam.h"

#define PT_LEVELS_MAX 5

struct pt_format {
	uint8_t root_level;
	uint8_t root_bits;     /* index bits at the root; 9 below it */
	uint64_t present;      /* an entry with none of these bits is not present */
	uint64_t address;      /* the bits of an entry that hold a frame's address */
	uint64_t leaf;         /* above level 1: this bit tells a leaf from a table */
	uint64_t table;        /* flags of an entry that names a table */
	uint64_t root_table;   /* the same in the root, where they differ; else 0 */
	uint64_t leaf_only;    /* flags of large leaves that their 4-KByte parts do not have */
	uint64_t accessed;     /* the flag that the CPU sets in a leaf that it uses */
	/* An entry is *special* (a cached MMIO leaf: never followed, never split) when (entry & special_mask) ==
	 * special. */
	uint64_t special_mask, special;
};

/* Tables in the form of the CPU's own paging. What an entry that names a table has; the bit by which an MMIO leaf is
 * known; what is left for addresses. The bit is the highest of an address, which is reserved on every CPU with fewer
 * than 52. */
#define PT_OWN_TABLE (PTE_P | PTE_W | PTE_U | PTE_A)
#define PT_OWN_MMIO_BIT 51
#define PT_OWN_MMIO BIT(PT_OWN_MMIO_BIT)
#define PT_OWN_ADDRESS MASK(PT_OWN_MMIO_BIT - 1, 12)
#define PT_OWN_FORMAT \
	.present = PTE_P, .address = PT_OWN_ADDRESS, .leaf = PTE_PS, .table = PT_OWN_TABLE, .leaf_only = PTE_PS, \
	.accessed = PTE_A, \
	.special_mask = PTE_P | PT_OWN_MMIO, .special = PTE_P | PT_OWN_MMIO

/* One tree of tables. */
struct pt {
	const struct pt_format *format;
	struct mmu_vm *vm;
	hfn_t root;
};

struct pt_position {
	uint64_t *entry;
	uint64_t value;  /* as read */
	uint8_t level;
	bool leaf;       /* value is present, not special, and maps a page */
};

static inline unsigned pt_shift(unsigned level) { return PAGING_SHIFT(level); }
static inline unsigned pt_level(unsigned shift) { return (shift - PAGE_SHIFT) / 9 + 1; }
/* Bytes below one entry at this level. */
static inline uint64_t pt_span(unsigned level) { return BIT(pt_shift(level)); }

static inline bool pt_special(const struct pt_format *f, uint64_t e)
{
	return f->special_mask && (e & f->special_mask) == f->special;
}

static inline bool pt_present(const struct pt_format *f, uint64_t e) { return (e & f->present) && !pt_special(f, e); }

static inline bool pt_is_leaf(const struct pt_format *f, uint64_t e, unsigned level)
{
	return pt_present(f, e) && (level == 1 || (e & f->leaf));
}

static inline hfn_t pt_frame(const struct pt_format *f, uint64_t e) { return HFN((e & f->address) >> PAGE_SHIFT); }
static inline void pt_set(uint64_t *entry, uint64_t value)
{
	__atomic_store_n(entry, value, __ATOMIC_RELEASE);
	seam_stored();
}
static inline void pt_clear_bits(uint64_t *entry, uint64_t bits)
{
	__atomic_and_fetch(entry, ~bits, __ATOMIC_ACQ_REL);
	seam_stored();
}
/* Nothing is there any more; what was. */
static inline uint64_t pt_take(uint64_t *entry)
{
	uint64_t was = __atomic_exchange_n(entry, 0, __ATOMIC_ACQ_REL);

	seam_stored();
	return was;
}
static inline uint64_t pt_get(const uint64_t *entry) { return __atomic_load_n(entry, __ATOMIC_ACQUIRE); }
/* BE2 in mmu/lock.h. false: the entry is no longer what was read. */
static inline bool pt_replace(uint64_t *entry, uint64_t was, uint64_t value)
{
	bool done = true;

	seam_beside();
	if (MUTANT_OR(BESIDE_LOST, false))
		__atomic_store_n(entry, value, __ATOMIC_RELEASE);
	else
		done = __atomic_compare_exchange_n(entry, &was, value, false, __ATOMIC_ACQ_REL, __ATOMIC_RELAXED);
	seam_beside();
	return done;
}

static inline uint64_t pt_table_flags(const struct pt_format *f, unsigned level)
{
	return level == f->root_level && f->root_table ? f->root_table : f->table;
}

/* One past the last address that the tree can map. */
static inline uint64_t pt_limit(const struct pt_format *f) { return BIT(pt_shift(f->root_level) + f->root_bits); }

/* The deepest position for addr at or above stop_level: a leaf, an entry that is not present or special, or stop_level
 * itself. */
struct pt_position pt_lookup(const struct pt *pt, uint64_t addr, unsigned stop_level);
/* Continues from at, whose entry is not present, down to level, making the tables between. false: no memory (tables
 * made so far stay). */
bool pt_reach(const struct pt *pt, uint64_t addr, unsigned level, struct pt_position *at);
/* Exchanges the large leaf at *at for a table of its parts; *at then names the part that holds addr. false: no memory,
 * no change. */
bool pt_split(const struct pt *pt, uint64_t addr, struct pt_position *at);

/* Calls visit for every present or special entry that is a leaf, and for every table that lies wholly inside [first,
 * end), from the top; returns whether to go down into such a table. Tables that lie partly inside are gone into without
 * asking. */
struct pt_visitor {
	bool (*visit)(struct pt_visitor *v, struct pt_position *at, uint64_t addr);
	uint64_t looked_at; /* entries, present or not; counted up */
};
void pt_visit(const struct pt *pt, uint64_t first, uint64_t end, struct pt_visitor *v);

/* Frees a table of the given level and all below it. Nothing may walk them any more. Returns how many entries it looked
 * at. */
uint64_t pt_free(const struct pt *pt, hfn_t table, unsigned level);
/* The same for all tables below the root, which stays. */
void pt_free_below_root(const struct pt *pt);

#endif
