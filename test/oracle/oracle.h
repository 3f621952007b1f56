/* test/oracle/oracle.h - the random test of the mechanisms: a machine made of the model's CPUs, virtual machines over
 * mmu/, and a specification that says what each guest access may do.
 *
 * O1: an outcome that a fresh walk of the guest's tables gives is right. Any other is right only if the guest's own
 *     staleness explains it: entries that the guest changed and has not invalidated since (spec_stale.c).
 * O2: host-side changes are never stale: what a translation yields is what the memory map says now.
 * O3: every step is a function of its own few bytes and of the state; taking steps out leaves the others meaningful. */
#ifndef VELLUM_TEST_ORACLE_H
#define VELLUM_TEST_ORACLE_H

#include <stdio.h>

#include "mmu/mmu.h"
#include "model/cpu.h"

#define VMS 2
#define VCPUS 4
#define CPUS 4
#define CPUS_AT_RANDOM 3
#define RAMS 11

/* ---- what a run is made of ---- */

struct config {
	const struct mmu_ops *ops;
	uint64_t seed;
	struct mmu_caps caps;
	struct mmu_config mmu;
	uint8_t vms, vcpus, cpus;
	uint16_t vpid_limit;
	bool guest_pcid, big_ram, switching, adversarial, races, low_frames;
	bool linear;              /* low memory lies in one piece, for good */
	bool blocks;              /* or in blocks of 2 MBytes that mmu/ knows of, and may go */
	bool touching;            /* pages come at once where they are touched */
	bool refusing;            /* the CPU refuses an INVVPID or INVEPT now and then */
	bool starved;             /* once the VMs are made, there are no frames for tables but theirs */
	/* there is memory at the end of 32-bit addresses, which is what a table entry of ones names */
	bool top;
	bool wide;                /* there are guest-physical addresses of more than 48 bits */
	uint8_t mode;             /* that the guests start in: enum x_mode */
	uint8_t mode_fixed;       /* they stay in it */
	uint64_t halves;          /* GFN of a table that is read by entries of either size; 0: there is none */
};

struct step {
	uint8_t op, who;
	uint16_t a;
	uint32_t b;
	uint64_t v;
};

#define OPS(O) \
	O(ACCESS, 110) O(REPEAT, 30) O(TABLE_READ, 6) O(EDIT, 20) O(EDIT_FLUSH, 12) O(EDIT_PATH, 26) O(HEAL, 16) \
	O(EDIT_OTHER, 8) \
	O(DEVICE_WRITE, 3) O(INVLPG, 8) O(CR3, 8) O(CR0, 4) O(CR4, 5) O(EFER, 1) O(MODE, 1) O(INVPCID, 2) \
	O(SPECULATE, 12) \
	O(SWAP_OUT, 4) O(MERGE, 2) O(LOG_START, 1) O(LOG_COLLECT, 3) O(LOG_STOP, 1) O(SLOT, 1) O(PROTECT, 2) \
	O(MIGRATE, 6) O(EXIT, 6) \
	O(REBOOT, 1) O(SWITCH, 1) O(COPY_TABLE, 2) O(REST, 2) O(RETRACK, 3) O(BLOCK, 2) O(DROP, 2) \
	O(DELIVER, 6) O(CROWD, 1) O(PARTS, 3)

enum op {
#define O(name, weight) OP_##name,
	OPS(O)
#undef O
	OP_COUNT
};

/* ---- what happened, counted, so that a loss of coverage shows ---- */

