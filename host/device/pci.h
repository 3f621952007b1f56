/* host/device/pci.h - configuration space of the machine's PCI functions, by "Configuration Mechanism #1" (PCI Local
 * Bus Specification). Boot only, on the first CPU. A function is bus, device and function in 16 bits. */
#ifndef VELLUM_HOST_PCI_H
#define VELLUM_HOST_PCI_H

#include "lib/base.h"

/* 32 bits at an offset that is a multiple of 4. */
uint32_t pci_host_read(uint32_t function, unsigned offset);
/* The function answers to what the bits of PCI_COMMAND say; its status bits stay. */
void pci_host_enable(uint32_t function, uint32_t command);
/* The first function of bus 0 with this base class and sub-class that `fits` (NULL: each does), or 0: there is none
 * (00:00.0 is the host bridge). */
uint32_t pci_host_find(uint32_t class, bool (*fits)(uint32_t function));

/* Its interrupt becomes a message of this vector to the CPU of that APIC ID, below 256. false: it knows no messages. */
bool pci_host_message(uint32_t function, uint32_t apic_id, uint8_t vector);

#endif
