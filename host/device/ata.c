#include "host/device/ata.h"
#include "lib/mutants/mutate.h"

#define SPINS 1000 /* looks at a status that is to change at once */

static uint8_t in(const struct ata_channel *c, unsigned reg) { return c->ports->in8((uint16_t)(c->command + reg)); }

static void out(const struct ata_channel *c, unsigned reg, uint64_t value)
{
	c->ports->out8((uint16_t)(c->command + reg), (uint8_t)value);
}

static uint8_t alternate_status(const struct ata_channel *c) { return c->ports->in8(c->control); }

/* The 400 ns that a device may take to show a status ("Status register"), by four reads. */
static void settle(const struct ata_channel *c)
{
	for (unsigned i = 0; i < 4; i++)
		alternate_status(c);
}

/* ---- which disks there are ---- */

/* Waits until the bits of mask are as wanted, up to the deadline; boot only. */
static bool wait_for(const struct ata_channel *c, uint8_t mask, uint8_t wanted, uint64_t (*now)(void))
{
	uint64_t end = now() + c->patience;

	do {
		if ((alternate_status(c) & mask) == wanted)
			return true;
	} while (now() < end);
	return false;
}

/* Two characters a word, the first in the upper byte. */
static void read_text(char *to, const uint16_t *words, unsigned count)
{
	unsigned n = 2 * count;

	for (unsigned i = 0; i < n; i++) {
		char byte = (char)(words[i / 2] >> (i % 2 ? 0 : 8));

		to[i] = byte >= 0x20 && byte < 0x7f ? byte : ' ';
	}
	while (n && to[n - 1] == ' ')
		n--;
	to[n] = 0;
}

/* "IDENTIFY DEVICE": words 49, 60, 83 and 100. */
void ata_read_identity(struct ata_disk *d, const uint16_t *id, bool bus_master)
{
	uint16_t sets = id[ATA_ID_SETS];

	*d = (struct ata_disk){ .present = VM_LEFT_OUT_OR(ATA_LBA, id[ATA_ID_CAPABILITIES] & ATA_ID_LBA) };
	d->dma = bus_master && (id[ATA_ID_CAPABILITIES] & ATA_ID_DMA);
	d->sectors = id[ATA_ID_SECTORS] | (uint64_t)id[ATA_ID_SECTORS + 1] << 16;
	/* Bits 15:14 are 01 where the word means something. */
	if (VM_LEFT_OUT_OR(ATA_SETS, sets >> 14 == 1)) {
		d->lba48 = sets & ATA_SET_LBA48;
		d->flush = sets & ATA_SET_FLUSH;
		d->flush_ext = d->lba48 && (sets & ATA_SET_FLUSH_EXT);
	}
	if (d->lba48) {
		d->sectors = 0;
		for (unsigned i = 0; i < 3; i++)
			d->sectors |= (uint64_t)id[ATA_ID_SECTORS_EXT + i] << (16 * i);
	} else {
		VM_MUTANT(ATA_LBA28, d->sectors = min_u64(d->sectors, ATA_LBA28_SECTORS));
	}
	read_text(d->model, id + ATA_ID_MODEL, 20);
	read_text(d->serial, id + ATA_ID_SERIAL, 10);
}

/* A device that is not there leaves the bus as it was, or the other answers for it with a status of 0; one for packets
 * (a CD drive) ends the command with its signature instead of data. */
static void identify(struct ata_channel *c, unsigned n, uint64_t (*now)(void))
{
	uint16_t id[256];

	out(c, ATA_DEVICE, ATA_DEVICE_OBSOLETE | (n ? ATA_DEVICE_SECOND : 0));
	settle(c);
	if (alternate_status(c) == 0xff || !wait_for(c, ATA_BSY, 0, now))
		return;
	out(c, ATA_COMMAND, ATA_IDENTIFY);
	settle(c);
	if (!alternate_status(c) || !wait_for(c, ATA_BSY, 0, now))
		return;
	if (VM_KEPT(ATA_NO_DISK, (in(c, ATA_STATUS) & (ATA_DRQ | ATA_ERR)) != ATA_DRQ))
		return;
	c->ports->in_words((uint16_t)(c->command + ATA_DATA), id, 256);
	ata_read_identity(&c->disk[n], id, c->bus_master);
}

void ata_find(struct ata_channel *c, uint64_t (*now)(void))
{
	c->state = ATA_IDLE;
	c->ports->out8(c->control, ATA_NIEN);
	for (unsigned n = 0; n < 2; n++)
		identify(c, n, now);
	in(c, ATA_STATUS);
	if (c->bus_master)
		c->ports->out8((uint16_t)(c->bus_master + BM_STATUS), BM_FAILED | BM_INTERRUPT);
	c->ports->out8(c->control, 0);
}

/* ---- commands ---- */

/* "Status register": an error of what was asked, or a fault of the device. */
static bool bad(uint8_t status) { return (status & ATA_ERR) || VM_KEPT(ATA_FAULT, status & ATA_DF); }

