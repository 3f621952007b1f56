/* dev/bus/piix.c - the south bridge. Intel 82371FB/82371SB data sheet, "PCI Configuration Registers (Function 0)";
 * Intel 82371AB (PIIX4) data sheet, "Power Management PCI Configuration Registers (Function 3)". */
#include "dev/bus/piix.h"

#define SLOT 1u
/* Function 0. */
#define XBCS 0x4eu   /* X-bus chip select, 2 bytes */
#define TOM 0x69u
#define MSTAT 0x6au
#define MBIRQ 0x70u
#define DLC 0x82u
/* Function 3. */
#define PMBA 0x40u
#define DEVACTB 0x58u
#define DEVACTB_APMC 0x02000000u /* what a write to the SMI port does: no firmware needs to set it up */
#define PMREGMISC 0x80u
#define SMBBA 0x90u
#define SMBHSTCFG 0xd2u

/* "PIRQRC[A:D] - PIRQx Route Control Registers". */
static void route(struct pci_device *d, unsigned reg, unsigned size)
{
	if (reg >= PIIX_PIRQ + PCI_PIRQS || reg + size <= PIIX_PIRQ)
		return;
	for (unsigned n = 0; n < PCI_PIRQS; n++)
		pci_route(d->bus, n, d->config[PIIX_PIRQ + n]);
}

static void make_isa(struct pci_device *d, const struct pci *bus, uint32_t subsystem, bool firmware)
{
	pci_identify(d, PCI_VENDOR_INTEL, 0x7000, PCI_CLASS(PCI_CLASS_ISA_BRIDGE, 0), 0x00);
	pci_put16(d->reset, PCI_COMMAND, PCI_COMMAND_IO | PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER);
	pci_put16(d->reset, PCI_STATUS, PCI_STATUS_MEDIUM);
	d->reset[PCI_HEADER_TYPE] = PCI_MULTIFUNCTION;
	pci_put32(d->reset, PCI_SUBSYSTEM, subsystem);
	for (unsigned n = 0; n < PCI_PIRQS; n++)
		d->reset[PIIX_PIRQ + n] = firmware ? PCI_PIRQ_OFF : bus->pirq[n];
	memset(&d->writable[PIIX_PIRQ], 0x8f, PCI_PIRQS);
	pci_put16(d->reset, XBCS, 0x0003);
	pci_put16(d->writable, XBCS, 0xffff);
	d->writable[TOM] = 0xfe;
	pci_put16(d->writable, MSTAT, 0xffff);
	d->writable[MBIRQ] = 0xff;
	d->writable[DLC] = 0x0f;
	d->written = route;
}

static void make_pm(struct pci_device *d, uint32_t subsystem)
{
	pci_identify(d, PCI_VENDOR_INTEL, 0x7113, PCI_CLASS(PCI_CLASS_OTHER_BRIDGE, 0), 0x03);
	pci_put16(d->reset, PCI_STATUS, PCI_STATUS_MEDIUM | PCI_STATUS_FAST);
	pci_put32(d->reset, PCI_SUBSYSTEM, subsystem);
	d->reset[PCI_INTERRUPT_PIN] = 1;
	d->reset[PCI_INTERRUPT_LINE] = ACPI_SCI_IRQ;
	pci_put32(d->reset, PMBA, ACPI_PM_BASE | 1); /* fixed */
	pci_put32(d->reset, DEVACTB, DEVACTB_APMC);
	d->reset[PMREGMISC] = 1;
	pci_put32(d->reset, SMBBA, 1); /* there is no SMBus */
	d->writable[SMBHSTCFG] = 0x0f;
	d->writable[PCI_COMMAND] = PCI_COMMAND_IO;
}

bool piix_init(struct piix *p, struct pci *bus, uint32_t subsystem, bool firmware)
{
	memset(p, 0, sizeof(*p));
	make_isa(&p->isa, bus, subsystem, firmware);
	make_pm(&p->pm, subsystem);
	if (!pci_add(bus, &p->isa, PCI_DEVFN(SLOT, 0)) || (firmware && !pci_add(bus, &p->pm, PCI_DEVFN(SLOT, 3))))
		return false;
	route(&p->isa, PIIX_PIRQ, PCI_PIRQS);
	return true;
}
