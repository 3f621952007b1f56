/* mmu/ept/ept.c - the mechanism `ept`: nested paging, empty at the start and built by EPT violations. The guest owns
 * CR3, INVLPG and #PF.
 *
 * Implements SDM, "The Extended Page Table Mechanism (EPT)" and "Caching Translation Information" for it.
 *
 * E1  A leaf is RAM or ROM that its slot's backing holds now, with the slot's memory type; W only where the backing,
 *     the slot and the log let it be written.
 * E2  A leaf is as large as slot, alignment, backing, log, configuration and CPU allow (S10), never larger.
 * E3  What was taken away is flushed by INVEPT before anyone relies on it, and table frames are freed only after that
 *     (S11, T1, T2). What was added needs none: translations that are not present are not cached, and an EPT violation
 *     drops the one that lacked rights.
 * E4  An MMIO page is a leaf that cannot be (writable, not readable: a misconfiguration, never cached by the CPU) and
 *     that holds the slots' generation; an old generation is a miss (S14). Its address is beyond any memory, as those
 *     of HW3 are.
 * E7  The tables have five levels where the configuration or the width of guest-physical addresses asks for it, else
 *     four, and the EPTP that a vCPU runs with says so. What lies beyond their reach is no memory. */
#include "lib/fmt.h"
#include "mmu/ept/ept.h"
#include "mmu/inside.h"
#include "mmu/mechanisms.h"
#include "mmu/mutate.h"

/* RV3: a violation makes a table for each level but the root's, or splits two; at least, that, the records, and what
 * one access needs whose tables and page lie far from each other. */
#define EPT_NEED 6
#define EPT_LEAST 24

/* SDM, "VPID and EPT Capabilities": what has been cached of a table can be dropped by one of the two types alone. */
static const char *unsupported(const struct mmu_caps *caps)
{
	if (!caps->ept)
		return "the CPU has no EPT";
	if (!caps->invept || !(caps->invept_single || caps->invept_all))
		return "the CPU has EPT but no usable INVEPT";
	return NULL;
}

/* Some of the guest-physical addresses are beyond what tables of four levels translate. */
static bool beyond_four(const struct mmu_config *config)
{
	return config->gpa_bits && BIT(config->gpa_bits - 1) >= pt_limit(&ept_format);
}

static bool five_levels(const struct mmu_config *config)
{
	return config->ept_levels == 5 || (!config->ept_levels && beyond_four(config));
}

/* SDM, "Extended-Page-Table Pointer (EPTP)": walks of 4 levels, and of 5 where the CPU has them (E7). */
static const char *config_unsupported(const struct mmu_caps *caps, const struct mmu_config *config)
{
	if (config->ept_levels && config->ept_levels != 4 && config->ept_levels != 5)
		return "EPT has tables of 4 or 5 levels";
	if (config->ept_levels == 4 && beyond_four(config))
		return "EPT tables of 4 levels do not reach all of its guest-physical memory";
	if (five_levels(config) && !caps->ept_5level)
		return "the CPU's EPT has tables of 4 levels only";
	return NULL;
}

/* ---- life ---- */

static void free_if(struct mmu_vm *vm, hfn_t frame)
{
	if (!hfn_is_none(frame))
		mmu_table_free(vm, frame);
}

static bool init(struct mmu_vm *vm, const struct nested_form *form)
{
	bool want_identity =
		!mmu_unrestricted(vm) && vm->config.identity_map.v && !(vm->config.identity_map.v >> 32);
	hfn_t self = mmu_table_alloc(vm), root = mmu_table_alloc(vm),
	      identity = want_identity ? mmu_table_alloc(vm) : HFN_NONE;
	struct ept_vm *e;

	BUG_ON(mmu_unsupported(vm->ops, vm->caps, &vm->config));
	if (hfn_is_none(self) || hfn_is_none(root) || (want_identity && hfn_is_none(identity))) {
		free_if(vm, self);
		free_if(vm, root);
		free_if(vm, identity);
		return false;
	}
	e = mmu_table_ptr(vm, self);
	e->self = self;
	e->identity = identity;
	e->form = form;
	e->pt = (struct pt){ five_levels(&vm->config) ? &form->five : &form->four, vm, root };
	vm->priv = e;
	/* The root's frame may have been another root before: every CPU owes an INVEPT at its first entry. */
	MUTANT(EPT_NEW_ROOT, tag_cpus_clear(&vm->ept_flushed_on));
	tag_cpus_clear(&vm->ept_ran_on);
	return true;
}

