/* What the guest's own staleness permits (SDM, "Caching Translation Information", and "Invalidation of TLBs and
 * Paging-Structure Caches").
 *
 * A processor may hold a translation that it read at any time since the last invalidation that covers it. A path
 * through the tables is permitted when its entries can be read one after the other, each while it had the value, within
 * one stretch of time in which no invalidation removed the paging-structure caches; when the leaf was read since the
 * last invalidation that covers the translation; and when what was cached had its accessed flag (for a write: its dirty
 * flag) set. From some level on the path may also be read now. */
#include "test/oracle/weave.h"

#define NEVER (~0ull)
#define NOW_MAX 16u

/* ---- recording ---- */

static unsigned bucket_of(uint64_t word) { return mix(word) % BUCKETS; }

void spec_change(struct vm *vm, uint64_t gpa, uint64_t old)
{
	uint64_t word = gpa / 8;
	unsigned b = bucket_of(word);

	bool was = weave_quiet(vm->world, true);

	vm->world->now++;
	weave_changed(vm->world, word);
	if (vm->changes + 1 >= HISTORY) {
		/* Kept from happening by step_do, which makes the guests flush in time. */
		fail(vm->world, "the history is full");
		return;
	}
	vm->change[++vm->changes] =
		(struct change){ .word = word, .value = old, .when = vm->world->now, .next = vm->bucket[b] };
	vm->bucket[b] = vm->changes;
	weave_quiet(vm->world, was);
}

/* The i-th change, or the next older one, that is of the word; .when is 0 where there is none. */
static struct change of_word(struct vm *vm, uint32_t i, uint64_t word)
{
	bool was = weave_quiet(vm->world, true);
	struct change c = { 0 };

	while (i && vm->change[i].word != word)
		i = vm->change[i].next;
	if (i)
		c = vm->change[i];
	weave_quiet(vm->world, was);
	return c;
}

static struct change last_change(struct vm *vm, uint64_t word)
{
	bool was = weave_quiet(vm->world, true);
	uint32_t i = vm->bucket[bucket_of(word)];

	weave_quiet(vm->world, was);
	weave_searched(vm->world, word);
	return of_word(vm, i, word);
}

void spec_context(struct vcpu *v)
{
	uint64_t now = ++v->vm->world->now;

	weave_marked_all(v->vm->world);
	if (v->contexts)
		v->context[v->contexts - 1].to = now;
	BUG_ON(v->contexts == CONTEXTS);
	v->context[v->contexts++] = (struct context){ .from = now, .to = NEVER, .regs = v->regs };
}

void spec_drop(struct vcpu *v, enum drop drop, uint64_t va, uint16_t pcid)
{
	uint64_t now = ++v->vm->world->now;

	if (drop == DROP_ADDRESS || drop == DROP_FAULT)
		weave_marked(v, va);
	else
		weave_marked_all(v->vm->world);
	if (drop == DROP_ALL) {
		v->events = 0;
		v->context[0] = v->context[v->contexts - 1];
		v->context[0].from = now;
		v->contexts = 1;
	}
	BUG_ON(v->events == EVENTS);
	v->event[v->events++] = (struct event){ .when = now, .va = va, .drop = drop, .pcid = pcid };
}

/* Others may have changed the entry since, and what was cached after that is not dropped by it. */
void spec_drop_fault(struct vcpu *v, uint64_t va)
{
	spec_drop(v, DROP_FAULT, va, x_pcid(&v->regs));
	if (v->vm->world->weave)
		v->event[v->events - 1].when = v->since;
}

void spec_forget(struct vcpu *v)
{
	v->events = v->contexts = 0;
	spec_context(v);
	spec_drop(v, DROP_ALL, 0, 0);
}

/* ---- what each event removes ---- */

static bool removes_translation(const struct event *e, uint64_t va, unsigned shift, bool global, uint16_t pcid)
{
	bool address = e->va >> shift == va >> shift;

	switch (e->drop) {
	case DROP_ALL:
		return true;
	case DROP_NONGLOBAL:
		return !global && e->pcid == pcid;
	case DROP_NONGLOBAL_ALL:
		return !global;
	case DROP_ADDRESS:
	case DROP_FAULT:
		return address && (global || e->pcid == pcid);
	case DROP_ADDRESS_NONGLOBAL:
		return address && !global && e->pcid == pcid;
	case DROP_PCID:
		return global || e->pcid == pcid;
	}
	return false;
}

static bool cuts_structures(const struct event *e, uint64_t va, uint16_t pcid)
{
	switch (e->drop) {
	case DROP_ALL:
	case DROP_NONGLOBAL_ALL:
		return true;
	case DROP_NONGLOBAL:
	case DROP_ADDRESS:
	case DROP_PCID:
		return e->pcid == pcid;
	case DROP_FAULT:
	case DROP_ADDRESS_NONGLOBAL:
		return e->pcid == pcid && e->va >> PAGE_SHIFT == va >> PAGE_SHIFT;
	}
	return false;
}

