/* mmu/shadow/audit.c - checks the invariants of the shadow engine on all its pages: S1, S4 to S11, S13 to S15. */
#include "lib/fmt.h"
#include "mmu/shadow/shadow.h"

struct auditor {
	struct shadow *s;
	const char *broken;
	uint64_t where;
	uint64_t leaves; /* seen in tables */
	uint64_t unsync_present, unsync;
};

static void broken(struct auditor *a, const char *what, uint64_t where)
{
	if (a->broken)
		return;
	a->broken = what;
	a->where = where;
}

static uint64_t entry_of(const struct shadow *s, uint32_t ref) { return spage_at(s, ref >> 9)->table[ref & 511]; }

/* Its length. leaves: of a frame, where the writable ones must come first. */
static uint64_t check_list(struct auditor *a, uint32_t list, bool leaves)
{
	const struct slab *pages = &a->s->pages;
	uint64_t n = 0;
	bool writable = true;

	for (uint32_t ref = list; ref && !a->broken; ref = rmap_behind(pages, list, ref), n++) {
		if (rmap_link(pages, rmap_link(pages, ref)->next)->previous != ref)
			broken(a, "RM1: the links of a list do not fit together", ref);
		if (leaves && !writable && (entry_of(a->s, ref) & PTE_W))
			broken(a, "RM2: a writable leaf is behind one that is not", ref);
		writable = entry_of(a->s, ref) & PTE_W;
	}
	return n;
}

/* What the page's guest entry lets the leaf do; the tables above have their say in the role. */
static void check_rights(struct auditor *a, const struct spage *sp, unsigned index, uint64_t leaf)
{
	uint64_t guest;
	bool wp = sp->role & ROLE_WP;

	if (sp->role & ROLE_DIRECT) {
		if ((leaf & PTE_W) && !(role_acc(sp->role) & ACC_W))
			broken(a, "S4: a direct leaf is writable beyond its role", entry_gfn(sp, index).v);
		if ((leaf & PTE_U) && !(role_acc(sp->role) & ACC_U))
			broken(a, "S4: a direct leaf is the user's beyond its role", entry_gfn(sp, index).v);
		return;
	}
	guest = sp->guest[index];
	if (!(guest & PTE_P) || !(guest & PTE_A))
		broken(a, "S4: a leaf without the guest's present and accessed flags", entry_gpa(sp, index).v);
	if ((leaf & PTE_W) && !(guest & PTE_D))
		broken(a, "S4: a writable leaf without the guest's dirty flag", entry_gpa(sp, index).v);
	if ((leaf & PTE_W) && !((guest & PTE_W) && (role_acc(sp->role) & ACC_W))) {
		if (wp)
			broken(a, "S4: a writable leaf where the guest's is not", entry_gpa(sp, index).v);
		else if ((leaf & PTE_U) || ((sp->role & ROLE_SMEP_NOWP) && (guest & PTE_U) &&
					    (role_acc(sp->role) & ACC_U) && !(leaf & PTE_NX)))
			broken(a, "S8: what the supervisor may write with CR0.WP clear is the user's, too",
			       entry_gpa(sp, index).v);
	}
	if ((leaf & PTE_U) && !((guest & PTE_U) && (role_acc(sp->role) & ACC_U)))
		broken(a, "S4: a user leaf where the guest's is not", entry_gpa(sp, index).v);
}

static void check_leaf(struct auditor *a, const struct spage *sp, unsigned index)
{
	struct shadow *s = a->s;
	uint64_t leaf = sp->table[index];
	gfn_t gfn = entry_gfn(sp, index);
	bool large = role_level(sp->role) > 1;
	struct gframe *g = rmap_gframe(&s->rmap, gfn, false);

	a->leaves++;
	check_rights(a, sp, index, leaf);
	if (!g || !rmap_holds(&s->pages, large ? g->large : g->leaves, spage_ref(sp, index)))
		broken(a, "S7: a leaf is not on its frame's list", gfn.v);
	if (large && g && g->block)
		broken(a, "S10: a tracked frame is inside a large leaf", gfn.v);
	for (unsigned i = 0; i < (large ? 512u : 1u); i++) {
		struct mmu_page page = mmu_mappable(s->vm, GFN(gfn.v + i));

		if (page.kind != MMU_MEMORY || page.hfn.v != hw_leaf_frame(leaf, role_level(sp->role)).v + i)
			broken(a, "S11: a leaf names what its guest frame is not", gfn.v + i);
		else if ((leaf & PTE_W) && !page.writable)
			broken(a,
			       page.owned ? "S13: a clean page of a log is writable"
					  : "S4: a leaf is writable and its frame must not be written",
			       gfn.v + i);
		else if (page.no_fetch && !(leaf & PTE_NX) && s->vm->caps->nx)
			broken(a, "S4: a leaf of the local APIC's page is executable", gfn.v);
	}
	if ((leaf & PTE_W) && !leaf_may_write(&s->alone, gfn))
		broken(a, "S5: a table in sync is writable", gfn.v);
	if (!leaf_allowed(&s->alone, gfn))
		broken(a, "S5: a table is mapped that must not even be read", gfn.v);
}

