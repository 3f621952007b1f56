/* vm/live/copy.c - pages of a virtual machine that is being moved, from its old container to its new one. */
#include "vm/live/live.h"

#include "lib/mutants/mutate.h"
#include "vm/memory/reclaim.h"
#include "vm/snapshot/firmware.h"
#include "vm/vm.h"

/* One step is made at a time (LM5). */
static uint8_t page[PAGE_SIZE];
static const uint8_t zeroes[PAGE_SIZE];

/* It is zero, or nothing: nothing has to be written where the new one has nothing. */
static bool put_zero(struct vm *to, gfn_t gfn)
{
	if (VM_LEFT_OUT_OR(LIVE_ZERO, save_nothing(to, gfn)))
		return true;
	return save_write(to, gfn_gpa(gfn).v, zeroes, PAGE_SIZE);
}

static bool copy_page(struct vm *from, struct vm *to, gfn_t gfn, struct live_account *account)
{
	if (!save_page(from, gfn, page))
		return put_zero(to, gfn);
	account->pages++;
	return save_write(to, gfn_gpa(gfn).v, page, PAGE_SIZE);
}

bool live_copy(struct vm *from, struct vm *to, struct live_account *account)
{
	uint64_t before = account->pages, first, pages;
	unsigned range;

	reclaim_look(); /* what is written comes back for that, and takes the place of others */
	for (unsigned looked = 0; looked < LIVE_LOOKS && account->pages - before < LIVE_PAGES; looked++) {
		if (!save_take_run(&from->save, 1, &range, &first, &pages))
			return true;
		if (!copy_page(from, to, GFN(from->save.range[range].base.v + first), account))
			return false;
	}
	return true;
}
