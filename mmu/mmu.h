/* mmu/mmu.h - the heart's face: memory virtualization for one virtual machine.
 *
 * A mechanism (mmu/ept/ept.c, …) is one `struct mmu_ops`. Everything above (vm/, vmx/, the lab, the tests) calls the
 * front functions below, which keep what all mechanisms share - the guest's paging registers, the slots, the flush
 * requests, the counters - and call the mechanism. Freestanding; no privileged instruction; no global mutable state.
 *
 * The life of a fault: the CPU exits, vm/ fills struct mmu_fault and calls mmu_fault(), and acts on the outcome. Before
 * the next VM entry it calls mmu_enter(), which consumes the flush requests that have gathered and says what to load
 * into the CPU. */
#ifndef VELLUM_MMU_MMU_H
#define VELLUM_MMU_MMU_H

#include "mmu/addr.h"
#include "mmu/below.h"
#include "mmu/caps.h"
#include "mmu/counters.h"
#include "mmu/table/reserve.h"
#include "mmu/slots.h"
#include "mmu/tag.h"
#include "mmu/walk.h"

/* What became of a fault or of a register load. Exactly one of these (S3). */
enum mmu_outcome {
	MMU_FIXED,    /* the tables changed: run the instruction again */
	MMU_RETRY,    /* someone else changed something: run it again */
	MMU_SPURIOUS, /* the tables already allowed it (a stale TLB entry): run it again */
	MMU_INJECT,   /* the guest's own fault: deliver .exception */
	MMU_EMULATE,  /* emulate the instruction: MMIO at .gpa, or a write to a tracked table */
	MMU_STOP,     /* the VM cannot go on; .why says it in one clause */
};

struct mmu_exception {
	uint8_t vector; /* VECTOR_GP or VECTOR_PF */
	uint32_t error;
	uint64_t cr2;   /* for #PF */
};

struct mmu_result {
	enum mmu_outcome outcome;
	struct mmu_exception exception; /* MMU_INJECT */
	gpa_t gpa;                      /* MMU_EMULATE */
	const char *why;                /* MMU_STOP */
};

enum mmu_fault_kind {
	MMU_FAULT_PAGE,          /* #PF that the exception bitmap intercepted */
	MMU_FAULT_EPT_VIOLATION,
	MMU_FAULT_EPT_MISCONFIG,
};

/* What an access does; a walk that sets flags reads and writes. */
#define MMU_READ 0x01u
#define MMU_WRITE 0x02u
#define MMU_FETCH 0x04u
#define MMU_TABLE 0x10u  /* the CPU accessed a table of the guest's, on its way to what MMU_LINEAR speaks of */
#define MMU_LINEAR 0x80u /* it began with a linear address; a load of PDPTEs has none */

struct mmu_fault {
	enum mmu_fault_kind kind;
	uint32_t error;         /* MMU_FAULT_PAGE: the page-fault error code */
	uint8_t access;         /* MMU_FAULT_EPT_VIOLATION: MMU_READ, MMU_WRITE, MMU_FETCH, MMU_LINEAR */
	gva_t gva;              /* MMU_FAULT_PAGE always; else with MMU_LINEAR */
	gpa_t gpa;              /* EPT violation and misconfiguration */
	/* EPT: the vCPU is outside IA-32e mode, so that it may have been a load of PDPTEs by MOV to a control
	 * register */
	bool pdptes;
	bool delivery;          /* an event was being delivered, not an instruction carried out; see mmu_loosen() */
};

/* What the mechanism wants the CPU to intercept. Changes only when the guest's registers or the mechanism do. */
struct mmu_intercepts {
	bool ept;         /* run with EPT */
	bool unrestricted; /* and as an "unrestricted guest": CR0.PE and PG are its own */
	bool page_fault;  /* intercept #PF where (error & pf_mask) == pf_match */
	uint32_t pf_mask;
	uint32_t pf_match;
	bool cr3_load;
	bool cr3_store;
	bool invlpg;
	/* Where the CPU writes down what pages it makes dirty (SDM, "Page-Modification Logging"); 0: it does not. Where
	 * this is another address than the last that was not 0, its index begins at mmu_log_index(); else it
	 * stays. */
	hpa_t log;
	uint64_t cr0_owned; /* CR0 bits whose change must exit, beyond those that the CPU's extension demands */
	uint64_t cr4_owned;
	/* What the CPU really runs with, where that is not what the guest wrote: hardware = (guest & ~mask) | value. */
	uint64_t cr0_force_mask, cr0_force_value;
	uint64_t cr4_force_mask, cr4_force_value;
	uint64_t efer_force_mask, efer_force_value;
};

