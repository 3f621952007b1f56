/* host/memory/frames.h - the host's physical memory, by frames.
 *
 * FR1  A frame is free, or owned by exactly one user; the hypervisor's image, the boot modules, everything below 1 MiB
 *      and what the firmware keeps are never free.
 * FR2  A free frame that is marked clear is all zero: who is given it takes the mark away, who clears it ahead puts
 *      it. */
#ifndef VELLUM_HOST_FRAMES_H
#define VELLUM_HOST_FRAMES_H

#include "mmu/addr.h"

/* RAM above this is left unused: as much as the direct map can show with the rest of an address space of 48 bits left
 * (host/memory/paging.c). */
#define FRAMES_BYTES_MAX (64ull << 40)

/* Bytes of the map that frames below end (bytes) need, whole pages. */
uint64_t frames_map_bytes(uint64_t end);
/* Called at boot, before any allocation. First the map: at this address, so many bytes for end as above; then all
 * adds, RAM [base, end), bytes, that may be free; then all reserves, which take away. What is above the map's end is
 * left out; frames_total tells. */
void frames_init(uint64_t map, uint64_t end);
void frames_add(uint64_t base, uint64_t end);
void frames_reserve(uint64_t base, uint64_t end);
/* No RAM is at or above this; bytes. */
uint64_t frames_end(void);

/* One zeroed frame, or HFN_NONE. */
hfn_t frames_alloc(void);
/* count frames in one contiguous run that begins at a multiple of align frames (a power of two); not zeroed. HFN_NONE
 * if there is no such run. */
hfn_t frames_alloc_run(uint64_t count, uint64_t align);
/* 2 MiB, zeroed, that begin at a multiple of 2 MiB: FRAMES_BLOCK frames. HFN_NONE if there are none in one piece. */
#define FRAMES_BLOCK 512
hfn_t frames_alloc_block(void);
/* The same if it need not be zeroed first, so that it takes no time; HFN_NONE where it must be. */
hfn_t frames_alloc_clear_block(void);
/* Clears free blocks of 2 MiB ahead, as many of those that frames_alloc_block() would give next: who gets them then
 * need not wait for it. */
void frames_clear_ahead(uint64_t blocks);
/* The same below 4 GiB, for devices whose addresses have 32 bits. */
hfn_t frames_alloc_run_low(uint64_t count, uint64_t align);
void frames_free(hfn_t first, uint64_t count);

/* Frames that could be handed out at boot, and those that can now. */
uint64_t frames_total(void);
uint64_t frames_available(void);

/* Where the direct map begins, which shows all RAM but the image: chosen by paging_init(), 0 (addresses are physical)
 * until then. These functions are the only ones that convert. */
extern uint64_t frames_base;

static inline void *frames_ptr(hfn_t f) { return (void *)(uintptr_t)(frames_base + (f.v << PAGE_SHIFT)); }
static inline hfn_t frames_of_ptr(const void *p) { return HFN(((uint64_t)(uintptr_t)p - frames_base) >> PAGE_SHIFT); }
/* The same for what lies at a physical address in RAM, or at a pointer within a frame. */
static inline void *frames_at(hpa_t a) { return (void *)(uintptr_t)(frames_base + a.v); }
static inline hpa_t frames_hpa(const void *p) { return HPA((uint64_t)(uintptr_t)p - frames_base); }

/* Zeroed memory for so many bytes, in one piece; NULL: there is none. */
static inline void *frames_take(uint64_t bytes)
{
	hfn_t first = frames_alloc_run(pages_for(bytes), 1);

	return hfn_is_none(first) ? NULL : memset(frames_ptr(first), 0, pages_for(bytes) << PAGE_SHIFT);
}

/* Back, all of it. */
static inline void frames_give(void *p, uint64_t bytes) { frames_free(frames_of_ptr(p), pages_for(bytes)); }

#endif
