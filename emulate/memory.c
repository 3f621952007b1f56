/* emulate/memory.c - memory accesses that cross a page, and locked ones. */
#include "emulate/internal.h"

/* Where the second page's part begins. Outside 64-bit mode linear addresses wrap at 4 GiB. */
static uint64_t second_page(const struct emulate *e, uint64_t linear, unsigned *first)
{
	uint64_t next = (linear | (PAGE_SIZE - 1)) + 1;

	*first = next - linear;
	return is_long64(e) ? next : (uint32_t)next;
}

enum emulate_result mem_probe(struct emulate *e, uint64_t linear, unsigned size, unsigned how)
{
	uint64_t second;
	unsigned first;

	if (!crosses_page(linear, size))
		return from_access(e, e->ops->probe(e, linear, size, how));
	second = second_page(e, linear, &first);
	TRY(from_access(e, e->ops->probe(e, linear, first, how)));
	return from_access(e, e->ops->probe(e, second, size - first, how));
}

enum emulate_result read_crossing(struct emulate *e, uint64_t linear, void *buf, unsigned size, unsigned how)
{
	unsigned first;
	uint64_t second = second_page(e, linear, &first);

	TRY(from_access(e, e->ops->read(e, linear, buf, first, how)));
	return from_access(e, e->ops->read(e, second, (uint8_t *)buf + first, size - first, how));
}

enum emulate_result write_crossing(struct emulate *e, uint64_t linear, const void *buf, unsigned size, unsigned how)
{
	unsigned first;
	uint64_t second = second_page(e, linear, &first);

	TRY(mem_probe(e, linear, size, how));
	TRY(from_access(e, e->ops->write(e, linear, buf, first, how)));
	return from_access(e, e->ops->write(e, second, (const uint8_t *)buf + first, size - first, how));
}

enum emulate_result write_locked(struct emulate *e, uint64_t linear, const void *old, const void *new, unsigned size)
{
	uint8_t expected[16];
	bool done = false;

	if (!e->ops->cmpxchg || crosses_page(linear, size))
		return mem_write(e, linear, new, size, EMULATE_HOW_LOCKED);
	memcpy(expected, old, size);
	TRY(from_access(e, e->ops->cmpxchg(e, linear, expected, new, size, &done)));
	return done ? EMULATE_OK : EMULATE_RESTART;
}
