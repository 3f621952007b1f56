/* lab/machine/plain.c - the plain hardware's TLBs and memory caches. */
#include "lab/machine/plain.h"

#include <stdlib.h>

static bool cache_init(struct plain_cache *c, struct lab_geometry g)
{
	if (!g.entries)
		return true;
	c->ways = g.ways;
	c->sets = g.entries / g.ways;
	c->entry = calloc(g.entries, sizeof(*c->entry));
	return c->entry != NULL;
}

static void destroy(void *hardware)
{
	struct plain *p = hardware;

	for (unsigned i = 0; i < LAB_SIZES; i++) {
		free(p->l1d[i].entry);
		free(p->l1i[i].entry);
		free(p->memory[i].entry);
		free(p->beside[i].entry);
	}
	for (unsigned i = 0; i < 6; i++) {
		free(p->psc[i].entry);
		free(p->npsc[i].entry);
	}
	free(p->ntlb.entry);
	free(p->l2.entry);
	free(p->l2_1g.entry);
	free(p);
}

static bool memory_init(struct plain_cache memory[3], const struct lab_machine_config *c)
{
	return cache_init(&memory[0], c->l1_cache) && cache_init(&memory[1], c->l2_cache) &&
	       cache_init(&memory[2], c->l3_cache);
}

static void *make(const struct lab_config *config)
{
	const struct lab_machine_config *c = &config->machine;
	struct plain *p = calloc(1, sizeof(*p));
	bool ok = p != NULL;

	if (!p)
		return NULL;
	ok &= cache_init(&p->l1d[LAB_4K], c->l1d_4k) && cache_init(&p->l1d[LAB_2M], c->l1d_2m) &&
	      cache_init(&p->l1d[LAB_1G], c->l1d_1g);
	ok = ok && cache_init(&p->l1i[LAB_4K], c->l1i_4k) && cache_init(&p->l1i[LAB_2M], c->l1i_2m);
	ok = ok && cache_init(&p->l2, c->l2) && cache_init(&p->l2_1g, c->l2_1g) && cache_init(&p->ntlb, c->ntlb);
	ok = ok && cache_init(&p->psc[2], c->psc_pd) && cache_init(&p->psc[3], c->psc_pdpt) &&
	     cache_init(&p->psc[4], c->psc_pml4) && cache_init(&p->psc[5], c->psc_pml5);
	ok = ok && cache_init(&p->npsc[2], c->npsc_pd) && cache_init(&p->npsc[3], c->npsc_pdpt) &&
	     cache_init(&p->npsc[4], c->npsc_pml4) && cache_init(&p->npsc[5], c->npsc_pml5);
	ok = ok && memory_init(p->memory, c) &&
	     (!c->data_sample || c->data_cache || memory_init(p->beside, c));
	p->l1d_unified = c->l1d_unified;
	p->l1i_unified = c->l1i_unified;
	p->l2_holds = c->l2_holds;
	if (ok)
		return p;
	destroy(p);
	return NULL;
}

struct plain_cache *plain_l1(struct plain *p, bool fetch, unsigned size)
{
	if (fetch)
		return &p->l1i[p->l1i_unified ? LAB_4K : size];
	return &p->l1d[p->l1d_unified ? LAB_4K : size];
}

static struct plain_cache *plain_l2(struct plain *p, unsigned size)
{
	static struct plain_cache none;

	if (p->l2_holds & 1u << size)
		return &p->l2;
	return size == LAB_1G ? &p->l2_1g : &none;
}

struct plain_entry *plain_victim(const struct plain_cache *c, uint64_t number)
{
	struct plain_entry *set = plain_set(c, number), *oldest = set;

	for (unsigned i = 0; i < c->ways; i++) {
		if (!set[i].valid)
			return &set[i];
		if (set[i].used < oldest->used)
			oldest = &set[i];
	}
	return oldest;
}

static bool same_space(const struct lab_machine *m, const struct plain_entry *e)
{
	return e->vpid == m->now.vpid && (e->global || e->pcid == m->now.pcid);
}

