/* mmu/guestmem.c - guest memory as the hypervisor itself reads and writes it.
 *
 * G1  A write marks the page dirty in the log and tells the mechanism, so that neither the log (S13) nor a shadow (S4)
 *     misses it.
 *     An overlay of the page is dropped first (OV3).
 * G2  A page that is not in memory is brought in without the VM's lock, then looked up again (S12). */
#include "lib/atomic.h"
#include "mmu/inside.h"
#include "mmu/mutate.h"
#include "mmu/table/seam.h"

/* Where gfn's page is for an access of the hypervisor, or NULL: page->kind says why. What is written to ROM is not for
 * memory; a page that its backing keeps from being written (merged, for instance) must first be the VM's own. */
static void *page_ptr(struct mmu_vm *vm, gfn_t gfn, bool write, struct mmu_page *page)
{
	*page = mmu_peek(vm, gfn);
	if (page->kind != MMU_MEMORY)
		return NULL;
	if (write && page->slot->kind != SLOT_RAM)
		return NULL;
	if (write && !page->owned) {
		page->kind = MMU_WAIT;
		return NULL;
	}
	if (write)
		MUTANT(LOG_MARK_EMULATED, mmu_mark_dirty(vm, page->slot, gfn));
	return mmu_table_ptr(vm, page->ram);
}

const void *mmu_guest_ptr_locked(struct mmu_vm *vm, gpa_t gpa)
{
	struct mmu_page page;
	const char *p = slots_linear(&vm->slots, gpa, false);

	if (likely(p))
		return p;
	p = page_ptr(vm, gpa_gfn(gpa), false, &page);
	return p ? p + (gpa.v & (PAGE_SIZE - 1)) : NULL;
}

/* Brings gfn in without the lock (S12); locked again, and alone, on return. What was mapped read-only for the page is
 * dropped when it moved. */
enum populated mmu_populate(struct mmu_vm *vm, gfn_t gfn, bool write)
{
	struct mmu_page before = mmu_peek(vm, gfn), after;
	struct slot *slot = before.slot;
	enum populated how;
	uint64_t index;

	mmu_alone(vm);
	if (write && overlay_drop(vm, gfn, 1))
		return POPULATE_DONE;
	if (!slot || !slot->backing || !slot->backing->populate)
		return POPULATE_NONE;
	index = gfn.v - slot->base.v;
	mmu_unlock(vm);
	how = slot->backing->populate(slot->backing, index, write);
	mmu_lock_alone(vm);
	vm->counters.populated++;
	after = mmu_peek(vm, gfn);
	if (before.kind == MMU_MEMORY && (after.kind != MMU_MEMORY || after.hfn.v != before.hfn.v)) {
		MUTANT(POPULATE_UNMAP, vm->ops->unmap(vm, gfn, 1));
		MUTANT(POPULATE_KICK, tag_synchronize(vm, NULL));
	}
	return how;
}

/* The page of gfn, populated where that is needed; locked before and after. */
static void *ready_ptr(struct mmu_vm *vm, gfn_t gfn, bool write)
{
	for (unsigned tries = 0; tries < MMU_POPULATE_TRIES; tries++) {
		struct mmu_page page;
		void *p = page_ptr(vm, gfn, write, &page);

		if (p || page.kind != MMU_WAIT)
			return p;
		if (mmu_populate(vm, gfn, write) != POPULATE_DONE)
			return NULL;
	}
	return NULL;
}

/* Stores of 1, 2, 4 or 8 aligned bytes are single: the guest's other CPUs, and the page walkers, see all of it or
 * nothing. */
static ALWAYS_INLINE void store(char *p, const char *from, size_t n)
{
	if (n == 8 && !((uintptr_t)p & 7)) {
		uint64_t v;

		memcpy(&v, from, 8);
		__atomic_store_n((uint64_t *)(void *)p, v, __ATOMIC_RELEASE);
	} else if (n == 4 && !((uintptr_t)p & 3)) {
		uint32_t v;

		memcpy(&v, from, 4);
		__atomic_store_n((uint32_t *)(void *)p, v, __ATOMIC_RELEASE);
	} else if (n == 2 && !((uintptr_t)p & 1)) {
		uint16_t v;

		memcpy(&v, from, 2);
		__atomic_store_n((uint16_t *)(void *)p, v, __ATOMIC_RELEASE);
	} else {
		memcpy(p, from, n);
	}
}