/* What to load into the CPU at the next entry. */
struct mmu_root {
	uint64_t nested;    /* the nested tables, as the CPU is told of them (EPTP); 0: none */
	uint64_t cr3;       /* hardware CR3: the guest's own under EPT with guest paging, else the mechanism's */
	uint64_t pdpte[4];  /* the guest's PDPTEs to enter with, when load_pdptes */
	bool load_pdptes;
	uint16_t vpid;      /* 0: run untagged ("enable VPID" off) */
};

/* How long a call that a guest causes may take: steps of the loops whose length the guest decides (the counter of that
 * name; a step is some 20 to 50 instructions). And what one operation looks at of a list before it is interrupted,
 * where the configuration does not say. */
#define MMU_STEPS_MAX 100000
#define MMU_WORK 1024

/* The largest leaf that a mechanism may use: the address bits of its offset. */
enum page_limit {
	PAGE_LIMIT_4K = 12,
	PAGE_LIMIT_2M = 21,
	PAGE_LIMIT_1G = 30,
};

/* How writes to logged pages are found (mmu/log.c). */
enum mmu_log_method {
	MMU_LOG_AUTO,    /* asked for only: the last of these that the CPU has */
	MMU_LOG_PROTECT, /* by faults: pages are read-only until they are written to */
	MMU_LOG_FLAGS,   /* by the dirty flags of EPT; under other mechanisms as before */
	MMU_LOG_PML,     /* by the log that the CPU keeps of those */
};
#define MMU_LOG_ENTRIES 512 /* of such a log */

struct mmu_config {
	enum page_limit page_limit;
	enum mmu_log_method log;
	bool vpid;
	bool restricted;       /* run as on a CPU without "unrestricted guest" */
	/* EPT without "unrestricted guest": a guest-physical page below 4 GBytes, kept from the guest (by its memory
	 * map; no slot need be there), where the mechanism shows the page table that a guest without paging runs on. 0:
	 * none; such a guest then cannot run. */
	gpa_t identity_map;
	/* Width of the guest-physical addresses that slots may have, bits; 0: 48. */
	uint8_t gpa_bits;
	/* Levels of EPT tables, 4 or 5; 0: 4, or 5 where gpa_bits is more than 4 can translate. */
	uint8_t ept_levels;
	uint64_t ram_pages;    /* of the guest, for what follows; 0: not known, taken for 256 MBytes */
	/* list entries that one operation looks at before it is interrupted; 0: the default. Tests make it small */
	uint32_t work;
	uint16_t log_entries; /* of the CPU's log that are used; 0: all. Tests make it small */
	/* shadow: no guest table goes out of sync: writes to one are emulated until it is let go */
	bool in_sync;
	uint32_t table_frames; /* for the tables of the VM (RV2), at least ops->least; 0: mmu_table_limit() */
};

struct mmu_ops;

#define MMU_OVERLAYS_MAX 8
#define MMU_COVERED_MAX 32

struct mmu_overlay {
	gfn_t gfn;
	hfn_t frame;
	uint32_t reads; /* of data, that were answered from the RAM */
};

struct mmu_vm {
	const struct mmu_ops *ops;
	const struct mmu_below *below;
	const struct mmu_caps *caps;
	struct mmu_config config;
	struct slots slots;
	struct vpid_pool *vpids; /* shared by all VMs; may be NULL: every vCPU runs untagged */
	struct mmu_counters counters;
	struct mmu_vcpu *vcpus;  /* list, by next */
	uint64_t table_pages;    /* table pages in use by the mechanism */
	struct reserve reserve;  /* those that wait to be used */
	uint32_t readers;        /* of guest memory by a block's address, without the lock */
	uint32_t logs;           /* slots that are being logged; read without the lock */
	enum mmu_log_method log_by; /* how, while some are */
	struct tag_cpus ept_flushed_on; /* no INVEPT of the root is owed there */
	struct tag_cpus ept_ran_on; /* they have run the root, which tells the reason of an INVEPT */
	void *priv;              /* the mechanism's, for the VM */
	bool watched;            /* OV5 */
	bool ages;               /* S23: mmu_age() has cleared flags, and leaves that go are told of */
	unsigned overlays;
	struct mmu_overlay overlay[MMU_OVERLAYS_MAX];
	unsigned covers;
	gfn_t covered[MMU_COVERED_MAX]; /* OV6 */
	void (*lock)(void *ctx, struct mmu_vm *vm), (*unlock)(void *ctx, struct mmu_vm *vm); /* below's, or nothing */
	bool several;            /* vCPUs: the faults of one alone are served with the lock */
	bool alone;              /* who has the lock excludes the faults that are served beside (mmu/lock.h) */
};

