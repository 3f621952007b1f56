/* Accesses to the VGA's memory (dev/video/vga_memory.c), as the Technical Reference has them; and beside a plain model
 * of one plane at a time. */
#include "test/unit/dev/video/fixture.h"

static void fill(uint32_t offset, uint8_t p0, uint8_t p1, uint8_t p2, uint8_t p3)
{
	memory[offset] = p0 | (uint32_t)p1 << 8 | (uint32_t)p2 << 16 | (uint32_t)p3 << 24;
}

static void assert_planes(uint32_t offset, uint8_t p0, uint8_t p1, uint8_t p2, uint8_t p3)
{
	assert_int_equal(plane(0, offset), p0);
	assert_int_equal(plane(1, offset), p1);
	assert_int_equal(plane(2, offset), p2);
	assert_int_equal(plane(3, offset), p3);
}

static void write_mode_0(void **state)
{
	(void)state;
	planar();
	wr(5, 0x81);
	assert_planes(5, 0x81, 0x81, 0x81, 0x81);
	seq(VGA_SEQ_MAP_MASK, 0x05);
	wr(5, 0x3c);
	assert_planes(5, 0x3c, 0x81, 0x3c, 0x81);
	seq(VGA_SEQ_MAP_MASK, 0x0f);
	gc(VGA_GC_ROTATE, 3);
	wr(6, 0x0f); /* to the right by 3 */
	assert_planes(6, 0xe1, 0xe1, 0xe1, 0xe1);
	gc(VGA_GC_ROTATE, 0);
	gc(VGA_GC_SET_RESET, 0x05);
	gc(VGA_GC_ENABLE_SET_RESET, 0x03);
	wr(7, 0x18); /* plane 0 set, plane 1 reset */
	assert_planes(7, 0xff, 0x00, 0x18, 0x18);
}

/* What the bit mask leaves out is the latches', and so is the other operand of a function. */
static void latches(void **state)
{
	(void)state;
	planar();
	fill(8, 0x11, 0x22, 0x44, 0x88);
	rd(8);
	gc(VGA_GC_BIT_MASK, 0xf0);
	wr(9, 0x5a);
	assert_planes(9, 0x51, 0x52, 0x54, 0x58);
	gc(VGA_GC_BIT_MASK, 0xff);
	gc(VGA_GC_ROTATE, VGA_AND << VGA_ROTATE_FUNCTION_SHIFT);
	wr(10, 0x33);
	assert_planes(10, 0x11, 0x22, 0x00, 0x00);
	gc(VGA_GC_ROTATE, VGA_OR << VGA_ROTATE_FUNCTION_SHIFT);
	wr(11, 0x01);
	assert_planes(11, 0x11, 0x23, 0x45, 0x89);
	gc(VGA_GC_ROTATE, VGA_XOR << VGA_ROTATE_FUNCTION_SHIFT);
	wr(12, 0xff);
	assert_planes(12, 0xee, 0xdd, 0xbb, 0x77);
}

static void write_modes(void **state)
{
	(void)state;
	planar();
	fill(20, 0x11, 0x22, 0x44, 0x88);
	rd(20);
	gc(VGA_GC_MODE, 1);
	wr(21, 0xff); /* the latches, whatever is written */
	assert_planes(21, 0x11, 0x22, 0x44, 0x88);
	gc(VGA_GC_MODE, 2);
	gc(VGA_GC_BIT_MASK, 0x3c);
	wr(22, 0x0a); /* a colour: planes 1 and 3 */
	assert_planes(22, 0x01, 0x3e, 0x40, 0xbc);
	gc(VGA_GC_MODE, 3);
	gc(VGA_GC_BIT_MASK, 0x0f);
	gc(VGA_GC_SET_RESET, 0x06);
	gc(VGA_GC_ENABLE_SET_RESET, 0); /* does not matter */
	wr(23, 0x3c); /* the mask is 0x0c */
	assert_planes(23, 0x11, 0x2e, 0x4c, 0x80);
}

static void read_modes(void **state)
{
	(void)state;
	planar();
	fill(30, 0x0f, 0x33, 0x55, 0xff);
	for (unsigned n = 0; n < 4; n++) {
		gc(VGA_GC_READ_MAP, (uint8_t)n);
		assert_int_equal(rd(30), plane(n, 30));
	}
	assert_int_equal(vga.latch, memory[30]);
	gc(VGA_GC_MODE, 0x08);
	gc(VGA_GC_COMPARE, 0x0b);
	assert_int_equal(rd(30), 0x02 & 0x0f & 0x33 & ~0x55); /* 1 in planes 0, 1 and 3, 0 in plane 2 */
	gc(VGA_GC_CARE, 0x03);
	assert_int_equal(rd(30), 0x03);
	gc(VGA_GC_CARE, 0);
	assert_int_equal(rd(30), 0xff);
}

