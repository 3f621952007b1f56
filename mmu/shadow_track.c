/* mmu/shadow_track.c - guest tables and their shadows: in sync by write-protection, or out of sync and brought up to date when
 * the guest's invalidations ask for it. */
#include "mmu/mutate.h"
#include "mmu/shadow.h"

static struct shadow_vcpu *priv(const struct mmu_vcpu *vcpu) { return vcpu->priv; }

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

/* ---- out of sync ---- */

static void list_unsync(struct shadow *s, struct spage *sp)
{
	sp->unsync = true;
	sp->idle = 0;
	sp->invlpgs = 0;
	sp->unsync_previous = NULL;
	sp->unsync_next = s->unsync_first;
	if (s->unsync_first)
		s->unsync_first->unsync_previous = sp;
	s->unsync_first = sp;
	s->unsync_count++;
	s->shape++;
	s->unsync_present += sp->present;
	s->vm->counters.unsynced++;
}

void shadow_unlist_unsync(struct shadow *s, struct spage *sp)
{
	*(sp->unsync_previous ? &sp->unsync_previous->unsync_next : &s->unsync_first) = sp->unsync_next;
	if (sp->unsync_next)
		sp->unsync_next->unsync_previous = sp->unsync_previous;
	sp->unsync = sp->thin = false;
	s->unsync_count--;
	s->shape++;
	s->unsync_present -= sp->present;
}

/* INVLPG need exit only while something is out of sync, or dropped above the last level. What has no entry in a table that is out
 * of sync is looked up in the guest's by its next use; all that can be out of date is in the TLB, and INVLPG drops that itself. */
void shadow_update_invlpg(struct shadow *s, struct mmu_vcpu *self)
{
	for (struct mmu_vcpu *v = s->vm->vcpus; v; v = v->next) {
		bool want = s->unsync_present > 0 || priv(v)->upper_seen != s->upper_drops;

		if (v->intercepts.invlpg == want)
			continue;
		v->intercepts.invlpg = want;
		v->intercepts_changed = true;
		if (want && v != self)
			tag_request_all(v); /* it must come out to take note */
	}
}

bool shadow_unsync(struct shadow *s, struct mmu_vcpu *self, struct gframe *g)
{
	unsigned more = 0;

	if (!s->policy->unsync)
		return false;
	for (struct spage *sp = spage_at(s, g->pages); sp; sp = spage_at(s, sp->next_of_gfn)) {
		if (sp->role & ROLE_DIRECT)
			continue;
		if (role_level(sp->role) > 1)
			return false;
		more++;
	}
	if (more > SHADOW_UNSYNC_ROLES)
		return false;
	while (s->unsync_count + more > SHADOW_UNSYNC_MAX) {
		struct spage *last = s->unsync_first;

		while (last->unsync_next)
			last = last->unsync_next;
		if (!shadow_resync(s, self, last->gfn))
			return false;
	}
	for (struct spage *sp = spage_at(s, g->pages); sp; sp = spage_at(s, sp->next_of_gfn))
		if (!(sp->role & ROLE_DIRECT) && !sp->unsync)
			list_unsync(s, sp);
	shadow_update_invlpg(s, self);
	tag_synchronize(s->vm, self);
	return true;
}

/* ---- bringing up to date ---- */

/* One entry: what was made from another guest entry goes, and is made anew where that needs no fault. true: it changed. */
static bool sync_entry(struct shadow *s, struct spage *sp, unsigned index)
{
	uint64_t guest;

	if (!sp->table[index])
		return false;
	guest = mmu_guest_entry(s->vm, entry_gpa(sp, index), entry_size(sp));
	if (guest == sp->guest[index])
		return false;
	s->vm->counters.entries_synced++;
	entry_drop(s, sp, index);
	if (role_level(sp->role) == 1)
		leaf_prefetch(s, sp, index, guest);
	return true;
}

#define COMPARED_AT_ONCE 8

static inline bool differ(const uint64_t *a, const uint64_t *b)
{
	const volatile uint64_t *v = a;

	return (v[0] ^ b[0]) | (v[1] ^ b[1]) | (v[2] ^ b[2]) | (v[3] ^ b[3]) | (v[4] ^ b[4]) | (v[5] ^ b[5]) | (v[6] ^ b[6]) | (v[7] ^ b[7]);
}

/* Most of a table is as it was: that must be quick to see. What the snapshot says of an entry that the shadow does not have
 * means nothing, so it may as well be what the guest's is now, and the next comparison passes it by. */
