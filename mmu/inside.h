/* mmu/inside.h - what the files of mmu/ share among themselves and offer to nobody else: what a guest frame resolves
 * to, guest memory for the walker, table frames, results; the lock is in mmu/lock.h. */
#ifndef VELLUM_MMU_INSIDE_H
#define VELLUM_MMU_INSIDE_H

#include "mmu/lock.h"
#include "mmu/mmu.h"

/* The frame of an MMIO leaf of now that an access has met. */
static inline void mmu_know_mmio(struct mmu_vcpu *vcpu, gfn_t gfn)
{
	vcpu->mmio[mmu_slot_of(gfn.v, KNOWN_MMIO_BITS)] = (struct known_mmio){ gfn, vcpu->vm->slots.generation };
}

/* ---- results ---- */

static inline struct mmu_result mmu_done(enum mmu_outcome outcome)
{
	return (struct mmu_result){ .outcome = outcome };
}

static inline struct mmu_result mmu_emulate(gpa_t gpa)
{
	return (struct mmu_result){ .outcome = MMU_EMULATE, .gpa = gpa };
}

static inline struct mmu_result mmu_stop(const char *why)
{
	return (struct mmu_result){ .outcome = MMU_STOP, .why = why };
}

static inline struct mmu_result mmu_inject_gp(void)
{
	return (struct mmu_result){ .outcome = MMU_INJECT, .exception = { .vector = VECTOR_GP } };
}

static inline struct mmu_result mmu_inject_pf(uint32_t error, gva_t gva)
{
	return (struct mmu_result){
		.outcome = MMU_INJECT, .exception = { .vector = VECTOR_PF, .error = error, .cr2 = gva.v },
	};
}

/* ---- table frames (counted) ---- */

/* From the VM's reserve (mmu/table/reserve.h), zeroed; HFN_NONE: it has none. raw: with anything in it. */
hfn_t mmu_table_alloc(struct mmu_vm *vm);
hfn_t mmu_table_alloc_raw(struct mmu_vm *vm);
/* One that CR3 can name under PAE paging; one for each vCPU and mechanism. */
hfn_t mmu_table_alloc_low(struct mmu_vm *vm);
void mmu_table_free(struct mmu_vm *vm, hfn_t frame);
/* The same for a frame that is known to be all zero. */
void mmu_table_free_clean(struct mmu_vm *vm, hfn_t frame);
void mmu_table_free_low(struct mmu_vm *vm, hfn_t frame);

/* RV3, before a call into the mechanism. */
static inline void mmu_prepare(struct mmu_vm *vm)
{
	if (unlikely(reserve_count(&vm->reserve) < vm->ops->need))
		reserve_refill(vm, vm->ops->need);
}

static inline void *mmu_table_ptr(const struct mmu_vm *vm, hfn_t frame)
{
	return vm->below->frame_ptr(vm->below->ctx, frame);
}

/* ---- what a guest frame is (mmu/resolve.c) ---- */

enum mmu_kind {
	MMU_MEMORY, /* backed, and the access is allowed on it */
	MMU_DEVICE, /* absent, MMIO, a write to ROM, a fetch from SLOT_APIC: the access is the emulator's */
	MMU_WAIT,   /* not in memory, or not writable yet: vcpu->populate says what to bring */
};

struct mmu_page {
	enum mmu_kind kind;
	struct slot *slot; /* NULL: absent */
	hfn_t hfn;
	uint8_t order;     /* how large a leaf may be, in pages' logarithm; 0 while the slot is logged (S10) */
	uint8_t block;     /* the same whether it is logged or not */
	bool owned;        /* RAM whose backing lets it be written */
	bool writable;     /* a leaf may have W now: owned, and not clean in a log */
	bool no_fetch;     /* a leaf must not be executable */
	bool no_read;      /* or must be nothing else (OV4) */
	hfn_t ram;         /* the backing's frame, which an overlay may hide: for the hypervisor's own accesses */
};

/* ---- overlays (mmu/overlay.c); the VM's lock is held ---- */

/* What gfn, which has been looked up, is where its slot has overlays (OV1). */
void overlay_show(struct mmu_vm *vm, gfn_t gfn, struct mmu_page *page);
/* Where gpa's byte is, for a write of the hypervisor's own, in the slot that was found last: that has overlays, none of
 * them of its page. Else NULL; look it up. */
char *overlay_beside(struct mmu_vm *vm, gpa_t gpa);
/* A read of data from gfn, whose overlay is not to be read. false: it must be dropped (OV4). */
bool overlay_read(struct mmu_vm *vm, gfn_t gfn, unsigned access);
/* OV6. */
bool overlay_covers(const struct mmu_vm *vm, gfn_t gfn);
/* Of the pages of a slot that goes. */
void overlay_forget_covers(struct mmu_vm *vm, const struct slot *slot);
/* Drops those of [first, first + pages). true: there was one. */
bool overlay_drop(struct mmu_vm *vm, gfn_t first, uint64_t pages);
/* Drops all, where a change of the guest's registers wants it (OV3). */
static inline void overlay_regs_changed(struct mmu_vm *vm, const struct walk_regs *old, const struct walk_regs *new)
{
	if (unlikely(vm->overlays) && (((old->cr0 ^ new->cr0) & CR0_PG) || ((old->cr4 ^ new->cr4) & CR4_PAE)))
		overlay_drop(vm, GFN(0), ~0ull);
}
/* NULL, or which invariant does not hold. */
const char *overlay_audit(struct mmu_vm *vm);

