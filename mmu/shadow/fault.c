/* mmu/shadow/fault.c - one page fault: the walker's verdict, then the chain of shadow pages down to the leaf.
 *
 * S2  The walker decides; what the CPU said in the error code is only the question.
 * S12 Guest entries are read again after their table is tracked, and backing is looked at while the lock is held
 *     still. */
#include "mmu/mutate.h"
#include "mmu/shadow/shadow.h"

static const char no_memory[] = "there is no host memory for shadow tables";

/* A fault being answered. */
struct fixing {
	struct mmu_vcpu *vcpu;
	struct shadow *s;
	struct maker *m;
	gva_t gva;
	struct access access;
	const struct walk_result *w;
	struct hw_rights rights;
	struct mmu_page page;
	gfn_t gfn;            /* of the access */
	unsigned leaf_level;
	bool changed;
	bool stop;            /* out of memory */
	bool retry;           /* the guest's entries changed meanwhile */
	bool left;            /* it is left to the lock (mmu/lock.h) */
};

/* The walk's entry of a guest level; NULL: none (no paging, or the guest's page is larger, or it is a register). */
static const struct walk_entry *walk_entry(const struct walk_result *w, unsigned level)
{
	unsigned i = w->entry[0].level - level;

	return i < w->count && w->entry[i].gpa.v != ~0ull ? &w->entry[i] : NULL;
}

static unsigned guest_leaf_level(const struct walk_result *w)
{
	return w->count ? w->entry[w->count - 1].level : WALK_LEVELS_MAX + 1;
}

/* As the entry says (SDM, "Global Pages"); with CR4.PGE off the CPU ignores it in the shadow leaf too. A part of a
 * larger guest page is never global: after a load of CR3 nobody would know that the other parts must go with it. */
static bool leaf_is_global(const struct walk_result *w, unsigned shift)
{
	return w->count && MUTANT_OR(PART_GLOBAL, w->page_shift == shift) && (w->entry[w->count - 1].value & PTE_G);
}

static uint32_t direct_role(const struct fixing *f, uint32_t modes, unsigned level)
{
	unsigned acc = f->w->count ? f->rights.acc : ACC_ALL;

	return (modes & ROLE_MODES) | level | ROLE_DIRECT | acc << ROLE_ACC_SHIFT |
	       (uint32_t)f->w->pat_index << ROLE_PAT_SHIFT;
}

static uint64_t table_gfn(const struct spage *sp, uint64_t entry)
{
	return (entry & (sp->role & ROLE_NARROW ? PTE_ADDRESS_32BIT : PTE_ADDRESS)) >> PAGE_SHIFT;
}

/* The role of the child of sp on the way to the leaf, and its guest frame. */
static uint32_t child_role(const struct fixing *f, const struct spage *sp, unsigned index, gfn_t *gfn)
{
	unsigned level = role_level(sp->role);
	const struct walk_entry *e = walk_entry(f->w, level);

	if ((sp->role & ROLE_DIRECT) || level == guest_leaf_level(f->w)) {
		*gfn = GFN(align_down(f->gfn.v, pt_span(level) >> PAGE_SHIFT));
		return direct_role(f, sp->role, level - 1);
	}
	*gfn = GFN(table_gfn(sp, e->value));
	return role_child(sp->role, index, e->value);
}

/* S12: what the walk read is still there, now that sp is tracked. */
static bool unchanged(const struct fixing *f, const struct spage *sp)
{
	const struct walk_entry *e = walk_entry(f->w, role_level(sp->role));
	uint64_t now;

	if ((sp->role & ROLE_DIRECT) || !e)
		return true;
	now = mmu_guest_entry(f->s->vm, e->gpa, entry_size(sp));
	if ((now ^ e->value) & ~(PTE_A | PTE_D))
		return false;
	/* Flags cannot be set in memory that is read-only; elsewhere the guest must not have cleared them again. */
	return !(e->value & ~now & (PTE_A | PTE_D)) || !mmu_peek(f->s->vm, gpa_gfn(e->gpa)).owned;
}

static uint64_t guest_value(const struct fixing *f, const struct spage *sp)
{
	const struct walk_entry *e = walk_entry(f->w, role_level(sp->role));

	return e ? e->value : 0;
}

/* A page is missing: for want of memory, or because it was too much work for once (S16). */
static void not_made(struct fixing *f)
{
	f->retry |= f->s->interrupted;
	f->stop |= !f->s->interrupted;
}

