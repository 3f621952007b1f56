/* dev/ide/drive.c - what disks and CD drives have in common: the ways of data, and how commands end. */
#include "dev/ide/channel.h"
#include "lib/mutants/mutate.h"

#define READY (ATA_DRDY | ATA_DSC)

/* ---- how a command ends ---- */

static void rest(struct ide_drive *d, uint8_t status)
{
	d->phase = IDE_READY;
	d->status = status;
}

static uint8_t ready(const struct ide_drive *d) { return d->cd ? ATA_DRDY : READY; }

void ide_interrupt(struct ide_drive *d)
{
	d->interrupt = true;
	ide_channel_lines(d->channel);
}

void ide_done(struct ide_drive *d)
{
	rest(d, ready(d));
	ide_interrupt(d);
}

void ide_failed(struct ide_drive *d, uint8_t error)
{
	d->error = error;
	rest(d, ready(d) | ATA_ERR);
	ide_interrupt(d);
}

/* ---- the medium ---- */

/* What the queue copies from and to: the buffer, or guest memory as the bus master's table has it. Called without the
 * device lock; the drive is busy meanwhile (ID3). */
static bool io_read(void *ctx, uint64_t at, void *to, size_t n)
{
	struct ide_drive *d = ctx;

	if (d->dma)
		return ide_dma_move(&d->channel->dma, to, n, false);
	memcpy(to, d->buffer + at, n);
	return true;
}

static bool io_write(void *ctx, uint64_t at, const void *from, size_t n)
{
	struct ide_drive *d = ctx;

	if (d->dma)
		return ide_dma_move(&d->channel->dma, (void *)from, n, true);
	memcpy(d->buffer + at, from, n);
	return true;
}

/* The bus master has come to an end too early: the drive has data yet, and nobody who takes them. */
static void stuck(struct ide_drive *d)
{
	d->phase = IDE_STUCK;
	d->status = ready(d) | ATA_DRQ;
}

static void io_done(struct block_request *r, enum block_result result)
{
	struct ide_drive *d = container_of(r, struct ide_drive, io);

	if (d->dma)
		ide_dma_ended(&d->channel->dma);
	if (result == BLOCK_BAD_MEMORY)
		stuck(d);
	else if (result == BLOCK_OK)
		d->then(d);
	else if (d->cd)
		ide_packet_io_failed(d);
	else
		ide_disk_io_failed(d);
}

void ide_ask(struct ide_drive *d, enum block_op op, uint32_t sectors, void (*then)(struct ide_drive *d))
{
	ASSERT(block_in_range(d->disk, sectors ? d->sector : 0, sectors)); /* ID5 */
	if (d->dma)
		ide_dma_begin(&d->channel->dma);
	d->phase = IDE_MEDIUM;
	d->status = ATA_BSY;
	d->then = then;
	d->segment = (struct guest_segment){ 0, sectors * SECTOR_SIZE };
	d->io.op = op;
	d->io.through = VM_KEPT(IDE_THROUGH, op == BLOCK_WRITE && d->write_through);
	d->io.sector = d->sector;
	d->io.count = sectors;
	d->io.segment = &d->segment;
	d->io.segments = 1;
	d->io.done = io_done;
	block_submit(d->disk, &d->io);
}

/* What the medium has. */
static void cancel_io(struct ide_drive *d)
{
	if (d->phase == IDE_MEDIUM)
		VM_MUTANT(IDE_STOP, block_cancel(d->disk, true));
	d->phase = IDE_READY;
}

/* ---- the data port ---- */

static void next_block(struct ide_drive *d, enum ide_phase phase, bool told)
{
	d->end = (uint32_t)min_u64((uint64_t)d->at + d->block, d->filled);
	d->phase = phase;
	d->status = ready(d) | ATA_DRQ;
	if (d->cd)
		ide_packet_offered(d);
	if (told)
		ide_interrupt(d);
}

void ide_offer(struct ide_drive *d, uint32_t n)
{
	d->at = 0;
	d->filled = n;
	next_block(d, IDE_IN, true);
}

void ide_want(struct ide_drive *d, uint32_t n, bool told)
{
	d->at = 0;
	d->filled = n;
	next_block(d, d->command == ATA_PACKET ? IDE_PACKET : IDE_OUT, told);
}

static void moved(struct ide_drive *d, uint32_t n)
{
	d->at += n;
	if (d->at < d->end)
		return;
	if (d->at < d->filled)
		next_block(d, d->phase, true);
	else if (d->cd)
		ide_packet_moved(d);
	else
		ide_disk_moved(d);
}

