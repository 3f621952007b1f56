/* What other CPUs do in the middle of a step. */
#include "test/oracle/oracle.h"

/* A device writes to a table that the access under way uses. */
static void race_edit(struct vcpu *v, const struct step *s)
{
	struct outcome x = spec_walk(v->vm, &v->regs, v->last_va, v->last_access);
	unsigned size = x_entry_size(x_mode(&v->regs));
	uint64_t at;

	if (!x.levels)
		return;
	at = x.level[s->b % x.levels].gpa;
	guest_store(v, at, size, layout_entry(v->vm->world, at >> PAGE_SHIFT, size, gm_read(v->vm, at, size), s->v),
		    true);
}

/* What the access under way has set in the guest's tables so far is right by itself. */
static void adopt_so_far(struct world *w)
{
	if (w->accessing && x_mode(&w->accessing->regs) != X_NONE)
		spec_adopt_all(w->accessing, w->accessing->last_va, w->accessing->last_access);
}

/* Which entry of the stepping vCPU's last walk is stored to, and by which address of v. false: by none. */
static bool last_store_place(struct vcpu *v, uint64_t what, uint64_t *at, uint64_t *va)
{
	struct world *w = v->vm->world;
	struct vcpu *s = w->stepping;
	struct outcome x = spec_walk(s->vm, &s->regs, s->last_va, s->last_access);
	struct ram *ram;

	if (!x.levels)
		return false;
	*at = x.level[what >> 8 & 1 ? x.levels - 1 : (what >> 9) % x.levels].gpa;
	ram = ram_find(v->vm, *at >> PAGE_SHIFT);
	if (!ram || ram->kind != SLOT_RAM || ram->base == IDENTITY_GFN || layout_is_pdpt(*at >> PAGE_SHIFT) ||
	    (*at | 7) == w->storing)
		return false;
	*va = layout_direct(x_mode(&v->regs), *at);
	x = spec_walk(v->vm, &v->regs, *va, (struct x_access){ .write = true });
	return !x.fault && x.gpa == *at;
}

/* A vCPU that is being kicked is still in the guest until it stops: it writes, if it can do so without an exit, to a
 * table that the step under way uses. Whoever relies on having taken the permission away must have waited for that. */
void step_last_store(struct vcpu *v)
{
	struct world *w = v->vm->world;
	struct vcpu *s = w->stepping;
	struct x_access write = { .write = true };
	unsigned size;
	uint64_t what = w->last_store, at, va;
	struct m_result r;

	w->last_store = 0;
	if (s->vm != v->vm || x_mode(&s->regs) == X_NONE || !last_store_place(v, what, &at, &va))
		return;
	adopt_so_far(w);
	v->in->regs.pkru = 0;
	r = m_access(v->in, va, write);
	if (r.event == M_EXIT) {
		left(v); /* it will run again, if ever */
	} else if (r.event == M_PF) {
		spec_drop(v, DROP_FAULT, va, x_pcid(&v->regs));
	}
	if (x_mode(&v->regs) != X_NONE)
		spec_adopt_all(v, va, write);

	struct page *p = page_find(v->vm, at >> PAGE_SHIFT);

	size = x_entry_size(x_mode(&s->regs));
	if (r.event == M_OK && p->in && r.hpa == (p->hfn << PAGE_SHIFT | (at & (PAGE_SIZE - 1)))) {
		cover(w, COVER_LAST_STORE);
		guest_store(v, at, size, layout_entry(w, at >> PAGE_SHIFT, size, gm_read(v->vm, at, size), mix(what)),
			    false);
	}
}

/* Another CPU got the VM's lock first. */
void step_race(struct world *w)
{
	static const uint8_t ops[] = {
		OP_SWAP_OUT, OP_SWAP_OUT, OP_SWAP_OUT, OP_PROTECT, OP_LOG_COLLECT, OP_LOG_START
	};
	struct step s = { .op = ops[(w->race >> 8) % ARRAY_SIZE(ops)],
			  .a = w->race >> 16,
			  .b = (uint32_t)(w->race >> 24),
			  .v = mix(w->race) };

	bool before = w->by_host;

	w->race = 0;
	cover(w, COVER_RACED);
	adopt_so_far(w);
	w->by_host = true;
	if (w->accessing && s.a & 1)
		race_edit(w->accessing, &s);
	else
		host_step(&w->vm[w->now % w->c.vms].vcpu[0], &s);
	w->by_host = before;
}
