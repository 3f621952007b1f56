/* What an access must do when nothing is cached: the guest's tables as they must be, and the memory map. */
#include "test/oracle/oracle.h"

/* AMD's nested tables have the types of the host's PAT. */
static enum memtype nested_type(const struct vm *vm, enum memtype type)
{
	return !vm->world->c.caps.npt || type == MEMTYPE_WB || type == MEMTYPE_WT ? type : MEMTYPE_UC;
}

static struct outcome no_translation(const struct x_regs *r, struct x_access a, bool reserved)
{
	return (struct outcome){ .fault = true, .error = x_error_absent(r, a, reserved) };
}

static void reached_page(struct outcome *o, const struct x_regs *r, struct x_access a, struct x_rights rights,
			 const struct x_entry *e, uint64_t va)
{
	rights.pkey = e->pkey;
	o->complete = true;
	o->shift = e->shift;
	o->gpa = e->addr | (va & (BIT(e->shift) - 1));
	if (!x_permitted(r, a, rights)) {
		o->fault = true;
		o->error = x_error_rights(r, a, rights);
	}
}

struct outcome spec_walk(struct vm *vm, const struct x_regs *r, uint64_t va, struct x_access a)
{
	enum x_mode mode = x_mode(r);
	struct x_rights rights = { .w = true, .u = true };
	uint64_t table = x_root(r, mode);
	struct outcome o = { 0 };

	va = x_va(mode, va);
	if (mode == X_NONE) {
		o.gpa = va;
		o.shift = 30;
		return o;
	}
	if (mode == X_PAE) {
		table = r->pdpte[va >> 30] & X_ADDRESS_MASK;
		if (!(r->pdpte[va >> 30] & X_P))
			return no_translation(r, a, false);
	}
	for (unsigned level = x_top(mode);; level--) {
		struct spec_level *l = &o.level[o.levels++];
		struct x_entry e;

		l->gpa = table + (uint64_t)x_index(mode, level, va) * x_entry_size(mode);
		l->value = gm_read(vm, l->gpa, x_entry_size(mode));
		e = x_decode(r, mode, level, l->value);
		if (e.kind < X_TABLE) {
			o.fault = true;
			o.error = x_error_absent(r, a, e.kind == X_RESERVED);
			return o;
		}
		rights.w &= e.w;
		rights.u &= e.u;
		rights.xd |= e.xd;
		if (e.kind == X_LEAF) {
			reached_page(&o, r, a, rights, &e, va);
			return o;
		}
		table = e.addr;
	}
}

bool spec_place(struct vm *vm, const struct observed *o, uint64_t gpa, struct x_access a)
{
	struct ram *r = ram_find(vm, gpa >> PAGE_SHIFT);
	struct page *p = page_find(vm, gpa >> PAGE_SHIFT);
	uint64_t hfn = p ? p->hfn : 0;

	if (o->how == SEEN_FAULT || !overlay_place(vm, o, gpa, a, &hfn))
		return false;
	/* Emulation is for devices, for writes to tables, and for reads of overlaid pages; only brute emulates reads of
	 * other memory, too. */
	if (o->how == SEEN_EMULATED)
		return o->gpa == gpa && (!p || a.write || overlay_frame(vm, gpa >> PAGE_SHIFT) ||
					 overlay_covered(vm, gpa >> PAGE_SHIFT) ||
					 vm->mmu.ops == mmu_mechanism_by_name("brute"));
	/* While the host takes it away, it may still be used. */
	if (!p || !(p->in || (vm->world->weave && p->leaving)) || (r->kind == SLOT_ROM && a.write))
		return false;
	if (a.write && (p->merged || p->frozen))
		return false;
	if (o->ept && (o->ept_type & 7) != nested_type(vm, r->type))
		return false;
	return o->hpa == (hfn << PAGE_SHIFT | (gpa & (PAGE_SIZE - 1)));
}
