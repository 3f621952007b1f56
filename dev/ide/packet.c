/* dev/ide/packet.c - how a CD drive takes packets and answers them (ATA/ATAPI-6, "PACKET command protocol"). */
#include "dev/ide/channel.h"
#include "lib/mutants/mutate.h"

#define PACKET_BYTES 12u
#define BY_DMA 0x01u  /* of the features register */
#define OVERLAP 0x02u
/* The interrupt reason register, which is the count's. */
#define REASON_COMMAND 0x01u
#define REASON_TO_HOST 0x02u
#define LIMIT_MOST 0xfffeu
#define BUFFER_SECTORS (IDE_BUFFER / SECTOR_SIZE)

/* ---- how a packet ends ---- */

void ide_packet_good(struct ide_drive *d)
{
	d->sense = SENSE_NONE;
	d->now.count = REASON_COMMAND | REASON_TO_HOST;
	ide_done(d);
}

void ide_packet_bad(struct ide_drive *d, struct ide_sense sense)
{
	d->sense = sense;
	d->now.count = REASON_COMMAND | REASON_TO_HOST;
	ide_failed(d, (uint8_t)(sense.key << 4 | ATA_ABRT));
}

void ide_packet_io_failed(struct ide_drive *d) { ide_packet_bad(d, SENSE_UNREADABLE); }

/* ---- its data ---- */

void ide_packet_offered(struct ide_drive *d)
{
	uint32_t n = d->end - d->at;

	if (d->command != ATA_PACKET) /* who it is */
		return;
	d->now.count = d->phase == IDE_PACKET ? REASON_COMMAND : REASON_TO_HOST;
	if (d->phase == IDE_PACKET)
		return;
	d->now.mid = (uint8_t)n;
	d->now.high = (uint8_t)(n >> 8);
}

/* "Byte Count register": an odd limit means the even one below, if there is more than it allows. false: there is
 * none. */
static bool set_block(struct ide_drive *d, uint64_t n)
{
	uint32_t limit = d->limit == 0xffff ? LIMIT_MOST : d->limit;

	if (n > limit)
		limit &= ~1u;
	d->block = limit;
	return VM_LEFT_OUT_OR(IDE_CD_LIMIT, limit);
}

void ide_packet_answer(struct ide_drive *d, uint32_t n, uint32_t most)
{
	n = (uint32_t)min_u64(n, most);
	d->answer = n;
	d->left = 0;
	if (!n)
		ide_packet_good(d);
	else if (d->dma)
		ide_wait_for_dma(d);
	else if (set_block(d, n))
		ide_offer(d, n);
	else
		ide_failed(d, ATA_ABRT);
}

static uint32_t next_piece(const struct ide_drive *d) { return (uint32_t)min_u64(d->left, BUFFER_SECTORS); }

static void fetched(struct ide_drive *d) { ide_offer(d, next_piece(d) * SECTOR_SIZE); }

void ide_packet_read(struct ide_drive *d, uint64_t sector, uint32_t sectors)
{
	d->answer = 0;
	d->sector = sector;
	d->left = sectors;
	if (!sectors)
		ide_packet_good(d);
	else if (d->dma)
		ide_wait_for_dma(d);
	else if (set_block(d, (uint64_t)sectors * SECTOR_SIZE))
		ide_ask(d, BLOCK_READ, next_piece(d), fetched);
	else
		ide_failed(d, ATA_ABRT);
}

void ide_packet_moved(struct ide_drive *d)
{
	uint32_t n = next_piece(d);

	if (d->phase == IDE_PACKET) {
		ide_cd_packet(d);
		return;
	}
	if (d->command != ATA_PACKET) { /* who it is */
		d->phase = IDE_READY;
		d->status = ATA_DRDY;
		return;
	}
	d->sector += n;
	d->left -= n;
	if (d->left)
		ide_ask(d, BLOCK_READ, next_piece(d), fetched);
	else
		ide_packet_good(d);
}

void ide_packet_dma(struct ide_drive *d)
{
	if (!d->answer)
		ide_ask(d, BLOCK_READ, d->left, ide_packet_good);
	else if (ide_buffer_by_dma(d, d->answer))
		ide_packet_good(d);
}

/* ---- commands ---- */

/* ATA/ATAPI-6, PACKET: aborted where it asks for an overlap that IDENTIFY PACKET DEVICE does not offer. */
static void packet(struct ide_drive *d)
{
	if (d->now.features & OVERLAP) {
		ide_failed(d, ATA_ABRT);
		return;
	}
	d->dma = d->now.features & BY_DMA;
	d->limit = (uint32_t)(d->now.mid | d->now.high << 8);
	d->block = PACKET_BYTES;
	ide_want(d, PACKET_BYTES, false);
}

/* Those for disks leave the signature, by which a driver sees what the drive is ("IDENTIFY DEVICE", error outputs). */
static void not_a_disk(struct ide_drive *d)
{
	if (d->command == ATA_IDENTIFY || d->command == ATA_READ) {
		d->now = (struct ide_registers){ .count = 1, .low = 1, .mid = ATA_SIGNATURE_PACKET_MID,
						 .high = ATA_SIGNATURE_PACKET_HIGH };
		d->channel->device &= (uint8_t)~ATA_DEVICE_LOW;
	}
	ide_failed(d, ATA_ABRT);
}

void ide_packet_command(struct ide_drive *d)
{
	if (d->command == ATA_DEVICE_RESET)
		ide_drive_reset(d, false);
	else if (d->command == ATA_PACKET)
		packet(d);
	else if (d->command == ATA_IDENTIFY_PACKET)
		ide_identify(d);
	else if (d->command == ATA_SET_FEATURES ? ide_set_features(d) : ide_power_command(d))
		ide_done(d);
	else
		not_a_disk(d);
}
