/* dev/video/stdvga.c - the VGA on the PCI bus. QEMU, "QEMU Standard VGA": what is where in BAR 2. PCI Local Bus
 * Specification, "Expansion ROM Base Address Register". */
#include "dev/video/stdvga.h"

#define CLASS_VGA 0x030000u
#define REVISION 2
#define LINEAR_BAR 0
#define REGISTERS_BAR 2

/* ---- BAR 2 ---- */

static uint8_t byte_read(struct vga *v, uint32_t offset)
{
	unsigned dispi = (offset - STDVGA_DISPI) / 2;

	if (offset >= STDVGA_PORTS && offset < STDVGA_PORTS + (VGA_PORTS_END - VGA_ATTRIBUTE))
		return vga_port_read(v, (uint16_t)(offset - STDVGA_PORTS + VGA_ATTRIBUTE));
	if (offset >= STDVGA_DISPI && dispi < DISPI_COUNT)
		return (uint8_t)(dispi_read(v, dispi) >> (offset & 1 ? 8 : 0));
	return 0xff;
}

static uint64_t registers_read(void *dev, uint64_t offset, unsigned size)
{
	struct vga *v = dev;
	uint64_t value = 0;

	for (unsigned n = 0; n < size; n++)
		value |= (uint64_t)byte_read(v, (uint32_t)offset + n) << 8 * n;
	return value;
}

/* The display interface takes whole registers. */
static void registers_write(void *dev, uint64_t offset, unsigned size, uint64_t value)
{
	struct vga *v = dev;
	unsigned dispi = ((uint32_t)offset - STDVGA_DISPI) / 2;

	if (offset >= STDVGA_DISPI && dispi < DISPI_COUNT && size == 2 && !(offset & 1)) {
		dispi_write(v, dispi, (uint16_t)value);
		return;
	}
	for (unsigned n = 0; n < size; n++, offset++)
		if (offset >= STDVGA_PORTS && offset < STDVGA_PORTS + (VGA_PORTS_END - VGA_ATTRIBUTE))
			vga_port_write(v, (uint16_t)(offset - STDVGA_PORTS + VGA_ATTRIBUTE), (uint8_t)(value >> 8 * n));
}

/* ---- the ROM ---- */

static uint64_t rom_read(void *dev, uint64_t offset, unsigned size)
{
	const struct stdvga *s = dev;
	uint64_t value = MASK(63, 0);

	if (offset < s->rom_bytes)
		memcpy(&value, s->rom + offset, min_u64(size, s->rom_bytes - offset));
	return value & MASK(8 * size - 1, 0);
}

static void rom_write(void *dev, uint64_t offset, unsigned size, uint64_t value)
{
	(void)dev;
	(void)offset;
	(void)size;
	(void)value;
}

/* ---- making ---- */

/* Where the frame buffer is may have changed, or whether it is anywhere. */
static void written(struct pci_device *d, unsigned reg, unsigned size)
{
	struct stdvga *s = container_of(d, struct stdvga, pci);

	if (reg < PCI_BAR + 4 && reg + size > PCI_COMMAND && s->vga.plain_changed)
		s->vga.plain_changed(s->vga.ctx);
}

bool stdvga_linear_at(const struct stdvga *s, uint32_t *gpa)
{
	*gpa = s->pci.bar[LINEAR_BAR].at;
	return s->pci.bar[LINEAR_BAR].mapped;
}

bool stdvga_init(struct stdvga *s, struct pci *bus, unsigned devfn, struct timers *timers,
		 const struct stdvga_config *config)
{
	static const struct mmio_ops registers = { registers_read, registers_write }, rom = { rom_read, rom_write };
	struct pci_device *d = &s->pci;

	*s = (struct stdvga){ .rom = config->rom, .rom_bytes = config->rom_bytes };
	pci_identify(d, STDVGA_VENDOR, STDVGA_DEVICE, CLASS_VGA, REVISION);
	pci_put32(d->reset, PCI_SUBSYSTEM, config->subsystem);
	d->writable[PCI_COMMAND] = PCI_COMMAND_IO; /* for the ports that a VGA has, by which firmwares know it */
	d->bar[LINEAR_BAR] = (struct pci_bar){ .size = config->bytes, .mmio = &vga_linear, .dev = &s->vga };
	d->bar[REGISTERS_BAR] = (struct pci_bar){ .size = STDVGA_REGISTERS_SIZE, .mmio = &registers, .dev = &s->vga };
	if (s->rom_bytes)
		d->bar[PCI_ROM] = (struct pci_bar){ .size = STDVGA_ROM_MAX, .mmio = &rom, .dev = s };
	d->written = written;
	return vga_init(&s->vga, bus->pio, bus->mmio, timers, config->memory, config->bytes, config->plain_changed,
			config->ctx) && pci_add(bus, d, devfn);
}
