/* mmu/shadow/leaf.c - leaves: put on and taken off their frame's list in the same move (S7), made in advance, and
 * protected through the list. */
#include "mmu/mutate.h"
#include "mmu/shadow/shadow.h"

/* A leaf where no entry is, for gfn, of which g tells. */
static inline void leaf_put(struct maker *m, struct spage *sp, unsigned index, struct gframe *g, gfn_t gfn,
			    uint64_t leaf)
{
	bool large = role_level(sp->role) > 1;
	struct shadow *s = m->s;

	if (unlikely(m->beside)) {
		leaf_put_beside(m, sp, index, g, gfn, leaf);
		return;
	}
	s->vm->counters.rmap_entries++;
	MUTANT(RMAP_ADD, rmap_add(&s->pages, large ? &g->large : &g->leaves, spage_ref(sp, index),
				  &sp->links.link[index], leaf & PTE_W));
	s->vm->counters.steps++;
	pt_set(&sp->table[index], leaf);
	entry_made(s, sp, index);
	if (large)
		s->vm->counters.mapped_2m++;
	else
		s->vm->counters.mapped_4k++;
}

/* RM2: where a leaf stands on its list says whether it is writable. */
static void leaf_moves(struct shadow *s, struct spage *sp, unsigned index, struct gframe *g, bool writable)
{
	uint32_t *list = role_level(sp->role) > 1 ? &g->large : &g->leaves, ref = spage_ref(sp, index);
	struct rmap_link *own = &sp->links.link[index];

	s->vm->counters.rmap_entries++;
	rmap_remove(&s->pages, list, ref, own);
	rmap_add(&s->pages, list, ref, own, writable);
}

bool leaf_set(struct shadow *s, struct spage *sp, unsigned index, uint64_t guest, gfn_t gfn, uint64_t leaf)
{
	uint64_t old = sp->table[index];
	struct gframe *g;

	s->edits++;
	/* The same frame with other rights stays on the same list. */
	if (old && !pt_special(&hw_format_4level, old) && entry_is_leaf(sp, index) && entry_gfn(sp, index).v == gfn.v) {
		if (sp->guest)
			sp->guest[index] = guest;
		/* What it allowed, or another frame, may be in a TLB; more rights need no flush (SDM, "Optional
		 * Invalidation"). */
		if ((old & ~leaf & (PTE_W | PTE_U)) || (~old & leaf & PTE_NX) ||
		    ((old ^ leaf) & hw_format_4level.address))
			s->stale = true;
		pt_set(&sp->table[index], leaf);
		if ((old ^ leaf) & PTE_W)
			leaf_moves(s, sp, index, rmap_gframe(&s->rmap, gfn, false), leaf & PTE_W);
		return true;
	}
	if (old)
		entry_drop(s, sp, index);
	g = rmap_gframe(&s->rmap, gfn, true);
	if (!g)
		return false;
	leaf_put(&s->alone, sp, index, g, gfn, leaf);
	if (sp->guest)
		sp->guest[index] = guest;
	return true;
}

/* ---- tracked frames ---- */

bool leaf_allowed(struct maker *m, gfn_t gfn)
{
	struct gframe *g;

	if (!m->s->policy->track_reads)
		return true;
	g = maker_gframe(m, gfn, false);
	return !g || !g->tracked || shadow_is_loose(m->s, gfn);
}

bool leaf_may_write(struct maker *m, gfn_t gfn)
{
	const struct shadow *s = m->s;
	struct gframe *g = maker_gframe(m, gfn, false);

	if (!g || !g->tracked || shadow_is_loose(s, gfn))
		return true;
	for (struct spage *sp = spage_at(s, g->pages); sp; sp = spage_at(s, sp->next_of_gfn))
		if (!(sp->role & ROLE_DIRECT) && !sp->unsync)
			return MUTANT_OR(MAY_WRITE, false);
	return true;
}

/* ---- in advance ---- */

/* How a page's guest entries of the last level become leaves. Both have their flags in the same places. */
struct ahead {
	uint64_t reserved; /* what no present entry may have in the guest's mode */
	uint64_t address;
	uint64_t keep;     /* flags that a leaf takes over */
	uint64_t no_exec;  /* NX, where the page's role does not allow execution */
};