/* May a guest's CR0.PE and CR0.PG be 0 under EPT? */
static inline bool mmu_unrestricted(const struct mmu_vm *vm)
{
	return vm->caps->unrestricted_guest && !vm->config.restricted;
}

/* What a mechanism owns of a vCPU. */
struct mmu_face {
	struct mmu_intercepts intercepts;
	struct mmu_root root;
	void *priv;
};

/* A walk that mmu_translate() remembers (mmu/translate.c). */
struct walk_memo {
	uint64_t page; /* of the linear address; MEMO_NONE: nothing is remembered */
	uint64_t noted; /* vcpu->noted of when it was made, or forgotten: never twice the same */
	uint64_t cr0, cr3, cr4, efer;
	uint64_t gpa;  /* of the page */
	uint64_t pdpte; /* under PAE paging, a register; else 0 */
	uint64_t number; /* by which the registers were known when it was last found; 0: by none */
	uint32_t pkru, generation;
	struct access access;
	bool ac;
	uint8_t cpl, entry_size;
	struct walk_memo_entry {
		const void *at; /* NULL behind the last */
		uint64_t value;
	} entry[WALK_LEVELS_MAX + 1];
};
#define MEMO_NONE (~0ull)
/* Of fetches, of reads and of writes, each by page. A register that is read and written in turn has both. Kernels
 * access a register from many places; there are few pages of registers, which stacks are to leave their places to. */
#define MEMO_FETCH_BITS 7
#define MEMO_DATA_BITS 6
#define MEMO_FETCHES (1u << MEMO_FETCH_BITS)
#define MEMO_PAGES (1u << MEMO_DATA_BITS)
#define KNOWN_MMIO_BITS 3

/* Which of 2^bits places is for page: those of a few that are evenly apart, whatever the distance, are mostly several.
 * The multiplier is the one of 32 bits that MurmurHash3 mixes with. */
static ALWAYS_INLINE unsigned mmu_slot_of(uint64_t page, unsigned bits)
{
	return (uint32_t)page * 0xc2b2ae35u >> (32 - bits);
}

struct mmu_vcpu {
	struct mmu_vm *vm;
	struct mmu_vcpu *next;
	struct walk_regs regs;   /* the guest's paging registers, as the guest sees them */
	struct mmu_intercepts intercepts;
	struct mmu_root root;
	struct tag_state tag;    /* VPID, flush requests, the CPU it last ran on */
	/* Is any of .tag requested, or an INVEPT (struct mmu_vm.ept_flushed_on), or a look? The three lie in one word,
	 * so that who enters reads them at once (mmu_out_of_date). */
	_Alignas(4) bool tag_pending;
	/* Raised when intercepts or root changed and the CPU's copy must be brought up to date; whoever does so clears
	 * them. Other vCPUs' CPUs raise the first, too (whether INVLPG exits depends on what they do): it is cleared
	 * before intercepts are read, by mmu_take_intercepts(). */
	bool intercepts_changed;
	bool root_changed;
	bool never;              /* which is the rest of the word */
	const char *stuck;       /* the mechanism cannot run the vCPU as its registers are, and why; NULL: it can */
	/* A fault needs a page that is not in memory, or that must become writable. It is brought in without the VM's
	 * lock. Then the fault is looked at anew from the start, so that nothing learned before can be relied on by
	 * mistake (S12). */
	struct {
		bool wanted;
		bool write;
		gfn_t gfn;
	} populate;
	/* the last walk read a table elsewhere than in a slot of RAM or ROM that lies in one piece */
	bool tables_aside;
	/* the page of the last MMIO leaf that was met, of those that share the place (mmu_slot_of()), and the slots'
	 * generation then; none has the frame ~0 */
	struct known_mmio {
		gfn_t gfn;
		uint32_t generation;
	} mmio[1u << KNOWN_MMIO_BITS];
	/* the same of one whose entry was found repaired */
	gfn_t repaired_gfn;
	uint32_t repaired_generation;
	struct walk_memo memo[MEMO_FETCHES + 2 * MEMO_PAGES];
	uint64_t noted;          /* times that one was made anew, or forgotten */
	/* What its CPU logs (LG3): the frame; the next entry to be read, -1: all have been. */
	struct {
		hfn_t frame;
		int16_t next;
		bool given;
	} log;
	bool beside_others;      /* vm->several */
	bool beside;             /* a fault is being served without the VM's lock, if nobody is alone (mmu/lock.h) */
	/* Where what is done for the vCPU is counted: .counters, its own CPU's, while a fault is served so; else the
	 * VM's. */
	struct mmu_counters *count, counters;
	void *priv;              /* the mechanism's, for the vCPU */
	struct mmu_face other;   /* the other mechanism's, while one is exchanged for another */
};