uint32_t ide_drive_in(struct ide_drive *d, void *to, uint32_t n)
{
	uint32_t part = (uint32_t)min_u64(n, (VM_LEFT_OUT_OR(IDE_BLOCK_END, false) ? d->filled : d->end) - d->at);

	if (VM_KEPT(IDE_PHASE_IN, d->phase != IDE_IN)) /* ID4 */
		return 0;
	memcpy(to, d->buffer + d->at, part);
	if (part)
		moved(d, part);
	return part;
}

uint32_t ide_drive_out(struct ide_drive *d, const void *from, uint32_t n)
{
	uint32_t part = (uint32_t)min_u64(n, d->end - d->at);

	if (VM_KEPT(IDE_PHASE_OUT, d->phase != IDE_OUT && d->phase != IDE_PACKET)) /* ID4 */
		return 0;
	memcpy(d->buffer + d->at, from, part);
	if (part)
		moved(d, part);
	return part;
}

/* ---- DMA ---- */

bool ide_buffer_by_dma(struct ide_drive *d, uint32_t n)
{
	struct ide_dma *dma = &d->channel->dma;
	bool good;

	ide_dma_begin(dma);
	good = ide_dma_move(dma, d->buffer, n, true);
	ide_dma_ended(dma);
	if (!good)
		stuck(d);
	return good;
}

/* The bus master is one for both drives: while the other transfers, this one waits. */
static bool taken(const struct ide_drive *d)
{
	const struct ide_drive *other = &d->channel->drive[1 - d->number];

	return VM_KEPT(IDE_DMA_TAKEN, other->phase == IDE_MEDIUM && other->dma);
}

/* A transfer in the other direction than the command's is none that the bus master can make. */
void ide_drive_dma(struct ide_drive *d)
{
	struct ide_dma *dma = &d->channel->dma;

	if (d->phase != IDE_DMA || !ide_dma_started(dma) || taken(d))
		return;
	if (VM_KEPT(IDE_DMA_MASTER, !ide_channel_may_dma(d->channel)) ||
	    VM_KEPT(IDE_DMA_DIRECTION, !(dma->command & BM_TO_MEMORY) != d->write)) {
		dma->end = IDE_DMA_BAD;
		ide_dma_ended(dma);
		stuck(d);
	} else if (d->cd) {
		ide_packet_dma(d);
	} else {
		ide_disk_dma(d);
	}
}

void ide_wait_for_dma(struct ide_drive *d)
{
	d->phase = IDE_DMA;
	d->status = ready(d) | ATA_DRQ;
	ide_drive_dma(d);
}

void ide_drive_dma_stop(struct ide_drive *d)
{
	if (d->phase != IDE_MEDIUM || !d->dma)
		return;
	VM_MUTANT(IDE_DMA_STOP, cancel_io(d));
	stuck(d);
}

/* ---- commands, and resets ---- */

void ide_drive_command(struct ide_drive *d, uint8_t command)
{
	bool reset = d->cd && command == ATA_DEVICE_RESET;

	/* ID3. */
	if (VM_KEPT(IDE_RESETTING, d->phase == IDE_RESET) || VM_KEPT(IDE_BUSY, d->phase == IDE_MEDIUM && !reset))
		return;
	cancel_io(d);
	d->interrupt = false;
	ide_channel_lines(d->channel);
	d->command = command;
	d->error = 0;
	d->write = d->dma = d->ext = false;
	d->left = 0;
	if (d->cd)
		ide_packet_command(d);
	else
		ide_disk_command(d);
}

static void power_on(struct ide_drive *d)
{
	d->multiple = 0;
	d->heads = 16;
	d->track = 63;
	d->write_through = false;
	d->transfer_mode = 2;
	d->sense = SENSE_NONE;
	d->attention = d->cd;
	d->open = d->locked = false;
	d->event = 0;
}

void ide_drive_hold(struct ide_drive *d)
{
	cancel_io(d);
	d->phase = IDE_RESET;
	d->status = ATA_BSY;
	d->interrupt = false;
}

/* "Signature and persistence". */
void ide_drive_reset(struct ide_drive *d, bool power)
{
	if (!d->disk)
		return;
	cancel_io(d);
	if (power)
		power_on(d);
	d->now = d->before = (struct ide_registers){ .count = 1, .low = 1 };
	if (d->cd) {
		d->now.mid = ATA_SIGNATURE_PACKET_MID;
		d->now.high = ATA_SIGNATURE_PACKET_HIGH;
	}
	d->error = ATA_DIAGNOSTIC_PASSED;
	d->interrupt = false;
	d->at = d->end = d->filled = 0;
	d->write = d->dma = d->ext = false;
	rest(d, d->cd ? 0 : READY);
}

void ide_drive_init(struct ide_drive *d, struct block_disk *disk, bool cd, const char *serial)
{
	d->disk = disk;
	d->cd = cd;
	d->serial = serial;
	disk->memory = (struct guest_memory){ io_read, io_write, d };
	ide_drive_reset(d, true);
}