static struct ahead ahead_of(const struct shadow *s, const struct spage *sp)
{
	bool narrow = sp->role & ROLE_NARROW;
	unsigned acc = role_acc(sp->role);
	struct ahead a = {
		.address = narrow ? PTE_ADDRESS_32BIT : PTE_ADDRESS,
		.keep = PTE_P | PTE_PWT | PTE_PCD | PTE_PAT | PTE_G,
	};

	/* S23: nobody has used it yet. */
	if (likely(!s->vm->ages))
		a.keep |= PTE_A;

	if (!narrow) {
		a.reserved = s->maxphyaddr < 52 ? MASK(51, s->maxphyaddr) : 0;
		a.reserved |= (sp->role & ROLE_NXE ? 0 : PTE_NX) | (sp->role & ROLE_LONG ? 0 : PTE_ABOVE);
		a.keep |= PTE_NX;
	}
	a.keep |= (acc & ACC_U ? PTE_U : 0) | (acc & ACC_W ? PTE_W | PTE_D : 0);
	a.no_exec = !(acc & ACC_X) && s->vm->caps->nx ? PTE_NX : 0;
	return a;
}

/* It can be used without a fault, and no flag is to be set: present, accessed, no reserved bit (SDM, "Page-Fault
 * Exceptions", "Accessed and Dirty Flags"). */
static inline bool usable(const struct ahead *a, uint64_t guest)
{
	return (guest & (PTE_P | PTE_A | a->reserved)) == (PTE_P | PTE_A);
}

static inline void prefetch_leaf(struct maker *m, struct spage *sp, unsigned index, uint64_t guest,
				 const struct ahead *a)
{
	struct shadow *s = m->s;
	gfn_t gfn = gpa_gfn(GPA(guest & a->address));
	struct mmu_page page = mmu_peek_small(s->vm, gfn);
	uint64_t leaf = (guest & a->keep) | a->no_exec;
	struct gframe *g;

	if (!MUTANT_OR(PREFETCH_MEMORY, page.kind == MMU_MEMORY) || !leaf_allowed(m, gfn))
		return;
	g = maker_gframe(m, gfn, true);
	if (!g)
		return;
	/* The first write must be seen, to set the dirty flag ("Accessed and Dirty Flags"). */
	if ((guest & (PTE_W | PTE_D)) != (PTE_W | PTE_D) || !page.writable || (g->tracked && !leaf_may_write(m, gfn)))
		MUTANT(PREFETCH_WRITE, leaf &= ~(PTE_W | PTE_D));
	leaf_put(m, sp, index, g, gfn, leaf | hfn_hpa(page.hfn).v);
	sp->guest[index] = guest;
	m->count->prefetched++;
}

void leaf_prefetch(struct maker *m, struct spage *sp, unsigned index, uint64_t guest)
{
	struct ahead a = ahead_of(m->s, sp);

	if (usable(&a, guest))
		prefetch_leaf(m, sp, index, guest, &a);
}

/* Who wants to be alone does not wait for what nobody asked for. */
static inline bool leave_off(const struct maker *m)
{
	return unlikely(m->beside) && __atomic_load_n(&m->s->vm->alone, __ATOMIC_RELAXED);
}

/* Entries of a direct page, whose frames follow each other: where their memory does so too, one look at it is
 * enough. */
