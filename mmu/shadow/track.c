/* mmu/shadow/track.c - guest tables and their shadows in sync: by write-protection, and by carrying over what the
 * hypervisor writes for the guest. Tables that nobody needs any more become memory again. */
#include "mmu/mutate.h"
#include "mmu/shadow/shadow.h"

/* S5's order: the entries of the table are read only when it is tracked. */
bool shadow_track(struct shadow *s, struct mmu_vcpu *self, gfn_t gfn)
{
	bool all = true;

	if (s->policy->track_reads)
		MUTANT(TRACK_ZAP, all = rmap_zap(s, gfn, s->work));
	else
		MUTANT(TRACK_PROTECT, all = rmap_protect(s, gfn, s->work));
	if (!all)
		return false;
	/* What was dropped earlier, without a flush because the guest owed one, may be writable in a TLB as well. */
	if (s->stale)
		MUTANT(TRACK_FLUSH, shadow_flush_all(s, self));
	return shadow_resync(s, self, gfn);
}

/* ---- let loose (S17) ---- */

bool shadow_is_loose(const struct shadow *s, gfn_t gfn)
{
	for (unsigned i = 0; i < s->loose_count; i++)
		if (s->loose[i].v == gfn.v)
			return true;
	return false;
}

bool shadow_loosen(struct mmu_vm *vm, gfn_t gfn)
{
	struct shadow *s = shadow_of(vm);
	const struct gframe *g = rmap_gframe(&s->rmap, gfn, false);

	if (!g || !g->tracked || shadow_is_loose(s, gfn))
		return false;
	/* Some are left of earlier events: one alone does not reach so many. */
	if (s->loose_count == SHADOW_LOOSE_MAX)
		shadow_tighten(s, NULL);
	s->loose[s->loose_count++] = gfn;
	vm->counters.loosened++;
	MUTANT(LOOSEN_INVLPG, shadow_update_invlpg(s, NULL));
	MUTANT(LOOSEN_KICK, tag_synchronize(vm, NULL));
	return true;
}

/* Only leaves that were made since it is loose must go or be protected: few. */
static void tighten(struct shadow *s, struct mmu_vcpu *self, gfn_t gfn)
{
	const struct gframe *g = rmap_gframe(&s->rmap, gfn, false);

	if (s->policy->track_reads)
		MUTANT(TIGHTEN_PROTECT, rmap_zap(s, gfn, UINT32_MAX));
	else
		MUTANT(TIGHTEN_PROTECT, rmap_protect(s, gfn, UINT32_MAX));
	if (s->stale)
		MUTANT(TIGHTEN_FLUSH, shadow_flush_all(s, self));
	for (struct spage *sp = g ? spage_at(s, g->pages) : NULL; sp; sp = spage_at(s, sp->next_of_gfn))
		if (!(sp->role & ROLE_DIRECT) && !sp->unsync)
			MUTANT(TIGHTEN_READ, shadow_sync_page(s, sp));
}

void shadow_tighten_all(struct shadow *s, struct mmu_vcpu *self)
{
	while (s->loose_count)
		tighten(s, self, s->loose[--s->loose_count]);
}

/* ---- writes that the hypervisor carried out ---- */

static bool overlaps(gpa_t gpa, unsigned n, gpa_t entry, unsigned size)
{
	return entry.v < gpa.v + n && gpa.v < entry.v + size;
}

/* Tables that may have lost their last name; what does not fit waits for its eviction. */
struct orphans {
	struct spage *page[8];
	unsigned count;
};

static void note_orphan(struct orphans *o, struct spage *sp)
{
	if (o->count < ARRAY_SIZE(o->page))
		o->page[o->count++] = sp;
}

static void note_child(struct shadow *s, struct orphans *o, const struct spage *sp, unsigned index)
{
	uint64_t entry = sp->table[index];

	if (entry && !pt_special(&hw_format_4level, entry) && !entry_is_leaf(sp, index))
		note_orphan(o, spage_child(s, sp, index));
}

/* Nobody walks it, and whoever will name it again will find its entries then; until that the guest may use the page for
 * anything. With it go the tables that it alone named. */
static void forget(struct shadow *s, struct spage *sp, unsigned *left)
{
	if (sp->doomed || sp->roots || sp->parents || !*left)
		return;
	--*left;
	for (unsigned i = sp->first; role_level(sp->role) > 1 && sp->present && i <= sp->last; i++) {
		struct spage *child = NULL;

		if (!sp->table[i])
			continue;
		if (!pt_special(&hw_format_4level, sp->table[i]) && !entry_is_leaf(sp, i))
			child = spage_child(s, sp, i);
		entry_drop(s, sp, i);
		if (child)
			forget(s, child, left);
	}
	spage_zap(s, sp);
}

