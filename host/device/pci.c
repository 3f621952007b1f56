#include "host/device/pci.h"

#include "host/cpu/x86.h"
#include "lib/pci.h"
#include "lib/ports.h"

#define FUNCTIONS 256 /* of a bus */

uint32_t pci_host_read(uint32_t function, unsigned offset)
{
	outl(PCI_ADDRESS, PCI_ADDRESS_ENABLE | function << 8 | offset);
	return inl(PCI_DATA);
}

void pci_host_write(uint32_t function, unsigned offset, uint32_t value)
{
	outl(PCI_ADDRESS, PCI_ADDRESS_ENABLE | function << 8 | offset);
	outl(PCI_DATA, value);
}

/* The status register is above the command register, and a 1 clears a bit there. */
void pci_host_enable(uint32_t function, uint32_t command)
{
	pci_host_write(function, PCI_COMMAND, (pci_host_read(function, PCI_COMMAND) & 0xffff) | command);
}

uint32_t pci_host_find(uint32_t class, bool (*fits)(uint32_t function))
{
	for (uint32_t f = 0; f < FUNCTIONS; f++) {
		if ((pci_host_read(f, PCI_VENDOR) & 0xffff) == 0xffff)
			continue;
		if (pci_host_read(f, PCI_REVISION) >> 16 == class && (!fits || fits(f)))
			return f;
	}
	return 0;
}