/* C(name, what) */
#define COVERAGE(C) \
	C(READ, "reads by the supervisor") C(WRITE, "writes by the supervisor") C(FETCH, "fetches by the supervisor") \
	C(USER_READ, "reads by the user") C(USER_WRITE, "writes by the user") C(USER_FETCH, "fetches by the user") \
	C(IMPLICIT_READ, "implicit reads") C(IMPLICIT_WRITE, "implicit writes") C(AC, "accesses with RFLAGS.AC set") \
	C(PAGE_4K, "through 4-KByte pages") C(PAGE_2M, "through 2-MByte pages") C(PAGE_4M, "through 4-MByte pages") \
	C(PAGE_1G, "through 1-GByte pages") C(GLOBAL, "through global pages") \
	C(SELF_MAPPED, "with one table at two levels") \
	C(TO_TABLE, "accesses that reach a page table") C(TO_ROM, "writes to ROM") \
	C(TO_MMIO, "accesses to MMIO or nowhere") \
	C(FAULT_ABSENT, "faults: not present") C(FAULT_WRITE, "faults: not writable") \
	C(FAULT_USER, "faults: not the user's") \
	C(FAULT_RSVD, "faults: reserved bit") C(FAULT_FETCH, "faults: not executable") \
	C(FAULT_IMPLICIT, "faults of implicit accesses") \
	C(EDIT_1, "edits of last-level entries") C(EDIT_2, "edits of level 2") C(EDIT_3, "edits of level 3") \
	C(EDIT_4, "edits of level 4") C(EDIT_5, "edits of level 5") C(EDIT_STORED, "stores by the guest itself") \
	C(EDIT_EMULATED, "stores by the hypervisor") C(EDIT_DEVICE, "edits by a device") \
	C(CLEAR_A, "edits that clear A") C(CLEAR_D, "edits that clear D") C(SPLIT, "large pages split") \
	C(JOIN, "tables made large pages") \
	C(INVLPG, "INVLPG") C(INVLPG_NOP, "INVLPG of what is no address") \
	C(REFUSED, "INVVPIDs and INVEPTs that the CPU refused") C(INVPCID, "INVPCID") \
	C(CR3_SAME, "loads of CR3 with the same") C(CR3_OTHER, "loads of CR3 with another") \
	C(CR0_WP, "changes of CR0.WP") C(CR0_PG, "changes of CR0.PG") C(CR4_PGE, "changes of CR4.PGE") \
	C(CR4_PSE, "changes of CR4.PSE") \
	C(CR4_PAE, "changes of CR4.PAE") C(CR4_SMEP, "changes of CR4.SMEP") C(CR4_SMAP, "changes of CR4.SMAP") \
	C(CR4_LA57, "changes of CR4.LA57") C(EFER_NXE, "changes of EFER.NXE") C(EFER_LMA, "changes of EFER.LMA") \
	C(GP, "loads that raise #GP") \
	C(SWAPPED, "pages swapped out") C(MERGED, "pages merged") C(COPIED, "merged pages copied to be written") \
	C(BLOCK_OUT, "blocks swapped out") C(BLOCK_HOME, "blocks brought together again") C(LOGS, "logs started") \
	C(LOGGED, "pages found written in a log") C(LOG_FULL, "times that a CPU's log was full") \
	C(AGED, "runs of pages aged") C(AGED_USED, "pages found used by a flag") \
	C(AGED_TOLD, "leaves of used pages that went") \
	C(LOG_FLAGS, "logs by dirty flags") C(LOG_PML, "logs by what CPUs wrote down") \
	C(SLOT_GONE, "slots removed") C(SLOT_BACK, "slots added") \
	C(MIGRATED, "vCPUs moved to another CPU") C(VPID_REUSED, "VPIDs given anew") C(INIT, "vCPUs reset") \
	C(SWITCHED, "mechanisms switched") C(MOVED, "VMs moved to another instance of the heart") \
	C(PDPT_NOWHERE, "loads of PDPTEs from where no memory is") C(ROOT_NOWHERE, "loads of CR3 that name no memory") \
	C(PARTS, "INVLPGs of parts of another root's global page") \
	C(TABLE_NOWHERE, "tables of ones that lead to memory") \
	C(DELIVERED, "events delivered") C(LOOSENED, "events delivered to a stack in a table in use") \
	C(RELIEVED, "times that a VM lost tables of its own") C(INTERRUPTED, "operations interrupted") \
	C(EPT_5, "accesses through EPT tables of five levels") \
	C(TO_WIDE, "accesses to memory beyond 48 address bits") \
	C(BEYOND, "accesses beyond what four levels of EPT translate") \
	C(RACED, "host changes in the middle of a step") C(LAST_STORE, "stores by a vCPU that is being stopped") \
	C(TOUCHED, "pages that came when they were touched") C(BLOCK_GONE, "blocks in one piece that went") \
	C(BLOCK_KNOWN, "blocks that came to be in one piece") \
	C(KICKED, "vCPUs stopped") C(APIC_ACCESS, "accesses to the APIC-access page") \
	C(OVERLAID, "pages overlaid") C(OVERLAY_REACHED, "accesses to the frame of an overlay") \
	C(COVERED, "pages of memory that were covered") C(OVERLAY_READ, "reads of an overlaid page that were emulated")

