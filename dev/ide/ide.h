/* dev/ide/ide.h - the IDE controller of a guest's PC: function 1 of the PIIX3 (8086:7010), with two channels at the
 * ports and IRQs of old (Intel 82371FB/82371SB data sheet, "PCI Configuration Registers (Function 1)"). */
#ifndef VELLUM_DEV_IDE_H
#define VELLUM_DEV_IDE_H

#include "dev/ide/channel.h"

#define IDE_CHANNELS 2

struct ide {
	struct pci_device pci;
	struct ide_channel channel[IDE_CHANNELS];
	unsigned attached; /* drives */
};

/* Puts it on the bus, as 00:01.1, without drives. irq: of its channels; subsystem: as the host bridge's. The channels
 * decode their ports without anybody who turns them on, as firmwares for QEMU expect. false: the bus is full. */
bool ide_init(struct ide *ide, struct pci *bus, const struct irq_line irq[IDE_CHANNELS], struct guest_memory memory,
	      uint32_t subsystem);
/* Attaches a drive to a free place: one whose disk block_disk_init() has made, and whose .memory becomes the drive's.
 * The first one brings the ports of both channels. serial outlives it. false: the ports are taken. */
bool ide_attach(struct ide *ide, struct pio_space *pio, unsigned channel, unsigned n, struct block_disk *disk, bool cd,
		const char *serial);
/* Does the channel decode its ports, as its function's registers say? */
bool ide_decodes(const struct ide_channel *c);
/* dev/ide/ide_state.c; no medium is asked. */
void ide_state(struct fields *s, struct ide *ide);

#endif