static void prefetch_direct(struct maker *m, struct spage *sp, unsigned first, unsigned count)
{
	struct shadow *s = m->s;
	gfn_t gfn = entry_gfn(sp, first);
	struct mmu_page page = mmu_peek_leaf(s->vm, gfn);
	struct gframe *g = maker_gframe(m, gfn, true);
	uint64_t unused = s->vm->ages ? PTE_A : 0; /* S23 */

	_Static_assert(BIT(GFRAME_BITS) % SHADOW_DIRECT_WINDOW == 0, "the gframes of a window are in one piece");
	if (page.kind != MMU_MEMORY || !MUTANT_OR(DIRECT_BACKED, BIT(page.order) >= count) || !g)
		return;
	for (unsigned i = 0; i < count && !leave_off(m); i++, g++) {
		unsigned acc = role_acc(sp->role);

		if (sp->table[first + i])
			continue;
		if ((acc & ACC_W) && (!page.writable || (g->tracked && !leaf_may_write(m, GFN(gfn.v + i)))))
			MUTANT(DIRECT_WRITE, acc &= ~ACC_W);
		leaf_put(m, sp, first + i, g, GFN(gfn.v + i),
			 ~unused & hw_leaf(s->vm->caps, GFN(gfn.v + i), HFN(page.hfn.v + i), PAGE_SHIFT, acc,
					   role_pat(sp->role), false));
		m->count->prefetched++;
		m->count->prefetched_direct++;
	}
}

/* narrow is a constant: the loop is a good part of what a fault costs. */
static ALWAYS_INLINE void prefetch_from(struct maker *m, struct spage *sp, const char *page,
								unsigned first, unsigned count, const bool narrow)
{
	struct ahead a = ahead_of(m->s, sp);

	for (unsigned i = first; i < first + count && !leave_off(m); i++) {
		uint64_t guest;

		if (sp->table[i])
			continue;
		guest = narrow ? guest_entry_at(sp, page, i)
			       : __atomic_load_n((const uint64_t *)(const void *)(page + i * 8), __ATOMIC_ACQUIRE);
		if (MUTANT_OR(PREFETCH_CHECK, usable(&a, guest)))
			prefetch_leaf(m, sp, i, guest, &a);
	}
}

static void prefetch_guest(struct maker *m, struct spage *sp, unsigned first, unsigned count)
{
	const char *page = mmu_guest_ptr_locked(m->s->vm, gfn_gpa(sp->gfn));
	uint64_t before = m->count->prefetched;

	if (!page)
		return;
	if (sp->role & ROLE_NARROW)
		prefetch_from(m, sp, page, first, count, true);
	else
		prefetch_from(m, sp, page, first, count, false);
	/* Memory that the guest uses for the first time, one page after the other, has nothing ahead that was
	 * accessed. */
	if (m->count->prefetched != before)
		sp->barren = 0;
	else if (sp->barren < SHADOW_BARREN)
		sp->barren++;
}

void leaf_prefetch_around(struct maker *m, struct spage *sp, unsigned index)
{
	unsigned window = m->s->policy->prefetch;

	if (sp->thin && ++sp->filled < SHADOW_FILLS)
		return;
	sp->thin = false;
	if (!window || role_level(sp->role) != 1)
		return;
	if (sp->barren >= SHADOW_BARREN && (++sp->barren & 3))
		return;
	if (sp->role & ROLE_DIRECT)
		prefetch_direct(m, sp, index & ~(SHADOW_DIRECT_WINDOW - 1u), SHADOW_DIRECT_WINDOW);
	else
		prefetch_guest(m, sp, index & ~(window - 1), window);
}

/* ---- through the list ---- */

/* One more look at a list. false: there were enough (S16). */
static inline bool another(struct shadow *s, uint32_t *most)
{
	s->vm->counters.rmap_steps++;
	s->vm->counters.steps++;
	if (likely(MUTANT_OR(RMAP_INTERRUPT, (*most)--)))
		return true;
	s->interrupted = true;
	return false;
}

static bool drop_list(struct shadow *s, const uint32_t *list, uint32_t *most)
{
	uint32_t ref;

	while ((ref = *list)) {
		if (!another(s, most))
			return false;
		entry_drop(s, spage_at(s, ref >> 9), ref & 511);
	}
	return true;
}

/* Large leaves that contain gfn cannot keep it: they go, and what is still wanted comes back in smaller ones by
 * faults. */
static bool drop_large(struct shadow *s, gfn_t gfn, uint32_t *most)
{
	struct gframe *g = rmap_gframe(&s->rmap, GFN(align_down(gfn.v, PAGE_TABLE_ENTRIES)), false);
	uint32_t before = *most;
	bool all = !g || drop_list(s, &g->large, most);

	s->vm->counters.leaves_split += before - *most;
	return all;
}

