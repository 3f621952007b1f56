/* vm/snapshot/snapshot.h - snapshots of virtual machines: the memory leaves while the machine runs, all else when it
 * stands; and a virtual machine begins as a snapshot says (docs/snapshot.md).
 *
 *   SN1  A page of memory leaves when it has not been told, or has been written since. So the log has each write from
 *        before the first page is read on, and a page is taken off the list before it is read.
 *   SN2  What is written of CPUs and devices is of one moment: the virtual machine is paused, none of its virtual CPUs
 *        runs, nothing that a device has begun is under way, and the memory that left is that of this moment.
 *   SN3  A virtual machine of which a snapshot was taken goes on as if it had not been: what was changed for that (how
 *        its TPR is virtualized, the log) is changed back.
 *   SN4  What is read is believed as little as a guest is: it makes a virtual machine that could have come to be by
 *        itself, or none, with a sentence. */
#ifndef VELLUM_VM_SNAPSHOT_H
#define VELLUM_VM_SNAPSHOT_H

#include "dev/state.h"
#include "mmu/addr.h"
#include "vm/config/config.h"
#include "vm/load/snapshot_file.h"

#define SAVE_RANGES 3         /* RAM below and above 4 GBytes, and a display's memory */
#define SAVE_PIECE 16384u     /* bytes of memory, or of state, that leave in one answer */
#define SAVE_PAGES (SAVE_PIECE >> PAGE_SHIFT)
#define SAVE_SCAN 4096u       /* pages that are looked at for one answer */
#define SAVE_LOOKS 1024u      /* pages whether they are zero */
#define SAVE_STATE_MAX (512u << 10)

struct save_range {
	gfn_t base;
	uint64_t pages;
	uint64_t *pending; /* pages that are to leave; NULL: the range is empty */
};

struct vm_save {
	bool on;
	bool later;          /* than the first time: that a page is zero must be told, too */
	bool still;          /* SN2: prepared, until the end */
	bool stands;         /* since then nobody has let it go on */
	enum config_tpr tpr; /* that it had before */
	struct save_range range[SAVE_RANGES];
	unsigned at_range;   /* where the search goes on */
	uint64_t at;
	uint64_t left;       /* pages that are to leave */
	uint32_t display;    /* video_changes() up to which the display's have been put on the list */
	uint8_t *state;      /* SAVE_STATE_MAX bytes; NULL: nothing was written yet */
	uint32_t state_bytes;
	uint64_t shift;      /* of a VM that was restored: what its clock is ahead of the snapshot's */
};

/* Pages that leave at once: first those with bytes, one behind the other in .bytes, then zero ones in runs. */
struct save_pages {
	uint64_t gfn[SAVE_PAGES];
	unsigned count;
	uint64_t zero_first[SAVE_PAGES], zero_pages[SAVE_PAGES];
	unsigned zeroes;
	uint8_t *bytes; /* the caller's, SAVE_PIECE of them */
};

struct vm;
struct vcpu;
struct vm_patch;

/* ---- vm/snapshot/save.c; on the CPU of the VM's boot processor, with no lock held ---- */

/* Begins: all RAM is to leave, and is logged. NULL, or one clause that says why not. */
const char *save_begin(struct vm *vm);
/* The same for who copies it to another container of the same machine (vm/live/live.h); follows: without the RAM that
 * comes when it is touched. */
const char *save_begin_here(struct vm *vm, bool follows);
/* A page of it. false: it is all zero, or nothing. */
bool save_page(struct vm *vm, gfn_t gfn, uint8_t *to);
/* Is it nothing, where a guest finds it? */
bool save_nothing(struct vm *vm, gfn_t gfn);
/* The next pages that are to leave; none: nothing is left, or so many were looked at that there is to be another
 * call. */
void save_pages(struct vm *vm, struct save_pages *p);
/* Of pages that are to leave for the first time, takes those off the list that are zero, where who takes the others has
 * zeroes anyhow; SAVE_LOOKS at once. A write that comes behind the look is in the log. false: all have been looked
 * at. */
bool save_scan(struct vm *vm);
/* The next run of at most `most` pages that are to leave, off the list: of which range, from which page of it on.
 * false: nothing is left. With the VM's device lock held, where the exchange has it. */
bool save_take_run(struct vm_save *s, uint64_t most, unsigned *range, uint64_t *first, uint64_t *pages);
/* What was written since is to leave, too. */
void save_collect(struct vm *vm);
/* The VM is paused, and its vCPUs do not run: makes it still (SN2). false: devices have something under way yet. NULL
 * in *why, or one clause that says why it cannot be. */
bool save_prepare(struct vm *vm, const char **why);
/* Writes the machine's state, and that of v, which is loaded here. 0 bytes: there is no room. */
bool save_machine(struct vm *vm);
size_t save_cpu(struct vcpu *v, uint8_t *bytes, size_t size);
/* It is over, well or not (SN3). */
void save_end(struct vm *vm);
/* The VM is over: gives back what it holds. */
void save_free(struct vm *vm);

/* ---- vm/snapshot/machine.c, cpu.c, features.c: what is in a snapshot ---- */

void machine_state(struct fields *s, struct vm *vm);
FOR_TESTS void patch_state(struct fields *s, struct vm_patch *p);
struct cpuid_policy;
void cpuid_state(struct fields *s, struct cpuid_policy *p);
/* The name of something that a CPU has that was shown to a guest, and that one which can be this has not; NULL: there
 * is no such thing. */
const char *cpuid_lacks(const struct cpuid_policy *shown, const struct cpuid_policy *can);
/* Reading: v has been made, and is given its registers. */
bool cpu_state(struct fields *s, struct vcpu *v);

/* ---- vm/snapshot/restore.c ---- */

static inline bool restore_given(const struct vm_config *c) { return c->restore[0] != '\0'; }
/* The parts of a VM's beginning, in this order, of one whose description says so: its CPUID's answers, behind
 * cpuid_policy_init; memory, devices and local APICs, before tpr_init; its vCPUs, in place of vcpus_start. false: it
 * has ended. */
bool restore_begin(struct vm *vm);
bool restore_machine(struct vm *vm);
bool restore_vcpus(struct vm *vm);
/* What v, whose registers come from a snapshot, has of its virtual machine all the same (vm/cpu/vcpu.c). */
void vcpu_prepare(struct vcpu *v);

#endif
