/* dev/video/vga.c - its registers at 0x3b0 to 0x3df, by their names in IBM's VGA reference: the general ones, those of
 * sequencer, CRT controller, graphics controller and attribute controller, and the digital-to-analog converter's. */
#include "dev/video/vga.h"
#include "dev/bus/bytes.h"
#include "lib/mutants/mutate.h"

/* Of the clock's time, a frame: 70 in a second of 449 lines, of which 400 are shown; of a line four fifths are. */
#define FRAMES 70u
#define LINES 449u
#define LINES_SHOWN 400u
#define RETRACE_FIRST 412u
#define RETRACE_LAST 414u

/* A bit for each of four planes, to all bits of their bytes. */
static uint32_t spread(unsigned planes)
{
	uint32_t mask = 0;

	for (unsigned n = 0; n < VGA_PLANES; n++)
		if (planes & 1u << n)
			mask |= 0xffu << 8 * n;
	return mask;
}

/* ---- what follows from the registers ---- */

/* The graphics controller's Miscellaneous register. */
static void update_window(struct vga *v)
{
	static const struct { uint32_t base, size; } maps[] = {
		{ 0, VGA_APERTURE_SIZE }, { 0, VGA_BANK }, { 0x10000, 0x8000 }, { 0x18000, 0x8000 } };
	unsigned map = v->graphics[VGA_GC_MISC] >> VGA_GC_MISC_MAP_SHIFT & 3;

	v->window_base = maps[map].base;
	v->window_size = v->misc & VGA_MISC_MEMORY ? maps[map].size : 0;
}

static enum vga_plain plain_now(const struct vga *v)
{
	if (VM_KEPT(VGA_ONE_PLACE, dispi_enabled(v) && (v->dispi[DISPI_ENABLE] & DISPI_LFB)))
		return VGA_PLAIN_LFB;
	if (!(v->sequencer[VGA_SEQ_MEMORY] & VGA_MEMORY_CHAIN4) || VM_KEPT(VGA_ALL_PLANES, v->map_mask != ~0u) ||
	    VM_KEPT(VGA_AT_APERTURE, v->window_size < VGA_BANK)) /* windows elsewhere are smaller */
		return VGA_PLAIN_NOWHERE;
	return VGA_PLAIN_APERTURE;
}

void vga_update(struct vga *v)
{
	enum vga_plain plain;
	uint32_t offset = dispi_enabled(v) ? v->dispi[DISPI_BANK] * VGA_BANK : 0;

	v->map_mask = spread(v->sequencer[VGA_SEQ_MAP_MASK]);
	v->set_reset = spread(v->graphics[VGA_GC_SET_RESET]);
	v->enable_set_reset = spread(v->graphics[VGA_GC_ENABLE_SET_RESET]);
	v->bit_mask = v->graphics[VGA_GC_BIT_MASK] * EACH_PLANE;
	update_window(v);
	v->changed = true;
	plain = plain_now(v);
	offset &= v->doublewords * VGA_PLANES - 1;
	v->planes_mask = dispi_enabled(v) ? v->doublewords - 1 : 0xffff;
	v->planes_offset = offset / VGA_PLANES;
	if (plain == v->plain && VM_LEFT_OUT_OR(VGA_BANK_MOVES, offset == v->plain_offset))
		return;
	v->plain = plain;
	v->plain_offset = offset;
	if (v->plain_changed)
		v->plain_changed(v->ctx);
}

/* ---- status ---- */

static uint8_t status(struct vga *v)
{
	uint64_t frame = v->timers->tsc_hz / FRAMES + 1, at = timers_now(v->timers) % frame * LINES;
	uint64_t line = at / frame, in_line = at % frame;
	uint8_t value = 0;

	v->attribute_data = false;
	if (line >= LINES_SHOWN || in_line > frame / 5 * 4)
		value |= VGA_STATUS_BLANK;
	if (line >= RETRACE_FIRST && line < RETRACE_LAST)
		value |= VGA_STATUS_RETRACE;
	return value;
}

/* ---- the palette ---- */

static uint8_t dac_bits(const struct vga *v)
{
	return dispi_enabled(v) && (v->dispi[DISPI_ENABLE] & DISPI_8BIT_DAC) ? 0xff : 0x3f;
}