/* One mechanism. All but .beside are called with the VM's lock held, by the front functions only; those that change
 * tables, alone (mmu/lock.h). */
struct mmu_ops {
	const char *name;
	bool own_tables; /* each vCPU has its own, which no other's calls change */
	bool nested; /* the CPU walks the guest's own tables, and the mechanism's below them */
	/* CR4 bits that guests of this mechanism do not have: hidden in CPUID, #GP when set. */
	uint64_t cr4_unsupported;
	/* NULL where this CPU can run it, else one clause that says what is missing. */
	const char *(*unsupported)(const struct mmu_caps *caps);
	/* The same for what a configuration asks of a CPU that can run it. May be NULL: nothing can be asked that it
	 * has not. */
	const char *(*config_unsupported)(const struct mmu_caps *caps, const struct mmu_config *config);
	bool (*vm_init)(struct mmu_vm *vm);
	void (*vm_destroy)(struct mmu_vm *vm);
	/* RV3: frames that the longest operation takes; with which it can run at all, if poorly; and with which all
	 * that one instruction touches has its tables. */
	uint16_t need, least, ample;
	/* Frees tables, those that were not used for longest first, until need frames are in reserve, or nothing is
	 * left that could go. */
	void (*relieve)(struct mmu_vm *vm, uint32_t need);
	/* Called after regs hold the guest's state (also in the middle of the guest's life, when the mechanism is
	 * switched). */
	bool (*vcpu_init)(struct mmu_vcpu *vcpu);
	void (*vcpu_destroy)(struct mmu_vcpu *vcpu);
	struct mmu_result (*fault)(struct mmu_vcpu *vcpu, const struct mmu_fault *fault);
	/* The same without the lock, beside other vCPUs' (BE1 to BE4 in mmu/lock.h). false: it cannot be answered so,
	 * and nothing was changed that matters; fault() is asked next. May be NULL. */
	bool (*beside)(struct mmu_vcpu *vcpu, const struct mmu_fault *fault, struct mmu_result *r);
	/* The guest's registers were changed from old to vcpu->regs (already validated); cr3_write: a MOV to CR3,
	 * perhaps with the same value; keep_tlb: bit 63 of the operand under PCID. */
	void (*regs_changed)(struct mmu_vcpu *vcpu, const struct walk_regs *old, bool cr3_write, bool keep_tlb);
	void (*invlpg)(struct mmu_vcpu *vcpu, gva_t gva);
	/* Host-side changes: drop every translation of / take the write permission from the guest frames [first, first
	 * + pages). */
	void (*unmap)(struct mmu_vm *vm, gfn_t first, uint64_t pages);
	void (*write_protect)(struct mmu_vm *vm, gfn_t first, uint64_t pages);
	/* Of the pages [first, first + pages), or of those of them that have their bit in which: clears the dirty flags
	 * of their leaves, and write-protects those that are large; sets the bits in dirty of those whose flag was set.
	 * With protect all are write-protected, and flags stay. which and dirty may be NULL. Requests the flush. NULL:
	 * leaves have no flags to log by. */
	void (*log_take)(struct mmu_vm *vm, gfn_t first, uint64_t pages, const uint64_t *which, uint64_t *dirty,
			 bool protect);
	/* See mmu_age(); used is all clear. With clear it requests the flush. NULL: leaves have no flags to tell by. */
	bool (*age)(struct mmu_vm *vm, gfn_t first, uint64_t pages, uint64_t *used, bool clear);
	/* Drops tables of [first, first + pages) where leaves could be larger. May be NULL. */
	void (*join)(struct mmu_vm *vm, gfn_t first, uint64_t pages);
	/* The hypervisor itself (emulator, device, loader) is about to write n bytes at gpa, within a page, in this
	 * hold of the lock, alone; called where the VM has several vCPUs. May be NULL. */
	void (*guest_writes)(struct mmu_vm *vm, gpa_t gpa, const void *with, unsigned n);
	/* It has, or, where another had changed what a locked instruction was to change, it has not. May be NULL. */
	void (*guest_written)(struct mmu_vm *vm, gpa_t gpa, unsigned n);
	/* The walker is about to make the entry of size bytes at gpa new, by flags, for the mechanism itself, alone;
	 * called where the VM has several vCPUs. May be NULL. */
	void (*flags_writes)(struct mmu_vm *vm, gpa_t gpa, uint64_t new, unsigned size);
	/* Called after the walker set accessed or dirty flags in the entry of size bytes at gpa for the mechanism
	 * itself. May be NULL. */
	void (*flags_written)(struct mmu_vm *vm, gpa_t gpa, unsigned size);
	/* Would the mechanism have to be told so? Asked beside others (mmu/lock.h). NULL where the above is. */
	bool (*flags_concern)(const struct mmu_vm *vm, gpa_t gpa, unsigned size);
	/* See mmu_unshadow(). May be NULL. */
	bool (*unshadow)(struct mmu_vm *vm, gfn_t gfn);
	/* See mmu_loosen(). May be NULL. */
	bool (*loosen)(struct mmu_vm *vm, gfn_t gfn);
	/* The invariants that can be checked between two steps: false, and which one and why in the text, where one
	 * does not hold. May be NULL. */
	bool (*audit)(struct mmu_vm *vm, char *why, size_t size);
};

