/* mmu/table/slab.h - small objects of one size, carved out of frames, named by 32-bit numbers (0: none). The first
 * place of a frame holds the frame's own number, so that all can be given back. */
#ifndef VELLUM_MMU_SLAB_H
#define VELLUM_MMU_SLAB_H

#include "mmu/inside.h"

struct slab {
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
void slab_init(struct slab *slab, struct mmu_vm *vm, unsigned shift);
void slab_destroy(struct slab *slab);
/* A zeroed object; 0: no memory. */
uint32_t slab_alloc(struct slab *slab);
void slab_free(struct slab *slab, uint32_t id);

static inline void *slab_ptr(const struct slab *slab, uint32_t id)
{
	unsigned per_shift = PAGE_SHIFT - slab->shift;
	uint32_t frame = id >> per_shift;
	uint64_t *directory = slab->directory[1 + frame / 511];

	return (char *)(uintptr_t)directory[1 + frame % 511] + ((uint64_t)(id & (BIT(per_shift) - 1)) << slab->shift);
}

#endif
