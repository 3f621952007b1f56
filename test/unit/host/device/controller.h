/* One channel of an ATA controller with two disks and a bus master, as the tests of the driver see it: commands take
 * until the test lets them go on, and may fail or hang. It checks what it is told: accesses that a disk would not
 * understand end the test. */
#ifndef VELLUM_TEST_CONTROLLER_H
#define VELLUM_TEST_CONTROLLER_H

#include "host/device/ata.h"

#define CTL_COMMAND 0x1f0
#define CTL_CONTROL 0x3f6
#define CTL_MASTER 0xc000
#define CTL_SECTORS 2048

struct ctl_disk {
	bool present, packet, lba48, dma;
	bool no_lba, no_sets; /* what IDENTIFY does not say */
	uint32_t lba28;       /* what it says in place of .sectors in 28 bits; 0: that */
	uint64_t sectors; /* as it says; it holds CTL_SECTORS, again and again */
	uint8_t data[CTL_SECTORS][SECTOR_SIZE];
	unsigned flushed, written; /* how often; sectors */
};

struct ctl {
	struct ctl_disk disk[2];
	uint8_t reg[8], previous[8]; /* of the command block, and what was written before */
	uint8_t status, error, control, master_command, master_status;
	uint32_t master_table;
	uint8_t command;  /* under way; 0: none */
	unsigned left;    /* sectors, of one by words */
	unsigned at;      /* of its 256 words */
	uint64_t sector;
	bool interrupt;   /* asserted */
	bool fail, fault, hang, short_table;
	unsigned resets;
	uint64_t now;
	uint8_t memory[ATA_BUFFER + 0x2000] __attribute__((aligned(0x10000)));
};

extern struct ctl ctl;
extern const struct ata_ports ctl_ports;
uint64_t ctl_now(void);
/* A channel of the driver for it, of which ata_find() has been called. */
void ctl_channel(struct ata_channel *c, bool bus_master);
/* The disk goes on with its command. */
void ctl_step(void);

#endif