/* The child where it is there, made from the same guest entry. NULL: it is left to the lock. */
static struct spage *step_beside(struct fixing *f, const struct spage *sp, unsigned index, uint32_t role, gfn_t gfn)
{
	uint64_t entry = pt_get(&sp->table[index]);
	struct spage *child = NULL;

	if (pt_present(&hw_format_4level, entry) && !pt_is_leaf(&hw_format_4level, entry, role_level(sp->role)))
		child = spage_child_beside(f->s, sp, index);
	if (!child || child->role != role || child->gfn.v != gfn.v ||
	    (sp->guest && sp->guest[index] != guest_value(f, sp))) {
		f->left = true;
		return NULL;
	}
	__atomic_store_n(&child->writes, 0, __ATOMIC_RELAXED);
	return child;
}

static struct spage *step_down(struct fixing *f, struct spage *sp, unsigned index)
{
	const struct pt_format *format = &hw_format_4level;
	uint64_t entry = pt_get(&sp->table[index]);
	gfn_t gfn;
	uint32_t role = child_role(f, sp, index, &gfn);
	struct spage *child;

	if (f->m->beside)
		return step_beside(f, sp, index, role, gfn);
	if (pt_present(format, entry) && !entry_is_leaf(sp, index)) {
		child = spage_child(f->s, sp, index);
		if (child->role == role && child->gfn.v == gfn.v) {
			if (sp->guest)
				sp->guest[index] = guest_value(f, sp);
			child->writes = 0;
			return child;
		}
	}
	child = spage_get(f->s, f->vcpu, gfn, role);
	if (!child) {
		not_made(f);
		return NULL;
	}
	spage_link(f->s, sp, index, guest_value(f, sp), child);
	f->changed = true;
	return child;
}

static void install(struct fixing *f, struct spage *sp, unsigned index)
{
	unsigned shift = pt_shift(f->leaf_level), acc = f->rights.acc;
	uint64_t leaf;
	gfn_t gfn;

	if ((acc & ACC_W) && (!MUTANT_OR(FAULT_WRITABLE, f->page.writable) || !leaf_may_write(f->m, f->gfn)))
		acc &= ~ACC_W;
	if (f->page.no_fetch)
		acc &= ~ACC_X;
	leaf = hw_leaf(f->s->vm->caps, f->gfn, f->page.hfn, shift, acc, f->w->pat_index, leaf_is_global(f->w, shift));
	gfn = GFN(align_down(f->gfn.v, BIT(shift - PAGE_SHIFT)));
	seam_beside();
	if (f->m->beside) {
		f->left = !leaf_add(f->m, sp, index, guest_value(f, sp), gfn, leaf, &f->changed);
		return;
	}
	if (sp->table[index] == leaf && (!sp->guest || sp->guest[index] == guest_value(f, sp)))
		return;
	f->changed = true;
	if (!leaf_set(f->s, sp, index, guest_value(f, sp), gfn, leaf))
		f->stop = true;
	else
		leaf_prefetch_around(f->m, sp, index);
}

static void install_mmio(struct fixing *f, struct spage *sp, unsigned index)
{
	if (f->m->beside) {
		f->left = !leaf_add_mmio(f->m, sp, index, guest_value(f, sp),
					 hw_mmio_leaf(f->s->vm, f->gfn, f->rights.acc));
		return;
	}
	/* It cannot be on a list that tells when its frame becomes memory; the generation does that. */
	entry_drop(f->s, sp, index);
	if (sp->guest)
		sp->guest[index] = guest_value(f, sp);
	pt_set(&sp->table[index], hw_mmio_leaf(f->s->vm, f->gfn, f->rights.acc));
	entry_made(f->s, sp, index);
	f->s->vm->counters.mmio_cached++;
}

/* The last-level page, if the way to it is known and is that of this walk. The tables above are in sync, so the guest's
 * entries there are those that the way was made from, unless the hypervisor is just writing one. */
static struct spage *by_path(const struct fixing *f, const struct spage *root)
{
	struct spage *sp = f->leaf_level == 1 ? shadow_path(f->vcpu, root, f->gva) : NULL;
	const struct walk_entry *e = walk_entry(f->w, 2);

	if (!sp)
		return NULL;
	if (sp->role & ROLE_DIRECT) {
		if (guest_leaf_level(f->w) == 1 || sp->gfn.v != align_down(f->gfn.v, PAGE_TABLE_ENTRIES) ||
		    sp->role != direct_role(f, sp->role, 1))
			return NULL;
	} else if (guest_leaf_level(f->w) != 1 || !e || sp->gfn.v != table_gfn(sp, e->value)) {
		return NULL;
	}
	__atomic_store_n(&sp->writes, 0, __ATOMIC_RELAXED);
	return sp;
}

