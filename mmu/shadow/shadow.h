/* mmu/shadow/shadow.h - the shadow engine, which the mechanisms `shadow` and `brute` share; they differ in struct
 * shadow_policy.
 *
 * A *shadow page* stands for one guest table (or, direct, for a run of guest frames) as one hardware table. It is found
 * by its guest frame and its role. Files, in reading order: page.c (life of pages, links), leaf.c (leaves), track.c
 * (tracking and syncing of guest tables), fault.c, root.c (registers and roots), shadow.c (the mechanisms).
 *
 * S1  A role holds everything that changes what an entry means. Two mappings whose legal accesses can differ never
 *     share a page.
 * S4  A leaf is present only if the guest's entry is present and accessed; writable only if the guest's entry is
 *     writable and dirty (or CR0.WP is off: S8), and the frame may be written, and is not tracked in sync.
 * S5  Of a frame that is tracked in sync there is no writable leaf, nor one in a TLB. Order: protect, flush, then read
 *     entries.
 * S6  Only last-level tables go out of sync. What INVLPG and CR3 loads refer to is brought up to date then.
 * S7  A leaf is present if and only if it is on its frame's list; all edits go through leaf_set and entry_drop.
 * S10 A large leaf has no tracked frame inside.
 * S11 Frames of tables are freed only by shadow_commit, after a flush.
 * S16 No call takes more than MMU_STEPS_MAX steps (docs/mmu.md, "How long a call may take"). What would be longer is
 *     interrupted: what is done of it stays done, and the guest, which gets no further without it, comes back for the
 *     rest.
 * S17 A table that was let loose for the delivery of an event (shadow.loose) may be reached by the CPU as if it were
 *     none: S4 and S5 do not hold for it. It is tightened - leaves protected, a flush, shadows brought up to date -
 *     before any call for the VM does what is not about the delivery of an event. INVLPG exits meanwhile.
 * S15 A remembered path names the page to which its root leads, and a known root the page of its CR3.
 * S20 Faults that are served beside each other only add leaves to pages that there are (mmu/lock.h): who adds holds the
 *     page (spage.busy), and, for as long as it changes a frame's list, that (shadow.list). Entries that name tables,
 *     what is known of frames, and the order of use are not touched so.
 * S21 An entry of a table that is out of sync is read only when INVLPG exits on all vCPUs: what it was read before
 *     would not be told to anyone.
 * S22 What the hypervisor writes into a table in sync is taken out of the shadow first: who sees the new entry, and
 *     invalidates what it names by an INVLPG that does not exit, finds no old one there. Where a TLB may have a page of
 *     the guest's in parts, which one INVLPG must drop together, INVLPG exits on all vCPUs first instead. */
#ifndef VELLUM_MMU_SHADOW_H
#define VELLUM_MMU_SHADOW_H

#include "mmu/hwfault.h"
#include "mmu/mutate.h"
#include "mmu/shadow/rmap.h"

/* ---- roles ---- */

#define ROLE_LEVEL_MASK 7u
#define ROLE_DIRECT (1u << 3)
#define ROLE_QUADRANT_SHIFT 4
#define ROLE_QUADRANT_MASK (3u << ROLE_QUADRANT_SHIFT)
#define ROLE_ACC_SHIFT 6
#define ROLE_ACC_MASK (7u << ROLE_ACC_SHIFT)
#define ROLE_NARROW (1u << 9)    /* 4-byte guest entries */
/* The guest's modes, as far as they change what its entries allow. */
#define ROLE_NXE (1u << 10)
#define ROLE_WP (1u << 11)
#define ROLE_SMEP_NOWP (1u << 12)
#define ROLE_SMAP_NOWP (1u << 13)
#define ROLE_PSE (1u << 14)
#define ROLE_LONG (1u << 15)
#define ROLE_MODES (ROLE_NARROW | ROLE_NXE | ROLE_WP | ROLE_SMEP_NOWP | ROLE_SMAP_NOWP | ROLE_PSE | ROLE_LONG)
/* Of direct pages: what the one guest entry says about the memory type of all. */
#define ROLE_PAT_SHIFT 16
#define ROLE_PAT_MASK (7u << ROLE_PAT_SHIFT)

