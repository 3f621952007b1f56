#include "test/unit/host/device/controller.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <string.h>

struct ctl ctl;

#define MEMORY 0x100000u /* the address of ctl.memory for the bus master */

static struct ctl_disk *chosen(void) { return &ctl.disk[ctl.reg[ATA_DEVICE] & ATA_DEVICE_SECOND ? 1 : 0]; }

uint64_t ctl_now(void) { return ctl.now += 10; }

/* ---- commands ---- */

static bool is_ext(uint8_t c)
{
	return c == ATA_READ_EXT || c == ATA_WRITE_EXT || c == ATA_READ_DMA_EXT || c == ATA_WRITE_DMA_EXT;
}
static bool is_dma(uint8_t c)
{
	return c == ATA_READ_DMA || c == ATA_WRITE_DMA || c == ATA_READ_DMA_EXT || c == ATA_WRITE_DMA_EXT;
}
static bool is_write(uint8_t c)
{
	return c == ATA_WRITE || c == ATA_WRITE_EXT || c == ATA_WRITE_DMA || c == ATA_WRITE_DMA_EXT;
}

static void read_address(const struct ctl_disk *d, uint8_t command)
{
	const uint8_t *r = ctl.reg, *p = ctl.previous;

	assert_true(r[ATA_DEVICE] & ATA_DEVICE_LBA);
	ctl.sector = r[ATA_LBA_LOW] | (uint64_t)r[ATA_LBA_MID] << 8 | (uint64_t)r[ATA_LBA_HIGH] << 16;
	if (is_ext(command)) {
		assert_true(d->lba48);
		ctl.sector |= (uint64_t)p[ATA_LBA_LOW] << 24 | (uint64_t)p[ATA_LBA_MID] << 32 |
			      (uint64_t)p[ATA_LBA_HIGH] << 40;
		ctl.left = r[ATA_COUNT] | (unsigned)p[ATA_COUNT] << 8;
		ctl.left = ctl.left ? ctl.left : 65536;
	} else {
		ctl.sector |= (uint64_t)(r[ATA_DEVICE] & 15) << 24;
		ctl.left = r[ATA_COUNT] ? r[ATA_COUNT] : 256;
	}
	assert_true(ctl.sector + ctl.left <= d->sectors);
}

static void begin(uint8_t command)
{
	struct ctl_disk *d = chosen();

	if (!d->present)
		return;
	assert_false(ctl.status & (ATA_BSY | ATA_DRQ));
	ctl.command = command;
	ctl.status = ATA_BSY;
	ctl.error = 0;
	ctl.at = 0;
	if (command == ATA_IDENTIFY || command == ATA_FLUSH || command == ATA_FLUSH_EXT)
		ctl.left = 1;
	else
		read_address(d, command);
	/* Data out by words are asked for at once. */
	if ((command == ATA_WRITE || command == ATA_WRITE_EXT) && !ctl.hang && !ctl.fail && !ctl.fault)
		ctl.status = ATA_DRDY | ATA_DRQ;
	/* Boot waits without interrupts. */
	if (command == ATA_IDENTIFY)
		ctl_step();
}

static void end(uint8_t status)
{
	ctl.command = 0;
	ctl.status = (uint8_t)(ATA_DRDY | status);
	ctl.interrupt = !(ctl.control & ATA_NIEN);
	if (ctl.interrupt)
		ctl.master_status |= BM_INTERRUPT;
}

static uint8_t *sector_data(const struct ctl_disk *d, uint64_t sector)
{
	return (uint8_t *)(uintptr_t)d->data[sector % CTL_SECTORS];
}

/* All of it, by the table in memory. */
static void transfer(struct ctl_disk *d)
{
	const struct ata_prd *prd = (const void *)(ctl.memory + (ctl.master_table - MEMORY));
	bool write = is_write(ctl.command);
	unsigned used = 0;

	assert_true(ctl.master_command & BM_START);
	assert_int_equal(!(ctl.master_command & BM_TO_MEMORY), write);
	for (unsigned i = 0; i < ctl.left; i++, used += SECTOR_SIZE) {
		unsigned bytes = (prd->bytes & 0xffff) ? prd->bytes & 0xffff : 0x10000;
		uint8_t *memory, *disk = sector_data(d, ctl.sector + i);

		if (used == bytes) {
			assert_false(prd->bytes & BM_TABLE_END);
			prd++;
			used = 0;
		}
		memory = ctl.memory + (prd->address - MEMORY) + used;
		assert_true(memory + SECTOR_SIZE <= ctl.memory + ATA_BUFFER);
		memcpy(write ? disk : memory, write ? memory : disk, SECTOR_SIZE);
	}
	assert_true(prd->bytes & BM_TABLE_END);
	d->written += write ? ctl.left : 0;
	/* Active still: the table told of more than there was. */
	ctl.master_status = ctl.short_table ? ctl.master_status | BM_ACTIVE : ctl.master_status & (uint8_t)~BM_ACTIVE;
	end(0);
}

void ctl_step(void)
{
	struct ctl_disk *d = chosen();

	if (!ctl.command || ctl.hang || (is_dma(ctl.command) && !(ctl.master_command & BM_START)))
		return;
	if (ctl.fail) {
		ctl.error = 0x40;
		end(ATA_ERR);
	} else if (ctl.fault) {
		end(ATA_DF);
	} else if (ctl.command == ATA_FLUSH || ctl.command == ATA_FLUSH_EXT) {
		d->flushed++;
		end(0);
	} else if (is_dma(ctl.command)) {
		transfer(d);
	} else if (!(ctl.status & ATA_DRQ)) {
		uint8_t command = ctl.command;

		if (ctl.left && !(command == ATA_IDENTIFY && d->packet)) {
			end(ATA_DRQ);
			ctl.command = command;
			ctl.at = 0;
		} else {
			end(command == ATA_IDENTIFY ? ATA_ERR : 0);
		}
	}
}

