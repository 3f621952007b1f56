/* dev/bus/ports.h - the PC's odd ports: reset (0xcf9, 0x64, 0x92), POST (0x80), debug exit (0xf4), "Shutdown" (0x8900).
 *
 * Without a keyboard controller 0x60 and 0x64 read all ones, which every prober takes for its absence; the reset pulse
 * 0xfe works. */
#ifndef VELLUM_DEV_PORTS_H
#define VELLUM_DEV_PORTS_H

#include "dev/dev.h"
#include "dev/machine.h"
#include "lib/ports.h"

struct ports {
	struct machine_sink machine;
	uint8_t reset_control; /* 0xcf9 */
	uint8_t fast_a20;      /* 0x92 */
	uint8_t post[16];      /* 0x80-0x8f: POST code and DMA page registers, a latch */
	uint8_t shutdown;      /* characters of "Shutdown" seen */
};

/* has_i8042: 0x60 and 0x64 are those of a keyboard controller (dev/input/i8042.h). false: a port range is taken. */
bool ports_init(struct ports *p, struct pio_space *pio, struct machine_sink machine, bool has_i8042);
FOR_TESTS void ports_reset(struct ports *p);
/* dev/bus/bus_state.c */
void ports_state(struct fields *s, struct ports *p);

/* Port 0xcf9 lies within the PCI configuration address register and is reached through it (dev/bus/pci.c). */
uint8_t ports_reset_control_read(const struct ports *p);
void ports_reset_control_write(struct ports *p, uint8_t value);

#endif
