/* dev/firmware/fw_cfg.c - selector (16-bit write to 0x510), data (bytes from 0x511: an item is read byte by byte, then
 * reads as 0), and transfers to memory, of descriptors whose address is written to 0x514 and 0x518. */
#include "dev/firmware/fw_cfg.h"
#include "dev/bus/bytes.h"
#include "lib/mutants/mutate.h"

#define ID_TRADITIONAL 1u
#define ID_DMA 2u
#define DMA_SIGNATURE 0x51454d5520434647ull /* "QEMU CFG", big-endian */
#define PIECE_US 20u

static const struct fw_cfg_item *find(const struct fw_cfg *f, uint16_t key)
{
	for (unsigned i = 0; i < f->items; i++)
		if (f->item[i].key == key)
			return &f->item[i];
	return NULL;
}

/* ---- transfers ---- */

static void end_transfer(struct fw_cfg *f, bool ok)
{
	uint32_t control = fw_cfg_swap(ok ? 0 : FW_CFG_DMA_ERROR);

	f->dma.busy = false;
	timer_cancel(f->timers, &f->next_piece);
	/* Where the descriptor is no RAM, there is nobody to tell. */
	(void)guest_memory_write(f->memory, f->dma.descriptor, &control, sizeof(control));
}

static void select_item(struct fw_cfg *f, uint16_t key)
{
	if (VM_KEPT(FW_SELECTED, f->dma.busy))
		end_transfer(f, false); /* FW1 */
	f->key = key;
	f->offset = 0;
}

/* n bytes of the item from its offset on, and zeros behind its end. */
static bool copy(struct fw_cfg *f, uint32_t n)
{
	static const uint8_t zeros[256];
	const struct fw_cfg_item *item = find(f, f->key);
	uint32_t have = item && f->offset < item->size ? (uint32_t)min_u64(item->size - f->offset, n) : 0;

	if (have && !guest_memory_write(f->memory, f->dma.gpa, item->data + f->offset, have))
		return false;
	for (uint32_t at = have, piece; at < n; at += piece) {
		piece = (uint32_t)min_u64(n - at, sizeof(zeros));
		if (!guest_memory_write(f->memory, f->dma.gpa + at, zeros, piece))
			return false;
	}
	return true;
}

/* FW1: one piece, and an alarm for the next. */
static void transfer(struct fw_cfg *f)
{
	uint32_t n = f->dma.left;

	if (f->dma.read) {
		VM_MUTANT(FW_PIECES, n = (uint32_t)min_u64(n, FW_CFG_PIECE));
		if (VM_KEPT(FW_NO_RAM, !copy(f, n))) {
			end_transfer(f, false); /* FW2 */
			return;
		}
	}
	f->dma.gpa += n;
	f->dma.left -= n;
	f->offset = f->offset + n < n ? UINT32_MAX : f->offset + n;
	if (!f->dma.left)
		end_transfer(f, true);
	else
		timer_arm(f->timers, &f->next_piece, timers_now(f->timers) + f->timers->tsc_hz / 1000000 * PIECE_US);
}

static void piece_fire(void *dev, uint64_t now)
{
	(void)now;
	transfer(dev);
}

static void begin_transfer(struct fw_cfg *f, uint64_t descriptor)
{
	uint32_t d[4], control;

	if (f->dma.busy)
		end_transfer(f, false);
	f->dma.descriptor = descriptor;
	if (!guest_memory_read(f->memory, descriptor, d, sizeof(d))) {
		end_transfer(f, false);
		return;
	}
	control = fw_cfg_swap(d[0]);
	if (control & FW_CFG_DMA_SELECT)
		select_item(f, (uint16_t)(control >> 16));
	f->dma.left = fw_cfg_swap(d[1]);
	f->dma.gpa = (uint64_t)fw_cfg_swap(d[2]) << 32 | fw_cfg_swap(d[3]);
	f->dma.read = control & FW_CFG_DMA_READ;
	f->dma.busy = true;
	if (VM_KEPT(FW_WRITES, !f->dma.read && (control & FW_CFG_DMA_WRITE)))
		end_transfer(f, false); /* FW2 */
	else if (!f->dma.read && !(control & FW_CFG_DMA_SKIP))
		end_transfer(f, true);
	else
		transfer(f);
}

/* ---- ports ---- */

static uint8_t data_read(void *dev, uint16_t port)
{
	struct fw_cfg *f = dev;
	const struct fw_cfg_item *item = find(f, f->key);

	if (port != FW_CFG_DATA)
		return 0xff;
	return item && f->offset < item->size ? item->data[f->offset++] : 0;
}

