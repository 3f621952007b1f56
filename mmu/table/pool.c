/* mmu/table/pool.c - small objects in frames. */
#include "mmu/table/pool.h"

void pool_init(struct pool *pool, struct mmu_vm *vm, unsigned shift)
{
	*pool = (struct pool){ .vm = vm, .shift = shift, .top = HFN_NONE };
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

static bool grow(struct pool *pool)
{
	unsigned per_shift = PAGE_SHIFT - pool->shift;
	uint32_t number = pool->frames;
	uint64_t **directory;
	uint64_t *objects;

	if (number / 511 >= 511)
		return false;
	if (!pool->directory) {
		uint64_t *top = frame_with_number(pool->vm);

		if (!top)
			return false;
		pool->top = HFN(top[0]);
		pool->directory = (uint64_t **)(void *)top;
	}
	directory = &pool->directory[1 + number / 511];
	if (!*directory) {
		*directory = frame_with_number(pool->vm);
		if (!*directory)
			return false;
	}
	objects = frame_with_number(pool->vm);
	if (!objects)
		return false;
	(*directory)[1 + number % 511] = (uintptr_t)objects;
	pool->frames++;
	for (uint32_t i = (uint32_t)BIT(per_shift) - 1; i >= 1; i--) {
		uint32_t id = number << per_shift | i;

		*(uint32_t *)pool_ptr(pool, id) = pool->free;
		pool->free = id;
	}
	return true;
}

uint32_t pool_alloc(struct pool *pool)
{
	uint32_t id;
	void *object;

	if (!pool->free && !grow(pool))
		return 0;
	id = pool->free;
	object = pool_ptr(pool, id);
	pool->free = *(uint32_t *)object;
	memset(object, 0, BIT(pool->shift));
	pool->in_use++;
	return id;
}

void pool_free(struct pool *pool, uint32_t id)
{
	*(uint32_t *)pool_ptr(pool, id) = pool->free;
	pool->free = id;
	pool->in_use--;
}

void pool_destroy(struct pool *pool)
{
	if (!pool->directory)
		return;
	for (unsigned i = 1; i < 512; i++) {
		uint64_t *directory = pool->directory[i];

		if (!directory)
			break;
		for (unsigned j = 1; j < 512 && directory[j]; j++)
			mmu_table_free(pool->vm, HFN(*(uint64_t *)(uintptr_t)directory[j]));
		mmu_table_free(pool->vm, HFN(directory[0]));
	}
	mmu_table_free(pool->vm, pool->top);
	pool->directory = NULL;
}
