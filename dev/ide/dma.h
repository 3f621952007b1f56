/* dev/ide/dma.h - the bus master of an IDE channel: its registers, and how it goes through the table that the guest has
 * made for it (Programming Interface for Bus Master IDE Controller, "Physical Region Descriptor", "Status register").
 *
 * ID1  Each entry of the table is read once, when the transfer has come to it, and nothing is done that it does not
 *      say. A region or a table that crosses 64 KiB, an address that is no memory, and ROM to be read into end the
 *      transfer with the error bit. A table that tells of less than the drive transfers ends it without.
 * ID2  While a transfer is under way only it changes what stands behind the registers here. A guest that writes them
 *      stops it first, or is not heard. */
#ifndef VELLUM_DEV_IDE_DMA_H
#define VELLUM_DEV_IDE_DMA_H

#include "dev/memory.h"
#include "lib/ata.h"

enum ide_dma_end { IDE_DMA_GOOD, IDE_DMA_SHORT, IDE_DMA_BAD };

struct ide_dma {
	uint8_t command, status;
	uint32_t table;
	/* Of the transfer under way. */
	uint32_t first, entry; /* of the table: gpa, and of what is next */
	uint32_t gpa, left;    /* of the region */
	bool last;             /* it is the table's last */
	enum ide_dma_end end;  /* why it came to an end too early */
	struct guest_memory memory;
};

void ide_dma_reset(struct ide_dma *d);
/* Has the guest started it, in this direction? */
bool ide_dma_started(const struct ide_dma *d);
/* A transfer begins. */
void ide_dma_begin(struct ide_dma *d);
/* The next n bytes of it, to guest memory or from there. false: .end says why. */
bool ide_dma_move(struct ide_dma *d, void *p, size_t n, bool to_memory);
/* The drive has ended it, or it has come to an end too early. */
void ide_dma_ended(struct ide_dma *d);

#endif
