/* dev/ide/channel.h - a channel of a guest's IDE controller: its registers, which are those of the drive that is
 * selected, its interrupt, and its bus master (ATA/ATAPI-6, "I/O register descriptions" and "Device 0 only
 * configurations").
 *
 * ID7  The interrupt line is that of the drive that is selected, unless the host has turned it off. */
#ifndef VELLUM_DEV_IDE_CHANNEL_H
#define VELLUM_DEV_IDE_CHANNEL_H

#include "dev/bus/pci.h"
#include "dev/ide/drive.h"

struct ide_channel {
	struct ide_drive drive[2];
	struct ide_dma dma;
	struct irq_line irq;
	struct pci_device *pci;
	unsigned number;
	uint8_t device, control; /* registers */
	bool level;              /* of the line */
};

/* A channel without drives, at no ports. */
void ide_channel_init(struct ide_channel *c, struct pci_device *pci, unsigned number, struct irq_line irq,
		      struct guest_memory memory);
/* false: they are taken. */
bool ide_channel_add_ports(struct ide_channel *c, struct pio_space *pio);
/* Something has changed that the line depends on. */
void ide_channel_lines(struct ide_channel *c);
/* May the bus master be one? */
bool ide_channel_may_dma(const struct ide_channel *c);
/* The bus master's registers, by byte; the table's address is one doubleword. */
uint8_t ide_channel_master_read(struct ide_channel *c, unsigned reg);
void ide_channel_master_write(struct ide_channel *c, unsigned reg, uint8_t value);

#endif
