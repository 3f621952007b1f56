/* dev/firmware/fw_cfg.c - selector (16-bit write to 0x510) and data (bytes from 0x511): an item is read byte by byte,
 * then reads as 0. */
#include "dev/firmware/fw_cfg.h"
#include "dev/bus/bytes.h"

#define ID_TRADITIONAL 1u /* no DMA */

/* The selected item, little-endian as its bytes are read. All items are at most 8 bytes long; unknown ones are
 * empty. */
static uint64_t item_value(const struct fw_cfg *f)
{
	switch (f->key) {
	case FW_CFG_SIGNATURE:
		return 0x554d4551; /* "QEMU" */
	case FW_CFG_ID:
		return ID_TRADITIONAL;
	case FW_CFG_RAM_SIZE:
		return f->ram_bytes;
	case FW_CFG_NB_CPUS:
	case FW_CFG_MAX_CPUS:
		return f->cpus;
	default: /* the directory of files (0x19) too: a count of 0 files */
		return 0;
	}
}

static uint8_t data_read(void *dev, uint16_t port)
{
	struct fw_cfg *f = dev;
	if (port != FW_CFG_DATA || f->offset >= 8)
		return port == FW_CFG_DATA ? 0 : 0xff;
	return (uint8_t)(item_value(f) >> 8 * f->offset++);
}

static uint32_t fw_cfg_in(void *dev, uint16_t port, unsigned size)
{
	return bytes_in(dev, port, size, data_read);
}

static void fw_cfg_out(void *dev, uint16_t port, unsigned size, uint32_t value)
{
	struct fw_cfg *f = dev;
	if (port != FW_CFG_SELECT || size != 2)
		return;
	f->key = (uint16_t)value;
	f->offset = 0;
}

void fw_cfg_reset(struct fw_cfg *f)
{
	f->key = FW_CFG_SIGNATURE;
	f->offset = 0;
}

bool fw_cfg_init(struct fw_cfg *f, struct pio_space *pio, uint16_t cpus, uint64_t ram_bytes)
{
	static const struct pio_ops ops = { fw_cfg_in, fw_cfg_out };
	*f = (struct fw_cfg){ .cpus = cpus, .ram_bytes = ram_bytes };
	fw_cfg_reset(f);
	return pio_add(pio, FW_CFG_SELECT, 2, &ops, f);
}