static inline unsigned role_level(uint32_t role) { return role & ROLE_LEVEL_MASK; }
static inline unsigned role_quadrant(uint32_t role) { return (role & ROLE_QUADRANT_MASK) >> ROLE_QUADRANT_SHIFT; }
static inline unsigned role_acc(uint32_t role) { return (role & ROLE_ACC_MASK) >> ROLE_ACC_SHIFT; }
/* What a guest entry above the last level, of a table of this role, allows. */
static inline unsigned role_entry_acc(uint32_t role, uint64_t guest)
{
	unsigned acc = (guest & PTE_U ? ACC_U : 0) | (guest & PTE_W ? ACC_W : 0);

	return acc | ((role & ROLE_NARROW) || !(guest & PTE_NX) ? ACC_X : 0);
}
/* The role of the table that the entry names. */
static inline uint32_t role_child(uint32_t role, unsigned index, uint64_t guest)
{
	uint32_t child = (role & ROLE_MODES) | (role_level(role) - 1) |
			 (role_acc(role) & role_entry_acc(role, guest)) << ROLE_ACC_SHIFT;

	return role & ROLE_NARROW ? child | (index & 1) << ROLE_QUADRANT_SHIFT : child;
}
static inline unsigned role_pat(uint32_t role) { return (role & ROLE_PAT_MASK) >> ROLE_PAT_SHIFT; }

/* ---- shadow pages ---- */

struct spage {
	struct rmap_owner links; /* first: of each entry, to the others on its list */
	uint32_t id;
	uint32_t role;
	gfn_t gfn;            /* the guest table; direct: the first frame that it maps */
	hfn_t frame;          /* the hardware table */
	hfn_t guest_frame;    /* holds guest[]; HFN_NONE when direct */
	hfn_t link_frame;     /* holds the links */
	uint64_t *table;
	uint64_t *guest;      /* the guest entry that each present entry was made from */
	uint32_t parents;     /* list of references to entries that name this page */
	uint32_t next_of_gfn;
	struct spage *newer, *older;                 /* all pages, by their last use */
	uint16_t present;     /* entries that are not 0 */
	uint16_t first, last; /* all of which lie between these two, both included */
	uint16_t named;       /* references on parents */
	uint16_t roots;       /* vCPUs that run on it */
	uint8_t writes;       /* of the guest to its table since it was last used */
	uint8_t idle;         /* syncs in a row that found nothing to do */
	uint8_t invlpgs;      /* that named an entry since it went out of sync, or since it was last thinned out */
	uint8_t place;        /* of those out of sync */
	uint8_t barren;       /* looks around a fault in a row that found no leaf to make, or were left out for that */
	uint8_t filled;       /* faults that made an entry since such an INVLPG */
	bool unsync;
	bool busy;            /* S20 */
	bool thin;            /* only entries that are used are made */
	bool doomed;          /* unlinked */
};
_Static_assert(sizeof(struct spage) <= 128, "32 places a frame");
#define SPAGE_SHIFT 7

struct shadow_policy {
	bool track_reads;     /* guest tables cannot even be read */
	bool unsync;          /* last-level tables may go out of sync */
	unsigned prefetch;    /* entries around a fault that are looked at; a power of two, 0: none */
	unsigned flood;       /* writes to a table, without its use between, that end its shadowing */
	bool keep_named;      /* one that others name is a table whatever is written to it */
};

/* Frames: for a page its table, its guest entries, its links. RV3: at most 6 pages are made at once (four roots under
 * PAE, or five levels; one more where a large page turns out to be none), the frames of what is known of their guest
 * tables and of the page (2 and 2 of the tree each), pools. Least: that, the records, four roots for each of two vCPUs,
 * and what one access needs. */
