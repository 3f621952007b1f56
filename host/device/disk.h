/* host/device/disk.h - the machine's disks: which there are, and their channels' locks, buffers and interrupts, around
 * the drivers (host/device/ata.h, ahci.h).
 *
 * DK1  A channel's registers and its driver's state are touched with its lock held only. The interrupts come to the
 *      boot CPU, which also looks at what is due; disk_event is called there, with no lock held. */
#ifndef VELLUM_HOST_DISK_H
#define VELLUM_HOST_DISK_H

#include "host/device/ahci.h"

#define DISK_IDE 2 /* channels with two disks each; behind them ports of AHCI with one */
#define DISK_CHANNELS (DISK_IDE + AHCI_PORTS)

/* Finds the controller and its disks, as many as there are, and says in the log which. NULL, or one sentence: there is
 * no memory for their buffers. Boot only, on the first CPU; once. */
const char *disk_host_init(uint64_t tsc_hz);
/* NULL: there is no such disk. */
const struct ata_disk *disk_host(unsigned channel, unsigned n);
/* The channel's buffer, ATA_BUFFER bytes: the caller's while the channel has no command. */
uint8_t *disk_host_buffer(unsigned channel);
/* As ata_start(); disk_event() will tell what came of it. false: nothing was begun. */
bool disk_host_start(unsigned channel, unsigned n, enum ata_op op, uint64_t sector, unsigned sectors);
/* The same, but waits for the end of a reset first; and a look at whether a command has ended, without waiting for its
 * interrupt. What came of it is told once: by disk_event(), or here. For a channel all of whose commands are begun so.
 * With any lock held. */
bool disk_host_begin(unsigned channel, unsigned n, enum ata_op op, uint64_t sector, unsigned sectors);
enum ata_result disk_host_poll(unsigned channel);
extern void (*disk_event)(unsigned channel, bool good);
/* disk_later() is called soon, on the boot CPU with no lock held. */
void disk_host_later(unsigned channel);
extern void (*disk_later)(unsigned channel);

/* An interrupt of the channel, on the boot CPU. */
void disk_host_interrupt(unsigned channel);
/* The boot CPU: when it has to look at the channels without an interrupt; TSC, UINT64_MAX: not at all. And it does. */
uint64_t disk_host_due(void);
void disk_host_look(void);

#endif
