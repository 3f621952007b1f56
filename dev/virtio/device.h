/* dev/virtio/device.h - what every virtio device has, whatever it does and whatever it is reached by: features, status,
 * queues (Virtual I/O Device specification 1.2, "Basic Facilities of a Virtio Device").
 *
 * VO1  No queue is looked at before the driver is ready for it: DRIVER_OK, but for drivers older than the
 *      specification, which begin when their queue is set up.
 * VO2  After a reset nothing is pushed, and no memory of the guest is touched, for what was popped before. */
#ifndef VELLUM_DEV_VIRTIO_DEVICE_H
#define VELLUM_DEV_VIRTIO_DEVICE_H

#include "dev/virtio/queue.h"
#include "dev/state.h"

#define VIRTIO_CONFIG_CHANGED (~0u) /* in the place of a queue's number */

struct virtio_device;
struct virtio_pci; /* what it is on the bus by (dev/virtio/pci.h) */

struct virtio_ops {
	/* There may be requests in the queue. */
	void (*notify)(struct virtio_device *d, unsigned queue);
	/* What is under way is forgotten (VO2). */
	void (*reset)(struct virtio_device *d);
	/* The driver writes a byte of its configuration, or behind it; NULL: it has none to write. */
	void (*configure)(struct virtio_device *d, uint64_t offset, uint8_t value);
};

struct virtio_device {
	uint16_t type;     /* "Device Types" */
	uint64_t offered;  /* features */
	struct virtq *queue;
	unsigned queues;
	uint16_t queue_size; /* at most */
	const uint8_t *config; /* its own part of the configuration */
	unsigned config_bytes;
	const struct virtio_ops *ops;
	struct guest_memory memory;
	/* The transport's: an interrupt for a queue, or VIRTIO_CONFIG_CHANGED. */
	void (*interrupt)(void *ctx, unsigned cause);
	void *ctx;

	uint64_t features; /* negotiated */
	uint8_t status;
};

/* With the first block of fields set. */
void virtio_init(struct virtio_device *d);
static inline bool virtio_has(const struct virtio_device *d, unsigned feature) { return d->features >> feature & 1; }
/* The driver chooses half of the features (0 or 1); what was not offered is ignored where the driver is older than the
 * specification (`legacy`), and else refused when it says FEATURES_OK. */
void virtio_set_features(struct virtio_device *d, unsigned half, uint32_t value, bool legacy);
void virtio_set_status(struct virtio_device *d, uint8_t status);
/* The addresses of queue n have been set. */
void virtio_enable_queue(struct virtio_device *d, unsigned n);
/* The same, without a word to the driver: it is ready, or broken where its parts cannot be. */
void virtio_place_queue(struct virtio_device *d, unsigned n);
/* May the device look at queue n (VO1)? */
bool virtio_ready(const struct virtio_device *d, unsigned n);
/* The driver's notification. */
void virtio_notify(struct virtio_device *d, unsigned n);
/* After something was done with a queue: an interrupt where the driver wants one, or the news that it is broken. */
void virtio_tell(struct virtio_device *d, unsigned n);
/* A byte of the device's own configuration; 0 behind it. */
static inline uint8_t virtio_config_byte(const struct virtio_device *d, uint64_t offset)
{
	return offset < d->config_bytes ? d->config[offset] : 0;
}
/* The driver writes n bytes there. */
void virtio_config_write(struct virtio_device *d, uint64_t offset, unsigned n, uint64_t value);

#endif