#define SHADOW_NEED 64
#define SHADOW_LEAST 160
#define SHADOW_AMPLE 384
_Static_assert(SHADOW_LEAST <= RESERVE_ANY, "a VM can go over to it");

#define SHADOW_UNSYNC_MAX 64
#define SHADOW_PARENTS_MAX 512 /* entries that name one page: another one takes the place of the oldest */
/* pages of one guest frame that are not roots in use: another one takes the place of the oldest */
#define SHADOW_ROLES_MAX 32
#define SHADOW_UNSYNC_ROLES 4 /* pages of one table that go out of sync together; one with more stays in sync */
/* entries that a load of CR3 brings over; of the pages that it has not come to by then all entries go */
#define SHADOW_SYNCED_MAX 2048
/* tables that one delivery reaches: code, stack, IDT, GDT, TSS, and what they are translated by */
#define SHADOW_LOOSE_MAX 16
#define SHADOW_IDLE_AT_ONCE 4 /* tables that a load of CR3 puts back into sync */
#define SHADOW_FORGET_MAX 16 /* pages that one write of the guest unlinks; the rest waits for its eviction */
#define SHADOW_IDLE_SYNCS 8 /* that a table stays out of sync without a write */
#define SHADOW_INVLPGS 4    /* of a table out of sync, with two of its entries for each, that thin it out */
#define SHADOW_FILLS 4      /* faults without an INVLPG between that end its being thin */
#define SHADOW_BARREN 2     /* looks that found nothing, after which three in four are left out */
#define SHADOW_PATHS 64     /* that a vCPU remembers: a power of two */
#define SHADOW_KNOWN_ROOTS 16 /* that a vCPU remembers: a power of two */
#define SHADOW_DIRECT_WINDOW 16 /* entries of a direct page that one fault fills: a power of two */

/* Lists of leaves, by a part of their frames' numbers, on a line of a CPU's cache of their own. */
#define SHADOW_LISTS 16
struct shadow_list {
	bool busy; /* S20 */
	char rest[63];
};

/* Who makes leaves: alone, or for a fault that is served beside others (S20). */
struct maker {
	struct shadow *s;
	struct mmu_counters *count;
	bool beside;
	/* beside: what is known of frames, as it was looked up last */
	uint64_t number;         /* gfn >> GFRAME_BITS */
	struct gframe *frames;   /* NULL: nothing was */
};

struct shadow {
	struct mmu_vm *vm;
	struct maker alone;
	const struct shadow_policy *policy;
	struct slab pages;
	struct rmap rmap;
	struct spage *newest, *oldest;
	/* those out of sync, by their place; a place of one that no longer is means nothing */
	struct spage *unsync[SHADOW_UNSYNC_MAX];
	uint64_t unsync_used;                    /* the places, by bit, where one is */
	uint32_t unsync_count;
	/* a count of all that went out of sync: when each did, and the last */
	uint64_t unsync_since[SHADOW_UNSYNC_MAX], unsync_last;
	uint32_t unsync_present; /* entries of those pages that are not 0 */
	gfn_t loose[SHADOW_LOOSE_MAX];
	uint32_t loose_count;
	uint32_t work;
	bool idle;               /* a page out of sync may be at rest */
	uint32_t mmio_epoch;
	uint8_t maxphyaddr;      /* the guest's */
	bool has_1g;
	uint64_t edits;          /* of entries, counted */
	uint64_t shape;          /* links by which more may be reached, counted from 1 */
	uint64_t kernel_used[4]; /* by bit: the entries 256 to 511 of roots in long mode that ever named a table */
	uint64_t upper_drops;    /* entries above the last level that were dropped, counted */
	const struct gframe *crowded; /* more pages stand for it than should; NULL: none does */
	/* the operation has looked at enough for once; NULL or false is not for want of memory then */
	bool interrupted;
	/* INVLPG exits: an entry of a table out of sync is about to be read (S21), or one is written that TLBs may
	 * have parts of (S22) */
	bool watching;
	bool stale;              /* a TLB may hold more than the tables do: not flushed on every vCPU since */
	struct spage *doomed;    /* unlinked, by older; freed at the next commit */
	hfn_t empty;             /* a table without entries, for roots that are no memory */
	hfn_t self;
	struct shadow_list list[SHADOW_LISTS];
	/* of a write of the hypervisor's: tables that may have lost their last name, leaves that were taken out first
	 * (by reference); what does not fit is evicted, or made by its next use */
	uint32_t orphans, takens;
	struct spage *orphan[8];
	uint32_t taken[16];
};
_Static_assert(sizeof(struct shadow) <= PAGE_SIZE, "it is a frame");

