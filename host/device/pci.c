#include "host/device/pci.h"

#include "host/cpu/x86.h"
#include "lib/pci.h"
#include "lib/ports.h"

#define FUNCTIONS 256 /* of a bus */
#define CAPABILITIES_MOST 48 /* that configuration space has room for */

/* PCI Local Bus Specification, "MSI Capability Structure": the capability's first word, and what lies behind it. */
#define MSI_ENABLE (1u << 16)
#define MSI_VECTORS (7u << 20) /* how many are used, as a power of two */
#define MSI_64 (1u << 23)
#define MSI_ADDRESS 4
#define MSI_DATA 8        /* without the address' upper half */
#define MSI_DATA_64 12
#define MSI_TO_APIC 0xfee00000u

uint32_t pci_host_read(uint32_t function, unsigned offset)
{
	outl(PCI_ADDRESS, PCI_ADDRESS_ENABLE | function << 8 | offset);
	return inl(PCI_DATA);
}

static void write_config(uint32_t function, unsigned offset, uint32_t value)
{
	outl(PCI_ADDRESS, PCI_ADDRESS_ENABLE | function << 8 | offset);
	outl(PCI_DATA, value);
}

/* The status register is above the command register, and a 1 clears a bit there. */
void pci_host_enable(uint32_t function, uint32_t command)
{
	write_config(function, PCI_COMMAND, (pci_host_read(function, PCI_COMMAND) & 0xffff) | command);
}

uint32_t pci_host_find(uint32_t class, bool (*fits)(uint32_t function))
{
	for (uint32_t f = 0; f < FUNCTIONS; f++) {
		if ((pci_host_read(f, PCI_VENDOR) & 0xffff) == 0xffff)
			continue;
		if (pci_host_read(f, PCI_REVISION) >> 16 == class && (!fits || fits(f)))
			return f;
	}
	return 0;
}

/* 0: it has none of this kind. */
static unsigned find_capability(uint32_t function, uint8_t kind)
{
	unsigned at;

	if (!(pci_host_read(function, PCI_COMMAND) >> 16 & PCI_STATUS_CAPABILITIES))
		return 0;
	at = pci_host_read(function, PCI_CAPABILITIES) & 0xfc;
	for (unsigned i = 0; at && i < CAPABILITIES_MOST; i++) {
		uint32_t head = pci_host_read(function, at);

		if ((uint8_t)head == kind)
			return at;
		at = head >> 8 & 0xfc;
	}
	return 0;
}

bool pci_host_message(uint32_t function, uint32_t apic_id, uint8_t vector)
{
	unsigned at = find_capability(function, PCI_CAPABILITY_MSI);
	uint32_t head;

	if (!at || apic_id > UINT8_MAX)
		return false;
	head = pci_host_read(function, at);
	write_config(function, at + MSI_ADDRESS, MSI_TO_APIC | apic_id << 12);
	if (head & MSI_64)
		write_config(function, at + MSI_DATA, 0);
	write_config(function, at + (head & MSI_64 ? MSI_DATA_64 : MSI_DATA), vector);
	write_config(function, at, (head & ~MSI_VECTORS) | MSI_ENABLE);
	return true;
}