enum coverage {
#define C(name, what) COVER_##name,
	COVERAGE(C)
#undef C
	COVER_COUNT
};

/* ---- host memory, as the driver arranged it ---- */

struct page {
	uint64_t hfn;
	uint8_t *bytes;     /* what the guest has there; NULL: zeroes */
	bool in;            /* in memory, at hfn */
	/* the backing has it no more, and CPUs may still write to hfn: mmu/ has been told, and is at it */
	bool leaving;
	bool merged;
	bool frozen;        /* the backing says "not writable" while a merge goes on */
	bool written;       /* since the dirty log was last collected */
	bool aged;          /* and mmu/ has not forgotten that */
	bool touched;       /* accessed by the CPU since then */
	bool asked;         /* mmu/ has looked it up since then, or has told of its use */
	bool busy;          /* the host is at it; others wait */
	uint64_t written_at; /* the first time since then */
	uint64_t touched_at; /* the last time */
	bool irregular;     /* counted in struct ram: not at its home, or not writable */
};

/* A slot of the memory map. */
struct ram {
	struct backing backing;
	struct vm *vm;
	uint64_t base, pages, home; /* frames; home: where the pages are at first, contiguous. 0: anywhere */
	enum slot_kind kind;
	enum memtype type;
	struct page *page;
	uint16_t *irregular;        /* by 2-MByte block */
	uint32_t irregular_all;
	bool present, logging, collecting;
	char *linear;               /* all in one piece, and never elsewhere; or NULL */
	uint8_t *bytes;             /* where its pages are at home, in blocks that mmu/ knows of; or NULL */
	struct slot_block block[2];
	uint64_t *log, *log_out;
};

/* ---- history, for the staleness that the guest causes itself ---- */

struct change {
	uint64_t word;  /* guest-physical address / 8 */
	uint64_t value; /* what it was */
	uint64_t when;  /* something else was in memory from then on */
	uint32_t next;  /* older, in the same bucket; 0: none */
};
#define HISTORY (1u << 15)
#define BUCKETS 4096u

enum drop { DROP_ALL, DROP_NONGLOBAL, DROP_NONGLOBAL_ALL, DROP_ADDRESS, DROP_FAULT, DROP_ADDRESS_NONGLOBAL, DROP_PCID };
struct event {
	uint64_t when, va;
	enum drop drop;
	uint16_t pcid;
};
#define EVENTS 512u

/* The registers that translation depends on were these from .from until .to. */
struct context {
	uint64_t from, to;
	struct x_regs regs;
};
#define CONTEXTS 256u

/* ---- machines ---- */

/* What mmu_guest_write is writing: in memory already, or not yet; and the word that was there. Until it returns,
 * shadows may follow the one or the other. */
struct store { uint64_t gpa, value; unsigned size; bool done; };

struct vcpu {
	struct mmu_vcpu mmu;
	struct walk_regs numbered; /* its registers, PDPTEs apart, when they were numbered last; and the number */
	uint64_t regs_number;
	struct vm *vm;
	struct x_regs regs;   /* what the guest's registers must be */
	struct x_regs view;   /* what they are, as far as the hypervisor knows */
	struct m_vmcs vmcs;
	struct m_cpu *in;     /* in the guest on that CPU, or NULL */
	unsigned cpu;         /* where it runs next */
	bool entering;        /* in mmu_enter: whatever is flushed is flushed on that CPU */
	/* where others find it while steps are interleaved (weave.h): entering counts as being in the guest */
	enum stage { STAGE_OUT, STAGE_ENTERING, STAGE_INSIDE, STAGE_WALKING } stage;
	bool kicked;          /* it comes out where its instruction ends */
	uint64_t since, turns; /* of its last entry; how often others had come by then */
	struct store *pending; /* the hypervisor is about to write that for it */
	bool unsynced;        /* mmu/ does not know yet what the guest changed by itself */
	uint64_t efer_forced; /* EFER bits that are not the guest's own in the VMCS */
	uint8_t cpl;
	struct event event[EVENTS];
	unsigned events;
	struct context context[CONTEXTS];
	unsigned contexts;
	uint64_t last_va;     /* of the last access */
	struct x_access last_access;
};

