/* dev/bus/pci.h - PCI configuration mechanism #1 (0xcf8, 0xcfc) and the one device: the host bridge 00:00.0
 * (8086:1237). */
#ifndef VELLUM_DEV_PCI_H
#define VELLUM_DEV_PCI_H

#include "dev/dev.h"
#include "dev/bus/ports.h"
#include "lib/ports.h"

struct pci {
	uint32_t address;
	uint8_t bridge[256];
	uint8_t bridge_writable[256]; /* which bits a guest may change */
	struct ports *ports;          /* byte accesses to 0xcf9 */
};

/* ports: what byte accesses to 0xcf9 are for. false: the port range is taken. */
bool pci_init(struct pci *p, struct pio_space *pio, struct ports *ports);
void pci_reset(struct pci *p);

#endif