static bool vm_init(struct mmu_vm *vm) { return init(vm, &ept_form); }

static void vm_destroy(struct mmu_vm *vm)
{
	struct ept_vm *e = vm->priv;

	pt_free(&e->pt, e->pt.root, e->pt.format->root_level);
	free_if(vm, e->identity);
	mmu_table_free(vm, e->self);
	vm->priv = NULL;
}

void *ept_identity_map(struct mmu_vm *vm)
{
	const struct ept_vm *e = vm->priv;

	return hfn_is_none(e->identity) ? NULL : mmu_table_ptr(vm, e->identity);
}

static uint64_t pointer(const struct mmu_vm *vm)
{
	const struct ept_vm *e = vm->priv;

	return e->form->pointer(vm, &e->pt);
}

static bool vcpu_init(struct mmu_vcpu *vcpu)
{
	vcpu->root.nested = pointer(vcpu->vm);
	vcpu->intercepts.ept = true;
	return ept_apply_regs(vcpu);
}

static void vcpu_destroy(struct mmu_vcpu *vcpu)
{
	(void)vcpu;
}

/* ---- taking away ---- */

/* Makes what was taken away so far really gone, then frees the subtrees that were unlinked. */
void ept_flush_and_free(struct mmu_vm *vm)
{
	struct ept_vm *e = vm->priv;

	MUTANT(EPT_UNMAP_FLUSH, tag_request_ept(vm));
	if (!e->detached.count)
		return;
	MUTANT(EPT_FREE_LAST, MUTANT(EPT_FREE_KICK, tag_synchronize(vm, NULL)));
	ept_log_tables_gone(vm);
	detached_free(&e->detached, &e->pt);
	MUTANT_INSTEAD(EPT_FREE_LAST, tag_synchronize(vm, NULL));
}

struct ept_visitor {
	struct pt_visitor visitor;
	struct mmu_vm *vm;
	uint64_t first, end; /* guest-physical bytes */
	bool lost;           /* a right was lost */
};

/* A leaf that is only partly inside: true when it was split. Without memory for that, the whole of it goes, to be built
 * again by faults. */
static bool split_partial(struct ept_visitor *v, struct pt_position *at, uint64_t addr)
{
	struct ept_vm *e = v->vm->priv;

	if (addr >= v->first && addr + pt_span(at->level) <= v->end)
		return false;
	if (pt_split(&e->pt, addr, at))
		return true;
	/* Large: of writes its flags say nothing (E8). */
	ept_log_leaf_gone(v->vm, pt_take(at->entry), at->level, addr);
	v->vm->counters.leaves_removed++;
	v->lost = true;
	return false;
}

static bool unmap_visit(struct pt_visitor *visitor, struct pt_position *at, uint64_t addr)
{
	struct ept_visitor *v = container_of(visitor, struct ept_visitor, visitor);
	struct ept_vm *e = v->vm->priv;

	/* MMIO leaves are judged by their generation. */
	if (pt_special(e->pt.format, at->value))
		return false;
	if (at->leaf && split_partial(v, at, addr))
		return true;
	if (pt_get(at->entry) == 0)
		return false;
	if (at->leaf)
		MUTANT(EPT_UNMAP, ept_log_leaf_gone(v->vm, pt_take(at->entry), at->level, addr));
	else
		pt_set(at->entry, 0);
	v->lost = true;
	if (at->leaf) {
		v->vm->counters.leaves_removed++;
		return false;
	}
	if (detached_full(&e->detached))
		ept_flush_and_free(v->vm);
	detached_add(&e->detached, e->pt.format, at);
	e->detached.tree[e->detached.count - 1].addr = addr;
	return false;
}

