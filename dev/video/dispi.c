/* dev/video/dispi.c - the Bochs display interface: modes of more colours, and the linear frame buffer. Bochs, "VBE
 * Display API". */
#include "dev/video/vga.h"
#include "lib/mutants/mutate.h"

#define BPP_DEFAULT 8
#define PLANAR_BPP 4

static bool known_bpp(unsigned bpp)
{
	return bpp == PLANAR_BPP || bpp == 8 || bpp == 15 || bpp == 16 || bpp == 24 || bpp == 32;
}

static uint32_t memory_bytes(const struct vga *v)
{
	return v->doublewords * VGA_PLANES;
}

/* Bytes of a line of so many pixels. */
static uint32_t line_bytes(unsigned bpp, uint32_t pixels)
{
	return bpp == PLANAR_BPP ? pixels / 2 : pixels * ((bpp + 7) / 8);
}

/* VG1. What is shown lies within the memory, and a line within what it is wide: the Bochs VBE Display API's
 * registers of the virtual width and of the offsets. */
static void settle(uint16_t *d, uint32_t memory)
{
	uint32_t bytes;

	if (!known_bpp(d[DISPI_BPP]))
		d[DISPI_BPP] = BPP_DEFAULT;
	d[DISPI_XRES] &= (uint16_t)~7;
	if (d[DISPI_XRES] > VGA_WIDTH_MAX)
		d[DISPI_XRES] = VGA_WIDTH_MAX;
	if (!d[DISPI_XRES])
		d[DISPI_XRES] = 8;
	if (d[DISPI_VIRT_WIDTH] < d[DISPI_XRES] || d[DISPI_VIRT_WIDTH] > 0x7fff)
		d[DISPI_VIRT_WIDTH] = d[DISPI_XRES];
	d[DISPI_VIRT_WIDTH] &= (uint16_t)~7;
	bytes = line_bytes(d[DISPI_BPP], d[DISPI_VIRT_WIDTH]);
	d[DISPI_VIRT_HEIGHT] = (uint16_t)min_u64(memory / bytes, 0xffff);
	if (d[DISPI_YRES] > VGA_HEIGHT_MAX)
		d[DISPI_YRES] = VGA_HEIGHT_MAX;
	if (VM_KEPT(DISPI_HEIGHT, d[DISPI_YRES] > d[DISPI_VIRT_HEIGHT]))
		d[DISPI_YRES] = d[DISPI_VIRT_HEIGHT];
	if (!d[DISPI_YRES])
		d[DISPI_YRES] = 1;
	if (VM_KEPT(DISPI_RIGHT, d[DISPI_X_OFFSET] > d[DISPI_VIRT_WIDTH] - d[DISPI_XRES]))
		d[DISPI_X_OFFSET] = (uint16_t)(d[DISPI_VIRT_WIDTH] - d[DISPI_XRES]);
	if (VM_KEPT(DISPI_DOWN, d[DISPI_Y_OFFSET] > d[DISPI_VIRT_HEIGHT] - d[DISPI_YRES]))
		d[DISPI_Y_OFFSET] = (uint16_t)(d[DISPI_VIRT_HEIGHT] - d[DISPI_YRES]);
}

/* What writes and settle() leave. */
static bool within(const uint16_t *d, uint32_t banks)
{
	return d[DISPI_ID] >= DISPI_ID_FIRST && d[DISPI_ID] <= DISPI_ID_LAST && d[DISPI_XRES] <= VGA_WIDTH_MAX &&
	       d[DISPI_YRES] <= VGA_HEIGHT_MAX && known_bpp(d[DISPI_BPP]) && d[DISPI_BANK] < banks &&
	       !d[DISPI_MEMORY_64K];
}

bool dispi_possible(const struct vga *v, const uint16_t *dispi)
{
	uint16_t settled[DISPI_COUNT];

	if (VM_KEPT(STATE_DISPI, !within(dispi, memory_bytes(v) / VGA_BANK)))
		return false;
	memcpy(settled, dispi, sizeof(settled));
	if (dispi[DISPI_ENABLE] & DISPI_ENABLED)
		settle(settled, memory_bytes(v));
	return VM_LEFT_OUT_OR(STATE_DISPI_SETTLED, !memcmp(settled, dispi, sizeof(settled)));
}

static void clear(struct vga *v, uint32_t bytes)
{
	memset(v->memory, 0, bytes);
	memset(v->touched, 1, pages_for(bytes));
}