/* In sync: the guest's entry is the one that the shadow was made from, but for flags that the walker has set since. */
static void check_sync(struct auditor *a, const struct spage *sp, unsigned index)
{
	uint64_t guest;

	if (sp->role & ROLE_DIRECT)
		return;
	if (sp->unsync && role_level(sp->role) > 1)
		broken(a, "S6: a table above the last level is out of sync", sp->gfn.v);
	if (sp->unsync || shadow_is_loose(a->s, sp->gfn) || mmu_peek(a->s->vm, sp->gfn).kind != MMU_MEMORY)
		return;
	guest = mmu_guest_entry(a->s->vm, entry_gpa(sp, index), entry_size(sp));
	if ((guest ^ sp->guest[index]) & ~(PTE_A | PTE_D))
		broken(a, "S5: an entry of a table in sync is out of date", entry_gpa(sp, index).v);
	if (sp->guest[index] & ~guest & (PTE_A | PTE_D) && a->s->vm->slots.count && mmu_peek(a->s->vm, sp->gfn).owned)
		broken(a, "S5: a flag that the guest cleared is still relied on", entry_gpa(sp, index).v);
}

/* An MMIO leaf of an old generation may say anything. */
static void check_mmio(struct auditor *a, uint64_t leaf)
{
	const struct slot *slot;

	if (~leaf & hw_mmio_high(a->s->vm->caps))
		broken(a, "HW3: an MMIO leaf has the address of what may be memory", leaf);
	if (a->s->mmio_epoch != hw_mmio_epoch(a->s->vm) || !hw_mmio_current(a->s->vm, leaf))
		return;
	slot = slots_find(&a->s->vm->slots, hw_mmio_gfn(a->s->vm->caps, leaf));
	if (!slot || slot->kind != SLOT_MMIO)
		broken(a, "S14: a current MMIO leaf is no MMIO", hw_mmio_gfn(a->s->vm->caps, leaf).v);
}

static void check_siblings(struct auditor *a, const struct spage *sp)
{
	unsigned others = 0;

	for (const struct spage *o = spage_at(a->s, sp->next_of_gfn); o; o = spage_at(a->s, o->next_of_gfn)) {
		others += !o->roots;
		if (o->role == sp->role)
			broken(a, "S1: two pages have one role", sp->gfn.v);
	}
	if (others > SHADOW_ROLES_MAX || sp->named > SHADOW_PARENTS_MAX)
		broken(a, "S16: a frame has more pages, or a page more parents, than may be", sp->gfn.v);
}

static void check_page(struct auditor *a, const struct spage *sp)
{
	unsigned present = 0;

	if (role_quadrant(sp->role) &&
	    (!(sp->role & ROLE_NARROW) || (role_level(sp->role) == 1 && role_quadrant(sp->role) > 1)) &&
	    !(sp->role & ROLE_DIRECT))
		broken(a, "S9: a table has no such quadrant", sp->gfn.v);
	for (unsigned i = 0; i < PAGE_TABLE_ENTRIES && !a->broken; i++) {
		uint64_t e = sp->table[i];

		if (!e)
			continue;
		present++;
		if (sp->busy)
			broken(a, "S20: a page is held, and nobody is beside", sp->gfn.v);
		if (i < sp->first || i > sp->last)
			broken(a, "S7: an entry lies outside of what its page says it has", sp->gfn.v);
		check_sync(a, sp, i);
		if (pt_special(&hw_format_4level, e)) {
			check_mmio(a, e);
			continue;
		}
		if (entry_is_leaf(sp, i))
			check_leaf(a, sp, i);
		else if (!rmap_holds(&a->s->pages, spage_child(a->s, sp, i)->parents, spage_ref(sp, i)))
			broken(a, "S7: a child does not know its parent", sp->gfn.v);
	}
	if (!a->broken && present != sp->present)
		broken(a, "S7: a page counts its entries wrongly", sp->gfn.v);
	if (!a->broken && check_list(a, sp->parents, false) != sp->named)
		broken(a, "RM1: a page counts its parents wrongly", sp->gfn.v);
	if (sp->unsync) {
		a->unsync_present += present;
		a->unsync++;
		if (!(a->s->unsync_used & BIT(sp->place)) || a->s->unsync[sp->place] != sp)
			broken(a, "S6: a page out of sync is not where it should be", sp->gfn.v);
	}
	check_siblings(a, sp);
}

