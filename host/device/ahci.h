/* host/device/ahci.h - a disk at a port of an AHCI controller (Serial ATA AHCI 1.3.1 Specification): commands by DMA,
 * as host/device/ata.h has them for the controllers of old.
 *
 * Nothing here waits for a disk but at boot. The controller's registers are reached through functions, so that a test
 * can be one (test/unit/host/device/hba.c).
 *
 * AH1  A port has one command at a time, in the first place of its list.
 * AH2  Each register is looked at a bounded number of times in a call. A command that fails, or does not end in the
 *      port's `patience`, stops the port; where the disk is not idle then, its link is reset. A port that does not come
 *      back in as long is given up for good.
 * AH3  Memory that a disk reads or writes is the port's own buffer, always.
 * AH4  A command has succeeded where neither controller nor disk tells of an error, and all its bytes were
 *      transferred. */
#ifndef VELLUM_HOST_AHCI_H
#define VELLUM_HOST_AHCI_H

#include "host/device/ata.h"
#include "lib/ahci.h"

#define AHCI_PORTS 8 /* of a controller, that are driven */
#define AHCI_BYTES (AHCI_PORT + AHCI_PORTS * AHCI_PORT_BYTES)

struct ahci {
	uint32_t (*read)(unsigned reg);
	void (*write)(unsigned reg, uint32_t value);
	uint64_t (*now)(void);
	uint64_t patience; /* ticks that a command has (AH2) */
};

struct ahci_port {
	const struct ahci *hba;
	unsigned n;
	struct ahci_memory *memory; /* zeroed */
	uint32_t memory_address;
	uint8_t *buffer; /* ATA_BUFFER bytes in one piece */
	uint32_t buffer_address;
	struct ata_disk disk;

	enum { AHCI_EMPTY, AHCI_IDLE, AHCI_BUSY, AHCI_STOPPING, AHCI_RESETTING, AHCI_LINKING, AHCI_DEAD } state;
	uint64_t deadline; /* of the command, or of what follows its failure */
	uint64_t held;     /* AHCI_RESETTING: as long as this */
	uint32_t bytes;    /* that the command transfers */
};

/* Takes the controller from the firmware, and resets it. false: it does not answer. Boot only. */
bool ahci_begin(const struct ahci *h);
/* Is there such a port? */
bool ahci_has_port(const struct ahci *h, unsigned n);
/* Finds the port's disk, and begins. .hba, .n, memory and buffer are there. Boot only. */
void ahci_find(struct ahci_port *p);
/* From here on commands that end interrupt. */
void ahci_interrupts(const struct ahci *h);
/* As ata_start(), ata_advance(). */
bool ahci_start(struct ahci_port *p, enum ata_op op, uint64_t sector, unsigned sectors, uint64_t now);
enum ata_result ahci_advance(struct ahci_port *p, uint64_t now);

#endif