/* A last-level page that was reached from a root. Nothing above it has changed while no entry above the last level was
 * dropped: what was there then is the way still (S15). */
struct shadow_path {
	uint64_t block;          /* gva >> 21 */
	uint64_t drops;          /* shadow.upper_drops then */
	uint32_t root;           /* number of the root's page */
	uint32_t page;           /* 0: nothing remembered here */
};

/* A root in long mode, found without a look at the modes and the memory map, which have not changed since (S15). */
struct shadow_known_root {
	uint64_t cr3;
	uint32_t generation;     /* of the slots */
	uint32_t page;           /* 0: nothing remembered here, or the page was unlinked */
	struct spage *sp;        /* the same */
	/* The places of pages out of sync that the root reaches, or reached, as long as shadow.shape is the same: of
	 * those that went out of sync up to .seen. */
	uint64_t reached, seen;
	uint64_t shape;          /* 0: not known */
};

struct shadow_vcpu {
	struct spage *root[4];   /* [0]: the root; under PAE paging the four that PDPTEs name; NULL: none */
	hfn_t pae_frame;
	uint64_t *pae;           /* the PDPTEs */
	bool pae_format;         /* which of the two the vCPU runs on */
	/* shadow.upper_drops at the last flush of all; where it is more now, the next INVLPG flushes all */
	uint64_t upper_seen;
	struct hw_spurious spurious;   /* counts shadow.edits */
	struct shadow_path path[SHADOW_PATHS];
	struct shadow_known_root known[SHADOW_KNOWN_ROOTS];
	struct shadow_known_root *now; /* the one that the vCPU runs on; NULL: it is none of them */
	hfn_t self;
};

static inline struct shadow *shadow_of(const struct mmu_vm *vm) { return vm->priv; }
static inline struct spage *spage_at(const struct shadow *s, uint32_t id)
{
	return id ? slab_ptr(&s->pages, id) : NULL;
}
static inline uint32_t spage_ref(const struct spage *sp, unsigned index) { return sp->id << 9 | index; }

/* ---- page.c ---- */