/* ATA/ATAPI-6: a count of 8 bits, of which 0 means 256; of 16 with the "48-bit Address feature set". */
unsigned ata_most(const struct ata_disk *d)
{
	unsigned fit = ATA_BUFFER / SECTOR_SIZE;

	return VM_LEFT_OUT_OR(ATA_COUNT_28, d->lba48) ? fit : (unsigned)min_u64(fit, 255);
}

/* The disk, the address and the count; with the "48-bit Address feature set" in two rounds, the upper halves first. */
static void write_address(const struct ata_channel *c, unsigned n, uint64_t sector, unsigned sectors)
{
	uint8_t device = (uint8_t)(ATA_DEVICE_OBSOLETE | ATA_DEVICE_LBA | (n ? ATA_DEVICE_SECOND : 0));

	if (c->disk[n].lba48) {
		out(c, ATA_COUNT, sectors >> 8);
		out(c, ATA_LBA_LOW, sector >> 24);
		out(c, ATA_LBA_MID, sector >> 32);
		out(c, ATA_LBA_HIGH, sector >> 40);
	} else {
		out(c, ATA_DEVICE, device | (sector >> 24 & 15));
	}
	out(c, ATA_COUNT, sectors);
	out(c, ATA_LBA_LOW, sector);
	out(c, ATA_LBA_MID, sector >> 8);
	out(c, ATA_LBA_HIGH, sector >> 16);
}

/* The disk is chosen first, and has to be ready for the rest ("Device/Head register"). */
static bool choose(const struct ata_channel *c, unsigned n)
{
	out(c, ATA_DEVICE, ATA_DEVICE_OBSOLETE | ATA_DEVICE_LBA | (n ? ATA_DEVICE_SECOND : 0));
	settle(c);
	for (unsigned i = 0; i < SPINS; i++)
		if (!(alternate_status(c) & (ATA_BSY | ATA_DRQ)))
			return true;
	return false;
}

static uint8_t bus_master_status(const struct ata_channel *c)
{
	return c->ports->in8((uint16_t)(c->bus_master + BM_STATUS));
}

static void stop_bus_master(const struct ata_channel *c)
{
	c->ports->out8((uint16_t)(c->bus_master + BM_COMMAND), 0);
	c->ports->out8((uint16_t)(c->bus_master + BM_STATUS), BM_FAILED | BM_INTERRUPT);
}

/* "Physical Region Descriptor": 64 KiB are a count of 0, the last entry has a bit (AT3). */
static void prepare_bus_master(const struct ata_channel *c, unsigned bytes)
{
	unsigned i;

	for (i = 0; bytes > BM_PIECE; i++, bytes -= BM_PIECE)
		c->table[i] = (struct ata_prd){ c->buffer_address + i * BM_PIECE, 0 };
	c->table[i] = (struct ata_prd){ c->buffer_address + i * BM_PIECE, bytes & (BM_PIECE - 1) };
	VM_MUTANT(ATA_TABLE, c->table[i].bytes |= BM_TABLE_END);
	stop_bus_master(c);
	c->ports->out32((uint16_t)(c->bus_master + BM_TABLE), c->table_address);
}

/* The order of "Standard Programming Sequence": table, direction, the command of the disk, start. */
static void start_dma(struct ata_channel *c, unsigned n, bool write, unsigned sectors)
{
	uint8_t direction = write ? 0 : BM_TO_MEMORY;

	prepare_bus_master(c, sectors * SECTOR_SIZE);
	c->ports->out8((uint16_t)(c->bus_master + BM_COMMAND), direction);
	if (c->disk[n].lba48)
		out(c, ATA_COMMAND, write ? ATA_WRITE_DMA_EXT : ATA_READ_DMA_EXT);
	else
		out(c, ATA_COMMAND, write ? ATA_WRITE_DMA : ATA_READ_DMA);
	c->ports->out8((uint16_t)(c->bus_master + BM_COMMAND), direction | BM_START);
	c->state = ATA_DMA;
}

static void transfer_sector(struct ata_channel *c, bool write)
{
	uint8_t *p = c->buffer + c->at * SECTOR_SIZE;

	if (write)
		c->ports->out_words((uint16_t)(c->command + ATA_DATA), p, SECTOR_SIZE / 2);
	else
		c->ports->in_words((uint16_t)(c->command + ATA_DATA), p, SECTOR_SIZE / 2);
	c->at++;
	c->left--;
}

/* The first sector that is written is asked for without an interrupt ("PIO data-out command protocol"). */
static bool first_sector(struct ata_channel *c)
{
	for (unsigned i = 0; i < SPINS; i++) {
		uint8_t status = alternate_status(c);

		if (status & ATA_BSY)
			continue;
		if (bad(status))
			return false;
		if (status & ATA_DRQ) {
			transfer_sector(c, true);
			return true;
		}
	}
	return false;
}

