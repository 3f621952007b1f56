/* lab/machine/machine.h - the modelled machine: one logical processor with its TLBs, paging-structure caches and memory
 * caches, and the virtual machines that share it. Internal to the lab's engine.
 *
 * Two implementations of the translation hardware stand behind `struct lab_hardware`: the fast one
 * (lab/machine/fast*.c), and the plain one (lab/machine/plain*.c), which is written for the reader and against which
 * the fast one is tested. Everything else is shared.
 *
 * Y2: a look-up that hits changes no state of a cache other than the order of use in one set. (The filter of the fast
 *     path rests on it: lab/machine/filter.h.)
 * Y3: everything counted is an integer; times are made from the counts at the end (lab/engine/account.c), so that they
 *     do not depend on the order of additions.
 * Y4: where the state of a set matters, it is exact least-recently-used. */
#ifndef VELLUM_LAB_MACHINE_H
#define VELLUM_LAB_MACHINE_H

#include "lab/machine/ghost.h"
#include "lab/lab.h"
#include "lab/machine/memory.h"
#include "lab/machine/sample.h"

/* ---- sets of entries, which the fast implementation has a number of kinds of ---- */

/* Into the fields ways, sets, power (of two) and mask of a cache. */
#define LAB_SETS(c, g) \
	do { \
		(c)->ways = (g).ways; \
		(c)->sets = (g).entries / (g).ways; \
		(c)->power = ((c)->sets & ((c)->sets - 1)) == 0; \
		(c)->mask = (c)->sets - 1; \
	} while (0)

/* ---- translations, as both implementations tag them ----
 *
 *   bits 0..15   VPID (4 bits) << 12 | PCID; of guest-physical translations: the virtual machine's number
 *   bits 16..60  the page number at the size
 *   bits 61..62  the size, 1 to 3 (a translation), or 1 (a paging-structure-cache entry, whose cache says the level)
 *   bit  63      global: PCID is 0 in the tag
 *
 * No tag is 0. */
#define TAG_GLOBAL BIT(63)
#define TAG_ASID_MASK 0xffffull
#define TAG_PAGE_SHIFT 16
#define TAG_PAGE_BITS 45

static inline unsigned size_shift(unsigned size) { return 12 + 9 * size; }
static inline unsigned level_shift(unsigned level) { return 3 + 9 * level; }

static inline uint64_t tag_make(uint64_t address, unsigned shift, unsigned size, uint64_t asid)
{
	return (address >> shift & (BIT(TAG_PAGE_BITS) - 1)) << TAG_PAGE_SHIFT | (uint64_t)(size + 1) << 61 | asid;
}
static inline unsigned tag_size(uint64_t tag) { return (unsigned)(tag >> 61 & 3) - 1; }
static inline uint64_t tag_page(uint64_t tag) { return tag >> TAG_PAGE_SHIFT & (BIT(TAG_PAGE_BITS) - 1); }
static inline unsigned tag_vpid(uint64_t tag) { return tag >> 12 & 15; }
static inline unsigned tag_pcid(uint64_t tag) { return tag & 0xfff; }

/* What a translation allows, in the low bits of what a tag stands for; above them the host-physical address of the
 * page. */
#define MAY_WRITE 1u   /* and the dirty flag is set */
#define MAY_USER 2u
#define MAY_FETCH 4u
#define MAY_ALL 7u
#define PART_OF_2M 8u  /* a piece of a guest page of 2 MBytes, or 1 GByte: one INVLPG takes all of it */
#define PART_OF_1G 16u
#define ENTRY_ADDRESS (~0xfffull)

/* What an access needs. */
static inline unsigned access_needs(enum lab_kind kind, bool user)
{
	return (kind == LAB_WRITE ? MAY_WRITE : 0) | (kind == LAB_FETCH ? MAY_FETCH : 0) | (user ? MAY_USER : 0);
}

struct lab_cpu;
struct lab_machine;

/* What the hardware made of one access. */
struct lab_translation {
	enum { LAB_TRANSLATED, LAB_PAGE_FAULT, LAB_VIOLATION } how;
	uint32_t error;   /* LAB_PAGE_FAULT */
	uint64_t hpa;     /* LAB_TRANSLATED */
	uint64_t gpa;     /* LAB_VIOLATION */
	bool of_table;    /* LAB_VIOLATION: met in the walk, not for the access itself */
};

/* What an invalidation covers. */
struct lab_cover {
	bool linear;         /* linear and combined mappings: of vpid ... */
	uint8_t vpid;
	bool all_vpids;
	bool all_pcids;      /* ... and of these PCIDs ... */
	uint16_t pcid;
	bool globals;        /* ... and global ones ... */
	bool one_address;    /* ... of this address alone (paging-structure caches: wholly where psc_all) */
	bool psc_all;
	bool pieces;         /* with one_address: all pieces of the guest's page there */
	uint64_t gva;
	bool guest_physical; /* guest-physical mappings of this virtual machine, or all ... */
	uint8_t vm;
	bool all_vms;
	bool one_gpa;        /* ... of this address alone */
	uint64_t gpa;
};