struct vm {
	struct mmu_vm mmu;
	struct world *world;
	struct vcpu vcpu[VCPUS];
	struct ram ram[RAMS];
	struct ram *apic; /* the one that is the APIC-access page */
	unsigned rams, locked;
	struct mmu_counters before; /* as they were when the lock was taken */
	struct change *change;
	uint32_t changes;
	uint32_t bucket[BUCKETS];
	uint64_t overlay_frame[MMU_OVERLAYS_MAX]; /* 0: not taken yet */
	uint64_t overlaid_ram[MMU_OVERLAYS_MAX];  /* what was the page's frame then */
};

struct account {
	uint64_t steps, accesses, faults, mmio, stale, emulated, exits, spurious, by_mode[5];
	uint64_t flushes, flushes_idle, steps_most;
	uint64_t op[OP_COUNT], cover[COVER_COUNT];
	uint64_t by_mechanism[5][5]; /* accesses, by what the VM ran under and the mode */
};

struct world {
	struct config c;
	struct phys phys;
	struct mmu_below below;
	struct vpid_pool *vpids;
	struct m_cpu cpu[CPUS];
	struct vm vm[VMS];
	uint64_t now;
	struct frames { uint64_t next, *free; size_t count, room; } low, high;
	uint64_t tables;           /* frames that mmu/ holds */
	bool made;                 /* the VMs are */
	bool by_host;              /* what is done now is the host's doing */
	bool auditing;             /* who looks pages up does not use them */
	uint64_t refusals;         /* INVVPIDs and INVEPTs that could have been refused */
	struct { uint64_t hfn; uint32_t users; } shared[64];
	uint64_t race;             /* a host step is due at the next taking of the lock; its argument */
	struct account account;
	bool failed;
	const char *kind;          /* of failure: its format */
	uint64_t last_store;       /* the next vCPU that is kicked writes to a table before it stops; what, and where */
	uint64_t storing;          /* the word that the hypervisor is writing now; nobody else does just then */
	struct vcpu *stepping;     /* whose step this is */
	struct vcpu *accessing;    /* in the middle of last_access, or NULL */
	char why[800];
	const struct watcher *watch; /* who tries every order of steps (weave.h); NULL: nobody does */
	struct weave *weave;       /* steps are interleaved; NULL: they follow each other */
};

static inline void cover(struct world *w, enum coverage what) { w->account.cover[what]++; }
extern bool oracle_trace; /* tell what every step does */
#define TRACE(...) \
	do { \
		if (oracle_trace) \
			printf(__VA_ARGS__); \
	} while (0)

/* world.c */
struct config config_from_seed(uint64_t seed, const struct mmu_ops *ops);
/* The n-th of the mechanisms that its CPU may have, of which one is nested, counted round and round. */
const struct mmu_ops *config_mechanism(const struct config *c, unsigned n);
/* NULL: the mechanism cannot run on that CPU, or there is no memory. */
struct world *world_make(const struct config *c);
void world_free(struct world *w);
/* Notes a failure; the first one stays. */
void fail(struct world *w, const char *format, ...) __attribute__((format(printf, 2, 3)));
bool vcpu_boot(struct vcpu *v);
/* INIT. */
bool vcpu_init_reset(struct vcpu *v);

