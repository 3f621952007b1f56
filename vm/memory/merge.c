#include "vm/memory/merge.h"

#include "host/memory/frames.h"
#include "lib/mutants/mutate.h"
#include "vm/memory/memory.h"
#include "vm/memory/merge_table.h"
#include "vm/memory/owner.h"
#include "vm/memory/ram_join.h"
#include "vm/memory/reclaim.h"
#include "vm/memory/share.h"
#include "vm/vm.h"

#define NO_SUM UINT32_MAX /* the page has not been looked at */
#define CHUNKS_MAX 16u    /* of MERGE_BATCH pages, at a time, where there is nothing to look at */

/* ---- its memory ---- */

static uint64_t frames_for(const struct ram *r)
{
	return pages_for(r->pages * sizeof(uint32_t));
}

static bool take_sums(struct vm *vm)
{
	for (unsigned n = 0; n < ARRAY_SIZE(vm->ram); n++) {
		hfn_t f;

		if (!vm->ram[n].vm)
			continue;
		f = frames_alloc_run(frames_for(&vm->ram[n]), 1);
		if (hfn_is_none(f))
			return false;
		vm->merge.sum[n] = frames_ptr(f);
		memset(vm->merge.sum[n], 0xff, frames_for(&vm->ram[n]) << PAGE_SHIFT);
		vm->merge.bytes += frames_for(&vm->ram[n]) << PAGE_SHIFT;
	}
	return true;
}

static void give_sums(struct vm *vm)
{
	for (unsigned n = 0; n < ARRAY_SIZE(vm->ram); n++) {
		if (VM_KEPT(MERGE_SUMS_FREED, vm->merge.sum[n]))
			frames_free(frames_of_ptr(vm->merge.sum[n]), frames_for(&vm->ram[n]));
		vm->merge.sum[n] = NULL;
	}
	vm->merge.bytes = 0;
}

/* ---- when ---- */

static void alarm(void *dev, uint64_t now)
{
	(void)now;
	vcpu_request(vm_boot_vcpu(dev), REQUEST_MERGE);
}

static void arm(struct vm *vm, uint64_t ticks)
{
	struct timers *t = vm_device_timers(vm);

	vm->merge.timer.fire = alarm;
	vm->merge.timer.dev = vm;
	spin_lock(&vm->device_lock);
	timer_arm(t, &vm->merge.timer, timers_now(t) + ticks);
	spin_unlock(&vm->device_lock);
	VM_MUTANT(MERGE_ALARM, vcpu_request(vm_boot_vcpu(vm), 0)); /* HA3: it may sleep */
}

/* Has one of the VM's virtual CPUs, or another's at this CPU, something to do? */
static bool is_busy(const struct vm *vm)
{
	const struct vcpu *first = this_cpu()->run_queue, *i = first, *v;

	for_each_vcpu(v, vm)
		if (!__atomic_load_n(&v->halted, __ATOMIC_RELAXED))
			return true;
	for (bool more = first; more; more = i != first) {
		if (i->vm != vm && schedule_runnable(i))
			return true;
		i = i->ring;
	}
	return false;
}

unsigned merge_rate(const struct vm *vm)
{
	return vm->config->merge_rate ? vm->config->merge_rate : CONFIG_MERGE_RATE_DEFAULT;
}

uint64_t merge_pause(const struct vm *vm, uint64_t ticks)
{
	uint64_t pause = MERGE_BATCH * machine.tsc_hz / merge_rate(vm);
	uint64_t share = vm->config->merge_share ? vm->config->merge_share : CONFIG_MERGE_SHARE_DEFAULT;

	return VM_KEPT(MERGE_BUSY, is_busy(vm)) ? max_u64(pause, ticks * (100 - share) / share) : pause;
}

/* ---- a look ---- */

struct batch {
	struct vm *vm;
	struct ram *r;
	gfn_t first;
	uint64_t wanted; /* pages from first on, by bits */
	uint64_t gone;   /* of these, those that lie elsewhere, or are nothing */
	uint64_t hash[MERGE_BATCH];
	hfn_t frame[MERGE_BATCH];
};

static bool is_known(const struct batch *b, unsigned n)
{
	hfn_t frame;

	return !b->hash[n] ||
	       merge_table_find(b->hash[n], b->vm->id, GFN(b->first.v + n), &frame) != MERGE_NOTHING;
}

/* Looks at the pages of a chunk that are writable, with nothing stopped: what it finds is a guess. */
static void look(struct batch *b, unsigned pages)
{
	struct merge *m = &b->vm->merge;
	uint32_t *sum = &m->sum[m->which][b->first.v - b->r->base.v];

	for (unsigned n = 0; n < pages; n++) {
		gfn_t gfn = GFN(b->first.v + n);
		hfn_t frame = ram_frame(b->r, gfn);
		uint32_t is;

		if (hfn_is_none(frame) || ram_is_protected(b->r, gfn))
			continue;
		m->account.scanned++;
		b->hash[n] = merge_hash(frames_ptr(frame));
		is = (uint32_t)(b->hash[n] >> 32);
		if (VM_LEFT_OUT_OR(MERGE_STEADY, sum[n] == is)) {
			if (is_known(b, n))
				b->wanted |= BIT(n);
		} else {
			m->account.unsteady += sum[n] != NO_SUM;
		}
		sum[n] = is;
	}
}

