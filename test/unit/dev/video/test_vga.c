/* The VGA's registers (dev/video/vga.c): what is where, what cannot be written, status, the palette. */
#include "test/unit/dev/video/fixture.h"

static uint8_t back(uint16_t port, uint8_t index)
{
	outb(pc, port, index);
	return inb(pc, (uint16_t)(port + 1));
}

static void registers(void **state)
{
	(void)state;
	assert_int_equal(inb(pc, VGA_MISC_READ), 3);
	seq(VGA_SEQ_MAP_MASK, 0xff);
	assert_int_equal(back(VGA_SEQUENCER, VGA_SEQ_MAP_MASK), 0x0f);
	seq(VGA_SEQ_COUNT, 0xff); /* there is none */
	assert_int_equal(back(VGA_SEQUENCER, VGA_SEQ_COUNT), 0);
	gc(VGA_GC_BIT_MASK, 0xa5);
	assert_int_equal(back(VGA_GRAPHICS, VGA_GC_BIT_MASK), 0xa5);
	gc(VGA_GC_MODE, 0xff);
	assert_int_equal(back(VGA_GRAPHICS, VGA_GC_MODE), 0x7b);
	assert_int_equal(back(VGA_GRAPHICS, 0x0f), 0);
	crtc(0x18, 0x34);
	assert_int_equal(back(VGA_CRTC, 0x18), 0x34);
	assert_int_equal(back(VGA_CRTC, 0x80), 0);
	assert_int_equal(inw(pc, VGA_CRTC), 0x0080);
	outb(pc, VGA_STATUS, 0xff);
	assert_int_equal(inb(pc, VGA_FEATURE_READ), 0x18);
}

/* Bit 7 of register 0x11 protects registers 0 to 7, but for the line compare's bit in 7. */
static void protection(void **state)
{
	(void)state;
	crtc(0x00, 0x5f);
	crtc(0x07, 0x00);
	crtc(0x11, 0x80);
	crtc(0x00, 0x11);
	crtc(0x07, 0xff);
	assert_int_equal(back(VGA_CRTC, 0x00), 0x5f);
	assert_int_equal(back(VGA_CRTC, 0x07), 0x10);
	crtc(0x11, 0x00);
	crtc(0x00, 0x11);
	assert_int_equal(back(VGA_CRTC, 0x00), 0x11);
}

/* Index and data in turn; reading the status begins with the index; the palette is not written while it is shown. */
static void attributes(void **state)
{
	(void)state;
	inb(pc, VGA_STATUS);
	outb(pc, VGA_ATTRIBUTE, 0x01);
	outb(pc, VGA_ATTRIBUTE, 0x2a);
	outb(pc, VGA_ATTRIBUTE, 0x02);
	inb(pc, VGA_STATUS);
	outb(pc, VGA_ATTRIBUTE, 0x03); /* an index again */
	outb(pc, VGA_ATTRIBUTE, 0x15);
	assert_int_equal(vga.attribute[1], 0x2a);
	assert_int_equal(vga.attribute[2], 0);
	assert_int_equal(vga.attribute[3], 0x15);
	attr(VGA_ATTRIBUTE_SHOW | 1, 0x07);
	assert_int_equal(vga.attribute[1], 0x2a);
	attr(VGA_ATTRIBUTE_SHOW | VGA_ATTR_MODE, 0x0c);
	assert_int_equal(vga.attribute[VGA_ATTR_MODE], 0x0c);
	inb(pc, VGA_STATUS);
	outb(pc, VGA_ATTRIBUTE, VGA_ATTRIBUTE_SHOW | VGA_ATTR_MODE);
	assert_int_equal(inb(pc, VGA_ATTRIBUTE), VGA_ATTRIBUTE_SHOW | VGA_ATTR_MODE);
	assert_int_equal(inb(pc, VGA_ATTRIBUTE_READ), 0x0c);
}