static bool start_words(struct ata_channel *c, unsigned n, bool write, unsigned sectors)
{
	c->at = 0;
	c->left = sectors;
	if (c->disk[n].lba48)
		out(c, ATA_COMMAND, write ? ATA_WRITE_EXT : ATA_READ_EXT);
	else
		out(c, ATA_COMMAND, write ? ATA_WRITE : ATA_READ);
	settle(c);
	c->state = write ? ATA_WORDS_OUT : ATA_WORDS_IN;
	return !write || first_sector(c);
}

/* A reset of both disks ("Software reset"). */
static void reset(struct ata_channel *c, uint64_t now)
{
	if (c->bus_master)
		stop_bus_master(c);
	c->ports->out8(c->control, ATA_SRST);
	settle(c);
	c->ports->out8(c->control, 0);
	settle(c);
	c->state = ATA_RESETTING;
	c->deadline = now + c->patience;
}

bool ata_start(struct ata_channel *c, unsigned n, enum ata_op op, uint64_t sector, unsigned sectors, uint64_t now)
{
	const struct ata_disk *d = &c->disk[n];

	ASSERT(c->state == ATA_IDLE || c->state == ATA_RESETTING || c->state == ATA_DEAD);
	ASSERT(op == ATA_OP_FLUSH || (sectors && sectors <= ata_most(d) && sector + sectors <= d->sectors));
	if (VM_KEPT(ATA_ONE, c->state != ATA_IDLE))
		return false;
	c->deadline = now + c->patience;
	if (!choose(c, n)) {
		reset(c, now);
		return false;
	}
	if (op == ATA_OP_FLUSH) {
		c->state = ATA_NO_DATA;
		out(c, ATA_COMMAND, d->flush_ext ? ATA_FLUSH_EXT : ATA_FLUSH);
		return true;
	}
	write_address(c, n, sector, sectors);
	if (d->dma) {
		start_dma(c, n, op == ATA_OP_WRITE, sectors);
		return true;
	}
	if (start_words(c, n, op == ATA_OP_WRITE, sectors))
		return true;
	reset(c, now);
	return false;
}

/* ---- what comes of them ---- */

static enum ata_result end(struct ata_channel *c, bool good)
{
	c->state = ATA_IDLE;
	return good ? ATA_DONE : ATA_FAILED;
}

/* Reading the status tells the disk that its interrupt was noticed. */
static enum ata_result advance_dma(struct ata_channel *c)
{
	uint8_t master = bus_master_status(c), status;

	if (!(master & (BM_INTERRUPT | BM_FAILED)))
		return ATA_BUSY;
	status = in(c, ATA_STATUS);
	if (status & ATA_BSY)
		return ATA_BUSY;
	/* "Status Bit Interpretation". Still active: the table told of more than the disk transferred. */
	stop_bus_master(c);
	return end(c, !bad(status) && !(status & ATA_DRQ) && !(master & BM_FAILED) &&
			      !VM_KEPT(ATA_SHORT, master & BM_ACTIVE));
}

static enum ata_result advance_words(struct ata_channel *c)
{
	bool write = c->state == ATA_WORDS_OUT;
	uint8_t status = in(c, ATA_STATUS);

	/* As many as are ready without another interrupt. */
	while (!(status & ATA_BSY) && !bad(status) && (status & ATA_DRQ) && c->left) {
		transfer_sector(c, write);
		status = alternate_status(c);
	}
	if (status & ATA_BSY)
		return ATA_BUSY;
	if (bad(status))
		return end(c, false);
	return c->left ? ATA_BUSY : end(c, true);
}

static enum ata_result advance_no_data(struct ata_channel *c)
{
	uint8_t status = in(c, ATA_STATUS);

	return status & ATA_BSY ? ATA_BUSY : end(c, !bad(status));
}

/* What was asked for has failed already. */
static enum ata_result advance_reset(struct ata_channel *c, uint64_t now)
{
	if (!(alternate_status(c) & ATA_BSY))
		c->state = ATA_IDLE;
	else if (VM_KEPT(ATA_DEAD, now >= c->deadline))
		c->state = ATA_DEAD;
	return ATA_BUSY;
}

enum ata_result ata_advance(struct ata_channel *c, uint64_t now)
{
	enum ata_result result = ATA_BUSY;

	switch (c->state) {
	case ATA_IDLE:
		return ATA_BUSY;
	case ATA_DEAD:
		return ATA_GONE;
	case ATA_RESETTING:
		return advance_reset(c, now);
	case ATA_DMA:
		result = advance_dma(c);
		break;
	case ATA_WORDS_IN:
	case ATA_WORDS_OUT:
		result = advance_words(c);
		break;
	case ATA_NO_DATA:
		result = advance_no_data(c);
		break;
	}
	if (result != ATA_BUSY || VM_LEFT_OUT_OR(ATA_PATIENCE, now < c->deadline))
		return result;
	reset(c, now);
	return ATA_FAILED;
}
