/* vm/memory/share.c - shares of the machine's memory, by weight. */
#include "vm/memory/share.h"

#include "host/memory/frames.h"
#include "lib/mutants/mutate.h"
#include "vm/vm.h"

static struct {
	struct spinlock lock; /* a leaf */
	struct ram *first;    /* of all VMs with RAM that comes when it is touched, the first one each */
	uint64_t absent;      /* pages of theirs that are not in memory; changed by atomic operations */
} shares;

static bool is_first(const struct ram *r) { return r == &r->vm->ram[0]; }

void share_join(struct ram *r)
{
	share_note((int64_t)r->pages);
	if (!is_first(r))
		return;
	spin_lock(&shares.lock);
	r->next = shares.first;
	shares.first = r;
	spin_unlock(&shares.lock);
}

void share_leave(struct ram *r)
{
	share_note((int64_t)r->resident - (int64_t)r->pages);
	if (!is_first(r))
		return;
	spin_lock(&shares.lock);
	for (struct ram **at = &shares.first; *at; at = &(*at)->next) {
		if (*at == r) {
			*at = r->next;
			break;
		}
	}
	spin_unlock(&shares.lock);
}

void share_note(int64_t pages) { __atomic_fetch_add(&shares.absent, (uint64_t)pages, __ATOMIC_RELAXED); }

static uint64_t pages_of(const struct vm *vm) { return vm->ram[0].pages + (vm->ram[1].vm ? vm->ram[1].pages : 0); }

static uint64_t resident_of(const struct vm *vm)
{
	return vm->ram[0].resident + (vm->ram[1].vm ? vm->ram[1].resident : 0);
}

/* What the others are entitled to and have not; the lock is held. What is theirs is no longer counted when they are
 * over. */
static uint64_t owed(const struct vm *vm, uint64_t available)
{
	uint64_t all = available, weights = 0, sum = 0;

	for (const struct ram *r = shares.first; r; r = r->next) {
		all += resident_of(r->vm);
		weights += r->vm->weight;
	}
	for (const struct ram *r = shares.first; r; r = r->next) {
		uint64_t share = min_u64(pages_of(r->vm), all * r->vm->weight / weights);

		if (r->vm != vm && share > resident_of(r->vm) && !r->vm->ended)
			sum += share - resident_of(r->vm);
	}
	return sum;
}

bool share_allows(const struct vm *vm, uint64_t frames)
{
	uint64_t available = frames_available(), least = frames + RAM_KEPT;
	bool ok;

	if (available < least)
		return VM_LEFT_OUT_OR(RAM_KEEPS, false);
	if (likely(available >= least + __atomic_load_n(&shares.absent, __ATOMIC_RELAXED)))
		return true;
	spin_lock(&shares.lock);
	ok = VM_LEFT_OUT_OR(RAM_SHARES, available >= least + owed(vm, available - RAM_KEPT));
	spin_unlock(&shares.lock);
	return ok;
}