static uint8_t dac_data_read(struct vga *v)
{
	uint8_t value = v->palette[v->dac_read][v->dac_part] & dac_bits(v);

	v->dac_part = (v->dac_part + 1) % 3;
	if (!v->dac_part)
		v->dac_read++;
	return value;
}

/* All three parts of a colour change at once, with the third write to the DAC Data register. */
static void dac_data_write(struct vga *v, uint8_t value)
{
	v->dac_new[v->dac_part] = value & dac_bits(v);
	v->dac_part = (v->dac_part + 1) % 3;
	if (v->dac_part)
		return;
	memcpy(v->palette[v->dac_write++], v->dac_new, sizeof(v->dac_new));
	v->changed = true;
}

static void dac_index(struct vga *v, uint8_t value, bool reading)
{
	v->dac_reading = reading;
	v->dac_part = 0;
	if (reading)
		v->dac_read = value;
	else
		v->dac_write = value;
}

/* ---- registers with an index ---- */

static uint8_t indexed_read(const uint8_t *registers, unsigned count, uint8_t index)
{
	return index < count ? registers[index] : 0;
}

static void indexed_write(struct vga *v, uint8_t *registers, unsigned count, const uint8_t *bits, uint8_t index,
			  uint8_t value)
{
	if (index >= count)
		return;
	registers[index] = value & bits[index];
	vga_update(v);
}

static void sequencer_write(struct vga *v, uint8_t value)
{
	static const uint8_t bits[VGA_SEQ_COUNT] = { 0x03, 0x3d, 0x0f, 0x3f, 0x0e };

	indexed_write(v, v->sequencer, VGA_SEQ_COUNT, bits, v->sequencer_index, value);
}

static void graphics_write(struct vga *v, uint8_t value)
{
	static const uint8_t bits[VGA_GC_COUNT] = { 0x0f, 0x0f, 0x0f, 0x1f, 0x03, 0x7b, 0x0f, 0x0f, 0xff };

	indexed_write(v, v->graphics, VGA_GC_COUNT, bits, v->graphics_index, value);
}

/* Of what is protected the line compare's bit may be written: the Vertical Retrace End register's bit 7. */
static void crtc_write(struct vga *v, uint8_t value)
{
	uint8_t index = v->crtc_index;

	if (index >= VGA_CRTC_COUNT)
		return;
	if (index <= VGA_CRTC_OVERFLOW && (v->crtc[VGA_CRTC_RETRACE_END] & VGA_CRTC_PROTECT)) {
		if (index != VGA_CRTC_OVERFLOW)
			return;
		value = (uint8_t)((v->crtc[index] & ~VGA_OVERFLOW_LINE_COMPARE8) |
				  (value & VGA_OVERFLOW_LINE_COMPARE8));
	}
	v->crtc[index] = value;
	v->changed = true;
}

/* While the palette is the display's, the CPU cannot write it: bit 5 of the Attribute Address register. */
static void attribute_write(struct vga *v, uint8_t value)
{
	unsigned index = v->attribute_index & 0x1f;
	bool data = v->attribute_data;

	v->attribute_data = !data;
	if (!data) {
		v->attribute_index = value & 0x3f;
	} else if (index < VGA_ATTR_MODE) {
		if (!(v->attribute_index & VGA_ATTRIBUTE_SHOW))
			v->attribute[index] = value & 0x3f;
	} else if (index < VGA_ATTR_COUNT) {
		v->attribute[index] = value;
	}
	v->changed = true;
}

/* ---- ports ---- */

/* The CRTC and Input Status 1 are in one of two places: bit 0 of the Miscellaneous Output register. */
static bool elsewhere(const struct vga *v, uint16_t port)
{
	bool mono = port < VGA_ATTRIBUTE, colour = port >= VGA_CRTC;

	return v->misc & VGA_MISC_COLOUR ? mono : colour;
}

