/* mmu/walk.c - the guest walker. Written from SDM, "Paging": "32-Bit Paging", "PAE Paging", "4-Level Paging and 5-Level Paging",
 * "Access Rights", "Page-Fault Exceptions", "Accessed and Dirty Flags".
 *
 * W1  The walk reads each entry once; what it decides on is what it reports in .entry[].
 * W2  Flags are set by compare-and-exchange with the value that was read; a lost race starts the walk again from the root.
 * W3  An entry is judged in the order present, reserved bits; rights are judged when all entries are known. */
#include "mmu/walk.h"
#include "mmu/mutate.h"

#define REWALKS_MAX 64

/* One level of a guest's tables: which bits of the linear address index it. */
struct guest_level {
	uint8_t shift;
	uint8_t bits;
};

struct guest_format {
	uint8_t levels;
	uint8_t entry_size;
	struct guest_level level[WALK_LEVELS_MAX + 1]; /* by number; [0] unused */
};

static const struct guest_format formats[] = {
	[PAGING_32BIT] = { 2, 4, { [1] = { 12, 10 }, [2] = { 22, 10 } } },
	[PAGING_PAE] = { 3, 8, { [1] = { 12, 9 }, [2] = { 21, 9 }, [3] = { 30, 2 } } },
	[PAGING_4LEVEL] = { 4, 8, { [1] = { 12, 9 }, [2] = { 21, 9 }, [3] = { 30, 9 }, [4] = { 39, 9 } } },
	[PAGING_5LEVEL] = { 5, 8, { [1] = { 12, 9 }, [2] = { 21, 9 }, [3] = { 30, 9 }, [4] = { 39, 9 }, [5] = { 48, 9 } } },
};

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

static bool is_leaf(const struct walk_regs *r, enum paging_mode mode, unsigned level, uint64_t value)
{
	if (level == 1)
		return true;
	if (!(value & PTE_PS))
		return false;
	if (mode == PAGING_32BIT)
		return r->cr4 & CR4_PSE;
	return level == 2 || (level == 3 && mode != PAGING_PAE && r->has_1g);
}

/* The reserved bits of a present 8-byte entry. */
static uint64_t reserved_8(const struct walk_regs *r, enum paging_mode mode, unsigned level, bool leaf)
{
	uint64_t reserved = r->maxphyaddr < 52 ? MASK(51, r->maxphyaddr) : 0;

	if (!(r->efer & EFER_NXE))
		reserved |= PTE_NX;
	if (mode == PAGING_PAE)
		reserved |= MASK(62, 52);
	if (leaf && level == 2)
		reserved |= MASK(20, 13);
	if (leaf && level == 3)
		reserved |= MASK(29, 13);
	if (!leaf && level >= 3)
		reserved |= PTE_PS; /* a PDPTE without 1-GByte pages, PML4Es, PML5Es */
	return reserved;
}

/* The reserved bits of a present 4-byte entry: only a 4-MByte page has any. Its bits 20:13 are address bits 39:32, as far as the
 * CPU has them (PSE-36). */
static uint64_t reserved_4(const struct walk_regs *r, unsigned level, bool leaf)
{
	unsigned m = r->maxphyaddr;

	if (!leaf || level != 2)
		return 0;
	m = m > 40 ? 40 : m < 32 ? 32 : m;
	return MASK(21, m - 19);
}

static uint64_t leaf_base(const struct guest_format *f, unsigned level, uint64_t value)
{
	if (f->entry_size == 4 && level == 2)
		return (value & MASK(31, 22)) | (value & MASK(20, 13)) << 19;
	return value & MASK(51, f->level[level].shift);
}

