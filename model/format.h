/* model/format.h - what the bits of a paging-structure entry mean, and what an access may do: pure functions of the
 * registers.
 *
 * Implements SDM, "Paging": the formats of 32-bit, PAE, 4-level and 5-level paging, "Access Rights", "Page-Fault
 * Exceptions", "Protection Keys". */
#ifndef VELLUM_MODEL_FORMAT_H
#define VELLUM_MODEL_FORMAT_H

#include "model/arch.h"

enum x_mode { X_NONE, X_32BIT, X_PAE, X_4LEVEL, X_5LEVEL };

/* A logical processor's state, as far as paging looks at it. */
struct x_regs {
	uint64_t cr0, cr3, cr4, efer;
	uint64_t pdpte[4];
	uint32_t pkru;
	bool ac;
	uint8_t maxphyaddr;
	bool page_1g;
};

struct x_access {
	bool write, fetch;
	bool user;     /* a user-mode access */
	bool implicit; /* an implicit supervisor access */
};

/* What a translation allows; the AND (or OR, for XD) over the entries used. */
struct x_rights {
	bool w, u, xd;
	uint8_t pkey;
};

enum x_kind { X_ABSENT, X_RESERVED, X_TABLE, X_LEAF };

struct x_entry {
	enum x_kind kind;
	uint64_t addr;  /* of the table, or the base of the page */
	uint8_t shift;  /* of the page */
	uint8_t pat;    /* PAT, PCD, PWT */
	bool w, u, xd, a, d, g;
	uint8_t pkey;
};

static inline enum x_mode x_mode(const struct x_regs *r)
{
	if (!(r->cr0 & X_CR0_PG))
		return X_NONE;
	if (r->efer & X_EFER_LMA)
		return r->cr4 & X_CR4_LA57 ? X_5LEVEL : X_4LEVEL;
	return r->cr4 & X_CR4_PAE ? X_PAE : X_32BIT;
}

/* The level whose entry is read first from memory (under PAE: the PDE, since PDPTEs are registers). */
static inline unsigned x_top(enum x_mode mode)
{
	return mode == X_5LEVEL ? 5 : mode == X_4LEVEL ? 4 : 2;
}

static inline unsigned x_entry_size(enum x_mode mode) { return mode == X_32BIT ? 4 : 8; }

/* Address bits below those that an entry of the level is chosen by. */
static inline unsigned x_shift(enum x_mode mode, unsigned level)
{
	return mode == X_32BIT ? (level == 2 ? 22 : 12) : 12 + 9 * (level - 1);
}

static inline unsigned x_index(enum x_mode mode, unsigned level, uint64_t va)
{
	return (va >> x_shift(mode, level)) & (mode == X_32BIT ? 1023 : 511);
}

/* The address bits that a mode translates. */
static inline uint64_t x_va(enum x_mode mode, uint64_t va)
{
	return mode >= X_4LEVEL ? va : va & 0xffffffffull;
}

/* SDM, "Canonical Addressing": of an address in 64-bit mode. */
static inline bool x_canonical(enum x_mode mode, uint64_t va)
{
	uint64_t high = va & ~(mode == X_5LEVEL ? 0x00ffffffffffffffull : 0x00007fffffffffffull);

	return mode < X_4LEVEL || high == 0 ||
	       high == (mode == X_5LEVEL ? 0xff00000000000000ull : 0xffff800000000000ull);
}

/* Where the first table is (not for PAE, nor without paging). */
static inline uint64_t x_root(const struct x_regs *r, enum x_mode mode)
{
	return mode == X_32BIT ? r->cr3 & 0xfffff000ull : r->cr3 & X_ADDRESS_MASK;
}

static inline uint16_t x_pcid(const struct x_regs *r)
{
	return r->cr4 & X_CR4_PCIDE ? r->cr3 & 0xfff : 0;
}

struct x_entry x_decode(const struct x_regs *r, enum x_mode mode, unsigned level, uint64_t value);
/* A PAE PDPTE may be loaded: absent, or no reserved bit set. */
bool x_pdpte_ok(const struct x_regs *r, uint64_t pdpte);
/* Where PAE's PDPTEs are loaded from. */
static inline uint64_t x_pdpt(uint64_t cr3) { return cr3 & 0xffffffe0ull; }

bool x_permitted(const struct x_regs *r, struct x_access a, struct x_rights rights);
/* The error code of a fault on a translation that exists: rights is what it allowed. */
uint32_t x_error_rights(const struct x_regs *r, struct x_access a, struct x_rights rights);
/* The error code of a fault for want of a translation. */
uint32_t x_error_absent(const struct x_regs *r, struct x_access a, bool reserved);

#endif