/* The table of mechanisms, ended by NULL; the best first. */
extern const struct mmu_ops *const mmu_mechanisms[];
const struct mmu_ops *mmu_mechanism_by_name(const char *name);

/* NULL where ops can run on this CPU, and do what config asks for, else one clause that says what is missing. */
const char *mmu_unsupported(const struct mmu_ops *ops, const struct mmu_caps *caps, const struct mmu_config *config);

/* Sets up a VM; the slots are empty. mmu_unsupported() has been asked. false: no memory. */
bool mmu_vm_init(struct mmu_vm *vm, const struct mmu_ops *ops, const struct mmu_below *below,
		 const struct mmu_caps *caps, const struct mmu_config *config, struct vpid_pool *vpids);
/* Frees the tables. The vCPUs have been destroyed, nothing runs. */
void mmu_vm_destroy(struct mmu_vm *vm);
/* Adds a vCPU that starts with regs. Takes a VPID where the configuration and the pool allow. false: no memory;
 * vcpu->vm is NULL. */
bool mmu_vcpu_init(struct mmu_vcpu *vcpu, struct mmu_vm *vm, const struct walk_regs *regs);
void mmu_vcpu_destroy(struct mmu_vcpu *vcpu);
/* INIT: the vCPU, which is not running, has the registers regs from now on, without paging. What is cached for it goes
 * as where the guest ends paging itself; without paging, nothing depends on it. MMU_FIXED, or MMU_STOP: it cannot run
 * so. */
struct mmu_result mmu_vcpu_reset(struct mmu_vcpu *vcpu, const struct walk_regs *regs);
/* Changes the mechanism between two guest instructions: drops the old tables, requests the flushes. No vCPU is running.
 * mmu_unsupported() has been asked. false: no memory; the old mechanism stays. */
bool mmu_switch(struct mmu_vm *vm, const struct mmu_ops *ops);

struct mmu_result mmu_fault_locked(struct mmu_vcpu *vcpu, const struct mmu_fault *fault);
struct mmu_result mmu_fault_of_several(struct mmu_vcpu *vcpu, const struct mmu_fault *fault);
/* What becomes of a fault of the vCPU, which is not running; its registers have been synchronised as far as the
 * mechanism looks at them. Takes the VM's lock, but for what is served beside other vCPUs' (mmu/lock.h). Ends in
 * exactly one outcome, which is counted (S3). */
static inline struct mmu_result mmu_fault(struct mmu_vcpu *vcpu, const struct mmu_fault *fault)
{
	return unlikely(vcpu->beside_others) ? mmu_fault_of_several(vcpu, fault) : mmu_fault_locked(vcpu, fault);
}

/* The guest's loads of its paging registers: each checks (MMU_INJECT: #GP, nothing changed), then acts (MMU_FIXED), as
 * MOV to CR0/CR3/CR4 and WRMSR of IA32_EFER do (SDM, the instructions' pages, and "Paging": PDPTE loads). */
