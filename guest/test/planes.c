/* 32 bits: the display's planes. Mode 12h, then accesses of all kinds with random registers, each beside a plain
 * model of one plane at a time; text and 256 colours read back; the same on the bare machine. What is on the screen at
 * the end is for who looks: bars of 16 colours. stay: it waits for that. bench: what accesses cost, in ticks. */
#include "guest/test/base/pc.h"
#include "guest/test/base/rt.h"

#include "guest/test/base/bench.h"
#include "lib/vga.h"
#include "lib/xorshift.h"

const char test_name[] = "planes";

#define WINDOW 256u /* offsets that the accesses are at */
#define LINE_BYTES 80u
#define LINES 480u

static volatile uint8_t *const screen = (volatile uint8_t *)VGA_APERTURE;
static uint8_t model[4][WINDOW + 8], latch[4];
static uint8_t graphics[VGA_GC_COUNT], map_mask;
static uint64_t seed = 88172645463325252;

static unsigned below(unsigned n) { return (unsigned)(xorshift(&seed) >> 33) % n; }

/* ---- registers ---- */

static void indexed(uint16_t port, uint8_t index, uint8_t value)
{
	outw(port, (uint16_t)(value << 8 | index));
}

static void gc(uint8_t index, uint8_t value)
{
	static const uint8_t bits[VGA_GC_COUNT] = { 15, 15, 15, 31, 3, 0x0b, 15, 15, 255 };

	graphics[index] = index == VGA_GC_MISC ? value : value & bits[index];
	indexed(VGA_GRAPHICS, index, graphics[index]);
}

static void set_map_mask(uint8_t value)
{
	map_mask = value & 15;
	indexed(VGA_SEQUENCER, VGA_SEQ_MAP_MASK, map_mask);
}

/* The timing of 640 by 480, as IBM's BIOS has it. */
static void mode_12h(void)
{
	static const uint8_t crtc[VGA_CRTC_COUNT] = {
		0x5f, 0x4f, 0x50, 0x82, 0x54, 0x80, 0x0b, 0x3e, 0x00, 0x40, 0x00, 0x00, 0x00,
		0x00, 0x00, 0x00, 0xea, 0x8c, 0xdf, 0x28, 0x00, 0xe7, 0x04, 0xe3, 0xff };

	outb(VGA_MISC_WRITE, 0xe3);
	indexed(VGA_SEQUENCER, VGA_SEQ_RESET, 1);
	indexed(VGA_SEQUENCER, VGA_SEQ_CLOCKING, 1);
	set_map_mask(15);
	indexed(VGA_SEQUENCER, VGA_SEQ_FONTS, 0);
	indexed(VGA_SEQUENCER, VGA_SEQ_MEMORY, 6);
	indexed(VGA_SEQUENCER, VGA_SEQ_RESET, 3);
	indexed(VGA_CRTC, VGA_CRTC_RETRACE_END, 0);
	for (unsigned n = 0; n < sizeof(crtc); n++)
		indexed(VGA_CRTC, (uint8_t)n, crtc[n]);
	for (unsigned n = 0; n < VGA_GC_COUNT; n++)
		gc((uint8_t)n, n == VGA_GC_MISC ? 5 : n == VGA_GC_CARE ? 15 : n == VGA_GC_BIT_MASK ? 255 : 0);
	inb(VGA_STATUS);
	for (unsigned n = 0; n < VGA_ATTR_COUNT; n++) {
		outb(VGA_ATTRIBUTE, (uint8_t)n);
		outb(VGA_ATTRIBUTE, (uint8_t)(n < 16 ? n : n == VGA_ATTR_MODE ? 1 : n == VGA_ATTR_PLANES ? 15 : 0));
	}
	outb(VGA_ATTRIBUTE, VGA_ATTRIBUTE_SHOW);
	outb(VGA_DAC_MASK, 0xff);
	outb(VGA_DAC_WRITE, 0);
	for (unsigned n = 0; n < 16; n++) {
		unsigned on = n & 8 ? 63 : 42;

		outb(VGA_DAC_DATA, (uint8_t)(n & 4 ? on : n & 8 ? 21 : 0));
		outb(VGA_DAC_DATA, (uint8_t)(n & 2 ? on : n & 8 ? 21 : 0));
		outb(VGA_DAC_DATA, (uint8_t)(n & 1 ? on : n & 8 ? 21 : 0));
	}
}

/* ---- the model ---- */

static uint8_t combined(uint8_t data, uint8_t with)
{
	switch (graphics[VGA_GC_ROTATE] >> VGA_ROTATE_FUNCTION_SHIFT) {
	case VGA_AND: return data & with;
	case VGA_OR: return data | with;
	case VGA_XOR: return data ^ with;
	default: return data;
	}
}

