#include "dev/ide/ide.h"

#include "dev/bus/bytes.h"
#include "lib/mutants/mutate.h"

#define SLOT 1u
#define FUNCTION 1u
#define INTERFACE 0x80u /* a bus master; both channels at the ports of old, for good */
#define MASTER_BAR 4
#define MASTER_PORTS 16u
#define IDETIM 0x40u    /* of the first channel; the second's 2 bytes behind */
#define IDETIM_DECODE 0x8000u
#define SIDETIM 0x44u

/* Intel 82371FB/82371SB data sheet, "PCI Configuration Registers (Function 1)": I/O Space Enable of PCICMD, and IDE
 * Decode Enable of IDETIM. */
bool ide_decodes(const struct ide_channel *c)
{
	return VM_LEFT_OUT_OR(IDE_DECODED, (c->pci->config[PCI_COMMAND] & PCI_COMMAND_IO) &&
			      (c->pci->config[IDETIM + 2 * c->number + 1] & IDETIM_DECODE >> 8));
}

/* ---- the bus master's ports ---- */

static struct ide_channel *channel_of(struct ide *ide, uint16_t port, unsigned *reg)
{
	*reg = port % BM_CHANNEL;
	return &ide->channel[port % MASTER_PORTS / BM_CHANNEL];
}

static uint8_t master_read(void *dev, uint16_t port)
{
	unsigned reg;
	struct ide_channel *c = channel_of(dev, port, &reg);

	return ide_channel_master_read(c, reg);
}

static void master_write(void *dev, uint16_t port, uint8_t value)
{
	unsigned reg;
	struct ide_channel *c = channel_of(dev, port, &reg);

	ide_channel_master_write(c, reg, value);
}

BYTE_PORTS(master)

bool ide_init(struct ide *ide, struct pci *bus, const struct irq_line irq[IDE_CHANNELS], struct guest_memory memory,
	      uint32_t subsystem)
{
	static const struct pio_ops master = { master_in, master_out };
	struct pci_device *d = &ide->pci;

	memset(ide, 0, sizeof(*ide));
	pci_identify(d, PCI_VENDOR_INTEL, 0x7010, PCI_CLASS(PCI_CLASS_IDE, INTERFACE), 0x00);
	pci_put16(d->reset, PCI_STATUS, PCI_STATUS_MEDIUM | PCI_STATUS_FAST);
	pci_put32(d->reset, PCI_SUBSYSTEM, subsystem);
	d->writable[PCI_COMMAND] = PCI_COMMAND_IO | PCI_COMMAND_MASTER;
	for (unsigned n = 0; n < IDE_CHANNELS; n++) {
		VM_MUTANT(IDE_DECODES, pci_put16(d->reset, IDETIM + 2 * n, IDETIM_DECODE));
		pci_put16(d->writable, IDETIM + 2 * n, 0xffff);
		ide_channel_init(&ide->channel[n], d, n, irq[n], memory);
	}
	d->writable[SIDETIM] = 0xff;
	d->bar[MASTER_BAR] = (struct pci_bar){ .size = MASTER_PORTS, .io = &master, .dev = ide };
	return pci_add(bus, d, PCI_DEVFN(SLOT, FUNCTION));
}

bool ide_attach(struct ide *ide, struct pio_space *pio, unsigned channel, unsigned n, struct block_disk *disk, bool cd,
		const char *serial)
{
	ide_drive_init(&ide->channel[channel].drive[n], disk, cd, serial);
	if (ide->attached++)
		return true;
	return ide_channel_add_ports(&ide->channel[0], pio) && ide_channel_add_ports(&ide->channel[1], pio);
}