/* host.c: host memory */
bool host_init(struct world *w);
void host_fini(struct world *w);
uint64_t host_frame(struct world *w);
uint64_t host_take(struct world *w, struct frames *f);
void below_init(struct world *w); /* below.c */
void host_release(struct world *w, uint64_t hfn);
extern const struct backing host_backing;
/* Pages are aged, or looked at only: the heart is asked which were used. */
void pages_age(struct vm *vm, uint64_t gfn, uint64_t pages, bool clear);
struct observed;
/* An access to one has ended; it counts if the CPU made it. */
void page_touched(struct vm *vm, uint64_t gfn, const struct observed *o);
/* Another mechanism knows nothing of what was used before. */
void pages_forget_age(struct vm *vm);
/* The page no longer uses its frame. */
void page_forsake(struct world *w, struct page *p);
/* move.c */
bool vm_may_move(const struct vm *vm);
void vm_move(struct vm *vm, const struct mmu_ops *to);
/* map.c: the memory map */
/* The slot as mmu/ is told of it. */
struct slot ram_slot(struct ram *r);
bool ram_init(struct vm *vm, uint64_t base, uint64_t pages, uint64_t home, enum slot_kind kind, enum memtype type);
struct ram *ram_find(struct vm *vm, uint64_t gfn);
/* The page at gfn, where that is memory of the present map; else NULL. */
struct page *page_find(struct vm *vm, uint64_t gfn);
bool page_in(struct ram *r, uint64_t index, bool write);
void page_out(struct vm *vm, uint64_t gfn);
/* 512 pages from index first on. */
void block_out(struct ram *r, uint64_t first);
void block_home(struct ram *r, uint64_t first);
void pages_merge(struct vm *vm, uint64_t gfn1, uint64_t gfn2);
void page_regularity(struct ram *r, uint64_t index);

/* guestmem.c: guest memory as it must be */
uint64_t gm_read(struct vm *vm, uint64_t gpa, unsigned size);
void gm_write(struct vm *vm, uint64_t gpa, unsigned size, uint64_t value);
/* Guest memory as it is; false where it is not in memory. */
bool gm_real(struct vm *vm, uint64_t gpa, unsigned size, uint64_t *value);
/* The entry lacks flags of want that the CPU can set there (not in ROM, nor where no memory is). */
bool gm_lacks(struct vm *vm, uint64_t gpa, unsigned size, uint64_t want);
/* Notices what was written behind gm's back: only bits of allowed may have been set in the entry. false: something else
 * happened. */
bool gm_adopt(struct vm *vm, uint64_t gpa, unsigned size, uint64_t allowed);
/* All of it is as it must be. */
void gm_compare(struct vm *vm);
/* Where steps are interleaved, what the hypervisor writes is in memory at some time in the middle of its call:
 * now. */
void gm_settle(struct vcpu *v);
/* Flags that are set in tables nobody has spoken for: they need not be, where steps are interleaved. */
void gm_settle_flags(struct vm *vm);
bool gm_settle_page(struct vm *vm, uint64_t gfn);
/* Flags of entries of 4 bytes that are parts of an address in those of 8: to whom reads these, a change like any. */
void gm_settle_halves(struct vm *vm, uint64_t gfn);

/* spec.c: what an access must do, by a fresh walk */
struct spec_level { uint64_t gpa; uint64_t value; };
struct outcome {
	bool fault;
	uint32_t error;
	uint64_t gpa;
	uint8_t shift;
	unsigned levels;              /* entries used from memory */
	bool complete;                /* the last of them is a leaf */
	struct spec_level level[5];
};
struct outcome spec_walk(struct vm *vm, const struct x_regs *r, uint64_t va, struct x_access a);

/* What an access did. */
struct observed {
	enum { SEEN_DIRECT, SEEN_EMULATED, SEEN_FAULT } how;
	uint64_t hpa, gpa;
	uint32_t error;
	unsigned attempts;
	uint8_t ept_type;
	bool ept;
	bool flags_set; /* the CPU set flags on its way, not necessarily where a fresh walk does */
};
/* Does what was seen fit gpa? Host-side truth only. */
bool spec_place(struct vm *vm, const struct observed *o, uint64_t gpa, struct x_access a);

