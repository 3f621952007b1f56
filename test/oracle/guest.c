/* Guest accesses: carried out through the mechanism's tables on the model's CPU, and judged. */
#include <string.h>

#include "mmu/recall.h"
#include "test/oracle/weave.h"

#define ATTEMPTS_MAX 4000u /* a long list is protected piece by piece (S16) */

static const char *mechanism(const struct vcpu *v) { return v->mmu.vm->ops->name; }

/* What the CPU ended itself: true, and *o says how. */
static bool ended(const struct m_result *r, struct observed *o)
{
	if (r->event == M_OK) {
		o->how = SEEN_DIRECT;
		o->hpa = r->hpa;
		o->ept_type = r->ept_type;
	} else if (r->event == M_PF) {
		o->how = SEEN_FAULT;
		o->error = r->error;
	} else {
		return false;
	}
	return true;
}

/* The same of what the mechanism made of an exit. */
static bool ended_by_exit(struct vcpu *v, const struct mmu_result *f, uint64_t va, struct observed *o)
{
	struct world *w = v->vm->world;

	if (f->outcome == MMU_EMULATE) {
		o->how = SEEN_EMULATED;
		o->gpa = f->gpa.v;
		w->account.emulated++;
	} else if (f->outcome == MMU_INJECT) {
		o->how = SEEN_FAULT;
		o->error = f->exception.error;
		if (f->exception.vector != VECTOR_PF || f->exception.cr2 != va)
			fail(w, "%s injects vector %u, CR2 %llx", mechanism(v), f->exception.vector,
			     (unsigned long long)f->exception.cr2);
	} else {
		return false;
	}
	return true;
}

/* Runs the access until it ends one way or the other. false: a failure has been noted. */
static bool carry_out(struct vcpu *v, uint64_t va, struct x_access a, struct observed *o)
{
	struct world *w = v->vm->world;

	*o = (struct observed){ 0 };
	while (o->attempts++ < ATTEMPTS_MAX) {
		if (!enter(v) || w->failed)
			return false;

		uint64_t flags = v->in->stats.flags_set;
		struct m_result r = m_access(v->in, va, a);

		o->ept = v->vmcs.ept;
		o->flags_set |= w->cpu[v->cpu].stats.flags_set != flags;
		if (w->phys.wild) {
			fail(w, "the CPU touched %llx, where no memory is (S11)", (unsigned long long)w->phys.wild_at);
			return false;
		}
		if (ended(&r, o))
			return overlay_fault(v, o, a);

		struct mmu_result f = exit_fault(v, &r, false);

		if (f.outcome == MMU_STOP)
			return false;
		if (ended_by_exit(v, &f, va, o))
			return !w->failed;
	}
	fail(w, "%s: the access never ends (S3)", mechanism(v));
	return false;
}

bool in_disguise(const struct vcpu *v, struct x_access a)
{
	return a.implicit && v->cpl != 3 && v->regs.ac && v->regs.cr4 & X_CR4_SMAP && !v->mmu.intercepts.ept;
}

/* What was seen is what a fresh walk gives, and its flags are where they must be (O1). */
static bool fits_fresh(struct vcpu *v, const struct outcome *x, struct x_access a, const struct observed *o)
{
	unsigned size = x_entry_size(x_mode(&v->regs)), good = x->levels;
	uint64_t early = a.write && x->complete && in_disguise(v, a) ? X_D : 0;
	struct vm *vm = v->vm;

	if (x->fault) {
		if (o->how != SEEN_FAULT || o->error != x->error)
			return false;
		if (!x->complete && good)
			good--; /* the last entry was no use */
		for (unsigned i = 0; i < good; i++)
			if (!gm_adopt(vm, x->level[i].gpa, size,
				      X_A | (x->level[i].gpa == x->level[x->levels - 1].gpa ? early : 0)))
				return false;
		return true;
	}
	if (!spec_place(vm, o, x->gpa, a))
		return false;
	/* Others may have written entries anew meanwhile, without them. */
	for (unsigned i = 0; i < x->levels && weave_undisturbed(v); i++)
		if (gm_lacks(vm, x->level[i].gpa, size, X_A | (i + 1 == x->levels && a.write ? X_D : 0)))
			return false;
	for (unsigned i = 0; i < x->levels; i++)
		if (!gm_adopt(vm, x->level[i].gpa, size,
			      X_A | (x->level[i].gpa == x->level[x->levels - 1].gpa && a.write ? X_D : 0)))
			return false; /* a table that maps itself is used at several levels */
	return true;
}