/* Text: even addresses in planes 0 and 2, odd ones in 1 and 3; and the font in plane 2. */
static void odd_and_even(void **state)
{
	(void)state;
	planar();
	seq(VGA_SEQ_MEMORY, 0x02);
	seq(VGA_SEQ_MAP_MASK, 0x03);
	gc(VGA_GC_MODE, 0x10);
	gc(VGA_GC_MISC, 0x0e); /* at 0xb8000 */
	mmio_write(&pc->mmio, VGA_TEXT_APERTURE + 2, 2, 0x0741);
	assert_planes(2, 0x41, 0x07, 0, 0);
	assert_int_equal(mmio_read(&pc->mmio, VGA_TEXT_APERTURE + 2, 2), 0x0741);
	assert_int_equal(rd(2), 0xff); /* nothing at 0xa0000 */
	assert_int_equal(mmio_read(&pc->mmio, VGA_TEXT_APERTURE + 2, 4), 0x00000741);
	mmio_write(&pc->mmio, VGA_TEXT_APERTURE + 4, 4, 0x0c430b42);
	assert_planes(4, 0x42, 0x0b, 0, 0);
	assert_planes(6, 0x43, 0x0c, 0, 0);
	seq(VGA_SEQ_MAP_MASK, 0x04);
	seq(VGA_SEQ_MEMORY, 0x06);
	gc(VGA_GC_MODE, 0);
	gc(VGA_GC_MISC, 0x04);
	wr(3, 0x7e);
	assert_planes(3, 0, 0, 0x7e, 0);
}

static void chain_4(void **state)
{
	(void)state;
	planar();
	seq(VGA_SEQ_MEMORY, 0x0e);
	mmio_write(&pc->mmio, VGA_APERTURE + 4, 8, 0x8877665544332211);
	assert_planes(1, 0x11, 0x22, 0x33, 0x44);
	assert_planes(2, 0x55, 0x66, 0x77, 0x88);
	assert_int_equal(mmio_read(&pc->mmio, VGA_APERTURE + 4, 8), 0x8877665544332211);
	seq(VGA_SEQ_MAP_MASK, 0x02);
	mmio_write(&pc->mmio, VGA_APERTURE + 4, 4, 0);
	assert_planes(1, 0x11, 0x00, 0x33, 0x44);
	wr(0xffff, 1);
	assert_int_equal(rd(0x10000), 0xff); /* the window ends */
}

static void windows(void **state)
{
	static const struct { uint8_t map; uint32_t base, size; } maps[] = {
		{ 0, 0, 0x20000 }, { 1, 0, 0x10000 }, { 2, 0x10000, 0x8000 }, { 3, 0x18000, 0x8000 } };

	(void)state;
	planar();
	for (unsigned n = 0; n < ARRAY_SIZE(maps); n++) {
		gc(VGA_GC_MISC, (uint8_t)(maps[n].map << 2 | 1));
		memset(memory, 0, sizeof(memory));
		for (uint32_t at = 0; at < VGA_APERTURE_SIZE; at += 0x100)
			wr(at, 1);
		for (uint32_t at = 0; at < VGA_APERTURE_SIZE; at += 0x4000)
			assert_int_equal(rd(at), at >= maps[n].base && at - maps[n].base < maps[n].size ? 1 : 0xff);
		assert_int_equal(memory[0], 0x01010101);
		assert_int_equal(memory[0xff00], maps[n].size >= 0x10000 ? 0x01010101 : 0);
	}
	outb(pc, VGA_MISC_WRITE, VGA_MISC_COLOUR);
	assert_int_equal(rd(VGA_APERTURE_SIZE - 1), 0xff);
}

/* ---- beside a model ---- */

static uint8_t model[VGA_PLANES][0x10000], model_latch[VGA_PLANES];

static uint8_t g(unsigned n) { return vga.graphics[n]; }

static void model_write(uint32_t at, uint8_t value)
{
	unsigned mode = g(VGA_GC_MODE) & 3, rotate = g(VGA_GC_ROTATE) & 7;
	uint8_t turned = (uint8_t)((value >> rotate) | (value << (8 - rotate)));

	for (unsigned n = 0; n < VGA_PLANES; n++) {
		bool set = g(VGA_GC_SET_RESET) >> n & 1, enabled = g(VGA_GC_ENABLE_SET_RESET) >> n & 1;
		uint8_t data = turned, latch = model_latch[n], mask = g(VGA_GC_BIT_MASK);

		if (!(vga.sequencer[VGA_SEQ_MAP_MASK] >> n & 1))
			continue;
		if (mode == 0 && enabled)
			data = set ? 0xff : 0;
		else if (mode == 2)
			data = value >> n & 1 ? 0xff : 0;
		else if (mode == 3)
			data = set ? 0xff : 0;
		if (mode == 3)
			mask &= turned;
		switch (g(VGA_GC_ROTATE) >> 3 & 3) {
		case 1: data &= latch; break;
		case 2: data |= latch; break;
		case 3: data ^= latch; break;
		default: break;
		}
		model[n][at] = mode == 1 ? latch : (uint8_t)((data & mask) | (latch & ~mask));
	}
}

