/* dev/bus/i440fx.h - the host bridge 00:00.0, as an Intel 440FX (8086:1237), with its registers that say what memory
 * below 1 MByte is ("PAM - Programmable Attribute Map Registers"). There is no system-management mode: its SMRAM
 * register is kept, without effect. */
#ifndef VELLUM_DEV_I440FX_H
#define VELLUM_DEV_I440FX_H

#include "dev/bus/pci.h"

/* The areas that PAM0 to PAM6 are about: 16 KBytes each from 0xc0000 on, and the last of 64 KBytes at 0xf0000. */
#define PAM_AREAS 13u
#define PAM_BASE 0xc0000u
#define PAM_SIZE 0x4000u
#define PAM_HOLE 0xa0000u /* the display's, up to PAM_BASE */
#define PAM_LAST 0xf0000u
#define PAM_END 0x100000u
/* Of an area: reads, and writes, go to RAM; else to the bus, where ROM may be. */
#define PAM_READ 0x1u
#define PAM_WRITE 0x2u

struct i440fx {
	struct pci_device pci;
	/* NULL, or: what an area is has changed */
	void (*memory_changed)(void *ctx);
	void *ctx;
};

/* memory_changed: NULL, where memory is RAM whatever the registers say: they are then kept, without effect.
 * subsystem: what the register of that name holds, 0xDDDDVVVV. false: the bus is full. */
bool i440fx_init(struct i440fx *b, struct pci *bus, uint32_t subsystem, void (*memory_changed)(void *ctx), void *ctx);
/* PAM_READ and PAM_WRITE of area n. */
unsigned i440fx_area(const struct i440fx *b, unsigned n);
/* Where area n begins, and how many bytes it has. */
static inline uint32_t pam_base(unsigned n)
{
	return PAM_BASE + n * PAM_SIZE;
}
static inline uint32_t pam_bytes(unsigned n)
{
	return n == PAM_AREAS - 1 ? PAM_END - PAM_LAST : PAM_SIZE;
}
/* The area of an address from PAM_BASE to PAM_END - 1. */
static inline unsigned pam_area(uint32_t gpa)
{
	return gpa >= PAM_LAST ? PAM_AREAS - 1 : (gpa - PAM_BASE) / PAM_SIZE;
}

#endif