/* Where root leads for the block of 2 MBytes; NULL: not to the last level. */
static const struct spage *lead(struct shadow *s, const struct spage *sp, uint64_t block)
{
	while (sp && role_level(sp->role) > 1) {
		unsigned index = (block << 21) >> pt_shift(role_level(sp->role)) & 511;

		if (!pt_present(&hw_format_4level, sp->table[index]) || entry_is_leaf(sp, index))
			return NULL;
		sp = spage_child(s, sp, index);
	}
	return sp;
}

/* Is top above sp? */
static bool leads_to(const struct shadow *s, const struct spage *top, const struct spage *sp)
{
	if (sp == top)
		return true;
	for (uint32_t ref = sp->parents; ref; ref = rmap_behind(&s->pages, sp->parents, ref))
		if (leads_to(s, top, spage_at(s, ref >> 9)))
			return true;
	return false;
}

static void check_vcpu(struct auditor *a, const struct mmu_vcpu *vcpu)
{
	const struct shadow_vcpu *v = vcpu->priv;
	struct shadow *s = a->s;

	for (unsigned i = 0; i < 4 && v->pae_format; i++)
		if ((v->pae[i] & PTE_ADDRESS) != (v->root[i] ? hfn_hpa(v->root[i]->frame).v : 0))
			broken(a, "S9: a PDPTE names another page than the root that is held for it", i);
	if (!vcpu->intercepts.invlpg && (s->unsync_present || s->loose_count || v->upper_seen != s->upper_drops))
		broken(a, "S6: INVLPG does not exit, and something is out of sync", s->unsync_present);
	for (unsigned i = 0; i < SHADOW_PATHS; i++) {
		const struct shadow_path *p = &v->path[i];

		if (p->page && p->drops == s->upper_drops &&
		    lead(s, spage_at(s, p->root), p->block) != spage_at(s, p->page))
			broken(a, "S15: a remembered path leads elsewhere", p->block);
	}
	for (unsigned i = 0; i < SHADOW_KNOWN_ROOTS && !v->pae_format; i++) {
		const struct shadow_known_root *k = &v->known[i];
		const struct spage *sp = spage_at(s, k->page);

		if (!sp || k->generation != s->vm->slots.generation)
			continue;
		for (uint64_t left = k->shape == s->shape ? s->unsync_used & ~k->reached : 0; left; left &= left - 1)
			if (s->unsync_since[__builtin_ctzll(left)] <= k->seen &&
			    leads_to(s, sp, s->unsync[__builtin_ctzll(left)]))
				broken(a, "S15: a known root reaches what it is not known to reach", k->cr3);
		if (sp->gfn.v != (k->cr3 & PTE_ADDRESS) >> PAGE_SHIFT ||
		    (sp->role & ROLE_MODES) != shadow_modes(&vcpu->regs) ||
		    role_level(sp->role) != hw_format(&vcpu->regs)->root_level)
			broken(a, "S15: a known root is another page's", k->cr3);
	}
}

bool shadow_audit(struct mmu_vm *vm, char *why, size_t size)
{
	struct auditor a = { .s = shadow_of(vm) };
	uint64_t listed = 0, pages = 0, places = 0;
	gfn_t at = GFN(0);
	struct gframe *g;

	for (struct spage *sp = a.s->newest; sp && !a.broken; sp = sp->older) {
		pages++;
		check_page(&a, sp);
	}
	if (!a.broken && a.unsync_present != a.s->unsync_present)
		broken(&a, "S6: the entries of tables out of sync are counted wrongly", a.s->unsync_present);
	for (uint64_t left = a.s->unsync_used; left; left &= left - 1)
		places++;
	if (!a.broken && (a.unsync != places || a.unsync != a.s->unsync_count))
		broken(&a, "S6: a place is kept for a page that is not out of sync", a.s->unsync_used);
	for (const struct mmu_vcpu *v = vm->vcpus; v && !a.broken; v = v->next)
		check_vcpu(&a, v);
	for (; !a.broken && (g = rmap_next(&a.s->rmap, &at, GFN(~0ull))); at.v++)
		listed += check_list(&a, g->leaves, true) + check_list(&a, g->large, false);
	if (listed != a.leaves)
		broken(&a, "S7: lists hold references to what is no leaf", listed);
	if (pages != a.s->pages.in_use)
		broken(&a, "S11: a page is neither linked nor freed", pages);
	if (a.s->doomed)
		broken(&a, "S11: a page waits to be freed after the step", a.s->doomed->gfn.v);
	if (!a.broken)
		return true;
	fmt(why, size, "%s (%lx)", a.broken, a.where);
	return false;
}
