/* test/fuzz/rings.h - what fuzzers of a virtio device have in the guest's memory: a ring for each queue, which the
 * driver has just begun with. */
#ifndef VELLUM_TEST_FUZZ_RINGS_H
#define VELLUM_TEST_FUZZ_RINGS_H

#include <string.h>

#include "dev/virtio/device.h"
#include "test/fuzz/input.h"

#define RAM 0x10000u
/* Where queue q's parts are. */
#define DESC(q) (0x1000u * (q))
#define AVAIL(q) (0x1000u * (q) + 0x800)
#define USED(q) (0x1000u * (q) + 0xc00)
#define RING 16u

static inline void ring_put16(uint8_t *ram, uint32_t at, uint16_t value) { memcpy(ram + at % (RAM - 1), &value, 2); }

/* The driver takes some of what is offered, and has rings in ram; their indices, avail, begin at 0. */
static inline void rings_begin(struct input *in, struct virtio_device *d, unsigned queues, uint8_t *ram,
			       uint16_t *avail)
{
	uint64_t features = in_bool(in) ? d->offered : d->offered & ~(uint64_t)in32(in);

	virtio_set_status(d, 0);
	virtio_set_status(d, VIRTIO_ACKNOWLEDGE | VIRTIO_DRIVER);
	virtio_set_features(d, 0, (uint32_t)features, false);
	virtio_set_features(d, 1, (uint32_t)(features >> 32), false);
	virtio_set_status(d, VIRTIO_ACKNOWLEDGE | VIRTIO_DRIVER | VIRTIO_FEATURES_OK);
	for (unsigned q = 0; q < queues; q++) {
		d->queue[q].desc = DESC(q);
		d->queue[q].avail = AVAIL(q);
		d->queue[q].used = USED(q);
		d->queue[q].size = RING;
		memset(ram + DESC(q), 0, 0x1000);
		avail[q] = 0;
		virtio_enable_queue(d, q);
	}
	virtio_set_status(d, VIRTIO_ACKNOWLEDGE | VIRTIO_DRIVER | VIRTIO_FEATURES_OK | VIRTIO_DRIVER_OK);
}

#endif
