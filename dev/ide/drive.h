/* dev/ide/drive.h - a drive at a guest's IDE controller, an ATA disk or an ATAPI CD drive: its registers, and how its
 * commands go on (ATA/ATAPI-6, "Command protocol").
 *
 * Data go through a buffer of the drive's: what is read has been fetched ahead from the medium, what is written goes
 * there when the buffer is full or the command's data are complete. With DMA they go between the queue's buffer
 * (dev/block/block.h) and guest memory, without this one.
 *
 * ID3  A drive has at most one request at the medium. While it has, it is busy, and hears of resets only, which take
 *      the request back.
 * ID4  The data port moves within the buffer, from .at to .end: what goes beyond reads as all ones, and is ignored.
 * ID5  A command that moves data stays within the medium, and one that changes some is refused where the disk is
 *      read-only.
 * ID6  An error that the medium tells of says at which sector, to the piece that the request was cut into. */
#ifndef VELLUM_DEV_IDE_DRIVE_H
#define VELLUM_DEV_IDE_DRIVE_H

#include "dev/block/block.h"
#include "dev/ide/dma.h"
#include "dev/ide/sense.h"

#define IDE_BUFFER 0x10000u /* bytes */
#define IDE_MULTIPLE 16u    /* sectors that READ MULTIPLE has at once, at most */
#define IDE_CD_SECTOR 2048u

enum ide_phase {
	IDE_READY,
	IDE_MEDIUM, /* BSY: the medium is asked */
	IDE_IN,     /* DRQ: the host reads */
	IDE_OUT,    /* DRQ: the host writes */
	IDE_PACKET, /* DRQ: it writes a packet */
	IDE_DMA,    /* DRQ: the bus master has not been started */
	IDE_RESET,  /* BSY: as long as the host wants it */
	IDE_STUCK,  /* DRQ: it has come to an end too early; a reset, or the next command, ends this */
};

struct ide_registers {
	uint8_t features, count, low, mid, high;
};

struct ide_channel;

struct ide_drive {
	struct block_disk *disk; /* NULL: there is no drive */
	bool cd;
	const char *serial;
	struct ide_channel *channel;
	unsigned number;

	struct ide_registers now, before; /* what was written last, and the time before */
	uint8_t status, error;
	bool interrupt;                   /* asked for, and not noticed yet */
	enum ide_phase phase;

	/* The command's. */
	uint8_t command;
	bool write, dma, ext;
	uint64_t sector;              /* of 512 bytes: the next that is asked of the medium */
	uint32_t left;                /* and how many from there on */
	uint32_t at, end, filled;     /* of the buffer: moved, to the end of what is ready, and of what there is */
	uint32_t block;               /* bytes that are ready at once */
	struct block_request io;
	struct guest_segment segment;
	void (*then)(struct ide_drive *d); /* the medium has done it */

	/* What the host has set. */
	uint8_t multiple, heads, track; /* sectors; of the drive's own geometry, which it is told in */
	bool write_through;
	uint8_t transfer_mode;          /* of multiword DMA */

	/* Of a CD drive. */
	uint32_t limit;                 /* bytes that the host takes at once */
	uint32_t answer;                /* bytes of the buffer that wait for DMA; 0: they come from the medium */
	struct ide_sense sense;
	bool attention;                 /* what it has to say first: that it was reset */
	bool open, locked;
	uint8_t event;                  /* of the medium, not told yet */

	uint8_t buffer[IDE_BUFFER];
};

/* ---- dev/ide/drive.c ---- */
/* Which the disk is, beside what the owner has filled in; after block_disk_init(). */
void ide_drive_init(struct ide_drive *d, struct block_disk *disk, bool cd, const char *serial);
/* power: also what a reset by software leaves alone. */
void ide_drive_reset(struct ide_drive *d, bool power);
/* Begins the command that was written. */
void ide_drive_command(struct ide_drive *d, uint8_t command);
/* The data port: up to n bytes; returns how many there were. */
uint32_t ide_drive_in(struct ide_drive *d, void *to, uint32_t n);
uint32_t ide_drive_out(struct ide_drive *d, const void *from, uint32_t n);
/* The host resets it, until ide_drive_reset(). */
void ide_drive_hold(struct ide_drive *d);
/* The bus master was started, or stopped. */
void ide_drive_dma(struct ide_drive *d);
void ide_drive_dma_stop(struct ide_drive *d);

/* How a command goes on, for disk.c and packet.c. */
void ide_interrupt(struct ide_drive *d);
void ide_done(struct ide_drive *d);
void ide_failed(struct ide_drive *d, uint8_t error);
/* Asks the medium for so many bytes of the buffer, or of the DMA; sectors 0: for a flush. */
void ide_ask(struct ide_drive *d, enum block_op op, uint32_t sectors, void (*then)(struct ide_drive *d));
/* The host may read n bytes of the buffer, with an interrupt for each d->block of them; or write them, told: with one
 * for the first, too. */
void ide_offer(struct ide_drive *d, uint32_t n);
void ide_want(struct ide_drive *d, uint32_t n, bool told);
/* The command transfers by DMA, as soon as the bus master is started. */
void ide_wait_for_dma(struct ide_drive *d);
/* Bytes of the buffer that go by DMA at once. */
bool ide_buffer_by_dma(struct ide_drive *d, uint32_t n);

/* ---- dev/ide/disk.c: commands of disks; identify.c: who they are ---- */
void ide_disk_command(struct ide_drive *d);
/* The host has moved all of the buffer. */
void ide_disk_moved(struct ide_drive *d);
void ide_disk_dma(struct ide_drive *d);
/* The request has failed. */
void ide_disk_io_failed(struct ide_drive *d);
void ide_identify(struct ide_drive *d);
/* What CD drives do as well; false: it cannot be done. */
bool ide_set_features(struct ide_drive *d);
bool ide_power_command(struct ide_drive *d);

/* ---- dev/ide/packet.c: those of CD drives ---- */
void ide_packet_command(struct ide_drive *d);
void ide_packet_moved(struct ide_drive *d);
void ide_packet_dma(struct ide_drive *d);
void ide_packet_io_failed(struct ide_drive *d);
/* How many bytes are ready at once, and what the registers say of it. */
void ide_packet_offered(struct ide_drive *d);

/* ---- dev/ide/cd.c: what a packet asks for (MMC-5) ---- */
void ide_cd_packet(struct ide_drive *d);

/* ---- for cd.c, in packet.c ---- */
/* Ends the packet, well or with a sense key; or answers n bytes of the buffer, up to `most`; or reads from the medium
 * (sectors of 512 bytes). */
void ide_packet_good(struct ide_drive *d);
void ide_packet_bad(struct ide_drive *d, struct ide_sense sense);
void ide_packet_answer(struct ide_drive *d, uint32_t n, uint32_t most);
void ide_packet_read(struct ide_drive *d, uint64_t sector, uint32_t sectors);

#endif
