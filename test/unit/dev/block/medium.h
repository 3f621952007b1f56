/* A medium in the test's memory, of two units, and a guest with memory and a disk. Transfers end when the test says
 * so. */
#ifndef VELLUM_TEST_MEDIUM_H
#define VELLUM_TEST_MEDIUM_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "dev/block/block.h"

#define MEDIUM_SECTORS 2048
#define MEDIUM_BUFFER 64 /* sectors */
#define GUEST_RAM 0x100000u
#define GUEST_ROM 0x80000u /* to the end of RAM: can be read */

/* NULL: there is nobody to wait for. Else called where a CPU would wait for another, with no lock held; it does not
 * return. */
extern void (*medium_waits)(void);

struct medium {
	uint8_t data[2][MEDIUM_SECTORS][SECTOR_SIZE];
	uint8_t buffer[MEDIUM_BUFFER * SECTOR_SIZE];
	struct block_queue queue;
	unsigned locked, started, flushed, written, laters;
	/* under way */
	bool busy;
	unsigned unit, sectors;
	enum block_op op;
	uint64_t sector;
	bool refuse; /* start() begins nothing */
	bool fail;   /* what ends, ends badly */
};

struct guest {
	uint8_t ram[GUEST_RAM];
	struct block_disk disk;
	unsigned entered, left, failed;
	bool inside;
	/* How often the byte at `watched` was read; and what is called, once, at the next read of any. */
	uint64_t watched;
	unsigned watched_reads;
	void (*at_read)(struct guest *g);
	void (*at_enter)(struct guest *g); /* as soon as it is about to be entered, once */
};

void medium_make(struct medium *m);
void guest_make(struct guest *g, struct medium *m, unsigned unit);
/* What is under way ends, and what follows from it. false: nothing was. */
bool medium_end(struct medium *m);
/* Until nothing is left to do. */
void medium_finish(struct medium *m);

#endif
