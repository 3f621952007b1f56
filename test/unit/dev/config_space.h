/* Configuration space through its ports, for tests that have them without a PC (test/unit/dev/fixture.h). */
#ifndef VELLUM_TEST_DEV_CONFIG_SPACE_H
#define VELLUM_TEST_DEV_CONFIG_SPACE_H

#include "dev/dev.h"
#include "lib/pci.h"
#include "lib/ports.h"

/* The port that a function's register is at now. */
static inline uint16_t config_port(struct pio_space *pio, unsigned devfn, unsigned reg)
{
	pio_out(pio, PCI_ADDRESS, 4, PCI_ADDRESS_ENABLE | devfn << 8 | (reg & 0xfc));
	return (uint16_t)(PCI_DATA + (reg & 3));
}

#endif
