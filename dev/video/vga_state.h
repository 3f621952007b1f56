/* dev/video/vga_state.h - a VGA's registers as bytes, for who draws the picture somewhere else. */
#ifndef VELLUM_DEV_VGA_STATE_H
#define VELLUM_DEV_VGA_STATE_H

#include "dev/video/vga.h"

/* What a picture is made of, but for the memory: all registers that are not accesses' own state. */
#define VGA_STATE_BYTES (5 + VGA_SEQ_COUNT + VGA_GC_COUNT + VGA_CRTC_COUNT + VGA_ATTR_COUNT + 768 + 2 * DISPI_COUNT)

void vga_state_save(const struct vga *v, uint8_t *bytes);
/* Into a VGA that is all zeroes, with as many doublewords of memory at .memory. */
void vga_state_load(struct vga *v, const uint8_t *bytes);

#endif