static void model_write(unsigned at, uint8_t value)
{
	unsigned mode = graphics[VGA_GC_MODE] & VGA_MODE_WRITE, count = graphics[VGA_GC_ROTATE] & VGA_ROTATE_COUNT;
	uint8_t turned = (uint8_t)(value >> count | value << (8 - count));

	for (unsigned n = 0; n < 4; n++) {
		uint8_t set = graphics[VGA_GC_SET_RESET] >> n & 1 ? 0xff : 0, mask = graphics[VGA_GC_BIT_MASK];
		uint8_t data = mode == 2 ? (value >> n & 1 ? 0xff : 0) : mode == 3 ? set : turned;

		if (!(map_mask >> n & 1))
			continue;
		if (mode == 0 && (graphics[VGA_GC_ENABLE_SET_RESET] >> n & 1))
			data = set;
		if (mode == 3)
			mask &= turned;
		data = combined(data, latch[n]);
		model[n][at] = mode == 1 ? latch[n] : (uint8_t)((data & mask) | (latch[n] & ~mask));
	}
}

static uint8_t model_read(unsigned at)
{
	uint8_t same = 0xff;

	for (unsigned n = 0; n < 4; n++) {
		latch[n] = model[n][at];
		if (graphics[VGA_GC_CARE] >> n & 1)
			same &= graphics[VGA_GC_COMPARE] >> n & 1 ? latch[n] : (uint8_t)~latch[n];
	}
	return graphics[VGA_GC_MODE] & VGA_MODE_COMPARE ? same : model[graphics[VGA_GC_READ_MAP]][at];
}

/* ---- accesses ---- */

static void write_some(unsigned at)
{
	uint32_t value = (uint32_t)xorshift(&seed);
	unsigned size = 1u << below(3);

	for (unsigned n = 0; n < size; n++)
		model_write(at + n, (uint8_t)(value >> 8 * n));
	if (size == 1)
		screen[at] = (uint8_t)value;
	else if (size == 2)
		*(volatile uint16_t *)(screen + at) = (uint16_t)value;
	else
		*(volatile uint32_t *)(screen + at) = value;
}

static void read_some(unsigned at)
{
	uint8_t wanted = model_read(at), got = screen[at];

	CHECK(got == wanted, "offset %u reads 0x%x, not 0x%x; mode 0x%x, map %u", at, got, wanted,
	      graphics[VGA_GC_MODE], graphics[VGA_GC_READ_MAP]);
}

static void fill_some(unsigned at)
{
	unsigned count = 1 + below(WINDOW - at);
	uint8_t value = (uint8_t)xorshift(&seed);
	volatile uint8_t *to = screen + at;

	for (unsigned n = 0; n < count; n++)
		model_write(at + n, value);
	__asm__ volatile("rep stosb" : "+D"(to), "+c"(count) : "a"(value) : "memory");
}

/* Within the screen, forwards or backwards: each byte is read into the latches and written from them or not. */
static void copy_some(unsigned at)
{
	unsigned from = below(WINDOW), most = WINDOW - (at > from ? at : from), count = 1 + below(most), n;
	bool down = below(2);
	volatile uint8_t *source = screen + from, *to = screen + at;

	if (down) {
		source += count - 1;
		to += count - 1;
	}
	for (n = 0; n < count; n++) {
		unsigned i = down ? count - 1 - n : n;

		model_write(at + i, model_read(from + i));
	}
	if (down)
		__asm__ volatile("std; rep movsb; cld" : "+D"(to), "+S"(source), "+c"(count) : : "memory");
	else
		__asm__ volatile("rep movsb" : "+D"(to), "+S"(source), "+c"(count) : : "memory");
}

/* From memory and to it. */
static void copy_out_and_in(unsigned at)
{
	static uint8_t memory[WINDOW];
	unsigned count = 1 + below(WINDOW - at), left = count;
	volatile uint8_t *from = screen + at, *to = screen + at;
	uint8_t *p = memory;

	__asm__ volatile("rep movsb" : "+D"(p), "+S"(from), "+c"(left) : : "memory");
	for (unsigned n = 0; n < count; n++) {
		uint8_t wanted = model_read(at + n);

		CHECK(memory[n] == wanted, "offset %u is copied as 0x%x, not 0x%x", at + n, memory[n], wanted);
		memory[n] = (uint8_t)xorshift(&seed);
	}
	for (unsigned n = 0; n < count; n++)
		model_write(at + n, memory[n]);
	p = memory;
	left = count;
	__asm__ volatile("rep movsb" : "+D"(to), "+S"(p), "+c"(left) : : "memory");
}

static void one_step(void)
{
	unsigned at = below(WINDOW), index;

	switch (below(16)) {
	case 0: case 1:
		index = below(VGA_GC_COUNT);
		if (index != VGA_GC_MISC)
			gc((uint8_t)index, (uint8_t)xorshift(&seed));
		break;
	case 2: set_map_mask((uint8_t)xorshift(&seed)); break;
	case 3: fill_some(at); break;
	case 4: copy_some(at); break;
	case 5: copy_out_and_in(at); break;
	case 6: case 7: case 8: case 9: read_some(at); break;
	default: write_some(at); break;
	}
}

