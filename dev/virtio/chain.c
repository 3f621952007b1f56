#include "dev/virtio/chain.h"

static uint64_t sum(const struct guest_segment *s, unsigned n)
{
	uint64_t bytes = 0;

	for (unsigned i = 0; i < n; i++)
		bytes += s[i].bytes;
	return bytes;
}

uint64_t virtq_readable(const struct virtq_chain *c) { return sum(c->segment, c->readable); }
uint64_t virtq_writable(const struct virtq_chain *c) { return sum(c->segment + c->readable, c->writable); }

/* The next bytes of a segment, at most n of them, which are taken off it. */
static uint32_t cut(struct guest_segment *s, uint32_t n, uint64_t *gpa)
{
	uint32_t part = (uint32_t)min_u64(n, s->bytes);

	*gpa = s->gpa;
	s->gpa += part;
	s->bytes -= part;
	return part;
}

bool virtq_take(const struct guest_memory *m, struct virtq_chain *c, void *to, uint32_t n)
{
	uint8_t *p = to;
	uint64_t gpa;

	for (unsigned i = 0; n && i < c->readable; i++) {
		uint32_t part = cut(&c->segment[i], n, &gpa);

		if (part && !guest_memory_read(m, gpa, p, part))
			return false;
		p += part;
		n -= part;
	}
	return n == 0;
}

bool virtq_fill(const struct guest_memory *m, struct virtq_chain *c, const void *from, uint32_t n)
{
	const uint8_t *p = from;
	uint64_t gpa;

	for (unsigned i = c->readable; n && i < c->readable + c->writable; i++) {
		uint32_t part = cut(&c->segment[i], n, &gpa);

		if (part && !guest_memory_write(m, gpa, p, part))
			return false;
		p += part;
		n -= part;
	}
	return n == 0;
}
