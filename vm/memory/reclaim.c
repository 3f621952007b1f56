#include "vm/memory/reclaim.h"

#include "host/memory/frames.h"
#include "lib/mutants/mutate.h"
#include "vm/memory/ram_out.h"
#include "vm/memory/share.h"
#include "vm/memory/swap.h"
#include "vm/vm.h"

#define TAKE SWAP_MOST       /* pages that go at once */
#define LOOK 4096u           /* pages that the second hand passes for these, at most */
#define MORE_TURNS 64u       /* of pages that go, for who cannot wait elsewhere */
#define AGE 4096u            /* pages that the first one goes ahead at once while it is too near */

static struct {
	bool held; /* RC3; by atomic exchange */
	uint64_t least, low, high, watch; /* frames; 0: there is no area */
	uint64_t pass;
	bool unfinished; /* a pass has left off because pages are on their way; changed by atomic operations */
} reclaim;

void reclaim_init(void)
{
	uint64_t total = frames_total();

	reclaim.least = RAM_KEPT + min_u64(512, total / 64);
	reclaim.low = reclaim.least + max_u64(64, total / 64);
	reclaim.high = reclaim.low + max_u64(64, total / 64);
	reclaim.watch = reclaim.high + total / 8;
	reclaim.pass = 0;
	reclaim.unfinished = false;
}

static bool works(void) { return swap_places(); }

static void leave_off(bool unfinished) { __atomic_store_n(&reclaim.unfinished, unfinished, __ATOMIC_RELAXED); }
static bool left_off(void) { return __atomic_load_n(&reclaim.unfinished, __ATOMIC_RELAXED); }

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

/* How far the first hand goes ahead: to where the second one is. */
static uint64_t gap(const struct ram *r) { return r->pages; }

static bool is_near(const struct ram *r) { return r->vm && r->lead < gap(r); }

/* RC2. */
static bool to_be_aged(const struct vm *vm)
{
	return frames_available() < reclaim.watch && vm->config->swap[0] &&
	       VM_KEPT(CLOCK_WATCH, is_near(&vm->ram[0]) || is_near(&vm->ram[1]));
}

void reclaim_note(struct vm *vm)
{
	struct vcpu *v = running();

	if (!works() || (frames_available() >= reclaim.low && !over_limit(vm) && !to_be_aged(vm)))
		return;
	/* Who notices that these have gone asks. */
	if (left_off() && swap_is_busy() && frames_available() >= reclaim.least)
		return;
	if (v)
		VM_MUTANT(RECLAIM_NOTED, vcpu_note(v, REQUEST_RECLAIM));
	else if (vm_started(vm))
		vcpu_request(vm_boot_vcpu(vm), REQUEST_RECLAIM);
}

bool reclaim_may_await(const struct vm *vm)
{
	const struct vcpu *v = running();

	return works() && !vm->ended && v && v->vm == vm && VM_KEPT(RECLAIM_WAITS, v->faulting);
}

bool reclaim_can_wait(const struct vm *vm)
{
	if (!reclaim_may_await(vm) || frames_available() >= reclaim.least)
		return false;
	vcpu_note(running(), REQUEST_RECLAIM);
	return true;
}

void reclaim_await(void)
{
	struct vcpu *v = running();

	v->swap_awaited = swap_await();
	VM_MUTANT(AWAIT_LEAVES, vcpu_note(v, REQUEST_SWITCH));
}

/* ---- RC3 ---- */

static bool get_hold(void) { return !__atomic_exchange_n(&reclaim.held, true, __ATOMIC_SEQ_CST); }

void reclaim_hold(void) { vcpu_wait_parked(get_hold); }
bool reclaim_is_held(void) { return __atomic_load_n(&reclaim.held, __ATOMIC_RELAXED); }
void reclaim_let_go(void) { __atomic_store_n(&reclaim.held, false, __ATOMIC_SEQ_CST); }

/* ---- the clock (RC2) ---- */