/* The same of loads. */
static ALWAYS_INLINE void fetch(char *to, const char *p, size_t n)
{
	if (n == 8 && !((uintptr_t)p & 7)) {
		uint64_t v = __atomic_load_n((const uint64_t *)(const void *)p, __ATOMIC_ACQUIRE);

		memcpy(to, &v, 8);
	} else if (n == 4 && !((uintptr_t)p & 3)) {
		uint32_t v = __atomic_load_n((const uint32_t *)(const void *)p, __ATOMIC_ACQUIRE);

		memcpy(to, &v, 4);
	} else if (n == 2 && !((uintptr_t)p & 1)) {
		uint16_t v = __atomic_load_n((const uint16_t *)(const void *)p, __ATOMIC_ACQUIRE);

		memcpy(to, &v, 2);
	} else {
		memcpy(to, p, n);
	}
}

/* Without the lock, but seen by who takes the memory away: that one clears the block's address, and then waits until
 * nobody reads (mmu_block_gone()). false: it must be looked up. */
static bool read_fast(struct mmu_vm *vm, gpa_t gpa, void *buf, size_t n)
{
	const char *p;

	if (unlikely((gpa.v & (PAGE_SIZE - 1)) + n > PAGE_SIZE))
		return false;
	__atomic_fetch_add(&vm->readers, 1, __ATOMIC_SEQ_CST);
	p = slots_linear(&vm->slots, gpa, false);
	if (likely(p))
		fetch(buf, p, n);
	__atomic_fetch_sub(&vm->readers, 1, __ATOMIC_RELEASE);
	return p;
}

/* Apart, for the sake of the registers that it needs. */
static __attribute__((noinline)) size_t read_pages(struct mmu_vm *vm, gpa_t gpa, void *buf, size_t n)
{
	size_t done = 0;

	while (done < n) {
		gpa_t at = gpa_add(gpa, done);
		size_t offset = at.v & (PAGE_SIZE - 1), chunk = min_u64(n - done, PAGE_SIZE - offset);
		const char *p;

		mmu_lock(vm);
		p = ready_ptr(vm, gpa_gfn(at), false);
		if (p)
			fetch((char *)buf + done, p + offset, chunk);
		mmu_unlock(vm);
		if (!p)
			break;
		done += chunk;
	}
	return done;
}

size_t mmu_guest_read(struct mmu_vm *vm, gpa_t gpa, void *buf, size_t n)
{
	return likely(read_fast(vm, gpa, buf, n)) ? n : read_pages(vm, gpa, buf, n);
}

/* Who is told of writes changes tables. */
static void lock_to_tell(struct mmu_vm *vm)
{
	mmu_lock(vm);
	if (vm->ops->guest_written)
		mmu_alone(vm);
}

/* S22: before anybody can see what is written. */
static ALWAYS_INLINE void tell_first(struct mmu_vm *vm, gpa_t gpa, const void *with, size_t n)
{
	if (unlikely(vm->several) && vm->ops->guest_writes)
		MUTANT(WRITE_FIRST, vm->ops->guest_writes(vm, gpa, with, (unsigned)n));
}

static ALWAYS_INLINE void tell(struct mmu_vm *vm, gpa_t gpa, size_t n)
{
	seam_written();
	if (vm->ops->guest_written)
		MUTANT(WRITE_TOLD, vm->ops->guest_written(vm, gpa, (unsigned)n));
}

/* Where gpa's byte is, for a write; with the lock. */
static __attribute__((noinline)) char *ready_byte(struct mmu_vm *vm, gpa_t gpa)
{
	char *p = overlay_beside(vm, gpa);

	if (p)
		return p;
	p = ready_ptr(vm, gpa_gfn(gpa), true);
	return p ? p + (gpa.v & (PAGE_SIZE - 1)) : NULL;
}

