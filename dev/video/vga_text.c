/* dev/video/vga_text.c - the registers of a text screen, as a VGA BIOS leaves them in video mode 3: 80 columns
 * of 25 lines, 9 by 16 dots, 16 colours. */
#include "dev/video/vga.h"
#include "lib/mutants/mutate.h"

/* Of a colour's six bits: two thirds of its intensity, and one. */
#define DAC_STRONG 0x2a
#define DAC_WEAK 0x15
#define DAC_COLOURS 64u

static uint8_t dac_part(unsigned colour, unsigned bit)
{
	return (uint8_t)((colour & 1u << bit ? DAC_STRONG : 0) + (colour & 8u << bit ? DAC_WEAK : 0));
}

/* The 64 colours that an attribute's six bits can say: red, green, blue, and the weak of each. */
static void set_colours(struct vga *v)
{
	for (unsigned colour = 0; colour < DAC_COLOURS; colour++) {
		v->palette[colour][0] = dac_part(colour, 2);
		v->palette[colour][1] = dac_part(colour, 1);
		v->palette[colour][2] = dac_part(colour, 0);
	}
}

static void set_mode_3(struct vga *v)
{
	static const uint8_t sequencer[VGA_SEQ_COUNT] = { 0x03, 0x00, 0x03, 0x00, 0x02 };
	static const uint8_t graphics[VGA_GC_COUNT] = { 0x00, 0x00, 0x00, 0x00, 0x00, 0x10, 0x0e, 0x0f, 0xff };
	static const uint8_t crtc[VGA_CRTC_COUNT] = { 0x5f, 0x4f, 0x50, 0x82, 0x55, 0x81, 0xbf, 0x1f, 0x00,
						      0x4f, 0x0d, 0x0e, 0x00, 0x00, 0x00, 0x00, 0x9c, 0x0e,
						      0x8f, 0x28, 0x1f, 0x96, 0xb9, 0xa3, 0xff };
	static const uint8_t attribute[VGA_ATTR_COUNT] = { 0x00, 0x01, 0x02, 0x03, 0x04, 0x05, 0x14,
							   0x07, 0x38, 0x39, 0x3a, 0x3b, 0x3c, 0x3d,
							   0x3e, 0x3f, 0x0c, 0x00, 0x0f, 0x08, 0x00 };

	v->misc = 0x67;
	memcpy(v->sequencer, sequencer, sizeof(sequencer));
	memcpy(v->graphics, graphics, sizeof(graphics));
	memcpy(v->crtc, crtc, sizeof(crtc));
	VM_MUTANT(TEXT_PROTECT, v->crtc[VGA_CRTC_RETRACE_END] |= VGA_CRTC_PROTECT);
	memcpy(v->attribute, attribute, sizeof(attribute));
	v->attribute_index = VGA_ATTRIBUTE_SHOW;
	set_colours(v);
	vga_update(v);
}

bool vga_text_init(struct vga *v, struct pio_space *pio, struct timers *timers)
{
	*v = (struct vga){ .timers = timers };
	vga_reset(v);
	set_mode_3(v);
	return vga_add_ports(v, pio);
}