/* The page of this role, found or made; made ones are tracked. NULL: no memory, or interrupted. */
struct spage *spage_get(struct shadow *s, struct mmu_vcpu *self, gfn_t gfn, uint32_t role);
/* An entry was made, or cleared. */
static inline void entry_noted(struct spage *sp, unsigned index)
{
	if (sp->present++ == 0)
		sp->first = sp->last = (uint16_t)index;
	else if (index < sp->first)
		sp->first = (uint16_t)index;
	else if (index > sp->last)
		sp->last = (uint16_t)index;
}
static inline void entry_made(struct shadow *s, struct spage *sp, unsigned index)
{
	entry_noted(sp, index);
	s->unsync_present += sp->unsync;
	s->edits++;
}
static inline void entry_cleared(struct shadow *s, struct spage *sp)
{
	sp->present--;
	s->unsync_present -= sp->unsync;
	s->edits++;
}
/* The page was used: it is not evicted soon. */
void spage_used(struct shadow *s, struct spage *sp);
/* Clears one entry, whatever it is. */
void entry_drop(struct shadow *s, struct spage *sp, unsigned index);
/* Clears all entries of a page, which stays. */
void spage_clear(struct shadow *s, struct spage *sp);
/* Unlinks the page from everything; its frames wait for the next commit. Not for roots in use. */
void spage_zap(struct shadow *s, struct spage *sp);
/* Makes entry index of parent name child, and brings up to date what is below it. */
void spage_link(struct shadow *s, struct spage *parent, unsigned index, uint64_t guest, struct spage *child);
/* The first alone: nobody runs on parent yet, or what it reaches is brought up to date next. */
void spage_name(struct shadow *s, struct spage *parent, unsigned index, uint64_t guest, struct spage *child);
/* The page of this role, if there is one. */
struct spage *spage_find(struct shadow *s, gfn_t gfn, uint32_t role);
/* The page that a present table entry names. */
struct spage *spage_child(struct shadow *s, const struct spage *sp, unsigned index);
/* The same for who may be beside others. */
struct spage *spage_child_beside(const struct shadow *s, const struct spage *sp, unsigned index);
/* Flushes every vCPU entirely, and sees to it that none runs on without (T2). */
void shadow_flush_all(struct shadow *s, struct mmu_vcpu *self);
/* Requests the flush of all of the vCPU's translations; what was dropped before need not bother its INVLPGs any
 * more. */
static inline void shadow_request_all(struct mmu_vcpu *vcpu)
{
	struct shadow_vcpu *v = vcpu->priv;

	tag_request_all(vcpu, TAG_TABLES);
	v->upper_seen = shadow_of(vcpu->vm)->upper_drops;
}
/* The end of an operation: flushes and frees what was zapped. */
void shadow_commit(struct shadow *s, struct mmu_vcpu *self);
/* See mmu_ops.relieve. */
void shadow_relieve(struct mmu_vm *vm, uint32_t need);
/* The guest frame that entry index stands for, or names as a table. */
gfn_t entry_gfn(const struct spage *sp, unsigned index);
/* Where the guest's entry for shadow entry index is. */
gpa_t entry_gpa(const struct spage *sp, unsigned index);
static inline unsigned entry_size(const struct spage *sp) { return sp->role & ROLE_NARROW ? 4 : 8; }
bool entry_is_leaf(const struct spage *sp, unsigned index);
/* The guest's entry for shadow entry index; page is where its table's page can be read. */
static inline uint64_t guest_entry_at(const struct spage *sp, const char *page, unsigned index)
{
	if (!(sp->role & ROLE_NARROW))
		return __atomic_load_n((const uint64_t *)(const void *)(page + index * 8), __ATOMIC_ACQUIRE);
	page += entry_gpa(sp, index).v & (PAGE_SIZE - 1);
	return __atomic_load_n((const uint32_t *)(const void *)page, __ATOMIC_ACQUIRE);
}

/* ---- leaf.c ---- */

/* Puts a leaf for gfn into an entry, from the guest entry. false: no memory. */
bool leaf_set(struct shadow *s, struct spage *sp, unsigned index, uint64_t guest, gfn_t gfn, uint64_t leaf);
/* May a leaf of gfn be there at all, or writable, now that the frame may be tracked? */
bool leaf_allowed(struct maker *m, gfn_t gfn);
bool leaf_may_write(struct maker *m, gfn_t gfn);
/* Makes the last-level entry, which is empty, from the guest's, if that can be done without a fault. */
void leaf_prefetch(struct maker *m, struct spage *sp, unsigned index, uint64_t guest);
/* Looks at the entries around index. */
void leaf_prefetch_around(struct maker *m, struct spage *sp, unsigned index);
/* Takes W from, or removes, all leaves of a frame (large ones that contain it are removed), most at the most. false:
 * there are more, and s->interrupted says so. Where a TLB may hold more than is left, s->stale says that. */