/* overlay.c */
/* Are there overlays in this sequence? */
bool overlay_config(const struct config *c);
/* The frame of gfn's overlay; 0: it has none. */
uint64_t overlay_frame(const struct vm *vm, uint64_t gfn);
/* Overlays can be fetched from only. */
bool overlay_covered(const struct vm *vm, uint64_t gfn);
bool overlay_hidden(const struct vm *vm);
/* A page fault that the CPU has delivered itself may be one. false: a failure has been noted. */
bool overlay_fault(struct vcpu *v, const struct observed *o, struct x_access a);
/* Is s one of them, in the place of what it is elsewhere? */
bool overlay_instead(const struct config *c, const struct step *s);
void overlay_step(struct vcpu *v, uint64_t gfn, const struct step *s);
/* Does what was seen fit the overlay of gpa's page? *hfn: what is to be reached there, where there is one. */
bool overlay_place(struct vm *vm, const struct observed *o, uint64_t gpa, struct x_access a, uint64_t *hfn);

/* coverage.c */
/* Tells what happened how often, or only what never did. false: something never did. */
bool coverage_print(const struct account *a, const struct mmu_ops *ops, bool all);
/* What an access was, what an edit of a table does, what a load of registers changed. */
void cover_access(struct vcpu *v, const struct outcome *x, struct x_access a, const struct observed *o);
void cover_edit(struct vcpu *v, uint64_t at, unsigned size, uint64_t value);
void cover_registers(struct vcpu *v, const struct x_regs *old);

/* spec_stale.c */
void spec_context(struct vcpu *v);
void spec_drop(struct vcpu *v, enum drop drop, uint64_t va, uint16_t pcid);
/* The page fault of the attempt that began when the vCPU was last entered drops what was cached before. */
void spec_drop_fault(struct vcpu *v, uint64_t va);
void spec_change(struct vm *vm, uint64_t gpa, uint64_t old);
void spec_forget(struct vcpu *v);
/* Has any word been changed since the vCPU was last entered that a translation of its last address can use? */
bool spec_changed_since(const struct vcpu *v);
/* true where the guest's own staleness permits what was seen; *gpa is where the access went. */
bool spec_stale(struct vcpu *v, uint64_t va, struct x_access a, const struct observed *o, uint64_t *gpa);
/* An implicit access that the error code does not tell from an explicit one: without EPT the mechanism finds out by
 * trying, and may have set the leaf's dirty flag by then (guest.c). */
bool in_disguise(const struct vcpu *v, struct x_access a);
/* true where a permitted walk of va reads a table entry at gpa. */
bool spec_stale_table(struct vcpu *v, uint64_t va, struct x_access a, uint64_t gpa);
/* Adopts the accessed and dirty flags that permitted walks of va may have set on their way. */
void spec_adopt_all(struct vcpu *v, uint64_t va, struct x_access a);

/* run.c: a vCPU in and out of the guest */
bool enter(struct vcpu *v);
void leave(struct vcpu *v);
void left(struct vcpu *v);
/* What enter() is made of. */
void load_controls(struct vcpu *v);
bool enter_now(struct vcpu *v);
/* Gives the exit of r to mmu/. The outcome, and the fault's result. */
void tell_registers(struct vcpu *v);
struct mmu_result exit_fault(struct vcpu *v, const struct m_result *r, bool delivery);

/* guest.c: what the guest does */
/* Returns true where the access succeeded; *gpa then says where. value: written, or NULL. size: 4 or 8. */
bool guest_access(struct vcpu *v, uint64_t va, struct x_access a, unsigned size, const uint64_t *value, uint64_t *gpa);
/* The CPU delivers an event to the supervisor: writes words of 8 bytes below va, from the beginning again after each
 * exit. */
void guest_deliver(struct vcpu *v, uint64_t va, unsigned words, uint64_t value);
void guest_store(struct vcpu *v, uint64_t gpa, unsigned size, uint64_t value, bool by_device);
/* The guest reads it, and it is as it must be. */
void guest_load(struct vcpu *v, uint64_t gpa, unsigned size, bool by_hypervisor);

/* registers.c */
bool guest_cr0(struct vcpu *v, uint64_t value);
bool guest_cr3(struct vcpu *v, uint64_t value);
bool guest_cr4(struct vcpu *v, uint64_t value);
bool guest_efer(struct vcpu *v, uint64_t value);
void guest_invlpg(struct vcpu *v, uint64_t va);
void guest_invpcid(struct vcpu *v, unsigned type, uint16_t pcid, uint64_t va);
void guest_flush_all(struct vcpu *v);
void guest_mode(struct vcpu *v, enum x_mode mode, unsigned which);