static uint8_t model_read(uint32_t at)
{
	uint8_t same = 0xff;

	for (unsigned n = 0; n < VGA_PLANES; n++) {
		model_latch[n] = model[n][at];
		if (g(VGA_GC_CARE) >> n & 1)
			same &= g(VGA_GC_COMPARE) >> n & 1 ? model[n][at] : (uint8_t)~model[n][at];
	}
	return g(VGA_GC_MODE) & 8 ? same : model[g(VGA_GC_READ_MAP)][at];
}

static void as_the_model_does(void **state)
{
	uint64_t seed = 1;

	(void)state;
	planar();
	memset(model, 0, sizeof(model));
	memset(model_latch, 0, sizeof(model_latch));
	for (unsigned n = 0; n < 400000; n++) {
		uint32_t r = pc_random(&seed), at = r >> 4 & 15;
		uint8_t value = (uint8_t)(r >> 16);

		switch (r % 8) {
		case 0:
			if ((r >> 8) % VGA_GC_COUNT != VGA_GC_MISC)
				gc((r >> 8) % VGA_GC_COUNT, (r >> 8) % VGA_GC_COUNT == VGA_GC_MODE ? value & 0x0b :
				   value);
			break;
		case 1: seq(VGA_SEQ_MAP_MASK, value); break;
		case 2: case 3: assert_int_equal(rd(at), model_read(at)); break;
		default:
			wr(at, value);
			model_write(at, value);
			break;
		}
		for (unsigned p = 0; p < VGA_PLANES; p++)
			assert_int_equal(plane(p, at), model[p][at]);
	}
}

static void what_was_touched(void **state)
{
	(void)state;
	planar();
	memset(vga.touched, 0, sizeof(vga.touched));
	wr(0x3ff, 1);
	assert_true(vga.touched[0] && !vga.touched[1]);
	wr(0x400, 1);
	assert_true(vga.touched[1] && !vga.touched[2]);
	seq(VGA_SEQ_MEMORY, 0x0e);
	seq(VGA_SEQ_MAP_MASK, 0x07);
	wr(0x2000, 1);
	assert_true(vga.touched[2]);
	vga_linear.write(&vga, 0x4ffe, 4, 0);
	assert_true(vga.touched[4] && vga.touched[5] && !vga.touched[6]);
}

/* VG1: the last bank at the aperture, and an address beyond its end; then a line that begins before the
 * memory's end. */
static void nothing_beyond(void **state)
{
	const uint32_t *behind = memory + BYTES / 4;
	uint32_t line[64];
	struct vga_picture p = { .kind = VGA_HIGH, .width = 64, .height = 1, .bits = 32, .start = BYTES - 64 };

	(void)state;
	planar();
	outw(pc, DISPI_INDEX, DISPI_ENABLE);
	outw(pc, DISPI_DATA, DISPI_ENABLED | DISPI_NO_CLEAR);
	outw(pc, DISPI_INDEX, DISPI_BANK);
	outw(pc, DISPI_DATA, BYTES / VGA_BANK - 1);
	gc(VGA_GC_MISC, 0x01); /* 128 KBytes */
	wr(0x10064, 0x12);
	assert_int_equal(memory[0xc064], 0x12121212);
	seq(VGA_SEQ_MEMORY, VGA_MEMORY_CHAIN4);
	wr(0x10064, 0x34);
	assert_int_equal(((uint8_t *)memory)[0x64], 0x34);
	assert_int_equal(rd(0x10064), 0x34);
	for (unsigned n = 0; n < BYTES / 4; n++)
		assert_int_equal(behind[n], 0);
	memory[BYTES / 4 - 1] = 0xffffff;
	vga_picture_line(&vga, &p, 0, line);
	assert_int_equal(line[15], 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		VGA_TEST(write_mode_0), VGA_TEST(latches), VGA_TEST(write_modes), VGA_TEST(read_modes),
		VGA_TEST(odd_and_even), VGA_TEST(chain_4), VGA_TEST(windows), VGA_TEST(as_the_model_does),
		VGA_TEST(what_was_touched), VGA_TEST(nothing_beyond),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