static bool sync_8_byte(struct shadow *s, struct spage *sp, const uint64_t *page)
{
	bool changed = false;

	for (unsigned i = sp->first & ~(COMPARED_AT_ONCE - 1u), last = sp->last; i <= last; i += COMPARED_AT_ONCE) {
		if (likely(!differ(page + i, sp->guest + i)))
			continue;
		for (unsigned j = i; j < i + COMPARED_AT_ONCE; j++) {
			if (sp->table[j])
				changed |= sync_entry(s, sp, j);
			if (!sp->table[j])
				sp->guest[j] = page[j];
		}
	}
	return changed;
}

static bool sync_any(struct shadow *s, struct spage *sp)
{
	bool changed = false;

	for (unsigned i = sp->first, last = sp->last; sp->present && i <= last; i++)
		changed |= sync_entry(s, sp, i);
	return changed;
}

void shadow_sync_page(struct shadow *s, struct spage *sp)
{
	const void *page = mmu_guest_ptr_locked(s->vm, gfn_gpa(sp->gfn), false);
	bool changed = page && !(sp->role & ROLE_NARROW) ? sync_8_byte(s, sp, page) : sync_any(s, sp);

	s->vm->counters.resynced++;
	s->vm->counters.entries_compared += sp->last - sp->first + 1u;
	s->vm->counters.steps += (sp->last - sp->first) / COMPARED_AT_ONCE + 1u;
	if (changed)
		sp->idle = 0;
	else if (sp->idle < SHADOW_IDLE_SYNCS)
		s->idle |= ++sp->idle == SHADOW_IDLE_SYNCS;
}

bool shadow_resync(struct shadow *s, struct mmu_vcpu *self, gfn_t gfn)
{
	struct gframe *g = rmap_gframe(&s->rmap, gfn, false);
	bool any = false, all = true;

	for (struct spage *sp = g ? spage_at(s, g->pages) : NULL; sp; sp = spage_at(s, sp->next_of_gfn))
		any |= sp->unsync;
	if (!any)
		return true;
	/* S5: protect, flush, and only then read. */
	MUTANT(RESYNC_PROTECT, all = rmap_protect(s, gfn, s->work));
	if (!all)
		return false;
	if (s->stale)
		MUTANT(RESYNC_FLUSH, shadow_flush_all(s, self));
	for (struct spage *sp = spage_at(s, g->pages); sp; sp = spage_at(s, sp->next_of_gfn)) {
		if (!sp->unsync)
			continue;
		shadow_unlist_unsync(s, sp);
		MUTANT(RESYNC_READ, shadow_sync_page(s, sp));
	}
	shadow_update_invlpg(s, self);
	return true;
}

#define PARENTS_LOOKED_AT 32

static bool reached_by(struct shadow *s, const struct spage *top, const struct spage *sp, unsigned *looked)
{
	if (sp == top)
		return true;
	if (role_level(sp->role) >= role_level(top->role))
		return false;
	for (uint32_t ref = sp->parents; ref; ref = rmap_behind(&s->pages, sp->parents, ref)) {
		s->vm->counters.steps++;
		if (++*looked > PARENTS_LOOKED_AT || reached_by(s, top, spage_at(s, ref >> 9), looked))
			return true;
	}
	return false;
}

/* Is top the page itself or above it? Where more parents would have to be looked at in all than are looked at, it counts as reached. */
static bool reached(struct shadow *s, const struct spage *top, const struct spage *sp)
{
	unsigned looked = 0;

	return reached_by(s, top, sp, &looked);
}

static bool reached_from_roots(struct shadow *s, const struct shadow_vcpu *v, const struct spage *sp)
{
	for (unsigned i = 0; i < 4; i++)
		if (v->root[i] && reached(s, v->root[i], sp))
			return true;
	return false;
}

void shadow_sync_below(struct shadow *s, const struct spage *top)
{
	for (struct spage *sp = s->unsync_first; sp; sp = sp->unsync_next)
		if (reached(s, top, sp))
			shadow_sync_page(s, sp);
}

/* A table that is out of sync and at rest goes back under write-protection. */
static struct spage *find_idle(struct shadow *s)
{
	struct spage *sp = s->idle ? s->unsync_first : NULL;

	while (sp && sp->idle < SHADOW_IDLE_SYNCS)
		sp = sp->unsync_next;
	s->idle = sp != NULL;
	return sp;
}

/* Finds out, once more, what the known root reaches. */
static void note_reached(struct shadow *s, const struct shadow_vcpu *v, struct shadow_known_root *k)
{
	k->count = 0;
	k->shape = s->shape;
	for (struct spage *sp = s->unsync_first; sp; sp = sp->unsync_next) {
		if (!reached_from_roots(s, v, sp))
			continue;
		if (k->count == SHADOW_KNOWN_REACHED) {
			k->shape = 0;
			return;
		}
		k->reached[k->count++] = sp->id;
	}
}

