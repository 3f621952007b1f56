/* dev/bus/piix.h - the south bridge of a PC with an i440FX: the PIIX3's ISA bridge (8086:7000, function 0), which
 * routes PCI's interrupts to the 8259s, and the PIIX4's power management (8086:7113, function 3), which says where the
 * ACPI registers are. Those stay where dev/firmware/acpi_pm.c has them. Function 1 is dev/ide/ide.h. */
#ifndef VELLUM_DEV_PIIX_H
#define VELLUM_DEV_PIIX_H

#include "dev/bus/pci.h"

#define PIIX_PIRQ 0x60u /* PIRQRCA to PIRQRCD, in function 0 */

struct piix {
	struct pci_device isa, pm;
};

/* Puts both functions into slot 1. subsystem: as the host bridge's. Without a firmware there is no power management,
 * and PCI's interrupts are routed as the bus has them. false: the bus is full. */
bool piix_init(struct piix *p, struct pci *bus, uint32_t subsystem, bool firmware);

#endif
