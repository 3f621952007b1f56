/* dev/video/vga_picture.c - what a screen would show: text, planes of 16 colours, the CGA's modes, 256 colours, and
 * those of the display interface; by the registers of CRT and attribute controller (names: IBM's VGA reference). What
 * blinks is shown as if it did not. */
#include "dev/video/vga.h"
#include "lib/mutants/mutate.h"

#define GLYPH_BYTES 32u
#define TEXT_MODE_UNDERLINED 1u

/* A line that is being made: dots that panning takes off, then pixels. */
struct line {
	const struct vga *v;
	uint32_t *pixel;
	unsigned width, x, skip;
	uint32_t colour[16];
	uint32_t counter;  /* of the address, at the beginning */
	unsigned row;      /* the line within its row of characters */
};

static void put_pixel(struct line *l, uint32_t colour)
{
	if (l->skip)
		l->skip--;
	else if (l->x < l->width)
		l->pixel[l->x++] = colour;
}

/* ---- colours ---- */

static uint32_t dac_colour(const struct vga *v, uint8_t index)
{
	const uint8_t *c = v->palette[index & v->dac_mask];
	bool wide = dispi_enabled(v) && (v->dispi[DISPI_ENABLE] & DISPI_8BIT_DAC);
	uint32_t rgb = 0;

	for (unsigned n = 0; n < 3; n++)
		rgb = rgb << 8 | (wide ? c[n] : (uint8_t)(c[n] << 2 | c[n] >> 4));
	return rgb;
}

static uint32_t attribute_colour(const struct vga *v, unsigned n)
{
	uint8_t index = v->attribute[n & v->attribute[VGA_ATTR_PLANES] & 15], select = v->attribute[VGA_ATTR_SELECT];

	if (v->attribute[VGA_ATTR_MODE] & VGA_ATTR_MODE_P54)
		index = (uint8_t)((index & 0x0f) | (select & 3) << 4);
	return dac_colour(v, (uint8_t)((index & 0x3f) | (select & 0x0c) << 4));
}

/* ---- how large it is ---- */

static unsigned shown_lines(const struct vga *v)
{
	uint8_t overflow = v->crtc[VGA_CRTC_OVERFLOW];

	return (v->crtc[VGA_CRTC_SHOWN_LINES] | (overflow & VGA_OVERFLOW_SHOWN8) << 7 |
		(overflow & VGA_OVERFLOW_SHOWN9) << 3) + 1;
}

static unsigned line_compare(const struct vga *v)
{
	return v->crtc[VGA_CRTC_LINE_COMPARE] | (v->crtc[VGA_CRTC_OVERFLOW] & VGA_OVERFLOW_LINE_COMPARE8) << 4 |
	       (v->crtc[VGA_CRTC_ROW_HEIGHT] & (unsigned)VGA_ROW_LINE_COMPARE9) << 3;
}

static enum vga_kind kind_of(const struct vga *v)
{
	uint8_t mode = v->graphics[VGA_GC_MODE];

	if (!(v->graphics[VGA_GC_MISC] & VGA_GC_MISC_GRAPHICS))
		return VGA_TEXT;
	return mode & VGA_MODE_SHIFT_256 ? VGA_256 : mode & VGA_MODE_SHIFT_CGA ? VGA_CGA : VGA_PLANAR;
}

static void classic(const struct vga *v, struct vga_picture *p)
{
	const uint8_t *crtc = v->crtc;
	bool rows = (crtc[VGA_CRTC_MODE] & (VGA_CRTC_MODE_ROW13 | VGA_CRTC_MODE_ROW14)) !=
		    (VGA_CRTC_MODE_ROW13 | VGA_CRTC_MODE_ROW14);

	p->kind = kind_of(v);
	p->cell_width = p->kind == VGA_256 ? 4
			: p->kind == VGA_TEXT && !(v->sequencer[VGA_SEQ_CLOCKING] & VGA_CLOCKING_8_DOTS) ? 9 : 8;
	p->cell_height = (crtc[VGA_CRTC_ROW_HEIGHT] & VGA_ROW_HEIGHT) + 1;
	p->lines = crtc[VGA_CRTC_ROW_HEIGHT] & VGA_ROW_DOUBLE ? 2 : 1;
	/* The lines of a row that show the same are one. */
	if (p->kind != VGA_TEXT && !rows)
		p->lines *= p->cell_height;
	p->width = (crtc[VGA_CRTC_SHOWN] + 1u) * p->cell_width;
	p->height = shown_lines(v) / p->lines;
	if (!p->height)
		p->height = 1;
	p->start = (uint32_t)crtc[VGA_CRTC_START_HIGH] << 8 | crtc[VGA_CRTC_START_LOW];
	p->start += crtc[VGA_CRTC_PRESET_ROW] >> 5 & 3;
	p->pitch = crtc[VGA_CRTC_OFFSET] * 2u;
}

