/* The memory and the driver of a virtio device that no transport is around: for what devices do with their queues. */
#ifndef VELLUM_TEST_VIRTIO_BOX_H
#define VELLUM_TEST_VIRTIO_BOX_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <string.h>

#include "dev/virtio/device.h"
#include "test/unit/dev/virtio/steps.h"

#define BOX_RAM 0x100000u
#define BOX_ROM 0xf0000u  /* from there on nothing can be written */
#define BOX_DESC(q) (0x1000u + 0x4000u * (q))
#define BOX_AVAIL(q) (0x2000u + 0x4000u * (q))
#define BOX_USED(q) (0x3000u + 0x4000u * (q))
#define BOX_DATA 0x20000u

struct box {
	uint8_t ram[BOX_RAM];
	struct virtio_device *device;
	unsigned interrupts[8], changes;
	uint16_t avail[8], seen[8];
};
extern struct box box;

struct guest_memory box_memory(void);
/* The driver resets the device, agrees on these features and sets up its queues; then it is ready. */
void box_begin(struct virtio_device *d, uint64_t features);
/* One descriptor of a table; flags as the specification has them. */
void box_descriptor(unsigned q, unsigned n, uint64_t gpa, uint32_t bytes, unsigned flags, unsigned next);
/* A chain of one descriptor, its own, is offered; or one that is there already. */
void box_offer(unsigned q, unsigned n, uint64_t gpa, uint32_t bytes, unsigned flags);
void box_offer_head(unsigned q, unsigned head);
/* The next of the used ring must be this; returns its length. */
uint32_t box_used(unsigned q, unsigned head);
bool box_none_used(unsigned q);
static inline bool box_broken(void) { return box.device->status & VIRTIO_NEEDS_RESET; }

#endif
