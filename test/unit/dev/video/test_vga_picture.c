/* What a screen would show (dev/video/vga_picture.c), mode by mode, and registers as bytes (dev/video/vga_state.c). */
#include <stdlib.h>

#include "dev/video/vga_state.h"
#include "test/unit/dev/video/fixture.h"

static struct vga_picture p;
static uint32_t line[VGA_WIDTH_MAX];

static void draw(unsigned y)
{
	vga_picture(&vga, &p);
	vga_picture_line(&vga, &p, y, line);
}

/* Attribute n is colour n, and colour n is a red of n. */
static void colours(void)
{
	for (unsigned n = 0; n < 16; n++)
		attr((uint8_t)n, (uint8_t)n);
	attr(VGA_ATTR_PLANES, 0x0f);
	outb(pc, VGA_DAC_WRITE, 0);
	for (unsigned n = 0; n < 256; n++) {
		outb(pc, VGA_DAC_DATA, (uint8_t)n);
		outb(pc, VGA_DAC_DATA, 0);
		outb(pc, VGA_DAC_DATA, 0);
	}
	show();
}
#define RED(n) ((uint32_t)((n) << 2 | (n) >> 4) << 16)

static void geometry(unsigned width_cells, unsigned lines, uint8_t row, uint8_t offset, uint8_t crtc_mode)
{
	crtc(VGA_CRTC_SHOWN, (uint8_t)(width_cells - 1));
	crtc(VGA_CRTC_SHOWN_LINES, (uint8_t)(lines - 1));
	crtc(VGA_CRTC_OVERFLOW, (uint8_t)((lines - 1) >> 8 & 1) << 1 | 0x10);
	crtc(VGA_CRTC_ROW_HEIGHT, row | VGA_ROW_LINE_COMPARE9);
	crtc(VGA_CRTC_LINE_COMPARE, 0xff);
	crtc(VGA_CRTC_OFFSET, offset);
	crtc(VGA_CRTC_MODE, crtc_mode);
	crtc(VGA_CRTC_CURSOR_START, VGA_CURSOR_OFF);
}

static void mode_3(void)
{
	planar();
	gc(VGA_GC_MISC, 0x0e);
	gc(VGA_GC_MODE, 0x10);
	seq(VGA_SEQ_CLOCKING, 0);
	seq(VGA_SEQ_MEMORY, 0x02);
	geometry(80, 400, 15, 40, 0xa3);
	attr(VGA_ATTR_MODE, VGA_ATTR_MODE_LINES | VGA_ATTR_MODE_BLINK);
	attr(VGA_ATTR_PANNING, 8);
	colours();
}

static void text(void **state)
{
	(void)state;
	mode_3();
	memory[2 * 81] = 'A' | 0x1e << 8;   /* line 1, column 1 */
	memory['A' * 32 + 3] |= 0xa1 << 16; /* its line 3 */
	memory[2 * 82] = 0xc4 | 0x0f << 8;
	memory[0xc4 * 32 + 3] |= 0x01 << 16;
	draw(16 + 3);
	assert_int_equal(p.kind, VGA_TEXT);
	assert_int_equal(p.width, 720);
	assert_int_equal(p.height, 400);
	for (unsigned n = 0; n < 9; n++)
		assert_int_equal(line[9 + n], n == 0 || n == 2 || n == 7 ? RED(14) : RED(1));
	assert_int_equal(line[18 + 6], RED(0));
	assert_int_equal(line[18 + 7], RED(15)); /* a line goes on into the ninth dot */
	assert_int_equal(line[18 + 8], RED(15));
	attr(VGA_ATTR_MODE, VGA_ATTR_MODE_BLINK);
	show();
	draw(16 + 3);
	assert_int_equal(line[18 + 8], RED(0));
}

