/* dev/virtio/virtio.h - numbers of the Virtual I/O Device specification, version 1.2, that devices and their tests
 * use. What is not used has no name. */
#ifndef VELLUM_DEV_VIRTIO_H
#define VELLUM_DEV_VIRTIO_H

#include "lib/base.h"

/* "Device Types". */
#define VIRTIO_ID_NET 1
#define VIRTIO_ID_BLOCK 2
#define VIRTIO_ID_CONSOLE 3
#define VIRTIO_ID_RNG 4
#define VIRTIO_ID_BALLOON 5

/* "Device Status Field". */
#define VIRTIO_ACKNOWLEDGE 1u
#define VIRTIO_DRIVER 2u
#define VIRTIO_DRIVER_OK 4u
#define VIRTIO_FEATURES_OK 8u
#define VIRTIO_NEEDS_RESET 64u

/* "Reserved Feature Bits". */
#define VIRTIO_F_ANY_LAYOUT 27
#define VIRTIO_F_INDIRECT_DESC 28
#define VIRTIO_F_EVENT_IDX 29
#define VIRTIO_F_VERSION_1 32

/* "The Virtqueue Descriptor Table". */
#define VIRTQ_DESC_BYTES 16
#define VIRTQ_DESC_F_NEXT 1u
#define VIRTQ_DESC_F_WRITE 2u
#define VIRTQ_DESC_F_INDIRECT 4u
/* "The Virtqueue Available Ring", "The Virtqueue Used Ring": offsets, and flags. */
#define VIRTQ_RING_FLAGS 0
#define VIRTQ_RING_IDX 2
#define VIRTQ_RING_ENTRIES 4
#define VIRTQ_AVAIL_BYTES 2
#define VIRTQ_USED_BYTES 8
#define VIRTQ_AVAIL_F_NO_INTERRUPT 1u

/* "Common configuration structure layout": offsets. */
enum virtio_common {
	VIRTIO_COMMON_DEVICE_HALF = 0, /* "device_feature_select": which half is next */
	VIRTIO_COMMON_DEVICE_FEATURES = 4,
	VIRTIO_COMMON_DRIVER_HALF = 8,
	VIRTIO_COMMON_DRIVER_FEATURES = 12,
	VIRTIO_COMMON_CONFIG_VECTOR = 16,
	VIRTIO_COMMON_NUM_QUEUES = 18,
	VIRTIO_COMMON_STATUS = 20,
	VIRTIO_COMMON_GENERATION = 21,
	VIRTIO_COMMON_SELECT = 22, /* whose what follows is */
	VIRTIO_COMMON_SIZE = 24,
	VIRTIO_COMMON_VECTOR = 26,
	VIRTIO_COMMON_ENABLE = 28,
	VIRTIO_COMMON_NOTIFY_OFF = 30,
	VIRTIO_COMMON_DESC = 32, /* 64 bits, as those behind it */
	VIRTIO_COMMON_AVAIL = 40,
	VIRTIO_COMMON_USED = 48,
};

/* "Used Buffer Notifications" on PCI, "ISR status capability". */
#define VIRTIO_ISR_QUEUE 1u
#define VIRTIO_ISR_CONFIG 2u
#define VIRTIO_NO_VECTOR 0xffffu

#endif
