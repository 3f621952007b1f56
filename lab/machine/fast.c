/* lab/machine/fast.c - the fast hardware's TLBs: look-up and filling. Invalidation: lab/machine/fast_flush.c. */
#include "lab/machine/fast.h"

#include <stdlib.h>

/* ---- life ---- */

static void destroy(void *hardware)
{
	struct fast *f = hardware;

	for (unsigned i = 0; i < f->tlbs; i++)
		assoc_fini(&f->tlb[i]);
	for (unsigned i = 0; i < ARRAY_SIZE(f->psc); i++)
		assoc_fini(&f->psc[i]);
	for (unsigned i = 0; i < ARRAY_SIZE(f->npsc); i++)
		assoc_fini(&f->npsc[i]);
	for (unsigned i = 0; i < ARRAY_SIZE(f->cache); i++) {
		lines_fini(&f->cache[i]);
		lines_fini(&f->beside[i]);
	}
	assoc_fini(&f->ntlb);
	free(f);
}

/* A new TLB; NULL where it has no entries. */
static struct assoc *tlb(struct fast *f, struct lab_geometry g, bool *ok)
{
	struct assoc *c = &f->tlb[f->tlbs];

	if (!g.entries)
		return NULL;
	*ok &= assoc_init(c, g);
	f->tlbs++;
	return c;
}

/* Where the L1 has no place for a size, pages of that size lie there in pieces of the next smaller one. */
static void pieces(struct fast *f)
{
	for (unsigned side = 0; side < 2; side++) {
		for (unsigned size = 0; size < LAB_SIZES; size++) {
			unsigned at = size;

			while (at > 0 && !f->l1[side][at])
				at--;
			f->l1_size[side][size] = (uint8_t)at;
		}
	}
}

/* Can lines be numbered in 32 bits, and how? */
static bool number_frames(struct fast *f, const struct lab_config *config)
{
	uint64_t pages = align_up(config->guest.memory >> PAGE_SHIFT, 1u << 18);
	uint64_t first = LAB_TABLE_HFN + LAB_TABLE_FRAMES;

	if (max_u64(first + pages * config->hv.vms, pages) >= BIT(32 - 6) - 1)
		return false;
	f->renumber[0] = 1;
	for (unsigned v = 1; v <= config->hv.vms; v++)
		f->renumber[v] = (uint32_t)((first + (v - 1) * pages - ((uint64_t)v << LAB_VM_HFN_SHIFT)) << 6) + 1;
	return true;
}

static bool memory_init(struct fast *f, const struct lab_config *config)
{
	const struct lab_geometry g[] = { config->machine.l1_cache, config->machine.l2_cache,
					  config->machine.l3_cache };
	bool ok = true, sampled = config->machine.data_sample && !config->machine.data_cache;

	f->narrow = number_frames(f, config);
	for (unsigned i = 0; i < ARRAY_SIZE(g); i++)
		ok = ok && lines_init(&f->cache[i], g[i], f->narrow) &&
		     (!sampled || lines_init(&f->beside[i], g[i], f->narrow));
	return ok;
}

static bool has(const struct assoc *c, unsigned ways, bool one_set)
{
	return c->ways == ways && c->power && (!one_set || c->sets == 1);
}

static bool usual_shape(const struct fast *f)
{
	const struct lines *m = f->cache;

	return has(&f->psc[2], 4, false) && has(&f->psc[3], 4, true) && has(&f->psc[4], 2, true) &&
	       has(&f->npsc[2], 4, false) && has(&f->npsc[3], 4, true) && has(&f->npsc[4], 2, true) &&
	       has(&f->ntlb, 4, false) && f->narrow && m[0].ways == 8 && m[1].ways == 8 && m[2].ways == 16 &&
	       m[0].power && m[1].power && m[2].power;
}

