/* lab/machine/plain_walk.c - the plain hardware's page walks. */
#include "lab/machine/plain.h"

#include "model/arch.h"

#define NEVER (~0ull)

static uint64_t read_entry(const struct lab_machine *m, uint64_t table, unsigned index)
{
	const uint64_t *entries = m->now.ram ? (const uint64_t *)(const void *)(m->now.ram->bytes + table)
					     : lab_frames_ptr(&m->frames, table >> PAGE_SHIFT);

	return entries[index];
}

static void write_entry(struct lab_machine *m, uint64_t table, unsigned index, uint64_t value)
{
	uint64_t *entries = m->now.ram ? (uint64_t *)(void *)(m->now.ram->bytes + table)
				       : lab_frames_ptr(&m->frames, table >> PAGE_SHIFT);

	entries[index] = value;
}

/* What one walk did, for what it may have to be put to. */
struct walk {
	struct lab_machine *m;
	uint64_t places[LAB_PLACES], ntlb_hits, ntlb_misses;
};

static void reference(struct walk *w, bool ept, unsigned level, uint64_t gpa, uint64_t hpa, uint64_t entry)
{
	unsigned place = plain_reference(w->m, hpa);
	struct lab_result *r = &w->m->counts->r;

	if (ept)
		r->ept_references[level][place]++;
	else
		r->guest_references[level][place]++;
	r->references++;
	w->places[place]++;
	if (lab_in_sample(w->m->sample.lines, hpa))
		lab_sampled_walk(w->m, hpa, place, plain_beside(w->m, hpa));
	if (w->m->listener)
		w->m->listener->reference(w->m->listener->ctx, ept, level, gpa, hpa, entry, place);
}

static void tell(const struct walk *w, const char *where, uint64_t page, unsigned size, bool hit)
{
	if (w->m->listener)
		w->m->listener->looked_up(w->m->listener->ctx, where, page, size, hit);
}

/* ---- paging-structure caches ---- */

static struct plain_entry *psc_find(const struct plain_cache *c, uint64_t number, const struct plain_entry *like)
{
	if (!c->sets)
		return NULL;
	for (unsigned i = 0; i < c->ways; i++) {
		struct plain_entry *e = &plain_set(c, number)[i];

		if (e->valid && e->page == number && e->size == like->size && e->vpid == like->vpid &&
		    e->pcid == like->pcid && e->vm == like->vm)
			return e;
	}
	return NULL;
}

static void psc_put(struct plain *p, const struct plain_cache *c, struct plain_entry e)
{
	struct plain_entry *at = psc_find(c, e.page, &e);

	if (!c->sets)
		return;
	if (!at)
		at = plain_victim(c, e.page);
	e.used = ++p->clock;
	*at = e;
}

/* ---- the second dimension ---- */

static const char *const npsc_names[] = { "", "", "EPT PD cache", "EPT PDPT cache", "EPT PML4 cache",
					 "EPT PML5 cache" };
static const char *const psc_names[] = { "", "", "PD cache", "PDPT cache", "PML4 cache", "PML5 cache" };

static struct plain_entry *nested_tlb(struct walk *w, uint64_t gpa)
{
	struct plain *p = w->m->hw;

	for (unsigned size = 0; size < LAB_SIZES; size++) {
		struct plain_entry like = { .size = (uint8_t)size, .vm = w->m->now.vm };
		struct plain_entry *e = psc_find(&p->ntlb, gpa >> size_shift(size), &like);

		if (p->ntlb.sets)
			tell(w, "nested TLB", gpa >> size_shift(size), size, e != NULL);
		if (!e)
			continue;
		e->used = ++p->clock;
		return e;
	}
	return NULL;
}

/* Where an EPT walk begins: the table, and its level. */
static uint64_t nested_start(struct walk *w, uint64_t gpa, unsigned *level)
{
	struct lab_machine *m = w->m;
	struct plain *p = m->hw;
	uint64_t table = m->now.eptp;

	*level = m->now.ept_levels;
	for (unsigned l = 2; l <= m->now.ept_levels; l++) {
		struct plain_entry like = { .vm = m->now.vm };
		struct plain_entry *e = psc_find(&p->npsc[l], gpa >> level_shift(l), &like);

		if (p->npsc[l].sets)
			tell(w, npsc_names[l], gpa >> level_shift(l), 0, e != NULL);
		if (!e)
			continue;
		e->used = ++p->clock;
		table = e->address;
		*level = l - 1;
		break;
	}
	m->counts->r.npsc_hits[*level == m->now.ept_levels ? 0 : *level + 1]++;
	return table;
}

