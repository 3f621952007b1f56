/* lab/os/inside.h - what the files of the guest OS share among themselves. */
#ifndef VELLUM_LAB_OS_INSIDE_H
#define VELLUM_LAB_OS_INSIDE_H

#include "lab/os/os.h"
#include "lib/for_tests.h"
#include "lib/x86.h"

/* An entry that names a table. */
#define ENTRY_TABLE (PTE_P | PTE_W | PTE_U | PTE_A | PTE_D)

#define CR3_USER_PCID 0x800ull /* as Linux: with page-table isolation a process has two PCIDs */

enum { OS_CPUS_MAX = 8, OS_ASIDS = 6, OS_GATHER = 8192, OS_WINDOW = 16, OS_STACK_MAX = 8 << 20 };
/* Which page of the kernel's text an activity runs on. */
enum { WORK_FAULT, WORK_SYSCALL, WORK_PAGES, WORK_SWITCH, WORK_TICK, WORK_FORK, WORK_WAKE, WORK_IDLE, WORK_IRQ };

static inline unsigned level_shift(unsigned level) { return 12 + 9 * (level - 1); }
static inline uint64_t level_size(unsigned level) { return 1ull << level_shift(level); }

/* ---- frames (lab/os/frames.c). Page frame numbers of guest-physical memory; 2-MByte blocks of 512 frames.
 *
 * F1: a block is free, or one 2-MByte page, or split into frames each used or free, or part of a 1-GByte page, or
 *     reserved.
 * F2: a page that is used has 1 + extra references; only those with extra ones are in the table of references.
 * F3: a fragmented block has one frame that is never ours; so it can only be split. */
enum block_state { BLOCK_FREE, BLOCK_WHOLE, BLOCK_SPLIT, BLOCK_GIANT, BLOCK_RESERVED };

struct split {
	uint64_t used[8];   /* bitmap */
	uint32_t count;
	bool listed;        /* in the list of blocks with free frames */
	uint64_t next;
};

struct refs {
	uint64_t *key;      /* frame + 1; 0: free */
	uint32_t *extra;
	uint64_t room, used;
};

struct frames {
	uint64_t blocks;    /* of 2 MBytes */
	uint8_t *state;
	struct split **split;
	uint64_t partial;   /* list of split blocks with free frames; blocks: the end */
	uint64_t next_whole, next_fragmented, limit; /* fresh blocks; from limit on they are parts of 1-GByte pages */
	uint64_t *freed, freed_count, freed_room;    /* whole blocks that came back */
	uint64_t *giants, giants_count, giants_room;
	struct refs refs;
	double fragmentation;
	uint64_t seed;
	uint64_t used;      /* frames, for the audit */
};

bool frames_init(struct frames *f, uint64_t memory, double fragmentation, uint64_t seed);
void frames_fini(struct frames *f);
/* A page of the level (1: 4K, 2: 2M, 3: 1G), its first frame; UINT64_MAX: there is none. */
uint64_t frames_alloc(struct frames *f, unsigned level);
bool frames_get(struct frames *f, uint64_t frame, unsigned level);
void frames_put(struct frames *f, uint64_t frame, unsigned level);
/* References to a page besides the caller's own. */
uint64_t frames_others(const struct frames *f, uint64_t frame, unsigned level);
/* Is there a page of 2 MBytes to be had? */
bool frames_whole_left(const struct frames *f);
/* A 2-MByte page is referred to by its frames from now on. false: no memory. */
bool frames_split(struct frames *f, uint64_t frame);

/* ---- processes and their VMAs (lab/os/vma.c).
 *
 * A1: a process's VMAs are sorted, do not overlap, are not empty and end on page boundaries.
 * A2: a leaf is present only inside a VMA, and allows no more than it.
 * A3: a table exists only where a VMA is, in the region that it maps. */
struct vma {
	uint64_t start, end;
	uint64_t offset;    /* of start, in the file */
	uint32_t file;      /* 0: anonymous */
	uint16_t flags;     /* LAB_MAP_* */
	uint8_t prot;
	uint8_t advice;     /* LAB_ADVICE_HUGEPAGE, LAB_ADVICE_NOHUGEPAGE or 0 */
	bool implied;       /* made for what was touched: who mapped it, and how, is not known */
	bool copied;        /* has pages of its own: fork must copy its tables */
};

