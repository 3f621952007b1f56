/* mmu/walk.c - the guest walker. Written from SDM, "Paging": "32-Bit Paging", "PAE Paging", "4-Level Paging and 5-Level
 * Paging", "Access Rights", "Page-Fault Exceptions", "Accessed and Dirty Flags".
 *
 * WK1  The walk reads each entry once; what it decides on is what it reports in .entry[].
 * WK2  Flags are set by compare-and-exchange with the value that was read; a lost race starts the walk again from the
 *      root.
 * WK3  An entry is judged in the order present, reserved bits; rights are judged when all entries are known. */
#include "mmu/walk.h"
#include "mmu/mutate.h"

#define REWALKS_MAX 64
/* Between an entry's flags and the address of the large page that it maps. */
#define RESERVED_2M MASK(20, 13)
#define RESERVED_1G MASK(29, 13)

/* How a format lays out its tables. Everything below is inlined for each mode, with these as constants: the walker is
 * on the path of every emulated instruction. */
static inline unsigned format_levels(enum paging_mode mode)
{
	return mode == PAGING_32BIT ? 2 : mode == PAGING_PAE ? 3 : mode == PAGING_4LEVEL ? 4 : 5;
}

static inline unsigned format_entry_size(enum paging_mode mode) { return mode == PAGING_32BIT ? 4 : 8; }

/* Bits of the linear address that index one table, and the lowest of them at a level. */
static inline unsigned format_bits(enum paging_mode mode) { return mode == PAGING_32BIT ? 10 : 9; }
static inline unsigned format_shift(enum paging_mode mode, unsigned level)
{
	return PAGE_SHIFT + format_bits(mode) * (level - 1);
}

/* SDM, "Paging-Mode Enabling". */
enum paging_mode walk_mode(const struct walk_regs *r)
{
	if (!(r->cr0 & CR0_PG))
		return PAGING_NONE;
	if (!(r->cr4 & CR4_PAE))
		return PAGING_32BIT;
	if (!(r->efer & EFER_LMA))
		return PAGING_PAE;
	return r->cr4 & CR4_LA57 ? PAGING_5LEVEL : PAGING_4LEVEL;
}

/* PS maps a page of 4 MBytes with CR4.PSE only, of 2 MBytes always, of 1 GByte where CPUID has that; elsewhere it is
 * reserved, or ignored (SDM, "32-Bit Paging", "PAE Paging", "4-Level Paging and 5-Level Paging"). */
static inline bool is_leaf(const struct walk_regs *r, enum paging_mode mode, unsigned level, uint64_t value)
{
	if (level == 1)
		return true;
	if (!(value & PTE_PS))
		return false;
	if (mode == PAGING_32BIT)
		return r->cr4 & CR4_PSE;
	return level == 2 || (level == 3 && mode != PAGING_PAE && r->has_1g);
}

/* The reserved bits that every present 8-byte entry has: no address beyond the guest's width goes further than here
 * (CVE-2016-3960). */
static inline uint64_t reserved_common(const struct walk_regs *r, enum paging_mode mode)
{
	uint64_t reserved = r->maxphyaddr < 52 ? MASK(51, r->maxphyaddr) : 0;

	if (!(r->efer & EFER_NXE))
		reserved |= PTE_NX;
	if (mode == PAGING_PAE)
		reserved |= PTE_ABOVE;
	return reserved;
}

/* Those that its level adds. */
static inline uint64_t reserved_level(unsigned level, bool leaf)
{
	if (level == 1)
		return 0;
	if (leaf)
		return level == 2 ? RESERVED_2M : RESERVED_1G;
	/* PS of a PDPTE without 1-GByte pages, of PML4Es, of PML5Es: no page, and no table either (CVE-2016-4480). */
	return level >= 3 ? PTE_PS : 0;
}

/* The reserved bits of a present 4-byte entry: only a 4-MByte page has any. Its bits 20:13 are address bits 39:32, as
 * far as the CPU has them (PSE-36). */
static inline uint64_t reserved_4(const struct walk_regs *r, unsigned level, bool leaf)
{
	unsigned m = r->maxphyaddr;

	if (!leaf || level != 2)
		return 0;
	m = m > 40 ? 40 : m < 32 ? 32 : m;
	return MASK(21, m - 19);
}

static inline uint64_t leaf_base(enum paging_mode mode, unsigned level, uint64_t value)
{
	if (mode == PAGING_32BIT && level == 2)
		return pde_4m_address(value);
	return value & MASK(51, format_shift(mode, level));
}

