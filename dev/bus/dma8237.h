/* dev/bus/dma8237.h - the two DMA controllers of a PC (ports 0x00 to 0x0f and 0xc0 to 0xdf): their registers. No device
 * asks them for a transfer. Intel 8237A data sheet. */
#ifndef VELLUM_DEV_DMA8237_H
#define VELLUM_DEV_DMA8237_H

#include "dev/dev.h"

#define DMA1_BASE 0x00u
#define DMA2_BASE 0xc0u /* every second port */

struct dma8237_chip {
	uint16_t base[8], current[8]; /* address and count of channels 0 to 3, in turns */
	uint8_t command, mode[4], mask, request;
	bool high; /* the flip-flop: the next byte of a 16-bit register is its upper one */
};

struct dma8237 {
	struct dma8237_chip chip[2];
};

/* false: a port range is taken. */
bool dma8237_init(struct dma8237 *d, struct pio_space *pio);
/* dev/bus/bus_state.c */
void dma8237_state(struct fields *s, struct dma8237 *d);

#endif
