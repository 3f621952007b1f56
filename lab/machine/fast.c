/* lab/machine/fast.c - the fast hardware's TLBs: look-up, filling, invalidation. */
#include "lab/machine/fast.h"

#include <stdlib.h>

bool assoc_init(struct assoc *c, struct lab_geometry g, bool with_b)
{
	*c = (struct assoc){ 0 };
	if (!g.entries)
		return true;
	c->ways = g.ways;
	c->sets = g.entries / g.ways;
	c->power = (c->sets & (c->sets - 1)) == 0;
	c->mask = c->sets - 1;
	c->tag = calloc(g.entries, sizeof(*c->tag));
	c->a = calloc(g.entries, sizeof(*c->a));
	c->b = with_b ? calloc(g.entries, sizeof(*c->b)) : NULL;
	return c->tag && c->a && (!with_b || c->b);
}

void assoc_fini(struct assoc *c)
{
	free(c->tag);
	free(c->a);
	free(c->b);
	free(c->narrow);
}

void fast_filter_clear(struct filter *f)
{
	memset(f, 0xff, sizeof(*f));
}

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
	for (unsigned i = 0; i < ARRAY_SIZE(f->cache); i++)
		assoc_fini(&f->cache[i]);
	assoc_fini(&f->ntlb);
	free(f);
}

/* A new TLB; NULL where it has no entries. */
static struct assoc *tlb(struct fast *f, struct lab_geometry g, bool *ok)
{
	struct assoc *c = &f->tlb[f->tlbs];

	if (!g.entries)
		return NULL;
	*ok &= assoc_init(c, g, false);
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

	f->vm_frames = pages;
	f->first_vm_frame = LAB_TABLE_HFN + LAB_TABLE_FRAMES;
	return max_u64(f->first_vm_frame + pages * config->hv.vms, pages) < BIT(32 - 6) - 1;
}

static bool memory_init(struct fast *f, const struct lab_config *config)
{
	const struct lab_geometry g[] = { config->machine.l1_cache, config->machine.l2_cache,
					  config->machine.l3_cache };
	bool narrow = number_frames(f, config), ok = true;

	for (unsigned i = 0; i < ARRAY_SIZE(g); i++) {
		ok = ok && assoc_init(&f->cache[i], g[i], false);
		if (ok && narrow && g[i].entries) {
			f->cache[i].narrow = calloc(g[i].entries, sizeof(uint32_t));
			ok = f->cache[i].narrow != NULL;
		}
	}
	return ok;
}

static void *make(const struct lab_config *config)
{
	const struct lab_machine_config *c = &config->machine;
	struct fast *f = calloc(1, sizeof(*f));
	struct assoc *l2, *unified;
	bool ok = f != NULL;

	if (!f)
		return NULL;
	fast_filter_clear(&f->filter);
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
	ok &= assoc_init(&f->psc[2], c->psc_pd, true) && assoc_init(&f->psc[3], c->psc_pdpt, true) &&
	      assoc_init(&f->psc[4], c->psc_pml4, true) && assoc_init(&f->psc[5], c->psc_pml5, true);
	ok = ok && assoc_init(&f->npsc[2], c->npsc_pd, false) && assoc_init(&f->npsc[3], c->npsc_pdpt, false) &&
	     assoc_init(&f->npsc[4], c->npsc_pml4, false) && assoc_init(&f->npsc[5], c->npsc_pml5, false) &&
	     assoc_init(&f->ntlb, c->ntlb, false);
	ok = ok && memory_init(f, config);
	if (ok)
		return f;
	destroy(f);
	return NULL;
}

static void context(struct lab_machine *m)
{
	fast_filter_clear(&((struct fast *)m->hw)->filter);
}

static unsigned reference(struct lab_machine *m, uint64_t hpa)
{
	return fast_place(m->hw, hpa);
}

/* ---- look-up ---- */

static void filter_set(struct fast *f, unsigned row, unsigned size, uint64_t gva)
{
	uint64_t page = gva >> size_shift(size);

	if (size == LAB_4K)
		f->filter.p4k[row][page % FILTER_4K] = page;
	else if (size == LAB_2M)
		f->filter.p2m[row][page % FILTER_2M] = page;
	else
		f->filter.p1g[row][page % FILTER_1G] = page;
}

