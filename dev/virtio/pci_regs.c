/* dev/virtio/pci_regs.c - the registers in BAR 4 ("Common configuration structure layout") and BAR 0 ("Legacy
 * Interfaces: A Note on PCI Device Layout"). */
#include "dev/virtio/pci.h"

/* ---- the common configuration, of BAR 4 ---- */

/* The selected queue; NULL: there is none of that number. */
static struct virtq *selected(const struct virtio_pci *p)
{
	return p->selected < p->device->queues ? &p->device->queue[p->selected] : NULL;
}

static uint32_t features_half(uint64_t features, uint32_t half)
{
	return half < 2 ? (uint32_t)(features >> (32 * half)) : 0;
}

static uint64_t *address_of(struct virtq *q, uint64_t offset)
{
	return offset < VIRTIO_COMMON_AVAIL ? &q->desc : offset < VIRTIO_COMMON_USED ? &q->avail : &q->used;
}

static uint32_t read_queue(const struct virtio_pci *p, uint64_t offset)
{
	struct virtq *q = selected(p);

	if (!q)
		return 0;
	switch (offset) {
	case VIRTIO_COMMON_SIZE:
		return q->size;
	case VIRTIO_COMMON_VECTOR:
		return p->queue_vector[p->selected];
	case VIRTIO_COMMON_ENABLE:
		return q->ready;
	case VIRTIO_COMMON_NOTIFY_OFF:
		return 0;
	default:
		return (uint32_t)(*address_of(q, offset) >> (offset % 8 ? 32 : 0));
	}
}

/* A field, at its first byte. */
static uint32_t read_common(const struct virtio_pci *p, uint64_t offset)
{
	switch (offset) {
	case VIRTIO_COMMON_DEVICE_HALF:
		return p->device_half;
	case VIRTIO_COMMON_DEVICE_FEATURES:
		return features_half(p->device->offered, p->device_half);
	case VIRTIO_COMMON_DRIVER_HALF:
		return p->driver_half;
	case VIRTIO_COMMON_DRIVER_FEATURES:
		return features_half(p->device->features, p->driver_half);
	case VIRTIO_COMMON_CONFIG_VECTOR:
		return p->config_vector;
	case VIRTIO_COMMON_NUM_QUEUES:
		return p->device->queues;
	case VIRTIO_COMMON_STATUS:
		return p->device->status;
	case VIRTIO_COMMON_GENERATION:
		return p->generation;
	case VIRTIO_COMMON_SELECT:
		return p->selected;
	default:
		return read_queue(p, offset);
	}
}

/* A vector that there is not reads back as none. */
static uint16_t vector(const struct virtio_pci *p, uint32_t value)
{
	return value < p->msix.vectors ? (uint16_t)value : VIRTIO_NO_VECTOR;
}

static void write_queue(struct virtio_pci *p, uint64_t offset, uint32_t value)
{
	struct virtq *q = selected(p);
	uint64_t *address;

	if (!q)
		return;
	if (offset == VIRTIO_COMMON_VECTOR) {
		p->queue_vector[p->selected] = vector(p, value);
		return;
	}
	/* "Virtqueue Configuration": what follows is fixed once the queue is enabled. */
	if (q->ready)
		return;
	if (offset == VIRTIO_COMMON_SIZE) {
		if (value && value <= p->device->queue_size && !(value & (value - 1)))
			q->size = (uint16_t)value;
	} else if (offset == VIRTIO_COMMON_ENABLE) {
		if (value == 1)
			virtio_enable_queue(p->device, p->selected);
	} else if (offset >= VIRTIO_COMMON_DESC) {
		address = address_of(q, offset);
		*address = offset % 8 ? (*address & 0xffffffff) | (uint64_t)value << 32
				      : (*address & ~0xffffffffull) | value;
	}
}

