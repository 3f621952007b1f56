/* lab/machine/fast_walk.c - the fast hardware's page walks, in one dimension (natively, and on shadow tables) and in
 * two (EPT).
 *
 * Implements SDM, "4-Level Paging and 5-Level Paging", "The Extended Page Table Mechanism (EPT)", and "Caching
 * Translation Information" for both: a cached guest entry leads straight to the host-physical place of the next
 * table. */
#include "lab/machine/fast.h"

#include "model/arch.h"

#define NEVER (~0ull)

struct walk {
	struct lab_machine *m;
	struct fast *f;
	struct lab_result *r;
	uint64_t places; /* references by what answered, 16 bits each: a walk has no more than 35 */
	uint32_t ntlb_hits, ntlb_misses;
};

static __attribute__((noinline)) void sampled(struct walk *w, uint64_t hpa, unsigned place, bool usual)
{
	lab_sampled_walk(w->m, hpa, place,
			 usual ? usual_place(w->f, w->f->beside, hpa) : fast_place(w->f, w->f->beside, hpa));
}

static inline unsigned level_at(struct walk *w, uint64_t hpa, bool usual)
{
	unsigned place = usual ? usual_place(w->f, w->f->cache, hpa) : fast_place(w->f, w->f->cache, hpa);

	w->places += 1ull << 16 * place;
	if (unlikely(lab_in_sample(w->m->sample.lines, hpa)))
		sampled(w, hpa, place, usual);
	return place;
}

static inline void guest_reference(struct walk *w, unsigned level, uint64_t hpa, bool usual)
{
	w->r->guest_references[level][level_at(w, hpa, usual)]++;
}

static inline void ept_reference(struct walk *w, unsigned level, uint64_t hpa, bool usual)
{
	w->r->ept_references[level][level_at(w, hpa, usual)]++;
}

/* Of a paging-structure cache for entries of a level: 2, 3 and 4; the nested TLB is like the one for 2. */
static inline unsigned ways_of(const struct assoc *c, unsigned level, bool usual)
{
	return !usual ? c->ways : level == 4 ? 2 : 4;
}

static inline struct assoc_entry *set_of(const struct assoc *c, unsigned level, uint64_t key,
					  bool usual)
{
	return !usual ? assoc_set(c, key) : level > 2 ? c->entry : &c->entry[(key & c->mask) * 4];
}

/* What a walk brings into a cache it has looked for there in vain, at the same level. */
static inline void add(struct walk *w, struct assoc *c, unsigned level, uint64_t address, unsigned shift,
		       const struct assoc_entry *what, bool usual)
{
	struct assoc_entry *set = set_of(c, level, address >> shift, usual);

	assoc_replace(c, assoc_oldest_in(set, ways_of(c, level, usual)), ++w->f->clock, what->tag, what->a, what->b);
}

static inline struct assoc_entry *look(struct walk *w, const struct assoc *c, unsigned level, uint64_t address,
				       unsigned shift, uint64_t tag, bool usual)
{
	struct assoc_entry *set = set_of(c, level, address >> shift, usual);
	struct assoc_entry *e = assoc_find_in(set, ways_of(c, level, usual), tag);

	if (e)
		e->stamp = ++w->f->clock;
	return e;
}

/* ---- the second dimension ---- */

/* The nested TLB, at whatever size it has the page. */
static inline uint64_t nested_tlb(struct walk *w, uint64_t gpa, unsigned *size, bool usual)
{
	const struct assoc *c = &w->f->ntlb;

	for (unsigned s = 0; s < LAB_SIZES; s++) {
		struct assoc_entry *e = NULL;

		if (c->live_of[0][s])
			e = look(w, c, 2, gpa, size_shift(s), tag_make(gpa, size_shift(s), s, w->m->now.vm), usual);
		if (!e)
			continue;
		*size = s;
		return e->a;
	}
	return NEVER;
}

/* Where an EPT walk begins: the table, and its level. */
static inline uint64_t nested_start(struct walk *w, uint64_t gpa, unsigned *level, bool usual)
{
	struct lab_machine *m = w->m;

	for (unsigned l = 2; l <= (usual ? 4 : m->now.ept_levels); l++) {
		struct assoc *c = &w->f->npsc[l];
		struct assoc_entry *e = NULL;

		if (c->live)
			e = look(w, c, l, gpa, level_shift(l), tag_make(gpa, level_shift(l), 0, m->now.vm), usual);
		if (!e)
			continue;
		w->r->npsc_hits[l]++;
		*level = l - 1;
		return e->a;
	}
	w->r->npsc_hits[0]++;
	*level = m->now.ept_levels;
	return m->now.eptp;
}

