/* mmu/vtlb/vtlb.c - the mechanism `vtlb`: a TLB in software. Each vCPU has hardware tables of its own, filled by page
 * faults alone. Guest table writes are not trapped; what may be out of date in them is what a TLB could hold, and goes
 * when a TLB's entries would.
 *
 * VT1  A leaf was made by a successful walk since the last guest operation that invalidates it.
 * VT2  A leaf of a large guest page that had to be made smaller is marked, as is the table entry above it, so that
 *      INVLPG of any part drops the whole (SDM, "Operations that Invalidate TLBs and Paging-Structure Caches").
 * VT3  A load of CR3 drops all leaves that are not global (the same).
 * VT4  A host-side change drops everything: a TLB may forget. Tables are freed only after the flush that follows it
 *      (S11). */
#include "lib/fmt.h"
#include "mmu/hwfault.h"
#include "mmu/mechanisms.h"
#include "mmu/mutate.h"
#include "mmu/table/detached.h"
#include "mmu/table/grave.h"

/* Marks in bits that the CPU ignores, in entries of level 2 and 3 that name tables. */
#define HOLDS_PARTS BIT(9)   /* parts of a guest page as large as this entry's span, or larger */
#define HOLDS_GLOBAL BIT(10) /* global leaves somewhere below */
#define HOLDS_OTHERS BIT(11) /* leaves that are not global were put below since such leaves were last dropped */

/* RV3: a leaf wants a table for each level but the root's; at least, that, two vCPUs' records and graves, and the
 * tables of one access of each. */
#define VTLB_NEED 4
#define VTLB_LEAST 28

/* S16: a load of CR3 looks through so many tables, and so many of their entries, for what is not global; beyond that
 * all goes. */
#define SEARCH_TABLES_MAX 128
#define SEARCH_MAX 16384
#define SEARCH_EACH 16ull /* the same for each entry of the work that a test allows */
/* Entries of buried tables that a fault looks at: more than it can add. */
#define GRAVE_STEPS 2048

struct vtlb {
	struct pt pt;
	bool filled;             /* anything was put in since it was last empty */
	bool transient;          /* anything that is not global was put in since such entries were last dropped */
	struct hw_spurious spurious;
	struct detached detached;
	struct grave grave;
	hfn_t self;
};

static struct vtlb *tlb_of(const struct mmu_vcpu *vcpu) { return vcpu->priv; }

/* ---- dropping ---- */

/* Frees what was unlinked. The vCPU is not running, and the flush that its next entry makes has been requested. */
static void free_detached(struct mmu_vcpu *vcpu)
{
	struct vtlb *t = tlb_of(vcpu);

	vcpu->vm->counters.entries_searched += detached_free(&t->detached, &t->pt);
}

/* The same for what was unlinked without such a request. */
static void flush_and_free(struct mmu_vcpu *vcpu)
{
	if (!tlb_of(vcpu)->detached.count)
		return;
	MUTANT(VTLB_DROP_FLUSH, tag_request_all(vcpu, TAG_TABLES));
	free_detached(vcpu);
}

/* Takes one entry away, with all that is below it. */
static void drop_entry(struct mmu_vcpu *vcpu, const struct pt_position *at)
{
	struct vtlb *t = tlb_of(vcpu);

	if (!at->value)
		return;
	pt_set(at->entry, 0);
	if (at->leaf || pt_special(t->pt.format, at->value)) {
		vcpu->count->leaves_removed++;
		return;
	}
	if (detached_full(&t->detached))
		free_detached(vcpu);
	detached_add(&t->detached, t->pt.format, at);
}

struct drop {
	struct pt_visitor visitor;
	struct mmu_vcpu *vcpu;
	bool keep_global;
};

static uint64_t search_max(const struct mmu_vm *vm)
{
	return vm->config.work ? vm->config.work * SEARCH_EACH : SEARCH_MAX;
}

