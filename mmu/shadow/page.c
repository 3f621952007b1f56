/* mmu/shadow/page.c - the life of shadow pages: found by role, made, linked, cleared, unlinked, and freed behind a
 * flush. */
#include "mmu/mutate.h"
#include "mmu/shadow/shadow.h"

/* ---- what an entry stands for ---- */

bool entry_is_leaf(const struct spage *sp, unsigned index)
{
	return pt_is_leaf(&hw_format_4level, sp->table[index], role_level(sp->role));
}

gpa_t entry_gpa(const struct spage *sp, unsigned index)
{
	gpa_t base = gfn_gpa(sp->gfn);

	if (!(sp->role & ROLE_NARROW))
		return gpa_add(base, index * 8);
	/* S9: a 4-byte table has twice the entries (SDM, "32-Bit Paging"); above the last level each makes two shadow
	 * entries. */
	if (role_level(sp->role) == 1)
		return gpa_add(base, (role_quadrant(sp->role) * PAGE_TABLE_ENTRIES + index) * 4);
	return gpa_add(base, (role_quadrant(sp->role) * 256 + index / 2) * 4);
}

/* Where the guest entry's frame is; a leaf above the last level counts from the frame that the shadow entry's span
 * begins with. */
static gfn_t guest_gfn(const struct spage *sp, unsigned index, uint64_t guest)
{
	unsigned level = role_level(sp->role);

	if (sp->role & ROLE_NARROW) {
		if (level == 2 && (guest & PTE_PS) && (sp->role & ROLE_PSE))
			return gpa_gfn(GPA(pde_4m_address(guest) | (uint64_t)(index & 1) << 21));
		return gpa_gfn(GPA(guest & PTE_ADDRESS_32BIT));
	}
	if (level > 1 && (guest & PTE_PS))
		return gpa_gfn(GPA(guest & MASK(51, pt_shift(level))));
	return gpa_gfn(GPA(guest & PTE_ADDRESS));
}

gfn_t entry_gfn(const struct spage *sp, unsigned index)
{
	if (sp->role & ROLE_DIRECT)
		return GFN(sp->gfn.v + ((uint64_t)index << 9 * (role_level(sp->role) - 1)));
	return guest_gfn(sp, index, sp->guest[index]);
}

static struct spage *child_among(const struct shadow *s, const struct gframe *g, hfn_t frame)
{
	struct spage *child = g ? spage_at(s, g->pages) : NULL;

	while (child && child->frame.v != frame.v)
		child = spage_at(s, child->next_of_gfn);
	BUG_ON(!child);
	return child;
}

struct spage *spage_child(struct shadow *s, const struct spage *sp, unsigned index)
{
	return child_among(s, rmap_gframe(&s->rmap, entry_gfn(sp, index), false),
			   pt_frame(&hw_format_4level, sp->table[index]));
}

struct spage *spage_child_beside(const struct shadow *s, const struct spage *sp, unsigned index)
{
	return child_among(s, rmap_peek(&s->rmap, entry_gfn(sp, index)),
			   pt_frame(&hw_format_4level, pt_get(&sp->table[index])));
}

/* ---- entries ---- */

/* The leaf goes, with what it says of accesses (S23). */
static void leaf_gone(struct shadow *s, struct spage *sp, unsigned index)
{
	uint64_t was = pt_take(&sp->table[index]);

	if (was & PTE_A)
		MUTANT(AGE_LEAF_TELLS, mmu_tell_used(s->vm, entry_gfn(sp, index),
						     pt_span(role_level(sp->role)) >> PAGE_SHIFT));
}

void entry_drop(struct shadow *s, struct spage *sp, unsigned index)
{
	const struct pt_format *f = &hw_format_4level;
	uint64_t old = sp->table[index];
	bool leaf = pt_is_leaf(f, old, role_level(sp->role));

	if (!old)
		return;
	s->vm->counters.steps++;
	if (!pt_special(f, old)) {
		struct spage *child = leaf ? NULL : spage_child(s, sp, index);
		const struct rmap_link *own = &sp->links.link[index];

		if (child) {
			rmap_remove(&s->pages, &child->parents, spage_ref(sp, index), own);
			child->named--;
		} else {
			struct gframe *g = rmap_gframe(&s->rmap, entry_gfn(sp, index), false);

			rmap_remove(&s->pages, role_level(sp->role) > 1 ? &g->large : &g->leaves, spage_ref(sp, index),
				    own);
			s->vm->counters.leaves_removed++;
		}
		MUTANT(STALE_DROP, s->stale = true);
		if (role_level(sp->role) > 1)
			s->upper_drops++;
	}
	if (unlikely(s->vm->ages) && leaf)
		leaf_gone(s, sp, index);
	else
		pt_set(&sp->table[index], 0);
	entry_cleared(s, sp);
}

