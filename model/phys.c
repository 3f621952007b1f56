/* Sparse physical memory: a three-level radix tree over frame numbers. */
#include "model/phys.h"

#include "lib/atomic.h"

#include <stdlib.h>
#include <string.h>

#define UNTOUCHED ((uint8_t *)1)
#define MID(frame) (((frame) >> PHYS_LOW_BITS) & (BIT(PHYS_MID_BITS) - 1))
#define LOW(frame) ((frame) & (BIT(PHYS_LOW_BITS) - 1))
#define TOP(frame) ((frame) >> (PHYS_LOW_BITS + PHYS_MID_BITS))

static void *zalloc(size_t count, size_t size)
{
	void *p = calloc(count, size);

	if (!p)
		abort();
	return p;
}

bool phys_init(struct phys *p)
{
	*p = (struct phys){ 0 };
	p->top = calloc(BIT(PHYS_TOP_BITS), sizeof(*p->top));
	return p->top != NULL;
}

static bool in_block(const struct phys *p, const uint8_t *page)
{
	for (unsigned i = 0; i < p->blocks; i++)
		if (page >= p->block[i].bytes && page < p->block[i].bytes + p->block[i].size)
			return true;
	return false;
}

static void free_low(struct phys *p, uint8_t **low)
{
	for (size_t k = 0; k < BIT(PHYS_LOW_BITS); k++)
		if (low[k] && low[k] != UNTOUCHED && !in_block(p, low[k]))
			free(low[k]);
	free(low);
}

void phys_fini(struct phys *p)
{
	for (size_t i = 0; i < BIT(PHYS_TOP_BITS); i++) {
		if (!p->top[i])
			continue;
		for (size_t j = 0; j < BIT(PHYS_MID_BITS); j++)
			if (p->top[i][j])
				free_low(p, p->top[i][j]);
		free(p->top[i]);
	}
	free(p->top);
	for (unsigned i = 0; i < p->blocks; i++)
		free(p->block[i].bytes);
	while (p->spare) {
		void *next = *(void **)p->spare;

		free(p->spare);
		p->spare = next;
	}
}

static uint8_t **cell(const struct phys *p, uint64_t frame)
{
	if (TOP(frame) >= BIT(PHYS_TOP_BITS))
		return NULL;

	uint8_t ***mid = p->top[TOP(frame)];
	uint8_t **low = mid ? mid[MID(frame)] : NULL;

	return low ? &low[LOW(frame)] : NULL;
}

static uint8_t **make_cell(struct phys *p, uint64_t frame)
{
	BUG_ON(TOP(frame) >= BIT(PHYS_TOP_BITS));
	if (!p->top[TOP(frame)])
		p->top[TOP(frame)] = zalloc(BIT(PHYS_MID_BITS), sizeof(void *));

	uint8_t ***mid = p->top[TOP(frame)];

	if (!mid[MID(frame)])
		mid[MID(frame)] = zalloc(BIT(PHYS_LOW_BITS), sizeof(void *));
	return &mid[MID(frame)][LOW(frame)];
}

void phys_add(struct phys *p, uint64_t first, uint64_t count)
{
	for (uint64_t i = 0; i < count; i++) {
		uint8_t **c = make_cell(p, first + i);

		BUG_ON(*c);
		*c = UNTOUCHED;
	}
	p->frames += count;
}

uint8_t *phys_add_block(struct phys *p, uint64_t first, uint64_t count)
{
	uint8_t *bytes = zalloc(count, PAGE_SIZE);

	BUG_ON(p->blocks == ARRAY_SIZE(p->block));
	p->block[p->blocks].bytes = bytes;
	p->block[p->blocks++].size = count * PAGE_SIZE;
	for (uint64_t i = 0; i < count; i++) {
		uint8_t **c = make_cell(p, first + i);

		BUG_ON(*c);
		*c = bytes + i * PAGE_SIZE;
	}
	p->frames += count;
	return bytes;
}

void phys_remove(struct phys *p, uint64_t frame)
{
	uint8_t **c = cell(p, frame);

	BUG_ON(!c || !*c);
	if (*c != UNTOUCHED) {
		*(void **)(void *)*c = p->spare;
		p->spare = *c;
	}
	*c = NULL;
	p->frames--;
}

void phys_hide(struct phys *p, uint64_t frame)
{
	uint8_t **c = cell(p, frame);

	BUG_ON(!c || !*c);
	if (frame & 1) /* the others stay as they were, for who still looks there to be taken in */
		memset(*c, 0x5a, PAGE_SIZE);
	*c = NULL;
	p->frames--;
}

void phys_show(struct phys *p, uint64_t frame, uint8_t *bytes)
{
	uint8_t **c = make_cell(p, frame);

	BUG_ON(*c);
	memset(bytes, 0, PAGE_SIZE);
	*c = bytes;
	p->frames++;
}

bool phys_exists(const struct phys *p, uint64_t frame)
{
	uint8_t **c = cell(p, frame);

	return c && *c;
}

uint8_t *phys_ptr(struct phys *p, uint64_t frame)
{
	uint8_t **c = cell(p, frame);

	if (unlikely(!c || !*c))
		return NULL;
	if (unlikely(*c == UNTOUCHED)) {
		if (p->spare) {
			*c = p->spare;
			p->spare = *(void **)p->spare;
			memset(*c, 0, PAGE_SIZE);
		} else {
			*c = zalloc(1, PAGE_SIZE);
		}
	}
	return *c;
}

static uint8_t *at(struct phys *p, uint64_t addr)
{
	uint8_t *frame = phys_ptr(p, addr >> PAGE_SHIFT);

	if (unlikely(!frame)) {
		p->wild++;
		p->wild_at = addr;
		return NULL;
	}
	return frame + (addr & (PAGE_SIZE - 1));
}

uint64_t phys_read(struct phys *p, uint64_t addr, unsigned size)
{
	const uint8_t *from;
	uint64_t v = 0;

	if (unlikely(p->watch))
		p->watch(p->watch_ctx);
	from = at(p, addr);
	if (!from)
		return size == 8 ? ~0ull : 0xffffffffull;
	v = load_entry(from, size);
	return v;
}

void phys_write(struct phys *p, uint64_t addr, unsigned size, uint64_t value)
{
	uint8_t *to = at(p, addr);

	if (to && size == 4)
		__atomic_store_n((uint32_t *)(void *)to, (uint32_t)value, __ATOMIC_RELEASE);
	else if (to)
		__atomic_store_n((uint64_t *)(void *)to, value, __ATOMIC_RELEASE);
}

bool phys_exchange(struct phys *p, uint64_t addr, unsigned size, uint64_t old, uint64_t value)
{
	uint8_t *to = at(p, addr);

	return !to || compare_exchange(to, &old, value, size);
}