bool rmap_protect(struct shadow *s, gfn_t gfn, uint32_t most);
bool rmap_zap(struct shadow *s, gfn_t gfn, uint32_t most);
/* See mmu_ops.age. */
bool leaf_age(struct mmu_vm *vm, gfn_t first, uint64_t pages, uint64_t *used, bool clear);

/* ---- beside.c: without the VM's lock ---- */

/* What is known of gfn; make: alone only. */
struct gframe *maker_look_up(struct maker *m, gfn_t gfn);
static inline struct gframe *maker_gframe(struct maker *m, gfn_t gfn, bool make)
{
	return likely(!m->beside) ? rmap_gframe(&m->s->rmap, gfn, make) : maker_look_up(m, gfn);
}
/* The leaf for gfn, of whose frame g tells, where no entry is. The page is held. */
void leaf_put_beside(struct maker *m, struct spage *sp, unsigned index, struct gframe *g, gfn_t gfn, uint64_t leaf);
/* What leaf_set(), and leaf_prefetch_around() behind it, do, as far as it only adds; or puts the MMIO leaf. false: it
 * is left to the lock, and nothing was changed. *changed: something was. */
bool leaf_add(struct maker *m, struct spage *sp, unsigned index, uint64_t guest, gfn_t gfn, uint64_t leaf,
	      bool *changed);
bool leaf_add_mmio(struct maker *m, struct spage *sp, unsigned index, uint64_t guest, uint64_t leaf);

/* ---- track.c, unsync.c ---- */

/* S5 for a frame that is about to be tracked by a new page. false: interrupted. */
bool shadow_track(struct shadow *s, struct mmu_vcpu *self, gfn_t gfn);
/* S17. */
bool shadow_loosen(struct mmu_vm *vm, gfn_t gfn);
bool shadow_is_loose(const struct shadow *s, gfn_t gfn);
void shadow_tighten_all(struct shadow *s, struct mmu_vcpu *self);
static inline void shadow_tighten(struct shadow *s, struct mmu_vcpu *self)
{
	if (unlikely(s->loose_count))
		shadow_tighten_all(s, self);
}
/* A write fault on a tracked frame: may it go out of sync (and has)? */
bool shadow_unsync(struct shadow *s, struct mmu_vcpu *self, struct gframe *g);
/* Brings one entry up to date: what was made from another guest entry goes, and is made anew where that needs no fault.
 * true: it changed. */
bool shadow_sync_entry(struct shadow *s, struct spage *sp, unsigned index);
/* Brings the entries of an out-of-sync page up to date; it stays out of sync. */
void shadow_sync_page(struct shadow *s, struct spage *sp);
/* Brings all pages of the frame into sync, for good. false: interrupted, they are as they were. */
bool shadow_resync(struct shadow *s, struct mmu_vcpu *self, gfn_t gfn);
/* Brings up to date what the vCPU's root reaches. */
void shadow_sync_root(struct mmu_vcpu *vcpu);
/* The same for what a page reaches that is about to be linked under a root. */
void shadow_sync_below(struct shadow *s, const struct spage *top);
/* Brings the last-level entry for gva up to date. */
void shadow_sync_address(struct mmu_vcpu *vcpu, gva_t gva);
void shadow_flags_written(struct mmu_vm *vm, gpa_t gpa, unsigned size);
bool shadow_flags_concern(const struct mmu_vm *vm, gpa_t gpa, unsigned size);
void shadow_guest_written(struct mmu_vm *vm, gpa_t gpa, unsigned n);
/* S22. */
void shadow_guest_writes(struct mmu_vm *vm, gpa_t gpa, const void *with, unsigned n);
void shadow_flags_writes(struct mmu_vm *vm, gpa_t gpa, uint64_t new, unsigned size);
/* Takes a page out of those out of sync. */
void shadow_unlist_unsync(struct shadow *s, struct spage *sp);
/* After an INVLPG of gva: a table that the guest keeps editing and invalidating entry by entry loses its other entries
 * too. */