static void enter_mode(struct vga *v)
{
	uint16_t *d = v->dispi;

	d[DISPI_VIRT_WIDTH] = d[DISPI_XRES];
	d[DISPI_X_OFFSET] = d[DISPI_Y_OFFSET] = d[DISPI_BANK] = 0;
	settle(d, memory_bytes(v));
	if (!(d[DISPI_ENABLE] & DISPI_NO_CLEAR))
		clear(v, line_bytes(d[DISPI_BPP], d[DISPI_VIRT_WIDTH]) * d[DISPI_YRES]);
}

/* Colours keep their brightness where their width changes. */
static void shift_palette(struct vga *v, uint16_t before, uint16_t now)
{
	uint16_t both = DISPI_ENABLED | DISPI_8BIT_DAC;
	bool was = (before & both) == both, is = (now & both) == both;

	for (unsigned n = 0; n < 256 && was != is; n++)
		for (unsigned part = 0; part < 3; part++)
			v->palette[n][part] = (uint8_t)(is ? v->palette[n][part] << 2 : v->palette[n][part] >> 2);
}

static void enable(struct vga *v, uint16_t value)
{
	uint16_t before = v->dispi[DISPI_ENABLE];

	v->dispi[DISPI_ENABLE] = value;
	if ((value & DISPI_ENABLED) && !(before & DISPI_ENABLED))
		enter_mode(v);
	else if (!(value & DISPI_ENABLED))
		v->dispi[DISPI_BANK] = 0;
	shift_palette(v, before, value);
}

uint16_t dispi_read(const struct vga *v, unsigned reg)
{
	static const uint16_t most[] = {
		[DISPI_XRES] = VGA_WIDTH_MAX, [DISPI_YRES] = VGA_HEIGHT_MAX, [DISPI_BPP] = 32 };

	if (reg >= DISPI_COUNT)
		return 0;
	if (reg == DISPI_MEMORY_64K)
		return (uint16_t)(memory_bytes(v) / VGA_BANK);
	if ((v->dispi[DISPI_ENABLE] & DISPI_GET_CAPABILITIES) && reg < ARRAY_SIZE(most) && most[reg])
		return most[reg];
	return v->dispi[reg];
}

/* Resolutions change while it is off only (Bochs VBE Display API: the enable register). */
static bool may_write(const struct vga *v, unsigned reg, uint16_t value)
{
	switch (reg) {
	case DISPI_ID: return value >= DISPI_ID_FIRST && value <= DISPI_ID_LAST;
	case DISPI_XRES: return !dispi_enabled(v) && value <= VGA_WIDTH_MAX;
	case DISPI_YRES: return !dispi_enabled(v) && value <= VGA_HEIGHT_MAX;
	case DISPI_BPP: return !dispi_enabled(v) && (!value || known_bpp(value));
	case DISPI_BANK: return VM_LEFT_OUT_OR(DISPI_BANKS, (uint32_t)value * VGA_BANK < memory_bytes(v));
	case DISPI_VIRT_WIDTH: case DISPI_X_OFFSET: case DISPI_Y_OFFSET: return true;
	default: return false;
	}
}

void dispi_write(struct vga *v, unsigned reg, uint16_t value)
{
	if (reg == DISPI_ENABLE) {
		enable(v, value);
	} else if (may_write(v, reg, value)) {
		v->dispi[reg] = reg == DISPI_BPP && !value ? BPP_DEFAULT : value;
		if (dispi_enabled(v))
			settle(v->dispi, memory_bytes(v));
	}
	vga_update(v);
}

static uint32_t dispi_in(void *dev, uint16_t port, unsigned size)
{
	const struct vga *v = dev;

	if (size != 2)
		return (uint32_t)MASK(8 * size - 1, 0);
	return port == DISPI_INDEX ? v->dispi_index : dispi_read(v, v->dispi_index);
}

static void dispi_out(void *dev, uint16_t port, unsigned size, uint32_t value)
{
	struct vga *v = dev;

	if (size != 2)
		return;
	if (port == DISPI_INDEX)
		v->dispi_index = (uint16_t)value;
	else
		dispi_write(v, v->dispi_index, (uint16_t)value);
}

void dispi_reset(struct vga *v)
{
	memset(v->dispi, 0, sizeof(v->dispi));
	v->dispi_index = 0;
	v->dispi[DISPI_ID] = DISPI_ID_LAST;
	v->dispi[DISPI_BPP] = BPP_DEFAULT;
}

bool dispi_init(struct vga *v, struct pio_space *pio)
{
	static const struct pio_ops ops = { dispi_in, dispi_out };

	return pio_add(pio, DISPI_INDEX, 4, &ops, v);
}
