/* dev/firmware/debugcon.c - the debug console of firmwares. */
#include "dev/firmware/debugcon.h"
#include "dev/bus/bytes.h"

static uint8_t debugcon_read(void *dev, uint16_t port)
{
	(void)dev;
	(void)port;
	return DEBUGCON_PRESENT;
}

static void debugcon_write(void *dev, uint16_t port, uint8_t value)
{
	struct debugcon *d = dev;

	(void)port;
	d->put(d->ctx, value);
}

BYTE_PORTS(debugcon)

bool debugcon_init(struct debugcon *d, struct pio_space *pio, void (*put)(void *ctx, uint8_t byte), void *ctx)
{
	static const struct pio_ops ops = { debugcon_in, debugcon_out };

	*d = (struct debugcon){ put, ctx };
	return pio_add(pio, DEBUGCON_PORT, 1, &ops, d);
}