/* A translation of gva at this size that allows the access. */
static struct plain_entry *find(struct lab_machine *m, const struct plain_cache *c, uint64_t gva, unsigned size,
				unsigned needs)
{
	uint64_t number = gva >> size_shift(size);
	struct plain_entry *set;

	if (!c->sets)
		return NULL;
	set = plain_set(c, number);
	for (unsigned i = 0; i < c->ways; i++) {
		struct plain_entry *e = &set[i];

		if (e->valid && e->size == size && e->page == number && same_space(m, e) &&
		    (e->rights & needs) == needs)
			return e;
	}
	return NULL;
}

/* Replaces a translation with the same tags, else the least recently used one. */
static void put(struct plain *p, const struct plain_cache *c, const struct plain_entry *e)
{
	struct plain_entry *set, *at;

	if (!c->sets)
		return;
	set = plain_set(c, e->page);
	at = plain_victim(c, e->page);
	for (unsigned i = 0; i < c->ways; i++)
		if (set[i].valid && set[i].size == e->size && set[i].page == e->page && set[i].vpid == e->vpid &&
		    set[i].global == e->global && set[i].pcid == e->pcid)
			at = &set[i];
	*at = *e;
	at->used = ++p->clock;
}

/* Where the L1 has no place for a size, the piece of the page around gva goes into that for the next smaller size. */
static void put_l1(struct plain *p, bool fetch, uint64_t gva, const struct plain_entry *e)
{
	struct plain_entry piece = *e;

	while (piece.size > 0 && !plain_l1(p, fetch, piece.size)->sets)
		piece.size--;
	if (piece.size != e->size) {
		piece.page = gva >> size_shift(piece.size);
		piece.address =
			e->address + (gva & (BIT(size_shift(e->size)) - 1) & ~(BIT(size_shift(piece.size)) - 1));
		piece.rights |= e->size == LAB_1G ? PART_OF_1G : PART_OF_2M;
	}
	put(p, plain_l1(p, fetch, piece.size), &piece);
}

void plain_fill(struct lab_machine *m, uint64_t gva, bool fetch, const struct plain_entry *e)
{
	put(m->hw, plain_l2(m->hw, e->size), e);
	put_l1(m->hw, fetch, gva, e);
}

static void tell(const struct lab_machine *m, const char *where, uint64_t gva, unsigned size, bool hit)
{
	if (m->listener)
		m->listener->looked_up(m->listener->ctx, where, gva >> size_shift(size), size, hit);
}

static struct lab_translation translated(const struct plain_entry *e, uint64_t gva)
{
	return (struct lab_translation){ .how = LAB_TRANSLATED,
					 .hpa = e->address | (gva & (BIT(size_shift(e->size)) - 1)) };
}

static struct lab_translation translate(struct lab_machine *m, uint64_t gva, enum lab_kind kind, bool user)
{
	struct plain *p = m->hw;
	bool fetch = kind == LAB_FETCH;
	unsigned needs = access_needs(kind, user);

	for (unsigned size = 0; size < LAB_SIZES; size++) {
		struct plain_entry *e = find(m, plain_l1(p, fetch, size), gva, size, needs);

		tell(m, fetch ? "L1 instruction TLB" : "L1 data TLB", gva, size, e != NULL);
		if (!e)
			continue;
		e->used = ++p->clock;
		m->counts->r.l1_hits[size]++;
		return translated(e, gva);
	}
	for (unsigned size = 0; size < LAB_SIZES; size++) {
		struct plain_entry *e = find(m, plain_l2(p, size), gva, size, needs);

		tell(m, "L2 TLB", gva, size, e != NULL);
		if (!e)
			continue;
		e->used = ++p->clock;
		m->counts->r.l2_hits[size]++;
		put_l1(p, fetch, gva, e);
		return translated(e, gva);
	}
	return plain_walk(m, gva, kind, user);
}

/* ---- memory ---- */