static bool drop_visit(struct pt_visitor *visitor, struct pt_position *at, uint64_t addr)
{
	struct drop *d = container_of(visitor, struct drop, visitor);
	const struct pt_format *f = tlb_of(d->vcpu)->pt.format;

	(void)addr;
	if (d->keep_global && visitor->looked_at > search_max(d->vcpu->vm))
		return false; /* enough: all goes */
	if (d->keep_global) {
		if (at->leaf && (at->value & PTE_G))
			return false;
		if (!at->leaf && !pt_special(f, at->value) && (at->value & HOLDS_GLOBAL)) {
			bool others = at->value & HOLDS_OTHERS;

			if (others)
				pt_set(at->entry, at->value & ~HOLDS_OTHERS);
			return others;
		}
	}
	drop_entry(d->vcpu, at);
	return false;
}

/* Empties the virtual TLB, but for global leaves where they are to stay. The caller has requested the flush. */
static void drop(struct mmu_vcpu *vcpu, bool keep_global)
{
	struct vtlb *t = tlb_of(vcpu);
	struct drop d = { { drop_visit, 0 }, vcpu, keep_global };

	if (!t->filled || (keep_global && !t->transient))
		return;
	keep_global = keep_global && vcpu->vm->table_pages <= SEARCH_TABLES_MAX;
	if (keep_global)
		pt_visit(&t->pt, 0, pt_limit(t->pt.format), &d.visitor);
	if (d.keep_global && (!keep_global || d.visitor.looked_at > search_max(vcpu->vm))) {
		/* A TLB may forget, and the CPU's with it: what it kept could not be told of the host's changes. */
		MUTANT(VTLB_SEARCH_FLUSH, tag_request_all(vcpu, TAG_TABLES));
		keep_global = false;
	}
	if (!keep_global)
		grave_bury(&t->grave, &t->pt);
	vcpu->vm->counters.entries_searched += d.visitor.looked_at;
	vcpu->vm->counters.steps += d.visitor.looked_at;
	t->filled = keep_global;
	t->transient = false;
	free_detached(vcpu);
}

/* ---- life ---- */

static const char *unsupported(const struct mmu_caps *caps) { return hw_unsupported(caps); }

static bool vm_init(struct mmu_vm *vm)
{
	(void)vm;
	return true;
}

static void vm_destroy(struct mmu_vm *vm) { (void)vm; }

/* The root has the size of any table; under PAE only its first four entries are used, and it must lie low (SDM, "PAE
 * Paging"). */
static bool vcpu_init(struct mmu_vcpu *vcpu)
{
	struct mmu_vm *vm = vcpu->vm;
	hfn_t self = mmu_table_alloc(vm), root = mmu_table_alloc_low(vm);
	struct grave grave;
	struct vtlb *t;

	if (hfn_is_none(self) || hfn_is_none(root) || !grave_init(&grave, vm)) {
		if (!hfn_is_none(self))
			mmu_table_free(vm, self);
		if (!hfn_is_none(root))
			mmu_table_free_low(vm, root);
		return false;
	}
	t = mmu_table_ptr(vm, self);
	*t = (struct vtlb){ .pt = { hw_format(&vcpu->regs), vm, root }, .self = self, .spurious.gva = HW_NOT_SPURIOUS,
			    .grave = grave };
	vcpu->priv = t;
	vcpu->intercepts = hw_intercepts(vcpu);
	vcpu->root.cr3 = hfn_hpa(root).v;
	return true;
}

static void vcpu_destroy(struct mmu_vcpu *vcpu)
{
	struct vtlb *t = tlb_of(vcpu);

	grave_destroy(&t->grave, vcpu->vm);
	pt_free_below_root(&t->pt);
	mmu_table_free_low(vcpu->vm, t->pt.root);
	mmu_table_free(vcpu->vm, t->self);
	vcpu->priv = NULL;
}

/* ---- the guest's invalidations ---- */