struct mmu_result mmu_set_cr0(struct mmu_vcpu *vcpu, uint64_t value);
struct mmu_result mmu_set_cr3(struct mmu_vcpu *vcpu, uint64_t value);
struct mmu_result mmu_set_cr4(struct mmu_vcpu *vcpu, uint64_t value);
struct mmu_result mmu_set_efer(struct mmu_vcpu *vcpu, uint64_t value);
/* INVLPG of a linear address, as it is before any check: in 64-bit mode one that is not canonical does nothing, outside
 * of it only the low 32 bits are an address (SDM, INVLPG). */
void mmu_invlpg(struct mmu_vcpu *vcpu, gva_t gva);

/* Under EPT the guest changes CR3 (and unowned CR0/CR4 bits, and PDPTEs) without an exit: whoever runs it tells
 * what the CPU holds after an exit that needs to know. No flush follows from this. */
static inline void mmu_sync_control_regs(struct mmu_vcpu *vcpu, uint64_t cr0, uint64_t cr3, uint64_t cr4)
{
	struct walk_regs *r = &vcpu->regs;

	r->cr0 = cr0;
	r->cr4 = cr4;
	r->cr3 = cr3;
	r->efer &= ~EFER_LMA;
	if ((cr0 & CR0_PG) && (r->efer & EFER_LME))
		r->efer |= EFER_LMA;
}
/* The same, with PDPTEs, or NULL. */
void mmu_sync_regs(struct mmu_vcpu *vcpu, uint64_t cr0, uint64_t cr3, uint64_t cr4, const uint64_t pdpte[4]);

/* Called on logical CPU cpu right before every VM entry of the vCPU, interrupts off: consumes the flush requests. Fast
 * when nothing is pending. Afterwards vcpu->root and vcpu->intercepts are what the CPU must run with. */
static inline void mmu_enter(struct mmu_vcpu *vcpu, unsigned cpu);

/* Host-side changes (the notifier). Each has flushed, on every CPU concerned, when it returns (T2): the frames may be
 * freed.
 *
 * Whoever takes a page away first makes its backing say so (S12: page() returns false, or the new frame, or not
 * writable), and then calls these. Faults look at the backing and change tables in one hold of the VM's lock, so they
 * either come before, and are undone here, or after, and see the change. Merging two pages: writable = false for both,
 * mmu_write_protect both, compare, make the backing name the common frame, mmu_unmap the one that changed, free its
 * frame (vm/memory/merge.c). The test device asks for these two as well (vm/platform.c). */
void mmu_unmap(struct mmu_vm *vm, gfn_t first, uint64_t pages);
void mmu_write_protect(struct mmu_vm *vm, gfn_t first, uint64_t pages);

/* Which of the pages [first, first + pages), of RAM, CPUs have used since they were last aged: sets the bits of those
 * in used, (pages + 63) / 64 words, whose leaves' accessed flags are set. With clear they are aged now: the flags are
 * cleared, and flushed, so that what is used when this has returned shows next time, by a flag, by a look at the
 * backing, or, where the leaf went meanwhile, by its used() (S23). A large leaf that is only partly asked about speaks
 * of all its pages; of those beside them too used() tells, then. Another mechanism has forgotten it all. What the
 * hypervisor accesses shows by the backing alone. false: mechanism and CPU have no such flags; whoever wants to know
 * takes the leaves away. */
bool mmu_age(struct mmu_vm *vm, gfn_t first, uint64_t pages, uint64_t *used, bool clear);

/* For who takes a page of a slot's block away, and has cleared its .at: what was remembered by its address is
 * forgotten, and nobody reads or writes by it any more when it returns. No vCPU of the VM runs meanwhile. */
void mmu_block_gone(struct mmu_vm *vm);

/* Changes of the memory map while the VM lives; no vCPU is running. As slots_add (false, too, where the slot ends
 * beyond config.gpa_bits) and slots_remove, and what the mechanism knew of the range is dropped. */
bool mmu_slot_add(struct mmu_vm *vm, const struct slot *slot);
bool mmu_slot_remove(struct mmu_vm *vm, gfn_t base);

/* NULL, or one clause that says why this CPU cannot log so. */
const char *mmu_log_unsupported(const struct mmu_caps *caps, enum mmu_log_method method);
/* From the next log on, writes are found so. NULL, or one clause: why not. vm->log_by is the way that is taken while
 * anything is logged. */