/* Finds gva at this size with these rights in c. */
static inline unsigned find(const struct lab_context *now, const struct assoc *c, uint64_t gva, unsigned size,
			    unsigned needs)
{
	unsigned shift = size_shift(size);
	const uint64_t *set = assoc_set(c, c->tag, gva >> shift), *a = assoc_set(c, c->a, gva >> shift);
	uint64_t tag = tag_make(gva, shift, size, now->asid), global = tag_make(gva, shift, size, now->global_asid);

	for (unsigned i = 0; i < c->ways; i++)
		if ((set[i] == tag || set[i] == global) && (a[i] & needs) == needs)
			return i;
	return c->ways;
}

static void fill_l1(struct fast *f, unsigned row, uint64_t gva, unsigned size, uint64_t tag, uint64_t a)
{
	struct assoc *c;
	uint64_t *front;
	unsigned side = row >= 4, at = f->l1_size[side][size];

	c = f->l1[side][at];
	if (!c)
		return;
	if (at != size) {
		a = (a & ~ENTRY_ADDRESS) |
		    ((a & ENTRY_ADDRESS) + align_down(gva & (BIT(size_shift(size)) - 1), BIT(size_shift(at))));
		a |= size == LAB_1G ? PART_OF_1G : PART_OF_2M;
		tag = tag_make(gva, size_shift(at), at, tag & (TAG_ASID_MASK | TAG_GLOBAL));
		parts_note(f, gva);
	}
	front = assoc_set(c, c->tag, gva >> size_shift(at));
	if (*front)
		filter_forget(&f->filter, *front);
	/* Should a page be here at two sizes, the smaller one is found first. */
	for (unsigned s = 0; s < LAB_SIZES; s++)
		filter_forget(&f->filter, tag_make(gva, size_shift(s), s, 0));
	assoc_put(c, gva >> size_shift(at), at, tag, a, 0);
	filter_set(f, row, at, gva);
}

void fast_fill(struct lab_machine *m, uint64_t gva, enum lab_kind kind, bool user, unsigned size, uint64_t tag,
	       uint64_t a)
{
	struct fast *f = m->hw;

	if (a & (PART_OF_2M | PART_OF_1G))
		parts_note(f, gva);
	if (f->l2[size])
		assoc_put(f->l2[size], gva >> size_shift(size), size, tag, a, 0);
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
		struct assoc *c = f->l1[row >= 4][size];
		unsigned at;

		if (!c || !c->live_of[size])
			continue;
		at = find(&m->now, c, gva, size, needs);
		if (at == c->ways)
			continue;
		if (at > 0) {
			filter_forget(&f->filter, *assoc_set(c, c->tag, gva >> size_shift(size)));
			assoc_use(c, gva >> size_shift(size), at);
		}
		filter_set(f, row, size, gva);
		m->counts->r.l1_hits[size]++;
		*out = translated(*assoc_set(c, c->a, gva >> size_shift(size)), gva, size);
		return true;
	}
	return false;
}

static inline bool l2_translates(struct lab_machine *m, uint64_t gva, unsigned row, unsigned needs,
				 struct lab_translation *out)
{
	struct fast *f = m->hw;

	for (unsigned size = 0; size < LAB_SIZES; size++) {
		struct assoc *c = f->l2[size];
		unsigned at;
		uint64_t a, tag;

		if (!c || !c->live_of[size])
			continue;
		at = find(&m->now, c, gva, size, needs);
		if (at == c->ways)
			continue;
		assoc_use(c, gva >> size_shift(size), at);
		m->counts->r.l2_hits[size]++;
		tag = *assoc_set(c, c->tag, gva >> size_shift(size));
		a = *assoc_set(c, c->a, gva >> size_shift(size));
		fill_l1(f, row, gva, size, tag, a);
		*out = translated(a, gva, size);
		return true;
	}
	return false;
}

