/* vm/live/follow.c - a virtual machine whose memory follows when its guest is in the new container already (LM6). */
#include "vm/live/live.h"

#include "lib/mutants/mutate.h"
#include "vm/memory/memory.h"
#include "vm/memory/ram_elsewhere.h"
#include "vm/memory/ram_join.h"
#include "vm/memory/reclaim.h"
#include "vm/vm.h"

#define ALL_BLOCKS UINT32_MAX

/* What the guest takes while this goes on is seen by live_expect_all(). */
bool live_expect(struct vm *from, struct vm *to, struct live_expected *at)
{
	struct ram *r = &to->ram[at->ram];
	uint64_t before = at->block;

	if (r->vm && !ram_expect(r, &from->ram[at->ram], &at->block, LIVE_BLOCKS))
		return false;
	if (at->block - before == LIVE_BLOCKS)
		return true;
	at->block = 0;
	at->ram++;
	return true;
}

const char *live_expect_all(struct vm *from, struct vm *to)
{
	for (unsigned n = 0; n < ARRAY_SIZE(to->ram); n++) {
		bool said = true;
		uint64_t at = 0;

		if (!to->ram[n].vm)
			continue;
		VM_MUTANT(LIVE_EXPECTS_LATE, said = ram_expect(&to->ram[n], &from->ram[n], &at, ALL_BLOCKS));
		if (!said)
			return LIVE_NO_WORDS;
		ram_expect_from(&to->ram[n], &from->ram[n]);
	}
	return NULL;
}

/* EL2: who reclaims leaves it alone when it is over, and has what he began until he lets go (RC3). */
void live_leave(struct vm *from, struct vm *to)
{
	from->live.source = true;
	VM_MUTANT(LIVE_HELD, reclaim_hold());
	__atomic_store_n(&from->ended, true, __ATOMIC_RELEASE);
	VM_MUTANT(LIVE_HELD, reclaim_let_go());
	merge_free(from);
	for (unsigned n = 0; n < ARRAY_SIZE(to->ram); n++) {
		if (!to->ram[n].vm)
			continue;
		VM_MUTANT(LIVE_SETTLES, ram_settle(&from->ram[n]));
		ram_expect_left(&to->ram[n]);
	}
}

bool live_follow(struct vm *to)
{
	bool all = true;

	reclaim_look();
	for (unsigned n = 0; n < ARRAY_SIZE(to->ram) && all; n++)
		all = !to->ram[n].vm || ram_fetch_some(&to->ram[n], LIVE_LOOKS, LIVE_PAGES);
	if (all)
		VM_MUTANT(LIVE_JOINS, vcpu_request(vm_boot_vcpu(to), REQUEST_JOIN));
	return all;
}

uint64_t live_to_follow(const struct vm *to)
{
	uint64_t pages = 0;

	for (unsigned n = 0; n < ARRAY_SIZE(to->ram); n++) {
		const struct ram_coming *c = &to->ram[n].coming;

		if (to->ram[n].vm && c->from && to->ram[n].pages > c->next)
			pages += to->ram[n].pages - c->next;
	}
	return pages;
}

void live_tally(struct vm *to, struct live_account *one, uint64_t ticks)
{
	struct live_account now = *one, *all = &to->live.account;

	now.faults = now.pushed = now.kept = 0;
	for (unsigned n = 0; n < ARRAY_SIZE(to->ram); n++) {
		now.faults += to->ram[n].coming.faults;
		now.pushed += to->ram[n].coming.pushed;
		now.kept += to->ram[n].coming.kept;
	}
	now.pages += now.faults + now.pushed - one->faults - one->pushed;
	now.used = now.pages;
	now.ticks = ticks;
#define A(name) all->name += now.name - one->name;
	LIVE_ACCOUNT(A)
#undef A
	*one = now;
}

void live_give_source(struct vm *from)
{
	if (!from->live.source || from->live.given)
		return;
	from->live.given = true;
	reclaim_hold(); /* RC3 */
	memory_release(from);
	reclaim_let_go();
}