static void regs_changed(struct mmu_vcpu *vcpu, const struct walk_regs *old, bool cr3_write, bool keep_tlb)
{
	struct vtlb *t = tlb_of(vcpu);
	bool pdptes = memcmp(old->pdpte, vcpu->regs.pdpte, sizeof(old->pdpte)) != 0;

	(void)keep_tlb; /* there is no PCID under this mechanism */
	grave_free(&t->grave, vcpu->vm, GRAVE_STEPS);
	t->spurious.gva = HW_NOT_SPURIOUS;
	if (cr3_write)
		vcpu->vm->counters.cr3_loads++;
	if (hw_regs_flush_all(old, &vcpu->regs)) {
		MUTANT(VTLB_REGS_FLUSH, tag_request_all(vcpu, hw_regs_why(old, &vcpu->regs)));
		MUTANT(VTLB_REGS, drop(vcpu, false));
		t->pt.format = hw_format(&vcpu->regs);
		vcpu->intercepts = hw_intercepts(vcpu);
		vcpu->intercepts_changed = true;
	} else if (cr3_write || pdptes) {
		MUTANT(VTLB_CR3_FLUSH, tag_request_nonglobal(vcpu));
		MUTANT(VTLB_CR3, drop(vcpu, true));
	}
}

static void invlpg(struct mmu_vcpu *vcpu, gva_t gva)
{
	struct vtlb *t = tlb_of(vcpu);

	t->spurious.gva = HW_NOT_SPURIOUS;
	/* From the top: the first table entry that holds parts of a larger guest page goes as a whole (VT2). */
	for (unsigned level = 3; level >= 1; level--) {
		struct pt_position at = pt_lookup(&t->pt, gva.v, level);
		bool end = at.leaf || pt_special(t->pt.format, at.value);

		if (at.level != level || !at.value)
			break;
		if (!end && !(at.value & HOLDS_PARTS))
			continue;
		MUTANT(VTLB_INVLPG, drop_entry(vcpu, &at));
		flush_and_free(vcpu);
		break;
	}
	MUTANT(VTLB_INVLPG_FLUSH, tag_request_address(vcpu, gva, TAG_ADDRESS));
}

/* ---- faults ---- */

/* Marks the table entries above a new leaf; at level 3 of PAE paging the CPU reads them as registers at VM entry. */
static void mark_above(struct vtlb *t, gva_t gva, unsigned leaf_level, unsigned guest_shift, bool global)
{
	for (unsigned level = leaf_level + 1; level <= t->pt.format->root_level; level++) {
		struct pt_position at = pt_lookup(&t->pt, gva.v, level);
		uint64_t marks = 0;

		MUTANT(VTLB_MARKS, marks = global ? HOLDS_GLOBAL : HOLDS_OTHERS);
		/* A 4-MByte page is two entries of level 2, so what says that there are parts is one level up. */
		if ((level <= 3 && guest_shift >= pt_shift(level)) || (level == 3 && guest_shift == 22))
			MUTANT(VTLB_PARTS, marks |= HOLDS_PARTS);
		if ((at.value & marks) != marks)
			pt_set(at.entry, at.value | marks);
	}
}

/* Replaces, whatever was there. A table that was unlinked is freed last, behind the request for its flush (S11). */
static struct mmu_result put_leaf(struct mmu_vcpu *vcpu, gva_t gva, const struct walk_result *w, unsigned level,
			     uint64_t leaf)
{
	struct vtlb *t = tlb_of(vcpu);
	struct pt_position at = pt_lookup(&t->pt, gva.v, level);

	if (at.value == leaf && at.level == level)
		return mmu_done(MMU_SPURIOUS);
	/* Beside others no table is made or unlinked. */
	if (mmu_is_beside(vcpu) && (at.level != level || (at.value && !at.leaf && !pt_special(t->pt.format, at.value))))
		return mmu_not_beside(vcpu);
	/* What was there is replaced: a large leaf, or a table where a large leaf goes. */
	if (at.leaf || at.level == level)
		drop_entry(vcpu, &at);
	at.value = 0;
	at.leaf = false;
	t->filled = true;
	t->transient |= !(leaf & PTE_G);
	if (!pt_reach(&t->pt, gva.v, level, &at)) {
		flush_and_free(vcpu);
		return mmu_stop("there is no host memory for shadow tables");
	}
	pt_set(at.entry, leaf);
	mark_above(t, gva, level, w->page_shift, leaf & PTE_G);
	flush_and_free(vcpu);
	return mmu_done(MMU_FIXED);
}

