/* dev/ide/disk.c - the commands of a guest's ATA disks (ATA/ATAPI-6, "Command descriptions"). */
#include "dev/ide/channel.h"
#include "lib/mutants/mutate.h"

#define BUFFER_SECTORS (IDE_BUFFER / SECTOR_SIZE)
#define POWER_ACTIVE 0xff
/* Of SET FEATURES, "Set transfer mode": PIO by default, PIO modes with flow control, multiword DMA modes. */
#define MODE_DEFAULT_MOST 0x01u
#define MODE_FLOW 0x08u
#define MODE_FLOW_MOST 0x0cu
#define MODE_DMA 0x20u
#define MODE_DMA_MOST 0x22u

/* How a command that transfers does so. */
enum { WRITES = 1, EXT = 2, BY_DMA = 4, MULTIPLE = 8, VERIFIES = 16 };
static const struct {
	uint8_t command, how;
} transfers[] = {
	{ ATA_READ, 0 }, { ATA_READ_ONCE, 0 }, { ATA_READ_EXT, EXT },
	{ ATA_READ_MULTIPLE, MULTIPLE }, { ATA_READ_MULTIPLE_EXT, MULTIPLE | EXT },
	{ ATA_READ_DMA, BY_DMA }, { ATA_READ_DMA_ONCE, BY_DMA }, { ATA_READ_DMA_EXT, BY_DMA | EXT },
	{ ATA_WRITE, WRITES }, { ATA_WRITE_ONCE, WRITES }, { ATA_WRITE_EXT, WRITES | EXT },
	{ ATA_WRITE_MULTIPLE, WRITES | MULTIPLE }, { ATA_WRITE_MULTIPLE_EXT, WRITES | MULTIPLE | EXT },
	{ ATA_WRITE_DMA, WRITES | BY_DMA }, { ATA_WRITE_DMA_ONCE, WRITES | BY_DMA },
	{ ATA_WRITE_DMA_EXT, WRITES | BY_DMA | EXT },
	{ ATA_VERIFY, VERIFIES }, { ATA_VERIFY_ONCE, VERIFIES }, { ATA_VERIFY_EXT, VERIFIES | EXT },
};

/* ---- addresses ---- */

static bool by_lba(const struct ide_drive *d) { return d->ext || (d->channel->device & ATA_DEVICE_LBA); }

/* The sector that the registers name. false: there is none of this name. */
static bool address(const struct ide_drive *d, uint64_t *sector)
{
	const struct ide_registers *now = &d->now, *before = &d->before;
	uint64_t low = now->low | (uint64_t)now->mid << 8 | (uint64_t)now->high << 16;
	unsigned device = d->channel->device & ATA_DEVICE_LOW;

	if (d->ext) {
		*sector = low | (uint64_t)before->low << 24 | (uint64_t)before->mid << 32 |
			  (uint64_t)before->high << 40;
		return true;
	}
	if (by_lba(d)) {
		*sector = low | (uint64_t)device << 24;
		return true;
	}
	*sector = ((uint64_t)(low >> 8) * d->heads + device) * d->track + now->low - 1;
	return VM_LEFT_OUT_OR(IDE_TRACK, now->low && now->low <= d->track && device < d->heads);
}

/* ID6: the registers name the sector that an error is at. */
static void put_address(struct ide_drive *d, uint64_t sector)
{
	struct ide_registers *now = &d->now, *before = &d->before;
	unsigned low = (unsigned)(sector >> 24 & ATA_DEVICE_LOW);

	if (!by_lba(d)) {
		uint64_t cylinder = sector / d->track / d->heads;

		low = (unsigned)(sector / d->track % d->heads);
		sector = cylinder << 8 | (sector % d->track + 1);
	}
	now->low = (uint8_t)sector;
	now->mid = (uint8_t)(sector >> 8);
	now->high = (uint8_t)(sector >> 16);
	before->low = (uint8_t)(sector >> 24);
	before->mid = (uint8_t)(sector >> 32);
	before->high = (uint8_t)(sector >> 40);
	if (!d->ext)
		d->channel->device = (uint8_t)((d->channel->device & ~ATA_DEVICE_LOW) | low);
}

