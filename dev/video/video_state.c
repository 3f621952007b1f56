/* dev/video/video_state.c - what a snapshot holds of a VGA's registers; its memory is told as memory is. They are read
 * by writing them, as a guest would: so bits that there are not stay away, and what follows from them follows. */
#include "dev/video/vga.h"
#include "lib/mutants/mutate.h"

static void write_indexed(struct vga *v, uint16_t port, const uint8_t *values, unsigned count)
{
	for (unsigned n = 0; n < count; n++) {
		vga_port_write(v, port, (uint8_t)n);
		vga_port_write(v, (uint16_t)(port + 1), values[n]);
	}
}

/* As they are read. */
struct registers {
	uint8_t misc, feature;
	uint8_t sequencer_index, graphics_index, crtc_index, attribute_index;
	bool attribute_data;
	uint8_t sequencer[VGA_SEQ_COUNT], graphics[VGA_GC_COUNT], crtc[VGA_CRTC_COUNT], attribute[VGA_ATTR_COUNT];
};

static void put_registers(struct vga *v, const struct registers *read)
{
	uint16_t crtc = read->misc & VGA_MISC_COLOUR ? VGA_CRTC : VGA_CRTC_MONO;

	vga_port_write(v, VGA_MISC_WRITE, read->misc);
	vga_port_write(v, (uint16_t)(crtc + 6), read->feature); /* VGA_STATUS */
	write_indexed(v, VGA_SEQUENCER, read->sequencer, VGA_SEQ_COUNT);
	write_indexed(v, VGA_GRAPHICS, read->graphics, VGA_GC_COUNT);
	v->crtc[VGA_CRTC_RETRACE_END] = 0; /* nothing is protected */
	write_indexed(v, crtc, read->crtc, VGA_CRTC_COUNT);
	for (unsigned n = 0; n < VGA_ATTR_COUNT; n++)
		v->attribute[n] = n < VGA_ATTR_MODE ? read->attribute[n] & 0x3f : read->attribute[n];
	v->sequencer_index = read->sequencer_index & 7;
	v->graphics_index = read->graphics_index & 0xf;
	v->crtc_index = read->crtc_index;
	v->attribute_index = read->attribute_index & 0x3f;
	v->attribute_data = read->attribute_data;
	vga_update(v);
}

static void palette_state(struct fields *s, struct vga *v)
{
	state_u8(s, &v->dac_mask);
	state_u8(s, &v->dac_read);
	state_u8(s, &v->dac_write);
	state_u8(s, &v->dac_part);
	state_bytes(s, v->dac_new, sizeof(v->dac_new));
	state_bool(s, &v->dac_reading);
	state_bytes(s, v->palette, sizeof(v->palette));
	state_u32(s, &v->latch);
	state_check(s, VM_LEFT_OUT_OR(STATE_VGA_PART, v->dac_part < 3), "a colour has more parts than three");
}

/* All but the display interface's. */
static void registers_state(struct fields *s, struct vga *v)
{
	struct registers r = { .misc = v->misc, .feature = v->feature, .sequencer_index = v->sequencer_index,
			       .graphics_index = v->graphics_index, .crtc_index = v->crtc_index,
			       .attribute_index = v->attribute_index, .attribute_data = v->attribute_data };

	memcpy(r.sequencer, v->sequencer, sizeof(r.sequencer));
	memcpy(r.graphics, v->graphics, sizeof(r.graphics));
	memcpy(r.crtc, v->crtc, sizeof(r.crtc));
	memcpy(r.attribute, v->attribute, sizeof(r.attribute));
	state_u8(s, &r.misc);
	state_u8(s, &r.feature);
	state_u8(s, &r.sequencer_index);
	state_bytes(s, r.sequencer, sizeof(r.sequencer));
	state_u8(s, &r.graphics_index);
	state_bytes(s, r.graphics, sizeof(r.graphics));
	state_u8(s, &r.crtc_index);
	state_bytes(s, r.crtc, sizeof(r.crtc));
	state_u8(s, &r.attribute_index);
	state_bool(s, &r.attribute_data);
	state_bytes(s, r.attribute, sizeof(r.attribute));
	palette_state(s, v);
	if (s->load && !s->bad)
		put_registers(v, &r);
}

void vga_text_state(struct fields *s, struct vga *v)
{
	state_begin(s, "vga", 1);
	registers_state(s, v);
	state_end(s);
}

void vga_state(struct fields *s, struct vga *v)
{
	uint16_t dispi[DISPI_COUNT];

	memcpy(dispi, v->dispi, sizeof(dispi));
	state_begin(s, "display", 1);
	state_same(s, v->doublewords, "its display has another amount of memory");
	state_u16(s, &v->dispi_index);
	for (unsigned n = 0; n < DISPI_COUNT; n++)
		state_u16(s, &dispi[n]);
	if (state_check(s, dispi_possible(v, dispi), "the display interface has a mode that it refuses") && s->load)
		memcpy(v->dispi, dispi, sizeof(dispi));
	registers_state(s, v);
	state_end(s);
}
