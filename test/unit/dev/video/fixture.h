/* A VGA of a test's own, with as much memory as an IBM VGA has, or more. */
#ifndef VELLUM_TEST_VIDEO_FIXTURE_H
#define VELLUM_TEST_VIDEO_FIXTURE_H

#include "dev/video/vga.h"
#include "test/unit/dev/fixture.h"

#define BYTES (1u << 20)

static struct vga vga;
static uint32_t memory[2 * BYTES / 4]; /* the second half is not the device's */
static unsigned plain_changes;

static void plain_changed(void *ctx)
{
	(void)ctx;
	plain_changes++;
}

static int setup_vga(void **state)
{
	setup(state);
	memset(memory, 0, sizeof(memory));
	plain_changes = 0;
	assert_true(vga_init(&vga, &pc->pio, &pc->mmio, &pc->timers, memory, BYTES, plain_changed, NULL));
	outb(pc, VGA_MISC_WRITE, VGA_MISC_COLOUR | VGA_MISC_MEMORY);
	return 0;
}

static inline void indexed(uint16_t port, uint8_t index, uint8_t value)
{
	outw(pc, port, (uint16_t)(value << 8 | index));
}
static inline void seq(uint8_t index, uint8_t value) { indexed(VGA_SEQUENCER, index, value); }
static inline void gc(uint8_t index, uint8_t value) { indexed(VGA_GRAPHICS, index, value); }
static inline void crtc(uint8_t index, uint8_t value) { indexed(VGA_CRTC, index, value); }
static inline void attr(uint8_t index, uint8_t value)
{
	inb(pc, VGA_STATUS);
	outb(pc, VGA_ATTRIBUTE, index);
	outb(pc, VGA_ATTRIBUTE, value);
}
static inline void show(void)
{
	inb(pc, VGA_STATUS);
	outb(pc, VGA_ATTRIBUTE, VGA_ATTRIBUTE_SHOW);
}

static inline uint8_t rd(uint32_t offset) { return (uint8_t)mmio_read(&pc->mmio, VGA_APERTURE + offset, 1); }
static inline void wr(uint32_t offset, uint8_t value) { mmio_write(&pc->mmio, VGA_APERTURE + offset, 1, value); }
/* A plane's byte, as it lies in the memory. */
static inline uint8_t plane(unsigned n, uint32_t offset) { return (uint8_t)(memory[offset] >> 8 * n); }

/* The planar modes' registers, with a window of 64 KBytes at 0xa0000. */
static inline void planar(void)
{
	seq(VGA_SEQ_RESET, 3);
	seq(VGA_SEQ_CLOCKING, 1);
	seq(VGA_SEQ_MAP_MASK, 0x0f);
	seq(VGA_SEQ_MEMORY, 0x06);
	gc(VGA_GC_SET_RESET, 0);
	gc(VGA_GC_ENABLE_SET_RESET, 0);
	gc(VGA_GC_ROTATE, 0);
	gc(VGA_GC_READ_MAP, 0);
	gc(VGA_GC_MODE, 0);
	gc(VGA_GC_MISC, 0x05);
	gc(VGA_GC_CARE, 0x0f);
	gc(VGA_GC_BIT_MASK, 0xff);
}

#define VGA_TEST(f) PC_TEST(f, setup_vga)

#endif
