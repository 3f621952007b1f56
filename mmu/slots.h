/* mmu/slots.h - the guest-physical memory map: which guest frames are RAM, ROM or MMIO, and what backs them.
 *
 * A gfn belongs to at most one slot. A gfn in no slot is *absent*: reads give all ones, writes are dropped, and the
 * platform's MMIO dispatch sees both first. */
#ifndef VELLUM_MMU_SLOTS_H
#define VELLUM_MMU_SLOTS_H

#include "lib/memtype.h"
#include "mmu/addr.h"

#define SLOTS_MAX 32

enum slot_kind {
	SLOT_RAM,
	SLOT_ROM,  /* reads and fetches of backed memory; writes go to the MMIO dispatch */
	SLOT_MMIO, /* no memory: every access goes to the MMIO dispatch */
	/* A page whose frame the CPU knows, and whose reads and writes of data it serves in another place or lets exit
	 * (SDM, "Virtualizing Memory-Mapped APIC Accesses"). Fetches, and what the hypervisor does for the guest, go to
	 * the MMIO dispatch: nothing is in the frame. */
	SLOT_APIC,
};

static inline const char *slot_kind_name(enum slot_kind kind)
{
	static const char *const names[] = { "ram", "rom", "mmio", "apic" };

	return names[kind];
}

/* What backs one guest page. order: the largest n for which the block of 2^n guest frames around this one, aligned in
 * *guest-physical* space, lies in the slot and is backed by a contiguous, equally aligned run of host frames with the
 * same rights. */
struct backing_page {
	hfn_t hfn;
	uint8_t order;
	bool writable; /* false: merged or logged; a write must go to the fault path */
};

/* What becomes of a page that is to be brought in. NONE: there is no memory for it. DONE: it is there. LATER: it comes
 * while the guest does something else, and its fault is to come again; only a fault is answered so. */
enum populated { POPULATE_NONE, POPULATE_DONE, POPULATE_LATER };

/* Where a slot's memory comes from. The implementation owns the frames. page() is called with the VM's lock held,
 * populate() without; neither may call back into mmu/, except that populate() may end in the host-side changes
 * (mmu_unmap, …). */
struct backing {
	/* false: the page is not in memory now (swapped out, or not allocated: the caller calls populate). */
	bool (*page)(struct backing *b, uint64_t index, struct backing_page *out);
	/* The page, which is not in memory, is about to be used: brings it in at once, if that takes neither long nor
	 * anybody else. With the VM's lock held, or beside (mmu/lock.h). false: populate() is to be called. May be
	 * NULL. */
	bool (*touch)(struct backing *b, uint64_t index);
	/* Brings the page in, for writing where write is set. NULL where page() never fails. */
	enum populated (*populate)(struct backing *b, uint64_t index, bool write);
	/* Of the pages [index, index + pages) at least one was used by the CPU, says a leaf that goes (S23). As page().
	 * May be NULL. */
	void (*used)(struct backing *b, uint64_t index, uint64_t pages);
};

/* Where an aligned block of 2 MBytes of guest-physical memory lies, if that is one piece of the host's, aligned alike,
 * and may be written. Else .at is NULL; where it comes to lie so, .at is set last. Who clears it because a page goes
 * calls mmu_block_gone(). A backing that wants to know whether a block is used clears it, too: its pages are looked up
 * then. */
struct slot_block {
	char *at;
	hfn_t frame;
};
#define SLOT_BLOCK_PAGES 512

struct slot {
	gfn_t base;
	uint64_t pages;
	uint8_t kind;            /* enum slot_kind */
	uint8_t type;            /* enum memtype */
	uint8_t overlays;        /* of its pages, those that are overlaid or covered (mmu/overlay.c) */
	struct backing *backing; /* NULL for SLOT_MMIO; of SLOT_APIC one frame, for good */
	uint64_t *dirty;         /* one bit a page while dirty logging is on, else NULL */
	/* Where the slot's memory lies in one piece, where it does so for as long as the slot exists (never swapped,
	 * merged or moved); else NULL. Reading guest memory needs no look-up then. */
	char *linear;
	/* the first frame of such a slot, where its frames follow each other as its pages do, and none is overlaid; 0:
	 * they need not */
	hfn_t linear_frame;
	hfn_t linear_frame_kept; /* while it has overlays: what that is without */
	/* of a slot that is not in one piece: its blocks, from the one on that base is in; NULL: none are known */
	const struct slot_block *block;
};

struct slots {
	struct slot slot[SLOTS_MAX]; /* sorted by base */
	unsigned count;
	unsigned last;       /* where the previous look-up hit, if that was memory */
	unsigned last_mmio;  /* and if not */
	uint32_t generation; /* raised at every change; cached MMIO leaves carry it */
};

/* Adds a slot. false, and no change, where it overlaps another, is empty, or the table is full. */
bool slots_add(struct slots *s, const struct slot *slot);
/* Removes the slot that begins at base; the caller has already dropped every translation into it. false: no such
 * slot. */
bool slots_remove(struct slots *s, gfn_t base);
/* The slot that holds gfn, or NULL. */
struct slot *slots_find(struct slots *s, gfn_t gfn);

static inline const struct slot_block *slot_block(const struct slot *slot, gfn_t gfn)
{
	return &slot->block[gfn.v / SLOT_BLOCK_PAGES - slot->base.v / SLOT_BLOCK_PAGES];
}

/* Where gpa's byte is, which is in a slot with blocks; NULL: look it up. */
static inline char *slot_block_at(const struct slot *slot, gpa_t gpa)
{
	char *at = __atomic_load_n(&slot_block(slot, gpa_gfn(gpa))->at, __ATOMIC_ACQUIRE);

	return at ? at + gpa.v % (SLOT_BLOCK_PAGES << PAGE_SHIFT) : NULL;
}

/* The frame of gfn, which is in the slot, if no look-up is needed and no overlay may be there; else 0. */
static inline hfn_t slot_frame(const struct slot *slot, gfn_t gfn)
{
	const struct slot_block *b;

	if (slot->linear_frame.v)
		return HFN(slot->linear_frame.v + (gfn.v - slot->base.v));
	if (!slot->block || slot->overlays)
		return HFN(0);
	b = slot_block(slot, gfn);
	return __atomic_load_n(&b->at, __ATOMIC_ACQUIRE) ? HFN(b->frame.v + gfn.v % SLOT_BLOCK_PAGES) : HFN(0);
}

/* The fast way to guest memory: where gpa's byte is. It must be in the slot that the previous search found; that slot,
 * or its block, lies in one place; and reading it or (write) writing it concerns nobody. NULL: look it up. */
static inline char *slots_linear(const struct slots *s, gpa_t gpa, bool write)
{
	const struct slot *slot = &s->slot[__atomic_load_n(&s->last, __ATOMIC_RELAXED)];
	uint64_t offset = gpa.v - (slot->base.v << PAGE_SHIFT);

	if (offset >> PAGE_SHIFT >= slot->pages ||
	    (write && (slot->dirty || slot->overlays || slot->kind != SLOT_RAM)))
		return NULL;
	if (slot->linear)
		return slot->linear + offset;
	return slot->block ? slot_block_at(slot, gpa) : NULL;
}

#endif
