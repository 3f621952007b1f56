/* dev/bus/pci.c - the bus: who is addressed, what a guest may write, where BARs decode, which IRQ a pin is. */
#include "dev/bus/pci.h"
#include "dev/bus/bytes.h"
#include "lib/mutants/mutate.h"

#define ADDRESS_WRITABLE 0x80fffffcu
#define PORTS_END 0x10000u

void pci_identify(struct pci_device *d, uint16_t vendor, uint16_t device, uint32_t class, uint8_t revision)
{
	pci_put16(d->reset, PCI_VENDOR, vendor);
	pci_put16(d->reset, PCI_VENDOR + 2, device);
	pci_put32(d->reset, PCI_REVISION, class << 8 | revision);
}

/* ---- base address registers ---- */

static unsigned bar_register(unsigned n)
{
	return n == PCI_ROM ? PCI_ROM_BASE : PCI_BAR + 4 * n;
}

static bool bar_maps(struct pci *p, struct pci_bar *b, uint32_t at)
{
	/* 0 and the top of the space are what firmware writes to turn one off or to find its size (PCI Local Bus
	 * Specification, "Base Addresses"). */
	if (!at || (b->io && at + b->size > PORTS_END))
		return false;
	return b->io ? pio_add(p->pio, (uint16_t)at, (uint16_t)b->size, b->io, b->dev)
		     : mmio_add(p->mmio, at, b->size, b->mmio, b->dev);
}

static void bar_unmap(struct pci *p, struct pci_bar *b)
{
	if (!b->mapped)
		return;
	if (b->io)
		pio_remove(p->pio, (uint16_t)b->at);
	else
		mmio_remove(p->mmio, b->at);
	b->mapped = false;
}

static uint32_t bar_address(const struct pci_device *d, unsigned n)
{
	return pci_get32(d->config, bar_register(n)) & ~(d->bar[n].size - 1);
}

static bool bar_wanted(const struct pci_device *d, unsigned n)
{
	return d->bar[n].size && (d->config[PCI_COMMAND] & (d->bar[n].io ? PCI_COMMAND_IO : PCI_COMMAND_MEMORY)) &&
	       (n != PCI_ROM || (d->config[PCI_ROM_BASE] & PCI_ROM_ENABLE));
}

/* The device's registers have changed: what it decodes now; and of all others what may have got room (PB1). */
static void map_bars(struct pci *p, struct pci_device *changed)
{
	for (unsigned n = 0; n <= PCI_ROM; n++) {
		struct pci_bar *b = &changed->bar[n];

		if (b->mapped && (!bar_wanted(changed, n) || b->at != bar_address(changed, n)))
			bar_unmap(p, b);
	}
	for (unsigned i = 0; i < p->count; i++)
		for (unsigned n = 0; n <= PCI_ROM; n++) {
			struct pci_bar *b = &p->device[i]->bar[n];

			if (b->mapped || !bar_wanted(p->device[i], n))
				continue;
			b->at = bar_address(p->device[i], n);
			b->mapped = bar_maps(p, b, b->at);
		}
}

void pci_map_anew(struct pci *p)
{
	for (unsigned i = 0; i < p->count; i++)
		for (unsigned n = 0; n <= PCI_ROM; n++)
			bar_unmap(p, &p->device[i]->bar[n]);
	for (unsigned i = 0; i < p->count; i++)
		map_bars(p, p->device[i]);
}

/* ---- configuration space ---- */

/* PCI Local Bus Specification, "Configuration Mechanism #1": nobody answers for another bus, or an empty slot. */
static struct pci_device *addressed(const struct pci *p)
{
	unsigned devfn = p->address >> 8 & 0xff;

	if (!(p->address & PCI_ADDRESS_ENABLE) || (p->address & 0xff0000)) /* bus 0 */
		return NULL;
	for (unsigned i = 0; i < p->count; i++)
		if (p->device[i]->devfn == devfn)
			return p->device[i];
	return NULL;
}

/* The accesses to 0xcfc: a device's registers are bytes, but who owns them is told of the whole access. */
static uint32_t data_in(void *dev, uint16_t port, unsigned size)
{
	struct pci *p = dev;
	struct pci_device *d = addressed(p);
	unsigned reg = (p->address & 0xfc) | (port & 3);
	uint32_t value = 0;

	if (!d)
		return (uint32_t)MASK(8 * size - 1, 0);
	if (d->reading)
		d->reading(d, reg, size);
	for (unsigned i = 0; i < size; i++)
		value |= (uint32_t)d->config[reg + i] << 8 * i;
	return value;
}

static void data_out(void *dev, uint16_t port, unsigned size, uint32_t value)
{
	struct pci *p = dev;
	struct pci_device *d = addressed(p);
	unsigned reg = (p->address & 0xfc) | (port & 3);

	if (!d)
		return;
	for (unsigned i = 0; i < size; i++) {
		uint8_t may = d->writable[reg + i];

		d->config[reg + i] = (uint8_t)((d->config[reg + i] & ~may) | (value >> 8 * i & may));
	}
	if (reg < PCI_ROM_BASE + 4 && reg + size > PCI_COMMAND)
		map_bars(p, d);
	if (d->written)
		d->written(d, reg, size);
}

/* Only doublewords at 0xcf8 are the address; the rest are other devices' ports: 0xcf9 is the reset control. */
static uint8_t address_read(void *dev, uint16_t port)
{
	const struct pci *p = dev;
	return port == PORT_RESET_CONTROL ? ports_reset_control_read(p->ports) : 0xff;
}

static void address_write(void *dev, uint16_t port, uint8_t value)
{
	struct pci *p = dev;
	if (port == PORT_RESET_CONTROL)
		ports_reset_control_write(p->ports, value);
}