static uint32_t fw_cfg_in(void *dev, uint16_t port, unsigned size)
{
	return bytes_in(dev, port, size, data_read);
}

static void fw_cfg_out(void *dev, uint16_t port, unsigned size, uint32_t value)
{
	if (port == FW_CFG_SELECT && size == 2)
		select_item(dev, (uint16_t)value);
}

static uint8_t dma_read(void *dev, uint16_t port)
{
	(void)dev;
	return (uint8_t)(DMA_SIGNATURE >> 8 * (7 - (port - FW_CFG_DMA)));
}

static uint32_t dma_in(void *dev, uint16_t port, unsigned size)
{
	return bytes_in(dev, port, size, dma_read);
}

/* The address is big-endian, and its lower half begins the transfer. */
static void dma_out(void *dev, uint16_t port, unsigned size, uint32_t value)
{
	struct fw_cfg *f = dev;
	uint64_t descriptor;

	if (size != 4 || (port & 3))
		return;
	if (port == FW_CFG_DMA) {
		f->dma_high = fw_cfg_swap(value);
		return;
	}
	descriptor = (uint64_t)f->dma_high << 32 | fw_cfg_swap(value);
	f->dma_high = 0;
	begin_transfer(f, descriptor);
}

/* ---- items ---- */

bool fw_cfg_add(struct fw_cfg *f, uint16_t key, const void *data, uint32_t size)
{
	if (f->items == FW_CFG_ITEMS_MAX)
		return false;
	f->item[f->items++] = (struct fw_cfg_item){ key, size, data };
	return true;
}

static const void *keep_number(struct fw_cfg *f, uint64_t value)
{
	if (f->numbers == FW_CFG_NUMBERS_MAX)
		return NULL;
	memcpy(f->number[f->numbers], &value, sizeof(value));
	return f->number[f->numbers++];
}

bool fw_cfg_add_number(struct fw_cfg *f, uint16_t key, uint64_t value, uint32_t size)
{
	const void *data = keep_number(f, value);

	return data && fw_cfg_add(f, key, data, size);
}

bool fw_cfg_add_file(struct fw_cfg *f, const char *name, const void *data, uint32_t size)
{
	uint8_t *entry = f->directory + 4 + f->files * FW_CFG_FILE_ENTRY;
	uint16_t key = (uint16_t)(FW_CFG_FILE_FIRST + f->files);
	uint32_t big;

	if (f->files == FW_CFG_FILES_MAX || strlen(name) >= FW_CFG_FILE_NAME || !fw_cfg_add(f, key, data, size))
		return false;
	big = fw_cfg_swap(size);
	memcpy(entry, &big, 4);
	entry[4] = (uint8_t)(key >> 8);
	entry[5] = (uint8_t)key;
	memcpy(entry + 8, name, strlen(name));
	big = fw_cfg_swap(++f->files);
	memcpy(f->directory, &big, 4);
	return true;
}

/* ---- making ---- */

static void reset(struct fw_cfg *f)
{
	if (f->dma.busy)
		timer_cancel(f->timers, &f->next_piece);
	f->dma.busy = false;
	f->dma_high = 0;
	f->key = FW_CFG_SIGNATURE;
	f->offset = 0;
}

bool fw_cfg_init(struct fw_cfg *f, struct pio_space *pio, uint16_t cpus, uint64_t ram_bytes,
		 const struct guest_memory *memory, struct timers *timers)
{
	static const struct pio_ops ops = { fw_cfg_in, fw_cfg_out }, dma = { dma_in, dma_out };

	*f = (struct fw_cfg){ .memory = memory, .timers = timers };
	f->next_piece = (struct timer){ .fire = piece_fire, .dev = f };
	reset(f);
	return fw_cfg_add(f, FW_CFG_SIGNATURE, "QEMU", 4) &&
	       fw_cfg_add_number(f, FW_CFG_ID, ID_TRADITIONAL | (memory ? ID_DMA : 0), 4) &&
	       fw_cfg_add_number(f, FW_CFG_RAM_SIZE, ram_bytes, 8) &&
	       fw_cfg_add_number(f, FW_CFG_NB_CPUS, cpus, 2) && fw_cfg_add_number(f, FW_CFG_MAX_CPUS, cpus, 2) &&
	       fw_cfg_add(f, FW_CFG_FILE_DIR, f->directory, sizeof(f->directory)) &&
	       pio_add(pio, FW_CFG_SELECT, 2, &ops, f) && (!memory || pio_add(pio, FW_CFG_DMA, 8, &dma, f));
}
