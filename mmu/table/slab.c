/* mmu/table/slab.c - small objects in frames. */
#include "mmu/table/slab.h"

void slab_init(struct slab *slab, struct mmu_vm *vm, unsigned shift)
{
	*slab = (struct slab){ .vm = vm, .shift = shift, .top = HFN_NONE };
}

/* A frame whose first word is its own number. */
static uint64_t *frame_with_number(struct mmu_vm *vm)
{
	hfn_t frame = mmu_table_alloc(vm);
	uint64_t *p;

	if (hfn_is_none(frame))
		return NULL;
	p = mmu_table_ptr(vm, frame);
	p[0] = frame.v;
	return p;
}

static bool grow(struct slab *slab)
{
	unsigned per_shift = PAGE_SHIFT - slab->shift;
	uint32_t number = slab->frames;
	uint64_t **directory;
	uint64_t *objects;

	if (number / 511 >= 511)
		return false;
	if (!slab->directory) {
		uint64_t *top = frame_with_number(slab->vm);

		if (!top)
			return false;
		slab->top = HFN(top[0]);
		slab->directory = (uint64_t **)(void *)top;
	}
	directory = &slab->directory[1 + number / 511];
	if (!*directory) {
		*directory = frame_with_number(slab->vm);
		if (!*directory)
			return false;
	}
	objects = frame_with_number(slab->vm);
	if (!objects)
		return false;
	(*directory)[1 + number % 511] = (uintptr_t)objects;
	slab->frames++;
	for (uint32_t i = (uint32_t)BIT(per_shift) - 1; i >= 1; i--) {
		uint32_t id = number << per_shift | i;

		*(uint32_t *)slab_ptr(slab, id) = slab->free;
		slab->free = id;
	}
	return true;
}

uint32_t slab_alloc(struct slab *slab)
{
	uint32_t id;
	void *object;

	if (!slab->free && !grow(slab))
		return 0;
	id = slab->free;
	object = slab_ptr(slab, id);
	slab->free = *(uint32_t *)object;
	memset(object, 0, BIT(slab->shift));
	slab->in_use++;
	return id;
}

void slab_free(struct slab *slab, uint32_t id)
{
	*(uint32_t *)slab_ptr(slab, id) = slab->free;
	slab->free = id;
	slab->in_use--;
}

void slab_destroy(struct slab *slab)
{
	if (!slab->directory)
		return;
	for (unsigned i = 1; i < 512; i++) {
		uint64_t *directory = slab->directory[i];

		if (!directory)
			break;
		for (unsigned j = 1; j < 512 && directory[j]; j++)
			mmu_table_free(slab->vm, HFN(*(uint64_t *)(uintptr_t)directory[j]));
		mmu_table_free(slab->vm, HFN(directory[0]));
	}
	mmu_table_free(slab->vm, slab->top);
	slab->directory = NULL;
}