/* The protection-key part of a data access to a user-mode address (SDM, "Protection Keys"). */
static bool pkey_denies(const struct walk_regs *r, enum paging_mode mode, const struct walk_result *w, struct access a)
{
	uint32_t bits;

	if (mode < PAGING_4LEVEL || !(r->cr4 & CR4_PKE) || !w->user || a.fetch)
		return false;
	bits = r->pkru >> (2 * w->pkey);
	if (bits & PKRU_AD)
		return true;
	return (bits & PKRU_WD) && a.write && (a.user || (r->cr0 & CR0_WP));
}

/* SDM, "Determination of Access Rights", but for protection keys. */
static bool rights_allow(const struct walk_regs *r, const struct walk_result *w, struct access a)
{
	if (a.user) {
		if (!w->user || (a.write && !w->writable))
			return false;
		return !a.fetch || w->executable;
	}
	if (a.fetch)
		return w->executable && !(w->user && (r->cr4 & CR4_SMEP));
	if (w->user && (r->cr4 & CR4_SMAP) && (a.implicit || !r->ac))
		return false;
	return !a.write || w->writable || !(r->cr0 & CR0_WP);
}

/* I/D only where a fetch can be denied for its own sake: with SMEP, or NX (SDM, "Page-Fault Exceptions"). */
static uint32_t access_error(const struct walk_regs *r, struct access a)
{
	uint32_t error = 0;

	if (a.write)
		error |= PFERR_W;
	if (a.user)
		error |= PFERR_U;
	if (a.fetch && ((r->cr4 & CR4_SMEP) || ((r->cr4 & CR4_PAE) && (r->efer & EFER_NXE))))
		error |= PFERR_I;
	return error;
}

static struct walk_result no_paging(gva_t gva)
{
	return (struct walk_result){
		.ok = true, .gpa = GPA(gva.v & MASK(31, 0)), .page_shift = 30,
		.writable = true, .user = true, .executable = true, .dirty = true,
	};
}

static inline uint64_t read_entry(const struct walk_memory *m, gpa_t gpa, unsigned size)
{
	uint64_t value;

	if (likely(gpa.v - m->linear_base < m->linear_bytes)) {
		const char *p = m->linear ? m->linear + (gpa.v - m->linear_base) : slot_block_at(m->slot, gpa);

		if (likely(p) && size == 4)
			return __atomic_load_n((const uint32_t *)(const void *)p, __ATOMIC_ACQUIRE);
		if (likely(p))
			return __atomic_load_n((const uint64_t *)(const void *)p, __ATOMIC_ACQUIRE);
	}
	if (!m->read(m->ctx, gpa, size, &value))
		value = ~0ull;
	return size == 4 ? (uint32_t)value : value;
}

static inline uint64_t root_of(const struct walk_regs *r, enum paging_mode mode)
{
	return r->cr3 & (mode == PAGING_32BIT ? PTE_ADDRESS_32BIT : mode == PAGING_PAE ? CR3_PDPT : PTE_ADDRESS);
}

/* A PAE PDPTE: a register, checked when it was loaded; it has no rights of its own. */
static inline uint64_t read_pdpte(const struct walk_regs *r, gva_t gva, struct walk_result *w)
{
	struct walk_entry *e = &w->entry[w->count++];

	e->level = 3;
	e->gpa = GPA(~0ull);
	e->value = r->pdpte[gva.v >> 30 & 3];
	return e->value;
}

/* Reads the entries down to the leaf; *every: what all entries in memory have set. false: not present or reserved,
 * w->error says which. */
static ALWAYS_INLINE bool descend(const struct walk_regs *r, const struct walk_memory *m, enum paging_mode mode,
			   gva_t gva, struct walk_result *w, uint64_t *every)
{
	const unsigned size = format_entry_size(mode);
	const uint64_t address = size == 4 ? PTE_ADDRESS_32BIT : PTE_ADDRESS, index_mask = BIT(format_bits(mode)) - 1;
	uint64_t common = size == 8 ? reserved_common(r, mode) : 0, base = root_of(r, mode), all = ~0ull, nx = 0;
	unsigned level = format_levels(mode), count = 0;

	if (mode == PAGING_PAE) {
		base = read_pdpte(r, gva, w);
		if (!(base & PTE_P))
			return false;
		base &= address;
		level--;
		count++;
	}
	for (;; level--) {
		struct walk_entry *e = &w->entry[count++];
		uint64_t value;
		bool leaf;

		e->level = (uint8_t)level;
		e->gpa = GPA(base + (gva.v >> format_shift(mode, level) & index_mask) * size);
		e->value = value = read_entry(m, e->gpa, size);
		w->count = (uint8_t)count;
		if (!(value & PTE_P))
			return false;
		leaf = is_leaf(r, mode, level, value);
		if (value & (size == 8 ? common | reserved_level(level, leaf) : reserved_4(r, level, leaf))) {
			w->error |= PFERR_P | PFERR_RSVD;
			return false;
		}
		all &= value;
		nx |= value;
		if (leaf)
			break;
		base = value & address;
	}
	*every = all;
	w->writable = all & PTE_W;
	w->user = all & PTE_U;
	w->executable = !(nx & PTE_NX);
	return true;
}

