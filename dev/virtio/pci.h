/* dev/virtio/pci.h - virtio devices on the PCI bus (Virtual I/O Device specification 1.2, "Virtio Over PCI Bus"):
 * transitional, so that drivers of before the specification find theirs in BAR 0, and all others the capabilities.
 *
 * BAR 0 has ports: the legacy registers, and where drivers of either kind notify (an OUT is the cheapest exit). BAR 1
 * is the MSI-X table's. BAR 4 has what the capabilities point to.
 *
 * VP1  The interrupt pin is asserted while the ISR status has a bit and MSI-X is off. */
#ifndef VELLUM_DEV_VIRTIO_PCI_H
#define VELLUM_DEV_VIRTIO_PCI_H

#include "dev/bus/msix.h"
#include "dev/bus/pci.h"
#include "dev/virtio/device.h"

#define VIRTIO_PCI_VENDOR 0x1af4u
#define VIRTIO_PCI_QUEUES 5 /* at most */

/* BAR 0: "Legacy Interfaces: A Note on PCI Device Layout". */
#define VIRTIO_PORTS 128
#define VIRTIO_PORT_FEATURES 0
#define VIRTIO_PORT_DRIVER_FEATURES 4
#define VIRTIO_PORT_QUEUE_PFN 8
#define VIRTIO_PORT_QUEUE_SIZE 12
#define VIRTIO_PORT_QUEUE_SELECT 14
#define VIRTIO_PORT_NOTIFY 16
#define VIRTIO_PORT_STATUS 18
#define VIRTIO_PORT_ISR 19
#define VIRTIO_PORT_CONFIG_VECTOR 20 /* both while MSI-X is on; what follows then comes later */
#define VIRTIO_PORT_QUEUE_VECTOR 22
#define VIRTIO_PORT_CONFIG 20
#define VIRTIO_PORT_MODERN_NOTIFY 96

/* BAR 4. */
#define VIRTIO_BAR 4
#define VIRTIO_BAR_BYTES 0x1000u
#define VIRTIO_COMMON 0x000
#define VIRTIO_COMMON_BYTES 56
#define VIRTIO_ISR 0x400
#define VIRTIO_CONFIG 0x800
#define VIRTIO_CONFIG_BYTES 0x100

/* Capabilities: where each is in the configuration space, and cfg_type ("Virtio Structure PCI Capabilities"). */
#define VIRTIO_CAP_MSIX 0x40
#define VIRTIO_CAP_COMMON 0x50
#define VIRTIO_CAP_NOTIFY 0x60
#define VIRTIO_CAP_ISR 0x74
#define VIRTIO_CAP_DEVICE 0x84
#define VIRTIO_CAP_WINDOW 0x94
#define VIRTIO_CAP_BAR 4 /* offsets in one */
#define VIRTIO_CAP_OFFSET 8
#define VIRTIO_CAP_LENGTH 12
#define VIRTIO_CAP_MORE 16
enum { VIRTIO_TYPE_COMMON = 1, VIRTIO_TYPE_NOTIFY, VIRTIO_TYPE_ISR, VIRTIO_TYPE_DEVICE, VIRTIO_TYPE_WINDOW };

struct virtio_pci {
	struct pci_device pci;
	struct virtio_device *device;
	struct msix msix;
	uint32_t device_half, driver_half; /* of the features, as selected */
	uint16_t selected;                 /* queue */
	uint16_t config_vector, queue_vector[VIRTIO_PCI_QUEUES];
	uint8_t isr;
	uint8_t generation;
};

/* Makes it a device for pci_add(); device's .interrupt becomes this one's. send: what an MSI-X message does. class: as
 * pci_identify() has it. */
void virtio_pci_init(struct virtio_pci *p, struct virtio_device *device, uint32_t class,
		     void (*send)(void *ctx, uint64_t address, uint32_t data), void *ctx);

/* dev/virtio/pci_regs.c: registers of the two layouts, for mmio_ops and pio_ops with the struct virtio_pci. */
extern const struct mmio_ops virtio_pci_mmio;
extern const struct pio_ops virtio_pci_ports;
/* ... for the two. */
void virtio_pci_status(struct virtio_pci *p, uint8_t status);
uint8_t virtio_pci_take_isr(struct virtio_pci *p);
void virtio_pci_notified(struct virtio_pci *p, unsigned queue);

#endif