static void high(const struct vga *v, struct vga_picture *p)
{
	const uint16_t *d = v->dispi;
	uint32_t bytes = (d[DISPI_BPP] + 7u) / 8;

	p->bits = d[DISPI_BPP];
	p->kind = p->bits == 4 ? VGA_PLANAR : VGA_HIGH;
	p->width = d[DISPI_XRES];
	p->height = d[DISPI_YRES];
	p->cell_width = 8;
	p->cell_height = p->lines = 1;
	p->pitch = p->bits == 4 ? d[DISPI_VIRT_WIDTH] / 8u : d[DISPI_VIRT_WIDTH] * bytes;
	p->start = d[DISPI_Y_OFFSET] * p->pitch + (p->bits == 4 ? d[DISPI_X_OFFSET] / 8u : d[DISPI_X_OFFSET] * bytes);
}

void vga_picture(const struct vga *v, struct vga_picture *p)
{
	*p = (struct vga_picture){ .kind = VGA_BLANK };
	if (dispi_enabled(v))
		high(v, p);
	else
		classic(v, p);
	if (!(v->attribute_index & VGA_ATTRIBUTE_SHOW) || (v->sequencer[VGA_SEQ_CLOCKING] & VGA_CLOCKING_OFF))
		p->kind = VGA_BLANK;
}

/* ---- addresses ---- */

/* What the counter's value is as an offset in the planes. Chain-4 modes have the counter's own (vga.h). */
static uint32_t planes_at(const struct line *l, uint32_t counter)
{
	const struct vga *v = l->v;
	uint8_t mode = v->crtc[VGA_CRTC_MODE];
	uint32_t at = counter;

	if (dispi_enabled(v))
		return v->memory[counter & (v->doublewords - 1)];
	if (!(mode & VGA_CRTC_MODE_BYTES) && !(v->sequencer[VGA_SEQ_MEMORY] & VGA_MEMORY_CHAIN4))
		at = counter << 1 | (counter >> (mode & VGA_CRTC_MODE_WRAP15 ? 15 : 13) & 1);
	if (!(mode & VGA_CRTC_MODE_ROW13))
		at = (at & ~0x2000u) | (l->row & 1) << 13;
	if (!(mode & VGA_CRTC_MODE_ROW14))
		at = (at & ~0x4000u) | (l->row & 2) << 13;
	return v->memory[at & 0xffff];
}

/* ---- text ---- */

static uint32_t font_of(const struct vga *v, bool second)
{
	uint8_t fonts = v->sequencer[VGA_SEQ_FONTS];
	unsigned n = second ? (fonts >> 2 & 3) | (fonts >> 3 & 4) : (fonts & 3) | (fonts >> 2 & 4);

	return (n & 3) * 0x4000 + (n & 4 ? 0x2000 : 0);
}

static bool under_cursor(const struct line *l, uint32_t counter)
{
	const uint8_t *crtc = l->v->crtc;
	uint32_t at = (uint32_t)crtc[VGA_CRTC_CURSOR_HIGH] << 8 | crtc[VGA_CRTC_CURSOR_LOW];

	return !(crtc[VGA_CRTC_CURSOR_START] & VGA_CURSOR_OFF) && (counter & 0xffff) == at &&
	       l->row >= (crtc[VGA_CRTC_CURSOR_START] & VGA_ROW_HEIGHT) &&
	       l->row <= (crtc[VGA_CRTC_CURSOR_END] & VGA_ROW_HEIGHT);
}

/* The dots of a character, the leftmost in bit 8. */
static unsigned glyph(const struct line *l, uint8_t code, uint8_t attribute)
{
	const struct vga *v = l->v;
	uint32_t at = font_of(v, attribute & 8) + code * GLYPH_BYTES + l->row;
	unsigned dots = (v->memory[at & 0xffff] >> 16 & 0xff) << 1;
	uint8_t mode = v->attribute[VGA_ATTR_MODE];

	if ((mode & VGA_ATTR_MODE_LINES) && code >= 0xc0 && code <= 0xdf)
		dots |= dots >> 1 & 1;
	if ((mode & VGA_ATTR_MODE_MONO) && (attribute & 7) == TEXT_MODE_UNDERLINED &&
	    l->row == (v->crtc[VGA_CRTC_UNDERLINE] & VGA_ROW_HEIGHT))
		dots = 0x1ff;
	return dots;
}

static void text_line(struct line *l, unsigned cell_width)
{
	bool blinks = l->v->attribute[VGA_ATTR_MODE] & VGA_ATTR_MODE_BLINK;

	for (uint32_t at = l->counter; l->x < l->width; at++) {
		uint32_t cell = planes_at(l, at);
		uint8_t attribute = (uint8_t)(cell >> 8);
		uint32_t ink = l->colour[attribute & 15], paper = l->colour[attribute >> 4 & (blinks ? 7 : 15)];
		unsigned dots = under_cursor(l, at) ? 0x1ff : glyph(l, (uint8_t)cell, attribute);

		for (unsigned n = 0; n < cell_width; n++)
			put_pixel(l, dots & 0x100u >> n ? ink : paper);
	}
}

