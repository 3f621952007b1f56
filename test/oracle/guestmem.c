/* Guest memory as it must be (the driver's own copy, by page) and as it is (the modelled machine's frames). */
#include <stdlib.h>
#include <string.h>

#include "test/oracle/weave.h"

uint64_t gm_read(struct vm *vm, uint64_t gpa, unsigned size)
{
	struct page *p = page_find(vm, gpa >> PAGE_SHIFT);
	uint64_t v = 0;

	if (!p)
		return size == 8 ? ~0ull : 0xffffffffull;
	if (p->bytes)
		memcpy(&v, p->bytes + (gpa & (PAGE_SIZE - 1)), size);
	return v;
}

void gm_write(struct vm *vm, uint64_t gpa, unsigned size, uint64_t value)
{
	struct page *p = page_find(vm, gpa >> PAGE_SHIFT);
	uint64_t word = gpa & ~7ull;

	BUG_ON(!p);
	if (!p->bytes) {
		p->bytes = calloc(1, PAGE_SIZE);
		BUG_ON(!p->bytes);
	}

	uint64_t old = gm_read(vm, word, 8);

	memcpy(p->bytes + (gpa & (PAGE_SIZE - 1)), &value, size);
	if (!p->written) {
		p->written_at = vm->world->now;
		weave_written(vm->world, gpa >> PAGE_SHIFT);
	}
	p->written = true;
	if (gm_read(vm, word, 8) != old)
		spec_change(vm, word, old);
}

bool gm_real(struct vm *vm, uint64_t gpa, unsigned size, uint64_t *value)
{
	struct page *p = page_find(vm, gpa >> PAGE_SHIFT);

	if (!p || (!p->in && !p->leaving))
		return false;
	*value = 0;
	memcpy(value, phys_ptr(&vm->world->phys, p->hfn) + (gpa & (PAGE_SIZE - 1)), size);
	return true;
}

bool gm_lacks(struct vm *vm, uint64_t gpa, unsigned size, uint64_t want)
{
	struct ram *r = ram_find(vm, gpa >> PAGE_SHIFT);
	uint64_t is;

	return r && r->kind == SLOT_RAM && gm_real(vm, gpa, size, &is) && (is & want) != want;
}

bool gm_adopt(struct vm *vm, uint64_t gpa, unsigned size, uint64_t allowed)
{
	uint64_t must = gm_read(vm, gpa, size), is;

	if (!gm_real(vm, gpa, size, &is) || is == must)
		return true;
	/* Others' walks may be on their way to tell of theirs; and when they were set, nobody knows. */
	if (vm->world->weave)
		allowed |= X_A | X_D;
	if ((is ^ must) & ~allowed || must & ~is)
		return false;
	if (vm->world->weave && (!vm->world->c.halves || gpa >> PAGE_SHIFT != vm->world->c.halves))
		memcpy(page_find(vm, gpa >> PAGE_SHIFT)->bytes + (gpa & (PAGE_SIZE - 1)), &is, size);
	else
		gm_write(vm, gpa, size, is);
	return true;
}

/* ---- where steps are interleaved ---- */

void gm_settle(struct vcpu *v)
{
	struct store *s = v->pending;

	if (!s || s->done)
		return;
	s->done = true;
	gm_write(v->vm, s->gpa, s->size, s->value);
}

/* In entries of either size. */
#define FLAGS ((uint64_t)(X_A | X_D) << 32 | X_A | X_D)

static bool settle_flags(struct world *w, struct page *p)
{
	const uint8_t *is = p && (p->in || p->leaving) && p->bytes ? phys_ptr(&w->phys, p->hfn) : NULL;

	if (!is || memcmp(is, p->bytes, PAGE_SIZE) == 0)
		return true;
	for (unsigned i = 0; i < PAGE_SIZE; i += 8) {
		uint64_t have, must;

		memcpy(&have, is + i, 8);
		memcpy(&must, p->bytes + i, 8);
		if ((have ^ must) & ~FLAGS || must & ~have)
			return false;
		memcpy(p->bytes + i, &have, 8);
	}
	return true;
}

bool gm_settle_page(struct vm *vm, uint64_t gfn) { return settle_flags(vm->world, page_find(vm, gfn)); }

void gm_settle_halves(struct vm *vm, uint64_t gfn)
{
	const uint64_t upper = (uint64_t)(X_A | X_D) << 32;

	for (uint64_t at = gfn << PAGE_SHIFT; at >> PAGE_SHIFT == gfn; at += 8) {
		bool was = weave_quiet(vm->world, true);
		uint64_t must = gm_read(vm, at, 8), is;
		bool set = gm_real(vm, at, 8, &is) && is & ~must & upper;

		weave_quiet(vm->world, was);
		if (set)
			gm_write(vm, at, 8, must | (is & upper));
	}
}