static void *make(const struct lab_config *config)
{
	const struct lab_machine_config *c = &config->machine;
	struct fast *f = calloc(1, sizeof(*f));
	struct assoc *l2, *unified;
	bool ok = f != NULL;

	if (!f)
		return NULL;
	memset(f->filter.slot, 0xff, sizeof(f->filter.slot));
	recent_forget(f);
	f->l1[0][LAB_4K] = unified = tlb(f, c->l1d_4k, &ok);
	f->l1[0][LAB_2M] = c->l1d_unified ? unified : tlb(f, c->l1d_2m, &ok);
	f->l1[0][LAB_1G] = c->l1d_unified ? unified : tlb(f, c->l1d_1g, &ok);
	f->l1[1][LAB_4K] = unified = tlb(f, c->l1i_4k, &ok);
	f->l1[1][LAB_2M] = c->l1i_unified ? unified : tlb(f, c->l1i_2m, &ok);
	f->l1[1][LAB_1G] = c->l1i_unified ? unified : NULL;
	l2 = tlb(f, c->l2, &ok);
	for (unsigned size = 0; size < LAB_SIZES; size++)
		f->l2[size] = c->l2_holds & 1u << size ? l2 : NULL;
	if (!f->l2[LAB_1G])
		f->l2[LAB_1G] = tlb(f, c->l2_1g, &ok);
	pieces(f);
	ok &= assoc_init(&f->psc[2], c->psc_pd) && assoc_init(&f->psc[3], c->psc_pdpt) &&
	      assoc_init(&f->psc[4], c->psc_pml4) && assoc_init(&f->psc[5], c->psc_pml5);
	ok = ok && assoc_init(&f->npsc[2], c->npsc_pd) && assoc_init(&f->npsc[3], c->npsc_pdpt) &&
	     assoc_init(&f->npsc[4], c->npsc_pml4) && assoc_init(&f->npsc[5], c->npsc_pml5) &&
	     assoc_init(&f->ntlb, c->ntlb);
	ok = ok && memory_init(f, config);
	if (ok) {
		f->usual = usual_shape(f);
		return f;
	}
	destroy(f);
	return NULL;
}

static void context(struct lab_machine *m)
{
	filter_clear(&((struct fast *)m->hw)->filter);
}

static unsigned reference(struct lab_machine *m, uint64_t hpa)
{
	struct fast *f = m->hw;

	return fast_place(f, f->cache, hpa);
}

static unsigned beside(struct lab_machine *m, uint64_t hpa)
{
	struct fast *f = m->hw;

	return fast_place(f, f->beside, hpa);
}

/* ---- look-up ---- */

/* Does the entry with this tag allow the access? One that does not is stale. */
static inline bool allows(struct fast *f, const struct assoc_entry *e, unsigned needs)
{
	if (!e)
		return false;
	if ((e->a & needs) == needs)
		return true;
	f->stale = true;
	return false;
}

/* Finds gva at this size with these rights in c; NULL: it is not there. */
static inline __attribute__((always_inline)) struct assoc_entry *find(struct lab_machine *m, const struct assoc *c,
								      uint64_t gva, unsigned size, unsigned needs)
{
	struct fast *f = m->hw;
	unsigned shift = size_shift(size);
	struct assoc_entry *e;

	if (!c)
		return NULL;
	if (c->live_of[0][size]) {
		e = assoc_find(c, assoc_set(c, gva >> shift), tag_make(gva, shift, size, m->now.asid));
		if (allows(f, e, needs))
			return e;
	}
	if (likely(!c->live_of[1][size] || (!(gva >> 63) && !f->low_globals)))
		return NULL;
	e = assoc_find(c, assoc_set(c, gva >> shift), tag_make(gva, shift, size, m->now.global_asid));
	return allows(f, e, needs) ? e : NULL;
}

/* The loop will find it by itself. What was found, or brought in, for a read is also what a write finds, if it may. */
static inline void note(struct fast *f, unsigned row, unsigned size, uint64_t gva, uint64_t *stamp, uint64_t a)
{
	struct filter_slot *s = filter_set(&f->filter, row, size, gva, stamp);

	if ((row == 0 || row == 2) && a & MAY_WRITE)
		s[1] = s[0];
}

static void forget_tag(struct fast *f, uint64_t tag) { filter_forget(&f->filter, tag_size(tag), tag_page(tag)); }