static void write_common(struct virtio_pci *p, uint64_t offset, uint32_t value)
{
	switch (offset) {
	case VIRTIO_COMMON_DEVICE_HALF:
		p->device_half = value;
		break;
	case VIRTIO_COMMON_DRIVER_HALF:
		p->driver_half = value;
		break;
	case VIRTIO_COMMON_DRIVER_FEATURES:
		virtio_set_features(p->device, p->driver_half, value, false);
		break;
	case VIRTIO_COMMON_CONFIG_VECTOR:
		p->config_vector = vector(p, value);
		break;
	case VIRTIO_COMMON_STATUS:
		virtio_pci_status(p, (uint8_t)value);
		break;
	case VIRTIO_COMMON_SELECT:
		p->selected = (uint16_t)value;
		break;
	default:
		write_queue(p, offset, value);
	}
}

/* How wide the field at an offset is; 0: there begins none. */
static unsigned width(uint64_t offset)
{
	if (offset < VIRTIO_COMMON_CONFIG_VECTOR || (offset >= VIRTIO_COMMON_DESC && offset < VIRTIO_COMMON_BYTES))
		return offset % 4 ? 0 : 4;
	if (offset == VIRTIO_COMMON_STATUS || offset == VIRTIO_COMMON_GENERATION)
		return 1;
	return offset < VIRTIO_COMMON_DESC && offset % 2 == 0 ? 2 : 0;
}

/* "Driver Requirements: PCI Device Layout": fields are accessed by their widths, those of 64 bits as two halves too.
 * What is narrower reads a part, and writes nothing. */
static uint64_t common_in(const struct virtio_pci *p, uint64_t offset, unsigned size)
{
	uint64_t value = 0;

	for (unsigned i = 0; i < size;) {
		uint64_t at = offset + i, begin = at;
		unsigned w, n;

		while (begin && !width(begin))
			begin--;
		w = width(begin);
		n = at - begin < w ? (unsigned)min_u64(w - (at - begin), size - i) : 1;
		if (at - begin < w)
			value |= (read_common(p, begin) >> (8 * (at - begin)) & MASK(8 * n - 1, 0)) << (8 * i);
		i += n;
	}
	return value;
}

static uint64_t bar_read(void *dev, uint64_t offset, unsigned size)
{
	struct virtio_pci *p = dev;
	uint64_t value = 0;

	if (offset + size <= VIRTIO_COMMON_BYTES)
		return common_in(p, offset, size);
	if (offset == VIRTIO_ISR)
		return virtio_pci_take_isr(p);
	if (offset >= VIRTIO_CONFIG && offset + size <= VIRTIO_CONFIG + VIRTIO_CONFIG_BYTES)
		for (unsigned i = 0; i < size; i++)
			value |= (uint64_t)virtio_config_byte(p->device, offset - VIRTIO_CONFIG + i) << (8 * i);
	return value;
}

static void bar_write(void *dev, uint64_t offset, unsigned size, uint64_t value)
{
	struct virtio_pci *p = dev;

	if (offset >= VIRTIO_CONFIG && offset + size <= VIRTIO_CONFIG + VIRTIO_CONFIG_BYTES)
		virtio_config_write(p->device, offset - VIRTIO_CONFIG, size, value);
	if (offset + size > VIRTIO_COMMON_BYTES)
		return;
	if (size == 8 && offset >= VIRTIO_COMMON_DESC && offset % 8 == 0) {
		write_common(p, offset, (uint32_t)value);
		write_common(p, offset + 4, (uint32_t)(value >> 32));
	} else if (size == width(offset)) {
		write_common(p, offset, (uint32_t)value);
	}
}

const struct mmio_ops virtio_pci_mmio = { bar_read, bar_write };

/* ---- BAR 0 ---- */

#define LEGACY_ALIGN 4096u

/* The pages of a queue follow each other ("Legacy Interfaces: A Note on Virtqueue Layout"). */
static void place_queue(struct virtio_pci *p, uint32_t pfn)
{
	struct virtq *q = selected(p);

	if (!q)
		return;
	if (!pfn) {
		/* Old drivers take a queue away so, without a reset. */
		p->device->ops->reset(p->device);
		virtq_reset(q, p->device->queue_size);
		return;
	}
	if (q->ready)
		return;
	q->desc = (uint64_t)pfn * LEGACY_ALIGN;
	q->avail = q->desc + VIRTQ_DESC_BYTES * q->size;
	q->used = align_up(q->avail + VIRTQ_RING_ENTRIES + VIRTQ_AVAIL_BYTES * (q->size + 1u), LEGACY_ALIGN);
	virtio_enable_queue(p->device, p->selected);
}

