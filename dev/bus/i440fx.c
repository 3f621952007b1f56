/* dev/bus/i440fx.c - the host bridge. Intel 440FX PCIset data sheet, "PMC Configuration Registers". */
#include "dev/bus/i440fx.h"

#define PAM0 0x59u
#define PAMS 7u
#define SMRAM 0x72u

/* "PAM - Programmable Attribute Map Registers": PAM0's upper half is the last area's; of PAM1 to PAM6 each half is
 * one's, in the order of their addresses. */
unsigned i440fx_area(const struct i440fx *b, unsigned n)
{
	const uint8_t *pam = b->pci.config + PAM0;
	unsigned nibble = n == PAM_AREAS - 1 ? pam[0] >> 4 : pam[1 + n / 2] >> (n % 2 ? 4 : 0);

	return nibble & (PAM_READ | PAM_WRITE);
}

static void written(struct pci_device *d, unsigned reg, unsigned size)
{
	struct i440fx *b = container_of(d, struct i440fx, pci);

	if (reg < PAM0 + PAMS && reg + size > PAM0)
		b->memory_changed(b->ctx);
}

bool i440fx_init(struct i440fx *b, struct pci *bus, uint32_t subsystem, void (*memory_changed)(void *ctx), void *ctx)
{
	struct pci_device *d = &b->pci;

	memset(b, 0, sizeof(*b));
	b->memory_changed = memory_changed;
	b->ctx = ctx;
	d->written = memory_changed ? written : NULL;
	pci_identify(d, PCI_VENDOR_INTEL, 0x1237, PCI_CLASS(PCI_CLASS_HOST_BRIDGE, 0), 0x02);
	pci_put16(d->reset, PCI_COMMAND, PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER);
	pci_put16(d->reset, PCI_STATUS, PCI_STATUS_MEDIUM);
	pci_put32(d->reset, PCI_SUBSYSTEM, subsystem);
	/* "PCICMD - PCI Command Register": memory and bus master are always on. */
	pci_put16(d->writable, PCI_COMMAND, PCI_COMMAND_PARITY | PCI_COMMAND_SERR);
	memset(&d->writable[PAM0], 0xff, PAMS);
	d->writable[SMRAM] = 0xff;
	return pci_add(bus, d, PCI_DEVFN(0, 0));
}
