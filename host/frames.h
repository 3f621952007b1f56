/* host/frames.h - the host's physical memory, by frames.
 *
 * FR1  A frame is free, or owned by exactly one user; the hypervisor's image, the boot modules, everything below 1 MiB
 *      and what the firmware keeps are never free. */
#ifndef VELLUM_HOST_FRAMES_H
#define VELLUM_HOST_FRAMES_H

#include "mmu/addr.h"

/* RAM above this is left unused. */
#define FRAMES_BYTES_MAX (64ull << 30)

/* Adds the RAM [base, end), bytes, to what may be free; frames_reserve takes away. Called at boot, before any
 * allocation: first all adds, then all reserves. RAM above the limit that frames_add can manage is left out;
 * frames_total tells. */
void frames_add(uint64_t base, uint64_t end);
void frames_reserve(uint64_t base, uint64_t end);

/* One zeroed frame, or HFN_NONE. */
hfn_t frames_alloc(void);
/* count frames in one contiguous run that begins at a multiple of align frames (a power of two); not zeroed. HFN_NONE
 * if there is no such run. */
hfn_t frames_alloc_run(uint64_t count, uint64_t align);
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

#endif