/* Also of slots that are not there just now. */
void gm_settle_flags(struct vm *vm)
{
	for (unsigned k = 0; k < vm->rams; k++) {
		struct ram *r = &vm->ram[k];

		for (uint64_t i = 0; r->page && r->base != IDENTITY_GFN && i < min_u64(r->pages, 2048); i++)
			settle_flags(vm->world, &r->page[i]);
	}
}

static void compare_page(struct vm *vm, struct ram *r, uint64_t index)
{
	struct page *p = &r->page[index];
	const uint8_t *is;

	if (!p->in || !p->bytes)
		return;
	is = phys_ptr(&vm->world->phys, p->hfn);
	if (memcmp(is, p->bytes, PAGE_SIZE) == 0)
		return;
	for (unsigned i = 0; i < PAGE_SIZE; i += 8) {
		uint64_t have, must;

		memcpy(&have, is + i, 8);
		memcpy(&must, p->bytes + i, 8);
		if (have != must)
			fail(vm->world, "guest memory at %llx is %llx and must be %llx",
			     (unsigned long long)((r->base + index) * PAGE_SIZE + i), (unsigned long long)have,
			     (unsigned long long)must);
	}
}

void gm_compare(struct vm *vm)
{
	for (unsigned k = 0; k < vm->rams; k++) {
		struct ram *r = &vm->ram[k];

		/* The largest slot is touched in few places only: look where the layout's pages are. */
		for (uint64_t i = 0; r->page && r->base != IDENTITY_GFN && i < r->pages && i < 2048; i++)
			compare_page(vm, r, i);
	}
}

/* ---- as the guest reads and writes it ---- */

static bool store_by_hypervisor(struct vcpu *v, uint64_t gpa, unsigned size, uint64_t value)
{
	struct vm *vm = v->vm;
	struct store store = { .gpa = gpa, .value = value, .size = size };
	size_t done;

	vm->world->storing = gpa | 7;
	v->pending = vm->world->weave ? &store : NULL;
	done = mmu_guest_write(&vm->mmu, GPA(gpa), &value, size);
	if (done != size || (v->pending && !store.done))
		fail(vm->world, "mmu_guest_write does not write %llx", (unsigned long long)gpa);
	v->pending = NULL;
	return !vm->world->failed;
}

/* Guest memory changes: by the guest's own store, wherever mmu/ lets it happen, or by the hypervisor for it. */
void guest_store(struct vcpu *v, uint64_t gpa, unsigned size, uint64_t value, bool by_hypervisor)
{
	struct vm *vm = v->vm;
	struct page *p = page_find(vm, gpa >> PAGE_SHIFT);
	struct ram *r = ram_find(vm, gpa >> PAGE_SHIFT);

	if (!p || r->kind == SLOT_ROM)
		return;
	cover(vm->world, by_hypervisor ? COVER_EDIT_EMULATED : COVER_EDIT_STORED);
	TRACE("  store %llx <- %llx%s\n", (unsigned long long)gpa, (unsigned long long)value,
	      by_hypervisor ? " by the hypervisor" : "");
	if (by_hypervisor) {
		if (!store_by_hypervisor(v, gpa, size, value))
			return;
	} else {
		phys_write(&vm->world->phys, p->hfn << PAGE_SHIFT | (gpa & (PAGE_SIZE - 1)), size, value);
	}
	vm->world->storing = 0;
	if (!by_hypervisor || !vm->world->weave)
		gm_write(vm, gpa, size, value);
}

void guest_load(struct vcpu *v, uint64_t gpa, unsigned size, bool by_hypervisor)
{
	struct vm *vm = v->vm;
	uint64_t is = 0, must;

	/* What others have written meanwhile, nobody knows. */
	if (!page_find(vm, gpa >> PAGE_SHIFT) || (vm->world->weave && by_hypervisor))
		return;
	if (vm->world->weave && !gm_settle_page(vm, gpa >> PAGE_SHIFT))
		fail(vm->world, "page %llx is not as it must be", (unsigned long long)gpa >> PAGE_SHIFT);
	must = gm_read(vm, gpa, size);
	if (!by_hypervisor)
		gm_real(vm, gpa, size, &is);
	else if (mmu_guest_read(&vm->mmu, GPA(gpa), &is, size) != size)
		fail(vm->world, "mmu_guest_read does not read %llx", (unsigned long long)gpa);
	if (is != must)
		fail(vm->world, "gpa %llx reads as %llx and must be %llx", (unsigned long long)gpa,
		     (unsigned long long)is, (unsigned long long)must);
}
