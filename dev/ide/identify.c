/* dev/ide/identify.c - what a guest's drives say of themselves (ATA/ATAPI-6, "IDENTIFY DEVICE", "IDENTIFY PACKET
 * DEVICE"). */
#include "dev/ide/channel.h"

#define GENERAL_DISK 0x0040u   /* not removable */
#define GENERAL_CD 0x85c0u     /* a packet device, of type 5, removable; packets of 12 bytes, asked for in 50 us */
#define MULTIPLE_FIXED 0x8000u
#define MULTIPLE_SET 0x0100u
#define CAPABILITY_IORDY 0x0800u
#define WORD_IS_VALID 0x4000u
#define VALID_CHS 0x0001u
#define VALID_CYCLES 0x0002u
#define MWDMA_MODES 0x0007u
#define PIO_MODES 0x0003u      /* 3 and 4 */
#define CYCLE_NS 120
#define VERSIONS 0x0070u       /* ATA/ATAPI-4 to -6 */
#define SETS_1_CACHE 0x0020u
#define SETS_1_PACKET 0x0010u
#define SETS_1_RESET 0x0200u
#define RESET_PASSED 0x0001u
#define CYLINDERS_MOST 16383
#define HEADS 16
#define TRACK 63

/* Two characters a word, the first in the upper byte; blanks behind. */
static void put_text(uint16_t *to, unsigned words, const char *s)
{
	size_t n = strlen(s);

	for (unsigned i = 0; i < words; i++) {
		unsigned first = 2 * i < n ? (uint8_t)s[2 * i] : ' ';
		unsigned second = 2 * i + 1 < n ? (uint8_t)s[2 * i + 1] : ' ';

		to[i] = (uint16_t)(first << 8 | second);
	}
}

static void put_sectors(uint16_t *to, unsigned words, uint64_t sectors)
{
	for (unsigned i = 0; i < words; i++)
		to[i] = (uint16_t)(sectors >> 16 * i);
}

static void common(const struct ide_drive *d, uint16_t *id)
{
	put_text(id + ATA_ID_SERIAL, 10, d->serial);
	put_text(id + ATA_ID_FIRMWARE, 4, "1");
	put_text(id + ATA_ID_MODEL, 20, d->cd ? "VELLUM CD-ROM" : "VELLUM DISK");
	id[ATA_ID_CAPABILITIES] = ATA_ID_LBA | ATA_ID_DMA | CAPABILITY_IORDY;
	id[ATA_ID_VALID] = VALID_CYCLES;
	id[ATA_ID_MWDMA] = (uint16_t)(MWDMA_MODES | 0x100u << d->transfer_mode);
	id[ATA_ID_PIO] = PIO_MODES;
	for (unsigned i = 0; i < 4; i++)
		id[ATA_ID_CYCLES + i] = CYCLE_NS;
	id[ATA_ID_VERSION] = VERSIONS;
	id[ATA_ID_RESET] = WORD_IS_VALID | RESET_PASSED;
}

static void geometry(const struct ide_drive *d, uint16_t *id)
{
	uint64_t sectors = d->disk->sectors, now;

	id[ATA_ID_CYLINDERS] = (uint16_t)min_u64(sectors / (HEADS * TRACK), CYLINDERS_MOST);
	id[ATA_ID_HEADS] = HEADS;
	id[ATA_ID_TRACK] = TRACK;
	now = min_u64(sectors / ((unsigned)d->heads * d->track), 0xffff);
	id[ATA_ID_CHS] = (uint16_t)now;
	id[ATA_ID_CHS + 1] = d->heads;
	id[ATA_ID_CHS + 2] = d->track;
	put_sectors(id + ATA_ID_CHS + 3, 2, now * d->heads * d->track);
	put_sectors(id + ATA_ID_SECTORS, 2, min_u64(sectors, ATA_LBA28_SECTORS));
	put_sectors(id + ATA_ID_SECTORS_EXT, 4, sectors);
}

static void disk(const struct ide_drive *d, uint16_t *id)
{
	id[ATA_ID_GENERAL] = GENERAL_DISK;
	geometry(d, id);
	id[ATA_ID_MULTIPLE_MOST] = MULTIPLE_FIXED | IDE_MULTIPLE;
	id[ATA_ID_MULTIPLE] = d->multiple ? MULTIPLE_SET | d->multiple : 0;
	id[ATA_ID_CAPABILITIES_2] = WORD_IS_VALID;
	id[ATA_ID_VALID] |= VALID_CHS;
	id[ATA_ID_SETS_1] = SETS_1_CACHE;
	id[ATA_ID_SETS] = WORD_IS_VALID | ATA_SET_LBA48 | ATA_SET_FLUSH | ATA_SET_FLUSH_EXT;
	id[ATA_ID_SETS_3] = WORD_IS_VALID;
	id[ATA_ID_ENABLED] = d->write_through ? 0 : SETS_1_CACHE;
	id[ATA_ID_ENABLED + 1] = ATA_SET_LBA48 | ATA_SET_FLUSH | ATA_SET_FLUSH_EXT;
	id[ATA_ID_ENABLED + 2] = WORD_IS_VALID;
}

static void cd(uint16_t *id)
{
	id[ATA_ID_GENERAL] = GENERAL_CD;
	id[ATA_ID_SETS_1] = SETS_1_PACKET | SETS_1_RESET;
	id[ATA_ID_SETS] = WORD_IS_VALID;
	id[ATA_ID_SETS_3] = WORD_IS_VALID;
	id[ATA_ID_ENABLED] = SETS_1_PACKET | SETS_1_RESET;
	id[ATA_ID_ENABLED + 2] = WORD_IS_VALID;
}

void ide_identify(struct ide_drive *d)
{
	uint16_t id[SECTOR_SIZE / 2] = { 0 };

	common(d, id);
	if (d->cd)
		cd(id);
	else
		disk(d, id);
	memcpy(d->buffer, id, sizeof(id));
	d->block = sizeof(id);
	d->left = 0;
	ide_offer(d, sizeof(id));
}
