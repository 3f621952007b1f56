/* mmu/log.c - the dirty log (S13), three ways.
 *
 * A write is found by write protection: the fault that makes a page writable marks it. Or, under a mechanism and on a
 * CPU that have dirty flags for the guest's pages, by these: pages stay writable, and their leaves' flags are looked
 * at when the log is collected. Or by page-modification logging: the CPU writes down of which pages it sets the flag
 * (SDM, "Page-Modification Logging"), so that nothing need be looked through. What the hypervisor writes is marked
 * whatever the way is.
 *
 * LG1  By flags, a page may be writable while it is clean, and none of a large leaf is while its slot is logged: a flag
 *      speaks of one page.
 * LG2  A flag that goes otherwise - with its leaf, with a table, with the mechanism - is in the log before, and no CPU
 *      can set it any more.
 * LG3  A vCPU's buffer is read, under the lock, from where it was read last to the first entry that the CPU has not
 *      written. The CPU's index is where that is: neither is set without the other.
 * LG4  Before the flags of a slot are cleared for the first time all vCPUs are out of their guests, and they come back
 *      with their CPUs' logs switched on: a flag that is set where nobody writes it down would hide every later
 *      write. */
#include "mmu/inside.h"
#include "mmu/log.h"
#include "mmu/mutate.h"

/* What no CPU writes, for bits 11:0 of its entries are clear; and in no slot. */
#define EMPTY (~0ull)

/* ---- the way ---- */

const char *mmu_log_unsupported(const struct mmu_caps *caps, enum mmu_log_method method)
{
	bool flags = caps->ept && caps->ept_ad;

	if (method == MMU_LOG_FLAGS && !flags)
		return "the CPU has no accessed and dirty flags for EPT";
	if (method == MMU_LOG_PML && !(flags && caps->pml))
		return "the CPU has no page-modification logging";
	return NULL;
}

/* What is asked for where the mechanism has no such flags is left to write protection. */
static enum mmu_log_method way(const struct mmu_vm *vm)
{
	enum mmu_log_method asked = vm->config.log;

	if (asked == MMU_LOG_PROTECT || !vm->ops->log_take || !vm->caps->ept_ad)
		return MMU_LOG_PROTECT;
	return asked != MMU_LOG_FLAGS && vm->caps->pml ? MMU_LOG_PML : MMU_LOG_FLAGS;
}

const char *mmu_log_ask(struct mmu_vm *vm, enum mmu_log_method method)
{
	const char *why = mmu_log_unsupported(vm->caps, method);

	mmu_lock_alone(vm);
	if (!why && vm->logs)
		why = "its memory is being logged already";
	if (!why)
		vm->config.log = method;
	mmu_unlock(vm);
	return why;
}

/* ---- the CPU's own log (LG3) ---- */

static void prepare_buffer(struct mmu_vcpu *v)
{
	uint64_t *entry = mmu_table_ptr(v->vm, v->log.frame);

	for (unsigned n = 0; n < MMU_LOG_ENTRIES; n++)
		entry[n] = EMPTY;
	v->log.next = (int16_t)mmu_log_index(v->vm);
}

static bool give_buffer(struct mmu_vcpu *v)
{
	struct mmu_vm *vm = v->vm;

	if (v->log.given)
		return true;
	v->log.frame = vm->below->frame_alloc(vm->below->ctx);
	v->log.given = !hfn_is_none(v->log.frame);
	if (v->log.given)
		prepare_buffer(v);
	return v->log.given;
}

static bool give_buffers(struct mmu_vm *vm)
{
	for (struct mmu_vcpu *v = vm->vcpus; v; v = v->next)
		if (!give_buffer(v))
			return false;
	return true;
}

/* Entries of a slot, from next on downwards, until one is another's or none: empty behind it. Returns that one. */
static int read_entries(struct mmu_vm *vm, uint64_t *entry, int next, const struct slot *slot)
{
	uint64_t base = slot->base.v, pages = slot->pages;
	uint64_t *dirty = slot->dirty;
	int first = next;

	for (; next >= 0; next--) {
		uint64_t index = (__atomic_load_n(&entry[next], __ATOMIC_ACQUIRE) >> PAGE_SHIFT) - base;

		if (index >= pages)
			break;
		entry[next] = EMPTY;
		if (dirty)
			dirty[index / 64] |= BIT(index % 64);
	}
	vm->counters.log_dirtied += dirty ? (uint64_t)(first - next) : 0;
	return next;
}