static void fill_l1(struct fast *f, unsigned row, uint64_t gva, unsigned size, uint64_t tag, uint64_t a)
{
	unsigned side = row >= 4, at = f->l1_size[side][size];
	struct assoc *c = f->l1[side][at];
	struct assoc_entry *set, *e;

	if (!c)
		return;
	if (at != size) {
		a = (a & ~ENTRY_ADDRESS) |
		    ((a & ENTRY_ADDRESS) + align_down(gva & (BIT(size_shift(size)) - 1), BIT(size_shift(at))));
		a |= size == LAB_1G ? PART_OF_1G : PART_OF_2M;
		tag = tag_make(gva, size_shift(at), at, tag & (TAG_ASID_MASK | TAG_GLOBAL));
		parts_note(f, gva);
	}
	/* What was here with other rights. Should a page be here at two sizes, the smaller one is found first. */
	filter_forget_address(&f->filter, gva, f->stale ? LAB_4K : at + 1);
	set = assoc_set(c, gva >> size_shift(at));
	e = f->stale ? assoc_find(c, set, tag) : NULL;
	if (!e) {
		e = assoc_oldest(c, set);
		if (e->tag)
			forget_tag(f, e->tag);
	}
	assoc_replace(c, e, ++f->clock, tag, a, 0);
	note(f, row, at, gva, &e->stamp, a);
}

static inline void fill_l2(struct fast *f, uint64_t gva, unsigned size, uint64_t tag, uint64_t a)
{
	struct assoc *c = f->l2[size];
	struct assoc_entry *set, *e;

	if (!c)
		return;
	set = assoc_set(c, gva >> size_shift(size));
	e = f->stale ? assoc_find(c, set, tag) : NULL;
	assoc_replace(c, e ? e : assoc_oldest(c, set), ++f->clock, tag, a, 0);
}

void fast_fill(struct lab_machine *m, uint64_t gva, enum lab_kind kind, bool user, unsigned size, uint64_t tag,
	       uint64_t a)
{
	struct fast *f = m->hw;

	if (a & (PART_OF_2M | PART_OF_1G))
		parts_note(f, gva);
	if (unlikely(is_global(tag) && !(gva >> 63)))
		f->low_globals = true;
	fill_l2(f, gva, size, tag, a);
	fill_l1(f, filter_row(kind, user), gva, size, tag, a);
}

static inline struct lab_translation translated(uint64_t a, uint64_t gva, unsigned size)
{
	return (struct lab_translation){ .how = LAB_TRANSLATED,
					 .hpa = (a & ENTRY_ADDRESS) | (gva & (BIT(size_shift(size)) - 1)) };
}

static inline bool l1_translates(struct lab_machine *m, uint64_t gva, unsigned row, unsigned needs,
				 struct lab_translation *out)
{
	struct fast *f = m->hw;

	for (unsigned size = 0; size < LAB_SIZES; size++) {
		struct assoc_entry *e = find(m, f->l1[row >= 4][size], gva, size, needs);

		if (!e)
			continue;
		e->stamp = ++f->clock;
		note(f, row, size, gva, &e->stamp, e->a);
		m->counts->r.l1_hits[size]++;
		*out = translated(e->a, gva, size);
		return true;
	}
	return false;
}

static inline bool l2_translates(struct lab_machine *m, uint64_t gva, unsigned row, unsigned needs,
				 struct lab_translation *out)
{
	struct fast *f = m->hw;

	for (unsigned size = 0; size < LAB_SIZES; size++) {
		struct assoc_entry *e = find(m, f->l2[size], gva, size, needs);

		if (!e)
			continue;
		e->stamp = ++f->clock;
		m->counts->r.l2_hits[size]++;
		fill_l1(f, row, gva, size, e->tag, e->a);
		*out = translated(e->a, gva, size);
		return true;
	}
	return false;
}

struct lab_translation fast_translate(struct lab_machine *m, uint64_t gva, enum lab_kind kind, bool user)
{
	unsigned needs = access_needs(kind, user), row = filter_row(kind, user);
	struct lab_translation t;

	((struct fast *)m->hw)->stale = false;
	if (l1_translates(m, gva, row, needs, &t) || l2_translates(m, gva, row, needs, &t))
		return t;
	return fast_walk(m, gva, kind, user);
}

const struct lab_hardware lab_fast = {
	.make = make,
	.destroy = destroy,
	.translate = fast_translate,
	.invalidate = fast_invalidate,
	.context = context,
	.reference = reference,
	.beside = beside,
};
