/* dev/bus/dma8237.c - the registers of the DMA controllers. 8237A data sheet, "Register Description". */
#include "dev/bus/dma8237.h"
#include "dev/bus/bytes.h"

enum { STATUS_COMMAND = 8, REQUEST, MASK_ONE, MODE, CLEAR_FLIP_FLOP, MASTER_CLEAR, CLEAR_MASK, MASK_ALL };

/* "Software Commands", Master Clear. */
static void master_clear(struct dma8237_chip *c)
{
	c->command = c->request = 0;
	c->high = false;
	c->mask = 0x0f;
}

static uint8_t chip_read(struct dma8237_chip *c, unsigned reg)
{
	bool high = c->high;

	if (reg == MASK_ALL)
		return c->mask | 0xf0;
	if (reg >= STATUS_COMMAND) /* status, and the temporary register: nothing was ever transferred */
		return reg == STATUS_COMMAND ? (uint8_t)(c->request << 4) : 0;
	c->high = !high;
	return (uint8_t)(c->current[reg] >> (high ? 8 : 0));
}

/* "Request Register", "Mask Register": bits 1:0 are the channel, bit 2 is what it gets. */
static void set_bit(uint8_t *set, uint8_t value)
{
	if (value & 4)
		*set |= (uint8_t)(1u << (value & 3));
	else
		*set &= (uint8_t)~(1u << (value & 3));
}

/* "Current Address Register", "Current Word Register": two bytes, the lower first, the base written along. */
static void address_write(struct dma8237_chip *c, unsigned reg, uint8_t value)
{
	unsigned shift = c->high ? 8 : 0;

	c->base[reg] = (uint16_t)((c->base[reg] & ~(0xffu << shift)) | (unsigned)value << shift);
	c->current[reg] = c->base[reg];
	c->high = !c->high;
}

static void chip_write(struct dma8237_chip *c, unsigned reg, uint8_t value)
{
	switch (reg) {
	case STATUS_COMMAND: c->command = value; break;
	case REQUEST: set_bit(&c->request, value); break;
	case MASK_ONE: set_bit(&c->mask, value); break;
	case MODE: c->mode[value & 3] = value; break;
	case CLEAR_FLIP_FLOP: c->high = false; break;
	case MASTER_CLEAR: master_clear(c); break;
	case CLEAR_MASK: c->mask = 0; break;
	case MASK_ALL: c->mask = value & 0x0f; break;
	default: address_write(c, reg, value); break;
	}
}

static struct dma8237_chip *chip_of(struct dma8237 *d, uint16_t port, unsigned *reg)
{
	bool second = port >= DMA2_BASE;

	*reg = second ? (port - DMA2_BASE) / 2 : port - DMA1_BASE;
	return &d->chip[second];
}

static uint8_t dma_read(void *dev, uint16_t port)
{
	unsigned reg;
	struct dma8237_chip *c = chip_of(dev, port, &reg);

	return port >= DMA2_BASE && (port & 1) ? 0xff : chip_read(c, reg);
}

static void dma_write(void *dev, uint16_t port, uint8_t value)
{
	unsigned reg;
	struct dma8237_chip *c = chip_of(dev, port, &reg);

	if (port < DMA2_BASE || !(port & 1))
		chip_write(c, reg, value);
}

BYTE_PORTS(dma)

static void reset(struct dma8237 *d)
{
	memset(d, 0, sizeof(*d));
	master_clear(&d->chip[0]);
	master_clear(&d->chip[1]);
}

bool dma8237_init(struct dma8237 *d, struct pio_space *pio)
{
	static const struct pio_ops ops = { dma_in, dma_out };

	reset(d);
	return pio_add(pio, DMA1_BASE, 16, &ops, d) && pio_add(pio, DMA2_BASE, 32, &ops, d);
}
