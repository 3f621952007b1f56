#include "vm/memory/ram_join.h"

#include "host/memory/frames.h"
#include "lib/mutants/mutate.h"
#include "vm/memory/owner.h"
#include "vm/memory/ram_inside.h"
#include "vm/memory/ram_out.h"
#include "vm/memory/swap.h"
#include "vm/seam.h"
#include "vm/vm.h"

#define LOOK 64u      /* blocks that are looked at in a turn */
#define FLAG_LOOKS 4u /* of them, those whose pages' flags are */
#define PAUSES 8u     /* turns in a second, while there is something to do */
#define LONGEST 2u    /* seconds from turn to turn while there is not */

/* ---- one block ---- */

/* JN1. */
static bool all_are(const uint64_t *part, uint64_t mask)
{
	for (unsigned i = 0; i < SLOT_BLOCK_PAGES; i++)
		if ((__atomic_load_n(&part[i], __ATOMIC_ACQUIRE) & mask) != (HERE | WRITABLE))
			return false;
	return true;
}

/* Do its frames lie as in one piece? Then they stay. */
static bool lies_in_a_row(const uint64_t *part)
{
	uint64_t first = frame_in(part[0]).v;

	for (unsigned i = 0; i < SLOT_BLOCK_PAGES; i++)
		if (frame_in(part[i]).v != first + i)
			return false;
	return first % FRAMES_BLOCK == 0;
}

/* *looks: at how many more blocks' accessed flags may be looked. */
static bool is_ready(struct ram *r, uint64_t block, unsigned *looks)
{
	const uint64_t *part = is_one_piece(r, block) ? NULL : r->part[block];

	if (!part || !all_are(part, HERE | WRITABLE) || !block_is_whole(r, block) ||
	    (block_has_held(r, block) && !lies_in_a_row(part)))
		return false;
	if (all_are(part, HERE | WRITABLE | AGED))
		return true;
	if (!*looks)
		return false;
	*looks -= 1;
	VM_MUTANT(JOIN_LOOKS, ram_note_used(r, block_gfn(r, block), SLOT_BLOCK_PAGES));
	return VM_LEFT_OUT_OR(JOIN_USED, all_are(part, HERE | WRITABLE | AGED));
}

/* It lies there from now on; the lock is held. Its words stay where they are, for somebody may be about to look, and
 * say nothing (ram_split()). */
static void lies_at(struct ram *r, uint64_t block, hfn_t frame)
{
	ram_lies_at(r, block, frame);
	for (unsigned i = 0; i < SLOT_BLOCK_PAGES; i++)
		__atomic_store_n(&r->part[block][i], 0, __ATOMIC_RELEASE);
	r->parts--;
	r->count.joined++;
}

static void join_in_place(struct ram *r, uint64_t block)
{
	hfn_t frame = frame_in(r->part[block][0]);

	spin_lock(&r->lock);
	owner_clear_block(frame);
	owner_set_block(frame, r->vm->id, block_gfn(r, block));
	lies_at(r, block, frame);
	spin_unlock(&r->lock);
	VM_MUTANT(JOIN_MAPS_ANEW, mmu_unmap(&r->vm->mmu, block_gfn(r, block), SLOT_BLOCK_PAGES));
}

/* JN2: are all as they were when they were copied? Else they are as they were before; the lock is held. */
static bool are_still(struct ram *r, uint64_t block)
{
	uint64_t *part = r->part[block];
	bool still = true;

	for (unsigned i = 0; i < SLOT_BLOCK_PAGES; i++)
		still &= (part[i] & HERE) && VM_LEFT_OUT_OR(JOIN_STILL, !(part[i] & WRITABLE));
	for (unsigned i = 0; !still && i < SLOT_BLOCK_PAGES; i++)
		VM_MUTANT(JOIN_UNPROTECTS, __atomic_fetch_or(&part[i], WRITABLE, __ATOMIC_ACQ_REL));
	return still;
}

static bool join_by_copy(struct ram *r, uint64_t block)
{
	static uint64_t old[SLOT_BLOCK_PAGES]; /* with the reclaimer's lock */
	hfn_t to = frames_alloc_run(FRAMES_BLOCK, FRAMES_BLOCK);
	gfn_t gfn = block_gfn(r, block);
	bool still;

	if (hfn_is_none(to))
		return false;
	VM_MUTANT(JOIN_PROTECTS, ram_protect_run(r, gfn, SLOT_BLOCK_PAGES));
	for (unsigned i = 0; i < SLOT_BLOCK_PAGES; i++) {
		old[i] = frame_in(r->part[block][i]).v;
		memcpy(frames_ptr(HFN(to.v + i)), frames_ptr(HFN(old[i])), PAGE_SIZE);
	}
	vm_seam();
	spin_lock(&r->lock);
	still = are_still(r, block);
	if (still) {
		owner_set_block(to, r->vm->id, gfn);
		lies_at(r, block, to);
	}
	spin_unlock(&r->lock);
	if (!still) {
		frames_free(to, FRAMES_BLOCK);
		return false;
	}
	VM_MUTANT(JOIN_UNMAPS, mmu_unmap(&r->vm->mmu, gfn, SLOT_BLOCK_PAGES));
	for (unsigned i = 0; i < SLOT_BLOCK_PAGES; i++) {
		owner_clear(HFN(old[i]));
		VM_MUTANT(JOIN_FREES, frames_free(HFN(old[i]), 1));
	}
	return true;
}

