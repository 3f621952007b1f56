/* emulate/memory.c - memory accesses that cross a page, and locked ones. */
#include "emulate/native.h"

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

	TRY(mem_probe(e, linear, size, how)); /* both parts, before the first is written (EM3) */
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

/* The accesses of a long area have this many bytes. */
#define PIECE 16u

/* Bytes from linear on, of size, that are one access: none crosses a multiple of PIECE, so none crosses a page. */
static unsigned piece(uint64_t linear, unsigned size)
{
	return min_u64(size, PIECE - (linear & (PIECE - 1)));
}

static uint64_t wrap(const struct emulate *e, uint64_t linear)
{
	return is_long64(e) ? linear : (uint32_t)linear;
}

enum emulate_result mem_read_long(struct emulate *e, uint64_t linear, void *buf, unsigned size)
{
	for (unsigned done = 0, n; done < size; done += n) {
		uint64_t at = wrap(e, linear + done);

		n = piece(at, size - done);
		TRY(from_access(e, e->ops->read(e, at, (uint8_t *)buf + done, n, 0)));
	}
	return EMULATE_OK;
}

enum emulate_result mem_write_long(struct emulate *e, uint64_t linear, const void *buf, unsigned size)
{
	for (unsigned done = 0, n; done < size; done += n) {
		uint64_t at = wrap(e, linear + done);

		n = piece(at, size - done);
		TRY(from_access(e, e->ops->write(e, at, (const uint8_t *)buf + done, n, EMULATE_HOW_WRITE)));
	}
	return EMULATE_OK;
}

enum emulate_result mem_probe_long(struct emulate *e, uint64_t linear, unsigned size, unsigned how)
{
	for (unsigned done = 0, n; done < size; done += n) {
		uint64_t at = wrap(e, linear + done);

		n = min_u64(size - done, PAGE_SIZE - (at & (PAGE_SIZE - 1)));
		TRY(from_access(e, e->ops->probe(e, at, n, how)));
	}
	return EMULATE_OK;
}
