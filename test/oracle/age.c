/* Ageing: what the CPU uses shows by a leaf's flag, by a look at the page's backing, or because the backing is told
 * when the leaf goes (S23). */
#include "test/oracle/weave.h"

void page_touched(struct vm *vm, uint64_t gfn, const struct observed *o)
{
	struct page *p = page_find(vm, gfn);

	if (!p || o->how != SEEN_DIRECT || weave_exact(vm->world))
		return;
	p->touched = true;
	p->touched_at = vm->world->now;
}

void pages_forget_age(struct vm *vm)
{
	for (unsigned k = 0; k < vm->rams; k++)
		for (uint64_t i = 0; vm->ram[k].page && i < vm->ram[k].pages; i++)
			vm->ram[k].page[i].aged = false;
}

/* Nobody has used them since. */
static void are_aged(struct vm *vm, uint64_t gfn, uint64_t pages)
{
	uint64_t used[SLOT_BLOCK_PAGES / 64];

	mmu_age(&vm->mmu, GFN(gfn), pages, used, false);
	for (uint64_t i = 0; i < pages; i++)
		if (used[i / 64] >> (i & 63) & 1)
			fail(vm->world, "page %llx has just been aged, and counts as used (S23)",
			     (unsigned long long)(gfn + i));
}

/* Of pages of one RAM. false: the heart cannot tell. */
static bool ask(struct vm *vm, uint64_t gfn, uint64_t pages, bool clear)
{
	uint64_t used[SLOT_BLOCK_PAGES / 64], began = vm->world->now;
	struct ram *r = ram_find(vm, gfn);

	vm->world->now += vm->world->weave != NULL;
	if (!mmu_age(&vm->mmu, GFN(gfn), pages, used, clear))
		return false;
	cover(vm->world, COVER_AGED);
	for (uint64_t i = 0; i < pages; i++) {
		struct page *p = &r->page[gfn - r->base + i];
		bool told = used[i / 64] >> (i & 63) & 1;

		/* What others did in the middle of it may show, and need not. */
		if (p->aged && p->touched && p->touched_at <= began && !told && !p->asked)
			fail(vm->world, "page %llx was used, and nothing says so (S23)", (unsigned long long)(gfn + i));
		if (told)
			cover(vm->world, COVER_AGED_USED);
		if (clear) {
			p->aged = true;
			p->touched = p->asked = false;
		}
	}
	return true;
}

void pages_age(struct vm *vm, uint64_t gfn, uint64_t pages, bool clear)
{
	struct ram *r = ram_find(vm, gfn);
	uint64_t block = align_down(gfn, SLOT_BLOCK_PAGES);

	if (!r || r->kind != SLOT_RAM)
		return;
	pages = min_u64(pages, r->base + r->pages - gfn);
	if (!ask(vm, gfn, pages, clear) || !clear || vm->world->weave)
		return;
	are_aged(vm, gfn, pages);
	/* Those beside them, in a leaf that was aged in part. */
	if (block >= r->base)
		ask(vm, block, min_u64(SLOT_BLOCK_PAGES, r->base + r->pages - block), false);
}