bool ram_join(struct ram *r, gfn_t gfn)
{
	uint64_t block = block_of(r, gfn);
	unsigned looks = 1;

	BUG_ON(r->vm->frozen_by != this_cpu() || !reclaim_is_held());
	if (!is_ready(r, block, &looks) || swap_is_busy())
		return false;
	if (lies_in_a_row(r->part[block])) {
		join_in_place(r, block);
		return true;
	}
	return VM_LEFT_OUT_OR(JOIN_SPARES, reclaim_spares(FRAMES_BLOCK) && reclaim_affords(FRAMES_BLOCK)) &&
	       join_by_copy(r, block);
}

/* ---- when (JN4) ---- */

static void alarm(void *dev, uint64_t now)
{
	struct vm *vm = dev;

	(void)now;
	vm->ram[0].joining.state = JOIN_DUE;
	vcpu_request(vm_boot_vcpu(dev), REQUEST_JOIN);
}

static void arm(struct vm *vm, uint64_t ticks)
{
	struct timers *t = vm_device_timers(vm);
	struct ram_joining *j = &vm->ram[0].joining;

	j->timer.fire = alarm;
	j->timer.dev = vm;
	j->state = JOIN_ARMED;
	spin_lock(&vm->device_lock);
	timer_arm(t, &j->timer, timers_now(t) + ticks);
	spin_unlock(&vm->device_lock);
	vcpu_request(vm_boot_vcpu(vm), 0); /* HA3: it may sleep */
}

void ram_join_note(struct ram *r)
{
	r->parts++;
	if (vm_started(r->vm))
		VM_MUTANT(JOIN_NOTED, vcpu_request(vm_boot_vcpu(r->vm), REQUEST_JOIN));
}

/* The next one that could be put together, of LOOK; false: none. */
static bool find(struct ram *r, uint64_t *block)
{
	uint64_t blocks = block_count(r);
	unsigned looks = FLAG_LOOKS;

	for (unsigned n = 0; n < LOOK && n < blocks; n++) {
		*block = r->joining.next++ % blocks;
		if (is_ready(r, *block, &looks))
			return true;
	}
	return false;
}

static bool join_one(struct ram *r)
{
	uint64_t block, began = rdtsc();
	bool joined;

	if (!r->vm || !r->parts || !find(r, &block))
		return false;
	reclaim_hold();
	vm_freeze(r->vm);
	joined = ram_join(r, block_gfn(r, block));
	vm_thaw(r->vm);
	reclaim_let_go();
	r->count.join_ticks += joined ? rdtsc() - began : 0;
	return joined;
}

static void serve(struct vm *vm)
{
	uint64_t began = rdtsc(), parts = vm->ram[0].parts + (vm->ram[1].vm ? vm->ram[1].parts : 0);
	struct ram_joining *j = &vm->ram[0].joining;
	uint64_t shortest = machine.tsc_hz / PAUSES;
	bool joined = false;

	if (j->state == JOIN_DUE && !parts)
		j->state = JOIN_IDLE;
	if (j->state == JOIN_ARMED || !parts || vm->ended)
		return;
	/* What has just been opened has been for a reason. */
	if (VM_KEPT(JOIN_LATER, j->state == JOIN_IDLE)) {
		j->pause = shortest;
		arm(vm, shortest);
		return;
	}
	j->state = JOIN_IDLE;
	if (VM_KEPT(JOIN_MERGED, vm->merge.state != MERGE_OFF))
		return;
	if (VM_LEFT_OUT_OR(JOIN_LOGGED, !vm->mmu.logs))
		joined = join_one(&vm->ram[0]) || join_one(&vm->ram[1]);
	j->pause = joined ? shortest : min_u64(j->pause * 2, LONGEST * machine.tsc_hz);
	arm(vm, max_u64(j->pause, (rdtsc() - began) * (JOIN_SHARE - 1)));
}

void ram_join_serve(struct vm *vm, uint64_t requests)
{
	if (requests & REQUEST_JOIN)
		serve(vm);
}
