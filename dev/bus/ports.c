/* dev/bus/ports.c - the PC's odd ports. */
#include "dev/bus/ports.h"
#include "dev/bus/bytes.h"


#define RESET_WRITABLE 0x0eu

static uint8_t kbc_read(void *dev, uint16_t port)
{
	(void)dev;
	(void)port;
	return 0xff; /* nobody there */
}

/* Commands 0xf0-0xff pulse the output port's low bits; bit 0 is the CPU's reset line. */
static void kbc_write(void *dev, uint16_t port, uint8_t value)
{
	struct ports *p = dev;
	if (port == PORT_KBC_COMMAND && (value & 0xf1) == 0xf0)
		machine_report(&p->machine, MACHINE_RESET, port);
}

static uint8_t post_read(void *dev, uint16_t port)
{
	struct ports *p = dev;
	return p->post[port & 15];
}

static void post_write(void *dev, uint16_t port, uint8_t value)
{
	struct ports *p = dev;
	p->post[port & 15] = value;
}

static uint8_t a20_read(void *dev, uint16_t port)
{
	struct ports *p = dev;
	(void)port;
	return p->fast_a20;
}

/* A20 cannot be closed: no guest of the last decades wants it, and every one must be able to open it. */
static void a20_write(void *dev, uint16_t port, uint8_t value)
{
	struct ports *p = dev;
	bool reset = value & ~p->fast_a20 & A20_FAST_RESET;
	p->fast_a20 = value | A20_ENABLED;
	if (reset)
		machine_report(&p->machine, MACHINE_RESET, port);
}

uint8_t ports_reset_control_read(const struct ports *p)
{
	return p->reset_control;
}

/* Bit 2 resets when it goes from 0 to 1 (PIIX, "Reset Control Register"). */
void ports_reset_control_write(struct ports *p, uint8_t value)
{
	bool reset = value & ~p->reset_control & RESET_CPU;
	p->reset_control = value & RESET_WRITABLE;
	if (reset)
		machine_report(&p->machine, MACHINE_RESET, PORT_RESET_CONTROL);
}

static uint8_t shutdown_read(void *dev, uint16_t port)
{
	(void)dev;
	(void)port;
	return 0xff;
}

static void shutdown_write(void *dev, uint16_t port, uint8_t value)
{
	static const char word[] = "Shutdown";
	struct ports *p = dev;
	if (value != (uint8_t)word[p->shutdown])
		p->shutdown = value == (uint8_t)word[0];
	else if (++p->shutdown == sizeof(word) - 1) {
		p->shutdown = 0;
		machine_report(&p->machine, MACHINE_POWER_OFF, port);
	}
}

BYTE_PORTS(kbc)
BYTE_PORTS(post)
BYTE_PORTS(a20)
BYTE_PORTS(shutdown)

static uint32_t exit_in(void *dev, uint16_t port, unsigned size)
{
	(void)dev;
	(void)port;
	return (uint32_t)MASK(8 * size - 1, 0);
}

static void exit_out(void *dev, uint16_t port, unsigned size, uint32_t value)
{
	struct ports *p = dev;
	(void)port;
	machine_report(&p->machine, MACHINE_DEBUG_EXIT, value & (uint32_t)MASK(8 * size - 1, 0));
}

void ports_reset(struct ports *p)
{
	p->reset_control = 0;
	p->fast_a20 = A20_ENABLED;
	p->shutdown = 0;
	memset(p->post, 0, sizeof(p->post));
}

bool ports_init(struct ports *p, struct pio_space *pio, struct machine_sink machine, bool has_i8042)
{
	static const struct pio_ops kbc = { kbc_in, kbc_out }, post = { post_in, post_out }, a20 = { a20_in, a20_out },
		exit = { exit_in, exit_out }, shutdown = { shutdown_in, shutdown_out };
	*p = (struct ports){ .machine = machine };
	ports_reset(p);
	if (!has_i8042 && (!pio_add(pio, PORT_KBC_DATA, 1, &kbc, p) || !pio_add(pio, PORT_KBC_COMMAND, 1, &kbc, p)))
		return false;
	return pio_add(pio, PORT_POST, 16, &post, p) && pio_add(pio, PORT_FAST_A20, 1, &a20, p) &&
		pio_add(pio, PORT_DEBUG_EXIT, 4, &exit, p) && pio_add(pio, PORT_SHUTDOWN, 1, &shutdown, p);
}
