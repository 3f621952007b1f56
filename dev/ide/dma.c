#include "dev/ide/dma.h"
#include "lib/mutants/mutate.h"

#define ENTRY_BYTES 8u
#define COUNT_MASK 0xfffeu /* of an entry's second word; 0 is 64 KiB */

void ide_dma_reset(struct ide_dma *d)
{
	struct guest_memory memory = d->memory;

	*d = (struct ide_dma){ .memory = memory };
}

bool ide_dma_started(const struct ide_dma *d) { return d->command & BM_START; }

void ide_dma_begin(struct ide_dma *d)
{
	d->entry = d->table;
	VM_MUTANT(IDE_DMA_FIRST, d->first = d->table);
	d->left = 0;
	d->last = false;
	d->end = IDE_DMA_GOOD;
}

static bool ends(struct ide_dma *d, enum ide_dma_end how)
{
	d->end = how;
	return false;
}

/* ID1. */
static bool next_region(struct ide_dma *d)
{
	uint32_t e[2];

	if (VM_KEPT(IDE_DMA_LAST, d->last))
		return ends(d, IDE_DMA_SHORT);
	if (VM_KEPT(IDE_DMA_TABLE, d->entry / BM_PIECE != d->first / BM_PIECE) ||
	    !guest_memory_read(&d->memory, d->entry, e, sizeof(e)))
		return ends(d, IDE_DMA_BAD);
	d->entry += ENTRY_BYTES;
	d->gpa = e[0] & ~1u;
	d->left = e[1] & COUNT_MASK ? e[1] & COUNT_MASK : BM_PIECE;
	d->last = e[1] & BM_TABLE_END;
	return VM_LEFT_OUT_OR(IDE_DMA_CROSSING, d->gpa % BM_PIECE + d->left <= BM_PIECE) || ends(d, IDE_DMA_BAD);
}

bool ide_dma_move(struct ide_dma *d, void *p, size_t n, bool to_memory)
{
	uint8_t *at = p;

	while (n) {
		size_t part;

		if (!d->left && !next_region(d))
			return false;
		part = min_u64(n, d->left);
		if (VM_KEPT(IDE_DMA_MEMORY, !(to_memory ? guest_memory_write(&d->memory, d->gpa, at, part)
							: guest_memory_read(&d->memory, d->gpa, at, part))))
			return ends(d, IDE_DMA_BAD);
		at += part;
		n -= part;
		d->gpa += (uint32_t)part;
		d->left -= (uint32_t)part;
	}
	return true;
}

/* "Status register": active and no interrupt, and so on. A table that tells of more leaves it active. */
void ide_dma_ended(struct ide_dma *d)
{
	if (d->end == IDE_DMA_BAD)
		d->status |= BM_FAILED;
	if (d->end != IDE_DMA_GOOD || (d->last && !d->left))
		d->status &= (uint8_t)~BM_ACTIVE;
}