/* What a table says that is no memory, which reads as ones, leads to memory: nothing can keep such a translation up to
 * date. */
static bool by_ones(struct vcpu *v, const struct outcome *x, const struct observed *o)
{
	bool aside = false;

	for (unsigned i = 0; i < x->levels; i++)
		aside |= !page_find(v->vm, x->level[i].gpa >> PAGE_SHIFT);
	return aside && !x->fault && o->gpa == x->gpa;
}

/* A table lies where no memory is, or in ROM: the mechanism leaves that to the emulator, whose own walk then
 * decides. */
static bool left_to_emulator(struct vcpu *v, const struct outcome *x, uint64_t va, struct x_access a,
			     struct observed *o)
{
	unsigned size = x_entry_size(x_mode(&v->regs));
	struct ram *r = ram_find(v->vm, o->gpa >> PAGE_SHIFT);
	bool ram = r && r->kind == SLOT_RAM && !overlay_covered(v->vm, o->gpa >> PAGE_SHIFT);
	bool at_table = by_ones(v, x, o);

	/* Others may have changed the entry since that named what is no memory. */
	if (v->vm->world->weave && !at_table && o->how == SEEN_EMULATED && x_mode(&v->regs) != X_NONE)
		at_table = spec_stale_table(v, va, a, o->gpa);
	if (o->how != SEEN_EMULATED || (ram && !at_table))
		return false;
	for (unsigned i = 0; i < x->levels; i++)
		at_table |= o->gpa == x->level[i].gpa;
	if (!at_table && (x_mode(&v->regs) == X_NONE || !spec_stale_table(v, va, a, o->gpa)))
		return false;
	for (unsigned i = 0; i < x->levels; i++)
		if (!gm_adopt(v->vm, x->level[i].gpa, size, X_A | (!x->fault && a.write ? X_D : 0)))
			return false;
	o->gpa = x->gpa;
	o->error = x->error;
	if (!x->fault)
		return true;
	/* A page fault invalidates what was cached for its address; the CPU took none, so the emulator must see to
	 * that. */
	o->how = SEEN_FAULT;
	mmu_invlpg(&v->mmu, GVA(va));
	return true;
}

/* The emulator knows an implicit access when it makes one, and its own walk decides. (Where others come in between,
 * what was left to it may be no fault any more.) */
static bool found_by_emulator(struct vcpu *v, const struct outcome *x, uint64_t va, struct x_access a,
			      struct observed *o)
{
	unsigned size = x_entry_size(x_mode(&v->regs));
	struct x_access plain = a;
	uint64_t gpa = x->gpa;

	plain.implicit = false;
	if (o->how != SEEN_EMULATED || !in_disguise(v, a) ||
	    (!x->fault && (!v->vm->world->weave || o->gpa == x->gpa)))
		return false;
	if ((!x->complete || o->gpa != x->gpa) && !spec_stale(v, va, plain, o, &gpa))
		return false;
	for (unsigned i = 0; i < x->levels; i++)
		if (!gm_adopt(v->vm, x->level[i].gpa, size,
			      X_A | (x->level[i].gpa == x->level[x->levels - 1].gpa && a.write ? X_D : 0)))
			return false;
	o->gpa = x->gpa;
	if (!x->fault)
		return true;
	o->how = SEEN_FAULT;
	o->error = x->error;
	mmu_invlpg(&v->mmu, GVA(va));
	return true;
}

