/* The memory map: slots of RAM, ROM, devices and the local APIC, and what backs them. */
#include <stdlib.h>

#include "test/oracle/oracle.h"

bool ram_init(struct vm *vm, uint64_t base, uint64_t pages, uint64_t home, enum slot_kind kind, enum memtype type)
{
	struct ram *r = &vm->ram[vm->rams++];

	*r = (struct ram){ .backing = host_backing,
			   .vm = vm,
			   .base = base,
			   .pages = pages,
			   .home = home,
			   .kind = kind,
			   .type = type };
	if (kind == SLOT_MMIO)
		return true;
	r->page = calloc(pages, sizeof(*r->page));
	r->irregular = calloc(pages / 512 + 1, sizeof(*r->irregular));
	r->log = calloc(pages / 64 + 1, 8);
	r->log_out = calloc(pages / 64 + 1, 8);
	if (!r->page || !r->irregular || !r->log || !r->log_out)
		return false;
	if (home && vm->world->c.linear && kind == SLOT_RAM && base <= 2048)
		r->linear = (char *)phys_add_block(&vm->world->phys, home, pages);
	else if (home && vm->world->c.blocks && kind == SLOT_RAM && base <= 2048)
		r->bytes = phys_add_block(&vm->world->phys, home, pages);
	else if (home)
		phys_add(&vm->world->phys, home, pages);
	for (uint64_t i = 0; i < pages; i++) {
		r->page[i].hfn = home ? home + i : 0;
		r->page[i].in = home != 0;
		if (!home || r->bytes)
			page_regularity(r, i);
	}
	return true;
}

struct ram *ram_find(struct vm *vm, uint64_t gfn)
{
	for (unsigned i = 0; i < vm->rams; i++)
		if (vm->ram[i].present && gfn - vm->ram[i].base < vm->ram[i].pages)
			return &vm->ram[i];
	return NULL;
}

struct page *page_find(struct vm *vm, uint64_t gfn)
{
	struct ram *r = ram_find(vm, gfn);

	return r && r->kind < SLOT_MMIO ? &r->page[gfn - r->base] : NULL;
}

struct slot ram_slot(struct ram *r)
{
	return (struct slot){ .base = GFN(r->base), .pages = r->pages, .kind = r->kind, .type = r->type,
			      .backing = r->kind == SLOT_MMIO ? NULL : &r->backing, .linear = r->linear,
			      .linear_frame = HFN(r->linear ? r->home : 0),
			      .block = r->bytes ? r->block : NULL };
}
