/* dev/irq/pic.h - the PC's two cascaded 8259A interrupt controllers, with the edge/level control registers (0x4d0,
 * 0x4d1).
 *
 * PI1  intr is called with the level of the master's INT output exactly when that level changes.
 * PI2  a level-triggered pin's IRR bit equals the pin; an edge-triggered pin's IRR bit is set by a rising edge and
 *      cleared by the acknowledge or by the pin's falling before it. */
#ifndef VELLUM_DEV_PIC_H
#define VELLUM_DEV_PIC_H

#include "dev/dev.h"

struct pic_chip {
	uint8_t pins, irr, imr, isr;
	uint8_t elcr, elcr_mask;
	uint8_t vector_base; /* bits 7..3 of ICW2 */
	uint8_t lowest;      /* the pin of lowest priority: 7 unless rotated */
	uint8_t icw_state;   /* 0 ready, else the number (2..4) of the ICW awaited */
	bool need_icw4, single, auto_eoi, rotate_auto_eoi, special_mask, special_fully_nested, read_isr, poll, slave;
	bool level_mode; /* ICW1 LTIM: all pins level-triggered */
};

struct pic {
	struct pic_chip chip[2]; /* master, slave */
	bool out;                /* INT of the master */
	void (*intr)(void *ctx, bool level);
	void *ctx;
};

/* After power-up, all masked. false: a port range is taken. */
bool pic_init(struct pic *p, struct pio_space *pio, void (*intr)(void *ctx, bool level), void *ctx);
FOR_TESTS void pic_reset(struct pic *p);
/* IRQ n triggers by its level, not by an edge, as a firmware sets it for PCI. */
void pic_set_level_triggered(struct pic *p, unsigned irq);
/* What a BIOS leaves: both chips initialised for its vectors, 0x08 and 0x70; unmasked are timer, keyboard, cascade and
 * floppy, PS/2 mouse, FPU and the first disk. For loaders that start a kernel without one. */
void pic_after_bios(struct pic *p);
/* pin 0..15 (2 is the cascade and is ignored). */
void pic_set_pin(struct pic *p, unsigned pin, bool level);
/* INTA: the vector of the highest request, which goes in service; the spurious vector (pin 7) when there is none any
 * more. */
uint8_t pic_ack(struct pic *p);
/* dev/irq/irq_state.c */
void pic_state(struct fields *s, struct pic *p);

#endif