const char *mmu_log_ask(struct mmu_vm *vm, enum mmu_log_method method);
/* Dirty logging of the RAM slot that begins at base (S13). bitmap holds a bit for every page, (pages + 63) / 64 words,
 * and belongs to the VM until the log is stopped. When start returns, every later write to the slot sets its bit: the
 * guest's, its CPU's to accessed and dirty flags, and the hypervisor's own. false: no such RAM slot, logged
 * already, or no memory for what the way needs. */
bool mmu_log_start(struct mmu_vm *vm, gfn_t base, uint64_t *bitmap);
/* Moves the log into out (as many words) and clears it; pages reported are protected again, and flushed, when it
 * returns: the caller may then copy them. */
bool mmu_log_collect(struct mmu_vm *vm, gfn_t base, uint64_t *out);
bool mmu_log_stop(struct mmu_vm *vm, gfn_t base);
/* The vCPU's CPU has left its guest because its log is full. true: the CPU's index is to be mmu_log_index(). */
bool mmu_log_full(struct mmu_vcpu *vcpu);
/* Where a log begins, downwards: the PML index. */
static inline uint16_t mmu_log_index(const struct mmu_vm *vm)
{
	return (uint16_t)((vm->config.log_entries ? vm->config.log_entries : MMU_LOG_ENTRIES) - 1);
}

/* Overlays (mmu/overlay.c): from now on the guest fetches the instructions of gfn, a page of RAM, from frame, which is
 * the caller's. It is a copy of the page when this returns, and may be changed while no vCPU runs. What the hypervisor
 * reads and writes is the RAM. A write to the page drops the overlay. No vCPU is running. false: that is no such page,
 * or there are as many as there can be. */
bool mmu_overlay_set(struct mmu_vm *vm, gfn_t gfn, hfn_t frame);
/* Drops the overlays of [first, first + pages); no CPU reaches their frames when it returns. false: there was none. */
bool mmu_overlay_drop(struct mmu_vm *vm, gfn_t first, uint64_t pages);
bool mmu_overlaid(struct mmu_vm *vm, gfn_t gfn);
/* From now on gfn, a page of RAM or ROM, is a device's for the guest's accesses (MMU_EMULATE), and no CPU reaches what
 * is below it. For the hypervisor, and the guest's page tables, it is what it was. No vCPU is running. false: it is no
 * such page, or is covered already, or there are as many as there can be. */
bool mmu_cover(struct mmu_vm *vm, gfn_t gfn);
/* It is again what it was. false: it was not covered. */
bool mmu_uncover(struct mmu_vm *vm, gfn_t gfn);
/* With on, every page fault of the guest's supervisor ends in mmu_fault(), under nested paging too (MMU_INJECT, if it
 * is the guest's own): for who has put linear addresses into overlays. No vCPU is running, and all registers are in the
 * heart. */
void mmu_watch(struct mmu_vm *vm, bool on);

/* Reads or writes guest-physical RAM or ROM (writes: RAM only) from the hypervisor; may cross pages. Returns how many
 * bytes were done before the first gfn that is not such memory. Writes mark the page dirty and tell the mechanism. */
size_t mmu_guest_read(struct mmu_vm *vm, gpa_t gpa, void *buf, size_t n);
size_t mmu_guest_write(struct mmu_vm *vm, gpa_t gpa, const void *buf, size_t n);
/* Is gfn a page of memory that is not in it now, so that a read would bring it in? */
bool mmu_guest_absent(struct mmu_vm *vm, gfn_t gfn);
/* Compares n bytes at gpa (1, 2, 4, 8 or 16, within a page; 16 aligned) with *expected, and where they are the same
 * writes *desired, by one locked instruction; else *expected becomes what is there. *done: it was written. false: it
 * cannot be written. */
bool mmu_guest_exchange(struct mmu_vm *vm, gpa_t gpa, void *expected, const void *desired, size_t n, bool *done);
/* A pointer to the n bytes at gpa, which must not cross a page; NULL if that is not backed memory of the kind asked
 * for. With write, the page is one that may be written, and is marked dirty; but guest memory is written by the above
 * alone. Valid until the next host-side change. */
void *mmu_guest_ptr(struct mmu_vm *vm, gpa_t gpa, size_t n, bool write);

/* No memory is at gpa: an access there is a device's, as mmu_fault() would say, which need not be asked then, but told
 * (mmu_count_known_mmio). A leaf of this generation was there, and no older one can have taken its place (E4, S14); or
 * an EPT violation was found to be one. */
