/* The text screen that a kernel finds where there is no display (dev/video/vga_text.c): what a VGA BIOS leaves. */
#include "test/unit/dev/fixture.h"

#include "dev/video/vga.h"

static struct vga text;

static unsigned regions; /* of MMIO, without it */

static int setup_text(void **state)
{
	setup(state);
	regions = pc->mmio.count;
	assert_true(vga_text_init(&text, &pc->pio, &pc->timers));
	return 0;
}

static uint8_t crtc(uint8_t index)
{
	outb(pc, VGA_CRTC, index);
	return inb(pc, VGA_CRTC + 1);
}

static void set_crtc(uint8_t index, uint8_t value)
{
	outb(pc, VGA_CRTC, index);
	outb(pc, VGA_CRTC + 1, value);
}

/* What consoles of small kernels live by. */
static void test_cursor(void **state)
{
	(void)state;
	assert_int_equal(crtc(VGA_CRTC_CURSOR_HIGH), 0);
	assert_int_equal(crtc(VGA_CRTC_CURSOR_LOW), 0);
	for (unsigned at = 0; at < 0x10000; at += 251) {
		set_crtc(VGA_CRTC_CURSOR_HIGH, (uint8_t)(at >> 8));
		set_crtc(VGA_CRTC_CURSOR_LOW, (uint8_t)at);
		assert_int_equal(crtc(VGA_CRTC_CURSOR_HIGH), at >> 8);
		assert_int_equal(crtc(VGA_CRTC_CURSOR_LOW), at & 0xff);
		assert_int_equal(inb(pc, VGA_CRTC), VGA_CRTC_CURSOR_LOW);
	}
	outw(pc, VGA_CRTC, VGA_CURSOR_OFF << 8 | VGA_CRTC_CURSOR_START);
	assert_int_equal(crtc(VGA_CRTC_CURSOR_START), VGA_CURSOR_OFF);
	set_crtc(VGA_CRTC_COUNT, 1); /* there is none */
	assert_int_equal(crtc(VGA_CRTC_COUNT), 0);
}

static void test_mode_3(void **state)
{
	struct vga_picture p;

	(void)state;
	assert_int_equal(inb(pc, VGA_MISC_READ), 0x67);
	vga_picture(&text, &p);
	assert_int_equal(p.kind, VGA_TEXT);
	assert_int_equal(p.width, 720);
	assert_int_equal(p.height, 400);
	assert_int_equal(p.cell_width, 9);
	assert_int_equal(p.cell_height, 16);
	/* The timing is protected. */
	set_crtc(VGA_CRTC_SHOWN, 0x27);
	assert_int_equal(crtc(VGA_CRTC_SHOWN), 0x4f);
	/* Light grey, as attribute 7 has it, and brown. */
	outb(pc, VGA_DAC_READ, 0x07);
	for (unsigned n = 0; n < 3; n++)
		assert_int_equal(inb(pc, VGA_DAC_DATA), 0x2a);
	outb(pc, VGA_DAC_READ, 0x14);
	assert_int_equal(inb(pc, VGA_DAC_DATA), 0x2a);
	assert_int_equal(inb(pc, VGA_DAC_DATA), 0x15);
	assert_int_equal(inb(pc, VGA_DAC_DATA), 0x00);
	inb(pc, VGA_STATUS);
	outb(pc, VGA_ATTRIBUTE, VGA_ATTRIBUTE_SHOW | 6);
	assert_int_equal(inb(pc, VGA_ATTRIBUTE_READ), 0x14);
}

/* Who waits for the retrace goes on. */
static void test_status(void **state)
{
	unsigned seen = 0;

	(void)state;
	for (unsigned n = 0; n < 2000; n++) {
		seen |= 1u << (inb(pc, VGA_STATUS) & (VGA_STATUS_RETRACE | VGA_STATUS_BLANK));
		pc_advance_us(pc, 10);
	}
	assert_true(seen & 1u << 0);
	assert_true(seen & 1u << VGA_STATUS_BLANK);
	assert_true(seen & 1u << (VGA_STATUS_RETRACE | VGA_STATUS_BLANK));
}

/* It has no memory: whatever the registers say, nothing is read or written there. */
static void test_no_memory(void **state)
{
	(void)state;
	for (unsigned port = VGA_PORTS; port < VGA_PORTS_END; port++)
		for (unsigned value = 0; value < 256; value++) {
			outb(pc, (uint16_t)port, (uint8_t)value), inb(pc, (uint16_t)port);
		}
	assert_null(text.memory);
	assert_int_equal(pc->mmio.count, regions);
	assert_int_equal(inw(pc, DISPI_DATA), 0xffff);
	/* A second one has no ports. */
	assert_false(vga_text_init(&(struct vga){ 0 }, &pc->pio, &pc->timers));
}

/* A snapshot has all of its registers; those that are read are what a guest could have written. */
static void test_snapshot(void **state)
{
	static uint8_t before[4096], after[4096];
	uint64_t seed = 7;
	struct fields s;
	size_t size;

	(void)state;
	for (unsigned n = 0; n < 20; n++) {
		for (unsigned i = 0; i < 500; i++)
			outb(pc, (uint16_t)(VGA_PORTS + pc_random(&seed) % (VGA_PORTS_END - VGA_PORTS)),
			     (uint8_t)(pc_random(&seed) >> 9));
		state_save(&s, before, sizeof(before));
		vga_text_state(&s, &text);
		size = s.at;
		for (unsigned i = 0; i < 500; i++)
			outb(pc, (uint16_t)(VGA_PORTS + pc_random(&seed) % (VGA_PORTS_END - VGA_PORTS)),
			     (uint8_t)(pc_random(&seed) >> 9));
		state_load(&s, before, size, 0);
		vga_text_state(&s, &text);
		assert_false(s.bad);
		state_save(&s, after, sizeof(after));
		vga_text_state(&s, &text);
		assert_int_equal(s.at, size);
		assert_memory_equal(before, after, size);
	}
	text.dac_part = 3;
	state_save(&s, before, sizeof(before));
	vga_text_state(&s, &text);
	state_load(&s, before, s.at, 0);
	vga_text_state(&s, &text);
	assert_true(s.bad);
}

#define T(f) PC_TEST(f, setup_text)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(test_cursor), T(test_mode_3), T(test_status), T(test_no_memory), T(test_snapshot),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