static void drop_ref(struct shadow *s, uint32_t ref)
{
	entry_drop(s, spage_at(s, ref >> 9), ref & 511);
}

void spage_link(struct shadow *s, struct spage *parent, unsigned index, uint64_t guest, struct spage *child)
{
	bool more = child->unsync || (role_level(child->role) > 1 && child->present);

	/* Below one that has just been made there is nothing. */
	if (more && !child->unsync)
		MUTANT(SYNC_BELOW, shadow_sync_below(s, child));
	spage_name(s, parent, index, guest, child);
	s->shape += more;
}

void spage_name(struct shadow *s, struct spage *parent, unsigned index, uint64_t guest, struct spage *child)
{
	entry_drop(s, parent, index);
	if (child->named == SHADOW_PARENTS_MAX)
		drop_ref(s, rmap_last(&s->pages, child->parents));
	s->vm->counters.rmap_entries++;
	rmap_add(&s->pages, &child->parents, spage_ref(parent, index), &parent->links.link[index], true);
	child->named++;
	if (parent->guest)
		parent->guest[index] = guest;
	pt_set(&parent->table[index], hfn_hpa(child->frame).v | hw_format_4level.table);
	entry_made(s, parent, index);
	if (index >= 256 && role_level(parent->role) >= 4)
		s->kernel_used[index / 64 - 4] |= BIT(index % 64);
}

void spage_clear(struct shadow *s, struct spage *sp)
{
	for (unsigned i = sp->first; sp->present && i <= sp->last; i++)
		if (sp->table[i])
			entry_drop(s, sp, i);
}

/* ---- the order of use ---- */

static void use_unlink(struct shadow *s, struct spage *sp)
{
	*(sp->newer ? &sp->newer->older : &s->newest) = sp->older;
	*(sp->older ? &sp->older->newer : &s->oldest) = sp->newer;
}

static void use_push(struct shadow *s, struct spage *sp)
{
	sp->newer = NULL;
	sp->older = s->newest;
	*(s->newest ? &s->newest->newer : &s->oldest) = sp;
	s->newest = sp;
}

void spage_used(struct shadow *s, struct spage *sp)
{
	use_unlink(s, sp);
	use_push(s, sp);
	sp->writes = 0;
	s->vm->counters.shadow_reused++;
}

/* ---- making ---- */

static void count_tracked(struct shadow *s, gfn_t gfn, int change)
{
	struct gframe *g = rmap_gframe(&s->rmap, gfn, false);
	struct gframe *block = rmap_gframe(&s->rmap, GFN(align_down(gfn.v, PAGE_TABLE_ENTRIES)), false);

	if (change > 0 && g->tracked++ == 0)
		block->block++;
	if (change < 0 && --g->tracked == 0)
		block->block--;
}

static void free_page(struct shadow *s, struct spage *sp)
{
	if (!hfn_is_none(sp->frame))
		mmu_table_free_clean(s->vm, sp->frame);
	if (!hfn_is_none(sp->link_frame))
		mmu_table_free(s->vm, sp->link_frame);
	if (!hfn_is_none(sp->guest_frame))
		mmu_table_free(s->vm, sp->guest_frame);
	slab_free(&s->pages, sp->id);
}

static struct spage *make(struct shadow *s, gfn_t gfn, uint32_t role)
{
	uint32_t id = slab_alloc(&s->pages);
	struct spage *sp = spage_at(s, id);

	if (!sp)
		return NULL;
	/* What its entries were made from and how they are linked means nothing before there are any. */
	*sp = (struct spage){ .id = id, .role = role, .gfn = gfn, .guest_frame = HFN_NONE };
	sp->frame = mmu_table_alloc(s->vm);
	sp->link_frame = mmu_table_alloc_raw(s->vm);
	if (!(role & ROLE_DIRECT))
		sp->guest_frame = mmu_table_alloc_raw(s->vm);
	if (hfn_is_none(sp->frame) || hfn_is_none(sp->link_frame) ||
	    (!(role & ROLE_DIRECT) && hfn_is_none(sp->guest_frame))) {
		free_page(s, sp);
		return NULL;
	}
	sp->table = mmu_table_ptr(s->vm, sp->frame);
	sp->links.link = mmu_table_ptr(s->vm, sp->link_frame);
	if (!(role & ROLE_DIRECT))
		sp->guest = mmu_table_ptr(s->vm, sp->guest_frame);
	s->vm->counters.shadow_created++;
	return sp;
}

/* The page of the role among those of the frame. NULL: there is none. */
static struct spage *look_for(struct shadow *s, const struct gframe *g, uint32_t role)
{
	unsigned others = 0;