static inline bool mmu_is_known_mmio(const struct mmu_vcpu *vcpu, gpa_t gpa)
{
	const struct known_mmio *k = &vcpu->mmio[mmu_slot_of(gpa_gfn(gpa).v, KNOWN_MMIO_BITS)];

	return k->gfn.v == gpa_gfn(gpa).v && k->generation == vcpu->vm->slots.generation;
}

/* Without the VM's lock, which others may hold. */
static inline void mmu_count_known_mmio(struct mmu_vcpu *vcpu, enum mmu_fault_kind kind)
{
	struct mmu_counters *c = &vcpu->counters;

	c->faults++;
	c->ept_misconfigs += kind == MMU_FAULT_EPT_MISCONFIG;
	c->ept_violations += kind == MMU_FAULT_EPT_VIOLATION;
	c->outcome_emulate++;
}

/* What was counted for the VM until now, by all its CPUs. Needs no lock: others may be counting. */
struct mmu_counters mmu_counters(const struct mmu_vm *vm);

/* What gva means to the guest for the access, accessed and dirty flags set: for instructions that the hypervisor
 * carries out. false: *error is the page fault's error code. vcpu->regs are up to date; the VM's lock is not held.
 * number: the caller's, of the state that this vCPU's regs are in, PDPTEs apart (S18); 0: it keeps none. */
bool mmu_translate(struct mmu_vcpu *vcpu, gva_t gva, struct access access, uint64_t number, gpa_t *gpa,
		   uint32_t *error);
/* walk() over the VM's memory, for the hypervisor's own accesses by linear address. Tables that are not in memory are
 * brought in. The VM's lock is not held. */
struct walk_result mmu_walk(struct mmu_vm *vm, const struct walk_regs *regs, gva_t gva, struct access access,
			    bool set_ad);

/* For an instruction that cannot be emulated but writes to a tracked table at gpa (a fault there ended in MMU_EMULATE):
 * forgets the shadows of that table, so that the instruction can run by itself. false: this mechanism cannot, or the
 * table is in use as a root. */
bool mmu_unshadow(struct mmu_vm *vm, gpa_t gpa);

/* For the delivery of an event that reaches a tracked table at gpa (a fault with .delivery ended in MMU_EMULATE), and
 * cannot be emulated: lets the CPU reach the table. Its shadows stay as they are until the next call for the VM that is
 * not about the delivery of an event, which brings them up to date. So the delivery ends, even where it writes to the
 * tables that translate its stack. false: that is no tracked table, or the CPU can reach it already; the event cannot
 * be delivered. */
bool mmu_loosen(struct mmu_vm *vm, gpa_t gpa);

/* Pages in use by the mechanism of this VM now, for tables and what it keeps about them. */
uint64_t mmu_table_pages(const struct mmu_vm *vm);

/* Checks the mechanism's invariants, by id, on all its tables (slow; for tests and debug builds). false: one does not
 * hold; why names it. */
bool mmu_audit(struct mmu_vm *vm, char *why, size_t size);

/* Whoever calls it reads the intercepts next. What others change of them from now on raises the flag anew, and requests
 * a flush where the guest must not be entered without. */
static inline void mmu_take_intercepts(struct mmu_vcpu *vcpu)
{
	(void)__atomic_exchange_n(&vcpu->intercepts_changed, false, __ATOMIC_SEQ_CST);
}

static inline bool tag_requested(const struct mmu_vcpu *vcpu)
{
	return __atomic_load_n(&vcpu->tag_pending, __ATOMIC_ACQUIRE);
}

static inline bool tag_work_pending(const struct mmu_vcpu *vcpu, unsigned cpu)
{
	return tag_requested(vcpu) || vcpu->tag.last_cpu != cpu;
}

/* Has something to be done before the vCPU enters its guest, on the CPU where it was last? By one instruction, which no
 * compiler makes of an atomic load; others raise it as they raise each of the three. */
static inline bool mmu_out_of_date(const struct mmu_vcpu *vcpu)
{
	typedef uint32_t __attribute__((may_alias)) word;
	bool some;

	_Static_assert(offsetof(struct mmu_vcpu, never) == offsetof(struct mmu_vcpu, tag_pending) + 3, "read together");
	__asm__ volatile("cmpl $0, %1" : "=@ccne"(some) : "m"(*(const word *)(const void *)&vcpu->tag_pending) :
			 "memory");
	return some;
}

static inline void mmu_enter(struct mmu_vcpu *vcpu, unsigned cpu)
{
	if (unlikely(tag_work_pending(vcpu, cpu)))
		tag_consume(vcpu, cpu);
}

#endif
