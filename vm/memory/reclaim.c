#include "vm/memory/reclaim.h"

#include "host/memory/frames.h"
#include "lib/mutants/mutate.h"
#include "vm/memory/ram_out.h"
#include "vm/memory/share.h"
#include "vm/memory/swap.h"
#include "vm/vm.h"

#define TAKE SWAP_MOST       /* pages that go at once */
#define LOOK 4096u           /* pages that the second hand passes for these, at most */
#define AGE 4096u            /* pages that the first one goes ahead at once while it is too near */

static struct {
	bool held; /* RC3; by atomic exchange */
	uint64_t least, low, high; /* frames; 0: there is no area */
	uint64_t pass;
} reclaim;

void reclaim_init(void)
{
	uint64_t total = frames_total();

	reclaim.least = RAM_KEPT + min_u64(512, total / 64);
	reclaim.low = reclaim.least + max_u64(64, total / 64);
	reclaim.high = reclaim.low + max_u64(64, total / 64);
	reclaim.pass = 0;
}

static bool works(void) { return swap_places(); }

bool reclaim_spares(uint64_t frames) { return !works() || frames_available() >= reclaim.high + frames; }

bool reclaim_affords(uint64_t frames) { return frames_available() >= reclaim.least + frames; }

bool reclaim_spares_block(const struct vm *vm)
{
	return reclaim_spares(FRAMES_BLOCK) &&
	       VM_LEFT_OUT_OR(LIMIT_BLOCK, share_held(vm) + FRAMES_BLOCK <= share_limit(vm));
}

static bool over_limit(const struct vm *vm) { return share_held(vm) > share_limit(vm); }

/* The one that this CPU runs. */
static struct vcpu *running(void)
{
	struct vcpu *v = this_cpu()->run_queue;

	return v && v->running ? v : NULL;
}

void reclaim_note(struct vm *vm)
{
	struct vcpu *v = running();

	if (!works() || (frames_available() >= reclaim.low && !over_limit(vm)))
		return;
	if (v)
		VM_MUTANT(RECLAIM_NOTED, vcpu_note(v, REQUEST_RECLAIM));
	else if (vm_started(vm))
		vcpu_request(vm_boot_vcpu(vm), REQUEST_RECLAIM);
}

bool reclaim_can_wait(struct vm *vm)
{
	struct vcpu *v = running();

	if (!works() || vm->ended || !v || v->vm != vm || !VM_KEPT(RECLAIM_WAITS, v->faulting) ||
	    frames_available() >= reclaim.least)
		return false;
	vcpu_note(v, REQUEST_RECLAIM);
	return true;
}

/* ---- RC3 ---- */

static bool get_hold(void *ctx)
{
	(void)ctx;
	return !__atomic_exchange_n(&reclaim.held, true, __ATOMIC_SEQ_CST);
}

void reclaim_hold(void) { vcpu_wait_parked(get_hold, NULL); }
bool reclaim_is_held(void) { return __atomic_load_n(&reclaim.held, __ATOMIC_RELAXED); }
void reclaim_let_go(void) { __atomic_store_n(&reclaim.held, false, __ATOMIC_SEQ_CST); }

/* ---- the clock (RC2) ---- */

static gfn_t at(const struct ram *r, uint64_t page) { return GFN(r->base.v + page % r->pages); }

static uint64_t gap(const struct ram *r) { return r->pages / 4; }

/* The first hand goes on, up to so many pages; no further than one round ahead. Here and below, shared: pages in
 * frames with others go too (RC5). */
static void age(struct ram *r, bool shared, uint64_t most)
{
	for (uint64_t done = 0; done < most && r->lead < r->pages;) {
		unsigned n = ram_age(r, at(r, r->hand + r->lead), shared);

		r->lead += n;
		done += n;
	}
}

static unsigned take(struct ram *r, bool shared, struct ram_going *list)
{
	uint64_t passed = 0;
	unsigned n = 0;

	while (n < TAKE && passed < LOOK && r->lead) {
		unsigned step = ram_take(r, at(r, r->hand), shared, list, &n, TAKE);

		r->hand = (r->hand + step) % r->pages;
		r->lead -= min_u64(step, r->lead);
		passed += step;
	}
	if (passed)
		age(r, shared, passed);
	return n;
}

static struct ram *larger(struct vm *vm)
{
	struct ram *r = &vm->ram[0], *high = &vm->ram[1];

	if (high->vm && high->stuck != reclaim.pass && (r->stuck == reclaim.pass || high->resident > r->resident))
		return high;
	return r;
}

/* Returns how many pages have gone; *ageing: none was taken, for the first hand is too near, and nothing presses. */
static unsigned squeeze(struct vm *vm, bool shared, uint64_t *barren, bool *ageing)
{
	struct ram_going list[TAKE];
	struct ram *r = larger(vm);
	unsigned n = 0, gone;
	bool near;

	vm_freeze(vm);
	near = VM_KEPT(CLOCK_GAP, r->lead < gap(r));
	*ageing = near && frames_available() >= reclaim.least && !over_limit(vm);
	if (r->lead < gap(r))
		age(r, shared, min_u64(AGE, gap(r) / 4));
	if (!*ageing)
		n = take(r, shared, list);
	vm_thaw(vm);
	gone = ram_put_out(r, list, n);
	*barren = gone || *ageing ? 0 : *barren + LOOK;
	if (VM_KEPT(CLOCK_STUCK, *barren > 2 * r->pages + LOOK)) {
		r->stuck = reclaim.pass;
		*barren = 0;
	}
	return gone;
}

/* ---- until there is enough ---- */

static void end_one(void)
{
	bool ending;
	struct vm *vm = share_greatest(&ending);

	if (ending || !vm)
		return; /* what it had comes back */
	vm_end(vm, VM_STATUS_STOPPED,
	       "the machine has no memory left for it: %lu MB of its %lu MB of RAM are in use, and %lu MB in the swap "
	       "area, which %s",
	       ram_resident(vm) >> 8, vm->config->mem >> 20, ram_swapped(vm) >> 8,
	       swap_failed() ? "has failed" : swap_room() ? "has room, but nothing else may leave" : "is full");
}

/* false: nobody has anything left that may go. */
static bool sweep(bool shared)
{
	uint64_t barren = 0;
	bool over, ageing = false;

	reclaim.pass++;
	while (!ageing) {
		struct vm *vm = share_victim(reclaim.pass, shared, &over);
		unsigned gone;

		if (!vm || (!over && frames_available() >= reclaim.high))
			return vm;
		gone = squeeze(vm, shared, &barren, &ageing);
		if (!gone && !ageing && !swap_room())
			return true; /* nothing but zeroes could go */
	}
	return true;
}

static void pass(void)
{
	if (!sweep(false) && frames_available() < reclaim.low)
		VM_MUTANT(RECLAIM_SHARED, sweep(true)); /* RC5 */
}

static bool presses(void) { return VM_KEPT(RECLAIM_LEAST, frames_available() < reclaim.least); }

void reclaim_look(void)
{
	if (!works())
		return;
	reclaim_hold();
	pass();
	if (presses())
		VM_MUTANT(RECLAIM_ENDS_ONE, end_one());
	reclaim_let_go();
}

void reclaim_more(void)
{
	if (!works())
		return;
	reclaim_hold();
	pass();
	reclaim_let_go();
}

void reclaim_serve(struct vcpu *v)
{
	reclaim_look();
	/* Others give back, or one that has ended does. */
	if (presses() && !v->vm->ended)
		vcpu_note(v, REQUEST_RECLAIM | REQUEST_SWITCH);
}