/* S21. What the entries were when the walk read them is compared next. */
static void watch(struct fixing *f, const struct spage *sp)
{
	struct shadow *s = f->s;

	/* Beside others it is told_of() of mmu/shadow/beside.c that looks, for there the count is changed meanwhile. */
	if (f->m->beside || !sp->unsync || s->unsync_present || !s->vm->several)
		return;
	s->watching = true;
	shadow_update_invlpg(s, f->vcpu);
	tag_synchronize(s->vm, f->vcpu);
}

/* Goes down to leaf_level, making what is missing. NULL: stop or retry says why, or the root is no memory. */
static struct spage *descend(struct fixing *f, unsigned *index)
{
	struct spage *root = shadow_root_of(f->vcpu, f->gva), *sp;

	f->left = !root && f->m->beside;
	if (!root && !f->left) {
		/* Its table was no memory when the root was loaded, and is now; or there was no host memory then. */
		f->stop = !shadow_load_root(f->vcpu);
		f->retry = f->s->interrupted;
		root = shadow_root_of(f->vcpu, f->gva);
	}
	sp = root ? by_path(f, root) : NULL;
	if (!sp)
		sp = root;
	while (sp) {
		unsigned level = role_level(sp->role);

		*index = f->gva.v >> pt_shift(level) & 511;
		MUTANT(WATCH_FIRST, watch(f, sp));
		if (!MUTANT_OR(FAULT_RECHECK, unchanged(f, sp))) {
			f->retry = true;
			return NULL;
		}
		if (level == 1)
			shadow_remember_path(f->vcpu, root, f->gva, sp);
		if (level == f->leaf_level)
			return sp;
		sp = step_down(f, sp, *index);
	}
	return NULL;
}

/* S10. A 2-MByte leaf would let the guest write to what is tracked within it: such a block has small leaves. */
static unsigned choose_level(struct fixing *f)
{
	struct gframe *block;

	if (f->w->page_shift < 21)
		return 1;
	block = maker_gframe(f->m, GFN(align_down(f->gfn.v, PAGE_TABLE_ENTRIES)), false);
	if (block && !MUTANT_OR(LARGE_TRACKED, !block->block))
		return 1;
	return pt_level(mmu_leaf_shift(f->s->vm, f->gfn, &f->page, 21));
}

/* Are all tables of the walk memory? What is not cannot be tracked, so its translations cannot be kept. */
static bool tables_are_memory(const struct fixing *f)
{
	for (unsigned i = 0; f->vcpu->tables_aside && i < f->w->count; i++) {
		gpa_t gpa = f->w->entry[i].gpa;

		if (gpa.v != ~0ull && mmu_peek(f->s->vm, gpa_gfn(gpa)).kind == MMU_DEVICE)
			return false;
	}
	return true;
}

/* A write to, or under track_reads any access of, a tracked frame. true: the emulator must do it. */
static bool tracked_access(struct fixing *f)
{
	struct gframe *g = maker_gframe(f->m, f->gfn, false);

	if (!g || !g->tracked || shadow_is_loose(f->s, f->gfn))
		return false;
	if (f->s->policy->track_reads) {
		if (!f->access.write)
			f->vcpu->count->tracked_reads++;
		return true;
	}
	if (!f->access.write || leaf_may_write(f->m, f->gfn))
		return false;
	if (f->m->beside) {
		MUTANT(LEAF_UNSYNC, f->left = true);
		return false;
	}
	return !shadow_unsync(f->s, f->vcpu, g);
}

static struct mmu_result outcome_of(struct fixing *f, bool usable)
{
	if (f->stop)
		return mmu_stop(no_memory);
	if (f->retry)
		return mmu_done(MMU_RETRY);
	if (f->left)
		return mmu_not_beside(f->vcpu);
	if (!usable)
		return mmu_emulate(f->w->gpa);
	if (f->rights.flipped)
		f->vcpu->count->wp_flips++;
	return mmu_done(f->changed ? MMU_FIXED : MMU_SPURIOUS);
}

