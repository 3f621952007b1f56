/* dev/virtio/pci.c - the configuration space, interrupts, and what the two layouts of registers share. */
#include "dev/virtio/pci.h"

/* ---- interrupts ---- */

static void set_pin(struct virtio_pci *p) { pci_set_intx(&p->pci, p->isr && !p->msix.enabled); }

/* "Used Buffer Notifications", "Notification of Device Configuration Changes". */
static void interrupt(void *ctx, unsigned cause)
{
	struct virtio_pci *p = ctx;
	bool config = cause == VIRTIO_CONFIG_CHANGED;

	if (config)
		p->generation++;
	if (p->msix.enabled) {
		msix_raise(&p->msix, config ? p->config_vector : p->queue_vector[cause]);
		return;
	}
	p->isr |= config ? VIRTIO_ISR_CONFIG | VIRTIO_ISR_QUEUE : VIRTIO_ISR_QUEUE;
	set_pin(p);
}

uint8_t virtio_pci_take_isr(struct virtio_pci *p)
{
	uint8_t isr = p->isr;

	p->isr = 0;
	set_pin(p);
	return isr;
}

static void forget(struct virtio_pci *p)
{
	p->device_half = p->driver_half = 0;
	p->selected = 0;
	p->config_vector = VIRTIO_NO_VECTOR;
	for (unsigned n = 0; n < VIRTIO_PCI_QUEUES; n++)
		p->queue_vector[n] = VIRTIO_NO_VECTOR;
	p->isr = 0;
}

void virtio_pci_status(struct virtio_pci *p, uint8_t status)
{
	virtio_set_status(p->device, status);
	if (status)
		return;
	forget(p);
	set_pin(p);
}

/* A device that is no bus master does not look at memory. */
void virtio_pci_notified(struct virtio_pci *p, unsigned queue)
{
	if (pci_is_master(&p->pci))
		virtio_notify(p->device, queue);
}

/* ---- the configuration space ---- */

/* "PCI configuration access capability": a window on the BARs, for who cannot reach them. */
struct window {
	unsigned bar, size;
	uint32_t offset;
};

static bool read_window(const struct virtio_pci *p, struct window *w)
{
	const uint8_t *cap = p->pci.config + VIRTIO_CAP_WINDOW;

	w->bar = cap[VIRTIO_CAP_BAR];
	w->offset = pci_get32(cap, VIRTIO_CAP_OFFSET);
	w->size = pci_get32(cap, VIRTIO_CAP_LENGTH);
	return (w->size == 1 || w->size == 2 || w->size == 4) && w->bar < PCI_BARS &&
	       w->offset < p->pci.bar[w->bar].size && p->pci.bar[w->bar].size - w->offset >= w->size;
}

static bool touches_window(unsigned reg, unsigned size)
{
	return reg + size > VIRTIO_CAP_WINDOW + VIRTIO_CAP_MORE && reg < VIRTIO_CAP_WINDOW + VIRTIO_CAP_MORE + 4;
}

static void reading(struct pci_device *d, unsigned reg, unsigned size)
{
	struct virtio_pci *p = container_of(d, struct virtio_pci, pci);
	const struct pci_bar *b;
	struct window w;
	uint32_t value;

	if (!touches_window(reg, size) || !read_window(p, &w))
		return;
	b = &d->bar[w.bar];
	value = b->io ? b->io->in(b->dev, (uint16_t)w.offset, w.size)
		      : (uint32_t)b->mmio->read(b->dev, w.offset, w.size);
	pci_put32(d->config, VIRTIO_CAP_WINDOW + VIRTIO_CAP_MORE, value);
}

static void written(struct pci_device *d, unsigned reg, unsigned size)
{
	struct virtio_pci *p = container_of(d, struct virtio_pci, pci);
	const struct pci_bar *b;
	struct window w;
	uint32_t value;

	if (reg < VIRTIO_CAP_MSIX + 4 && reg + size > VIRTIO_CAP_MSIX + 2) {
		msix_control(&p->msix, (uint16_t)(pci_get32(d->config, VIRTIO_CAP_MSIX) >> 16));
		set_pin(p);
	}
	if (!touches_window(reg, size) || !read_window(p, &w))
		return;
	b = &d->bar[w.bar];
	value = pci_get32(d->config, VIRTIO_CAP_WINDOW + VIRTIO_CAP_MORE) & (uint32_t)MASK(8 * w.size - 1, 0);
	if (b->io)
		b->io->out(b->dev, (uint16_t)w.offset, w.size, value);
	else
		b->mmio->write(b->dev, w.offset, w.size, value);
}

/* ---- making ---- */