static uint64_t last_removal(const struct vcpu *v, uint64_t va, unsigned shift, bool global, uint16_t pcid)
{
	for (unsigned i = v->events; i--;)
		if (removes_translation(&v->event[i], va, shift, global, pcid))
			return v->event[i].when;
	return 0;
}

/* ---- the search ---- */

struct search {
	struct vcpu *v;
	uint64_t va;
	struct x_access a;
	const struct observed *o; /* NULL: adopt all flags instead of looking for an outcome */
	const struct context *c;
	enum x_mode mode;
	uint64_t until;           /* the stretch's end; NEVER: it lasts */
	bool current;             /* c's PCID is the current one: not only global translations count */
	uint64_t now[NOW_MAX];    /* entries read now, on the present path */
	unsigned nows;
	bool found;
	uint64_t gpa;
	bool for_table;           /* looking for nothing but a table entry at gpa, read now, or a page by ones there */
};

static bool adopt_path(struct search *s, bool leaf, bool success, bool must)
{
	unsigned size = x_entry_size(s->mode);
	struct vm *vm = s->v->vm;

	must &= weave_undisturbed(s->v);
	for (unsigned i = 0; i < s->nows; i++) {
		bool last = leaf && i + 1 == s->nows;
		uint64_t want = X_A | (last && success && s->a.write ? X_D : 0);

		if (must && gm_lacks(vm, s->now[i], size, want))
			return false;
	}
	for (unsigned i = 0; i < s->nows; i++) {
		bool last = leaf && s->now[i] == s->now[s->nows - 1];

		if (!gm_adopt(vm, s->now[i], size, X_A | (last && success && s->a.write ? X_D : 0)))
			return false;
	}
	return true;
}

static void end_in_fault(struct search *s, uint32_t error, bool leaf)
{
	if (s->for_table)
		return;
	if (!s->o) {
		adopt_path(s, leaf, in_disguise(s->v, s->a), false);
		return;
	}
	if (s->o->how == SEEN_FAULT && s->o->error == error && adopt_path(s, leaf, false, false))
		s->found = true;
}

/* One of the entries read now is in no memory, which reads as ones. */
static bool by_ones_now(const struct search *s)
{
	for (unsigned i = 0; i < s->nows; i++)
		if (!page_find(s->v->vm, s->now[i] >> PAGE_SHIFT))
			return true;
	return false;
}

static void end_in_page(struct search *s, uint64_t gpa)
{
	if (s->for_table) {
		s->found |= s->v->vm->world->weave && gpa == s->gpa && by_ones_now(s);
		return;
	}
	if (!s->o) {
		adopt_path(s, true, true, false);
		return;
	}
	if (spec_place(s->v->vm, s->o, gpa, s->a) && adopt_path(s, true, true, true)) {
		s->found = true;
		s->gpa = gpa;
	}
}

static void end_at_leaf(struct search *s, const struct x_entry *e, struct x_rights rights, bool read_now, uint64_t last)
{
	const struct x_regs *r = &s->v->regs;
	bool global = e->g && s->c->regs.cr4 & X_CR4_PGE;

	rights.pkey = e->pkey;
	if (!read_now) {
		if (!(e->a || s->v->vm->world->weave) || (!s->current && !global) ||
		    last <= last_removal(s->v, s->va, e->shift, global, x_pcid(&s->c->regs)))
			return;
		if (x_permitted(r, s->a, rights) && s->a.write && !e->d && !s->v->vm->world->weave)
			return;
	}
	if (!x_permitted(r, s->a, rights))
		end_in_fault(s, x_error_rights(r, s->a, rights), read_now);
	else
		end_in_page(s, e->addr | (s->va & (BIT(e->shift) - 1)));
}

static void descend(struct search *s, unsigned level, uint64_t table, struct x_rights rights, uint64_t from, bool now);

/* One value of an entry, which it had until to (exclusive). */
static void consider(struct search *s, unsigned level, uint64_t at, uint64_t value, struct x_rights rights,
		     uint64_t from, uint64_t to, bool now)
{
	struct x_entry e = x_decode(&s->c->regs, s->mode, level, value);

	s->found |= s->for_table && now && at == s->gpa;

	if (e.kind < X_TABLE) {
		if (now)
			end_in_fault(s, x_error_absent(&s->v->regs, s->a, e.kind == X_RESERVED), false);
		return;
	}
	rights.w &= e.w;
	rights.u &= e.u;
	rights.xd |= e.xd;
	if (now)
		s->now[s->nows++] = at;
	if (e.kind == X_LEAF)
		end_at_leaf(s, &e, rights, now, min_u64(to, s->until));
	else if (now || e.a || s->v->vm->world->weave)
		descend(s, level - 1, e.addr, rights, from, now);
	if (now)
		s->nows--;
}