static void read_buffer(struct mmu_vcpu *v)
{
	uint64_t *entry = v->log.given ? mmu_table_ptr(v->vm, v->log.frame) : NULL;
	struct mmu_vm *vm = v->vm;
	int next = v->log.next;

	while (entry && next >= 0) {
		gpa_t gpa = GPA(__atomic_load_n(&entry[next], __ATOMIC_ACQUIRE));
		const struct slot *slot = gpa.v == EMPTY ? NULL : slots_find(&vm->slots, gpa_gfn(gpa));

		if (gpa.v == EMPTY)
			break;
		if (slot)
			next = read_entries(vm, entry, next, slot);
		else
			entry[next--] = EMPTY;
	}
	vm->counters.log_entries += (uint64_t)(v->log.next - next);
	v->log.next = (int16_t)next;
}

bool mmu_log_full(struct mmu_vcpu *vcpu)
{
	bool full;

	mmu_lock_alone(vcpu->vm);
	MUTANT(LOG_FULL_READ, read_buffer(vcpu));
	full = MUTANT_OR(LOG_FULL_READ, vcpu->log.next < 0);
	if (full)
		vcpu->log.next = (int16_t)mmu_log_index(vcpu->vm);
	vcpu->vm->counters.log_full++;
	mmu_unlock(vcpu->vm);
	return full;
}

hpa_t log_buffer(const struct mmu_vcpu *v)
{
	bool on = v->vm->logs && v->vm->log_by == MMU_LOG_PML && v->log.given;

	return on ? hfn_hpa(v->log.frame) : HPA(0);
}

/* Who is in its guest leaves it, and takes note of what has changed before it comes back. */
static void switch_buffers(struct mmu_vm *vm)
{
	for (struct mmu_vcpu *v = vm->vcpus; v; v = v->next) {
		v->intercepts.log = log_buffer(v);
		__atomic_store_n(&v->intercepts_changed, true, __ATOMIC_SEQ_CST);
		tag_request_look(v);
	}
}

bool log_vcpu_begins(struct mmu_vcpu *v)
{
	return !v->vm->logs || v->vm->log_by != MMU_LOG_PML || give_buffer(v);
}

void log_vcpu_ends(struct mmu_vcpu *v)
{
	const struct mmu_below *below = v->vm->below;

	if (!v->log.given)
		return;
	MUTANT(LOG_VCPU_READ, read_buffer(v));
	below->frame_free(below->ctx, v->log.frame);
	v->log.given = false;
}

/* What a CPU writes down just now is for the next time: the page's flag is not cleared before. */
static void read_buffers(struct mmu_vm *vm)
{
	for (struct mmu_vcpu *v = vm->vcpus; v; v = v->next)
		MUTANT(LOG_BUFFERS_READ, read_buffer(v));
}

/* LG4. */
static void leave_guests(struct mmu_vm *vm)
{
	for (struct mmu_vcpu *v = vm->vcpus; v; v = v->next)
		tag_request_look(v);
	MUTANT(LOG_BUFFERS_KICK, tag_synchronize(vm, NULL));
}

/* ---- flags ---- */

static uint64_t words_of(const struct slot *slot) { return (slot->pages + 63) / 64; }

/* What the flags of the slot's leaves say is in its log. */
static void gather(struct mmu_vm *vm, struct slot *slot)
{
	vm->ops->log_take(vm, slot->base, slot->pages, NULL, slot->dirty, false);
}

bool log_switch(struct mmu_vm *vm, const struct mmu_ops *ops)
{
	const struct mmu_ops *old = vm->ops;
	enum mmu_log_method by;

	if (!vm->logs)
		return true;
	for (unsigned n = 0; n < vm->slots.count && vm->log_by == MMU_LOG_FLAGS; n++)
		if (vm->slots.slot[n].dirty)
			MUTANT(LOG_SWITCH_TAKE, gather(vm, &vm->slots.slot[n]));
	for (struct mmu_vcpu *v = vm->vcpus; v; v = v->next)
		MUTANT(LOG_SWITCH_READ, read_buffer(v));
	vm->ops = ops;
	by = way(vm);
	vm->ops = old;
	if (by == MMU_LOG_PML && !give_buffers(vm)) {
		if (vm->config.log == MMU_LOG_PML)
			return false;
		by = MMU_LOG_FLAGS;
	}
	vm->log_by = by;
	return true;
}

/* ---- the log ---- */

static struct slot *ram_slot(struct mmu_vm *vm, gfn_t base)
{
	struct slot *slot = slots_find(&vm->slots, base);

	return slot && slot->base.v == base.v && slot->kind == SLOT_RAM ? slot : NULL;
}

/* The first slot of the VM's to be logged. Of the ways that may be chosen, another is taken for want of memory. */
static bool begin_logging(struct mmu_vm *vm)
{
	vm->log_by = way(vm);
	if (vm->log_by != MMU_LOG_PML || give_buffers(vm))
		return true;
	vm->log_by = MMU_LOG_FLAGS;
	return vm->config.log != MMU_LOG_PML;
}