static bool protect_visit(struct pt_visitor *visitor, struct pt_position *at, uint64_t addr)
{
	struct ept_visitor *v = container_of(visitor, struct ept_visitor, visitor);
	const struct ept_vm *e = v->vm->priv;

	if (pt_special(e->pt.format, at->value))
		return false;
	if (!at->leaf)
		return true;
	if (!(at->value & e->form->write))
		return false;
	if (split_partial(v, at, addr))
		return true;
	if (pt_get(at->entry) == 0)
		return false;
	/* The CPU may be setting A and D in this entry. */
	MUTANT(EPT_PROTECT, pt_clear_bits(at->entry, e->form->write));
	v->vm->counters.leaves_removed++;
	v->lost = true;
	return false;
}

static bool visit_range(struct mmu_vm *vm, gfn_t first, uint64_t pages,
			bool (*visit)(struct pt_visitor *, struct pt_position *, uint64_t))
{
	const struct ept_vm *e = vm->priv;
	uint64_t limit = pt_limit(e->pt.format) >> PAGE_SHIFT;
	struct ept_visitor v = { .visitor = { .visit = visit }, .vm = vm };

	if (first.v >= limit)
		return false;
	v.first = first.v << PAGE_SHIFT;
	v.end = (first.v + min_u64(pages, limit - first.v)) << PAGE_SHIFT;
	pt_visit(&e->pt, v.first, v.end, &v.visitor);
	return v.lost;
}

static void unmap(struct mmu_vm *vm, gfn_t first, uint64_t pages)
{
	if (visit_range(vm, first, pages, unmap_visit))
		ept_flush_and_free(vm);
}

static void write_protect(struct mmu_vm *vm, gfn_t first, uint64_t pages)
{
	if (visit_range(vm, first, pages, protect_visit))
		MUTANT(EPT_PROTECT_FLUSH, tag_request_ept(vm));
}

/* What the guest uses comes back by violations. Tables have no order of use here, so all go. */
static void relieve(struct mmu_vm *vm, uint32_t need)
{
	(void)need;
	unmap(vm, GFN(0), ~0ull);
}

/* ---- faults ---- */

static const char no_memory[] = "there is no host memory for EPT tables";

/* Where there is no memory, a load of PDPTEs reads all ones: P and reserved bits (SDM, "PDPTE Registers"). Such a load
 * is the only access without a linear address ("Exit Qualification for EPT Violations"). An access to a cached MMIO
 * leaf does not tell. */
static bool loads_pdptes(const struct mmu_fault *fault)
{
	return fault->pdptes && MUTANT_OR(EPT_PDPTES, !(fault->access & MMU_LINEAR));
}

static struct mmu_result mmio(struct mmu_vcpu *vcpu, const struct mmu_fault *fault)
{
	struct mmu_vm *vm = vcpu->vm;
	struct ept_vm *e = vm->priv;
	gpa_t gpa = fault->gpa;
	struct pt_position at = pt_lookup(&e->pt, gpa.v, 1);
	uint64_t leaf = e->form->mmio(vm);

	/* Outside IA-32e mode it is not cached, so that each access tells what it is. It is no load: that is #GP. */
	if (fault->pdptes) {
		mmu_know_mmio(vcpu, gpa_gfn(gpa));
		return mmu_emulate(gpa);
	}
	/* A page that cannot be cached for want of memory still works by violation. */
	if (leaf && !pt_present(e->pt.format, at.value) && pt_reach(&e->pt, gpa.v, 1, &at)) {
		pt_set(at.entry, leaf);
		vm->counters.mmio_cached++;
	}
	return mmu_emulate(gpa);
}

/* Makes the leaf for gpa. at: the deepest position there, not special. */
static struct mmu_result map(struct mmu_vm *vm, gpa_t gpa, const struct mmu_page *page, struct pt_position at)
{
	struct ept_vm *e = vm->priv;
	unsigned level = ept_leaf_level(vm, gpa, page);