/* 0x3d4 and 0x3da, or 0x3b4 and 0x3ba. */
static void places(void **state)
{
	(void)state;
	crtc(0x0e, 0x12);
	assert_int_equal(inb(pc, VGA_CRTC_MONO + 1), 0xff);
	outb(pc, VGA_MISC_WRITE, VGA_MISC_MEMORY);
	assert_int_equal(inb(pc, VGA_CRTC + 1), 0xff);
	assert_int_equal(inb(pc, VGA_STATUS), 0xff);
	assert_int_equal(back(VGA_CRTC_MONO, 0x0e), 0x12);
	assert_int_not_equal(inb(pc, VGA_STATUS_MONO), 0xff);
}

static void palette(void **state)
{
	(void)state;
	outb(pc, VGA_DAC_WRITE, 254);
	for (unsigned n = 0; n < 6; n++)
		outb(pc, VGA_DAC_DATA, (uint8_t)(0xc0 + n)); /* six bits each */
	assert_int_equal(inb(pc, VGA_DAC_WRITE), 0);
	assert_int_equal(inb(pc, VGA_DAC_READ), 0);
	outb(pc, VGA_DAC_READ, 254);
	assert_int_equal(inb(pc, VGA_DAC_READ), 3);
	for (unsigned n = 0; n < 6; n++)
		assert_int_equal(inb(pc, VGA_DAC_DATA), n);
	outb(pc, VGA_DAC_WRITE, 1);
	outb(pc, VGA_DAC_DATA, 9); /* only when all three have come */
	outb(pc, VGA_DAC_READ, 1);
	assert_int_equal(inb(pc, VGA_DAC_DATA), 0);
}

/* Of a frame there is a retrace, and of most lines a part that is shown; the clock decides, not how often one asks. */
static void status(void **state)
{
	unsigned retraces = 0, blanks = 0, starts = 0;
	bool before = false;

	(void)state;
	for (unsigned n = 0; n < 50000; n++) {
		uint8_t s = inb(pc, VGA_STATUS);

		assert_int_equal(s, inb(pc, VGA_STATUS));
		retraces += !!(s & VGA_STATUS_RETRACE);
		starts += (s & VGA_STATUS_RETRACE) && !before;
		before = s & VGA_STATUS_RETRACE;
		blanks += !!(s & VGA_STATUS_BLANK);
		assert_true(!(s & VGA_STATUS_RETRACE) || (s & VGA_STATUS_BLANK));
		pc_advance(pc, PC_HZ / 50000);
	}
	assert_in_range(starts, 68, 72);
	assert_in_range(retraces, 150, 350);
	assert_in_range(blanks, 10000, 22500);
}

/* VG2. */
static void plain(void **state)
{
	(void)state;
	assert_int_equal(vga.plain, VGA_PLAIN_NOWHERE);
	planar();
	seq(VGA_SEQ_MEMORY, 0x0e);
	assert_int_equal(vga.plain, VGA_PLAIN_APERTURE);
	seq(VGA_SEQ_MAP_MASK, 0x07);
	assert_int_equal(vga.plain, VGA_PLAIN_NOWHERE);
	seq(VGA_SEQ_MAP_MASK, 0x0f);
	gc(VGA_GC_MISC, 0x09); /* at 0xb0000 */
	assert_int_equal(vga.plain, VGA_PLAIN_NOWHERE);
	gc(VGA_GC_MISC, 0x05);
	outb(pc, VGA_MISC_WRITE, VGA_MISC_COLOUR);
	assert_int_equal(vga.plain, VGA_PLAIN_NOWHERE);
	outb(pc, VGA_MISC_WRITE, VGA_MISC_COLOUR | VGA_MISC_MEMORY);
	assert_int_equal(vga.plain, VGA_PLAIN_APERTURE);
	assert_int_equal(plain_changes, 7);
	vga_reset(&vga);
	assert_int_equal(vga.plain, VGA_PLAIN_NOWHERE);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		VGA_TEST(registers), VGA_TEST(protection), VGA_TEST(attributes), VGA_TEST(places), VGA_TEST(palette),
		VGA_TEST(status), VGA_TEST(plain),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
