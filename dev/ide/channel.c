#include "dev/ide/channel.h"

#include "dev/bus/bytes.h"
#include "dev/ide/ide.h"
#include "lib/mutants/mutate.h"

#define COMMAND_PORTS 8
#define MASTER_SETTABLE 0x60u /* of its status: what software says of the drives */
#define EMPTY 0x7fu /* the bus by itself, whose bit 7, as BSY, a resistor pulls down (ATA/ATAPI-6, "DD7") */

static struct ide_drive *selected(struct ide_channel *c)
{
	return &c->drive[c->device & ATA_DEVICE_SECOND ? 1 : 0];
}

/* ID7. The bus master remembers each rise ("Status register", interrupt). */
void ide_channel_lines(struct ide_channel *c)
{
	const struct ide_drive *d = selected(c);
	bool level = d->disk && d->interrupt && VM_LEFT_OUT_OR(IDE_NIEN, !(c->control & ATA_NIEN));

	if (level == c->level)
		return;
	c->level = level;
	if (level)
		c->dma.status |= BM_INTERRUPT;
	irq_set(&c->irq, level);
}

bool ide_channel_may_dma(const struct ide_channel *c) { return pci_is_master(c->pci); }

/* ---- reset ---- */

static void reset_drives(struct ide_channel *c)
{
	c->device = 0;
	for (unsigned n = 0; n < 2; n++)
		ide_drive_reset(&c->drive[n], false);
	ide_channel_lines(c);
}

static void control(struct ide_channel *c, uint8_t value)
{
	bool was = c->control & ATA_SRST, is = value & ATA_SRST;

	c->control = value & (ATA_HOB | ATA_SRST | ATA_NIEN);
	for (unsigned n = 0; n < 2; n++)
		if (is && !was && c->drive[n].disk)
			ide_drive_hold(&c->drive[n]);
	if (was && !is)
		reset_drives(c);
	ide_channel_lines(c);
}

/* Both drives, of which the first tells it ("EXECUTE DEVICE DIAGNOSTIC"). */
static void diagnostic(struct ide_channel *c)
{
	reset_drives(c);
	if (c->drive[0].disk)
		ide_interrupt(&c->drive[0]);
}

/* ---- registers ---- */

static bool is_empty(const struct ide_channel *c)
{
	return VM_KEPT(IDE_EMPTY, !c->drive[0].disk && !c->drive[1].disk);
}

static uint8_t status(struct ide_channel *c)
{
	return is_empty(c) ? EMPTY : selected(c)->disk ? selected(c)->status : 0;
}

/* The second drive answers for the first one, where that is not there; for the second nobody does: firmwares that find
 * the signature of a drive there wait for it (QEMU, hw/ide/core.c, ide_ioport_read). */
static const struct ide_drive *answering(struct ide_channel *c)
{
	static const struct ide_drive nobody;
	const struct ide_drive *d = selected(c);

	if (d->disk || !d->number)
		return d->disk ? d : &c->drive[1];
	return VM_LEFT_OUT_OR(IDE_NOBODY, false) ? &c->drive[0] : &nobody;
}

static uint8_t read_register(struct ide_channel *c, unsigned reg)
{
	const struct ide_drive *d = answering(c);
	const struct ide_registers *r = c->control & ATA_HOB ? &d->before : &d->now;

	if (is_empty(c))
		return EMPTY;
	switch (reg) {
	case ATA_ERROR: return d->error;
	case ATA_COUNT: return r->count;
	case ATA_LBA_LOW: return r->low;
	case ATA_LBA_MID: return r->mid;
	case ATA_LBA_HIGH: return r->high;
	case ATA_DEVICE: return c->device;
	case ATA_STATUS:
		VM_MUTANT(IDE_NOTICED, selected(c)->interrupt = false);
		ide_channel_lines(c);
		return status(c);
	default: return 0xff; /* the data port has words */
	}
}

static void write_both(struct ide_channel *c, unsigned reg, uint8_t value)
{
	for (unsigned n = 0; n < 2; n++) {
		struct ide_drive *d = &c->drive[n];

		if (VM_KEPT(IDE_BUSY_REGISTERS, d->phase == IDE_MEDIUM || d->phase == IDE_RESET)) /* ID3 */
			continue;
		switch (reg) {
		case ATA_FEATURES: d->before.features = d->now.features; d->now.features = value; break;
		case ATA_COUNT: d->before.count = d->now.count; d->now.count = value; break;
		case ATA_LBA_LOW: d->before.low = d->now.low; d->now.low = value; break;
		case ATA_LBA_MID: d->before.mid = d->now.mid; d->now.mid = value; break;
		case ATA_LBA_HIGH: d->before.high = d->now.high; d->now.high = value; break;
		}
	}
}

static void write_register(struct ide_channel *c, unsigned reg, uint8_t value)
{
	struct ide_drive *d = selected(c);

	c->control &= (uint8_t)~ATA_HOB;
	if (reg == ATA_DEVICE) {
		c->device = value;
		ide_channel_lines(c);
	} else if (reg != ATA_COMMAND) {
		write_both(c, reg, value);
	} else if (value == ATA_DIAGNOSTIC) {
		if (d->phase != IDE_MEDIUM && d->phase != IDE_RESET)
			diagnostic(c);
	} else if (d->disk) {
		ide_drive_command(d, value);
	}
}

/* ---- ports ---- */