static unsigned level_of(struct plain *p, struct plain_cache memory[3], uint64_t hpa)
{
	uint64_t line = hpa >> 6;

	for (unsigned i = 0; i < ARRAY_SIZE(p->memory); i++) {
		struct plain_cache *c = &memory[i];
		struct plain_entry *set, *hit = NULL;

		if (!c->sets)
			continue;
		set = plain_set(c, line);
		for (unsigned k = 0; k < c->ways; k++)
			if (set[k].valid && set[k].page == line)
				hit = &set[k];
		if (hit) {
			hit->used = ++p->clock;
			return i;
		}
		*plain_victim(c, line) = (struct plain_entry){ .valid = true, .page = line, .used = ++p->clock };
	}
	return LAB_DRAM;
}

unsigned plain_reference(struct lab_machine *m, uint64_t hpa)
{
	struct plain *p = m->hw;

	return level_of(p, p->memory, hpa);
}

unsigned plain_beside(struct lab_machine *m, uint64_t hpa)
{
	struct plain *p = m->hw;

	return level_of(p, p->beside, hpa);
}

/* ---- invalidation ---- */

static uint64_t tag_of(const struct plain_entry *e)
{
	return tag_make(e->page, 0, e->size, (uint64_t)e->vpid << 12 | (e->global ? TAG_GLOBAL : e->pcid));
}

static uint64_t sweep_tlb(struct lab_machine *m, struct plain_cache *c, const struct lab_cover *cover,
			  enum lab_flush cause)
{
	uint64_t gone = 0;

	for (unsigned i = 0; i < c->sets * c->ways; i++) {
		struct plain_entry *e = &c->entry[i];

		if (!e->valid || !lab_covers(cover, tag_of(e), e->rights))
			continue;
		if (cause != LAB_FLUSH_BY_FAULT)
			lab_ghosts_add(&m->ghosts, tag_of(e), m->now.ghost_root, cause);
		e->valid = false;
		gone++;
	}
	return gone;
}

static void sweep_psc(struct plain_cache *c, const struct lab_cover *cover, unsigned level)
{
	for (unsigned i = 0; i < c->sets * c->ways; i++)
		if (c->entry[i].valid && lab_covers_psc(cover, tag_of(&c->entry[i]), level))
			c->entry[i].valid = false;
}

/* shift: of the entries' reach; 0: that of their size. */
static void sweep_nested(struct plain_cache *c, const struct lab_cover *cover, unsigned shift)
{
	for (unsigned i = 0; i < c->sets * c->ways; i++) {
		struct plain_entry *e = &c->entry[i];

		if (e->valid &&
		    lab_covers_nested(cover, tag_make(e->page, 0, e->size, e->vm), shift ? shift : size_shift(e->size)))
			e->valid = false;
	}
}

static uint64_t invalidate(struct lab_machine *m, const struct lab_cover *cover, enum lab_flush cause)
{
	struct plain *p = m->hw;
	uint64_t gone = 0;

	if (cover->linear) {
		for (unsigned size = 0; size < LAB_SIZES; size++) {
			gone += sweep_tlb(m, &p->l1d[size], cover, cause);
			gone += sweep_tlb(m, &p->l1i[size], cover, cause);
		}
		gone += sweep_tlb(m, &p->l2, cover, cause);
		gone += sweep_tlb(m, &p->l2_1g, cover, cause);
		for (unsigned level = 2; level <= 5; level++)
			sweep_psc(&p->psc[level], cover, level);
	}
	if (cover->guest_physical) {
		sweep_nested(&p->ntlb, cover, 0);
		for (unsigned level = 2; level <= 5; level++)
			sweep_nested(&p->npsc[level], cover, level_shift(level));
	}
	return gone;
}

static void context(struct lab_machine *m)
{
	(void)m;
}

const struct lab_hardware lab_plain = {
	.make = make, .destroy = destroy, .translate = translate, .invalidate = invalidate, .context = context,
	.reference = plain_reference, .beside = plain_beside,
};