/* Every write from now on is found. */
static void clean(struct mmu_vm *vm, const struct slot *slot)
{
	if (vm->log_by == MMU_LOG_PROTECT)
		MUTANT(LOG_PROTECT, vm->ops->write_protect(vm, slot->base, slot->pages));
	else
		MUTANT(LOG_CLEAR, vm->ops->log_take(vm, slot->base, slot->pages, NULL, NULL, false));
}

static void count_logs(struct mmu_vm *vm, uint32_t logs)
{
	bool switched = vm->log_by == MMU_LOG_PML && !vm->logs != !logs;

	__atomic_store_n(&vm->logs, logs, __ATOMIC_SEQ_CST);
	if (switched)
		MUTANT(LOG_BUFFERS_ON, switch_buffers(vm));
}

bool mmu_log_start(struct mmu_vm *vm, gfn_t base, uint64_t *bitmap)
{
	struct slot *slot;
	bool ok = false;

	mmu_lock_alone(vm);
	slot = ram_slot(vm, base);
	if (slot && !slot->dirty && (vm->logs || begin_logging(vm))) {
		count_logs(vm, vm->logs + 1);
		if (vm->log_by == MMU_LOG_PML) {
			leave_guests(vm);
			read_buffers(vm); /* what was before is not this log's */
		}
		memset(bitmap, 0, words_of(slot) * sizeof(bitmap[0]));
		slot->dirty = bitmap;
		clean(vm, slot);
		MUTANT(LOG_KICK, tag_synchronize(vm, NULL));
		ok = true;
	}
	mmu_unlock(vm);
	return ok;
}

/* Takes the write permission from the pages of one word of the log. */
static void protect_word(struct mmu_vm *vm, gfn_t first, uint64_t word)
{
	if (word == ~0ull) {
		vm->ops->write_protect(vm, first, 64);
		return;
	}
	for (; word; word &= word - 1)
		vm->ops->write_protect(vm, GFN(first.v + __builtin_ctzll(word)), 1);
}

/* Of the pages in out every write from now on is found. */
static void clean_reported(struct mmu_vm *vm, const struct slot *slot, const uint64_t *out)
{
	if (vm->log_by == MMU_LOG_PML)
		MUTANT(LOG_COLLECT_CLEAR, vm->ops->log_take(vm, slot->base, slot->pages, out, NULL, false));
	else if (vm->log_by == MMU_LOG_PROTECT && vm->ops->log_take)
		MUTANT(LOG_COLLECT_PROTECT, vm->ops->log_take(vm, slot->base, slot->pages, out, NULL, true));
	for (uint64_t i = 0; vm->log_by == MMU_LOG_PROTECT && !vm->ops->log_take && i < words_of(slot); i++)
		if (out[i])
			MUTANT(LOG_COLLECT_PROTECT, protect_word(vm, GFN(slot->base.v + i * 64), out[i]));
}

/* A write that a vCPU makes before the flush is to a page of this report, which is copied after it. */
bool mmu_log_collect(struct mmu_vm *vm, gfn_t base, uint64_t *out)
{
	struct slot *slot;
	bool ok = false;

	mmu_lock_alone(vm);
	slot = ram_slot(vm, base);
	if (slot && slot->dirty) {
		if (vm->log_by == MMU_LOG_PML)
			read_buffers(vm);
		else if (vm->log_by == MMU_LOG_FLAGS)
			gather(vm, slot);
		memcpy(out, slot->dirty, words_of(slot) * sizeof(out[0]));
		memset(slot->dirty, 0, words_of(slot) * sizeof(out[0]));
		clean_reported(vm, slot, out);
		MUTANT(LOG_COLLECT_KICK, tag_synchronize(vm, NULL));
		ok = true;
	}
	mmu_unlock(vm);
	return ok;
}

/* Large leaves that were split are put together by the faults that follow. */
bool mmu_log_stop(struct mmu_vm *vm, gfn_t base)
{
	struct slot *slot;
	bool ok = false;

	mmu_lock_alone(vm);
	slot = ram_slot(vm, base);
	if (slot && slot->dirty) {
		slot->dirty = NULL;
		count_logs(vm, vm->logs - 1);
		if (vm->ops->join)
			vm->ops->join(vm, base, slot->pages);
		tag_synchronize(vm, NULL);
		log_settle(vm);
		ok = true;
	}
	mmu_unlock(vm);
	return ok;
}

void log_slot_goes(struct mmu_vm *vm, struct slot *slot)
{
	if (!slot->dirty)
		return;
	slot->dirty = NULL;
	count_logs(vm, vm->logs - 1);
}

void log_settle(struct mmu_vm *vm)
{
	for (struct mmu_vcpu *v = vm->logs ? NULL : vm->vcpus; v; v = v->next)
		read_buffer(v);
}