static struct mmu_result fix(struct mmu_vcpu *vcpu, gva_t gva, struct access access, const struct walk_result *w)
{
	struct mmu_vm *vm = vcpu->vm;
	struct hw_rights rights = hw_rights(&vcpu->regs, w, access);
	gfn_t gfn = gpa_gfn(w->gpa);
	struct mmu_page page =
		w->page_shift < 21 ? mmu_resolve_small(vcpu, gfn, mmu_access(access))
				   : mmu_resolve(vcpu, gfn, mmu_access(access));
	struct mmu_result r;
	unsigned shift, acc = rights.acc;
	bool global = w->global;

	if (page.kind == MMU_WAIT)
		return mmu_done(MMU_RETRY);
	if (rights.emulate)
		return mmu_emulate(w->gpa);
	if (page.kind == MMU_DEVICE) {
		if (page.slot && page.slot->kind == SLOT_MMIO && hw_mmio_possible(vm->caps, gfn)) {
			put_leaf(vcpu, gva, w, 1, hw_mmio_leaf(vm, gfn, acc));
			vcpu->count->mmio_cached++;
		}
		return mmu_emulate(w->gpa);
	}
	if (!page.writable)
		MUTANT(VTLB_WRITABLE, acc &= ~ACC_W);
	if (page.no_fetch)
		acc &= ~ACC_X;
	shift = mmu_leaf_shift(vm, gfn, &page, w->page_shift >= 21 ? 21 : 12);
	r = put_leaf(vcpu, gva, w, pt_level(shift), hw_leaf(vm->caps, gfn, page.hfn, shift, acc, w->pat_index, global));
	if (r.outcome == MMU_FIXED) {
		*(shift > PAGE_SHIFT ? &vcpu->count->mapped_2m : &vcpu->count->mapped_4k) += 1;
		vcpu->count->wp_flips += rights.flipped;
	}
	return r;
}

static void refused(struct mmu_vcpu *vcpu, gva_t gva)
{
	if (mmu_is_beside(vcpu))
		mmu_not_beside(vcpu);
	else
		MUTANT(INJECT_SYNC, invlpg(vcpu, gva));
}

static uint64_t last_level_entry(struct mmu_vcpu *vcpu, gva_t gva)
{
	return pt_lookup(&tlb_of(vcpu)->pt, gva.v, 1).value;
}

static const struct hw_fixer fixer = { .leaf = last_level_entry, .fix = fix, .refused = refused };

/* Nobody else edits these tables but to empty them, and what was emptied is not spurious. */
static const uint64_t edits;

static struct mmu_result fault(struct mmu_vcpu *vcpu, const struct mmu_fault *f)
{
	struct vtlb *t = tlb_of(vcpu);
	struct mmu_result r;

	if (f->kind != MMU_FAULT_PAGE)
		return mmu_stop("an EPT exit without EPT");
	if (unlikely(t->grave.depth))
		grave_free(&t->grave, vcpu->vm, GRAVE_STEPS);
	if (hw_cached_mmio(vcpu, f, &t->spurious, &fixer, &r))
		return r;
	return hw_page_fault(vcpu, f, &t->spurious, &edits, &fixer);
}

/* All tables that it changes are its vCPU's (BE2 in mmu/lock.h). */
static bool beside(struct mmu_vcpu *vcpu, const struct mmu_fault *f, struct mmu_result *r)
{
	struct vtlb *t = tlb_of(vcpu);
	struct hw_spurious before = t->spurious;

	if (f->kind != MMU_FAULT_PAGE || t->grave.depth)
		return false;
	*r = fault(vcpu, f);
	if (vcpu->populate.wanted)
		t->spurious = before;
	return !vcpu->populate.wanted;
}

