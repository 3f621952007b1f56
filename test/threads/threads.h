/* test/threads/threads.h - vCPUs that are real threads, each with a CPU of the model's, and a host thread beside them,
 * for the thread sanitizer: locks are locks, and a kick spins until its vCPU is out of its guest.
 *
 * TH1: who reads page i sees a frame that its entry names, or named before an edit whose shootdown is not over.
 * TH2: what is in a frame is what its guest page holds; a frame that the host took away is overwritten at once. */
#ifndef VELLUM_TEST_THREADS_THREADS_H
#define VELLUM_TEST_THREADS_THREADS_H

#include <pthread.h>
#include <stdio.h>

#include "mmu/mmu.h"
#include "model/cpu.h"

#define VCPUS 4
#define RAM_PAGES 1024u
/* More RAM, so far away that what is known of its frames takes the place of what is known of the first ones wherever
 * look-ups are remembered by a part of their numbers; its first page is the guest's last-level table. */
#define FAR_GFN 0x2000u
#define FAR_PAGES 8u
#define FRAMES_BACKED (RAM_PAGES + FAR_PAGES)
#define DATA_FIRST 100u
#define DATA_PAGES 32u
#define PAGES 16u          /* that the guest maps there */

struct vcpu {
	struct mmu_vcpu mmu;
	struct m_vmcs vmcs;
	struct m_cpu cpu;
	unsigned id;
	bool inside;           /* the thread's own: the model's CPU is in the guest */
	bool in_guest, kicked; /* between threads */
	uint64_t random, accesses;
	uint32_t asked;        /* the shootdown that it has answered */
};

struct machine {
	struct phys phys;
	struct mmu_below below;
	struct mmu_caps caps;
	struct mmu_vm vm;
	struct vpid_pool vpids;
	struct vcpu vcpu[VCPUS];
	pthread_mutex_t lock;      /* the VM's */
	/* frames that are free */
	pthread_mutex_t frames;
	uint64_t *spare, spares;
	/* What backs the guest's pages: twice the frame's number, and 1 where the page is there. It is looked
	 * at without a lock, which would put vCPUs in an order that mmu/ must keep itself. busy: the host takes one
	 * away. */
	pthread_mutex_t busy;
	uint64_t backs[FRAMES_BACKED];
	struct part {
		struct backing backing;
		struct machine *machine;
		unsigned first;    /* in backs */
	} part[2];
	uint64_t log[RAM_PAGES / 64], log_out[RAM_PAGES / 64];
	/* the guest's: who edits; what page i may show, the frame before and that of now; the shootdown under way */
	pthread_mutex_t editing;
	uint32_t shows[PAGES];
	uint32_t shootdown, answered;
	uint64_t shot;             /* its address */
	unsigned running;          /* vCPUs */
	unsigned edit_mask;        /* of 64 steps so many do not edit, less one; all ones in binary */
	uint64_t accesses;         /* of each vCPU */
	bool failed;
};

/* machine.c */
bool machine_make(struct machine *m, const struct mmu_ops *ops, bool vpid);
void machine_free(struct machine *m);
void machine_fail(struct machine *m, const char *what, uint64_t a, uint64_t b);
uint64_t frame_take(struct machine *m);
void frame_give(struct machine *m, uint64_t hfn);
static inline struct machine *machine_of(struct vcpu *v) { return container_of(v->mmu.vm, struct machine, vm); }
/* The guest page's first word. */
static inline uint64_t stamp_of(uint64_t gfn) { return 0x5a5a000000000000ull | gfn; }

/* guest.c */
/* One access of 8 bytes; *hpa says where it went. false: emulated. Looks after kicks and others' shootdowns. */
bool guest_access(struct vcpu *v, uint64_t va, bool write, uint64_t value, uint64_t *hpa);
void guest_leave(struct vcpu *v);
void *guest_run(void *vcpu);
void guest_reload(struct vcpu *v);

#define ROOT_GFN 1u
#define ROOTS 2u
#define L1_GFN FAR_GFN
static inline uint64_t direct(uint64_t gpa) { return (3ull << 39) + gpa; }
/* Where the kernel reaches the last-level table: behind the rest. */
#define DIRECT_PAGES 512u
static inline uint64_t direct_l1(void) { return direct((DIRECT_PAGES - 1) * 4096ull); }
/* In backs. */
static inline unsigned backed(uint64_t gfn)
{
	return (unsigned)(gfn < RAM_PAGES ? gfn : gfn - FAR_GFN + RAM_PAGES);
}
static inline uint64_t next_random(uint64_t *s)
{
	*s = *s * 6364136223846793005ull + 1442695040888963407ull;
	return *s >> 33;
}

#endif