static void cursor_and_fonts(void **state)
{
	(void)state;
	mode_3();
	memory[2 * 5] = 'B' | 0x9f << 8;
	crtc(VGA_CRTC_CURSOR_START, 13);
	crtc(VGA_CRTC_CURSOR_END, 14);
	crtc(VGA_CRTC_CURSOR_LOW, 5);
	for (unsigned y = 12; y < 16; y++) {
		draw(y);
		assert_int_equal(line[45], y == 13 || y == 14 ? RED(15) : RED(1)); /* the high bit blinks */
		assert_int_equal(line[44], RED(0));
	}
	attr(VGA_ATTR_MODE, 0); /* a colour of the ground */
	show();
	draw(0);
	assert_int_equal(line[45], RED(9));
	memory[0x4000 + 'B' * 32] |= 0x80 << 16; /* font 1 */
	seq(VGA_SEQ_FONTS, 0x04); /* for characters with bit 3 */
	draw(0);
	assert_int_equal(line[45], RED(15));
	memory[2 * 5] = 'B' | 0x17 << 8;
	draw(0);
	assert_int_equal(line[45], RED(1));
	seq(VGA_SEQ_FONTS, 0x01);
	draw(0);
	assert_int_equal(line[45], RED(7));
}

static void mode_12h(void)
{
	planar();
	geometry(80, 480, 0, 40, 0xe3);
	colours();
}

static void planes(void **state)
{
	(void)state;
	mode_12h();
	memory[80 * 100 + 3] = 0x80 | 0x40 << 8 | 0x20 << 16 | 0x11u << 24;
	draw(100);
	assert_int_equal(p.kind, VGA_PLANAR);
	assert_int_equal(p.width, 640);
	assert_int_equal(p.height, 480);
	assert_int_equal(line[24], RED(1));
	assert_int_equal(line[25], RED(2));
	assert_int_equal(line[26], RED(4));
	assert_int_equal(line[27], RED(8));
	assert_int_equal(line[28], RED(0));
	assert_int_equal(line[31], RED(8));
	attr(VGA_ATTR_PLANES, 0x07);
	show();
	draw(100);
	assert_int_equal(line[27], RED(0));
}

/* Where it begins, how long its lines are, and where it begins anew. */
static void scrolling(void **state)
{
	(void)state;
	mode_12h();
	for (unsigned n = 0; n < 0x10000; n++)
		memory[n] = n / 100 % 2 ? 0xff : 0; /* lines of 100 bytes */
	crtc(VGA_CRTC_OFFSET, 50);
	crtc(VGA_CRTC_START_HIGH, 100 >> 8);
	crtc(VGA_CRTC_START_LOW, 100);
	draw(0);
	assert_int_equal(line[0], RED(1));
	draw(1);
	assert_int_equal(line[639], RED(0));
	crtc(VGA_CRTC_OVERFLOW, 0x02);
	crtc(VGA_CRTC_ROW_HEIGHT, 0);
	crtc(VGA_CRTC_LINE_COMPARE, 200);
	draw(200);
	assert_int_equal(line[0], RED(1));
	draw(201); /* line 0 of the memory */
	assert_int_equal(line[0], RED(0));
	draw(202);
	assert_int_equal(line[0], RED(1));
	memory[0] = 0x20; /* the third dot, in plane 0 */
	memory[100] = 0x20;
	attr(VGA_ATTR_PANNING, 2);
	show();
	draw(201);
	assert_int_equal(line[0], RED(1));
	attr(VGA_ATTR_MODE, VGA_ATTR_MODE_SPLIT);
	show();
	draw(201);
	assert_int_equal(line[0], RED(0));
	assert_int_equal(line[2], RED(1));
	draw(0);
	assert_int_equal(line[0], RED(1));
}

static void mode_13h(void **state)
{
	(void)state;
	planar();
	seq(VGA_SEQ_MEMORY, 0x0e);
	gc(VGA_GC_MODE, 0x40);
	geometry(80, 400, 0x01, 40, 0xa3);
	colours();
	for (unsigned n = 0; n < 320 * 200; n++)
		((uint8_t *)memory)[n] = (uint8_t)(n % 61);
	for (unsigned y = 0; y < 200; y += 199) {
		draw(y);
		assert_int_equal(p.width, 320);
		assert_int_equal(p.height, 200);
		for (unsigned x = 0; x < 320; x++)
			assert_int_equal(line[x], RED((y * 320 + x) % 61));
	}
	outb(pc, VGA_DAC_MASK, 0x0f);
	draw(0);
	assert_int_equal(line[17], RED(1));
}