static uint32_t count(const struct ide_drive *d)
{
	uint32_t n = d->now.count | (d->ext ? (uint32_t)d->before.count << 8 : 0);

	return n ? n : d->ext ? 0x10000 : 0x100;
}

/* ---- transfers ---- */

static uint32_t next_piece(const struct ide_drive *d) { return (uint32_t)min_u64(d->left, BUFFER_SECTORS); }

static void advance(struct ide_drive *d)
{
	uint32_t n = next_piece(d);

	d->sector += n;
	d->left -= n;
}

static void fetched(struct ide_drive *d) { ide_offer(d, next_piece(d) * SECTOR_SIZE); }

static void written(struct ide_drive *d)
{
	advance(d);
	if (d->left)
		ide_want(d, next_piece(d) * SECTOR_SIZE, true);
	else
		ide_done(d);
}

static void verified(struct ide_drive *d)
{
	advance(d);
	if (d->left)
		ide_ask(d, BLOCK_READ, next_piece(d), verified);
	else
		ide_done(d);
}

/* The end of what is read by the data port needs no interrupt ("PIO data-in command protocol"). */
void ide_disk_moved(struct ide_drive *d)
{
	if (d->phase == IDE_OUT) {
		ide_ask(d, BLOCK_WRITE, next_piece(d), written);
		return;
	}
	advance(d);
	if (d->left) {
		ide_ask(d, BLOCK_READ, next_piece(d), fetched);
		return;
	}
	d->phase = IDE_READY;
	d->status &= (uint8_t)~ATA_DRQ;
}

void ide_disk_dma(struct ide_drive *d) { ide_ask(d, d->write ? BLOCK_WRITE : BLOCK_READ, d->left, ide_done); }

void ide_disk_io_failed(struct ide_drive *d)
{
	if (d->io.op == BLOCK_READ || d->io.op == BLOCK_WRITE)
		put_address(d, d->io.sector + d->io.at);
	ide_failed(d, d->io.op == BLOCK_READ ? ATA_UNC : ATA_ABRT);
	if (d->io.op != BLOCK_READ)
		d->status |= ATA_DF;
}

/* ATA/ATAPI-6, READ MULTIPLE: aborted before SET MULTIPLE MODE; all: "Error outputs", for an address that the disk has
 * not (ID5). */
static void transfer(struct ide_drive *d, unsigned how)
{
	uint64_t sector;

	d->ext = how & EXT;
	d->write = how & WRITES;
	d->dma = how & BY_DMA;
	if (VM_KEPT(IDE_READ_ONLY, d->write && d->disk->read_only) ||
	    VM_KEPT(IDE_MULTIPLE_UNSET, how & MULTIPLE && !d->multiple)) {
		ide_failed(d, ATA_ABRT);
		return;
	}
	if (!address(d, &sector) || VM_KEPT(IDE_RANGE, !block_in_range(d->disk, sector, count(d)))) { /* ID5 */
		ide_failed(d, ATA_IDNF);
		return;
	}
	d->sector = sector;
	d->left = count(d);
	d->block = (how & MULTIPLE ? d->multiple : 1) * SECTOR_SIZE;
	if (d->dma)
		ide_wait_for_dma(d);
	else if (how & VERIFIES)
		ide_ask(d, BLOCK_READ, next_piece(d), verified);
	else if (d->write)
		ide_want(d, next_piece(d) * SECTOR_SIZE, false);
	else
		ide_ask(d, BLOCK_READ, next_piece(d), fetched);
}

/* ---- the rest ---- */