	while (at.leaf && at.level > level) {
		at.value = ept_log_split(vm, gpa, &at);
		if (!pt_split(&e->pt, gpa.v, &at))
			return mmu_stop(no_memory);
	}
	if (at.level < level)
		level = at.level; /* a table that is there stays: in its place a leaf would owe a flush (S11) */
	if (!pt_reach(&e->pt, gpa.v, level, &at))
		return mmu_stop(no_memory);
	pt_set(at.entry, ept_leaf_instead(e->form->leaf(page, gpa_gfn(gpa), pt_shift(level)), &at));
	ept_count_leaf(&vm->counters, level);
	return mmu_done(MMU_FIXED);
}

/* The identity map is shown whatever the slots say. Its accessed and dirty flags are set, but EPT's own may make each
 * walk a write. */
static struct mmu_result map_identity(struct mmu_vm *vm, gpa_t gpa)
{
	struct ept_vm *e = vm->priv;
	struct pt_position at = pt_lookup(&e->pt, gpa.v, 1);

	while (at.leaf && at.level > 1)
		if (!pt_split(&e->pt, gpa.v, &at))
			return mmu_stop(no_memory);
	if (!pt_reach(&e->pt, gpa.v, 1, &at))
		return mmu_stop(no_memory);
	pt_set(at.entry, hfn_hpa(e->identity).v | e->form->whole);
	return mmu_done(MMU_FIXED);
}

static struct mmu_result violation(struct mmu_vcpu *vcpu, const struct mmu_fault *fault)
{
	struct mmu_vm *vm = vcpu->vm;
	struct ept_vm *e = vm->priv;
	bool write = fault->access & MMU_WRITE;
	struct mmu_page page;
	struct pt_position at;

	vm->counters.ept_violations++;
	if (fault->gpa.v >= pt_limit(e->pt.format))
		return loads_pdptes(fault) ? mmu_inject_gp() : mmu_emulate(fault->gpa);
	if (ept_is_identity_map(vm, gpa_gfn(fault->gpa)))
		return map_identity(vm, fault->gpa);
	page = mmu_resolve(vcpu, gpa_gfn(fault->gpa), fault->access);
	if (page.kind == MMU_WAIT) {
		vm->counters.ept_violations--; /* it is looked at anew, and counted then */
		return mmu_done(MMU_RETRY);
	}
	if (page.kind == MMU_DEVICE && loads_pdptes(fault))
		return mmu_inject_gp();
	if (page.slot && page.slot->kind == SLOT_MMIO)
		return mmio(vcpu, fault);
	if (page.kind == MMU_DEVICE)
		return mmu_emulate(fault->gpa);
	at = pt_lookup(&e->pt, fault->gpa.v, 1);
	if (pt_special(e->pt.format, at.value)) {
		vm->counters.mmio_stale++;
		pt_set(at.entry, 0);
		at.value = 0;
	}
	if (at.leaf && (!write || (at.value & e->form->write)))
		return mmu_done(MMU_SPURIOUS);
	return map(vm, fault->gpa, &page, at);
}

/* The entry can be walked. Another CPU has repaired it since, when the memory map changed; or this code made it wrong,
 * which must not loop: the same page does not change twice under one map. */
static struct mmu_result repaired(struct mmu_vcpu *vcpu, gfn_t gfn)
{
	uint32_t now = vcpu->vm->slots.generation;
	bool again = vcpu->repaired_gfn.v == gfn.v && vcpu->repaired_generation == now;

	vcpu->repaired_gfn = gfn;
	vcpu->repaired_generation = now;
	return again ? mmu_stop("an EPT entry is misconfigured") : mmu_done(MMU_RETRY);
}

static struct mmu_result misconfig(struct mmu_vcpu *vcpu, const struct mmu_fault *fault)
{
	struct mmu_vm *vm = vcpu->vm;
	struct ept_vm *e = vm->priv;
	struct pt_position at;