/* ---- a merge ---- */

/* One instruction a word. */
static bool are_equal(hfn_t one, hfn_t other)
{
	const void *a = frames_ptr(one), *b = frames_ptr(other);
	uint64_t left = PAGE_SIZE / sizeof(uint64_t);
	bool equal;

	__asm__ volatile("repe cmpsq" : "=@ccz"(equal), "+S"(a), "+D"(b), "+c"(left) : : "memory");
	return equal;
}

static bool is_zero(hfn_t frame)
{
	const void *a = frames_ptr(frame);
	uint64_t left = PAGE_SIZE / sizeof(uint64_t);
	bool zero;

	__asm__ volatile("repe scasq" : "=@ccz"(zero), "+D"(a), "+c"(left) : "a"(0ull) : "memory");
	return zero;
}

/* Gives back that it was counted. */
static void part(const struct batch *b, gfn_t gfn, hfn_t frame)
{
	if (!owner_leave(frame, b->vm->id, gfn))
		return;
	owner_clear(frame);
	frames_free(frame, 1);
}

/* MG1, MG2: from its frame to the one where it is to go. */
static bool go_to(struct batch *b, unsigned n, hfn_t frame)
{
	gfn_t gfn = GFN(b->first.v + n);
	struct merge_account *a = &b->vm->merge.account;

	if (!owner_join(frame)) {
		merge_table_forget(b->hash[n], frame);
		return false;
	}
	if (VM_LEFT_OUT_OR(MERGE_COMPARES, are_equal(b->frame[n], frame)) && ram_link(b->r, gfn, frame)) {
		a->merged++;
		return true;
	}
	VM_MUTANT(MERGE_PARTS, part(b, gfn, frame));
	a->refused++;
	return false;
}

/* The page is protected. true: it is mapped where it does not lie any more. */
static bool merge_page(struct batch *b, unsigned n)
{
	gfn_t gfn = GFN(b->first.v + n);
	struct merge_account *a = &b->vm->merge.account;
	uint64_t hash = b->hash[n];
	enum merge_found found;
	hfn_t frame;

	if (!hash && VM_LEFT_OUT_OR(MERGE_ZERO, is_zero(b->frame[n])) && ram_forget(b->r, gfn)) {
		a->zero++;
		return true;
	}
	found = merge_table_find(hash, b->vm->id, gfn, &frame);
	if (found == MERGE_FRAME && go_to(b, n, frame))
		return true;
	if (found == MERGE_SEEN && merge_hash(frames_ptr(b->frame[n])) == hash && ram_offer(b->r, gfn)) {
		merge_table_offer(hash, b->frame[n]);
		a->offered++;
		return false;
	}
	VM_MUTANT(MERGE_UNPROTECTS, ram_unprotect(b->r, gfn));
	return false;
}

/* Calls for each run of pages among those. */
static void for_runs(const struct batch *b, uint64_t pages, void (*call)(const struct batch *b, gfn_t gfn, uint64_t n))
{
	for (unsigned n = 0; n < MERGE_BATCH; n++) {
		unsigned from = n;

		while (n < MERGE_BATCH && pages & BIT(n))
			n++;
		if (n > from)
			call(b, GFN(b->first.v + from), n - from);
	}
}

static void protect(const struct batch *b, gfn_t gfn, uint64_t n) { ram_protect_run(b->r, gfn, n); }
static void unmap(const struct batch *b, gfn_t gfn, uint64_t n) { mmu_unmap(&b->vm->mmu, gfn, n); }

/* What telling of a block page by page takes is not the hypervisor's own (RAM_KEPT). */
static bool open(const struct batch *b)
{
	return !VM_KEPT(MERGE_SPARES, ram_in_one_piece(b->r, b->first) && !share_allows(b->vm, 2)) &&
	       ram_split(b->r, b->first);
}

/* The VM is frozen. */
static void merge_pages(struct batch *b)
{
	if (!open(b))
		return;
	VM_MUTANT(MERGE_PROTECTS, for_runs(b, b->wanted, protect));
	for (unsigned n = 0; n < MERGE_BATCH; n++) {
		b->frame[n] = b->wanted & BIT(n) ? ram_frame(b->r, GFN(b->first.v + n)) : HFN_NONE;
		if (!hfn_is_none(b->frame[n]) && merge_page(b, n))
			b->gone |= BIT(n);
	}
	VM_MUTANT(MERGE_UNMAPS, for_runs(b, b->gone, unmap));
	for (unsigned n = 0; n < MERGE_BATCH; n++) {
		if (!(b->gone & BIT(n)))
			continue;
		owner_clear(b->frame[n]);
		VM_MUTANT(MERGE_FREES, frames_free(b->frame[n], 1));
	}
}

