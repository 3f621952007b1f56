/* mmu/ept/audit.c - checks E1, E2 (S10), E4 (S14), and of S13 and S11 what shows in tables, on a whole tree of EPT
 * tables. */
#include "lib/fmt.h"
#include "mmu/ept/ept.h"
#include "mmu/inside.h"
#include "mmu/log.h"

struct auditor {
	struct pt_visitor visitor;
	const struct pt *pt;
	hfn_t identity;
	const char *broken;
	uint64_t addr;
};

/* Every page of the leaf must be memory at the right place with no more rights than it may have. */
static const char *check_leaf(const struct pt *pt, const struct pt_position *at, uint64_t addr)
{
	struct mmu_vm *vm = pt->vm;
	const struct nested_form *form = ((const struct ept_vm *)vm->priv)->form;
	hfn_t frame = pt_frame(pt->format, at->value);

	for (uint64_t i = 0; i < pt_span(at->level) >> PAGE_SHIFT; i++) {
		struct mmu_page page = mmu_mappable(vm, GFN((addr >> PAGE_SHIFT) + i));
		const char *wrong;

		if (page.kind != MMU_MEMORY)
			return "E1: a leaf names what is not memory";
		if (page.hfn.v != frame.v + i)
			return "S11: a leaf names another frame than its backing";
		if ((at->value & form->write) && !page.writable)
			return page.owned ? "S13: a clean page of a log is writable"
					  : "E1: a leaf is writable and must not be";
		wrong = form->wrong(&page, at->value);
		if (wrong)
			return wrong;
	}
	if (at->level > 1 && (at->value & form->write) && log_by_flags(vm) &&
	    mmu_mappable(vm, GFN(addr >> PAGE_SHIFT)).slot->dirty)
		return "LG1: a large leaf of a log by flags is writable";
	if (at->level > 1 && (pt_shift(at->level) > vm->config.page_limit || (at->level == 3 && !vm->caps->ept_1g) ||
			      (at->level == 2 && !vm->caps->ept_2m)))
		return "S10: a leaf is larger than it may be";
	return NULL;
}

static bool visit(struct pt_visitor *visitor, struct pt_position *at, uint64_t addr)
{
	struct auditor *a = container_of(visitor, struct auditor, visitor);
	struct mmu_vm *vm = a->pt->vm;
	const struct nested_form *form = ((const struct ept_vm *)vm->priv)->form;
	const char *broken = NULL;

	if (a->broken)
		return false;
	if (pt_special(a->pt->format, at->value)) {
		struct slot *slot = slots_find(&a->pt->vm->slots, GFN(addr >> PAGE_SHIFT));

		if (at->level != 1)
			broken = "E4: an MMIO leaf is large";
		else if (~at->value & form->mmio_high(vm))
			broken = "E4: an MMIO leaf has the address of what may be memory";
		else if (at->value == form->mmio(vm) && (!slot || slot->kind != SLOT_MMIO))
			broken = "S14: a current MMIO leaf is no MMIO";
	} else if (at->leaf && pt_frame(a->pt->format, at->value).v != a->identity.v) {
		broken = check_leaf(a->pt, at, addr);
	}
	a->broken = broken;
	a->addr = addr;
	return true;
}

bool ept_audit(const struct pt *pt, hfn_t identity, char *why, size_t size)
{
	struct auditor a = { .visitor = { .visit = visit }, .pt = pt, .identity = identity };

	pt_visit(pt, 0, pt_limit(pt->format), &a.visitor);
	if (!a.broken)
		return true;
	fmt(why, size, "%s (gpa %lx)", a.broken, a.addr);
	return false;
}