	for (struct spage *sp = spage_at(s, g->pages); sp; sp = spage_at(s, sp->next_of_gfn)) {
		if (sp->role == role)
			return sp;
		others++;
	}
	if (others >= SHADOW_ROLES_MAX)
		s->crowded = g;
	return NULL;
}

/* A frame that the guest uses in very many ways loses the pages that were made first: at the end, for some may be in
 * use until then. */
static void uncrowd(struct shadow *s)
{
	struct spage *next, *sp = spage_at(s, s->crowded->pages);

	for (unsigned others = 0; sp; sp = next) {
		next = spage_at(s, sp->next_of_gfn);
		if (!sp->roots && ++others > SHADOW_ROLES_MAX)
			spage_zap(s, sp);
	}
	s->crowded = NULL;
}

struct spage *spage_find(struct shadow *s, gfn_t gfn, uint32_t role)
{
	struct gframe *g = rmap_gframe(&s->rmap, gfn, false);

	return g ? look_for(s, g, role) : NULL;
}

struct spage *spage_get(struct shadow *s, struct mmu_vcpu *self, gfn_t gfn, uint32_t role)
{
	struct gframe *g = rmap_gframe(&s->rmap, gfn, true);
	struct spage *sp;

	/* The block's counter must exist as well. */
	if (!g || !rmap_gframe(&s->rmap, GFN(align_down(gfn.v, PAGE_TABLE_ENTRIES)), true))
		return NULL;
	sp = look_for(s, g, role);
	if (sp) {
		/* Whoever is about to name it has perhaps nothing to flush that would bring it up to date (S6). */
		if (sp->unsync)
			MUTANT(SYNC_ON_LINK, shadow_sync_page(s, sp));
		spage_used(s, sp);
		return sp;
	}
	if (!(role & ROLE_DIRECT) && !shadow_track(s, self, gfn))
		return NULL;
	sp = make(s, gfn, role);
	if (!sp)
		return NULL;
	if (!(role & ROLE_DIRECT))
		count_tracked(s, gfn, 1);
	sp->next_of_gfn = g->pages;
	g->pages = sp->id;
	use_push(s, sp);
	return sp;
}

/* ---- ending ---- */

void spage_zap(struct shadow *s, struct spage *sp)
{
	struct gframe *g = rmap_gframe(&s->rmap, sp->gfn, false);
	uint32_t *link = &g->pages, ref;

	if (role_level(sp->role) >= 4)
		MUTANT(ROOT_ZAPS, shadow_forget_root(s, sp));
	spage_clear(s, sp);
	while ((ref = sp->parents))
		drop_ref(s, ref);
	while (*link != sp->id)
		link = &spage_at(s, *link)->next_of_gfn;
	*link = sp->next_of_gfn;
	if (!(sp->role & ROLE_DIRECT))
		count_tracked(s, sp->gfn, -1);
	if (sp->unsync)
		shadow_unlist_unsync(s, sp);
	use_unlink(s, sp);
	sp->doomed = true;
	sp->older = s->doomed;
	s->doomed = sp;
}

void shadow_flush_all(struct shadow *s, struct mmu_vcpu *self)
{
	MUTANT_INSTEAD(FLUSH_ALL_FIRST, tag_synchronize(s->vm, self));
	for (struct mmu_vcpu *v = s->vm->vcpus; v; v = v->next)
		shadow_request_all(v);
	MUTANT(FLUSH_ALL_FIRST, MUTANT(SHADOW_FLUSH_KICK, tag_synchronize(s->vm, self)));
	s->stale = false;
}

void shadow_commit(struct shadow *s, struct mmu_vcpu *self)
{
	struct spage *sp;

	if (s->crowded)
		uncrowd(s);
	sp = s->doomed;
	if (!sp)
		return;
	MUTANT(FREE_LAST, MUTANT(SHADOW_FREE_FLUSH, shadow_flush_all(s, self))); /* S11 */
	while (sp) {
		struct spage *next = sp->older;

		free_page(s, sp);
		sp = next;
	}
	s->doomed = NULL;
	MUTANT_INSTEAD(FREE_LAST, shadow_flush_all(s, self));
}

void shadow_relieve(struct mmu_vm *vm, uint32_t need)
{
	struct shadow *s = shadow_of(vm);
	uint32_t coming = reserve_count(&vm->reserve);
	struct spage *sp = s->oldest;

	while (sp && coming < need) {
		struct spage *next = sp->newer;

		if (!sp->roots) {
			coming += hfn_is_none(sp->guest_frame) ? 2 : 3;
			spage_zap(s, sp);
			vm->counters.shadow_evicted++;
		}
		sp = next;
	}
	shadow_commit(s, NULL);
	shadow_update_invlpg(s, NULL);
}