struct lab_translation fast_translate(struct lab_machine *m, uint64_t gva, enum lab_kind kind, bool user)
{
	unsigned needs = access_needs(kind, user), row = filter_row(kind, user);
	struct lab_translation t;

	if (l1_translates(m, gva, row, needs, &t) || l2_translates(m, gva, row, needs, &t))
		return t;
	return fast_walk(m, gva, kind, user);
}

/* ---- invalidation ---- */

/* Drops what the cover takes from the set that begins at entry `first`. */
static uint64_t sweep_set(struct lab_machine *m, struct assoc *c, size_t first, const struct lab_cover *cover,
			  enum lab_flush cause)
{
	uint64_t *tag = c->tag + first, *a = c->a + first, gone = 0;

	for (unsigned i = 0; i < c->ways && tag[i];) {
		if (!lab_covers(cover, tag[i], a[i])) {
			i++;
			continue;
		}
		if (cause != LAB_FLUSH_BY_FAULT)
			lab_ghosts_add(&m->ghosts, tag[i], m->now.ghost_root, cause);
		assoc_drop(c, tag, a, NULL, i);
		gone++;
	}
	return gone;
}

static uint64_t sweep_tlb(struct lab_machine *m, struct assoc *c, const struct lab_cover *cover, enum lab_flush cause)
{
	const struct fast *f = m->hw;
	uint64_t gone = 0;

	if (!cover->one_address || (cover->pieces && parts_at(f, cover->gva))) {
		for (size_t first = 0; c->live && first < (size_t)c->sets * c->ways; first += c->ways)
			gone += sweep_set(m, c, first, cover, cause);
		return gone;
	}
	for (unsigned size = 0; size < LAB_SIZES; size++) {
		uint64_t key = cover->gva >> size_shift(size);

		if (c->live_of[size])
			gone += sweep_set(m, c, (size_t)(assoc_set(c, c->tag, key) - c->tag), cover, cause);
	}
	return gone;
}

static void sweep_psc(struct assoc *c, const struct lab_cover *cover, unsigned level)
{
	for (size_t first = 0; c->live && first < (size_t)c->sets * c->ways; first += c->ways)
		for (unsigned i = 0; i < c->ways && c->tag[first + i];) {
			if (lab_covers_psc(cover, c->tag[first + i], level))
				assoc_drop(c, c->tag + first, c->a + first, c->b + first, i);
			else
				i++;
		}
}

/* shift: of the entries' reach; 0: that of their size. */
static void sweep_nested(struct assoc *c, const struct lab_cover *cover, unsigned shift)
{
	for (size_t first = 0; c->live && first < (size_t)c->sets * c->ways; first += c->ways)
		for (unsigned i = 0; i < c->ways && c->tag[first + i];) {
			if (lab_covers_nested(cover, c->tag[first + i],
					      shift ? shift : size_shift(tag_size(c->tag[first + i]))))
				assoc_drop(c, c->tag + first, c->a + first, NULL, i);
			else
				i++;
		}
}

static uint64_t invalidate(struct lab_machine *m, const struct lab_cover *cover, enum lab_flush cause)
{
	struct fast *f = m->hw;
	uint64_t gone = 0, live = 0;

	if (cover->linear) {
		fast_filter_clear(&f->filter);
		for (unsigned i = 0; i < f->tlbs; i++)
			gone += f->tlb[i].live ? sweep_tlb(m, &f->tlb[i], cover, cause) : 0;
		for (unsigned i = 0; i < f->tlbs; i++)
			live += f->tlb[i].live;
		if (!live)
			memset(f->parts, 0, sizeof(f->parts));
		for (unsigned level = 2; level < ARRAY_SIZE(f->psc); level++)
			sweep_psc(&f->psc[level], cover, level);
	}
	if (cover->guest_physical) {
		sweep_nested(&f->ntlb, cover, 0);
		for (unsigned level = 2; level < ARRAY_SIZE(f->npsc); level++)
			sweep_nested(&f->npsc[level], cover, level_shift(level));
	}
	return gone;
}

const struct lab_hardware lab_fast = {
	.make = make, .destroy = destroy, .translate = fast_translate, .invalidate = invalidate, .context = context,
	.reference = reference,
};
