/* mmu/shadow/beside.c - leaves that a fault adds beside other vCPUs' faults, without the VM's lock (mmu/lock.h, S20).
 *
 * Tables are neither made, linked, unlinked nor tracked meanwhile, and no leaf is taken away, for that is done alone;
 * what is known of frames is neither made nor noted. So a fault that finds its last-level page, and what is known of
 * the frame, adds the leaf and those around it. What asks for more is left to the lock. */
#include "mmu/mutate.h"
#include "mmu/shadow/shadow.h"

struct gframe *maker_look_up(struct maker *m, gfn_t gfn)
{
	uint64_t number = gfn.v >> GFRAME_BITS;
	unsigned within = gfn.v & (BIT(GFRAME_BITS) - 1);
	struct gframe *g;

	if (m->frames && m->number == number)
		return &m->frames[within];
	g = rmap_peek(&m->s->rmap, gfn);
	m->number = number;
	m->frames = g ? g - within : NULL;
	return g;
}

static bool *list_of(struct maker *m, gfn_t gfn) { return &m->s->list[(gfn.v >> GFRAME_BITS) % SHADOW_LISTS].busy; }

void leaf_put_beside(struct maker *m, struct spage *sp, unsigned index, struct gframe *g, gfn_t gfn, uint64_t leaf)
{
	bool large = role_level(sp->role) > 1;

	MUTANT(LEAF_LIST, mmu_hold(m->s->vm, list_of(m, gfn)));
	rmap_add(&m->s->pages, large ? &g->large : &g->leaves, spage_ref(sp, index), &sp->links.link[index],
		 leaf & PTE_W);
	mmu_let_go(list_of(m, gfn));
	entry_noted(sp, index);
	if (sp->unsync)
		__atomic_fetch_add(&m->s->unsync_present, 1, __ATOMIC_RELAXED);
	m->count->rmap_entries++;
	m->count->steps++;
	*(large ? &m->count->mapped_2m : &m->count->mapped_4k) += 1;
	pt_replace(&sp->table[index], 0, leaf);
}

/* Counted before the entry is there: who sees it sees that something was edited. */
static void count_edit(struct maker *m) { __atomic_fetch_add(&m->s->edits, 1, __ATOMIC_RELAXED); }

/* What the leaf allowed it allows still, and it is the same frame's: no TLB need be flushed (SDM, "Optional
 * Invalidation"). */
static bool only_gains(uint64_t old, uint64_t leaf)
{
	return !(old & ~leaf & (PTE_W | PTE_U)) && !(~old & leaf & PTE_NX) &&
	       !((old ^ leaf) & hw_format_4level.address);
}

/* RM2 */
static void becomes_writable(struct maker *m, struct spage *sp, unsigned index, gfn_t gfn)
{
	struct gframe *g = maker_look_up(m, gfn);
	uint32_t *list = role_level(sp->role) > 1 ? &g->large : &g->leaves, ref = spage_ref(sp, index);
	struct rmap_link *own = &sp->links.link[index];

	mmu_hold(m->s->vm, list_of(m, gfn));
	rmap_remove(&m->s->pages, list, ref, own);
	rmap_add(&m->s->pages, list, ref, own, true);
	mmu_let_go(list_of(m, gfn));
	m->count->rmap_entries++;
}

/* A leaf that is there. */
static bool widen(struct maker *m, struct spage *sp, unsigned index, uint64_t guest, gfn_t gfn, uint64_t leaf)
{
	uint64_t old = sp->table[index];

	if (pt_special(&hw_format_4level, old) || !pt_is_leaf(&hw_format_4level, old, role_level(sp->role)) ||
	    entry_gfn(sp, index).v != gfn.v || !MUTANT_OR(LEAF_LOSES, only_gains(old, leaf)))
		return false;
	count_edit(m);
	if (sp->guest)
		sp->guest[index] = guest;
	if ((old ^ leaf) & PTE_W)
		becomes_writable(m, sp, index, gfn);
	/* But for A, which the CPU may just have set (S23), it is as it was: the page is held. */
	while (!pt_replace(&sp->table[index], old, leaf))
		old |= PTE_A;
	return true;
}

static bool put_leaf(struct maker *m, struct spage *sp, unsigned index, uint64_t guest, gfn_t gfn, uint64_t leaf)
{
	struct gframe *g = maker_look_up(m, gfn);

	if (!g)
		return false;
	count_edit(m);
	leaf_put_beside(m, sp, index, g, gfn, leaf);
	if (sp->guest)
		sp->guest[index] = guest;
	return true;
}

/* S21: an entry is not added to a table out of sync that INVLPG does not tell of. */
static bool told_of(const struct maker *m, const struct spage *sp)
{
	return !sp->unsync || MUTANT_OR(LEAF_WATCH, __atomic_load_n(&m->s->unsync_present, __ATOMIC_RELAXED));
}

bool leaf_add(struct maker *m, struct spage *sp, unsigned index, uint64_t guest, gfn_t gfn, uint64_t leaf,
	      bool *changed)
{
	uint64_t old;
	bool done;

	if (!told_of(m, sp))
		return false;
	MUTANT(LEAF_PAGE, mmu_hold(m->s->vm, &sp->busy));
	old = sp->table[index];
	if (old == leaf && (!sp->guest || sp->guest[index] == guest))
		done = true;
	else if (old)
		*changed = done = widen(m, sp, index, guest, gfn, leaf);
	else
		*changed = done = put_leaf(m, sp, index, guest, gfn, leaf);
	if (done && *changed)
		leaf_prefetch_around(m, sp, index);
	mmu_let_go(&sp->busy);
	return done;
}

bool leaf_add_mmio(struct maker *m, struct spage *sp, unsigned index, uint64_t guest, uint64_t leaf)
{
	bool done;

	if (!told_of(m, sp))
		return false;
	mmu_hold(m->s->vm, &sp->busy);
	done = !sp->table[index];
	if (done) {
		if (sp->guest)
			sp->guest[index] = guest;
		count_edit(m);
		entry_noted(sp, index);
		if (sp->unsync)
			__atomic_fetch_add(&m->s->unsync_present, 1, __ATOMIC_RELAXED);
		m->count->mmio_cached++;
		pt_replace(&sp->table[index], 0, leaf);
	}
	mmu_let_go(&sp->busy);
	return done;
}