/* ---- words ---- */

static void put_text(uint16_t *words, const char *text, unsigned count)
{
	for (unsigned i = 0; i < 2 * count; i++)
		words[i / 2] |= (uint16_t)((i < strlen(text) ? text[i] : ' ') << (i % 2 ? 0 : 8));
}

static void identity(const struct ctl_disk *d, uint16_t *id)
{
	uint32_t lba28 = d->lba28 ? d->lba28 : (uint32_t)min_u64(d->sectors, ATA_LBA28_SECTORS);

	memset(id, 0, SECTOR_SIZE);
	put_text(id + ATA_ID_SERIAL, "S-1", 10);
	put_text(id + ATA_ID_MODEL, "A disk of the tests", 20);
	id[ATA_ID_CAPABILITIES] = (d->no_lba ? 0 : ATA_ID_LBA) | (d->dma ? ATA_ID_DMA : 0);
	id[ATA_ID_SECTORS] = (uint16_t)lba28;
	id[ATA_ID_SECTORS + 1] = (uint16_t)(lba28 >> 16);
	id[ATA_ID_SETS] = (uint16_t)((d->no_sets ? 0 : 0x4000) | ATA_SET_FLUSH |
				     (d->lba48 ? ATA_SET_LBA48 | ATA_SET_FLUSH_EXT : 0));
	for (unsigned i = 0; d->lba48 && i < 4; i++)
		id[ATA_ID_SECTORS_EXT + i] = (uint16_t)(d->sectors >> (16 * i));
}

/* A sector has been transferred: the next, or the end. */
static void sector_over(void)
{
	bool write = is_write(ctl.command);

	ctl.sector++;
	if (--ctl.left == 0 && !write) {
		ctl.command = 0;
		ctl.status = ATA_DRDY;
		return;
	}
	ctl.status = ATA_BSY; /* until the next step */
}

static void words(void *p, unsigned count, bool write)
{
	struct ctl_disk *d = chosen();
	uint16_t id[256];
	uint8_t *data = sector_data(d, ctl.sector);

	assert_true(ctl.status & ATA_DRQ);
	assert_int_equal(count, 256);
	assert_int_equal(is_write(ctl.command), write);
	if (ctl.command == ATA_IDENTIFY) {
		identity(d, id);
		data = (uint8_t *)id;
	}
	memcpy(write ? (void *)data : p, write ? p : (void *)data, SECTOR_SIZE);
	d->written += write;
	sector_over();
}

static void in_words(uint16_t port, void *to, unsigned count)
{
	assert_int_equal(port, CTL_COMMAND + ATA_DATA);
	words(to, count, false);
}

static void out_words(uint16_t port, const void *from, unsigned count)
{
	assert_int_equal(port, CTL_COMMAND + ATA_DATA);
	words((void *)(uintptr_t)from, count, true);
}

/* ---- registers ---- */

static uint8_t in8(uint16_t port)
{
	if (port == CTL_MASTER + BM_STATUS)
		return ctl.master_status;
	if (port == CTL_COMMAND + ATA_STATUS)
		ctl.interrupt = false;
	if (!chosen()->present)
		return ctl.disk[0].present || ctl.disk[1].present ? 0 : 0xff;
	if (port == CTL_CONTROL || port == CTL_COMMAND + ATA_STATUS)
		return ctl.status;
	return port == CTL_COMMAND + ATA_ERROR ? ctl.error : ctl.reg[port - CTL_COMMAND];
}

static void control(uint8_t value)
{
	if (value & ~ctl.control & ATA_SRST) {
		ctl.resets++;
		ctl.command = 0;
		ctl.status = ctl.hang ? ATA_BSY : ATA_DRDY;
	}
	ctl.control = value;
}

static void out8(uint16_t port, uint8_t value)
{
	if (port == CTL_CONTROL) {
		control(value);
	} else if (port == CTL_MASTER + BM_COMMAND) {
		ctl.master_command = value;
		if (value & BM_START)
			ctl.master_status |= BM_ACTIVE;
		else
			ctl.master_status &= (uint8_t)~BM_ACTIVE;
	} else if (port == CTL_MASTER + BM_STATUS) {
		ctl.master_status &= (uint8_t)~(value & (BM_FAILED | BM_INTERRUPT));
	} else if (port == CTL_COMMAND + ATA_COMMAND) {
		begin(value);
	} else {
		ctl.previous[port - CTL_COMMAND] = ctl.reg[port - CTL_COMMAND];
		ctl.reg[port - CTL_COMMAND] = value;
	}
}

static uint32_t in32(uint16_t port)
{
	assert_int_equal(port, CTL_MASTER + BM_TABLE);
	return ctl.master_table;
}

static void out32(uint16_t port, uint32_t value)
{
	assert_int_equal(port, CTL_MASTER + BM_TABLE);
	ctl.master_table = value;
}

const struct ata_ports ctl_ports = { in8, in32, out8, out32, in_words, out_words };

void ctl_channel(struct ata_channel *c, bool bus_master)
{
	*c = (struct ata_channel){
		.ports = &ctl_ports,
		.command = CTL_COMMAND,
		.control = CTL_CONTROL,
		.bus_master = bus_master ? CTL_MASTER : 0,
		.buffer = ctl.memory,
		.buffer_address = MEMORY,
		.table = (void *)(ctl.memory + ATA_BUFFER),
		.table_address = MEMORY + ATA_BUFFER,
		.patience = 1000000,
	};
	ata_find(c, ctl_now);
}