static void complain(struct vcpu *v, const struct outcome *x, uint64_t va, struct x_access a, const struct observed *o)
{
	static const char *const hows[] = { "went to hpa", "was emulated at gpa", "faulted with error" };
	uint64_t what = o->how == SEEN_DIRECT ? o->hpa : o->how == SEEN_EMULATED ? o->gpa : o->error;
	struct page *p = x->fault ? NULL : page_find(v->vm, x->gpa >> PAGE_SHIFT);
	char must[200], path[300] = "", built[160];
	size_t n = 0;

	m_describe(&v->vm->world->phys, &v->vmcs, va, x->gpa, built, sizeof(built));
	for (unsigned i = 0; i < x->levels; i++) {
		uint64_t is = 0;

		gm_real(v->vm, x->level[i].gpa, x_entry_size(x_mode(&v->regs)), &is);
		n += (size_t)snprintf(path + n, sizeof(path) - n, " %llx:%llx/%llx",
				      (unsigned long long)x->level[i].gpa, (unsigned long long)x->level[i].value,
				      (unsigned long long)is);
	}

	if (x->fault)
		snprintf(must, sizeof(must), "fault with error %x", x->error);
	else
		snprintf(must, sizeof(must), "reach gpa %llx (hfn %llx%s%s%s), flags A%s set",
			 (unsigned long long)x->gpa, p && p->in ? (unsigned long long)p->hfn : 0ull,
			 p ? "" : " no memory", p && p->merged ? " merged" : "", p && !p->in ? " swapped" : "",
			 a.write ? " D" : "");
	fail(v->vm->world,
	     "%s, mode %d: %s%s%s of %llx by a %s %s %llx after %u attempts; it must (S2) %s, or be explained by what "
	     "the guest did "
	     "not invalidate; entries, must/is:%s; CPU's tables:%s",
	     mechanism(v), (int)x_mode(&v->regs),
	     a.write   ? "write"
	     : a.fetch ? "fetch"
		       : "read",
	     a.implicit ? ", implicit" : "", v->regs.ac ? ", AC" : "", (unsigned long long)va,
	     a.user ? "user" : "supervisor", hows[o->how], (unsigned long long)what, o->attempts, must, path, built);
}

/* Notes what is about to be accessed. */
static uint64_t begin(struct vcpu *v, uint64_t va, struct x_access a)
{
	enum x_mode mode = x_mode(&v->regs);
	struct world *w = v->vm->world;

	va = x_va(mode, va);
	v->last_va = va;
	v->last_access = a;
	v->cpl = a.user ? 3 : a.implicit ? (uint8_t)(va >> 12 & 3) : 0;
	w->account.by_mode[mode]++;
	w->account.accesses++;
	if (v->in) {
		v->in->regs.ac = v->regs.ac;
		v->in->regs.pkru = v->regs.pkru;
	}
	w->accessing = v;
	return va;
}

/* Has everything that the walk of va reads and marks been marked already, and is it in memory? */
static bool walk_changes_nothing(struct vcpu *v, uint64_t va, struct access access, const struct outcome *x)
{
	struct walk_result w;

	for (unsigned i = 0; i < x->levels; i++) {
		struct page *p = page_find(v->vm, x->level[i].gpa >> PAGE_SHIFT);

		if (p && !p->in)
			return false;
	}
	w = mmu_walk(&v->vm->mmu, &v->mmu.regs, GVA(va), access, false);
	for (unsigned i = 0; w.ok && i < w.count; i++)
		w.ok = w.entry[i].gpa.v == ~0ull || (w.entry[i].value & PTE_A);
	return x->fault || (w.ok && (w.dirty || !access.write));
}

static void as_vcpu(struct walk_regs *to, const struct vcpu *v)
{
	to->cr0 = v->regs.cr0;
	to->cr3 = v->regs.cr3;
	to->cr4 = v->regs.cr4;
	to->efer = v->regs.efer;
	memcpy(to->pdpte, v->regs.pdpte, sizeof(v->regs.pdpte));
	to->ac = v->regs.ac;
	to->pkru = v->regs.pkru;
	to->cpl = v->cpl;
}

/* Which of the states that its registers have been in this is, but for the PDPTEs. */
static uint64_t regs_number(struct vcpu *v)
{
	struct walk_regs regs = v->mmu.regs;

	memset(regs.pdpte, 0, sizeof(regs.pdpte));
	if (!v->regs_number || memcmp(&regs, &v->numbered, sizeof(regs)) != 0) {
		v->numbered = regs;
		v->regs_number++;
	}
	return v->regs_number;
}

/* S18: the hypervisor's own look at the address says the same, remembered or not. Only where it changes nothing; what
 * others do in the middle of the step waits. */