/* layout.c: where the guests' tables are, and what is written into them */
void layout_fill(struct vm *vm);
uint64_t layout_root(enum x_mode mode, unsigned which);
uint64_t layout_va(const struct x_regs *r, uint32_t b, uint64_t v);
/* What turns some addresses into none: bits to be flipped above those that are translated. Mostly 0. */
uint64_t layout_beyond(unsigned which);
/* Where a table should not be. */
uint64_t layout_nowhere(unsigned which);
uint64_t layout_table(enum x_mode mode, unsigned which); /* a frame number */
bool layout_is_pdpt(uint64_t gfn);
/* Of the table that gfn is meant to be; 0: none. */
unsigned layout_level(uint64_t gfn);
unsigned layout_index(unsigned size, unsigned which);
uint64_t layout_entry(const struct world *w, uint64_t gfn, unsigned size, uint64_t old, uint64_t v);
/* A useful entry for the table at gfn. */
uint64_t layout_good(const struct world *w, uint64_t gfn, unsigned size, uint64_t v);
uint64_t layout_gfn(const struct world *w, unsigned which);
/* Where the guest's kernel maps its low memory. */
uint64_t layout_direct(enum x_mode mode, uint64_t gpa);
#define IDENTITY_GFN 0xfe000ull
#define DEVICE_GFN 0x500ull
#define APIC_GFN 0x510ull
#define WIDE_GFN (1ull << 36)
#define TOP_GFN 0xfffffull

/* steps_guest.c, steps_host.c, races.c, steps.c */
/* The page last accessed becomes a device's, and is read; it is read again. */
void guest_map_device(struct vcpu *v);
void guest_look_again(struct vcpu *v);
/* The guest's kernel writes an entry where it maps it; where it no longer can, a device does. */
void guest_edit(struct vcpu *v, uint64_t at, unsigned size, uint64_t value, bool by_device);
void guest_step(struct vcpu *v, const struct step *s);
/* steps_parts.c */
void guest_parts(struct vcpu *v, const struct step *s);
/* The last access is made again by a table at gfn, which maps it to memory. */
void guest_table_in(struct vcpu *v, uint64_t gfn);
/* What the last access used is translated by a table at gfn, where no memory is. */
void guest_table_nowhere(struct vcpu *v, uint64_t gfn);
void host_step(struct vcpu *v, const struct step *s);
/* Histories are finite: makes the guests flush before they are full. */
void flush_in_time(struct vm *vm);
/* Makes them flush, and forgets what was. */
void flush_history(struct vm *vm);
void step_do(struct world *w, const struct step *s);
void step_race(struct world *w);
void step_last_store(struct vcpu *v);
struct step step_random(uint64_t *random);
const char *op_name(unsigned op);

/* sequence.c */
/* The mechanisms' invariants hold, as they must between any two calls, and what was requested of who runs was done. */
void check_audit(struct world *w);
struct sequence {
	struct config c;
	struct step *step;
	size_t steps;
};
/* Runs it where a broken promise or a signal ends it. false: one has; why says which, and all that it held is lost. */
bool run_guarded(void (*run)(void *ctx), void *ctx, char why[800]);
void account_add(struct account *sum, const struct world *w);
/* As sequence_print writes it. */
bool step_read(const char *line, struct step *s);
/* Runs it from the beginning. true: no failure. Else *failed_at is the step, and why has the reason. */
bool sequence_run(const struct sequence *q, struct account *sum, size_t *failed_at, char why[800], unsigned thorough);
void sequence_shrink(struct sequence *q, char why[800], unsigned thorough);
void sequence_print(const struct sequence *q, const char *file);
bool sequence_read(struct sequence *q, const char *file);

static inline uint64_t mix(uint64_t x)
{
	x ^= x >> 33;
	x *= 0xff51afd7ed558ccdull;
	x ^= x >> 33;
	x *= 0xc4ceb9fe1a85ec53ull;
	return x ^ x >> 33;
}
static inline uint64_t next_random(uint64_t *s)
{
	*s += 0x9e3779b97f4a7c15ull;
	return mix(*s);
}

#endif