/* All of it in one page. */
static ALWAYS_INLINE bool write_page(struct mmu_vm *vm, gpa_t gpa, const void *buf, size_t n)
{
	char *p;

	lock_to_tell(vm);
	p = slots_linear(&vm->slots, gpa, true);
	if (unlikely(!p))
		p = ready_byte(vm, gpa);
	if (likely(p)) {
		tell_first(vm, gpa, buf, n);
		store(p, buf, n);
		tell(vm, gpa, n);
	}
	mmu_unlock(vm);
	return p;
}

static __attribute__((noinline)) size_t write_pages(struct mmu_vm *vm, gpa_t gpa, const char *buf, size_t n)
{
	size_t done = 0;

	while (done < n) {
		gpa_t at = gpa_add(gpa, done);
		size_t chunk = min_u64(n - done, PAGE_SIZE - (at.v & (PAGE_SIZE - 1)));

		if (!write_page(vm, at, buf + done, chunk))
			break;
		done += chunk;
	}
	return done;
}

size_t mmu_guest_write(struct mmu_vm *vm, gpa_t gpa, const void *buf, size_t n)
{
	if (unlikely((gpa.v & (PAGE_SIZE - 1)) + n > PAGE_SIZE))
		return write_pages(vm, gpa, buf, n);
	return write_page(vm, gpa, buf, n) ? n : 0;
}

/* n: 1, 2, 4, 8. */
static bool exchange(void *p, void *expected, const void *desired, size_t n)
{
	uint64_t want = 0, with = 0;
	bool done;

	memcpy(&want, expected, n);
	memcpy(&with, desired, n);
	done = compare_exchange(p, &want, with, (unsigned)n);
	memcpy(expected, &want, n);
	return done;
}

static __attribute__((noinline)) bool exchange16(void *p, void *expected, const void *desired)
{
	uint64_t *want = expected;
	const uint64_t *with = desired;
	bool done;

	__asm__ volatile("lock cmpxchg16b %1"
			 : "=@ccz"(done), "+m"(*(unsigned __int128 *)p), "+a"(want[0]), "+d"(want[1])
			 : "b"(with[0]), "c"(with[1]) : "memory");
	return done;
}

bool mmu_guest_exchange(struct mmu_vm *vm, gpa_t gpa, void *expected, const void *desired, size_t n, bool *done)
{
	size_t offset = gpa.v & (PAGE_SIZE - 1);
	char *p;

	/* CMPXCHG16B of what is not aligned would be the host's #GP (SDM, CMPXCHG8B/CMPXCHG16B, "64-Bit Mode
	 * Exceptions"). */
	if (n > PAGE_SIZE - offset || (n == 16 && (offset & 15)))
		return false;
	lock_to_tell(vm);
	p = slots_linear(&vm->slots, gpa, true);
	if (unlikely(!p))
		p = ready_byte(vm, gpa);
	if (likely(p)) {
		tell_first(vm, gpa, desired, n);
		*done = n == 16 ? exchange16(p, expected, desired) : exchange(p, expected, desired, n);
		tell(vm, gpa, n);
	}
	mmu_unlock(vm);
	return p;
}

bool mmu_guest_absent(struct mmu_vm *vm, gfn_t gfn)
{
	bool absent;

	mmu_lock(vm);
	absent = mmu_peek(vm, gfn).kind == MMU_WAIT;
	mmu_unlock(vm);
	return absent;
}

void *mmu_guest_ptr(struct mmu_vm *vm, gpa_t gpa, size_t n, bool write)
{
	size_t offset = gpa.v & (PAGE_SIZE - 1);
	char *p;

	if (n > PAGE_SIZE - offset)
		return NULL;
	p = slots_linear(&vm->slots, gpa, write);
	if (likely(p))
		return p;
	mmu_lock(vm);
	p = ready_ptr(vm, gpa_gfn(gpa), write);
	mmu_unlock(vm);
	return p ? p + offset : NULL;
}

/* ---- the walker's view ---- */