uint8_t vga_port_read(void *vga, uint16_t port)
{
	struct vga *v = vga;

	if (elsewhere(v, port))
		return 0xff;
	switch (port) {
	case VGA_ATTRIBUTE: return v->attribute_index;
	case VGA_ATTRIBUTE_READ: return indexed_read(v->attribute, VGA_ATTR_COUNT, v->attribute_index & 0x1f);
	case VGA_MISC_WRITE: return 0;
	case VGA_SEQUENCER: return v->sequencer_index;
	case VGA_SEQUENCER + 1: return indexed_read(v->sequencer, VGA_SEQ_COUNT, v->sequencer_index);
	case VGA_DAC_MASK: return v->dac_mask;
	case VGA_DAC_READ: return v->dac_reading ? 3 : 0;
	case VGA_DAC_WRITE: return v->dac_write;
	case VGA_DAC_DATA: return dac_data_read(v);
	case VGA_FEATURE_READ: return v->feature;
	case VGA_MISC_READ: return v->misc;
	case VGA_GRAPHICS: return v->graphics_index;
	case VGA_GRAPHICS + 1: return indexed_read(v->graphics, VGA_GC_COUNT, v->graphics_index);
	case VGA_CRTC_MONO: case VGA_CRTC: return v->crtc_index;
	case VGA_CRTC_MONO + 1: case VGA_CRTC + 1: return indexed_read(v->crtc, VGA_CRTC_COUNT, v->crtc_index);
	case VGA_STATUS_MONO: case VGA_STATUS: return status(v);
	default: return 0xff;
	}
}

void vga_port_write(void *vga, uint16_t port, uint8_t value)
{
	struct vga *v = vga;

	if (elsewhere(v, port))
		return;
	switch (port) {
	case VGA_ATTRIBUTE: attribute_write(v, value); break;
	case VGA_MISC_WRITE: v->misc = value; vga_update(v); break;
	case VGA_SEQUENCER: v->sequencer_index = value & 7; break;
	case VGA_SEQUENCER + 1: sequencer_write(v, value); break;
	case VGA_DAC_MASK: v->dac_mask = value; v->changed = true; break;
	case VGA_DAC_READ: dac_index(v, value, true); break;
	case VGA_DAC_WRITE: dac_index(v, value, false); break;
	case VGA_DAC_DATA: dac_data_write(v, value); break;
	case VGA_GRAPHICS: v->graphics_index = value & 0xf; break;
	case VGA_GRAPHICS + 1: graphics_write(v, value); break;
	case VGA_CRTC_MONO: case VGA_CRTC: v->crtc_index = value; break;
	case VGA_CRTC_MONO + 1: case VGA_CRTC + 1: crtc_write(v, value); break;
	case VGA_STATUS_MONO: case VGA_STATUS: v->feature = value & 0x18; break;
	default: break;
	}
}

BYTE_PORTS(vga_port)

/* The state in which a VGA BIOS finds it: nothing is shown, and its memory not seen. */
void vga_reset(struct vga *v)
{
	v->misc = v->feature = 0;
	v->sequencer_index = v->graphics_index = v->crtc_index = v->attribute_index = 0;
	v->attribute_data = v->dac_reading = false;
	memset(v->sequencer, 0, sizeof(v->sequencer));
	memset(v->graphics, 0, sizeof(v->graphics));
	memset(v->crtc, 0, sizeof(v->crtc));
	memset(v->attribute, 0, sizeof(v->attribute));
	memset(v->palette, 0, sizeof(v->palette));
	v->dac_mask = 0xff;
	v->dac_read = v->dac_write = v->dac_part = 0;
	v->latch = 0;
	dispi_reset(v);
	vga_update(v);
}

bool vga_add_ports(struct vga *v, struct pio_space *pio)
{
	static const struct pio_ops ports = { vga_port_in, vga_port_out };

	return pio_add(pio, VGA_PORTS, VGA_PORTS_END - VGA_PORTS, &ports, v);
}

bool vga_init(struct vga *v, struct pio_space *pio, struct mmio_space *mmio, struct timers *timers, void *memory,
	      uint32_t bytes, void (*plain_changed)(void *ctx), void *ctx)
{
	*v = (struct vga){ .timers = timers, .memory = memory, .doublewords = bytes / VGA_PLANES };
	vga_reset(v);
	v->plain_changed = plain_changed;
	v->ctx = ctx;
	return vga_add_ports(v, pio) && dispi_init(v, pio) &&
	       mmio_add(mmio, VGA_APERTURE, VGA_APERTURE_SIZE, &vga_aperture, v);
}
