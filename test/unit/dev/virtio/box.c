#include "test/unit/dev/virtio/box.h"

struct box box;

static bool box_read(void *ctx, uint64_t gpa, void *to, size_t n)
{
	(void)ctx;
	if (gpa + n > BOX_RAM)
		return false;
	memcpy(to, box.ram + gpa, n);
	return true;
}

static bool box_write(void *ctx, uint64_t gpa, const void *from, size_t n)
{
	(void)ctx;
	if (gpa + n > BOX_ROM)
		return false;
	memcpy(box.ram + gpa, from, n);
	return true;
}

struct guest_memory box_memory(void) { return (struct guest_memory){ box_read, box_write, NULL }; }

static void interrupt(void *ctx, unsigned cause)
{
	(void)ctx;
	if (cause == VIRTIO_CONFIG_CHANGED)
		box.changes++;
	else
		box.interrupts[cause]++;
}

static void put(uint64_t gpa, const void *p, size_t n) { memcpy(box.ram + gpa, p, n); }
static void put16(uint64_t gpa, uint16_t value) { put(gpa, &value, sizeof(value)); }

static uint16_t get16(uint64_t gpa)
{
	uint16_t value;

	memcpy(&value, box.ram + gpa, sizeof(value));
	return value;
}

void box_begin(struct virtio_device *d, uint64_t features)
{
	memset(&box, 0, sizeof(box));
	box.device = d;
	d->interrupt = interrupt;
	virtio_set_status(d, 0);
	virtio_set_status(d, STATUS_KNOWN);
	virtio_set_features(d, 0, (uint32_t)features, false);
	virtio_set_features(d, 1, (uint32_t)(features >> 32), false);
	virtio_set_status(d, STATUS_AGREED);
	assert_true(d->status & VIRTIO_FEATURES_OK);
	for (unsigned q = 0; q < d->queues; q++) {
		d->queue[q].desc = BOX_DESC(q);
		d->queue[q].avail = BOX_AVAIL(q);
		d->queue[q].used = BOX_USED(q);
		virtio_enable_queue(d, q);
	}
	virtio_set_status(d, STATUS_READY);
}

void box_descriptor(unsigned q, unsigned n, uint64_t gpa, uint32_t bytes, unsigned flags, unsigned next)
{
	uint64_t at = BOX_DESC(q) + VIRTQ_DESC_BYTES * n;

	put(at, &gpa, sizeof(gpa));
	put(at + 8, &bytes, sizeof(bytes));
	put16(at + 12, (uint16_t)flags);
	put16(at + 14, (uint16_t)next);
}

void box_offer_head(unsigned q, unsigned head)
{
	put16(BOX_AVAIL(q) + VIRTQ_RING_ENTRIES + 2u * (box.avail[q]++ % box.device->queue[q].size), (uint16_t)head);
	put16(BOX_AVAIL(q) + VIRTQ_RING_IDX, box.avail[q]);
}

void box_offer(unsigned q, unsigned n, uint64_t gpa, uint32_t bytes, unsigned flags)
{
	box_descriptor(q, n, gpa, bytes, flags, 0);
	box_offer_head(q, n);
}

bool box_none_used(unsigned q) { return get16(BOX_USED(q) + VIRTQ_RING_IDX) == box.seen[q]; }

uint32_t box_used(unsigned q, unsigned head)
{
	uint32_t element[2];

	assert_false(box_none_used(q));
	memcpy(element, box.ram + BOX_USED(q) + VIRTQ_RING_ENTRIES + 8u * (box.seen[q]++ % box.device->queue[q].size),
	       sizeof(element));
	assert_int_equal(element[0], head);
	return element[1];
}