static uint32_t checksum(void)
{
	uint32_t sum = 0;

	gc(VGA_GC_MODE, 0);
	for (unsigned n = 0; n < 4; n++) {
		gc(VGA_GC_READ_MAP, (uint8_t)n);
		for (unsigned at = 0; at < WINDOW; at++) {
			uint8_t byte = screen[at];

			CHECK(byte == model[n][at], "plane %u, offset %u holds 0x%x, not 0x%x", n, at, byte,
			      model[n][at]);
			sum = (sum << 5 | sum >> 27) ^ byte;
		}
	}
	return sum;
}

/* ---- other modes ---- */

static void test_text(void)
{
	volatile uint16_t *text = (volatile uint16_t *)VGA_TEXT_APERTURE;

	indexed(VGA_SEQUENCER, VGA_SEQ_MEMORY, 2);
	set_map_mask(3);
	gc(VGA_GC_READ_MAP, 0);
	indexed(VGA_GRAPHICS, VGA_GC_MODE, VGA_MODE_ODD_EVEN);
	gc(VGA_GC_MISC, 0x0e);
	gc(VGA_GC_ENABLE_SET_RESET, 0);
	gc(VGA_GC_ROTATE, 0);
	gc(VGA_GC_BIT_MASK, 0xff);
	for (unsigned n = 0; n < 2000; n++)
		text[n] = (uint16_t)(n * 7);
	for (unsigned n = 0; n < 2000; n++)
		CHECK(text[n] == (uint16_t)(n * 7), "cell %u reads 0x%x", n, text[n]);
	CHECK(screen[0] == 0xff, "0xa0000 reads 0x%x in text modes", screen[0]);
}

static void test_chain4(void)
{
	volatile uint32_t *at = (volatile uint32_t *)VGA_APERTURE;

	indexed(VGA_SEQUENCER, VGA_SEQ_MEMORY, 0x0e);
	set_map_mask(15);
	indexed(VGA_GRAPHICS, VGA_GC_MODE, 0x40);
	gc(VGA_GC_MISC, 5);
	for (unsigned n = 0; n < 16000; n++)
		at[n] = n * 2654435761u;
	for (unsigned n = 0; n < 16000; n++)
		CHECK(at[n] == n * 2654435761u, "doubleword %u reads 0x%x", n, at[n]);
}

/* Bars of all colours, for a screenshot. */
static void bars(void)
{
	mode_12h();
	gc(VGA_GC_ENABLE_SET_RESET, 15);
	for (unsigned line = 0; line < LINES; line++) {
		volatile uint8_t *to = screen + line * LINE_BYTES;
		unsigned count = LINE_BYTES;

		gc(VGA_GC_SET_RESET, (uint8_t)(line / 30));
		__asm__ volatile("rep stosb" : "+D"(to), "+c"(count) : "a"(0) : "memory");
	}
}

/* ---- what it costs ---- */

#define SAMPLES 200u
static uint32_t sample[SAMPLES];

static inline uint32_t ticks_of(unsigned what)
{
	static uint8_t memory[LINE_BYTES];
	unsigned count = LINE_BYTES;
	volatile uint8_t *to = screen, *from = what == 3 ? screen + LINE_BYTES : memory;
	uint64_t start = rdtsc();

	if (what == 0)
		__asm__ volatile("movb %b1, (%0)" : : "r"(to), "q"(count) : "memory");
	else if (what == 1)
		__asm__ volatile("movb (%1), %b0" : "=q"(count) : "r"(to) : "memory");
	else if (what == 2)
		__asm__ volatile("rep stosb" : "+D"(to), "+c"(count) : "a"(0x55) : "memory");
	else if (what < 5)
		__asm__ volatile("rep movsb" : "+D"(to), "+S"(from), "+c"(count) : : "memory");
	return (uint32_t)(rdtsc() - start);
}

static void bench(void)
{
	static const char *const names[] = {
		"vga_byte_write", "vga_byte_read", "vga_stosb_line", "vga_movsb_line_within", "vga_movsb_line_to" };

	mode_12h();
	for (unsigned what = 0; what < sizeof(names) / sizeof(*names); what++) {
		for (unsigned n = 0; n < SAMPLES; n++)
			sample[n] = ticks_of(what);
		bench_line(names[what], sample, SAMPLES, 0);
	}
}

void test_main(void)
{
	unsigned steps = parameter_number("steps", 20000);

	if (parameter("bench")) {
		bench();
		CHECK(true, "measured");
		return;
	}
	mode_12h();
	for (unsigned n = 0; n < WINDOW + 8; n++)
		screen[n] = 0;
	for (unsigned n = 0; n < steps; n++)
		one_step();
	print("planes: checksum 0x%x after %u steps\n", checksum(), steps);
	test_text();
	test_chain4();
	bars();
	print("planes: drawn\n");
	if (parameter("stay"))
		for (;;)
			__asm__ volatile("pause");
}