/* The protection-key part of a data access to a user-mode address (SDM, "Protection Keys"). */
static bool pkey_denies(const struct walk_regs *r, enum paging_mode mode, const struct walk_result *w, struct access a)
{
	uint32_t bits;

	if (mode < PAGING_4LEVEL || !(r->cr4 & CR4_PKE) || !w->user || a.fetch)
		return false;
	bits = r->pkru >> (2 * w->pkey);
	if (bits & 1)
		return true;
	return (bits & 2) && a.write && (a.user || (r->cr0 & CR0_WP));
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

static uint64_t read_entry(const struct walk_memory *m, gpa_t gpa, unsigned size)
{
	uint64_t value;

	if (!m->read(m->ctx, gpa, size, &value))
		value = ~0ull;
	return size == 4 ? (uint32_t)value : value;
}

/* Reads the entries down to the leaf. false: not present or reserved, w->error says which. */
static bool descend(const struct walk_regs *r, const struct walk_memory *m, enum paging_mode mode, gva_t gva, struct walk_result *w)
{
	const struct guest_format *f = &formats[mode];
	uint64_t base = r->cr3 & (mode == PAGING_32BIT ? MASK(31, 12) : mode == PAGING_PAE ? MASK(31, 5) : MASK(51, 12));

	w->writable = w->user = w->executable = true;
	for (unsigned level = f->levels;; level--) {
		const struct guest_level *l = &f->level[level];
		uint64_t index = gva.v >> l->shift & (BIT(l->bits) - 1);
		struct walk_entry *e = &w->entry[w->count++];
		bool leaf;

		e->level = level;
		if (mode == PAGING_PAE && level == 3) {
			/* A register, checked when it was loaded; it has no rights of its own. */
			e->gpa = GPA(~0ull);
			e->value = r->pdpte[index];
			if (!(e->value & PTE_P))
				return false;
			base = e->value & MASK(51, 12);
			continue;
		}
		e->gpa = GPA(base + index * f->entry_size);
		e->value = read_entry(m, e->gpa, f->entry_size);
		if (!(e->value & PTE_P))
			return false;
		leaf = is_leaf(r, mode, level, e->value);
		if (e->value & (f->entry_size == 8 ? reserved_8(r, mode, level, leaf) : reserved_4(r, level, leaf))) {
			w->error |= PFERR_P | PFERR_RSVD;
			return false;
		}
		w->writable &= (e->value & PTE_W) != 0;
		w->user &= (e->value & PTE_U) != 0;
		w->executable &= !(e->value & PTE_NX);
		if (leaf)
			return true;
		base = e->value & (f->entry_size == 4 ? MASK(31, 12) : MASK(51, 12));
	}
}

static void read_leaf(const struct walk_regs *r, enum paging_mode mode, gva_t gva, struct walk_result *w)
{
	const struct guest_format *f = &formats[mode];
	const struct walk_entry *e = &w->entry[w->count - 1];
	unsigned shift = f->level[e->level].shift;
	bool pat = e->value & (e->level == 1 ? BIT(7) : BIT(12));

	w->page_shift = shift;
	w->gpa = GPA(leaf_base(f, e->level, e->value) | (gva.v & (BIT(shift) - 1)));
	w->global = (e->value & PTE_G) && (r->cr4 & CR4_PGE);
	w->dirty = e->value & PTE_D;
	w->pat_index = pat << 2 | (e->value & PTE_PCD ? 2 : 0) | (e->value & PTE_PWT ? 1 : 0);
	if (mode >= PAGING_4LEVEL)
		w->pkey = e->value >> 59 & 15;
}

/* Sets the flags that the access needs; false: an update lost its race. Memory that cannot be written keeps its flags. */
static bool set_flags(const struct walk_memory *m, unsigned size, struct access a, struct walk_result *w)
{
	for (unsigned i = 0; i < w->count; i++) {
		struct walk_entry *e = &w->entry[i];
		bool leaf = i == w->count - 1u, lost = false;
		uint64_t flags = leaf && a.write ? PTE_A | PTE_D : PTE_A;

		if (e->gpa.v == ~0ull || (e->value & flags) == flags)
			continue;
		if (!m->update(m->ctx, e->gpa, size, e->value, e->value | flags, &lost) && lost)
			return false;
		e->value |= flags;
	}
	w->dirty = w->entry[w->count - 1].value & PTE_D;
	return true;
}

struct walk_result walk(const struct walk_regs *r, const struct walk_memory *m, gva_t gva, struct access access, bool set_ad)
{
	enum paging_mode mode = walk_mode(r);
	struct walk_result w;

	if (mode == PAGING_NONE)
		return no_paging(gva);
	for (unsigned tries = 0; tries < REWALKS_MAX; tries++) {
		bool denied;

		/* The entries are written as they are read. */
		memset(&w, 0, offsetof(struct walk_result, entry));
		w.error = access_error(r, access);
		if (!descend(r, m, mode, gva, &w))
			return w;
		read_leaf(r, mode, gva, &w);
		denied = pkey_denies(r, mode, &w, access);
		if (denied || !rights_allow(r, &w, access)) {
			w.error |= PFERR_P | (denied ? PFERR_PK : 0);
			return w;
		}
		w.ok = true;
		if (!set_ad || MUTANT_OR(WALK_REWALK, set_flags(m, formats[mode].entry_size, access, &w)))
			return w;
	}
	w.ok = false;
	w.retry = true;
	return w;
}