static void translated(struct vcpu *v, uint64_t va, struct x_access a, const struct outcome *x)
{
	struct access access = { .write = a.write, .fetch = a.fetch, .user = a.user, .implicit = a.implicit };
	struct world *w = v->vm->world;
	uint64_t race = w->race, last_store = w->last_store;
	struct walk_regs regs = v->mmu.regs;
	uint64_t number, recalled;
	uint32_t error = 0;
	gpa_t gpa = GPA(0);
	bool ok;

	if (!weave_try_alone(w))
		return;
	w->race = w->last_store = 0;
	as_vcpu(&v->mmu.regs, v);
	if (walk_changes_nothing(v, va, access, x)) {
		number = regs_number(v);
		recalled = mmu_recall(&v->mmu, GVA(va), access, number);
		if (recalled != MEMO_NONE && (x->fault || recalled != x->gpa))
			fail(w, "mmu_recall says of %llx gpa %llx; it must be %llx, fault %d (S18)",
			     (unsigned long long)va, (unsigned long long)recalled, (unsigned long long)x->gpa,
			     x->fault);
		ok = mmu_translate(&v->mmu, GVA(va), access, number, &gpa, &error);
		if (ok == x->fault || (ok ? gpa.v != x->gpa : error != x->error))
			fail(w, "mmu_translate says of %llx gpa %llx, error %x; it must be %llx, %x (S18)",
			     (unsigned long long)va, (unsigned long long)gpa.v, error, (unsigned long long)x->gpa,
			     x->error);
	}
	v->mmu.regs = regs;
	weave_together(w);
	w->race = race;
	w->last_store = last_store;
}

/* What an access did is right, and it has its effect. Returns and *gpa as guest_access. */
static bool judge(struct vcpu *v, uint64_t va, struct x_access a, unsigned size, const uint64_t *value, uint64_t *gpa,
		  struct observed seen)
{
	struct world *w = v->vm->world;
	enum x_mode mode = x_mode(&v->regs);
	struct observed o = seen;
	struct outcome x;

	w->accessing = NULL;
	if ((o.attempts > 1 || o.flags_set) && mode != X_NONE && !w->weave)
		spec_adopt_all(v, va, a);
	x = spec_walk(v->vm, &v->regs, va, a);
	TRACE("  %s%s of %llx: how %d hpa %llx gpa %llx error %x, attempts %u; fresh: %s gpa %llx error %x\n",
	      a.user ? "user " : "",
	      a.write	? "write"
	      : a.fetch ? "fetch"
			: "read",
	      (unsigned long long)va, (int)o.how, (unsigned long long)o.hpa, (unsigned long long)o.gpa, o.error,
	      o.attempts, x.fault ? "fault" : "ok", (unsigned long long)x.gpa, x.error);
	*gpa = x.gpa;
	cover_access(v, &x, a, &o);
	if (!left_to_emulator(v, &x, va, a, &o) && !found_by_emulator(v, &x, va, a, &o) && !fits_fresh(v, &x, a, &o)) {
		w->account.stale++;
		if (mode == X_NONE || !spec_stale(v, va, a, &o, gpa)) {
			complain(v, &x, va, a, &o);
			return false;
		}
	}
	if (w->weave)
		x = spec_walk(v->vm, &v->regs, va, a); /* an INVLPG may have let others in */
	translated(v, va, a, &x);
	if (o.how == SEEN_FAULT) {
		spec_drop_fault(v, va);
		w->account.faults++;
		return false;
	}
	w->account.mmio += !page_find(v->vm, *gpa >> PAGE_SHIFT);
	page_touched(v->vm, *gpa >> PAGE_SHIFT, &o);
	if (value)
		guest_store(v, *gpa, size, *value, o.how == SEEN_EMULATED);
	else if (!a.fetch)
		guest_load(v, *gpa, size, o.how == SEEN_EMULATED);
	return true;
}

bool guest_access(struct vcpu *v, uint64_t va, struct x_access a, unsigned size, const uint64_t *value, uint64_t *gpa)
{
	struct observed o;

	va = begin(v, va, a);
	return carry_out(v, va, a, &o) && !v->vm->world->failed && judge(v, va, a, size, value, gpa, o);
}

/* ---- events ---- */

/* Could the CPU write there by itself? Not to a device or to ROM, nor by tables that are no memory, nor where no leaf
 * can be right. */