struct mm {
	uint64_t pgd, user_pgd; /* guest-physical addresses; user_pgd with page-table isolation, else 0 */
	uint64_t id;            /* never given again */
	uint64_t brk_start, brk_end;
	bool brk_known;
	uint64_t scanned;       /* for collapsing: what comes next */
	struct vma *vma;
	unsigned vmas, room;
};

/* The VMA that holds va, or the first one above it; mm->vmas: none. */
unsigned vma_find(const struct mm *mm, uint64_t va);
static inline bool vma_holds(const struct mm *mm, unsigned i, uint64_t va)
{
	return i < mm->vmas && mm->vma[i].start <= va;
}
bool vma_insert(struct mm *mm, const struct vma *v); /* where nothing is; merges with neighbours that are alike */
bool vma_cut(struct mm *mm, uint64_t at);            /* so that none crosses at */
void vma_remove(struct mm *mm, unsigned first, unsigned count);
void vma_merge(struct mm *mm, unsigned first, unsigned last);

/* ---- the page cache (lab/os/file.c): file and page number to frame. */
struct cache_entry {
	uint64_t page;
	uint32_t file; /* 0: free */
	uint64_t frame;
};
struct page_cache {
	struct cache_entry *e;
	uint64_t room, used;
};
uint64_t *cache_find(struct page_cache *c, uint32_t file, uint64_t page);
bool cache_add(struct page_cache *c, uint32_t file, uint64_t page, uint64_t frame);

/* ---- the OS ---- */

struct asid {
	uint64_t id;
	bool user_stale;
};

/* Pages and tables that are unmapped, until the flush is done. */
struct gather {
	uint64_t first, last; /* addresses to be flushed: [first, last) */
	unsigned stride;      /* shift of the smallest page among them */
	unsigned n;
	uint64_t page[OS_GATHER]; /* frame << 2 | level */
};

/* Of each CPU. */
struct os_own {
	struct asid asid[OS_ASIDS];
	unsigned asid_now, asid_next;
	struct mm *loaded;     /* what CR3 names; NULL: the kernel's own */
	bool user_cr3;
};

struct lab_os {
	struct lab_cpu *cpu;
	const struct lab_guest_config *config;
	struct lab_guest_features features;
	bool implicit, pcid, pti;
	bool in_kernel;        /* the stream is: do not leave */
	uint64_t direct, kernel_pgd, zero_frame;
	unsigned levels;
	uint64_t kernel_flags; /* G, where kernel mappings are global */
	uint64_t user_top;
	struct frames frames;
	struct page_cache cache;
	struct mm **process;
	uint32_t processes, current;
	uint32_t next_shared;  /* number for the next shared anonymous mapping: a file without a name */
	uint64_t next_id;
	unsigned at;           /* the CPU that runs */
	struct os_own own, other[OS_CPUS_MAX]; /* its, and those of the others */
	struct gather gather;
	struct lab_os_counters count;
	uint64_t most;         /* bytes that were mapped when os_held_* were counted */
	uint64_t entered;      /* leaves made since */
	uint64_t tables;
	struct lab_error *error;
};

static inline struct mm *os_mm(struct lab_os *os)
{
	return os->current < os->processes ? os->process[os->current] : NULL;
}

/* ---- tables (lab/os/tables.c). All but the boot go through the CPU. */

struct spot {
	uint64_t at, value; /* the entry's address and what it holds */
	unsigned level;
};
uint64_t os_read(struct lab_os *os, uint64_t at);
void os_write(struct lab_os *os, uint64_t at, uint64_t value);
/* Behind the CPU's back, for what costs the guest nothing: the entry for va at the level, or what ends the way above
 * it. */
struct spot os_peek(const struct lab_os *os, const struct mm *mm, uint64_t va, unsigned level);
/* Goes down to the entry for va at the level, or to a leaf or (make false) to an absent entry above it. make: missing
 * tables are added; false then means no memory. */
