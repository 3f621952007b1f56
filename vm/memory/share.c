/* vm/memory/share.c - shares of the machine's memory, by weight. */
#include "vm/memory/share.h"

#include "host/memory/frames.h"
#include "lib/mutants/mutate.h"
#include "vm/live/live.h"
#include "vm/memory/swap.h"
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
	share_note((int64_t)(r->resident - r->shared) - (int64_t)r->pages);
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

/* In frames of its own; they change meanwhile. */
static uint64_t own_of(const struct ram *r)
{
	uint64_t shared = r->shared, resident = r->resident;

	return resident > shared ? resident - shared : 0;
}

static uint64_t resident_of(const struct vm *vm)
{
	return own_of(&vm->ram[0]) + (vm->ram[1].vm ? own_of(&vm->ram[1]) : 0);
}

/* In frames of its own or shared ones. */
static uint64_t all_of(const struct vm *vm)
{
	return vm->ram[0].resident + (vm->ram[1].vm ? vm->ram[1].resident : 0);
}

/* Two containers of one guest (vm/live/live.h) have one share: it is counted where the guest is. */
static bool has_guest(const struct vm *vm)
{
	return !VM_KEPT(SHARE_ONCE, vm->live.second || live_is_double(vm)) || vm_at(vm->id) == vm;
}

/* What the guest has, in both containers where it has two; shared: also in shared frames. The lock is held. */
static uint64_t guest_has(const struct vm *vm, bool shared)
{
	uint64_t pages = 0;

	if (likely(!live_is_double(vm)))
		return shared ? all_of(vm) : resident_of(vm);
	for (const struct ram *r = shares.first; r; r = r->next)
		if (r->vm->id == vm->id)
			pages += shared ? all_of(r->vm) : resident_of(r->vm);
	return pages;
}

uint64_t share_held(const struct vm *vm) { return vm->preallocated + resident_of(vm); }

uint64_t share_limit(const struct vm *vm)
{
	uint64_t limit = vm->config->limit >> PAGE_SHIFT;

	return limit ? min_u64(limit, pages_of(vm)) : pages_of(vm);
}

static bool may_go(const struct vm *vm) { return vm->config->swap[0]; }

/* What guests have a share of by their weights. */
struct whole {
	uint64_t pages, weights;
};

/* What a VM is entitled to: by its weight, but no less than its reservation, and no more than its limit. */
static uint64_t share_of(const struct vm *vm, const struct whole *w)
{
	uint64_t share = w->weights ? w->pages * vm->weight / w->weights : 0;

	return min_u64(max_u64(share, vm->config->reservation >> PAGE_SHIFT), share_limit(vm));
}

static uint64_t sum_of_shares(const struct whole *w)
{
	uint64_t sum = 0;

	for (const struct ram *r = shares.first; r; r = r->next)
		sum += has_guest(r->vm) ? share_of(r->vm, w) : 0;
	return sum;
}

/* What one has by a reservation beyond its weight the others have less: so much that all shares are there at once, to a
 * 4,096th. */
static void leave_reserved(struct whole *w)
{
	uint64_t all = w->pages, fits = 0, least = all >> 12;

	if (sum_of_shares(w) <= all)
		return;
	for (uint64_t most = all; most - fits > least + 1;) {
		w->pages = fits + (most - fits) / 2;
		*(sum_of_shares(w) > all ? &most : &fits) = w->pages;
	}
	w->pages = fits;
}

/* What there is for all guests together; the lock is held. */
static struct whole whole(uint64_t available)
{
	struct whole w = { .pages = available };
	uint64_t reserved = 0;

	for (const struct ram *r = shares.first; r; r = r->next) {
		w.pages += resident_of(r->vm);
		w.weights += has_guest(r->vm) ? r->vm->weight : 0;
		reserved |= r->vm->config->reservation;
	}
	if (VM_KEPT(SHARE_AROUND, reserved))
		leave_reserved(&w);
	return w;
}

/* What the others are entitled to and have not; the lock is held. What is theirs is no longer counted when they are
 * over. */
static uint64_t owed(const struct vm *vm, uint64_t available)
{
	struct whole w = whole(available);
	uint64_t sum = 0;

	for (const struct ram *r = shares.first; r; r = r->next) {
		uint64_t share = share_of(r->vm, &w), has = guest_has(r->vm, false);

		if (r->vm->id != vm->id && has_guest(r->vm) && share > has && !r->vm->ended)
			sum += share - has;
	}
	return sum;
}

/* ---- who gives back ---- */

/* Has it anything that it need not keep? */
static bool can_give(const struct vm *vm, uint64_t pass)
{
	bool spare = VM_LEFT_OUT_OR(SHARE_RESERVED, all_of(vm) > vm->config->reservation >> PAGE_SHIFT);

	return may_go(vm) && !vm->ended && spare &&
	       (vm->ram[0].stuck != pass || (vm->ram[1].vm && vm->ram[1].stuck != pass));
}

struct vm *share_victim(uint64_t pass, bool shared, bool *over)
{
	int64_t most = INT64_MIN;
	struct vm *victim = NULL;
	struct whole w;

	*over = false;
	spin_lock(&shares.lock);
	w = whole(frames_available());
	for (const struct ram *r = shares.first; r && !*over; r = r->next) {
		int64_t above = (int64_t)guest_has(r->vm, shared) - (int64_t)share_of(r->vm, &w);

		if (!can_give(r->vm, pass))
			continue;
		*over = VM_KEPT(SHARE_LIMIT, resident_of(r->vm) > share_limit(r->vm));
		if (*over || VM_LEFT_OUT_OR(SHARE_MOST, above > most)) {
			victim = r->vm;
			most = above;
		}
	}
	spin_unlock(&shares.lock);
	return victim;
}

struct vm *share_greatest(bool *ending)
{
	int64_t most = INT64_MIN;
	struct vm *greatest = NULL;
	struct whole w;

	*ending = false;
	spin_lock(&shares.lock);
	w = whole(frames_available());
	for (const struct ram *r = shares.first; r; r = r->next) {
		int64_t above = (int64_t)guest_has(r->vm, false) - (int64_t)share_of(r->vm, &w);

		*ending |= r->vm->ended;
		if (!r->vm->ended && above > most) {
			greatest = r->vm;
			most = above;
		}
	}
	spin_unlock(&shares.lock);
	return greatest;
}

/* ---- who takes ---- */

bool share_allows(const struct vm *vm, uint64_t frames)
{
	uint64_t available = frames_available(), least = frames + RAM_KEPT;
	bool ok;

	if (available < least)
		return VM_LEFT_OUT_OR(RAM_KEEPS, false);
	if (likely(available >= least + __atomic_load_n(&shares.absent, __ATOMIC_RELAXED)))
		return true;
	/* What it may have to give back later has room elsewhere. */
	if (VM_KEPT(SHARE_ROOM, may_go(vm)))
		available += swap_room();
	spin_lock(&shares.lock);
	ok = VM_LEFT_OUT_OR(RAM_SHARES, available >= least + owed(vm, available - RAM_KEPT));
	spin_unlock(&shares.lock);
	return ok;
}