static bool deliverable(struct vcpu *v, uint64_t va, struct x_access a)
{
	struct outcome x = spec_walk(v->vm, &v->regs, va, a);
	struct ram *r = ram_find(v->vm, x.gpa >> PAGE_SHIFT);

	for (unsigned i = 0; i < x.levels; i++)
		if (!page_find(v->vm, x.level[i].gpa >> PAGE_SHIFT) ||
		    overlay_covered(v->vm, x.level[i].gpa >> PAGE_SHIFT))
			return false;
	return !x.fault && !overlay_covered(v->vm, x.gpa >> PAGE_SHIFT) && r && r->kind == SLOT_RAM &&
	       (v->regs.cr0 & X_CR0_WP || !(v->regs.cr4 & X_CR4_SMAP));
}

/* Or may the CPU use a translation to a device, to ROM, or by a table there, that the guest has not invalidated? */
static bool device_by_stale(struct vcpu *v, uint64_t va, struct x_access a, uint64_t gpa)
{
	struct observed o = { .how = SEEN_EMULATED, .gpa = gpa, .attempts = 1 };
	struct ram *r = ram_find(v->vm, gpa >> PAGE_SHIFT);
	bool ram = r && r->kind == SLOT_RAM && !overlay_covered(v->vm, gpa >> PAGE_SHIFT);
	uint64_t at;

	if (ram || x_mode(&v->regs) == X_NONE)
		return false;
	return spec_stale(v, va, a, &o, &at) || spec_stale_table(v, va, a, gpa);
}

enum delivery { DELIVERED, AGAIN, ENDED };

/* What must hold while a table is loose holds from the beginning (S17), not only when the delivery goes on. */
static void loosened(struct world *w)
{
	cover(w, COVER_LOOSENED);
	if (!w->weave)
		check_audit(w);
}

/* One word of the event's frame. */
static enum delivery deliver_word(struct vcpu *v, uint64_t va, uint64_t value, unsigned attempts)
{
	struct x_access a = { .write = true };
	struct world *w = v->vm->world;
	struct observed o = { .attempts = attempts };
	struct mmu_result f = { 0 };
	struct m_result r;
	uint64_t flags, gpa;

	if (!enter(v) || w->failed)
		return ENDED;
	flags = v->in->stats.flags_set;
	r = m_access(v->in, va, a);
	o.ept = v->vmcs.ept;
	o.flags_set = w->cpu[v->cpu].stats.flags_set != flags;
	if (r.event == M_EXIT) {
		f = exit_fault(v, &r, true);
		if (f.outcome == MMU_EMULATE && mmu_loosen(&v->vm->mmu, f.gpa))
			loosened(w);
		else if (f.outcome == MMU_EMULATE && weave_undisturbed(v) && deliverable(v, va, a) &&
			 !device_by_stale(v, va, a, f.gpa.v))
			fail(w, "%s: an event cannot be delivered to %llx (S17)", mechanism(v), (unsigned long long)va);
		else if (f.outcome == MMU_EMULATE || f.outcome == MMU_STOP)
			return ENDED;
		if (f.outcome != MMU_INJECT)
			return AGAIN;
	}
	o.how = r.event == M_OK ? SEEN_DIRECT : SEEN_FAULT;
	o.hpa = r.hpa;
	o.ept_type = r.ept_type;
	o.error = r.event == M_EXIT ? f.exception.error : r.error;
	return judge(v, va, a, 8, &value, &gpa, o) ? DELIVERED : ENDED;
}

void guest_deliver(struct vcpu *v, uint64_t va, unsigned words, uint64_t value)
{
	struct world *w = v->vm->world;
	struct x_access a = { .write = true };

	v->regs.ac = true; /* SMAP does not speak of stacks */
	v->regs.pkru = 0;
	for (unsigned attempts = 1, i = 0; i < words && !w->failed; attempts++) {
		uint64_t at = begin(v, (va & ~7ull) - 8 * i, a);

		enum delivery d = deliver_word(v, at, mix(value + i), attempts);

		/* Whatever flags the attempt has set stay. */
		if (d != DELIVERED && !w->failed && x_mode(&v->regs) != X_NONE && !w->weave)
			spec_adopt_all(v, at, a);
		if (d == ENDED) {
			w->accessing = NULL;
			return;
		}
		i = d == DELIVERED ? i + 1 : 0;
		if (attempts == 4 * ATTEMPTS_MAX)
			fail(w, "%s: the delivery of an event never ends (S3)", mechanism(v));
	}
	if (!w->failed)
		cover(w, COVER_DELIVERED);
}