bool os_descend(struct lab_os *os, struct mm *mm, uint64_t va, unsigned level, bool make, struct spot *s);
/* A page for a table, zeroed; UINT64_MAX: none. */
uint64_t os_table(struct lab_os *os);
uint64_t os_alloc(struct lab_os *os, unsigned level); /* with an error if there is none at level 1 */
void os_count_leaf(struct lab_os *os, unsigned level, int by);
/* Replaces a 2-MByte leaf by a table of small ones. */
bool os_split(struct lab_os *os, uint64_t va, const struct spot *s);
/* Calls for what is mapped in [start, end) of one VMA: each leaf, split where the range cuts it. */
typedef bool os_leaf_function(struct lab_os *os, struct mm *mm, uint64_t va, struct spot *s, void *ctx);
bool os_each_leaf(struct lab_os *os, struct mm *mm, uint64_t start, uint64_t end, os_leaf_function *f, void *ctx);
bool os_zap(struct lab_os *os, struct mm *mm, uint64_t start, uint64_t end);
/* Frees the tables that map nothing but the gap [floor, ceiling) and something of [start, end). */
void os_free_tables(struct lab_os *os, struct mm *mm, uint64_t start, uint64_t end, uint64_t floor, uint64_t ceiling);
/* The kernel's own tables. */
bool os_boot_tables(struct lab_os *os);

/* ---- translation caches and context (lab/os/tlb.c) */
void os_gather_add(struct lab_os *os, struct mm *mm, uint64_t va, uint64_t frame, unsigned level);
void os_gather_range(struct lab_os *os, uint64_t va, unsigned shift);
/* Flushes what was gathered, then frees it. */
void os_gather_flush(struct lab_os *os, struct mm *mm);
void os_flush_mm(struct lab_os *os, struct mm *mm);
void os_load(struct lab_os *os, struct mm *mm);
void os_enter(struct lab_os *os); /* to the kernel, and back to the user */
void os_leave(struct lab_os *os);

/* ---- several CPUs (lab/os/smp.c) */
unsigned os_cpu_of(const struct lab_os *os, uint32_t process);
/* This CPU wakes another one and goes to sleep; from here on that one runs, in the kernel. */
void os_go_to(struct lab_os *os, unsigned cpu);

/* ---- calls and faults */
bool os_fault(struct lab_os *os, struct mm *mm, uint64_t va, bool write);      /* lab/os/fault.c */
uint64_t os_prot_bits(const struct vma *v);
unsigned os_wanted_level(const struct lab_os *os, const struct vma *v, uint64_t va);
void os_collapse_some(struct lab_os *os);                                      /* lab/os/collapse.c */
/* Would khugepaged make one page of the 2 MBytes whose last-level table is at gpa? pte: what is in it. */
bool os_collapsible(const struct lab_os *os, uint64_t table, uint64_t pte[512]);
/* Mappings are about to go (lab/os/sizes.c). If there are more than ever before, os_held_* and os_small_* are counted,
 * of all processes. Counting looks at each leaf, so of many, 1/64 more are needed before it is done again. */
void os_note_sizes(struct lab_os *os);
/* The same at the end. */
void os_sizes_at_most(const struct lab_os *os, struct lab_os_counters *to);
struct mm *os_mm_new(struct lab_os *os);                                       /* lab/os/process.c */
bool os_fork(struct lab_os *os, uint32_t child);
bool os_exec(struct lab_os *os);
bool os_exit(struct lab_os *os);
bool os_switch(struct lab_os *os, uint32_t process);
bool os_mmap(struct lab_os *os, struct mm *mm, const struct lab_call *c);      /* lab/os/map.c */
bool os_munmap(struct lab_os *os, struct mm *mm, uint64_t start, uint64_t end);
bool os_mprotect(struct lab_os *os, struct mm *mm, uint64_t start, uint64_t end, uint8_t prot);
bool os_madvise(struct lab_os *os, struct mm *mm, uint64_t start, uint64_t end, uint8_t advice);
bool os_mremap(struct lab_os *os, struct mm *mm, const struct lab_call *c);
bool os_brk(struct lab_os *os, struct mm *mm, uint64_t end);

/* For tests: true where F1..F3, A1..A3 hold and every frame in use is found from a table or the page cache
 * (lab/os/audit.c). */
FOR_TESTS bool os_audit(const struct lab_os *os, char *why, size_t size);

#endif
