/* host/frames.h - the host's physical memory, by frames.
 *
 * F1  A frame is free, or owned by exactly one user; the hypervisor's image, the boot modules, everything below 1 MiB and
 *     what the firmware keeps are never free. */
#ifndef VELLUM_HOST_FRAMES_H
#define VELLUM_HOST_FRAMES_H

#include "mmu/addr.h"

/* Adds the RAM [base, end), bytes, to what may be free; frames_reserve takes away. Called at boot, before any allocation:
 * first all adds, then all reserves. RAM above the limit that frames_add can manage is left out; frames_total tells. */
void frames_add(uint64_t base, uint64_t end);
void frames_reserve(uint64_t base, uint64_t end);

/* One zeroed frame, or HFN_NONE. */
hfn_t frames_alloc(void);
/* count frames in one contiguous run that begins at a multiple of align frames (a power of two); not zeroed. HFN_NONE if
 * there is no such run. */
hfn_t frames_alloc_run(uint64_t count, uint64_t align);
void frames_free(hfn_t first, uint64_t count);

uint64_t frames_total(void);
uint64_t frames_available(void);

static inline void *frames_ptr(hfn_t f) { return (void *)(uintptr_t)(f.v << PAGE_SHIFT); }
static inline hfn_t frames_of_ptr(const void *p) { return HFN((uint64_t)(uintptr_t)p >> PAGE_SHIFT); }

#endif
