#include "dev/firmware/pvpanic.h"

#include "dev/bus/bytes.h"

static uint8_t read(void *dev, uint16_t port)
{
	(void)dev;
	(void)port;
	return PVPANIC_PANICKED | PVPANIC_CRASH_LOADED;
}

static void write(void *dev, uint16_t port, uint8_t value)
{
	struct pvpanic *p = dev;

	if (value & PVPANIC_PANICKED)
		machine_report(&p->machine, MACHINE_PANICKED, port);
	else if (value & PVPANIC_CRASH_LOADED)
		machine_report(&p->machine, MACHINE_CRASH_LOADED, port);
}

static uint32_t in(void *dev, uint16_t port, unsigned size) { return bytes_in(dev, port, size, read); }
static void out(void *dev, uint16_t port, unsigned size, uint32_t value) { bytes_out(dev, port, size, value, write); }

bool pvpanic_init(struct pvpanic *p, struct pio_space *pio, struct machine_sink machine)
{
	static const struct pio_ops ops = { in, out };

	*p = (struct pvpanic){ .machine = machine };
	return pio_add(pio, PVPANIC_PORT, 1, &ops, p);
}
