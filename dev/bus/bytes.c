/* dev/bus/bytes.c - wide accesses to devices of bytes. */
#include "dev/bus/bytes.h"

uint32_t bytes_in_wide(void *dev, uint16_t port, unsigned size, uint8_t (*in)(void *dev, uint16_t port))
{
	uint32_t value = 0;
	for (unsigned i = 0; i < size; i++)
		value |= (uint32_t)in(dev, (uint16_t)(port + i)) << (8 * i);
	return value;
}

void bytes_out_wide(void *dev, uint16_t port, unsigned size, uint32_t value,
	void (*out)(void *dev, uint16_t port, uint8_t value))
{
	for (unsigned i = 0; i < size; i++)
		out(dev, (uint16_t)(port + i), (uint8_t)(value >> (8 * i)));
}
