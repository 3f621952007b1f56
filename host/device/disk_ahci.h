/* host/device/disk_ahci.h - the machine's AHCI controller, the first that there is, around its driver. All at boot, on
 * the first CPU, but ahci_host_waiting(). */
#ifndef VELLUM_HOST_DISK_AHCI_H
#define VELLUM_HOST_DISK_AHCI_H

#include "host/device/ahci.h"

/* patience: ticks that a command has. false: there is none, or it does not answer, which a line of the log says.
 * *interrupts: it sends a message of that vector to the first CPU. */
bool ahci_host_begin(uint64_t patience, uint8_t vector, bool *interrupts);
/* NULL: there is no disk. false: there is no memory for it. */
bool ahci_host_find(unsigned n, struct ahci_port **port);
void ahci_host_interrupts(void);
/* Has a port told of something since it was looked at? */
bool ahci_host_waiting(void);

#endif