/* The page must be brought in before the vCPU's fault can be answered: mmu_fault() does it, and asks again. */
static inline void mmu_want(struct mmu_vcpu *vcpu, gfn_t gfn, bool write)
{
	vcpu->populate.wanted = true;
	vcpu->populate.write = write;
	vcpu->populate.gfn = gfn;
}

static inline unsigned mmu_access(struct access a)
{
	return a.fetch ? MMU_FETCH : a.write ? MMU_WRITE : MMU_READ;
}
/* Resolves gfn for an access of the vCPU: MMU_READ, MMU_WRITE, MMU_FETCH. A write to a slot that is being logged marks
 * the page (S13), so that it may be writable. */
struct mmu_page mmu_resolve(struct mmu_vcpu *vcpu, gfn_t gfn, unsigned access);
/* The same without a vCPU and without effects, for making leaves in advance and for the hypervisor's own accesses: kind
 * is never MMU_WAIT with effect on anyone, and SLOT_APIC is a device. */
struct mmu_page mmu_peek(struct mmu_vm *vm, gfn_t gfn);
/* The same for a leaf: a covered page is a device (OV6). */
struct mmu_page mmu_peek_leaf(struct mmu_vm *vm, gfn_t gfn);
/* What a leaf for gfn may be made of, SLOT_APIC's included: for audits. */
struct mmu_page mmu_mappable(struct mmu_vm *vm, gfn_t gfn);
/* mmu_peek_leaf for a leaf of 4 KBytes: .order may be 0 though the page could be part of more. */
static inline struct mmu_page mmu_peek_small(struct mmu_vm *vm, gfn_t gfn)
{
	struct slot *slot = &vm->slots.slot[__atomic_load_n(&vm->slots.last, __ATOMIC_RELAXED)];
	uint64_t index = gfn.v - slot->base.v;
	bool ram = slot->kind == SLOT_RAM;
	hfn_t frame;

	if (unlikely(index >= slot->pages || slot->dirty || !(frame = slot_frame(slot, gfn)).v))
		return mmu_peek_leaf(vm, gfn);
	return (struct mmu_page){ .kind = MMU_MEMORY,
				  .slot = slot,
				  .hfn = frame,
				  .owned = ram,
				  .writable = ram };
}
/* mmu_resolve for a leaf of 4 KBytes, in the same way. */
static inline struct mmu_page mmu_resolve_small(struct mmu_vcpu *vcpu, gfn_t gfn, unsigned access)
{
	struct slot *slot = &vcpu->vm->slots.slot[__atomic_load_n(&vcpu->vm->slots.last, __ATOMIC_RELAXED)];
	uint64_t index = gfn.v - slot->base.v;
	hfn_t frame;

	if (unlikely(index >= slot->pages || slot->dirty || slot->kind != SLOT_RAM ||
		     !(frame = slot_frame(slot, gfn)).v))
		return mmu_resolve(vcpu, gfn, access);
	return (struct mmu_page){ .kind = MMU_MEMORY,
				  .slot = slot,
				  .hfn = frame,
				  .owned = true,
				  .writable = true };
}
/* A leaf of the pages from first on goes that the CPU has used: their backing is told (S23). */
void mmu_tell_used(struct mmu_vm *vm, gfn_t first, uint64_t pages);
/* The largest leaf for gfn that page, the configuration and limit (address bits) allow: 12, 21 or 30. */
unsigned mmu_leaf_shift(const struct mmu_vm *vm, gfn_t gfn, const struct mmu_page *page, unsigned limit);

/* ---- guest memory with the VM's lock held (mmu/guestmem.c) ---- */

/* How often one access may wait for a page that does not stay in memory before it is given up. */
#define MMU_POPULATE_TRIES 8

/* Brings gfn in without the lock (released and taken again inside). false: there is no memory for it. */
enum populated mmu_populate(struct mmu_vm *vm, gfn_t gfn, bool write);

/* A pointer to gpa's page plus offset, without populating; NULL where it is not in memory or (with write) not writable
 * RAM. */
const void *mmu_guest_ptr_locked(struct mmu_vm *vm, gpa_t gpa);

/* The walker's view of guest memory for a vCPU. Where an entry's page is not in memory, vcpu->populate is set. */
struct walk_memory mmu_walk_memory(struct mmu_vcpu *vcpu);

/* The entry of size bytes at gpa; 0 where that is no memory, or not in memory now. */
uint64_t mmu_guest_entry(struct mmu_vm *vm, gpa_t gpa, unsigned size);

/* Sets the dirty bit of gfn if its slot is logged. */
void mmu_mark_dirty(struct mmu_vm *vm, struct slot *slot, gfn_t gfn);

/* Drops the walks that mmu_translate() remembers for vcpu (mmu/translate.c). */
void mmu_forget(struct mmu_vcpu *vcpu);

#endif