/* One page of many. When a great many entries have been brought over already, the others' go instead: that is quicker, and who needs
 * them brings them over one by one. */
static void sync_one(struct shadow *s, struct spage *sp, uint64_t until)
{
	if (!sp->present)
		return;
	if (s->vm->counters.entries_synced < until)
		shadow_sync_page(s, sp);
	else
		spage_clear(s, sp);
}

static void sync_reached(struct shadow *s, const struct shadow_vcpu *v)
{
	uint64_t until = s->vm->counters.entries_synced + SHADOW_SYNCED_MAX;
	struct shadow_known_root *k = v->now;

	if (k && !(k->shape && MUTANT_OR(ROOT_SHAPE, k->shape == s->shape)))
		note_reached(s, v, k);
	if (k && k->shape) {
		for (unsigned i = 0; i < k->count; i++)
			sync_one(s, spage_at(s, k->reached[i]), until);
		return;
	}
	for (struct spage *sp = s->unsync_first; sp; sp = sp->unsync_next)
		if (sp->present && reached_from_roots(s, v, sp))
			sync_one(s, sp, until);
}

void shadow_sync_root(struct mmu_vcpu *vcpu)
{
	struct shadow *s = shadow_of(vcpu->vm);
	struct spage *sp;

	MUTANT(SYNC_ROOT, sync_reached(s, priv(vcpu)));
	for (unsigned i = 0; i < SHADOW_IDLE_AT_ONCE && (sp = find_idle(s)); i++)
		if (!shadow_resync(s, vcpu, sp->gfn))
			break;
}

void shadow_sync_address(struct mmu_vcpu *vcpu, gva_t gva)
{
	struct shadow *s = shadow_of(vcpu->vm);
	unsigned index;
	struct spage *sp = shadow_lookup(vcpu, gva, &index);

	if (!sp || !sp->unsync)
		return;
	if (sync_entry(s, sp, index))
		tag_request_address(vcpu, gva);
}

void shadow_thin_out(struct mmu_vcpu *vcpu, gva_t gva)
{
	struct shadow *s = shadow_of(vcpu->vm);
	unsigned index;
	struct spage *sp = shadow_lookup(vcpu, gva, &index);

	if (!sp || !sp->unsync)
		return;
	sp->filled = 0;
	if (sp->invlpgs < UINT8_MAX)
		sp->invlpgs++;
	if (!sp->thin && (sp->invlpgs < SHADOW_INVLPGS || sp->invlpgs * 2 < sp->present))
		return;
	/* TLBs may keep what was right until now. */
	spage_clear(s, sp);
	sp->invlpgs = 0;
	sp->thin = true;
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

/* Nobody walks it, and whoever will name it again will find its entries then; until that the guest may use the page for anything.
 * With it go the tables that it alone named. */
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
	unsigned per = entry_size(sp), first = (gpa.v & (PAGE_SIZE - 1)) / per, last = ((gpa.v & (PAGE_SIZE - 1)) + n - 1) / per;

	/* From guest entry numbers to the shadow's. */
	if (sp->role & ROLE_NARROW) {
		unsigned span = role_level(sp->role) == 1 ? 512 : 256, base = role_quadrant(sp->role) * span;

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
			MUTANT(WRITE_SYNC, sync_entry(s, sp, i));
		}
}

/* A shadow has no use for flags that are set, until its own next fault. But to a shadow of the same table with entries of
 * another size (the guest has it in use under two modes) they are not flags. */
void shadow_flags_written(struct mmu_vm *vm, gpa_t gpa, unsigned size)
{
	struct shadow *s = shadow_of(vm);
	struct gframe *g = rmap_gframe(&s->rmap, gpa_gfn(gpa), false);
	if (!g || !g->tracked)
		return;
	for (struct spage *sp = spage_at(s, g->pages); sp; sp = spage_at(s, sp->next_of_gfn))
		if (!(sp->role & ROLE_DIRECT) && entry_size(sp) != size)
			page_written(s, sp, gpa, size, NULL);
}

void shadow_guest_written(struct mmu_vm *vm, gpa_t gpa, unsigned n)
{
	struct shadow *s = shadow_of(vm);
	struct gframe *g = rmap_gframe(&s->rmap, gpa_gfn(gpa), false);
	struct spage *next;
	struct orphans o = { .count = 0 };

	if (!g || !g->tracked)
		return;
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
	tag_synchronize(vm, NULL);
}