	vm->counters.ept_misconfigs++;
	if (fault->gpa.v >= pt_limit(e->pt.format))
		return mmu_emulate(fault->gpa);
	at = pt_lookup(&e->pt, fault->gpa.v, 1);
	if (!pt_special(e->pt.format, at.value))
		return pt_present(e->pt.format, at.value) ? repaired(vcpu, gpa_gfn(fault->gpa)) : mmu_done(MMU_RETRY);
	if (!fault->pdptes && MUTANT_OR(EPT_GENERATION, at.value == e->form->mmio(vm))) {
		mmu_know_mmio(vcpu, gpa_gfn(fault->gpa));
		return mmu_emulate(fault->gpa);
	}
	/* The map changed since, or it must be known which access it is: look again, by violation. */
	vm->counters.mmio_stale += !fault->pdptes;
	pt_set(at.entry, 0);
	return mmu_done(MMU_FIXED);
}

static struct mmu_result fault(struct mmu_vcpu *vcpu, const struct mmu_fault *f)
{
	switch (f->kind) {
	case MMU_FAULT_EPT_VIOLATION:
		return violation(vcpu, f);
	case MMU_FAULT_EPT_MISCONFIG:
		return misconfig(vcpu, f);
	case MMU_FAULT_PAGE:
		break;
	}
	/* OV5: it is the guest's own, and drops what was cached for its address. */
	MUTANT(OVERLAY_WATCH_FLUSH, ept_invlpg(vcpu, f->gva));
	return mmu_inject_pf(f->error, f->gva);
}

static bool audit(struct mmu_vm *vm, char *why, size_t size)
{
	const struct ept_vm *e = vm->priv;

	if (e->detached.count) {
		fmt(why, size, "S11: %u tables wait to be freed after the step", e->detached.count);
		return false;
	}
	for (const struct mmu_vcpu *v = vm->vcpus; v; v = v->next) {
		if (v->root.nested == pointer(vm))
			continue;
		fmt(why, size, "E7: a vCPU runs with EPTP %lx", v->root.nested);
		return false;
	}
	return ept_audit(&e->pt, e->identity, why, size);
}

/* But for whose tables they are, ept and npt are the same. */
#define NESTED_OPS \
	.nested = true, .need = EPT_NEED, .least = EPT_LEAST, .ample = RESERVE_ANY, .relieve = relieve, \
	.vm_destroy = vm_destroy, .vcpu_init = vcpu_init, .vcpu_destroy = vcpu_destroy, .fault = fault, \
	.beside = ept_beside, .regs_changed = ept_regs_changed, .invlpg = ept_invlpg, .unmap = unmap, \
	.write_protect = write_protect, .audit = audit

static bool age(struct mmu_vm *vm, gfn_t first, uint64_t pages, uint64_t *used, bool clear)
{
	return vm->caps->ept_ad && ept_age(vm, first, pages, used, clear);
}

const struct mmu_ops mmu_ept = {
	.name = "ept",
	NESTED_OPS,
	.age = age,
	.unsupported = unsupported,
	.config_unsupported = config_unsupported,
	.vm_init = vm_init,
	.log_take = ept_log_take,
	.join = ept_join,
};

/* ---- AMD's tables ---- */

static const char *npt_unsupported(const struct mmu_caps *caps)
{
	return caps->npt ? NULL : "the CPU has no nested paging of AMD's (NPT)";
}

/* The CPU walks nested tables as deep as the host's own, which have four levels. */
static const char *npt_config_unsupported(const struct mmu_caps *caps, const struct mmu_config *config)
{
	(void)caps;
	if (five_levels(config))
		return "nested tables of AMD's have as many levels as the host's own, which are 4";
	return NULL;
}

static bool npt_init(struct mmu_vm *vm) { return init(vm, &npt_form); }

const struct mmu_ops mmu_npt = {
	.name = "npt",
	NESTED_OPS,
	.age = ept_age,
	.unsupported = npt_unsupported,
	.config_unsupported = npt_config_unsupported,
	.vm_init = npt_init,
};