static void forget_orphans(struct shadow *s, struct orphans *o)
{
	unsigned left = SHADOW_FORGET_MAX;

	for (unsigned i = 0; i < o->count; i++)
		forget(s, o->page[i], &left);
}

/* o: NULL where pages cannot go now. */
static void page_written(struct shadow *s, struct spage *sp, gpa_t gpa, unsigned n, struct orphans *o)
{
	unsigned per = entry_size(sp), first = (gpa.v & (PAGE_SIZE - 1)) / per,
		 last = ((gpa.v & (PAGE_SIZE - 1)) + n - 1) / per;

	/* From guest entry numbers to the shadow's. */
	if (sp->role & ROLE_NARROW) {
		unsigned span = role_level(sp->role) == 1 ? PAGE_TABLE_ENTRIES : PAGE_TABLE_ENTRIES / 2;
		unsigned base = role_quadrant(sp->role) * span;

		if (last < base || first >= base + span)
			return;
		first = first < base ? 0 : first - base;
		last = last - base >= span ? span - 1 : last - base;
		if (span == 256) {
			first *= 2;
			last = last * 2 + 1;
		}
	}
	for (unsigned i = first; i <= last; i++)
		if (overlaps(gpa, n, entry_gpa(sp, i), per)) {
			if (o)
				note_child(s, o, sp, i);
			MUTANT(WRITE_SYNC, shadow_sync_entry(s, sp, i));
		}
}

/* A shadow has no use for flags that are set, until its own next fault. But to a shadow of the same table with entries
 * of another size (the guest has it in use under two modes) they are not flags. */
static bool of_other_size(const struct spage *sp, unsigned size)
{
	return !(sp->role & ROLE_DIRECT) && entry_size(sp) != size;
}

bool shadow_flags_concern(const struct mmu_vm *vm, gpa_t gpa, unsigned size)
{
	const struct shadow *s = shadow_of(vm);
	const struct gframe *g = rmap_peek(&s->rmap, gpa_gfn(gpa));

	for (const struct spage *sp = g ? spage_at(s, g->pages) : NULL; sp; sp = spage_at(s, sp->next_of_gfn))
		if (of_other_size(sp, size))
			return true;
	return false;
}

void shadow_flags_written(struct mmu_vm *vm, gpa_t gpa, unsigned size)
{
	struct shadow *s = shadow_of(vm);
	struct gframe *g = rmap_gframe(&s->rmap, gpa_gfn(gpa), false);
	if (!g || !g->tracked)
		return;
	for (struct spage *sp = spage_at(s, g->pages); sp; sp = spage_at(s, sp->next_of_gfn))
		if (of_other_size(sp, size))
			page_written(s, sp, gpa, size, NULL);
}

static __attribute__((noinline)) void tracked_written(struct mmu_vm *vm, const struct gframe *g, gpa_t gpa, unsigned n)
{
	struct shadow *s = shadow_of(vm);
	struct spage *next;
	struct orphans o = { .count = 0 };

	vm->counters.tracked_writes++;
	for (struct spage *sp = spage_at(s, g->pages); sp; sp = next) {
		next = spage_at(s, sp->next_of_gfn);
		if (sp->role & ROLE_DIRECT)
			continue;
		page_written(s, sp, gpa, n, &o);
		if (sp->writes < UINT8_MAX)
			sp->writes++;
		if (sp->writes < s->policy->flood || sp->roots || (s->policy->keep_named && sp->parents))
			continue;
		vm->counters.shadow_flooded++;
		if (sp->parents)
			spage_zap(s, sp);
		else
			note_orphan(&o, sp);
	}
	forget_orphans(s, &o);
	shadow_commit(s, NULL);
	shadow_update_invlpg(s, NULL);
	MUTANT(WRITE_KICK, tag_synchronize(vm, NULL));
}

void shadow_guest_written(struct mmu_vm *vm, gpa_t gpa, unsigned n)
{
	const struct gframe *g = rmap_gframe(&shadow_of(vm)->rmap, gpa_gfn(gpa), false);

	if (unlikely(g && g->tracked))
		tracked_written(vm, g, gpa, n);
}
