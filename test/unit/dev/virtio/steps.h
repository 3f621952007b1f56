/* What a driver does to a device by the common configuration ("Device Initialization", "Virtqueue Configuration"),
 * through a function that writes there. */
#ifndef VELLUM_TEST_VIRTIO_STEPS_H
#define VELLUM_TEST_VIRTIO_STEPS_H

#include "dev/virtio/virtio.h"

#define STATUS_KNOWN (VIRTIO_ACKNOWLEDGE | VIRTIO_DRIVER)
#define STATUS_AGREED (STATUS_KNOWN | VIRTIO_FEATURES_OK)
#define STATUS_READY (STATUS_AGREED | VIRTIO_DRIVER_OK)

typedef void common_out(unsigned reg, unsigned size, uint64_t value);

/* From a reset to features that both have agreed on. */
static inline void step_agree(common_out *put_common, uint64_t features)
{
	put_common(VIRTIO_COMMON_STATUS, 1, 0);
	put_common(VIRTIO_COMMON_STATUS, 1, VIRTIO_ACKNOWLEDGE);
	put_common(VIRTIO_COMMON_STATUS, 1, STATUS_KNOWN);
	for (unsigned half = 0; half < 2; half++) {
		put_common(VIRTIO_COMMON_DRIVER_HALF, 4, half);
		put_common(VIRTIO_COMMON_DRIVER_FEATURES, 4, (uint32_t)(features >> (32 * half)));
	}
	put_common(VIRTIO_COMMON_STATUS, 1, STATUS_AGREED);
}

/* Where the first queue is. */
static inline void step_place(common_out *put_common, uint16_t size, uint64_t desc, uint64_t avail, uint64_t used)
{
	put_common(VIRTIO_COMMON_SELECT, 2, 0);
	put_common(VIRTIO_COMMON_SIZE, 2, size);
	put_common(VIRTIO_COMMON_DESC, 8, desc);
	put_common(VIRTIO_COMMON_AVAIL, 4, (uint32_t)avail); /* 64 bits by halves, too */
	put_common(VIRTIO_COMMON_AVAIL + 4, 4, avail >> 32);
	put_common(VIRTIO_COMMON_USED, 8, used);
}

#endif