/* A walk reads the slot that the last search found without asking, if it, or its block, lies in one piece. */
static void linear_part(const struct mmu_vm *vm, struct walk_memory *m)
{
	const struct slot *slot = &vm->slots.slot[__atomic_load_n(&vm->slots.last, __ATOMIC_RELAXED)];

	m->linear_base = slot->base.v << PAGE_SHIFT;
	m->linear_bytes = slot->linear || slot->block ? slot->pages << PAGE_SHIFT : 0;
	m->linear = slot->linear;
	m->slot = slot;
}

static bool table_read(void *ctx, gpa_t gpa, unsigned size, uint64_t *value)
{
	struct mmu_vcpu *vcpu = ctx;
	const char *p = slots_linear(&vcpu->vm->slots, gpa, false);

	if (unlikely(!p)) {
		vcpu->tables_aside = true;
		struct mmu_page page;

		p = page_ptr(vcpu->vm, gpa_gfn(gpa), false, &page);
		if (!p) {
			if (page.kind == MMU_WAIT)
				mmu_want(vcpu, gpa_gfn(gpa), false);
			return false;
		}
		p += gpa.v & (PAGE_SIZE - 1);
	}
	*value = load_entry(p, size);
	return true;
}

uint64_t mmu_guest_entry(struct mmu_vm *vm, gpa_t gpa, unsigned size)
{
	const char *p = mmu_guest_ptr_locked(vm, gpa);

	return p ? load_entry(p, size) : 0;
}

static bool table_update(void *ctx, gpa_t gpa, unsigned size, uint64_t old, uint64_t new, bool *lost)
{
	struct mmu_vcpu *vcpu = ctx;
	struct mmu_page page;
	char *p;

	/* A walk over tables that are not in memory means nothing. */
	if (vcpu->populate.wanted)
		return false;
	/* Nobody is told beside others (BE6), and nobody need be where none of them is concerned. */
	if (mmu_is_beside(vcpu) && vcpu->vm->ops->flags_concern &&
	    vcpu->vm->ops->flags_concern(vcpu->vm, gpa, size)) {
		mmu_not_beside(vcpu);
		return false;
	}
	p = slots_linear(&vcpu->vm->slots, gpa, true);
	if (unlikely(!p)) {
		p = page_ptr(vcpu->vm, gpa_gfn(gpa), true, &page);
		if (!p) {
			if (page.kind == MMU_WAIT)
				mmu_want(vcpu, gpa_gfn(gpa), true);
			return false;
		}
		p += gpa.v & (PAGE_SIZE - 1);
	}
	if (unlikely(vcpu->vm->several) && vcpu->vm->ops->flags_writes && !mmu_is_beside(vcpu))
		MUTANT(FLAGS_FIRST, vcpu->vm->ops->flags_writes(vcpu->vm, gpa, new, size));
	*lost = !compare_exchange(p, &old, new, size);
	if (!*lost && vcpu->vm->ops->flags_written && MUTANT_OR(FLAGS_BESIDE, !mmu_is_beside(vcpu)))
		MUTANT(FLAGS_TOLD, vcpu->vm->ops->flags_written(vcpu->vm, gpa, size));
	return !*lost;
}

struct walk_memory mmu_walk_memory(struct mmu_vcpu *vcpu)
{
	struct walk_memory memory = { .read = table_read, .update = table_update, .ctx = vcpu };

	vcpu->tables_aside = false;
	linear_part(vcpu->vm, &memory);
	return memory;
}

/* ---- the same without the lock ---- */

static bool entry_read(void *ctx, gpa_t gpa, unsigned size, uint64_t *value)
{
	const void *p = mmu_guest_ptr(ctx, gpa, size, false);

	if (p)
		*value = load_entry(p, size);
	return p;
}

static bool entry_update(void *ctx, gpa_t gpa, unsigned size, uint64_t old, uint64_t new, bool *lost)
{
	bool done = false, memory = mmu_guest_exchange(ctx, gpa, &old, &new, size, &done);

	*lost = memory && !done;
	return done;
}

struct walk_result mmu_walk(struct mmu_vm *vm, const struct walk_regs *regs, gva_t gva, struct access access,
			    bool set_ad)
{
	struct walk_memory memory = { .read = entry_read, .update = entry_update, .ctx = vm };

	linear_part(vm, &memory);
	return walk(regs, &memory, gva, access, set_ad);
}
