/* mmu/shadow/unsync.c - last-level guest tables that are out of sync with their shadows, so that the guest may edit
 * them freely, and are brought up to date when its invalidations ask for it (S6). */
#include "mmu/mutate.h"
#include "mmu/shadow/shadow.h"

static struct shadow_vcpu *priv(const struct mmu_vcpu *vcpu) { return vcpu->priv; }

/* ---- out of sync ---- */

/* for (uint64_t left = s->unsync_used; left; left &= left - 1) ... first_of(s, left) */
static struct spage *first_of(const struct shadow *s, uint64_t places) { return s->unsync[__builtin_ctzll(places)]; }

static void list_unsync(struct shadow *s, struct spage *sp)
{
	unsigned place = __builtin_ctzll(~s->unsync_used);

	_Static_assert(SHADOW_UNSYNC_MAX == 64, "a place for each bit");
	sp->unsync = true;
	sp->place = (uint8_t)place;
	sp->idle = 0;
	sp->invlpgs = 0;
	s->unsync[place] = sp;
	s->unsync_since[place] = ++s->unsync_last;
	s->unsync_used |= BIT(place);
	s->unsync_count++;
	s->unsync_present += sp->present;
	s->vm->counters.unsynced++;
}

void shadow_unlist_unsync(struct shadow *s, struct spage *sp)
{
	s->unsync_used &= ~BIT(sp->place);
	s->unsync_count--;
	sp->unsync = sp->thin = false;
	s->unsync_present -= sp->present;
}

/* The page that has been out of sync for longest. */
static struct spage *longest_unsync(const struct shadow *s)
{
	unsigned longest = __builtin_ctzll(s->unsync_used);

	for (uint64_t left = s->unsync_used; left; left &= left - 1)
		if (s->unsync_since[__builtin_ctzll(left)] < s->unsync_since[longest])
			longest = __builtin_ctzll(left);
	return s->unsync[longest];
}

void shadow_update_invlpg(struct shadow *s, struct mmu_vcpu *self)
{
	for (struct mmu_vcpu *v = s->vm->vcpus; v; v = v->next) {
		bool want = shadow_wants_invlpg(s, v);

		if (v->intercepts.invlpg == want)
			continue;
		__atomic_store_n(&v->intercepts.invlpg, want, __ATOMIC_RELAXED);
		__atomic_store_n(&v->intercepts_changed, true, __ATOMIC_RELEASE);
		if (want && v != self)
			MUTANT(UNSYNC_LOOK, tag_request_look(v));
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
		if (role_level(sp->role) > 1) /* S6, of each of its uses */
			return false;
		more++;
	}
	if (more > SHADOW_UNSYNC_ROLES)
		return false;
	while (s->unsync_count + more > SHADOW_UNSYNC_MAX)
		if (!shadow_resync(s, self, longest_unsync(s)->gfn))
			return false;
	for (struct spage *sp = spage_at(s, g->pages); sp; sp = spage_at(s, sp->next_of_gfn))
		if (!(sp->role & ROLE_DIRECT) && !sp->unsync)
			list_unsync(s, sp);
	shadow_update_invlpg(s, self);
	MUTANT(UNSYNC_KICK, tag_synchronize(s->vm, self));
	return true;
}

/* ---- bringing up to date ---- */

/* The entry, which there is, where guest is the guest's now. */
static bool sync_value(struct shadow *s, struct spage *sp, unsigned index, uint64_t guest)
{
	if (guest == sp->guest[index])
		return false;
	s->vm->counters.entries_synced++;
	entry_drop(s, sp, index);
	if (role_level(sp->role) == 1)
		leaf_prefetch(&s->alone, sp, index, guest);
	return true;
}

bool shadow_sync_entry(struct shadow *s, struct spage *sp, unsigned index)
{
	return sp->table[index] &&
	       sync_value(s, sp, index, mmu_guest_entry(s->vm, entry_gpa(sp, index), entry_size(sp)));
}

#define COMPARED_AT_ONCE 8

static inline bool differ(const uint64_t *a, const uint64_t *b)
{
	uint64_t d = 0;

#define DIFFER(i) d |= __atomic_load_n(&a[i], __ATOMIC_RELAXED) ^ b[i]
	DIFFER(0), DIFFER(1), DIFFER(2), DIFFER(3), DIFFER(4), DIFFER(5), DIFFER(6), DIFFER(7);
#undef DIFFER
	return d;
}

