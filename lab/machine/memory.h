/* lab/machine/memory.h - the modelled machine's physical memory. Only tables have content.
 *
 * Frames for mmu/ lie in one region, the guests' memory in others; both are address space of ours that takes memory
 * only where something was stored, so that a guest of any size costs what its page tables take.
 *
 *   host frames  LAB_TABLE_HFN .. LAB_TABLE_HFN + LAB_TABLE_FRAMES   tables and bookkeeping of mmu/
 *                (v + 1) << LAB_VM_HFN_SHIFT ..                      what backs virtual machine v
 *
 * Y1: backing is a function of the guest frame and the settings alone, and can be undone: frame to guest frame. */
#ifndef VELLUM_LAB_MEMORY_H
#define VELLUM_LAB_MEMORY_H

#include "lab/config/config.h"
#include "mmu/mmu.h"

#define LAB_TABLE_HFN 0x1000ull
#define LAB_TABLE_FRAMES (1ull << 22)
#define LAB_VM_HFN_SHIFT 31
#define LAB_VMS_MAX 15
#define LAB_MEMORY_MAX (1ull << 42) /* of one virtual machine, bytes: a region's frames, less room for alignment */

/* What backs one virtual machine. */
struct lab_ram {
	struct backing backing;
	char *bytes;           /* guest-physical 0 is here */
	uint64_t *stored;      /* a bit for each page that something may have been stored to */
	uint64_t pages;
	uint64_t base;         /* hfn of gfn 0, but for what pieces do to it */
	uint64_t seed;
	uint64_t *given;       /* a bit for the first frame of each page that the host has given */
	uint64_t populated[3]; /* how many, by size */
	uint32_t scattered_2m; /* of 2^32: blocks of 2 MBytes backed by 4-KByte pieces */
	uint8_t order;         /* of the largest page that is asked for */
	uint32_t scattered_1g; /* of 2^32: blocks of 1 GByte backed by 2-MByte pieces */
};

bool lab_ram_init(struct lab_ram *ram, unsigned vm, const struct lab_config *config, struct lab_error *error);
void lab_ram_fini(struct lab_ram *ram);
/* Where the bytes of a frame of the region are. */
void *lab_ram_ptr(const struct lab_ram *ram, uint64_t hfn);

struct lab_frames {
	char *bytes;
	uint64_t next;       /* frames below were used once */
	uint64_t *spare;     /* freed ones, the last freed first */
	size_t spares, room;
};

bool lab_frames_init(struct lab_frames *frames, struct lab_error *error);
void lab_frames_fini(struct lab_frames *frames);
hfn_t lab_frames_alloc(struct lab_frames *frames);
void lab_frames_free(struct lab_frames *frames, hfn_t hfn);

static inline void *lab_frames_ptr(const struct lab_frames *frames, uint64_t hfn)
{
	return frames->bytes + ((hfn - LAB_TABLE_HFN) << PAGE_SHIFT);
}

#endif