void shadow_thin_out(struct mmu_vcpu *vcpu, gva_t gva);
/* INVLPG need exit only while a table that is out of sync has entries, or something was dropped above the last
 * level. */
void shadow_update_invlpg(struct shadow *s, struct mmu_vcpu *self);

/* INVLPG need exit only while something is out of sync or loose, or was dropped above the last level. What has no entry
 * in a table that is out of sync is looked up in the guest's by its next use; all that can be out of date is in the
 * TLB, and INVLPG drops that itself. */
static inline bool shadow_wants_invlpg(const struct shadow *s, const struct mmu_vcpu *vcpu)
{
	const struct shadow_vcpu *v = vcpu->priv;

	return s->unsync_present > 0 || s->watching || s->loose_count || v->upper_seen != s->upper_drops;
}

/* The end of a call that the vCPU has caused. */
static inline void shadow_finish(struct shadow *s, struct mmu_vcpu *self)
{
	s->vm->counters.interrupted += s->interrupted;
	s->watching = false;
	if (unlikely(s->doomed || s->crowded))
		shadow_commit(s, self);
	/* Nobody else runs where there is nobody else. */
	if (self->intercepts.invlpg != shadow_wants_invlpg(s, self) || s->vm->vcpus->next) {
		shadow_update_invlpg(s, self);
		MUTANT(FINISH_KICK, tag_synchronize(s->vm, self));
	}
}

/* ---- fault.c, root.c ---- */

struct mmu_result shadow_fault(struct mmu_vcpu *vcpu, const struct mmu_fault *fault);
/* Without the VM's lock (mmu/lock.h). */
bool shadow_beside(struct mmu_vcpu *vcpu, const struct mmu_fault *fault, struct mmu_result *r);
/* The mode bits of the roles of a guest with these registers. */
uint32_t shadow_modes(const struct walk_regs *r);
/* false: no memory. Where it was interrupted, the vCPU runs on nothing until a fault loads the rest. */
bool shadow_load_root(struct mmu_vcpu *vcpu);
void shadow_drop_root(struct mmu_vcpu *vcpu);
/* The page is about to be unlinked: nobody knows it as a root any more. */
void shadow_forget_root(struct shadow *s, const struct spage *sp);
void shadow_regs_changed(struct mmu_vcpu *vcpu, const struct walk_regs *old, bool cr3_write, bool keep_tlb);
void shadow_invlpg(struct mmu_vcpu *vcpu, gva_t gva);
/* What a page fault that the guest gets invalidates: what is cached for its address. */
void shadow_page_fault(struct mmu_vcpu *vcpu, gva_t gva);
/* The page and entry of the lowest level that hold gva's translation now; NULL: nothing there. */
struct spage *shadow_lookup(struct mmu_vcpu *vcpu, gva_t gva, unsigned *index);
/* The root that the vCPU walks for gva; NULL: none. */
static inline struct spage *shadow_root_of(const struct mmu_vcpu *vcpu, gva_t gva)
{
	const struct shadow_vcpu *v = vcpu->priv;

	return v->pae_format ? v->root[gva.v >> 30 & 3] : v->root[0];
}
/* The last-level page for gva, if the way from the root to it is remembered; else NULL. */
struct spage *shadow_path(struct mmu_vcpu *vcpu, const struct spage *root, gva_t gva);
/* Remembers that sp, of the last level, is where root leads for gva. */
void shadow_remember_path(struct mmu_vcpu *vcpu, const struct spage *root, gva_t gva, const struct spage *sp);

/* ---- audit.c ---- */

bool shadow_audit(struct mmu_vm *vm, char *why, size_t size);

#endif
