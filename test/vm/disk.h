/* A disk of the machine's for the bench, in memory: 1.0, which works when the test says so. There is 0.0, too, of which
 * nobody makes use. */
#ifndef VELLUM_TEST_VM_DISK_H
#define VELLUM_TEST_VM_DISK_H

#include "host/device/disk.h"

#define BENCH_DISK_SECTORS 8192 /* as much as a virtual machine's RAM */

struct bench_disk {
	bool there; /* else the machine has none */
	unsigned small; /* sectors that it has less */
	uint8_t data[BENCH_DISK_SECTORS][SECTOR_SIZE];
	bool busy, later, fail;
	bool looks; /* who looks at the machine's disks finds them done */
	bool swapping, slow; /* the command is the swap area's, and its interrupt comes only by bench_disk_finish() */
	enum ata_op op;
	uint64_t sector;
	unsigned sectors, flushed, commands; /* the last: of the swap area */
};
extern struct bench_disk bench_disk;

/* What it has been told, and what follows from that, until it has nothing to do. */
void bench_disk_finish(void);
/* The interrupt of a command of the swap area comes, unless it is slow. false: there is none. */
bool bench_disk_interrupt(void);

#endif
