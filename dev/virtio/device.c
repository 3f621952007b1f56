#include "dev/virtio/device.h"

static void forget(struct virtio_device *d)
{
	d->features = 0;
	d->status = 0;
	for (unsigned n = 0; n < d->queues; n++)
		virtq_reset(&d->queue[n], d->queue_size);
}

void virtio_init(struct virtio_device *d)
{
	for (unsigned n = 0; n < d->queues; n++)
		d->queue[n].memory = &d->memory;
	forget(d);
}

static void reset(struct virtio_device *d)
{
	d->ops->reset(d);
	forget(d);
}

void virtio_set_features(struct virtio_device *d, unsigned half, uint32_t value, bool legacy)
{
	unsigned shift = half ? 32 : 0;

	/* "Device Status Field": not after FEATURES_OK. */
	if (half > 1 || (d->status & VIRTIO_FEATURES_OK))
		return;
	d->features = (d->features & ~((uint64_t)UINT32_MAX << shift)) | (uint64_t)value << shift;
	if (legacy)
		d->features &= d->offered;
}

/* What the rest goes by, once it has been agreed upon. */
static void agree(struct virtio_device *d)
{
	for (unsigned n = 0; n < d->queues; n++) {
		d->queue[n].event_idx = virtio_has(d, VIRTIO_F_EVENT_IDX);
		d->queue[n].indirect = virtio_has(d, VIRTIO_F_INDIRECT_DESC);
	}
}

void virtio_set_status(struct virtio_device *d, uint8_t status)
{
	bool begins = (status & ~d->status) & VIRTIO_DRIVER_OK;

	if (!status) {
		reset(d);
		return;
	}
	if (d->features & ~d->offered)
		status &= (uint8_t)~VIRTIO_FEATURES_OK;
	/* The driver cannot take back what it has said, nor what the device has. */
	d->status |= status & (uint8_t)~VIRTIO_NEEDS_RESET;
	agree(d);
	for (unsigned n = 0; begins && n < d->queues; n++)
		virtio_notify(d, n);
}

/* "Split Virtqueues": how the parts have to be aligned. None wraps. */
static bool well_placed(const struct virtq *q)
{
	/* Bytes: of the largest part, and more. */
	uint64_t most = VIRTQ_RING_ENTRIES + VIRTQ_DESC_BYTES * (q->size + 1u);

	return q->desc % 16 == 0 && q->avail % 2 == 0 && q->used % 4 == 0 && !guest_memory_wraps(q->desc, most) &&
	       !guest_memory_wraps(q->avail, most) && !guest_memory_wraps(q->used, most);
}

void virtio_place_queue(struct virtio_device *d, unsigned n)
{
	struct virtq *q = &d->queue[n];

	agree(d);
	q->ready = true;
	q->broken = !well_placed(q);
}

void virtio_enable_queue(struct virtio_device *d, unsigned n)
{
	virtio_place_queue(d, n);
	virtio_tell(d, n);
}

/* virtio, "Device Status Field": nothing is taken before DRIVER_OK (legacy: DRIVER), nor from a queue not enabled. */
bool virtio_ready(const struct virtio_device *d, unsigned n)
{
	bool may = virtio_has(d, VIRTIO_F_VERSION_1) ? d->status & VIRTIO_DRIVER_OK : d->status & VIRTIO_DRIVER;

	return n < d->queues && may && d->queue[n].ready && !d->queue[n].broken;
}

void virtio_notify(struct virtio_device *d, unsigned n)
{
	if (virtio_ready(d, n))
		d->ops->notify(d, n);
}

void virtio_config_write(struct virtio_device *d, uint64_t offset, unsigned n, uint64_t value)
{
	for (unsigned i = 0; d->ops->configure && i < n; i++)
		d->ops->configure(d, offset + i, (uint8_t)(value >> (8 * i)));
}

void virtio_tell(struct virtio_device *d, unsigned n)
{
	struct virtq *q = &d->queue[n];

	if (virtq_wants_interrupt(q))
		d->interrupt(d->ctx, n);
	/* "Device Status Field": the driver is told, if it has got so far. */
	if (unlikely(q->broken) && !(d->status & VIRTIO_NEEDS_RESET)) {
		d->status |= VIRTIO_NEEDS_RESET;
		if (d->status & VIRTIO_DRIVER_OK)
			d->interrupt(d->ctx, VIRTIO_CONFIG_CHANGED);
	}
}
