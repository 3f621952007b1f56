/* mmu/shadow/track.c - guest tables and their shadows in sync: by write-protection, and by carrying over what the
 * hypervisor writes for the guest. Tables that nobody needs any more become memory again. */
#include "mmu/mutate.h"
#include "mmu/shadow/shadow.h"
#include "mmu/table/seam.h"

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

/* What does not fit waits for its eviction. */
static void note_orphan(struct shadow *s, struct spage *sp)
{
	if (s->orphans < ARRAY_SIZE(s->orphan))
		s->orphan[s->orphans++] = sp;
}

static struct spage *child_of(struct shadow *s, const struct spage *sp, unsigned index)
{
	uint64_t entry = sp->table[index];

	if (!entry || pt_special(&hw_format_4level, entry) || entry_is_leaf(sp, index))
		return NULL;
	return spage_child(s, sp, index);
}

static void note_child(struct shadow *s, const struct spage *sp, unsigned index)
{
	struct spage *child = child_of(s, sp, index);

	if (child)
		note_orphan(s, child);
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

static void forget_orphans(struct shadow *s)
{
	unsigned left = SHADOW_FORGET_MAX;

	for (unsigned i = 0; i < s->orphans; i++)
		forget(s, s->orphan[i], &left);
	s->orphans = 0;
}

/* The page's entries that may stand for what is written there. false: none. */
static bool concerned(const struct spage *sp, gpa_t gpa, unsigned n, unsigned *first, unsigned *last)
{
	unsigned per = entry_size(sp), span, base;

	*first = (gpa.v & (PAGE_SIZE - 1)) / per;
	*last = ((gpa.v & (PAGE_SIZE - 1)) + n - 1) / per;
	if (!(sp->role & ROLE_NARROW))
		return true;
	/* From guest entry numbers to the shadow's. */
	span = role_level(sp->role) == 1 ? PAGE_TABLE_ENTRIES : PAGE_TABLE_ENTRIES / 2;
	base = role_quadrant(sp->role) * span;
	if (*last < base || *first >= base + span)
		return false;
	*first = *first < base ? 0 : *first - base;
	*last = *last - base >= span ? span - 1 : *last - base;
	if (span == 256) {
		*first *= 2;
		*last = *last * 2 + 1;
	}
	return true;
}

/* orphans: pages that lose their last name can go. */
static void page_written(struct shadow *s, struct spage *sp, gpa_t gpa, unsigned n, bool orphans)
{
	unsigned first, last;

	if (!concerned(sp, gpa, n, &first, &last))
		return;
	for (unsigned i = first; i <= last; i++)
		if (overlaps(gpa, n, entry_gpa(sp, i), entry_size(sp))) {
			if (orphans)
				note_child(s, sp, i);
			MUTANT(WRITE_SYNC, shadow_sync_entry(s, sp, i));
		}
}

/* ---- and before them (S22) ---- */

/* The guest's entry for shadow entry index, once that is written. */
static uint64_t entry_to_be(const struct shadow *s, const struct spage *sp, unsigned index, gpa_t gpa, const void *with,
			    unsigned n)
{
	gpa_t at = entry_gpa(sp, index);
	unsigned size = entry_size(sp);
	uint64_t begin = max_u64(at.v, gpa.v), end = min_u64(at.v + size, gpa.v + n);
	uint64_t entry = mmu_guest_entry(s->vm, at, size);

	memcpy((char *)&entry + (begin - at.v), (const char *)with + (begin - gpa.v), end - begin);
	return entry;
}

/* May a TLB have a page of the guest's that is reached by the entry in parts? */
static bool may_be_in_parts(struct shadow *s, const struct spage *sp, unsigned index)
{
	const struct spage *child = child_of(s, sp, index);

	if (role_level(sp->role) == 1 || pt_special(&hw_format_4level, sp->table[index]))
		return false;
	return !child || (child->role & ROLE_DIRECT) || (role_level(child->role) > 1 && child->present);
}

static void take_out(struct shadow *s, struct spage *sp, unsigned index, bool told)
{
	if (!MUTANT_OR(WRITE_PARTS, !may_be_in_parts(s, sp, index))) {
		s->watching = true;
		return;
	}
	if (told)
		note_child(s, sp, index);
	s->vm->counters.entries_synced++;
	entry_drop(s, sp, index);
	if (told && role_level(sp->role) == 1 && s->takens < ARRAY_SIZE(s->taken))
		s->taken[s->takens++] = spage_ref(sp, index);
}

/* told: shadow_guest_written() follows in any case. */
static void page_to_be_written(struct shadow *s, struct spage *sp, gpa_t gpa, const void *with, unsigned n, bool told)
{
	unsigned first, last;

	if ((sp->role & ROLE_DIRECT) || sp->unsync || !concerned(sp, gpa, n, &first, &last))
		return;
	for (unsigned i = first; i <= last; i++)
		if (sp->table[i] && overlaps(gpa, n, entry_gpa(sp, i), entry_size(sp)) &&
		    entry_to_be(s, sp, i, gpa, with, n) != sp->guest[i])
			take_out(s, sp, i, told);
}

/* Who could invalidate a part, and then use another, is to exit with INVLPG, and wait for the lock. */
static void watch_parts(struct shadow *s)
{
	if (likely(!s->watching))
		return;
	shadow_update_invlpg(s, NULL);
	tag_synchronize(s->vm, NULL);
}

void shadow_guest_writes(struct mmu_vm *vm, gpa_t gpa, const void *with, unsigned n)
{
	struct shadow *s = shadow_of(vm);
	const struct gframe *g = rmap_gframe(&s->rmap, gpa_gfn(gpa), false);

	if (likely(!g || !g->tracked))
		return;
	for (struct spage *sp = spage_at(s, g->pages); sp; sp = spage_at(s, sp->next_of_gfn))
		page_to_be_written(s, sp, gpa, with, n, true);
	watch_parts(s);
}

/* What was taken out comes back as it is now, where that needs no fault. */
static void put_back(struct shadow *s)
{
	while (s->takens) {
		uint32_t ref = s->taken[--s->takens];
		struct spage *sp = spage_at(s, ref >> 9);
		unsigned index = ref & 511;

		leaf_prefetch(&s->alone, sp, index, mmu_guest_entry(s->vm, entry_gpa(sp, index), entry_size(sp)));
	}
	s->watching = false;
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
		if (of_other_size(sp, size)) {
			seam_written();
			page_written(s, sp, gpa, size, false);
		}
}

void shadow_flags_writes(struct mmu_vm *vm, gpa_t gpa, uint64_t new, unsigned size)
{
	struct shadow *s = shadow_of(vm);
	const struct gframe *g = rmap_gframe(&s->rmap, gpa_gfn(gpa), false);

	if (!g || !g->tracked)
		return;
	for (struct spage *sp = spage_at(s, g->pages); sp; sp = spage_at(s, sp->next_of_gfn))
		if (of_other_size(sp, size))
			page_to_be_written(s, sp, gpa, &new, size, false);
	watch_parts(s);
}

static __attribute__((noinline)) void tracked_written(struct mmu_vm *vm, const struct gframe *g, gpa_t gpa, unsigned n)
{
	struct shadow *s = shadow_of(vm);
	struct spage *next;

	vm->counters.tracked_writes++;
	put_back(s);
	for (struct spage *sp = spage_at(s, g->pages); sp; sp = next) {
		next = spage_at(s, sp->next_of_gfn);
		if (sp->role & ROLE_DIRECT)
			continue;
		page_written(s, sp, gpa, n, true);
		if (sp->writes < UINT8_MAX)
			sp->writes++;
		if (sp->writes < s->policy->flood || sp->roots || (s->policy->keep_named && sp->parents))
			continue;
		vm->counters.shadow_flooded++;
		if (sp->parents)
			spage_zap(s, sp);
		else
			note_orphan(s, sp);
	}
	forget_orphans(s);
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