/* Goes on behind what has been looked at: to the next chunk, which is all of one block, or to the next RAM. Returns its
 * pages; 0: there is none in this RAM any more. */
static unsigned next_chunk(struct vm *vm, struct batch *b)
{
	struct merge *m = &vm->merge;
	struct ram *r = &vm->ram[m->which];
	uint64_t first = r->base.v + m->at, pages;

	if (!r->vm || m->at >= r->pages) {
		m->at = 0;
		m->which = (m->which + 1) % ARRAY_SIZE(vm->ram);
		m->account.rounds += !m->which;
		return 0;
	}
	pages = min_u64(MERGE_BATCH - first % MERGE_BATCH, r->pages - m->at);
	b->vm = vm;
	b->r = r;
	b->first = GFN(first);
	b->wanted = b->gone = 0;
	m->at += pages;
	return (unsigned)pages;
}

static void step(struct vm *vm)
{
	uint64_t began = rdtsc(), seen = vm->merge.account.scanned;
	struct batch b;

	for (unsigned n = 0; n < CHUNKS_MAX && vm->merge.account.scanned - seen < MERGE_BATCH / 2; n++) {
		unsigned pages = next_chunk(vm, &b);

		if (!pages)
			break;
		look(&b, pages);
		if (!b.wanted)
			continue;
		vm_freeze(vm);
		merge_pages(&b);
		vm_thaw(vm);
	}
	vm->merge.account.ticks += rdtsc() - began;
	VM_MUTANT(MERGE_AGAIN, arm(vm, merge_pause(vm, rdtsc() - began)));
}

/* ---- its end ---- */

/* false: there is no memory for it. */
static bool own(struct ram *r, gfn_t gfn)
{
	if (!ram_is_protected(r, gfn))
		return true;
	if (!share_allows(r->vm, 1))
		return false;
	mmu_guest_ptr(&r->vm->mmu, GPA(gfn.v << PAGE_SHIFT), 1, true);
	return true;
}

static void off(struct vm *vm)
{
	vm->merge.state = MERGE_OFF;
	give_sums(vm);
	merge_table_give();
}

static void part_some(struct vm *vm)
{
	struct merge *m = &vm->merge;
	uint64_t parted = m->account.parted;
	struct batch b;

	for (unsigned n = 0; n < CHUNKS_MAX && m->account.parted - parted < MERGE_BATCH; n++) {
		unsigned pages = next_chunk(vm, &b);

		if (!reclaim_spares(MERGE_BATCH))
			VM_MUTANT(MERGE_END_MAKES_ROOM, reclaim_more());
		if (!pages && !m->which) {
			off(vm);
			vcpu_request(vm_boot_vcpu(vm), REQUEST_JOIN);
			return;
		}
		for (unsigned i = 0; i < pages; i++)
			m->short_of_memory |= !own(b.r, GFN(b.first.v + i));
	}
	arm(vm, machine.tsc_hz / 1000);
}

/* ---- from outside ---- */

const char *merge_begin(struct vm *vm)
{
	struct merge *m = &vm->merge;

	if (vm->config->merge != CONFIG_ON)
		return "its description does not allow it: \"merge on\" does";
	if (memory_at_once(vm))
		return "its RAM was taken at once: leave out prealloc";
	if (m->state == MERGE_ON)
		return NULL;
	if (m->state == MERGE_OFF && !merge_table_take())
		return "there is no host memory for its table";
	if (m->state == MERGE_OFF && !take_sums(vm)) {
		give_sums(vm);
		merge_table_give();
		return "there is no host memory for what it remembers of pages";
	}
	m->state = MERGE_ON;
	m->short_of_memory = false;
	m->which = 0;
	m->at = 0;
	arm(vm, MERGE_BATCH * machine.tsc_hz / merge_rate(vm));
	return NULL;
}

bool merge_init(struct vm *vm)
{
	const char *why = vm->config->merge == CONFIG_ON ? merge_begin(vm) : NULL;

	if (why)
		vm_end(vm, VM_STATUS_BAD_IMAGE, "its pages cannot be merged: %s", why);
	return !why;
}

void merge_end(struct vm *vm)
{
	struct merge *m = &vm->merge;

	if (m->state != MERGE_ON)
		return;
	m->state = MERGE_ENDING;
	m->which = 0;
	m->at = 0;
	arm(vm, machine.tsc_hz / 1000);
}

void merge_serve(struct vm *vm)
{
	if (vm->merge.state == MERGE_ON)
		step(vm);
	else if (vm->merge.state == MERGE_ENDING)
		VM_MUTANT(MERGE_ENDS, part_some(vm));
}

void merge_free(struct vm *vm)
{
	if (VM_KEPT(MERGE_RELEASED, vm->merge.state != MERGE_OFF))
		off(vm);
}
