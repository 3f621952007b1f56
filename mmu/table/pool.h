/* mmu/table/pool.h - small objects of one size, carved out of frames, named by 32-bit numbers (0: none). The first place of a frame
 * holds the frame's own number, so that all can be given back. */
#ifndef VELLUM_MMU_POOL_H
#define VELLUM_MMU_POOL_H

#include "mmu/inside.h"

struct pool {
	struct mmu_vm *vm;
	uint8_t shift;       /* an object has 1 << shift bytes */
	uint32_t free;       /* the first free object; its first 4 bytes name the next */
	uint32_t frames;     /* object frames in use */
	uint32_t in_use;
	hfn_t top;
	/* Frame top: 512 pointers to frames of 512 pointers to object frames; [0] of each is its own frame's number. */
	uint64_t **directory;
};

/* Nothing is allocated yet. */
void pool_init(struct pool *pool, struct mmu_vm *vm, unsigned shift);
void pool_destroy(struct pool *pool);
/* A zeroed object; 0: no memory. */
uint32_t pool_alloc(struct pool *pool);
void pool_free(struct pool *pool, uint32_t id);

static inline void *pool_ptr(const struct pool *pool, uint32_t id)
{
	unsigned per_shift = PAGE_SHIFT - pool->shift;
	uint32_t frame = id >> per_shift;
	uint64_t *directory = pool->directory[1 + frame / 511];

	return (char *)(uintptr_t)directory[1 + frame % 511] + ((uint64_t)(id & (BIT(per_shift) - 1)) << pool->shift);
}

#endif
