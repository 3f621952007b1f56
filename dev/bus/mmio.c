/* dev/bus/mmio.c - the MMIO regions of one VM. They are few: a linear search. */
#include "dev/dev.h"

bool mmio_add(struct mmio_space *s, uint64_t base, uint64_t size, const struct mmio_ops *ops, void *dev)
{
	if (!size || base + (size - 1) < base || s->count == MMIO_REGIONS_MAX)
		return false;
	for (unsigned i = 0; i < s->count; i++) {
		const struct mmio_region *r = &s->region[i];
		if (base <= r->base + (r->size - 1) && r->base <= base + (size - 1))
			return false;
	}
	s->region[s->count++] = (struct mmio_region){ base, size, ops, dev };
	return true;
}

void mmio_remove(struct mmio_space *s, uint64_t base)
{
	for (unsigned i = 0; i < s->count; i++)
		if (s->region[i].base == base) {
			s->region[i] = s->region[--s->count];
			return;
		}
}

const struct mmio_region *mmio_find(const struct mmio_space *s, uint64_t gpa, unsigned size)
{
	for (unsigned i = 0; i < s->count; i++) {
		const struct mmio_region *r = &s->region[i];
		if (gpa >= r->base && gpa - r->base < r->size && r->size - (gpa - r->base) >= size)
			return r;
	}
	return NULL;
}

uint64_t mmio_read(struct mmio_space *s, uint64_t gpa, unsigned size)
{
	const struct mmio_region *r = mmio_find(s, gpa, size);
	return r ? r->ops->read(r->dev, gpa - r->base, size) : MASK(8 * size - 1, 0);
}

void mmio_write(struct mmio_space *s, uint64_t gpa, unsigned size, uint64_t value)
{
	const struct mmio_region *r = mmio_find(s, gpa, size);
	if (r)
		r->ops->write(r->dev, gpa - r->base, size, value);
}
