/* dev/bytes.h - for devices whose registers are bytes: wider accesses are taken apart, lowest port first, as the ISA bus does. */
#ifndef VELLUM_DEV_BYTES_H
#define VELLUM_DEV_BYTES_H

#include "lib/base.h"

static inline uint32_t bytes_in(void *dev, uint16_t port, unsigned size, uint8_t (*in)(void *dev, uint16_t port))
{
	uint32_t value = in(dev, port);
	for (unsigned i = 1; unlikely(i < size); i++)
		value |= (uint32_t)in(dev, (uint16_t)(port + i)) << (8 * i);
	return value;
}

static inline void bytes_out(void *dev, uint16_t port, unsigned size, uint32_t value,
	void (*out)(void *dev, uint16_t port, uint8_t value))
{
	out(dev, port, (uint8_t)value);
	for (unsigned i = 1; unlikely(i < size); i++)
		out(dev, (uint16_t)(port + i), (uint8_t)(value >> (8 * i)));
}

#endif