/* The host-physical page of gpa and its size, or NEVER. */
static uint64_t nested(struct walk *w, uint64_t gpa, unsigned *size)
{
	struct lab_machine *m = w->m;
	struct plain *p = m->hw;
	struct plain_entry *e = nested_tlb(w, gpa);
	uint64_t table, entry, page;
	unsigned level;

	if (e) {
		w->ntlb_hits++;
		*size = e->size;
		return e->address;
	}
	w->ntlb_misses++;
	for (table = nested_start(w, gpa, &level);; level--) {
		unsigned index = gpa >> level_shift(level) & 511;
		const uint64_t *entries = lab_frames_ptr(&m->frames, table >> PAGE_SHIFT);

		entry = entries[index];
		reference(w, true, level, gpa, table + index * 8, entry);
		if (!(entry & X_EPT_RWX))
			return NEVER;
		if (level == 1 || entry & X_EPT_LARGE)
			break;
		table = entry & X_ADDRESS_MASK;
		psc_put(p, &p->npsc[level],
			(struct plain_entry){
				.valid = true, .vm = m->now.vm, .page = gpa >> level_shift(level), .address = table });
	}
	page = entry & X_ADDRESS_MASK & ~(BIT(level_shift(level)) - 1);
	*size = level - 1;
	psc_put(p, &p->ntlb, (struct plain_entry){ .valid = true, .vm = m->now.vm, .size = (uint8_t)(level - 1),
						   .page = gpa >> level_shift(level), .address = page });
	return page;
}

/* ---- the first dimension ---- */

static void account_refill(struct walk *w, uint64_t gva, bool fetch, const struct plain_entry *e)
{
	struct lab_machine *m = w->m;
	struct lab_counts *n = m->counts;
	uint64_t asid = (uint64_t)e->vpid << 12 | e->pcid | (e->global ? TAG_GLOBAL : 0);
	unsigned piece = e->size;
	int cause, other = -1;

	cause = lab_ghosts_take(&m->ghosts, tag_make(gva, size_shift(e->size), e->size, asid), m->now.ghost_root);
	while (piece > 0 && !plain_l1(m->hw, fetch, piece)->sets)
		piece--;
	if (piece != e->size)
		other = lab_ghosts_take(&m->ghosts, tag_make(gva, size_shift(piece), piece, asid), m->now.ghost_root);
	m->ghosts.fills++;
	if (cause < 0)
		cause = other;
	if (cause < 0)
		return;
	n->r.refills[cause]++;
	for (unsigned i = 0; i < LAB_PLACES; i++)
		n->refill_references[cause][i] += w->places[i];
	n->refill_ntlb_hits[cause] += w->ntlb_hits;
	n->refill_ntlb_misses[cause] += w->ntlb_misses;
}

static struct lab_translation violation(struct lab_machine *m, uint64_t gpa, bool of_table)
{
	m->counts->r.walks_exited++;
	return (struct lab_translation){ .how = LAB_VIOLATION, .gpa = gpa, .of_table = of_table };
}

static struct lab_translation fault(struct lab_machine *m, enum lab_kind kind, bool user, uint32_t error)
{
	if (kind == LAB_WRITE)
		error |= X_PF_WR;
	if (kind == LAB_FETCH)
		error |= X_PF_ID;
	if (user)
		error |= X_PF_US;
	m->counts->r.walks_faulted++;
	return (struct lab_translation){ .how = LAB_PAGE_FAULT, .error = error };
}

/* The end of a walk whose leaf allows the access. */
static struct lab_translation leaf(struct walk *w, unsigned level, unsigned rights, uint64_t entry, uint64_t gva,
				   bool fetch)
{
	struct lab_machine *m = w->m;
	uint64_t reach = BIT(level_shift(level)), page = entry & X_ADDRESS_MASK & ~(reach - 1),
		 gpa = page | (gva & (reach - 1));
	struct plain_entry e = { .valid = true, .size = (uint8_t)(level - 1), .vpid = m->now.vpid, .pcid = m->now.pcid,
				 .global = entry & X_G && m->now.global, .rights = rights };

	if (!(entry & X_D))
		e.rights &= ~MAY_WRITE;
	if (e.global)
		e.pcid = 0;
	if (m->now.nested) {
		unsigned size;
		uint64_t host = nested(w, gpa, &size);

		if (host == NEVER)
			return violation(m, gpa, false);
		if (size < e.size) {
			e.rights |= e.size == LAB_2M ? PART_OF_2M : PART_OF_1G;
			e.size = (uint8_t)size;
		}
		page = (host | (gpa & (BIT(size_shift(size)) - 1))) & ~(BIT(size_shift(e.size)) - 1);
	}
	e.address = page;
	e.page = gva >> size_shift(e.size);
	m->counts->r.walks_completed[e.size]++;
	account_refill(w, gva, fetch, &e);
	plain_fill(m, gva, fetch, &e);
	return (struct lab_translation){ .how = LAB_TRANSLATED, .hpa = page | (gva & (BIT(size_shift(e.size)) - 1)) };
}