/* The host-physical address of the page that holds gpa (NEVER: EPT violation), and its size. */
static inline __attribute__((always_inline)) uint64_t nested_walk(struct walk *w, uint64_t gpa, unsigned *size,
								    bool usual)
{
	struct lab_machine *m = w->m;
	uint64_t table, entry, page = nested_tlb(w, gpa, size, usual);
	unsigned level;

	if (page != NEVER) {
		w->ntlb_hits++;
		return page;
	}
	w->ntlb_misses++;
	for (table = nested_start(w, gpa, &level, usual);; level--) {
		unsigned index = gpa >> level_shift(level) & 511;

		/* Read first: the host is slow to answer, too. */
		entry = ((const uint64_t *)lab_frames_ptr(&m->frames, table >> PAGE_SHIFT))[index];
		ept_reference(w, level, table + index * 8, usual);
		if (!(entry & X_EPT_RWX))
			return NEVER;
		if (level == 1 || entry & X_EPT_LARGE)
			break;
		table = entry & X_ADDRESS_MASK;
		if (usual || w->f->npsc[level].sets)
			add(w, &w->f->npsc[level], level, gpa, level_shift(level),
			    &(struct assoc_entry){ tag_make(gpa, level_shift(level), 0, m->now.vm), table, 0, 0 },
			    usual);
	}
	*size = level - 1;
	page = entry & X_ADDRESS_MASK & ~(BIT(level_shift(level)) - 1);
	if (usual || w->f->ntlb.sets)
		add(w, &w->f->ntlb, 2, gpa, level_shift(level),
		    &(struct assoc_entry){ tag_make(gpa, level_shift(level), *size, m->now.vm), page, 0, 0 },
		    usual);
	return page;
}

static uint64_t nested_usual(struct walk *w, uint64_t gpa, unsigned *size) { return nested_walk(w, gpa, size, true); }
static uint64_t nested_other(struct walk *w, uint64_t gpa, unsigned *size) { return nested_walk(w, gpa, size, false); }

static inline uint64_t nested(struct walk *w, uint64_t gpa, unsigned *size, bool usual)
{
	return usual ? nested_usual(w, gpa, size) : nested_other(w, gpa, size);
}

/* ---- the first dimension ---- */

/* A table that the walk looks into. */
struct table {
	uint64_t gpa;        /* as the entry above names it */
	uint64_t hpa;        /* NEVER: still to be translated */
	uint64_t *entries;
	unsigned level;
	unsigned rights;
	bool read;           /* the entry that names it was read in this walk, and is not from a cache */
};

static inline uint64_t *table_entries(const struct lab_machine *m, uint64_t address)
{
	if (m->now.ram)
		return (uint64_t *)(void *)(m->now.ram->bytes + address);
	return lab_frames_ptr(&m->frames, address >> PAGE_SHIFT);
}

static inline struct table start(struct walk *w, uint64_t gva, bool usual)
{
	struct lab_machine *m = w->m;

	for (unsigned l = 2; l <= (usual ? 4 : m->now.levels); l++) {
		struct assoc *c = &w->f->psc[l];
		struct assoc_entry *e = NULL;

		if (c->live)
			e = look(w, c, l, gva, level_shift(l), tag_make(gva, level_shift(l), 0, m->now.asid), usual);
		if (!e)
			continue;
		w->r->psc_hits[l]++;
		return (struct table){ .gpa = e->b,
				       .hpa = e->a & ENTRY_ADDRESS,
				       .entries = table_entries(m, e->b),
				       .level = l - 1,
				       .rights = e->a & MAY_ALL };
	}
	w->r->psc_hits[0]++;
	return (struct table){ .gpa = m->now.root,
			       .hpa = m->now.nested ? NEVER : m->now.root,
			       .entries = table_entries(m, m->now.root),
			       .level = m->now.levels,
			       .rights = MAY_ALL };
}

/* Finds where in host memory the table is. false: EPT violation at *gpa. */
static inline bool locate(struct walk *w, struct table *t, uint64_t gva, uint64_t *gpa, bool usual)
{
	unsigned size, level = t->level + 1;
	uint64_t page;

	if (t->hpa == NEVER) {
		*gpa = t->gpa + (gva >> level_shift(t->level) & 511) * 8;
		page = nested(w, *gpa, &size, usual);
		if (page == NEVER)
			return false;
		t->hpa = page | (t->gpa & (BIT(size_shift(size)) - 1));
	}
	if (t->read && (usual || w->f->psc[level].sets))
		add(w, &w->f->psc[level], level, gva, level_shift(level),
		    &(struct assoc_entry){ tag_make(gva, level_shift(level), 0, w->m->now.asid), t->hpa | t->rights,
					   t->gpa, 0 },
		    usual);
	return true;
}

static struct lab_translation fault(struct lab_machine *m, enum lab_kind kind, bool user, uint32_t present)
{
	m->counts->r.walks_faulted++;
	return (struct lab_translation){ .how = LAB_PAGE_FAULT, .error = present | (kind == LAB_WRITE ? X_PF_WR : 0) |
					 (user ? X_PF_US : 0) | (kind == LAB_FETCH ? X_PF_ID : 0) };
}