static uint8_t command_read(void *dev, uint16_t port)
{
	struct ide_channel *c = dev;

	return ide_decodes(c) ? read_register(c, port % COMMAND_PORTS) : 0xff;
}

static void command_write(void *dev, uint16_t port, uint8_t value)
{
	struct ide_channel *c = dev;

	if (ide_decodes(c))
		write_register(c, port % COMMAND_PORTS, value);
}

static uint32_t command_in(void *dev, uint16_t port, unsigned size)
{
	struct ide_channel *c = dev;
	uint32_t value = (uint32_t)MASK(8 * size - 1, 0);

	if (port % COMMAND_PORTS != ATA_DATA || size == 1)
		return bytes_in(dev, port, size, command_read);
	if (ide_decodes(c))
		ide_drive_in(selected(c), &value, size);
	return value;
}

static void command_out(void *dev, uint16_t port, unsigned size, uint32_t value)
{
	struct ide_channel *c = dev;

	if (port % COMMAND_PORTS != ATA_DATA || size == 1)
		bytes_out(dev, port, size, value, command_write);
	else if (ide_decodes(c))
		ide_drive_out(selected(c), &value, size);
}

/* Only whole elements, of what is ready. */
static uint32_t strings_in(void *dev, uint16_t port, unsigned size, void *to, uint32_t count)
{
	struct ide_channel *c = dev;
	struct ide_drive *d = selected(c);
	bool data = port % COMMAND_PORTS == ATA_DATA && size > 1 && ide_decodes(c) && d->phase == IDE_IN;

	count = data ? (uint32_t)min_u64(count, (d->end - d->at) / size) : 0;
	return count ? ide_drive_in(d, to, count * size) / size : 0;
}

static uint32_t strings_out(void *dev, uint16_t port, unsigned size, const void *from, uint32_t count)
{
	struct ide_channel *c = dev;
	struct ide_drive *d = selected(c);
	bool data = port % COMMAND_PORTS == ATA_DATA && size > 1 && ide_decodes(c) && d->phase == IDE_OUT;

	count = data ? (uint32_t)min_u64(count, (d->end - d->at) / size) : 0;
	return count ? ide_drive_out(d, from, count * size) / size : 0;
}

static uint8_t control_read(void *dev, uint16_t port)
{
	struct ide_channel *c = dev;

	(void)port;
	return ide_decodes(c) ? status(c) : 0xff;
}

static void control_write(void *dev, uint16_t port, uint8_t value)
{
	struct ide_channel *c = dev;

	(void)port;
	if (ide_decodes(c))
		control(c, value);
}

BYTE_PORTS(control)

bool ide_channel_add_ports(struct ide_channel *c, struct pio_space *pio)
{
	static const struct pio_ops command = { command_in, command_out }, control_port = { control_in, control_out };
	static const struct pio_strings strings = { strings_in, strings_out };
	uint16_t base = c->number ? ATA_COMMAND_2 : ATA_COMMAND_1;

	return pio_add(pio, base, COMMAND_PORTS, &command, c) && pio_add_strings(pio, base, &strings) &&
	       pio_add(pio, c->number ? ATA_CONTROL_2 : ATA_CONTROL_1, 1, &control_port, c);
}

/* ---- the bus master ---- */

uint8_t ide_channel_master_read(struct ide_channel *c, unsigned reg)
{
	const struct ide_dma *d = &c->dma;

	switch (reg) {
	case BM_COMMAND: return d->command;
	case BM_STATUS: return d->status;
	case BM_TABLE ... BM_TABLE + 3: return (uint8_t)(d->table >> 8 * (reg - BM_TABLE));
	default: return 0;
	}
}

/* Stopping it loses what it was at ("Command register"). */
static void master_command(struct ide_channel *c, uint8_t value)
{
	bool was = ide_dma_started(&c->dma);

	c->dma.command = value & (BM_START | BM_TO_MEMORY);
	if (ide_dma_started(&c->dma) == was)
		return;
	if (was) {
		c->dma.status &= (uint8_t)~BM_ACTIVE;
		for (unsigned n = 0; n < 2; n++)
			ide_drive_dma_stop(&c->drive[n]);
	} else {
		c->dma.status |= BM_ACTIVE;
		ide_drive_dma(selected(c));
	}
}

void ide_channel_master_write(struct ide_channel *c, unsigned reg, uint8_t value)
{
	struct ide_dma *d = &c->dma;
	unsigned shift = 8 * (reg - BM_TABLE);

	switch (reg) {
	case BM_COMMAND:
		master_command(c, value);
		break;
	case BM_STATUS:
		d->status &= (uint8_t)~(value & (BM_FAILED | BM_INTERRUPT));
		d->status = (uint8_t)((d->status & ~MASTER_SETTABLE) | (value & MASTER_SETTABLE));
		break;
	case BM_TABLE ... BM_TABLE + 3:
		d->table = ((d->table & ~(0xffu << shift)) | (uint32_t)value << shift) & ~3u;
		break;
	}
}

void ide_channel_init(struct ide_channel *c, struct pci_device *pci, unsigned number, struct irq_line irq,
		      struct guest_memory memory)
{
	c->pci = pci;
	c->number = number;
	c->irq = irq;
	c->dma.memory = memory;
	for (unsigned n = 0; n < 2; n++) {
		c->drive[n].channel = c;
		c->drive[n].number = n;
	}
	ide_dma_reset(&c->dma);
}