/* Does the cover take the linear or combined translation with this tag and these bits? */
bool lab_covers(const struct lab_cover *cover, uint64_t tag, uint64_t entry);
/* The same for an entry of a paging-structure cache of that level. */
bool lab_covers_psc(const struct lab_cover *cover, uint64_t tag, unsigned level);
/* The same for guest-physical mappings: of a page or of what an EPT entry covers, of 2^shift bytes. */
bool lab_covers_nested(const struct lab_cover *cover, uint64_t tag, unsigned shift);

/* The cause of what a fault drops by itself: no flush, and not put on anyone's account. */
#define LAB_FLUSH_BY_FAULT ((enum lab_flush)LAB_FLUSH_COUNT)

/* One implementation of the translation hardware. */
struct lab_hardware {
	void *(*make)(const struct lab_config *config);
	void (*destroy)(void *hardware);
	/* One look-up: TLBs, and a walk where they miss. Counts it; fills the caches. */
	struct lab_translation (*translate)(struct lab_machine *m, uint64_t gva, enum lab_kind kind, bool user);
	/* Drops what the cover says, and returns how many translations went from the TLBs, telling lab_ghosts_add of
	 * each. */
	uint64_t (*invalidate)(struct lab_machine *m, const struct lab_cover *cover, enum lab_flush cause);
	/* The registers of the running guest changed, or another guest runs. */
	void (*context)(struct lab_machine *m);
	/* A reference to memory through the caches: what answers it. */
	unsigned (*reference)(struct lab_machine *m, uint64_t hpa);
	/* The same through the second caches (lab/machine/sample.h). */
	unsigned (*beside)(struct lab_machine *m, uint64_t hpa);
};
extern const struct lab_hardware lab_fast, lab_plain;

/* Told by the plain implementation of each thing that it does, where someone listens (`vellum lab explain`). */
struct lab_listener {
	void (*looked_up)(void *ctx, const char *where, uint64_t page, unsigned size, bool hit);
	void (*reference)(void *ctx, bool ept, unsigned level, uint64_t gpa, uint64_t hpa, uint64_t entry,
			  unsigned place);
	void *ctx;
};

/* ---- counts that the account is made of, besides those that struct lab_result has itself. */
struct lab_counts {
	struct lab_result r;
	uint64_t delivered_faults, cr3_loads, invlpgs, copied_bytes;
	uint64_t invvpids, invepts;
	uint64_t exit_instructions[LAB_EXIT_COUNT];
	/* Of walks that a flush caused: references, and starts, and nested-TLB hits, for their price. */
	uint64_t refill_references[LAB_FLUSH_COUNT][LAB_PLACES], refill_ntlb_hits[LAB_FLUSH_COUNT],
		refill_ntlb_misses[LAB_FLUSH_COUNT];
	struct lab_sampled sampled;
};

/* ---- the CPU's translation state, as loaded. */
struct lab_context {
	bool nested;          /* EPT on */
	bool tagged;          /* VPID on, or no virtualization: transitions drop nothing */
	bool global;          /* CR4.PGE: global translations exist */
	uint8_t levels;
	uint8_t ept_levels;   /* when nested */
	uint8_t vpid;
	uint16_t pcid;
	uint8_t vm;
	uint64_t root;        /* CR3's table: host-physical, or guest-physical when nested */
	uint64_t eptp;        /* EPTP's table, host-physical; when nested */
	uint64_t asid, global_asid;
	uint64_t ghost_root;  /* what tells apart address spaces that the tags do not */
	const struct lab_ram *ram;
};

enum { LAB_CPUS_MAX = 8 };

/* What a CPU of the host has of its own (lab/engine/processors.c). */
struct lab_core {
	void *hw;             /* the implementation's state */
	struct lab_context now;
	struct lab_ghosts ghosts;
};

struct lab_machine {
	const struct lab_config *config;
	const struct lab_hardware *hardware;
	struct lab_core core[LAB_CPUS_MAX]; /* of those that do not run */
	unsigned cores, core_now;
	/* Of the one that runs. */
	void *hw;
	struct lab_context now;
	struct lab_ghosts ghosts;

	struct lab_counts *counts;
	struct lab_sample sample;
	struct lab_frames frames;
	const struct lab_listener *listener;

	struct mmu_caps caps;
	struct mmu_below below;
	struct vpid_pool *vpids;
	struct lab_cpu *running; /* whose state is loaded */
	struct lab_cpu *vm;      /* [config->hv.vms] */
	struct lab_error *error; /* of the run; never NULL while it goes on */
};

/* A virtual CPU; natively, a CPU. */
struct lab_vcpu {
	struct mmu_vcpu mmu;
	uint64_t cr3, cr4;    /* while it does not run */
};

/* A virtual machine and its CPUs, of which one runs; natively, the machine itself. */
struct lab_cpu {
	struct lab_machine *m;
	unsigned number;
	bool native;
	struct lab_ram ram;
	struct mmu_vm vm;
	struct lab_vcpu vcpus[LAB_CPUS_MAX];
	struct mmu_vcpu *vcpu;   /* the one that runs */
	unsigned on;             /* its number, and that of the host's CPU */
	unsigned vcpus_ready;
	bool vm_ready, vcpu_ready;
	uint64_t cr3, cr4;       /* its */
	char why[160];

