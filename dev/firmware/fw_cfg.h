/* dev/firmware/fw_cfg.h - the firmware configuration device (ports 0x510, 0x511): signature, number of CPUs, RAM size,
 * an empty file directory. No DMA interface is offered. */
#ifndef VELLUM_DEV_FW_CFG_H
#define VELLUM_DEV_FW_CFG_H

#include "dev/dev.h"
#include "lib/ports.h"

#define FW_CFG_SIGNATURE 0x00u
#define FW_CFG_ID 0x01u
#define FW_CFG_RAM_SIZE 0x03u
#define FW_CFG_NB_CPUS 0x05u
#define FW_CFG_MAX_CPUS 0x0fu

struct fw_cfg {
	uint16_t key;
	uint32_t offset; /* of the next byte of the item */
	uint16_t cpus;
	uint64_t ram_bytes;
};

/* false: the port range is taken. */
bool fw_cfg_init(struct fw_cfg *f, struct pio_space *pio, uint16_t cpus, uint64_t ram_bytes);
void fw_cfg_reset(struct fw_cfg *f);

#endif