static uint64_t part(uint64_t word, uint64_t at, unsigned size)
{
	return size == 8 ? word : at & 4 ? word >> 32 : word & 0xffffffffull;
}

/* Where steps are interleaved, the CPU's own read came at some time since the vCPU was last entered. */
static void consider_since(struct search *s, unsigned level, uint64_t at, struct x_rights rights)
{
	struct vm *vm = s->v->vm;
	unsigned size = x_entry_size(s->mode);

	for (struct change c = last_change(vm, at / 8); c.when && !s->found; c = of_word(vm, c.next, at / 8))
		if (c.when > s->v->since)
			consider(s, level, at, part(c.value, at, size), rights, vm->world->now, NEVER, true);
}

static void descend(struct search *s, unsigned level, uint64_t table, struct x_rights rights, uint64_t from, bool now)
{
	struct vm *vm = s->v->vm;
	unsigned size = x_entry_size(s->mode);
	uint64_t at = table + (uint64_t)x_index(s->mode, level, s->va) * size, value = gm_read(vm, at & ~7ull, 8),
		 to = NEVER;
	uint64_t end = level == x_top(s->mode) ? min_u64(s->until, s->c->to) : s->until;

	/* From here on the CPU itself reads, now: under the current registers, with what is cached above. */
	if (s->until == NEVER && s->current && (now || level < x_top(s->mode) || s->c->to == NEVER)) {
		consider(s, level, at, part(value, at, size), rights, vm->world->now, NEVER, true);
		if (vm->world->weave)
			consider_since(s, level, at, rights);
	}
	if (now)
		return;
	for (struct change c = last_change(vm, at / 8); !s->found; c = of_word(vm, c.next, at / 8)) {
		uint64_t read = max_u64(c.when, from);

		if (read < to && read < end)
			consider(s, level, at, part(value, at, size), rights, read, to, false);
		if (c.when <= from)
			return;
		value = c.value;
		to = c.when;
	}
}

/* All paths that begin in the stretch [from, until) with the context's registers. */
static void search_stretch(struct search *s, uint64_t from, uint64_t until)
{
	const struct x_regs *r = &s->c->regs;
	struct x_rights all = { .w = true, .u = true };
	uint64_t va = x_va(s->mode, s->va), table = x_root(r, s->mode);

	s->until = until;
	from = max_u64(from, s->c->from);
	if (from >= until || from >= s->c->to)
		return;
	if (s->mode == X_PAE) {
		uint64_t pdpte = r->pdpte[va >> 30];

		if (!(pdpte & X_P)) {
			if (s->c->to == NEVER)
				end_in_fault(s, x_error_absent(&s->v->regs, s->a, false), false);
			return;
		}
		table = pdpte & X_ADDRESS_MASK;
	}
	descend(s, x_top(s->mode), table, all, from, false);
}

static void search_all(struct search *s)
{
	struct vcpu *v = s->v;

	for (unsigned k = v->contexts; k-- && !s->found;) {
		s->c = &v->context[k];
		s->mode = x_mode(&s->c->regs);
		if (s->mode == X_NONE || s->mode != x_mode(&v->regs))
			continue;

		uint16_t pcid = x_pcid(&s->c->regs);
		uint64_t until = NEVER;

		s->current = pcid == x_pcid(&v->regs);
		for (unsigned i = v->events; i-- && !s->found;) {
			if (!cuts_structures(&v->event[i], s->va, pcid))
				continue;
			search_stretch(s, v->event[i].when, until);
			until = v->event[i].when;
		}
	}
}

bool spec_changed_since(const struct vcpu *v)
{
	enum x_mode mode = x_mode(&v->regs);
	struct vm *vm = v->vm;
	bool was = weave_quiet(vm->world, true), changed = false;

	for (uint32_t i = 1; i <= vm->changes; i++)
		for (unsigned level = 1; mode != X_NONE && level <= x_top(mode); level++)
			changed |= vm->change[i].when > v->since &&
				   vm->change[i].word % 512 ==
					   (uint64_t)x_index(mode, level, v->last_va) * x_entry_size(mode) / 8;
	weave_quiet(vm->world, was);
	weave_marked(v, v->last_va);
	return changed;
}

bool spec_stale(struct vcpu *v, uint64_t va, struct x_access a, const struct observed *o, uint64_t *gpa)
{
	struct search s = { .v = v, .va = va, .a = a, .o = o };

	search_all(&s);
	*gpa = s.gpa;
	return s.found;
}

void spec_adopt_all(struct vcpu *v, uint64_t va, struct x_access a)
{
	struct search s = { .v = v, .va = va, .a = a };

	search_all(&s);
}

bool spec_stale_table(struct vcpu *v, uint64_t va, struct x_access a, uint64_t gpa)
{
	struct search s = { .v = v, .va = va, .a = a, .gpa = gpa, .for_table = true };

	search_all(&s);
	return s.found;
}
