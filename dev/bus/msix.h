/* dev/bus/msix.h - a PCI function's MSI-X table and pending bits (PCI Local Bus Specification, "MSI-X Capability and
 * Table Structures").
 *
 * MX1  A message is sent while the function's MSI-X is enabled and neither it nor the vector is masked; one that could
 *      not be sent for a mask is pending, and is sent once the mask is taken away. */
#ifndef VELLUM_DEV_MSIX_H
#define VELLUM_DEV_MSIX_H

#include "dev/dev.h"

#define MSIX_VECTORS_MAX 16
#define MSIX_ENTRY_BYTES 16
#define MSIX_TABLE 0     /* in its BAR */
#define MSIX_PBA 0x800
#define MSIX_BAR_BYTES 0x1000u
#define MSIX_CAPABILITY 0x11
#define MSIX_MASKED 1u /* of an entry */
#define MSIX_ENABLE 0x8000u /* of the message control register */
#define MSIX_MASK_ALL 0x4000u

struct msix {
	uint32_t entry[MSIX_VECTORS_MAX][4]; /* address, its upper half, data, control */
	unsigned vectors;
	bool enabled, masked;
	uint32_t pending;
	void (*send)(void *ctx, uint64_t address, uint32_t data);
	void *ctx;
};

/* With .vectors, .send and .ctx set. */
void msix_reset(struct msix *m);
/* dev/bus/bus_state.c; within a section. */
void msix_state(struct fields *s, struct msix *m);
/* The guest has written the message control register. */
void msix_control(struct msix *m, uint16_t control);
/* The device has something to say; a vector that there is not is ignored. */
void msix_raise(struct msix *m, unsigned vector);
/* Of the BAR: for struct mmio_ops, dev is a struct msix. */
uint64_t msix_read(void *dev, uint64_t offset, unsigned size);
void msix_write(void *dev, uint64_t offset, unsigned size, uint64_t value);

#endif