/* Two bits a dot; odd lines 8 KBytes further on; and two colours. */
static void cga(void **state)
{
	(void)state;
	planar();
	seq(VGA_SEQ_MEMORY, 0x02);
	seq(VGA_SEQ_MAP_MASK, 0x03);
	gc(VGA_GC_MODE, 0x30);
	gc(VGA_GC_MISC, 0x0f);
	geometry(40, 400, VGA_ROW_DOUBLE | 1, 20, 0xa2);
	colours();
	mmio_write(&pc->mmio, VGA_TEXT_APERTURE + 0x2000, 2, 0x1b1b); /* 0 1 2 3 0 1 2 3 */
	draw(1);
	assert_int_equal(p.kind, VGA_CGA);
	assert_int_equal(p.width, 320);
	assert_int_equal(p.height, 200);
	for (unsigned x = 0; x < 8; x++)
		assert_int_equal(line[x], RED(x % 4));
	draw(0);
	assert_int_equal(line[1], RED(0));
	mmio_write(&pc->mmio, VGA_TEXT_APERTURE + 80, 1, 0xc0);
	draw(2);
	assert_int_equal(line[0], RED(3));
}

static void depth(uint16_t bpp)
{
	outw(pc, DISPI_INDEX, DISPI_ENABLE);
	outw(pc, DISPI_DATA, 0);
	outw(pc, DISPI_INDEX, DISPI_XRES);
	outw(pc, DISPI_DATA, 320);
	outw(pc, DISPI_INDEX, DISPI_YRES);
	outw(pc, DISPI_DATA, 200);
	outw(pc, DISPI_INDEX, DISPI_BPP);
	outw(pc, DISPI_DATA, bpp);
	outw(pc, DISPI_INDEX, DISPI_ENABLE);
	outw(pc, DISPI_DATA, DISPI_ENABLED | DISPI_LFB | DISPI_NO_CLEAR);
}

static void depths(void **state)
{
	(void)state;
	colours();
	memory[0] = 0x00fc8421;
	depth(8);
	draw(0);
	assert_int_equal(p.width, 320);
	assert_int_equal(p.height, 200);
	assert_int_equal(line[0], RED(0x21));
	depth(15);
	draw(0);
	assert_int_equal(line[0], 0x080808); /* 1 of 31, 1 and 1 */
	depth(16);
	draw(0);
	assert_int_equal(line[0], 0x848608);
	depth(24);
	draw(0);
	assert_int_equal(line[0], 0xfc8421);
	depth(32);
	draw(0);
	assert_int_equal(line[0], 0xfc8421);
	depth(4);
	draw(0);
	assert_int_equal(line[0], RED(6)); /* the leftmost bits of fc, 84 and 21: planes 2, 1 and 0 */
}

static void blank(void **state)
{
	(void)state;
	mode_12h();
	memory[0] = ~0u;
	draw(0);
	assert_int_equal(line[0], RED(15));
	inb(pc, VGA_STATUS);
	outb(pc, VGA_ATTRIBUTE, 0);
	draw(0);
	assert_int_equal(p.kind, VGA_BLANK);
	assert_int_equal(line[0], 0);
	show();
	seq(VGA_SEQ_CLOCKING, 1 | VGA_CLOCKING_OFF);
	draw(0);
	assert_int_equal(line[0], 0);
}

/* Whoever loads them draws the same. */
static void state_as_bytes(void **state)
{
	static uint8_t bytes[VGA_STATE_BYTES + 1];
	static struct vga copy;
	static uint32_t other[VGA_WIDTH_MAX];
	struct vga_picture q;

	(void)state;
	mode_3();
	for (unsigned n = 0; n < 0x4000; n++)
		memory[n] = n * 2654435761u;
	bytes[VGA_STATE_BYTES] = 0x77;
	vga_state_save(&vga, bytes);
	assert_int_equal(bytes[VGA_STATE_BYTES], 0x77);
	copy = (struct vga){ .memory = memory, .doublewords = BYTES / 4 };
	vga_state_load(&copy, bytes);
	draw(21);
	vga_picture(&copy, &q);
	assert_memory_equal(&p, &q, sizeof(p));
	vga_picture_line(&copy, &q, 21, other);
	assert_memory_equal(line, other, p.width * sizeof(*line));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		VGA_TEST(text), VGA_TEST(cursor_and_fonts), VGA_TEST(planes), VGA_TEST(scrolling), VGA_TEST(mode_13h),
		VGA_TEST(cga), VGA_TEST(depths), VGA_TEST(blank), VGA_TEST(state_as_bytes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
