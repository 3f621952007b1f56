/* dev/bus/i440fx.c - the host bridge. Intel 440FX PCIset data sheet, "PMC Configuration Registers". */
#include "dev/bus/i440fx.h"

#define PAM0 0x59u
#define PAMS 7u
#define SMRAM 0x72u

bool i440fx_init(struct i440fx *b, struct pci *bus)
{
	struct pci_device *d = &b->pci;

	memset(b, 0, sizeof(*b));
	pci_identify(d, 0x8086, 0x1237, 0x060000, 0x02);
	pci_put16(d->reset, PCI_COMMAND, PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER);
	pci_put16(d->reset, PCI_STATUS, 0x0200); /* medium DEVSEL */
	/* Command: parity errors and SERR#; memory and bus master are always on. */
	pci_put16(d->writable, PCI_COMMAND, 0x0140);
	memset(&d->writable[PAM0], 0xff, PAMS); /* kept, without effect: that memory is always RAM */
	d->writable[SMRAM] = 0xff;              /* kept, without effect: there is no SMM */
	return pci_add(bus, d, PCI_DEVFN(0, 0));
}
