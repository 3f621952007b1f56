/* dev/firmware/fw_cfg.h - the firmware configuration device (ports 0x510, 0x511; with memory to transfer to, 0x514 to
 * 0x51b, too): items by number, and files, which are items with names. QEMU, "QEMU Firmware Configuration (fw_cfg)
 * Device".
 *
 *   FW1  A transfer does at most FW_CFG_PIECE bytes at a time, the next piece some microseconds of the guest's clock
 *        later: no guest's length keeps a lock. Another selection, or another transfer, ends it with the error bit.
 *   FW2  What cannot be transferred (a descriptor's address where no RAM is, or that wraps; writes to items) ends it
 *        with the error bit. */
#ifndef VELLUM_DEV_FW_CFG_H
#define VELLUM_DEV_FW_CFG_H

#include "dev/dev.h"
#include "dev/memory.h"
#include "lib/ports.h"

#define FW_CFG_SIGNATURE 0x00u
#define FW_CFG_ID 0x01u
#define FW_CFG_RAM_SIZE 0x03u
#define FW_CFG_NOGRAPHIC 0x04u
#define FW_CFG_NB_CPUS 0x05u
#define FW_CFG_KERNEL_ADDR 0x07u
#define FW_CFG_KERNEL_SIZE 0x08u
#define FW_CFG_INITRD_ADDR 0x0au
#define FW_CFG_INITRD_SIZE 0x0bu
#define FW_CFG_MAX_CPUS 0x0fu
#define FW_CFG_KERNEL_DATA 0x11u
#define FW_CFG_INITRD_DATA 0x12u
#define FW_CFG_CMDLINE_ADDR 0x13u
#define FW_CFG_CMDLINE_SIZE 0x14u
#define FW_CFG_CMDLINE_DATA 0x15u
#define FW_CFG_SETUP_ADDR 0x16u
#define FW_CFG_SETUP_SIZE 0x17u
#define FW_CFG_SETUP_DATA 0x18u
#define FW_CFG_FILE_DIR 0x19u
#define FW_CFG_FILE_FIRST 0x20u

#define FW_CFG_ITEMS_MAX 40u
#define FW_CFG_FILES_MAX 16u
#define FW_CFG_FILE_NAME 56u
#define FW_CFG_FILE_ENTRY 64u
#define FW_CFG_NUMBERS_MAX 24u

/* Of the control word of a transfer, which then becomes 0, or FW_CFG_DMA_ERROR. */
#define FW_CFG_DMA_ERROR 0x01u
#define FW_CFG_DMA_READ 0x02u
#define FW_CFG_DMA_SKIP 0x04u
#define FW_CFG_DMA_SELECT 0x08u /* bits 31:16 */
#define FW_CFG_DMA_WRITE 0x10u
#define FW_CFG_PIECE 0x10000u

/* Descriptors and the directory are big-endian. */
static inline uint32_t fw_cfg_swap(uint32_t v) { return __builtin_bswap32(v); }

struct fw_cfg_item {
	uint16_t key;
	uint32_t size;
	const uint8_t *data;
};

struct fw_cfg {
	uint16_t key;
	uint32_t offset; /* of the next byte of the item */
	struct fw_cfg_item item[FW_CFG_ITEMS_MAX];
	unsigned items, files, numbers;
	uint8_t number[FW_CFG_NUMBERS_MAX][8]; /* what the items of numbers point to */
	uint8_t directory[4 + FW_CFG_FILES_MAX * FW_CFG_FILE_ENTRY];
	const struct guest_memory *memory; /* NULL: there is no DMA */
	struct timers *timers;
	uint32_t dma_high;
	struct { /* the transfer that goes on */
		bool busy;
		bool read; /* to memory; else bytes are skipped */
		uint64_t descriptor, gpa;
		uint32_t left;
	} dma;
	struct timer next_piece;
};

/* Signature, numbers of CPUs, RAM size; no files. memory: for transfers, NULL: there are none to be had. false: the
 * port range is taken. */
bool fw_cfg_init(struct fw_cfg *f, struct pio_space *pio, uint16_t cpus, uint64_t ram_bytes,
		 const struct guest_memory *memory, struct timers *timers);
/* dev/firmware/firmware_state.c: not the items, which are what the virtual machine is made of. */
void fw_cfg_state(struct fields *s, struct fw_cfg *f);
/* An item more; data stays the caller's, for as long as the device is there. false: there are too many. */
bool fw_cfg_add(struct fw_cfg *f, uint16_t key, const void *data, uint32_t size);
/* The same of a number of `size` bytes, little-endian. */
bool fw_cfg_add_number(struct fw_cfg *f, uint16_t key, uint64_t value, uint32_t size);
/* A file; its name has less than FW_CFG_FILE_NAME characters. */
bool fw_cfg_add_file(struct fw_cfg *f, const char *name, const void *data, uint32_t size);

#endif