static struct mmu_result fix(struct mmu_vcpu *vcpu, gva_t gva, struct access access, const struct walk_result *w)
{
	struct maker beside = { .s = shadow_of(vcpu->vm), .count = &vcpu->counters, .beside = true };
	struct fixing f = {
		.vcpu = vcpu, .s = beside.s, .gva = gva, .access = access, .w = w, .gfn = gpa_gfn(w->gpa),
		.m = mmu_is_beside(vcpu) ? &beside : &beside.s->alone,
	};
	struct spage *sp;
	unsigned index;

	f.rights = hw_rights(&vcpu->regs, w, access);
	f.page = w->page_shift < 21 ? mmu_resolve_small(vcpu, f.gfn, mmu_access(access))
				    : mmu_resolve(vcpu, f.gfn, mmu_access(access));
	if (f.page.kind == MMU_WAIT)
		return mmu_done(MMU_RETRY);
	if (f.rights.emulate || !MUTANT_OR(TABLES_MEMORY, tables_are_memory(&f)) || tracked_access(&f))
		return mmu_emulate(w->gpa);
	if (f.left)
		return mmu_not_beside(vcpu);
	if (f.page.kind == MMU_DEVICE) {
		if (!f.page.slot || f.page.slot->kind != SLOT_MMIO || !hw_mmio_possible(vcpu->vm->caps, f.gfn))
			return mmu_emulate(w->gpa);
		f.leaf_level = 1;
		sp = descend(&f, &index);
		if (sp)
			install_mmio(&f, sp, index);
		return outcome_of(&f, false);
	}
	f.leaf_level = choose_level(&f);
	sp = descend(&f, &index);
	/* Tracking a table on the way down may have split the block. */
	if (sp && f.leaf_level == 2 && choose_level(&f) == 1) {
		f.leaf_level = 1;
		sp = descend(&f, &index);
	}
	if (sp && f.s->policy->track_reads && !leaf_allowed(f.m, f.gfn))
		return mmu_emulate(w->gpa);
	if (sp)
		install(&f, sp, index);
	return outcome_of(&f, sp != NULL);
}

/* The generation's visible bits come round: leaves of 16384 changes ago would look current. */
static void drop_special(struct shadow *s)
{
	for (struct spage *sp = s->newest; sp; sp = sp->older)
		for (unsigned i = 0; i < PAGE_TABLE_ENTRIES; i++)
			if (pt_special(&hw_format_4level, sp->table[i]))
				entry_drop(s, sp, i);
	s->mmio_epoch = hw_mmio_epoch(s->vm);
}

static uint64_t last_level_entry(struct mmu_vcpu *vcpu, gva_t gva)
{
	unsigned index;
	struct spage *sp = shadow_lookup(vcpu, gva, &index);

	return sp ? sp->table[index] : 0;
}

static const struct hw_fixer fixer = { .leaf = last_level_entry, .fix = fix, .refused = shadow_page_fault };

bool shadow_beside(struct mmu_vcpu *vcpu, const struct mmu_fault *fault, struct mmu_result *r)
{
	const struct shadow *s = shadow_of(vcpu->vm);
	struct shadow_vcpu *v = vcpu->priv;
	const struct hw_spurious before = v->spurious;

	if (fault->kind != MMU_FAULT_PAGE || s->loose_count || s->mmio_epoch != hw_mmio_epoch(vcpu->vm) ||
	    vcpu->vm->overlays)
		return false;
	if (hw_cached_mmio(vcpu, fault, &v->spurious, &fixer, r))
		return true;
	*r = hw_page_fault(vcpu, fault, &v->spurious, &s->edits, &fixer);
	if (vcpu->populate.wanted)
		v->spurious = before;
	return !vcpu->populate.wanted;
}

struct mmu_result shadow_fault(struct mmu_vcpu *vcpu, const struct mmu_fault *fault)
{
	struct shadow *s = shadow_of(vcpu->vm);
	struct shadow_vcpu *v = vcpu->priv;
	struct mmu_result r;

	if (fault->kind != MMU_FAULT_PAGE)
		return mmu_stop("an EPT exit without EPT");
	s->interrupted = false;
	if (unlikely(s->loose_count) && !fault->delivery)
		shadow_tighten(s, vcpu);
	if (s->mmio_epoch != hw_mmio_epoch(vcpu->vm))
		MUTANT(MMIO_EPOCH, drop_special(s));
	if (hw_cached_mmio(vcpu, fault, &v->spurious, &fixer, &r))
		return r;
	r = hw_page_fault(vcpu, fault, &v->spurious, &s->edits, &fixer);
	shadow_finish(s, vcpu);
	return r;
}