static uint32_t address_in(void *dev, uint16_t port, unsigned size)
{
	const struct pci *p = dev;
	return size == 4 ? p->address : bytes_in(dev, port, size, address_read);
}

static void address_out(void *dev, uint16_t port, unsigned size, uint32_t value)
{
	struct pci *p = dev;
	if (size == 4)
		p->address = value & ADDRESS_WRITABLE;
	else
		bytes_out(dev, port, size, value, address_write);
}

/* ---- interrupts ---- */

static unsigned pirq_of(const struct pci_device *d)
{
	return ((d->devfn >> 3) + d->reset[PCI_INTERRUPT_PIN] - 1u) % PCI_PIRQS;
}

/* PB2. */
static void drive_lines(struct pci *p)
{
	uint16_t levels = 0, changed;

	for (unsigned i = 0; i < p->count; i++) {
		uint8_t irq = p->pirq[pirq_of(p->device[i])];

		if (irq & PCI_PIRQ_OFF)
			continue;
		if (p->device[i]->asserted)
			levels |= (uint16_t)(1u << irq);
		else if (VM_LEFT_OUT_OR(PCI_SHARED, false))
			levels &= (uint16_t)~(1u << irq);
	}
	changed = levels ^ p->irq_levels;
	p->irq_levels = levels;
	for (unsigned irq = 0; irq < 16; irq++)
		if (changed & 1u << irq)
			irq_set(&(struct irq_line){ p->line.set, p->line.ctx, irq }, levels & 1u << irq);
}

void pci_set_intx(struct pci_device *d, bool level)
{
	if (!d->reset[PCI_INTERRUPT_PIN] || d->asserted == level)
		return;
	d->asserted = level;
	drive_lines(d->bus);
}

void pci_route(struct pci *p, unsigned pirq, uint8_t irq)
{
	p->pirq[pirq % PCI_PIRQS] = irq & PCI_PIRQ_OFF ? PCI_PIRQ_OFF : irq & 15;
	drive_lines(p);
}

/* ---- making ---- */

static void device_reset(struct pci *p, struct pci_device *d)
{
	for (unsigned n = 0; n <= PCI_ROM; n++)
		bar_unmap(p, &d->bar[n]);
	memcpy(d->config, d->reset, sizeof(d->config));
	d->asserted = false;
}

void pci_reset(struct pci *p)
{
	p->address = 0;
	for (unsigned i = 0; i < p->count; i++)
		device_reset(p, p->device[i]);
	for (unsigned n = 0; n < PCI_PIRQS; n++)
		p->pirq[n] = n < 2 ? 10 : 11;
	for (unsigned i = 0; i < p->count; i++)
		if (p->device[i]->written)
			p->device[i]->written(p->device[i], 0, sizeof(p->device[i]->config));
	drive_lines(p);
}

bool pci_init(struct pci *p, struct pio_space *pio, struct mmio_space *mmio, struct ports *ports, struct irq_line line)
{
	static const struct pio_ops address = { address_in, address_out }, data = { data_in, data_out };

	*p = (struct pci){ .ports = ports, .pio = pio, .mmio = mmio, .line = line };
	pci_reset(p);
	return pio_add(pio, PCI_ADDRESS, 4, &address, p) && pio_add(pio, PCI_DATA, 4, &data, p);
}

bool pci_add(struct pci *p, struct pci_device *d, unsigned devfn)
{
	uint8_t decodes = 0;

	if (VM_KEPT(PCI_FULL, p->count == PCI_DEVICES_MAX))
		return false;
	for (unsigned n = 0; n <= PCI_ROM; n++) {
		if (!d->bar[n].size)
			continue;
		pci_put32(d->writable, bar_register(n), ~(d->bar[n].size - 1) | (n == PCI_ROM ? PCI_ROM_ENABLE : 0));
		d->reset[bar_register(n)] = d->bar[n].io ? PCI_BAR_IO : 0;
		decodes |= d->bar[n].io ? PCI_COMMAND_IO : PCI_COMMAND_MEMORY;
	}
	d->writable[PCI_COMMAND] |= decodes;
	if (d->reset[PCI_INTERRUPT_PIN])
		d->writable[PCI_INTERRUPT_LINE] = 0xff;
	d->devfn = (uint8_t)devfn;
	d->bus = p;
	p->device[p->count++] = d;
	device_reset(p, d);
	return true;
}

static bool assign_bar(struct pci_device *d, unsigned n, uint32_t *io, uint32_t *memory, uint32_t memory_end)
{
	uint32_t *next = d->bar[n].io ? io : memory, end = d->bar[n].io ? PORTS_END : memory_end;
	uint32_t at = (uint32_t)align_up(*next, d->bar[n].size);

	if (at < *next || at > end || end - at < d->bar[n].size)
		return false;
	pci_put32(d->config, bar_register(n), at | (d->bar[n].io ? PCI_BAR_IO : 0));
	*next = at + d->bar[n].size;
	return true;
}

bool pci_assign(struct pci *p, uint32_t io, uint32_t memory, uint32_t memory_end)
{
	for (unsigned i = 0; i < p->count; i++) {
		struct pci_device *d = p->device[i];

		for (unsigned n = 0; n <= PCI_ROM; n++)
			if (d->bar[n].size && !assign_bar(d, n, &io, &memory, memory_end))
				return false;
		if (d->reset[PCI_INTERRUPT_PIN])
			d->config[PCI_INTERRUPT_LINE] = p->pirq[pirq_of(d)];
		d->config[PCI_COMMAND] |=
			d->writable[PCI_COMMAND] & (PCI_COMMAND_IO | PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER);
		map_bars(p, d);
	}
	return true;
}