bool rmap_protect(struct shadow *s, gfn_t gfn, uint32_t most)
{
	struct gframe *g;
	uint32_t start;

	if (!drop_large(s, gfn, &most))
		return false;
	g = rmap_gframe(&s->rmap, gfn, false);
	if (!g || !g->leaves)
		return true;
	/* The writable ones are in front; one that is no longer writable becomes the last by a turn of the ring. */
	start = g->leaves;
	do {
		uint64_t *entry = &spage_at(s, g->leaves >> 9)->table[g->leaves & 511];

		if (!(*entry & PTE_W))
			return true;
		if (!another(s, &most))
			return false;
		MUTANT(RMAP_PROTECT, pt_clear_bits(entry, PTE_W | PTE_D));
		s->edits++;
		s->vm->counters.write_protected++;
		s->stale = true;
		g->leaves = rmap_link(&s->pages, g->leaves)->next;
	} while (g->leaves != start);
	return true;
}

bool rmap_zap(struct shadow *s, gfn_t gfn, uint32_t most)
{
	struct gframe *g;

	if (!drop_large(s, gfn, &most))
		return false;
	g = rmap_gframe(&s->rmap, gfn, false);
	return !g || drop_list(s, &g->leaves, &most);
}

/* ---- accessed flags (S23) ---- */

/* Was a leaf of gfn's list used? With clear their flags are cleared. Where they are too many to be looked at again and
 * again (S16), it counts as used, and all go. */
static bool list_used(struct shadow *s, gfn_t gfn, const uint32_t *list, bool clear)
{
	uint32_t most = s->work;
	bool used = false;

	for (uint32_t ref = *list; ref && !(used && !clear); ref = rmap_behind(&s->pages, *list, ref)) {
		uint64_t *entry = &spage_at(s, ref >> 9)->table[ref & 511];

		if (!most--) {
			if (clear)
				rmap_zap(s, gfn, UINT32_MAX);
			return true;
		}
		s->vm->counters.rmap_steps++;
		s->vm->counters.steps++;
		if (!(pt_get(entry) & PTE_A))
			continue;
		used = true;
		if (clear)
			MUTANT(AGE_CLEAR, pt_clear_bits(entry, PTE_A));
	}
	return used;
}

static void age_large(struct shadow *s, gfn_t block, gfn_t first, gfn_t end, uint64_t *used, bool clear)
{
	struct gframe *g = rmap_gframe(&s->rmap, block, false);
	uint64_t behind = block.v + PAGE_TABLE_ENTRIES;

	if (!g || !g->large || !list_used(s, block, &g->large, clear))
		return;
	for (uint64_t gfn = max_u64(block.v, first.v); gfn < min_u64(behind, end.v); gfn++)
		used[(gfn - first.v) / 64] |= BIT((gfn - first.v) % 64);
	if (clear && (block.v < first.v || behind > end.v))
		MUTANT(AGE_PART_TELLS, mmu_tell_used(s->vm, block, PAGE_TABLE_ENTRIES));
}

bool leaf_age(struct mmu_vm *vm, gfn_t first, uint64_t pages, uint64_t *used, bool clear)
{
	struct shadow *s = shadow_of(vm);
	gfn_t end = GFN(first.v + pages), at = first;
	struct gframe *g;

	for (uint64_t block = align_down(first.v, PAGE_TABLE_ENTRIES); block < end.v; block += PAGE_TABLE_ENTRIES)
		age_large(s, GFN(block), first, end, used, clear);
	for (; (g = rmap_next(&s->rmap, &at, end)); at.v++)
		if (g->leaves && list_used(s, at, &g->leaves, clear))
			used[(at.v - first.v) / 64] |= BIT((at.v - first.v) % 64);
	if (!clear)
		return true;
	/* Also where no flag was set: a guest may use what it has not invalidated since its leaf went. */
	MUTANT(AGE_SHADOW_FLUSH, shadow_flush_all(s, NULL));
	shadow_update_invlpg(s, NULL);
	return true;
}
