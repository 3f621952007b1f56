/* dev/firmware/debugcon.h - the port that firmwares write their log to (0x402): QEMU's and Bochs' debug console. A
 * character takes no time. */
#ifndef VELLUM_DEV_DEBUGCON_H
#define VELLUM_DEV_DEBUGCON_H

#include "dev/dev.h"
#include "lib/ports.h"

#define DEBUGCON_PRESENT 0xe9u /* what the port reads as */

struct debugcon {
	void (*put)(void *ctx, uint8_t byte);
	void *ctx;
};

/* false: the port is taken. */
bool debugcon_init(struct debugcon *d, struct pio_space *pio, void (*put)(void *ctx, uint8_t byte), void *ctx);

#endif
