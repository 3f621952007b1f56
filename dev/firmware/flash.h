/* dev/firmware/flash.h - NOR flash with Intel's command set, of one chip with a bus of 8 bits, as a firmware keeps its
 * variables in. Common Flash Interface (JESD68.01); Intel 28F320J3 data sheet, "Command Definitions", "Device
 * Operations"; QEMU, hw/block/pflash_cfi01.c, for what firmwares know it by.
 *
 * FL1  While the array can be read, reads are plain memory's, which the guest may have mapped; in every other mode,
 *      each one comes here.
 * FL2  Programming only takes bits away, and erasing sets all of one block; nothing else changes the array, and
 *      nothing where the chip is write-protected. What has changed is told at once. */
#ifndef VELLUM_DEV_FLASH_H
#define VELLUM_DEV_FLASH_H

#include "dev/dev.h"

#define FLASH_BLOCK 4096u  /* bytes that are erased together */
#define FLASH_BUFFER 32u   /* bytes that one command programs */

enum flash_mode {
	FLASH_ARRAY,      /* reads give what is stored */
	FLASH_STATUS,
	FLASH_ID,
	FLASH_QUERY,
	FLASH_PROGRAM,    /* the next write is a byte to store; reads give the status; in all that follow */
	FLASH_ERASE,      /* the next write confirms */
	FLASH_COUNT,      /* the next write says how many bytes come, less one */
	FLASH_FILL,       /* they come */
	FLASH_CONFIRM,    /* the next write confirms */
	FLASH_LOCK,       /* the next write says what of a block's lock, of which there is none */
	FLASH_MODES,
};

struct flash {
	uint8_t *array;
	uint32_t bytes; /* of it: whole blocks, at most 8 MBytes */
	bool read_only; /* write-protected */
	/* Its reads become plain, or stop being so (FL1); bytes of the array have changed (FL2). */
	void (*mode_changed)(void *ctx);
	void (*changed)(void *ctx, uint32_t offset, uint32_t n);
	void *ctx;

	uint8_t mode, status;  /* enum flash_mode */
	uint8_t left, filled;  /* of a buffer: bytes to come, and there */
	uint32_t at;           /* where the buffer, or the block to erase, begins */
	uint8_t buffer[FLASH_BUFFER];
};

void flash_reset(struct flash *f);
/* Are its reads those of plain memory? */
static inline bool flash_is_plain(const struct flash *f) { return f->mode == FLASH_ARRAY; }
uint64_t flash_read(void *flash, uint64_t offset, unsigned size);
void flash_write(void *flash, uint64_t offset, unsigned size, uint64_t value);

struct fields;
/* What it is doing (dev/state.h); the array is not part of it. */
void flash_state(struct fields *s, struct flash *f);

#endif