/* The table that a walk looks into: as the guest names it, and where it is in the host (NEVER: not looked up yet). */
struct table {
	uint64_t gpa, host;
	unsigned level, rights;
};

/* The lowest table that a paging-structure cache leads to; without one, the root. */
static struct table start(struct walk *w, uint64_t gva)
{
	struct lab_machine *m = w->m;
	struct plain *p = m->hw;
	struct table t = { .gpa = m->now.root, .host = NEVER, .level = m->now.levels, .rights = MAY_ALL };

	for (unsigned l = 2; l <= m->now.levels; l++) {
		struct plain_entry like = { .vpid = m->now.vpid, .pcid = m->now.pcid };
		struct plain_entry *e = psc_find(&p->psc[l], gva >> level_shift(l), &like);

		if (p->psc[l].sets)
			tell(w, psc_names[l], gva >> level_shift(l), 0, e != NULL);
		if (!e)
			continue;
		e->used = ++p->clock;
		t = (struct table){ .gpa = e->gpa, .host = e->address, .level = l - 1, .rights = e->rights };
		break;
	}
	m->counts->r.psc_hits[t.level == m->now.levels ? 0 : t.level + 1]++;
	return t;
}

/* Finds where in the host the table is, whose entry at gpa is to be read. false: EPT violation. */
static bool locate(struct walk *w, struct table *t, uint64_t gpa)
{
	unsigned size;
	uint64_t page;

	if (t->host != NEVER)
		return true;
	if (!w->m->now.nested) {
		t->host = t->gpa;
		return true;
	}
	page = nested(w, gpa, &size);
	if (page == NEVER)
		return false;
	t->host = page | (t->gpa & (BIT(size_shift(size)) - 1));
	return true;
}

static unsigned rights_with(unsigned rights, uint64_t entry)
{
	if (!(entry & X_W))
		rights &= ~MAY_WRITE;
	if (!(entry & X_U))
		rights &= ~MAY_USER;
	if (entry & X_XD)
		rights &= ~MAY_FETCH;
	return rights;
}

/* Sets the accessed flag, and for a write to a page the dirty flag, where they are clear: the entry as it is then. */
static uint64_t set_flags(struct lab_machine *m, const struct table *t, unsigned index, uint64_t entry, bool written)
{
	uint64_t flags = X_A | (written ? X_D : 0);

	if ((entry & flags) == flags)
		return entry;
	m->counts->r.flag_updates++;
	write_entry(m, t->gpa, index, entry | flags);
	return entry | flags;
}

static struct lab_translation walk_tables(struct walk *w, uint64_t gva, enum lab_kind kind, bool user)
{
	struct lab_machine *m = w->m;
	struct plain *p = m->hw;
	struct table t = start(w, gva);
	unsigned needs = access_needs(kind, user);

	for (bool read = false;; read = true) {
		unsigned index = gva >> level_shift(t.level) & 511;
		uint64_t gpa = t.gpa + index * 8, entry;
		bool is_leaf;

		if (!locate(w, &t, gpa))
			return violation(m, gpa, true);
		if (read)
			psc_put(p, &p->psc[t.level + 1],
				(struct plain_entry){ .valid = true,
						      .vpid = m->now.vpid,
						      .pcid = m->now.pcid,
						      .page = gva >> level_shift(t.level + 1),
						      .address = t.host,
						      .gpa = t.gpa,
						      .rights = t.rights });
		entry = read_entry(m, t.gpa, index);
		reference(w, false, t.level, gpa, t.host + index * 8, entry);
		if (!(entry & X_P))
			return fault(m, kind, user, 0);
		t.rights = rights_with(t.rights, entry);
		is_leaf = t.level == 1 || (t.level <= 3 && entry & X_PS);
		if (is_leaf && (t.rights & needs) != needs)
			return fault(m, kind, user, X_PF_P);
		entry = set_flags(m, &t, index, entry, is_leaf && kind == LAB_WRITE);
		if (is_leaf)
			return leaf(w, t.level, t.rights, entry, gva, kind == LAB_FETCH);
		t = (struct table){
			.gpa = entry & X_ADDRESS_MASK, .host = NEVER, .level = t.level - 1, .rights = t.rights
		};
	}
}

struct lab_translation plain_walk(struct lab_machine *m, uint64_t gva, enum lab_kind kind, bool user)
{
	struct walk w = { .m = m };
	struct lab_translation t;

	m->counts->r.walks++;
	t = walk_tables(&w, gva, kind, user);
	m->counts->r.ntlb_hits += w.ntlb_hits;
	m->counts->r.ntlb_misses += w.ntlb_misses;
	return t;
}
