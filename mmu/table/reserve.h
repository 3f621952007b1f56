/* mmu/table/reserve.h - the frames that a VM has for its tables: a reserve that is its own from the beginning, and a
 * limit.
 *
 * RV1  A VM holds at least `least` frames, in use or in reserve, from its creation to its end: what others take cannot
 *      stop it.
 * RV2  It holds no more than `limit`. Where that, or the machine, has no more, the VM loses its own tables
 *      (ops->relieve).
 * RV3  Each call into a mechanism that makes tables begins with as many frames in reserve as its longest operation
 *      takes (ops->need), so that it never runs out in the middle.
 *
 * Why RV3 can always be had: some of a mechanism's frames cannot go while it runs (its own records, the roots in use,
 * the tree of what is known of guest frames). These and the need are together less than `least`; all else goes when it
 * is asked to.
 *
 * Why an instruction does not lose its first page's tables to its last one: beyond that, `least` has room (ops->ample)
 * for the tables of all the pages that one instruction, or the delivery of one event, can touch. These are two each of
 * code, stack, IDT, GDT, TSS, source and destination, which share nothing: 14 chains of tables, 5 of 3 frames each with
 * a shadow's records, 4 of one frame below EPT's root. Xen's shadow pool is laid out by the same thought. */
#ifndef VELLUM_MMU_RESERVE_H
#define VELLUM_MMU_RESERVE_H

#include "mmu/addr.h"

struct mmu_vm;
struct mmu_config;

/* A list of frames: the number of the first plus one, 0: none; the first word of each frame names the next in the same
 * way. */
struct frame_list {
	uint64_t first;
	uint32_t count;
};

struct reserve {
	struct frame_list clean; /* zero but for the first word */
	struct frame_list dirty;
	/* below 4 GBytes, two a vCPU, for mechanisms that run on PAE tables; not counted elsewhere */
	struct frame_list low;
	uint32_t least, limit, need; /* need: of whoever asked last; what is freed stays here up to it and some */
	/* there was a call for which RV3 could not be had: RV1 was broken, or somebody took the VM's frames */
	bool short_of;
};

/* The frames that a VM with so many pages of RAM may hold at most, and has at least, where its configuration does not
 * say. */
uint32_t mmu_table_limit(uint64_t ram_pages);
struct mmu_ops;
uint32_t mmu_table_least(const struct mmu_ops *ops, uint64_t ram_pages);

/* What every mechanism runs with at least: a VM that has as much can go over to any. */
#define RESERVE_ANY 160

/* Takes the reserve from below. false: there is not so much; nothing is held. */
bool reserve_init(struct mmu_vm *vm);
/* Gives all back. */
void reserve_destroy(struct mmu_vm *vm);
/* The mechanism is about to run: RV1 is with what is ample for it, or as near to that as there are frames below. false:
 * it cannot run. */
bool reserve_raise(struct mmu_vm *vm, const struct mmu_ops *ops);
/* Two low frames more for a vCPU (where there are none, fewer), or two fewer. */
void reserve_add_low(struct mmu_vm *vm);
void reserve_drop_low(struct mmu_vm *vm);
/* RV3: makes need frames at hand, from below, or else at the cost of the VM's own tables. */
void reserve_refill(struct mmu_vm *vm, uint32_t need);

static inline uint32_t reserve_count(const struct reserve *r) { return r->clean.count + r->dirty.count; }

#endif