/* ATA/ATAPI-6, SET MULTIPLE MODE: a power of 2 up to what IDENTIFY DEVICE says; 0 ends it. */
static bool set_multiple(struct ide_drive *d)
{
	uint8_t n = d->now.count;

	if (VM_KEPT(IDE_MULTIPLE_MOST, n > IDE_MULTIPLE || (n & (n - 1))))
		return false;
	d->multiple = n;
	return true;
}

static bool set_mode(struct ide_drive *d)
{
	uint8_t mode = d->now.count;

	if (mode >= MODE_DMA && mode <= MODE_DMA_MOST)
		d->transfer_mode = mode - MODE_DMA;
	else
		return mode <= MODE_DEFAULT_MOST || (mode >= MODE_FLOW && mode <= MODE_FLOW_MOST);
	return true;
}

/* ATA/ATAPI-6, SET FEATURES: aborted for a feature that the drive has not. */
bool ide_set_features(struct ide_drive *d)
{
	switch (d->now.features) {
	case ATA_FEATURE_CACHE_ON:
	case ATA_FEATURE_CACHE_OFF:
		d->write_through = d->now.features == ATA_FEATURE_CACHE_OFF;
		return !d->cd;
	case ATA_FEATURE_TRANSFER_MODE:
		return set_mode(d);
	default:
		return false;
	}
}

/* INITIALIZE DEVICE PARAMETERS, of ATA/ATAPI-5 and before: a track has sectors. */
static bool set_geometry(struct ide_drive *d)
{
	if (VM_KEPT(IDE_GEOMETRY, !d->now.count))
		return false;
	d->track = d->now.count;
	d->heads = (uint8_t)((d->channel->device & ATA_DEVICE_LOW) + 1);
	return true;
}

/* ATA/ATAPI-6, READ NATIVE MAX ADDRESS: an address by LBA only. */
static bool native_max(struct ide_drive *d)
{
	uint64_t last = d->disk->sectors - 1;

	d->ext = d->command == ATA_NATIVE_MAX_EXT;
	if (!by_lba(d))
		return false;
	put_address(d, d->ext ? last : min_u64(last, ATA_LBA28_SECTORS - 1));
	return true;
}

static bool seek(struct ide_drive *d)
{
	uint64_t sector;

	return address(d, &sector) && block_in_range(d->disk, sector, 1);
}

bool ide_power_command(struct ide_drive *d)
{
	switch (d->command) {
	case ATA_CHECK_POWER:
		d->now.count = POWER_ACTIVE;
		return true;
	case ATA_STANDBY_NOW:
	case ATA_IDLE_NOW:
	case ATA_STANDBY:
	case ATA_IDLE_TIMER:
	case ATA_SLEEP:
		return true;
	default:
		return false;
	}
}

/* Those that are done at once. false: there is no such command, or it cannot be done. */
static bool simple(struct ide_drive *d)
{
	switch (d->command) {
	case ATA_SET_MULTIPLE: return set_multiple(d);
	case ATA_INIT_PARAMETERS: return set_geometry(d);
	case ATA_SET_FEATURES: return ide_set_features(d);
	case ATA_NATIVE_MAX:
	case ATA_NATIVE_MAX_EXT: return native_max(d);
	case ATA_SEEK: return seek(d);
	default: return (d->command & 0xf0) == ATA_RECALIBRATE || ide_power_command(d);
	}
}

void ide_disk_command(struct ide_drive *d)
{
	for (unsigned i = 0; i < ARRAY_SIZE(transfers); i++)
		if (transfers[i].command == d->command) {
			transfer(d, transfers[i].how);
			return;
		}
	if (d->command == ATA_FLUSH || d->command == ATA_FLUSH_EXT)
		ide_ask(d, BLOCK_FLUSH, 0, ide_done);
	else if (d->command == ATA_IDENTIFY)
		ide_identify(d);
	else if (simple(d))
		ide_done(d);
	else
		ide_failed(d, ATA_ABRT);
}
