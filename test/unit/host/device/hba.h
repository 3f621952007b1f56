/* An AHCI controller with a disk at port 1 and a CD drive at port 2, as the tests of the driver see it: commands take
 * until the test lets them go on, and may fail or hang. It checks what it is told: what a controller or a disk would
 * not understand ends the test. */
#ifndef VELLUM_TEST_HBA_H
#define VELLUM_TEST_HBA_H

#include "host/device/ahci.h"

#define HBA_SECTORS 2048
#define HBA_DISK 1
#define HBA_CD 2

struct hba_port {
	uint32_t cmd, is, ie, tfd, sig, ssts, sctl, serr, ci, clb, fb;
};

struct hba {
	uint32_t ghc, is, bohc;
	bool handoff;          /* it asks for it */
	bool stuck;            /* a reset does not end */
	struct hba_port port[AHCI_PORTS];
	bool lba48, no_dma;
	uint64_t sectors;      /* as the disk says; it holds HBA_SECTORS, again and again */
	uint8_t data[HBA_SECTORS][SECTOR_SIZE];
	unsigned flushed, written; /* how often; sectors */
	uint8_t command;       /* the last; and what it was about */
	uint64_t sector;
	unsigned count;
	bool fail, fault, hang, half; /* half: fewer bytes than were asked for, and no error */
	bool dead;             /* its link does not come back */
	bool runs_on;          /* the port does not stop */
	unsigned resets, link_resets;
	uint64_t now;
	struct ahci_memory memory __attribute__((aligned(4096)));
	uint8_t buffer[ATA_BUFFER];
};

extern struct hba hba;
extern const struct ahci hba_face;
/* A port of the driver for it, of which ahci_find() has been called. */
void hba_port(struct ahci_port *p, unsigned n);
/* The disk goes on with its command. */
void hba_step(void);

#endif