static void add_capability(struct virtio_pci *p, unsigned at, unsigned next, uint8_t type, uint8_t bar,
			   uint32_t offset, uint32_t length)
{
	uint8_t *cap = p->pci.reset + at;

	cap[0] = 0x09; /* vendor-specific */
	cap[1] = (uint8_t)next;
	cap[2] = type == VIRTIO_TYPE_NOTIFY || type == VIRTIO_TYPE_WINDOW ? VIRTIO_CAP_MORE + 4 : VIRTIO_CAP_MORE;
	cap[3] = type;
	cap[VIRTIO_CAP_BAR] = bar;
	pci_put32(cap, VIRTIO_CAP_OFFSET, offset);
	pci_put32(cap, VIRTIO_CAP_LENGTH, length);
}

static void add_capabilities(struct virtio_pci *p)
{
	uint8_t *msix = p->pci.reset + VIRTIO_CAP_MSIX, *window = p->pci.writable + VIRTIO_CAP_WINDOW;

	msix[0] = MSIX_CAPABILITY;
	msix[1] = VIRTIO_CAP_COMMON;
	pci_put16(msix, 2, (uint16_t)(p->msix.vectors - 1));
	pci_put32(msix, 4, MSIX_TABLE | 1); /* BAR 1 */
	pci_put32(msix, 8, MSIX_PBA | 1);
	p->pci.writable[VIRTIO_CAP_MSIX + 3] = (MSIX_ENABLE | MSIX_MASK_ALL) >> 8;
	add_capability(p, VIRTIO_CAP_COMMON, VIRTIO_CAP_NOTIFY, VIRTIO_TYPE_COMMON, VIRTIO_BAR, VIRTIO_COMMON,
		       VIRTIO_COMMON_BYTES);
	/* The multiplier stays 0: one place for all queues. */
	add_capability(p, VIRTIO_CAP_NOTIFY, VIRTIO_CAP_ISR, VIRTIO_TYPE_NOTIFY, 0, VIRTIO_PORT_MODERN_NOTIFY, 4);
	add_capability(p, VIRTIO_CAP_ISR, VIRTIO_CAP_DEVICE, VIRTIO_TYPE_ISR, VIRTIO_BAR, VIRTIO_ISR, 1);
	add_capability(p, VIRTIO_CAP_DEVICE, VIRTIO_CAP_WINDOW, VIRTIO_TYPE_DEVICE, VIRTIO_BAR, VIRTIO_CONFIG,
		       VIRTIO_CONFIG_BYTES);
	add_capability(p, VIRTIO_CAP_WINDOW, 0, VIRTIO_TYPE_WINDOW, 0, 0, 0);
	window[VIRTIO_CAP_BAR] = 0xff;
	memset(window + VIRTIO_CAP_OFFSET, 0xff, VIRTIO_CAP_MORE + 4 - VIRTIO_CAP_OFFSET);
	p->pci.reset[PCI_CAPABILITIES] = VIRTIO_CAP_MSIX;
	p->pci.reset[PCI_STATUS] = PCI_STATUS_CAPABILITIES;
}

/* "PCI Device Discovery": 0x1000 and up are transitional. */
static uint16_t device_id(uint16_t type)
{
	switch (type) {
	case VIRTIO_ID_BLOCK: return 0x1001;
	case VIRTIO_ID_BALLOON: return 0x1002;
	case VIRTIO_ID_CONSOLE: return 0x1003;
	case VIRTIO_ID_RNG: return 0x1005;
	default: return 0x1000;
	}
}

void virtio_pci_init(struct virtio_pci *p, struct virtio_device *device, uint32_t class,
		     void (*send)(void *ctx, uint64_t address, uint32_t data), void *ctx)
{
	static const struct mmio_ops msix = { msix_read, msix_write };

	*p = (struct virtio_pci){ .device = device };
	device->interrupt = interrupt;
	device->ctx = p;
	p->msix.vectors = device->queues + 1;
	p->msix.send = send;
	p->msix.ctx = ctx;
	msix_reset(&p->msix);
	pci_identify(&p->pci, VIRTIO_PCI_VENDOR, device_id(device->type), class, 0);
	pci_put16(p->pci.reset, PCI_SUBSYSTEM, VIRTIO_PCI_VENDOR);
	pci_put16(p->pci.reset, PCI_SUBSYSTEM + 2, device->type);
	p->pci.reset[PCI_INTERRUPT_PIN] = 1;
	/* Bus master, and INTx off, which is kept without effect. */
	p->pci.writable[PCI_COMMAND] = PCI_COMMAND_MASTER;
	p->pci.bar[0] = (struct pci_bar){ .size = VIRTIO_PORTS, .io = &virtio_pci_ports, .dev = p };
	p->pci.bar[1] = (struct pci_bar){ .size = MSIX_BAR_BYTES, .mmio = &msix, .dev = &p->msix };
	p->pci.bar[VIRTIO_BAR] =
		(struct pci_bar){ .size = VIRTIO_BAR_BYTES, .mmio = &virtio_pci_mmio, .dev = p };
	p->pci.reading = reading;
	p->pci.written = written;
	add_capabilities(p);
	forget(p);
}