/* ---- graphics ---- */

static void planar_line(struct line *l)
{
	for (uint32_t at = l->counter; l->x < l->width; at++) {
		uint32_t planes = planes_at(l, at);

		for (unsigned n = 8; n-- > 0;) {
			uint32_t dot = planes >> n & 0x01010101u;

			put_pixel(l, l->colour[(dot | dot >> 7 | dot >> 14 | dot >> 21) & 15]);
		}
	}
}

/* Two bits for a dot from plane 0, then from plane 1; two more from planes 2 and 3. */
static void cga_line(struct line *l)
{
	for (uint32_t at = l->counter; l->x < l->width; at++) {
		uint32_t planes = planes_at(l, at);

		for (unsigned n = 0; n < 8; n++) {
			unsigned shift = (n & 4 ? 8 : 0) + 6 - 2 * (n & 3);

			put_pixel(l, l->colour[(planes >> shift & 3) | (planes >> (shift + 16) & 3) << 2]);
		}
	}
}

static void line_256(struct line *l)
{
	for (uint32_t at = l->counter; l->x < l->width; at++) {
		uint32_t planes = planes_at(l, at);

		for (unsigned n = 0; n < VGA_PLANES; n++)
			put_pixel(l, dac_colour(l->v, (uint8_t)(planes >> 8 * n)));
	}
}

static uint32_t high_colour(const struct vga *v, unsigned bits, const uint8_t *at)
{
	uint32_t c = at[0], r, g, b;

	if (bits == 8)
		return dac_colour(v, at[0]);
	c |= (uint32_t)at[1] << 8;
	if (bits >= 24)
		return c | (uint32_t)at[2] << 16;
	b = c & 31;
	g = bits == 16 ? c >> 5 & 63 : (c >> 5 & 31) << 1 | (c >> 9 & 1);
	r = (bits == 16 ? c >> 11 : c >> 10) & 31;
	return (r << 3 | r >> 2) << 16 | (g << 2 | g >> 4) << 8 | b << 3 | b >> 2;
}

/* VG1: what the display interface lets through lies in the memory; a line that would not is not shown. */
static void high_line(struct line *l, const struct vga_picture *p, unsigned y)
{
	uint32_t bytes = (p->bits + 7) / 8;
	uint64_t at = p->start + (uint64_t)y * p->pitch;

	if (VM_KEPT(VGA_LINE_WITHIN, at + (uint64_t)p->width * bytes > (uint64_t)l->v->doublewords * VGA_PLANES))
		return;
	for (const uint8_t *from = (const uint8_t *)l->v->memory + at; l->x < l->width; from += bytes)
		put_pixel(l, high_colour(l->v, p->bits, from));
}

/* ---- lines ---- */

static unsigned panning(const struct vga *v, const struct vga_picture *p)
{
	unsigned n = v->attribute[VGA_ATTR_PANNING] & 15;

	if (p->kind == VGA_256)
		return n / 2 & 3;
	if (p->kind == VGA_TEXT && p->cell_width == 9)
		return n < 8 ? n + 1 : 0;
	return n & 7;
}

/* Which counter line y begins with; below the line that is compared with, the memory's first lines are. */
static void find_line(struct line *l, const struct vga_picture *p, unsigned y)
{
	const struct vga *v = l->v;
	unsigned line = y * p->lines, split = line_compare(v);
	bool below = line > split, twice = v->crtc[VGA_CRTC_ROW_HEIGHT] & VGA_ROW_DOUBLE;

	if (!below || !(v->attribute[VGA_ATTR_MODE] & VGA_ATTR_MODE_SPLIT))
		l->skip = panning(v, p);
	line -= below ? split + 1 : 0;
	line = line >> twice;
	if (!below)
		line += v->crtc[VGA_CRTC_PRESET_ROW] & VGA_ROW_HEIGHT;
	l->row = line % p->cell_height;
	l->counter = (below ? 0 : p->start) + line / p->cell_height * p->pitch;
}

void vga_picture_line(const struct vga *v, const struct vga_picture *p, unsigned y, uint32_t *pixel)
{
	struct line l = { .v = v, .pixel = pixel, .width = p->width };

	memset(pixel, 0, p->width * sizeof(*pixel));
	for (unsigned n = 0; n < 16; n++)
		l.colour[n] = attribute_colour(v, n);
	if (dispi_enabled(v))
		l.counter = p->start + y * p->pitch;
	else
		find_line(&l, p, y);
	switch (p->kind) {
	case VGA_BLANK: break;
	case VGA_TEXT: text_line(&l, p->cell_width); break;
	case VGA_PLANAR: planar_line(&l); break;
	case VGA_CGA: cga_line(&l); break;
	case VGA_256: line_256(&l); break;
	case VGA_HIGH: high_line(&l, p, y); break;
	}
}