/* Where in the device's own configuration a port is. */
static unsigned own_config(const struct virtio_pci *p, unsigned port)
{
	return port - VIRTIO_PORT_CONFIG - (p->msix.enabled ? 4 : 0);
}

static uint32_t legacy_config(const struct virtio_pci *p, unsigned port, unsigned size)
{
	unsigned at = own_config(p, port);
	uint32_t value = 0;

	for (unsigned i = 0; i < size; i++)
		value |= (uint32_t)virtio_config_byte(p->device, at + i) << (8 * i);
	return value;
}

static uint32_t legacy_read(struct virtio_pci *p, unsigned port, unsigned size)
{
	const struct virtq *q = selected(p);

	switch (port) {
	case VIRTIO_PORT_FEATURES:
		return (uint32_t)p->device->offered;
	case VIRTIO_PORT_DRIVER_FEATURES:
		return (uint32_t)p->device->features;
	case VIRTIO_PORT_QUEUE_PFN:
		return q && q->ready ? (uint32_t)(q->desc / LEGACY_ALIGN) : 0;
	case VIRTIO_PORT_QUEUE_SIZE:
		return q ? q->size : 0;
	case VIRTIO_PORT_QUEUE_SELECT:
		return p->selected;
	case VIRTIO_PORT_STATUS:
		return p->device->status;
	case VIRTIO_PORT_ISR:
		return virtio_pci_take_isr(p);
	}
	if (p->msix.enabled && port == VIRTIO_PORT_CONFIG_VECTOR)
		return p->config_vector;
	if (p->msix.enabled && port == VIRTIO_PORT_QUEUE_VECTOR)
		return q ? p->queue_vector[p->selected] : VIRTIO_NO_VECTOR;
	return port >= VIRTIO_PORT_CONFIG && port < VIRTIO_PORT_MODERN_NOTIFY ? legacy_config(p, port, size) : 0;
}

static uint32_t ports_in(void *dev, uint16_t port, unsigned size)
{
	return legacy_read(dev, port % VIRTIO_PORTS, size) & (uint32_t)MASK(8 * size - 1, 0);
}

/* Vectors, or the device's own configuration. */
static void legacy_rest(struct virtio_pci *p, unsigned port, unsigned size, uint32_t value)
{
	if (p->msix.enabled && port == VIRTIO_PORT_CONFIG_VECTOR)
		p->config_vector = vector(p, value);
	else if (p->msix.enabled && port == VIRTIO_PORT_QUEUE_VECTOR && selected(p))
		p->queue_vector[p->selected] = vector(p, value);
	else if (port >= VIRTIO_PORT_CONFIG + (p->msix.enabled ? 4 : 0) && port < VIRTIO_PORT_MODERN_NOTIFY)
		virtio_config_write(p->device, own_config(p, port), size, value);
}

static void ports_out(void *dev, uint16_t port, unsigned size, uint32_t value)
{
	struct virtio_pci *p = dev;

	switch (port % VIRTIO_PORTS) {
	case VIRTIO_PORT_NOTIFY:
	case VIRTIO_PORT_MODERN_NOTIFY:
		virtio_pci_notified(p, value & 0xffff);
		break;
	case VIRTIO_PORT_DRIVER_FEATURES:
		virtio_set_features(p->device, 0, value, true);
		break;
	case VIRTIO_PORT_QUEUE_PFN:
		place_queue(p, value);
		break;
	case VIRTIO_PORT_QUEUE_SELECT:
		p->selected = (uint16_t)value;
		break;
	case VIRTIO_PORT_STATUS:
		virtio_pci_status(p, (uint8_t)value);
		break;
	default:
		legacy_rest(p, port % VIRTIO_PORTS, size, value);
	}
}

const struct pio_ops virtio_pci_ports = { ports_in, ports_out };