static gfn_t at(const struct ram *r, uint64_t page) { return GFN(r->base.v + page % r->pages); }

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

static unsigned take_pages(struct ram *r, bool shared, struct ram_going *list)
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
	near = VM_KEPT(CLOCK_GAP, is_near(r));
	*ageing = near && frames_available() >= reclaim.least && !over_limit(vm);
	if (is_near(r))
		age(r, shared, min_u64(AGE, gap(r) / 4));
	if (!*ageing)
		n = take_pages(r, shared, list);
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

static bool is_at_it(void)
{
	VM_MUTANT(PACKED_ROOM, swap_make_room(TAKE));
	return swap_is_busy();
}

/* Until pages are on their way, if not before. false: nobody has anything left that may go. */
static bool sweep(bool shared)
{
	uint64_t barren = 0;
	bool over, ageing = false;

	reclaim.pass++;
	while (!ageing && VM_LEFT_OUT_OR(SWEEP_ONE, !is_at_it())) {
		struct vm *vm = share_victim(reclaim.pass, shared, &over);
		unsigned gone;

		leave_off(false);
		if (!vm || (!over && frames_available() >= reclaim.high))
			return vm;
		gone = squeeze(vm, shared, &barren, &ageing);
		if (!gone && !ageing && !swap_room())
			return true; /* nothing but zeroes could go */
	}
	leave_off(!ageing);
	return true;
}

/* Pages are aged, and none is taken: of the one that would give first. */
static void age_some(void)
{
	struct vm *vm;
	bool over;

	if (frames_available() >= reclaim.watch)
		return;
	reclaim.pass++;
	while ((vm = share_victim(reclaim.pass, false, &over))) {
		struct ram *r = larger(vm);

		if (is_near(r)) {
			vm_freeze(vm);
			age(r, false, min_u64(AGE, gap(r) / 4));
			vm_thaw(vm);
			return;
		}
		r->stuck = reclaim.pass;
	}
}

static bool is_short(void) { return frames_available() < (left_off() ? reclaim.high : reclaim.low); }

static void pass(void)
{
	bool over;

	if (!is_short() && !(share_victim(++reclaim.pass, false, &over) && over)) {
		leave_off(false);
		age_some();
		return;
	}
	if (!sweep(false) && frames_available() < reclaim.low)
		VM_MUTANT(RECLAIM_SHARED, sweep(true)); /* RC5 */
}

static bool presses(void) { return VM_KEPT(RECLAIM_LEAST, frames_available() < reclaim.least); }

static void turn(bool ends_one)
{
	reclaim_hold();
	pass();
	if (ends_one && presses() && VM_KEPT(RECLAIM_PATIENT, !swap_is_busy()))
		VM_MUTANT(RECLAIM_ENDS_ONE, end_one());
	reclaim_let_go();
}

static void finish_writes(void)
{
	swap_lock();
	swap_finish();
	swap_unlock();
}

void reclaim_look(void)
{
	if (!works())
		return;
	for (turn(true); presses() && swap_is_busy(); turn(true))
		finish_writes();
}

void reclaim_more(void)
{
	if (!works())
		return;
	turn(false);
	for (unsigned n = 0; n < MORE_TURNS && !reclaim_spares(0) && swap_is_busy(); n++) {
		finish_writes();
		turn(false);
	}
}

uint64_t reclaim_serve(struct vcpu *v)
{
	if (!works())
		return 0;
	turn(true);
	/* Others give back, or one that has ended does. */
	if (!presses() || v->vm->ended)
		return 0;
	vcpu_note(v, REQUEST_RECLAIM);
	v->swap_awaited = swap_await();
	return REQUEST_SWITCH;
}

void reclaim_go_on(void)
{
	struct vcpu *v = this_cpu()->run_queue;

	if (v && left_off())
		VM_MUTANT(RECLAIM_GOES_ON, vcpu_note(v, REQUEST_RECLAIM));
}
