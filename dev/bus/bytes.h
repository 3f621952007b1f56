/* dev/bus/bytes.h - for devices whose registers are bytes: wider accesses are taken apart, lowest port first, as the
 * ISA bus does. */
#ifndef VELLUM_DEV_BYTES_H
#define VELLUM_DEV_BYTES_H

#include "lib/base.h"

/* Of 2 or 4 bytes, little-endian. */
uint32_t bytes_in_wide(void *dev, uint16_t port, unsigned size, uint8_t (*in)(void *dev, uint16_t port));
void bytes_out_wide(void *dev, uint16_t port, unsigned size, uint32_t value,
	void (*out)(void *dev, uint16_t port, uint8_t value));

/* Inline, so that a byte access is one jump to the device's function. */
static inline uint32_t bytes_in(void *dev, uint16_t port, unsigned size, uint8_t (*in)(void *dev, uint16_t port))
{
	return likely(size == 1) ? in(dev, port) : bytes_in_wide(dev, port, size, in);
}

static inline void bytes_out(void *dev, uint16_t port, unsigned size, uint32_t value,
	void (*out)(void *dev, uint16_t port, uint8_t value))
{
	if (likely(size == 1))
		out(dev, port, (uint8_t)value);
	else
		bytes_out_wide(dev, port, size, value, out);
}

/* Functions for a struct pio_ops, NAME_in and NAME_out, of a device that has NAME_read and NAME_write for bytes. */
#define BYTE_PORTS(name) \
	static uint32_t name##_in(void *dev, uint16_t port, unsigned size) \
	{ \
		return bytes_in(dev, port, size, name##_read); \
	} \
	static void name##_out(void *dev, uint16_t port, unsigned size, uint32_t value) \
	{ \
		bytes_out(dev, port, size, value, name##_write); \
	}

#endif