static void account_refill(struct walk *w, uint64_t tag, unsigned size, unsigned l1_size, uint64_t gva)
{
	struct lab_machine *m = w->m;
	struct lab_counts *n = m->counts;
	int cause = lab_ghosts_take(&m->ghosts, tag, m->now.ghost_root), other = -1;

	if (l1_size != size)
		other = lab_ghosts_take(&m->ghosts,
					tag_make(gva, size_shift(l1_size), l1_size, tag & (TAG_ASID_MASK | TAG_GLOBAL)),
					m->now.ghost_root);
	if (cause < 0)
		cause = other;
	if (cause < 0)
		return;
	n->r.refills[cause]++;
	for (unsigned i = 0; i < LAB_PLACES; i++)
		n->refill_references[cause][i] += w->places >> 16 * i & 0xffff;
	n->refill_ntlb_hits[cause] += w->ntlb_hits;
	n->refill_ntlb_misses[cause] += w->ntlb_misses;
}

/* The leaf was found and allows the access: the rest of the way, and the TLBs. */
static inline __attribute__((always_inline)) struct lab_translation leaf(struct walk *w, const struct table *t,
									 uint64_t entry, uint64_t gva,
									 enum lab_kind kind, bool user, bool usual)
{
	struct lab_machine *m = w->m;
	unsigned size = t->level - 1, nested_size;
	uint64_t page = entry & X_ADDRESS_MASK & ~(BIT(level_shift(t->level)) - 1), tag, a;
	uint64_t gpa = page | (gva & (BIT(level_shift(t->level)) - 1));
	bool global = entry & X_G && m->now.global;

	a = t->rights & (entry & X_D ? MAY_ALL : MAY_ALL & ~MAY_WRITE);
	if (m->now.nested) {
		page = nested(w, gpa, &nested_size, usual);
		if (page == NEVER) {
			m->counts->r.walks_exited++;
			return (struct lab_translation){ .how = LAB_VIOLATION, .gpa = gpa };
		}
		if (nested_size < size) {
			a |= size == LAB_2M ? PART_OF_2M : PART_OF_1G;
			size = nested_size;
		} else if (nested_size > size) {
			page |= gpa & (BIT(size_shift(nested_size)) - 1) & ~(BIT(size_shift(size)) - 1);
		}
	}
	tag = tag_make(gva, size_shift(size), size, global ? m->now.global_asid : m->now.asid);
	m->counts->r.walks_completed[size]++;
	if (!lab_ghosts_none(&m->ghosts))
		account_refill(w, tag, size, w->f->l1_size[kind == LAB_FETCH][size], gva);
	m->ghosts.fills++;
	fast_fill(m, gva, kind, user, size, tag, page | a);
	return (struct lab_translation){ .how = LAB_TRANSLATED, .hpa = page | (gva & (BIT(size_shift(size)) - 1)) };
}

static inline __attribute__((always_inline)) struct lab_translation walk_tables(struct walk *w, uint64_t gva,
									 enum lab_kind kind, bool user, bool usual)
{
	struct lab_machine *m = w->m;
	unsigned needs = access_needs(kind, user);
	struct table t = start(w, gva, usual);
	uint64_t gpa;

	for (;;) {
		unsigned index = gva >> level_shift(t.level) & 511;
		uint64_t entry, flags = X_A;
		bool is_leaf;

		if (!locate(w, &t, gva, &gpa, usual)) {
			m->counts->r.walks_exited++;
			return (struct lab_translation){ .how = LAB_VIOLATION, .gpa = gpa, .of_table = true };
		}
		entry = t.entries[index];
		guest_reference(w, t.level, t.hpa + index * 8, usual);
		if (!(entry & X_P))
			return fault(m, kind, user, 0);
		t.rights &=
			(entry & X_W ? MAY_WRITE : 0) | (entry & X_U ? MAY_USER : 0) | (entry & X_XD ? 0 : MAY_FETCH);
		is_leaf = t.level == 1 || (entry & X_PS && t.level <= 3);
		if (is_leaf) {
			if ((t.rights & needs) != needs)
				return fault(m, kind, user, X_PF_P);
			flags |= kind == LAB_WRITE ? X_D : 0;
		}
		if ((entry & flags) != flags) {
			m->counts->r.flag_updates++;
			t.entries[index] = entry |= flags;
		}
		if (is_leaf)
			return leaf(w, &t, entry, gva, kind, user, usual);
		t.gpa = entry & X_ADDRESS_MASK;
		t.hpa = m->now.nested ? NEVER : t.gpa;
		t.entries = table_entries(m, t.gpa);
		t.level--;
		t.read = true;
	}
}

static inline __attribute__((always_inline)) struct lab_translation one_walk(struct lab_machine *m, uint64_t gva,
									 enum lab_kind kind, bool user, bool usual)
{
	struct walk w = { .m = m, .f = m->hw, .r = &m->counts->r };
	struct lab_translation t = walk_tables(&w, gva, kind, user, usual);

	w.r->walks++;
	w.r->ntlb_hits += w.ntlb_hits;
	w.r->ntlb_misses += w.ntlb_misses;
	w.r->references += w.places * 0x0001000100010001ull >> 48; /* their sum */
	return t;
}

struct lab_translation fast_walk(struct lab_machine *m, uint64_t gva, enum lab_kind kind, bool user)
{
	const struct fast *f = m->hw;

	if (likely(f->usual && m->now.levels == 4 && (!m->now.nested || m->now.ept_levels == 4)))
		return one_walk(m, gva, kind, user, true);
	return one_walk(m, gva, kind, user, false);
}
