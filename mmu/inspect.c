#include "mmu/inspect.h"

#include "mmu/ept/ept.h"
#include "mmu/hwpaging.h"
#include "mmu/inside.h"
#include "mmu/mechanisms.h"

static bool is_mmio(bool ept, const struct pt_format *f, uint64_t e)
{
	/* E4: writable, not readable. */
	return ept ? (e & (EPT_R | EPT_W)) == EPT_W : pt_special(f, e);
}

static void follow(struct mmu_vm *vm, struct mmu_path *p, const struct pt_format *f, unsigned top, uint64_t addr)
{
	const char *table = vm->below->frame_ptr(vm->below->ctx, hpa_hfn(p->root));
	uint64_t at = p->root.v;
	unsigned bits = p->nested ? 9 : f->root_bits;

	for (unsigned level = top;; level--, bits = 9) {
		unsigned index = (unsigned)(addr >> pt_shift(level) & (BIT(bits) - 1));
		uint64_t e = pt_get((const uint64_t *)(const void *)(table + (at & (PAGE_SIZE - 1))) + index);

		p->entry[p->count++] = (struct mmu_path_entry){ HPA(at + index * 8), e, (uint8_t)level };
		p->end = is_mmio(p->ept, f, e) ? MMU_PATH_MMIO : MMU_PATH_ABSENT;
		if (p->end == MMU_PATH_MMIO || !(e & (p->ept ? EPT_R | EPT_W | EPT_X : PTE_P)))
			return;
		if (level == 1 ||
		    (level < 4 && (e & PTE_PS) && (p->nested || level < f->root_level || f->root_level > 3))) {
			p->end = MMU_PATH_LEAF;
			p->page_shift = (uint8_t)pt_shift(level);
			p->hpa = HPA((e & MASK(PT_OWN_MMIO_BIT - 1, pt_shift(level))) | (addr & (pt_span(level) - 1)));
			return;
		}
		at = e & PT_OWN_ADDRESS;
		table = vm->below->frame_ptr(vm->below->ctx, hpa_hfn(HPA(at)));
	}
}

void mmu_inspect(struct mmu_vcpu *vcpu, gva_t gva, gpa_t gpa, struct mmu_path *path)
{
	struct mmu_vm *vm = vcpu->vm;
	bool nested = vcpu->intercepts.ept, ept = nested && vm->ops != &mmu_npt;
	const struct pt_format *f = nested ? &npt_form.four : hw_format(&vcpu->regs);
	unsigned top = f->root_level;
	uint64_t addr;

	mmu_lock_alone(vm);
	*path = (struct mmu_path){ .nested = nested, .ept = ept };
	addr = nested ? gpa.v : gva.v;
	/* Under PAE paging CR3 names 32 bytes, else a page. */
	path->root = HPA(nested ? vcpu->root.nested & EPTP_ADDRESS
				   : vcpu->root.cr3 & (f->root_level == 3 ? CR3_PDPT : PTE_ADDRESS));
	path->end = MMU_PATH_NO_ROOT;
	if (ept)
		top = (vcpu->root.nested >> EPTP_WALK_SHIFT & 7) + 1;
	if (!nested || addr < BIT(PAGE_SHIFT + 9 * top))
		follow(vm, path, f, top, addr);
	mmu_unlock(vm);
}

bool mmu_inspect_backing(struct mmu_vm *vm, gpa_t gpa, const char **kind, hpa_t *hpa)
{
	struct mmu_page page;

	mmu_lock_alone(vm);
	page = mmu_mappable(vm, gpa_gfn(gpa));
	*kind = overlay_covers(vm, gpa_gfn(gpa)) ? "covered" :
		page.slot			 ? slot_kind_name(page.slot->kind) : "absent";
	mmu_unlock(vm);
	if (page.kind != MMU_MEMORY)
		return false;
	*hpa = HPA(hfn_hpa(page.hfn).v | (gpa.v & (PAGE_SIZE - 1)));
	return true;
}
