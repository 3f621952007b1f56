/* dev/bus/pio.c - the port space of one VM: finds the device of a port with one load. */
#include "dev/dev.h"

static uint32_t ones(unsigned size)
{
	return (uint32_t)MASK(8 * size - 1, 0);
}

bool pio_add(struct pio_space *s, uint16_t base, uint16_t count, const struct pio_ops *ops, void *dev)
{
	if (!count || base + count > 0x10000 || s->count == PIO_RANGES_MAX)
		return false;
	for (unsigned i = 0; i < count; i++)
		if (s->index[base + i])
			return false;
	s->range[s->count++] = (struct pio_range){ base, count, ops, dev, NULL };
	memset(&s->index[base], (int)s->count, count);
	return true;
}

bool pio_add_strings(struct pio_space *s, uint16_t base, const struct pio_strings *strings)
{
	unsigned i = s->index[base];

	if (!i || s->range[i - 1].base != base)
		return false;
	s->range[i - 1].strings = strings;
	return true;
}

/* The last range takes the number of the one that goes. */
void pio_remove(struct pio_space *s, uint16_t base)
{
	unsigned gone = s->index[base];
	const struct pio_range *last = &s->range[s->count - 1];

	if (!gone || s->range[gone - 1].base != base)
		return;
	memset(&s->index[base], 0, s->range[gone - 1].count);
	if (gone != s->count) {
		memset(&s->index[last->base], (int)gone, last->count);
		s->range[gone - 1] = *last;
	}
	s->count--;
}

/* The range that holds the whole access, or NULL. */
static const struct pio_range *pio_find(const struct pio_space *s, uint16_t port, unsigned size)
{
	unsigned i = s->index[port];
	if (unlikely(!i))
		return NULL;
	const struct pio_range *r = &s->range[i - 1];
	return likely(port + size <= (unsigned)r->base + r->count) ? r : NULL;
}

static bool pio_absent(const struct pio_space *s, uint16_t port, unsigned size)
{
	for (unsigned i = 0; i < size; i++)
		if (s->index[(uint16_t)(port + i)])
			return false;
	return true;
}

/* Out of line, here and below: the path that every exit takes saves no registers for it. */
static __attribute__((noinline)) uint32_t pio_in_split(struct pio_space *s, uint16_t port, unsigned size)
{
	if (pio_absent(s, port, size))
		return ones(size);
	uint32_t value = 0;
	for (unsigned i = 0; i < size; i++) {
		const struct pio_range *r = pio_find(s, (uint16_t)(port + i), 1);
		uint32_t byte = r ? r->ops->in(r->dev, (uint16_t)(port + i), 1) & 0xff : 0xff;
		value |= byte << (8 * i);
	}
	return value;
}

uint32_t pio_in(struct pio_space *s, uint16_t port, unsigned size)
{
	const struct pio_range *r = pio_find(s, port, size);
	if (likely(r != NULL))
		return r->ops->in(r->dev, port, size);
	return pio_in_split(s, port, size);
}

static __attribute__((noinline)) void pio_out_split(struct pio_space *s, uint16_t port, unsigned size, uint32_t value)
{
	for (unsigned i = 0; i < size; i++) {
		const struct pio_range *r = pio_find(s, (uint16_t)(port + i), 1);
		if (r)
			r->ops->out(r->dev, (uint16_t)(port + i), 1, (value >> (8 * i)) & 0xff);
	}
}

void pio_out(struct pio_space *s, uint16_t port, unsigned size, uint32_t value)
{
	const struct pio_range *r = pio_find(s, port, size);
	if (likely(r != NULL))
		r->ops->out(r->dev, port, size, value);
	else
		pio_out_split(s, port, size, value);
}

uint32_t pio_in_string(struct pio_space *s, uint16_t port, unsigned size, void *to, uint32_t count)
{
	const struct pio_range *r = pio_find(s, port, size);

	return r && r->strings ? r->strings->in(r->dev, port, size, to, count) : 0;
}

uint32_t pio_out_string(struct pio_space *s, uint16_t port, unsigned size, const void *from, uint32_t count)
{
	const struct pio_range *r = pio_find(s, port, size);

	return r && r->strings ? r->strings->out(r->dev, port, size, from, count) : 0;
}