/* Most of a table is as it was: that must be quick to see. What the snapshot says of an entry that the shadow does not
 * have means nothing, so it may as well be what the guest's is now, and the next comparison passes it by. */
static bool sync_8_byte(struct shadow *s, struct spage *sp, const uint64_t *page)
{
	bool changed = false;

	for (unsigned i = sp->first & ~(COMPARED_AT_ONCE - 1u), last = sp->last; i <= last; i += COMPARED_AT_ONCE) {
		if (likely(!differ(page + i, sp->guest + i)))
			continue;
		for (unsigned j = i; j < i + COMPARED_AT_ONCE; j++) {
			uint64_t guest = __atomic_load_n(&page[j], __ATOMIC_ACQUIRE);

			if (guest == sp->guest[j])
				continue;
			if (sp->table[j])
				changed |= sync_value(s, sp, j, guest);
			if (!sp->table[j])
				sp->guest[j] = guest;
		}
	}
	return changed;
}

static bool sync_any(struct shadow *s, struct spage *sp)
{
	bool changed = false;

	for (unsigned i = sp->first, last = sp->last; sp->present && i <= last; i++)
		changed |= shadow_sync_entry(s, sp, i);
	return changed;
}

void shadow_sync_page(struct shadow *s, struct spage *sp)
{
	const void *page = mmu_guest_ptr_locked(s->vm, gfn_gpa(sp->gfn));
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

/* Is top the page itself or above it? Where more parents would have to be looked at in all than are looked at, it
 * counts as reached. */
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
	for (uint64_t left = s->unsync_used; left; left &= left - 1)
		if (reached(s, top, first_of(s, left)))
			shadow_sync_page(s, first_of(s, left));
}

/* A table that is out of sync and at rest goes back under write-protection. */
static struct spage *find_idle(struct shadow *s)
{
	for (uint64_t left = s->idle ? s->unsync_used : 0; left; left &= left - 1)
		if (first_of(s, left)->idle >= SHADOW_IDLE_SYNCS)
			return first_of(s, left);
	s->idle = false;
	return NULL;
}

/* The places of what went out of sync since. */
static uint64_t fresh(const struct shadow *s, uint64_t since)
{
	uint64_t places = 0;

	for (uint64_t left = since == s->unsync_last ? 0 : s->unsync_used; left; left &= left - 1)
		if (s->unsync_since[__builtin_ctzll(left)] > since)
			places |= left & -left;
	return places;
}

/* Brings what is known of a known root up to date: of what went out of sync since it was last looked at; or of all,
 * where more may be reached now. */
static void note_reached(struct shadow *s, const struct shadow_vcpu *v, struct shadow_known_root *k)
{
	bool same = k->shape && MUTANT_OR(ROOT_SHAPE, k->shape == s->shape);
	uint64_t places = same ? 0 : s->unsync_used;

	if (same)
		MUTANT(ROOT_UNSYNC, places = fresh(s, k->seen));
	k->shape = s->shape;
	k->seen = s->unsync_last;
	for (; places; places &= places - 1)
		if (reached_from_roots(s, v, first_of(s, places)))
			k->reached |= places & -places;
		else
			k->reached &= ~(places & -places);
}

/* One page of many. When a great many entries have been brought over already, the others' go instead: that is quicker,
 * and who needs them brings them over one by one. */
static void sync_one(struct shadow *s, struct spage *sp, uint64_t until)
{
	if (s->vm->counters.entries_synced < until)
		shadow_sync_page(s, sp);
	else
		spage_clear(s, sp);
}

static void sync_reached(struct shadow *s, const struct shadow_vcpu *v)
{
	uint64_t until = s->vm->counters.entries_synced + SHADOW_SYNCED_MAX;

	if (v->now)
		note_reached(s, v, v->now);
	for (uint64_t left = s->unsync_used & (v->now ? v->now->reached : ~0ull); left; left &= left - 1) {
		struct spage *sp = first_of(s, left);

		if (sp->present && (v->now || reached_from_roots(s, v, sp)))
			sync_one(s, sp, until);
	}
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
	if (shadow_sync_entry(s, sp, index))
		tag_request_address(vcpu, gva, TAG_TABLES);
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