	struct lab_os *os;
	struct lab_source *source;
	struct lab_batch *batch;
	unsigned at;             /* the next event of the batch */
	bool ended;
	bool measured;           /* LAB_MEASURE has been seen */
	uint64_t code;           /* the current code page's address */
	bool in_kernel;          /* the guest OS has been told that the stream is (with page-table isolation only) */
	uint64_t done;           /* accesses of the stream */
	uint64_t last;           /* the address of the last one to data (the plain loop keeps it) */
	uint64_t kernel;         /* accesses of the guest's kernel */
	uint64_t next_tick, next_scan, next_exit;
	struct mmu_counters mmu_before;
	uint64_t populated_before[LAB_SIZES];
	/* instructions of the mechanism's pieces of work, up to the latest exit (lab/machine/price.c) */
	double work;
};

/* A walk's reference in the sample: what answered it, and what the second caches answer. */
static inline void lab_sampled_walk(struct lab_machine *m, uint64_t hpa, unsigned alone, unsigned beside)
{
	m->counts->sampled.walks_alone[lab_line_of(hpa)][alone]++;
	m->counts->sampled.walks[lab_line_of(hpa)][beside]++;
}

/* An access to data was translated: it goes through the caches, where that is asked for. */
static inline void lab_data(struct lab_machine *m, uint64_t hpa)
{
	if (m->config->machine.data_cache)
		m->counts->r.data[m->hardware->reference(m, hpa)]++;
	else if (lab_in_sample(m->sample.lines, hpa))
		m->counts->sampled.data[lab_line_of(hpa)][m->hardware->beside(m, hpa)]++;
}

/* ---- lab/engine/vm.c: exits, faults, entries */

bool lab_machine_init(struct lab_machine *m, const struct lab_config *config, struct lab_counts *counts,
		      struct lab_error *error);
void lab_machine_fini(struct lab_machine *m);

/* Makes cpu's state the machine's: the CPU runs it from here on. */
void lab_enter(struct lab_cpu *cpu);
/* An exit of the running guest for kind, with instructions of the hypervisor beyond those of any exit. lab_enter must
 * follow. */
void lab_exited(struct lab_cpu *cpu, enum lab_exit kind, uint64_t instructions);

/* n exits for kind, one after the other, each with its entry; natively, nothing. */
void lab_exits(struct lab_cpu *cpu, enum lab_exit kind, uint64_t n, uint64_t instructions);

/* ---- lab/engine/processors.c: several CPUs */

bool lab_cores_init(struct lab_machine *m); /* false: out of memory; lab_cores_fini all the same */
void lab_cores_fini(struct lab_machine *m);
bool lab_vcpus_init(struct lab_cpu *cpu, const struct walk_regs *regs);
void lab_vcpus_fini(struct lab_cpu *cpu);
/* From the count of wake-ups: cycles_wakeups and cycles_beside. */
void lab_price_wakeups(const struct lab_config *config, struct lab_result *r);

/* lab/machine/price.c: instructions that the mechanism's work since the last call took, beyond those of the exits
 * themselves. */
uint64_t lab_work_since(struct lab_cpu *cpu);

/* How an access ended. */
enum lab_ended {
	LAB_DONE,     /* made by the CPU */
	LAB_EMULATED, /* the hypervisor must make it */
	LAB_BROKEN,   /* m->error says why the run cannot go on */
};
/* What follows when the hardware could not translate: the exit or the fault, and everything until the access was made.
 * t: what the hardware said first. */
enum lab_ended lab_resolve(struct lab_cpu *cpu, uint64_t gva, enum lab_kind kind, bool user, struct lab_translation *t);
/* An access from its beginning, counted. */
enum lab_ended lab_access(struct lab_cpu *cpu, uint64_t gva, enum lab_kind kind, bool user, struct lab_translation *t);
/* After LAB_EMULATED of an access that is not the kernel's store to a table: the emulator makes it, and the guest is
 * entered. */
void lab_emulated(struct lab_cpu *cpu, const struct lab_translation *t, enum lab_kind kind);
/* As the instruction: drops what cover says. */
void lab_invalidate(struct lab_machine *m, const struct lab_cover *cover, enum lab_flush cause);

/* ---- the loops: run cpu's stream until its count of accesses reaches until, or it ends. false: broken. */
bool lab_loop_fast(struct lab_cpu *cpu, uint64_t until);
bool lab_loop_plain(struct lab_cpu *cpu, uint64_t until);

/* As lab_run_sources; and before the machine is gone, after(m, ctx). */
typedef void lab_after(struct lab_machine *m, void *ctx);
bool lab_run_then(const struct lab_config *config, struct lab_source *const source[], struct lab_result *result,
		  lab_after *after, void *ctx, struct lab_error *error);

/* ---- lab/engine/account.c */
void lab_account(const struct lab_machine *m, struct lab_result *result);
void lab_measure(struct lab_machine *m);

#endif