/* ---- the host's side ---- */

static void drop_all(struct mmu_vm *vm, gfn_t first, uint64_t pages)
{
	(void)first;
	(void)pages;
	for (struct mmu_vcpu *v = vm->vcpus; v; v = v->next) {
		if (!tlb_of(v)->filled)
			continue;
		/* It must not run on tables that are being freed. */
		MUTANT(VTLB_HOST_FLUSH, tag_request_all(v, TAG_TABLES));
		MUTANT(VTLB_HOST_KICK, tag_synchronize(vm, NULL));
		MUTANT(VTLB_HOST_DROP, drop(v, false));
	}
}

static void exhume(struct mmu_vcpu *vcpu, uint32_t need)
{
	while (tlb_of(vcpu)->grave.depth && reserve_count(&vcpu->vm->reserve) < need)
		grave_free(&tlb_of(vcpu)->grave, vcpu->vm, GRAVE_STEPS);
}

/* What is buried already comes first; of what is not, only as much is freed as is needed now. */
static void relieve(struct mmu_vm *vm, uint32_t need)
{
	for (unsigned round = 0; round < 2; round++) {
		for (struct mmu_vcpu *v = vm->vcpus; v; v = v->next)
			MUTANT(GRAVE_RELIEVE, exhume(v, need));
		if (reserve_count(&vm->reserve) < need)
			drop_all(vm, GFN(0), ~0ull);
	}
}

/* Every leaf must be what the walk would say now, or something that the guest has not invalidated; what can be checked
 * without the guest's history is the frame. */
struct auditor {
	struct pt_visitor visitor;
	struct mmu_vm *vm;
	const struct pt_format *format;
	const char *broken;
};

static bool audit_visit(struct pt_visitor *visitor, struct pt_position *at, uint64_t addr)
{
	struct auditor *a = container_of(visitor, struct auditor, visitor);
	uint64_t reserved = MASK(50, a->vm->caps->maxphyaddr < 51 ? a->vm->caps->maxphyaddr : 50);

	(void)addr;
	if (at->leaf && a->vm->caps->maxphyaddr < 51 && (at->value & reserved))
		a->broken = "S4: a leaf has reserved bits";
	if (pt_special(a->format, at->value) && (~at->value & hw_mmio_high(a->vm->caps)))
		a->broken = "HW3: an MMIO leaf has the address of what may be memory";
	return true;
}

static bool audit(struct mmu_vm *vm, char *why, size_t size)
{
	for (struct mmu_vcpu *v = vm->vcpus; v; v = v->next) {
		struct auditor a = { { audit_visit, 0 }, vm, tlb_of(v)->pt.format, NULL };

		pt_visit(&tlb_of(v)->pt, 0, pt_limit(a.format), &a.visitor);
		if (tlb_of(v)->detached.count)
			a.broken = "S11: tables wait to be freed";
		if (a.broken) {
			fmt(why, size, "%s", a.broken);
			return false;
		}
	}
	return true;
}

const struct mmu_ops mmu_vtlb = {
	.name = "vtlb",
	.own_tables = true,
	.need = VTLB_NEED,
	.least = VTLB_LEAST,
	.ample = RESERVE_ANY,
	.relieve = relieve,
	.cr4_unsupported = CR4_PCIDE | CR4_PKE,
	.unsupported = unsupported,
	.vm_init = vm_init,
	.vm_destroy = vm_destroy,
	.vcpu_init = vcpu_init,
	.vcpu_destroy = vcpu_destroy,
	.fault = fault,
	.beside = beside,
	.regs_changed = regs_changed,
	.invlpg = invlpg,
	.unmap = drop_all,
	.write_protect = drop_all,
	.audit = audit,
};