static ALWAYS_INLINE void read_leaf(const struct walk_regs *r, enum paging_mode mode, gva_t gva, struct walk_result *w)
{
	const struct walk_entry *e = &w->entry[w->count - 1];
	unsigned shift = format_shift(mode, e->level);
	bool pat = e->value & (e->level == 1 ? PTE_PAT : PTE_PAT_LARGE);

	w->page_shift = (uint8_t)shift;
	w->gpa = GPA(leaf_base(mode, e->level, e->value) | (gva.v & (BIT(shift) - 1)));
	w->global = (e->value & PTE_G) && (r->cr4 & CR4_PGE);
	w->dirty = e->value & PTE_D;
	w->pat_index = (uint8_t)(pat << 2 | (e->value & PTE_PCD ? 2 : 0) | (e->value & PTE_PWT ? 1 : 0));
	if (mode >= PAGING_4LEVEL)
		w->pkey = e->value >> PTE_KEY_SHIFT & 15;
}

/* Sets the flags that the access needs; false: an update lost its race. Memory that cannot be written keeps its
 * flags. */
static bool set_flags(const struct walk_memory *m, unsigned size, struct access a, struct walk_result *w)
{
	for (unsigned i = 0; i < w->count; i++) {
		struct walk_entry *e = &w->entry[i];
		bool leaf = i == w->count - 1u, lost = false;
		uint64_t flags = leaf && a.write ? PTE_A | PTE_D : PTE_A;

		if ((e->value & flags) == flags || e->gpa.v == ~0ull)
			continue;
		if (!m->update(m->ctx, e->gpa, size, e->value, e->value | flags, &lost) && lost)
			return false;
		e->value |= flags;
	}
	w->dirty = w->entry[w->count - 1].value & PTE_D;
	return true;
}

/* One attempt. false: an update of the flags lost its race, and the walk begins again. */
static ALWAYS_INLINE bool walk_once(const struct walk_regs *r, const struct walk_memory *m, enum paging_mode mode,
			     gva_t gva, struct access access, bool set_ad, struct walk_result *w)
{
	uint64_t every;
	bool denied;

	/* The entries are written as they are read. */
	memset(w, 0, offsetof(struct walk_result, entry));
	if (!descend(r, m, mode, gva, w, &every)) {
		w->error |= access_error(r, access);
		return true;
	}
	read_leaf(r, mode, gva, w);
	denied = pkey_denies(r, mode, w, access);
	if (denied || !rights_allow(r, w, access)) {
		w->error = access_error(r, access) | PFERR_P | (denied ? PFERR_PK : 0);
		return true;
	}
	w->ok = true;
	/* Mostly nothing is left to be set. */
	if ((every & PTE_A) && (!access.write || w->dirty))
		return true;
	return !set_ad || MUTANT_OR(WALK_REWALK, set_flags(m, format_entry_size(mode), access, w));
}

static bool walk_in_mode(const struct walk_regs *r, const struct walk_memory *m, gva_t gva, struct access access,
			 bool set_ad, struct walk_result *w)
{
	switch (walk_mode(r)) {
	case PAGING_NONE:
		*w = no_paging(gva);
		return true;
	case PAGING_32BIT:
		return walk_once(r, m, PAGING_32BIT, gva, access, set_ad, w);
	case PAGING_PAE:
		return walk_once(r, m, PAGING_PAE, gva, access, set_ad, w);
	case PAGING_4LEVEL:
		return walk_once(r, m, PAGING_4LEVEL, gva, access, set_ad, w);
	default:
		return walk_once(r, m, PAGING_5LEVEL, gva, access, set_ad, w);
	}
}

struct walk_result walk(const struct walk_regs *r, const struct walk_memory *m, gva_t gva, struct access access,
			bool set_ad)
{
	struct walk_result w;

	for (unsigned tries = 0; tries < REWALKS_MAX; tries++)
		if (walk_in_mode(r, m, gva, access, set_ad, &w))
			return w;
	w.ok = false;
	w.retry = true;
	return w;
}
