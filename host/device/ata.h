/* host/device/ata.h - disks at one channel of an ATA controller: commands by DMA, or word by word where there is none.
 *
 * Nothing here waits for a disk: a command is begun by ata_start(), and ata_advance() goes on with it when an interrupt
 * has come, or when it was due. The machine's ports are reached through a table of functions, so that a test can play
 * the controller (test/unit/host/device/controller.c). ATA/ATAPI-6; Programming Interface for Bus Master IDE
 * Controller.
 *
 * AT1  A channel has one command at a time, for one of its two disks.
 * AT2  Each register is looked at a bounded number of times in a call. A command that does not end in the
 *      channel's `patience` is given up, with a reset of the channel; a channel that does not come back from one in as
 *      long is given up for good.
 * AT3  Memory that a disk reads or writes is the channel's own buffer, always. */
#ifndef VELLUM_HOST_ATA_H
#define VELLUM_HOST_ATA_H

#include "lib/ata.h"
#include "lib/base.h"

#define ATA_BUFFER (4 * BM_PIECE) /* bytes that a command transfers at most */

struct ata_ports {
	uint8_t (*in8)(uint16_t port);
	uint32_t (*in32)(uint16_t port);
	void (*out8)(uint16_t port, uint8_t value);
	void (*out32)(uint16_t port, uint32_t value);
	void (*in_words)(uint16_t port, void *to, unsigned words);
	void (*out_words)(uint16_t port, const void *from, unsigned words);
};

struct ata_disk {
	bool present;
	bool dma, lba48, flush, flush_ext;
	uint64_t sectors;
	char model[41], serial[21]; /* without blanks at the end */
};

enum ata_op { ATA_OP_READ, ATA_OP_WRITE, ATA_OP_FLUSH };

enum ata_result {
	ATA_BUSY, /* not yet */
	ATA_DONE,
	ATA_FAILED,
	ATA_GONE, /* the channel does not answer any more */
};

/* An entry of the table of what DMA transfers. */
struct ata_prd {
	uint32_t address; /* physical */
	uint32_t bytes;   /* 16 bits, 0 for 65536; bit 31: the last */
};

struct ata_channel {
	const struct ata_ports *ports;
	uint16_t command, control;
	uint16_t bus_master; /* its first register of this channel; 0: none */
	uint8_t *buffer;     /* ATA_BUFFER bytes, of which no piece of BM_PIECE crosses a multiple of that */
	uint32_t buffer_address;
	struct ata_prd *table; /* an entry for each such piece, within one piece */
	uint32_t table_address;
	uint64_t patience; /* ticks that a command has (AT2) */
	struct ata_disk disk[2];

	enum { ATA_IDLE, ATA_DMA, ATA_WORDS_IN, ATA_WORDS_OUT, ATA_NO_DATA, ATA_RESETTING, ATA_DEAD } state;
	uint64_t deadline; /* while there is a command, or a reset */
	unsigned at, left; /* of words: sectors done, and to do */
};

/* Finds the channel's disks; waits for those that are there, up to `patience` ticks of `now` each. Boot only. */
void ata_find(struct ata_channel *c, uint64_t (*now)(void));
/* What a disk is, by the 256 words of its answer to IDENTIFY DEVICE; bus_master: there is DMA for it. */
void ata_read_identity(struct ata_disk *d, const uint16_t *id, bool bus_master);
/* How many sectors a command may transfer: the buffer's, or fewer. */
unsigned ata_most(const struct ata_disk *d);
/* Begins a command for disk n, 0 or 1. What is written stands in the buffer, what is read will. false: the channel is
 * given up (ATA_GONE), or the disk does not take the command. */
bool ata_start(struct ata_channel *c, unsigned n, enum ata_op op, uint64_t sector, unsigned sectors, uint64_t now);
/* After an interrupt, or at .deadline. ATA_BUSY also while there is no command. */
enum ata_result ata_advance(struct ata_channel *c, uint64_t now);

#endif
