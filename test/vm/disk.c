#include "test/vm/disk.h"

#include <string.h>

struct bench_disk bench_disk;
void (*disk_event)(unsigned channel, bool good), (*disk_later)(unsigned channel);

static uint8_t buffer[DISK_CHANNELS][ATA_BUFFER];
static struct ata_disk only = { .present = true, .dma = true, .lba48 = true, .sectors = BENCH_DISK_SECTORS };

const char *disk_host_init(uint64_t tsc_hz)
{
	(void)tsc_hz;
	return NULL;
}

const struct ata_disk *disk_host(unsigned channel, unsigned n)
{
	only.sectors = BENCH_DISK_SECTORS - bench_disk.small;
	return bench_disk.there && channel < DISK_CHANNELS && n == 0 ? &only : NULL;
}

uint8_t *disk_host_buffer(unsigned channel) { return buffer[channel]; }
unsigned ata_most(const struct ata_disk *d) { return d ? ATA_BUFFER / SECTOR_SIZE : 0; }

bool disk_host_start(unsigned channel, unsigned n, enum ata_op op, uint64_t sector, unsigned sectors)
{
	BUG_ON(channel != 1 || n != 0 || bench_disk.busy || sector + sectors > BENCH_DISK_SECTORS);
	bench_disk.busy = true;
	bench_disk.op = op;
	bench_disk.sector = sector;
	bench_disk.sectors = sectors;
	return true;
}

bool disk_host_begin(unsigned channel, unsigned n, enum ata_op op, uint64_t sector, unsigned sectors)
{
	bench_disk.swapping = true;
	bench_disk.commands++;
	return disk_host_start(channel, n, op, sector, sectors);
}

void disk_host_later(unsigned channel)
{
	BUG_ON(channel != 1);
	bench_disk.later = true;
}

static void transfer(void)
{
	size_t bytes = (size_t)bench_disk.sectors * SECTOR_SIZE;

	bench_disk.busy = bench_disk.swapping = false;
	if (bench_disk.op == ATA_OP_FLUSH)
		bench_disk.flushed++;
	else if (bench_disk.op == ATA_OP_READ && !bench_disk.fail)
		memcpy(buffer[1], bench_disk.data[bench_disk.sector], bytes);
	else if (!bench_disk.fail)
		memcpy(bench_disk.data[bench_disk.sector], buffer[1], bytes);
}

static void work(void)
{
	transfer();
	disk_event(1, !bench_disk.fail);
}

enum ata_result disk_host_poll(unsigned channel)
{
	BUG_ON(channel != 1);
	if (!bench_disk.busy)
		return ATA_BUSY;
	transfer();
	return bench_disk.fail ? ATA_FAILED : ATA_DONE;
}

bool bench_disk_interrupt(void)
{
	bool due = bench_disk.busy && bench_disk.swapping && !bench_disk.slow;

	if (due)
		work();
	return due;
}

void bench_disk_finish(void)
{
	while (bench_disk.busy || bench_disk.later) {
		if (bench_disk.busy) {
			work();
		} else {
			bench_disk.later = false;
			disk_later(1);
		}
	}
}

uint64_t disk_host_due(void) { return UINT64_MAX; }

void disk_host_look(void)
{
	if (bench_disk.looks)
		bench_disk_finish();
}
